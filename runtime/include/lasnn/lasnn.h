/* LaSNN runtime: run a compiled spiking network (.lasnn) as native code. The whole public interface.
 *
 * No function here throws, prints, exits, or allocates after create. A network handle is used by one thread at a
 * time; several handles may share the same model bytes, which the runtime only reads. All sizes are in bytes, all
 * tensors in C order with the axes named in brackets.
 */
#ifndef LASNN_LASNN_H
#define LASNN_LASNN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LASNN_VERSION_MAJOR 0
#define LASNN_VERSION_MINOR 1
#define LASNN_VERSION_PATCH 0

#if defined(LASNN_SHARED) && defined(__GNUC__)
#define LASNN_API __attribute__((visibility("default")))
#else
#define LASNN_API
#endif

/** What a call returns. Anything but LASNN_OK leaves outputs untouched; the text says what to do. */
typedef enum lasnn_status {
  LASNN_OK = 0,
  LASNN_INVALID_ARGUMENT = 1, /**< a null pointer, a wrong size, an index out of range: mend the call */
  LASNN_BAD_MODEL = 2,        /**< the bytes are no valid .lasnn: get the file again or recompile it */
  LASNN_UNSUPPORTED = 3,      /**< a newer format version, or a forced ISA this CPU lacks */
  LASNN_OUT_OF_MEMORY = 4,    /**< the arena is too small (ask lasnn_arena_size), or malloc failed */
  LASNN_IO = 5,               /**< the file cannot be opened or read */
  LASNN_NO_DEVICE = 6,        /**< no GPU, no driver, or a driver too old: the text says which */
  LASNN_DEVICE_LOST = 7       /**< the GPU failed; destroy the session, and create a new one once the device is back */
} lasnn_status;

/** Instruction set of the kernels. LASNN_ISA_AUTO takes the best that the CPU has; the environment variable
 *  LASNN_ISA=scalar|avx2|avx512 overrides AUTO. A forced ISA that cannot run is LASNN_UNSUPPORTED, never a fallback. */
typedef enum lasnn_isa { LASNN_ISA_AUTO = 0, LASNN_ISA_SCALAR = 1, LASNN_ISA_AVX2 = 2, LASNN_ISA_AVX512 = 3 } lasnn_isa;

/** Options of create. Zero-initialise, then set `size = sizeof(lasnn_options)`. */
typedef struct lasnn_options {
  size_t size;
  lasnn_isa isa;
  void *arena;        /**< caller's memory, 64-byte aligned, or NULL: the runtime allocates its own */
  size_t arena_size;  /**< bytes at `arena` */
} lasnn_options;

typedef struct lasnn_network lasnn_network;

/** A named tensor of the network. */
typedef struct lasnn_tensor_info {
  const char *name;                 /**< lives as long as the network */
  uint32_t channels, height, width; /**< [C][H][W]; a vector has height = width = 1 */
} lasnn_tensor_info;

/** How the input is driven. */
typedef enum lasnn_encoding {
  LASNN_DIRECT = 0, /**< one uint8 image [C][H][W], the same current at every step */
  LASNN_EVENTS = 1  /**< uint8 spike counts [T][C][H][W], one frame a step */
} lasnn_encoding;

typedef struct lasnn_network_info {
  uint32_t timesteps;
  lasnn_encoding encoding;
  lasnn_tensor_info input;
  size_t input_size;    /**< bytes that lasnn_run reads: C*H*W, times T for events */
  size_t step_input_size; /**< bytes that one lasnn_step reads: C*H*W */
  uint32_t input_max;   /**< largest allowed input value (255 for images; the spike count bound for events) */
  size_t output_count;  /**< int32 values that lasnn_run writes */
  uint32_t layer_count; /**< neuron layers, in order of execution */
  lasnn_isa isa;        /**< the ISA in use, never AUTO */
  uint64_t content_hash; /**< XXH64 of the model's content */
  float output_scale;   /**< logit = output * output_scale */
} lasnn_network_info;

/** Counted since create or the last lasnn_stats_clear, over all runs and steps. */
typedef struct lasnn_layer_stats {
  lasnn_tensor_info tensor;
  uint64_t neurons;  /**< C*H*W */
  uint64_t steps;    /**< time-steps executed */
  uint64_t spikes;   /**< spikes fired; the rate is spikes / (neurons * steps) */
  uint64_t synops;   /**< synaptic operations: weights added because a spike arrived, analog input not counted */
  uint64_t clips;    /**< membrane values that met the clamp of the contract (spec N4, N7) */
} lasnn_layer_stats;

/** The bytes of arena that `create` will need for this model. Verifies the model first.
 *  @param error,error_size  where a failing call writes a text of at most error_size bytes, zero-terminated; may be NULL, 0 */
LASNN_API lasnn_status lasnn_arena_size(const void *model, size_t model_size, size_t *arena_size, char *error,
                                        size_t error_size);

/** Create a network from model bytes in memory, 64-byte aligned. The bytes must outlive the network (they are not copied). */
LASNN_API lasnn_status lasnn_create(const void *model, size_t model_size, const lasnn_options *options,
                                    lasnn_network **network, char *error, size_t error_size);

/** Create a network from a file, which is mapped read-only until destroy. */
LASNN_API lasnn_status lasnn_create_from_file(const char *path, const lasnn_options *options, lasnn_network **network,
                                              char *error, size_t error_size);

/** Destroy; NULL is allowed. A caller's arena is the caller's again. */
LASNN_API void lasnn_destroy(lasnn_network *network);

LASNN_API lasnn_status lasnn_get_info(const lasnn_network *network, lasnn_network_info *info);

/** Run one sample from reset state through all T steps.
 *  @param input   uint8 [C][H][W] (direct) or [T][C][H][W] (events), input_size bytes
 *  @param output  int32 [output_count]
 *  Leaves membranes and delays as a fresh reset would; use lasnn_step to keep state. */
LASNN_API lasnn_status lasnn_run(lasnn_network *network, const uint8_t *input, size_t input_size, int32_t *output,
                                 size_t output_count);

/** Advance one time-step with membranes and delays kept from the last step.
 *  @param output  int32 [output_count]: the read-out as it stands after this step since the last reset
 *  After T steps from reset the output equals lasnn_run's, to the bit. Going beyond T is allowed for streams; a `sum`
 *  read-out then saturates at the int32 limits. */
LASNN_API lasnn_status lasnn_step(lasnn_network *network, const uint8_t *input, size_t input_size, int32_t *output,
                                  size_t output_count);

/** Set every membrane, delay and read-out to its initial value. */
LASNN_API lasnn_status lasnn_reset(lasnn_network *network);

LASNN_API lasnn_status lasnn_get_layer_stats(const lasnn_network *network, uint32_t layer, lasnn_layer_stats *stats);
LASNN_API lasnn_status lasnn_stats_clear(lasnn_network *network);

/** Spike counts of one layer at one step of the last lasnn_run: uint8 [C][H][W], for inspection and tests. After a
 *  lasnn_step there is one step, 0: the last. Before either there is none: LASNN_INVALID_ARGUMENT. */
LASNN_API lasnn_status lasnn_get_spikes(const lasnn_network *network, uint32_t layer, uint32_t step, uint8_t *spikes,
                                        size_t size);

/** Text of the last failing call on this network; "" when none failed. */
LASNN_API const char *lasnn_get_error(const lasnn_network *network);

LASNN_API const char *lasnn_status_name(lasnn_status status);
LASNN_API const char *lasnn_isa_name(lasnn_isa isa);
/** 1 when this CPU (and this build) can run the ISA. */
LASNN_API int lasnn_isa_available(lasnn_isa isa);
LASNN_API const char *lasnn_version(void);

/** XXH64 (public algorithm of xxHash), the hash behind content_hash and output digests. */
LASNN_API uint64_t lasnn_hash64(const void *data, size_t size, uint64_t seed);

#ifdef __cplusplus
}
#endif
#endif
