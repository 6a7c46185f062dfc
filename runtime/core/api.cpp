// The C API: running and looking at a network.
#include "core/hash.h"
#include "core/isa.h"
#include "core/network.h"

#include <cstring>

using namespace lasnn::runtime;
namespace format = lasnn::format;

namespace {

template <class... Args> lasnn_status refuse(lasnn_network *net, const char *text, Args... args) {
  ErrorText(net->error, sizeof net->error).set(text, args...);
  return LASNN_INVALID_ARGUMENT;
}

size_t frameSize(const lasnn_network &net) {
  return size_t(net.buffers[0].channels) * net.buffers[0].height * net.buffers[0].width;
}

size_t inputSize(const lasnn_network &net) {
  return frameSize(net) * (net.plan->encoding() == format::Encoding::Events ? net.timesteps : 1);
}

lasnn_status checkRun(lasnn_network *net, const uint8_t *input, size_t input_size, size_t needed, const int32_t *output, size_t output_count) {
  if (input == nullptr || output == nullptr) return refuse(net, "input or output is null");
  if (input_size != needed) return refuse(net, "input has %zu bytes, %zu needed", input_size, needed);
  if (output_count != net->plan->output_count()) return refuse(net, "output has %zu values, %u needed", output_count, net->plan->output_count());
  return LASNN_OK;
}

} // namespace

lasnn_status lasnn_get_info(const lasnn_network *net, lasnn_network_info *info) {
  if (net == nullptr || info == nullptr) return LASNN_INVALID_ARGUMENT;
  const format::Plan &plan = *net->plan;
  const BufferState &in = net->buffers[0];
  const bool direct = plan.encoding() == format::Encoding::Direct;
  *info = {};
  info->timesteps = net->timesteps;
  info->encoding = direct ? LASNN_DIRECT : LASNN_EVENTS;
  info->input = {format::nameOf(plan.buffers()->Get(0)->name()), in.channels, in.height, in.width};
  info->input_size = inputSize(*net);
  info->step_input_size = frameSize(*net);
  info->input_max = direct ? 255 : in.max_count;
  info->output_count = plan.output_count();
  info->layer_count = net->spiking_count;
  info->isa = net->isa;
  info->content_hash = net->content_hash;
  info->output_scale = plan.output_scale();
  return LASNN_OK;
}

lasnn_status lasnn_run(lasnn_network *net, const uint8_t *input, size_t input_size, int32_t *output, size_t output_count) {
  if (net == nullptr) return LASNN_INVALID_ARGUMENT;
  const lasnn_status status = checkRun(net, input, input_size, inputSize(*net), output, output_count);
  if (status != LASNN_OK) return status;
  if (!runAll(*net, input)) return LASNN_INVALID_ARGUMENT;
  memcpy(output, net->readout, sizeof(int32_t) * output_count);
  memset(net->readout, 0, sizeof(int32_t) * output_count);
  reset(*net);
  return LASNN_OK;
}

lasnn_status lasnn_step(lasnn_network *net, const uint8_t *input, size_t input_size, int32_t *output, size_t output_count) {
  if (net == nullptr) return LASNN_INVALID_ARGUMENT;
  const lasnn_status status = checkRun(net, input, input_size, frameSize(*net), output, output_count);
  if (status != LASNN_OK) return status;
  if (!runStep(*net, input)) return LASNN_INVALID_ARGUMENT;
  memcpy(output, net->readout, sizeof(int32_t) * output_count);
  return LASNN_OK;
}

lasnn_status lasnn_reset(lasnn_network *net) {
  if (net == nullptr) return LASNN_INVALID_ARGUMENT;
  reset(*net);
  return LASNN_OK;
}

lasnn_status lasnn_get_layer_stats(const lasnn_network *net, uint32_t layer, lasnn_layer_stats *stats) {
  if (net == nullptr || stats == nullptr || layer >= net->spiking_count) return LASNN_INVALID_ARGUMENT;
  *stats = net->layers[net->spiking[layer]].stats;
  return LASNN_OK;
}

lasnn_status lasnn_stats_clear(lasnn_network *net) {
  if (net == nullptr) return LASNN_INVALID_ARGUMENT;
  for (uint32_t i = 0; i < net->layer_count; ++i) {
    lasnn_layer_stats &stats = net->layers[i].stats;
    stats.steps = stats.spikes = stats.synops = stats.clips = 0;
  }
  return LASNN_OK;
}

lasnn_status lasnn_get_spikes(const lasnn_network *net, uint32_t layer, uint32_t step, uint8_t *spikes, size_t size) {
  if (net == nullptr || spikes == nullptr || layer >= net->spiking_count || step >= net->stored_steps) return LASNN_INVALID_ARGUMENT;
  const Spikes view = viewOf(*net, net->layers[net->spiking[layer]].source->output(), step);
  const size_t pixels = size_t(view.height) * view.width;
  if (size != pixels * view.channels) return LASNN_INVALID_ARGUMENT;
  for (uint32_t c = 0; c < view.channels; ++c)
    for (size_t i = 0; i < pixels; ++i) {
      const uint8_t *pixel = view.data + i * view.pixel_stride;
      uint64_t word;
      if (view.max_count == 1) memcpy(&word, pixel + c / 64 * 8, 8);
      spikes[c * pixels + i] = view.max_count == 1 ? uint8_t((word >> (c % 64)) & 1) : pixel[c];
    }
  return LASNN_OK;
}

const char *lasnn_get_error(const lasnn_network *net) { return net ? net->error : ""; }

const char *lasnn_status_name(lasnn_status status) {
  switch (status) {
  case LASNN_OK: return "ok";
  case LASNN_INVALID_ARGUMENT: return "invalid argument";
  case LASNN_BAD_MODEL: return "bad model";
  case LASNN_UNSUPPORTED: return "unsupported";
  case LASNN_OUT_OF_MEMORY: return "out of memory";
  case LASNN_IO: return "input/output error";
  case LASNN_NO_DEVICE: return "no device";
  case LASNN_DEVICE_LOST: return "device lost";
  }
  return "unknown status";
}

const char *lasnn_isa_name(lasnn_isa isa) {
  switch (isa) {
  case LASNN_ISA_AUTO: return "auto";
  case LASNN_ISA_SCALAR: return "scalar";
  case LASNN_ISA_AVX2: return "avx2";
  case LASNN_ISA_AVX512: return "avx512";
  }
  return "unknown";
}

int lasnn_isa_available(lasnn_isa isa) { return missingFor(isa) == nullptr; }

#define LASNN_TEXT(x) #x
#define LASNN_VERSION_TEXT(a, b, c) LASNN_TEXT(a) "." LASNN_TEXT(b) "." LASNN_TEXT(c)
const char *lasnn_version(void) { return LASNN_VERSION_TEXT(LASNN_VERSION_MAJOR, LASNN_VERSION_MINOR, LASNN_VERSION_PATCH); }

uint64_t lasnn_hash64(const void *data, size_t size, uint64_t seed) { return hash64(data, size, seed); }
