/* LaSNN runtime for NVIDIA GPUs: runs the CUDA program of a .lasnn (lasnn-compile --target=cuda). Link liblasnn_cuda; the driver (libcuda.so.1)
 * is found at run time, so a program that links this starts on machines without a GPU, and create then says what is missing.
 *
 * No function here throws, prints or exits. A session is used by one thread at a time; sessions are independent of one another, each with a
 * stream of its own, and may share weights and code (options.share). All sizes are in bytes, all tensors in C order with the axes named in
 * brackets; inputs and outputs lie in host memory.
 */
#ifndef LASNN_CUDA_H
#define LASNN_CUDA_H

#include "lasnn/lasnn.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lasnn_cuda_session lasnn_cuda_session;

/** Options of create. Zero-initialise, then set `size = sizeof(lasnn_cuda_options)`. */
typedef struct lasnn_cuda_options {
  size_t size;
  int device;            /**< ordinal of the GPU, as the driver counts */
  uint32_t max_batch;    /**< samples that one run or step may hold; device memory is planned for it. 0: 1 */
  int streaming;         /**< not 0: membranes stay on the device, for lasnn_cuda_step */
  int keep_spikes;       /**< not 0: buffers do not overlap, so that lasnn_cuda_get_spikes can read every layer after a run */
  int no_stats;          /**< not 0: spikes and clips are not counted */
  const char *driver;    /**< path of libcuda; NULL: the environment's LASNN_CUDA_DRIVER, else libcuda.so.1 */
  lasnn_cuda_session *share; /**< NULL, or a session of the same model and device whose weights and code are used; it may be destroyed first */
} lasnn_cuda_options;

typedef struct lasnn_cuda_info {
  lasnn_network_info network;  /**< of one sample; isa is LASNN_ISA_AUTO */
  char device_name[128];       /**< "NVIDIA H100 80GB HBM3" */
  int compute_major, compute_minor;
  int driver_version;          /**< as cuDriverGetVersion: 12040 is 12.4 */
  char code[16];               /**< what was loaded: "sm_90a", or "compute_90" for PTX that the driver compiled */
  uint32_t max_batch;
  uint64_t constant_bytes;     /**< device memory of weights and tables, shared ones included; the driver's own (context, code) is not counted */
  uint64_t session_bytes;      /**< device memory of buffers, states, samples, outputs */
  uint32_t launch_count;       /**< kernels of one run (of one step, where layers feed back) */
} lasnn_cuda_info;

/** The bytes of device memory that a session of these options takes: constant_bytes + session_bytes of lasnn_cuda_get_info (options.device and .share
 *  are not looked at). Needs no GPU. */
LASNN_API lasnn_status lasnn_cuda_memory(const void *model, size_t model_size, const lasnn_cuda_options *options, uint64_t *bytes, char *error,
                                         size_t error_size);

/** Create a session from model bytes in memory, 64-byte aligned; they are copied to the device and not needed afterwards.
 *  LASNN_NO_DEVICE: no driver, no GPU, or a driver too old. LASNN_UNSUPPORTED: the file has no code for this GPU.
 *  LASNN_OUT_OF_MEMORY: the text says which max_batch would fit. LASNN_DEVICE_LOST: the driver failed meanwhile.
 *  @param error,error_size  where a failing call writes a text of at most error_size bytes, zero-terminated; may be NULL, 0 */
LASNN_API lasnn_status lasnn_cuda_create(const void *model, size_t model_size, const lasnn_cuda_options *options, lasnn_cuda_session **session,
                                         char *error, size_t error_size);

/** Destroy; waits for what was submitted; NULL is allowed. */
LASNN_API void lasnn_cuda_destroy(lasnn_cuda_session *session);

LASNN_API lasnn_status lasnn_cuda_get_info(const lasnn_cuda_session *session, lasnn_cuda_info *info);

/** Run `batch` samples from reset state through all T steps, as one graph launch. Leaves the streams of lasnn_cuda_step reset. The first run of a batch
 *  size records its graph; a session keeps eight.
 *  @param input   uint8 [batch][C][H][W] (direct) or [batch][T][C][H][W] (events), input_size bytes
 *  @param output  int32 [batch][info.network.output_count]; output_count counts all of them */
LASNN_API lasnn_status lasnn_cuda_run(lasnn_cuda_session *session, const uint8_t *input, size_t input_size, uint32_t batch, int32_t *output,
                                      size_t output_count);

/** Begin a run and return: two may be in flight, a third waits for the first. `input` is copied before the call returns; `output` is written by
 *  the lasnn_cuda_wait that follows, and must live until then. */
LASNN_API lasnn_status lasnn_cuda_submit(lasnn_cuda_session *session, const uint8_t *input, size_t input_size, uint32_t batch, int32_t *output,
                                         size_t output_count);
/** Wait for everything submitted. The first error of any of them is returned. Every other call on the session waits first, too. */
LASNN_API lasnn_status lasnn_cuda_wait(lasnn_cuda_session *session);

/** Advance `batch` independent streams by one time-step, membranes kept on the device (options.streaming).
 *  @param input   uint8 [batch][C][H][W]
 *  @param output  int32 [batch][output_count]: the read-outs as they stand after this step since the last reset
 *  Every step since a reset must have the same batch. */
LASNN_API lasnn_status lasnn_cuda_step(lasnn_cuda_session *session, const uint8_t *input, size_t input_size, uint32_t batch, int32_t *output,
                                       size_t output_count);
/** Set every membrane and read-out of the streams to its initial value. */
LASNN_API lasnn_status lasnn_cuda_reset(lasnn_cuda_session *session);

/** Counted since create or the last clear, over all samples and steps: stats->steps is samples times steps. synops is not counted on a GPU: 0. */
LASNN_API lasnn_status lasnn_cuda_get_layer_stats(lasnn_cuda_session *session, uint32_t layer, lasnn_layer_stats *stats);
LASNN_API lasnn_status lasnn_cuda_stats_clear(lasnn_cuda_session *session);

/** Spike counts of one layer, sample and step of the last run (after a step: step 0): uint8 [C][H][W]. Needs options.keep_spikes. */
LASNN_API lasnn_status lasnn_cuda_get_spikes(lasnn_cuda_session *session, uint32_t sample, uint32_t layer, uint32_t step, uint8_t *spikes, size_t size);

/** Time on the device, by CUDA events: of each kernel of a run of `batch` samples, medians over `repeats` (1..1000). The samples are those of
 *  the last lasnn_cuda_run of that batch, else whatever memory holds. Leaves the streams reset; statistics do not count it.
 *  @param launch_us  [launch_count] microseconds, of one step where layers feed back; may be NULL
 *  @param graph_us   of the whole run as one graph, copies not included; may be NULL */
LASNN_API lasnn_status lasnn_cuda_time(lasnn_cuda_session *session, uint32_t batch, uint32_t repeats, float *launch_us, float *graph_us);
/** The name of a launch's layer and of its kernel's kind, for reports: "conv1 (dense)"; "" beyond the last. */
LASNN_API const char *lasnn_cuda_launch_name(const lasnn_cuda_session *session, uint32_t launch);

/** Text of the last failing call on this session; "" when none failed. */
LASNN_API const char *lasnn_cuda_get_error(const lasnn_cuda_session *session);

/** LASNN_OK where a GPU could be used (whether it runs a given model is create's to say), else why not. */
LASNN_API lasnn_status lasnn_cuda_available(const char *driver, int *device_count, char *error, size_t error_size);

#ifdef __cplusplus
}
#endif
#endif
