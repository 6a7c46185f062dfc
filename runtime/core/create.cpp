// The C API: sizes, create, destroy.
#include "core/create.h"

#include "core/isa.h"
#include "core/network.h"

#include <cstdlib>
#include <cstring>

namespace lasnn::runtime {
namespace {

lasnn_status measure(const format::Model &model, size_t &size, ErrorText &error) {
  Arena arena(nullptr, 0);
  layoutNetwork(model, arena);
  if (arena.overLimit()) {
    error.set("the network needs more than 16 GiB of arena");
    return LASNN_BAD_MODEL;
  }
  size = size_t(arena.used());
  return LASNN_OK;
}

lasnn_status checkOptions(const lasnn_options &options, ErrorText &error) {
  if (options.size != sizeof(lasnn_options)) {
    error.set("options.size is %zu, must be sizeof(lasnn_options) = %zu", options.size, sizeof(lasnn_options));
    return LASNN_INVALID_ARGUMENT;
  }
  if (reinterpret_cast<uintptr_t>(options.arena) % Arena::kAlign != 0) {
    error.set("the arena is not 64-byte aligned");
    return LASNN_INVALID_ARGUMENT;
  }
  if (options.arena == nullptr && options.arena_size != 0) {
    error.set("arena_size is %zu, but arena is null", options.arena_size);
    return LASNN_INVALID_ARGUMENT;
  }
  return LASNN_OK;
}

} // namespace

lasnn_status createNetwork(const void *bytes, size_t size, const lasnn_options *given, lasnn_network **network, ErrorText &error) {
  lasnn_options options = {sizeof(lasnn_options), LASNN_ISA_AUTO, nullptr, 0};
  if (given) options = *given;
  lasnn_status status = checkOptions(options, error);
  if (status != LASNN_OK) return status;
  lasnn_isa isa;
  status = chooseIsa(options.isa, isa, error);
  if (status != LASNN_OK) return status;
  const format::Model *model;
  uint64_t content_hash;
  status = format::verifyModel(bytes, size, model, content_hash, error);
  if (status != LASNN_OK) return status;
  size_t needed;
  status = measure(*model, needed, error);
  if (status != LASNN_OK) return status;

  void *own = nullptr, *memory = options.arena;
  if (memory == nullptr) {
    if (posix_memalign(&own, Arena::kAlign, needed) != 0) own = nullptr;
    memory = own;
  }
  if (memory == nullptr || (options.arena != nullptr && options.arena_size < needed)) {
    error.set("%zu bytes of memory needed, %zu given", needed, options.arena ? options.arena_size : size_t(0));
    return LASNN_OUT_OF_MEMORY;
  }
  Arena arena(memory, needed);
  lasnn_network *net = layoutNetwork(*model, arena); // never null: it takes what it measured
  net->isa = isa;
  net->kernels = &kernelsOf(isa);
  net->content_hash = content_hash;
  net->own_memory = own;
  fillNetwork(*net);
  *network = net;
  return LASNN_OK;
}

} // namespace lasnn::runtime

using lasnn::runtime::ErrorText;

lasnn_status lasnn_arena_size(const void *model, size_t model_size, size_t *arena_size, char *error, size_t error_size) {
  ErrorText text(error, error_size);
  if (arena_size == nullptr) {
    text.set("arena_size is null");
    return LASNN_INVALID_ARGUMENT;
  }
  const lasnn::format::Model *checked;
  uint64_t content_hash;
  const lasnn_status status = lasnn::format::verifyModel(model, model_size, checked, content_hash, text);
  return status == LASNN_OK ? lasnn::runtime::measure(*checked, *arena_size, text) : status;
}

lasnn_status lasnn_create(const void *model, size_t model_size, const lasnn_options *options, lasnn_network **network,
                          char *error, size_t error_size) {
  ErrorText text(error, error_size);
  if (network == nullptr) {
    text.set("network is null");
    return LASNN_INVALID_ARGUMENT;
  }
  return lasnn::runtime::createNetwork(model, model_size, options, network, text);
}
