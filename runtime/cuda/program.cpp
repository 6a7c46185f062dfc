#include "cuda/program.h"

#include <cstdlib>
#include <cstring>

namespace lasnn::cuda {
namespace {

using runtime::Arena;

template <class T> uint32_t sizeOf(const flatbuffers::Vector<T> *v) { return v ? v->size() : 0; }

/// One pass measures, with an arena of no memory, the other writes.
class Maker {
public:
  Maker(const format::CudaProgram &source, Arena &arena) : source_(source), arena_(arena) {}

  Program *make(uint64_t content_hash) {
    Program p = {};
    auto *placed = arena_.take<Program>(1);
    p.name = text(source_.name()), p.input_name = text(source_.input_name());
    p.timesteps = source_.timesteps(), p.direct = source_.encoding() == format::Encoding::Direct;
    p.channels = source_.channels(), p.height = source_.height(), p.width = source_.width(), p.input_max = source_.input_max();
    p.output_count = source_.output_count(), p.output_scale = source_.output_scale(), p.content_hash = content_hash;
    placeConstants(p);
    makeLayers(p);
    if (source_.whole()) p.whole = sequence(*source_.whole());
    if (source_.step()) p.step = sequence(*source_.step());
    if (placed) memcpy(static_cast<void *>(placed), &p, sizeof p);
    return arena_.complete() ? placed : nullptr;
  }

private:
  template <class T> static void put(T *array, uint32_t i, const T &value) {
    if (array) array[i] = value;
  }

  const char *text(const flatbuffers::String *s) {
    char *copy = arena_.take<char>(uint64_t(s->size()) + 1);
    if (copy) memcpy(copy, s->c_str(), size_t(s->size()) + 1);
    return copy;
  }

  const char *label(const format::CudaLaunch &l) {
    const size_t size = size_t(l.name()->size()) + l.kind()->size() + 4;
    char *both = arena_.take<char>(size);
    if (both) snprintf(both, size, "%s (%s)", l.name()->c_str(), l.kind()->c_str());
    return both;
  }

  void placeConstants(Program &p) {
    offsets_ = arena_.take<uint64_t>(sizeOf(source_.constants()));
    for (uint32_t i = 0; i < sizeOf(source_.constants()); ++i) {
      put(offsets_, i, p.constant_bytes);
      p.constant_bytes += aligned(source_.constants()->Get(i)->bytes()->size());
    }
    p.table = {p.constant_bytes, sizeOf(source_.encode_table())};
    p.constant_bytes += aligned(p.table.bytes);
  }
  Constant constant(int64_t i) const {
    if (i < 0 || offsets_ == nullptr) return {0, 0};
    return {offsets_[i], source_.constants()->Get(uint32_t(i))->bytes()->size()};
  }

  void makeLayers(Program &p) {
    p.layer_count = sizeOf(source_.layers());
    p.layers = arena_.take<Layer>(p.layer_count);
    for (uint32_t i = 0; i < p.layer_count; ++i) {
      const format::CudaLayer &l = *source_.layers()->Get(i);
      const uint64_t neurons = uint64_t(l.channels()) * l.height() * l.width();
      const Layer layer = {text(l.name()), l.channels(), l.height(), l.width(), l.buffer(), l.counts(), p.state_bytes, neurons};
      put(p.layers, i, layer);
      p.state_bytes += aligned(layer.neurons * sizeof(int32_t));
    }
  }

  Sequence sequence(const format::CudaSequence &source) {
    Sequence s = {};
    s.arena_bytes = aligned(source.arena_bytes());
    s.buffer_count = sizeOf(source.buffers()), s.launch_count = sizeOf(source.launches()), s.delay_count = sizeOf(source.delays());
    s.buffers = arena_.take<Buffer>(s.buffer_count);
    s.launches = arena_.take<Launch>(s.launch_count);
    s.delays = arena_.take<Delay>(s.delay_count);
    for (uint32_t i = 0; i < s.buffer_count; ++i) {
      const format::CudaBuffer &b = *source.buffers()->Get(i);
      put(s.buffers, i, Buffer{b.offset(), b.bytes(), s.kept_bytes});
      s.kept_bytes += aligned(b.bytes());
    }
    for (uint32_t i = 0; i < s.launch_count; ++i)
      put(s.launches, i, launch(*source.launches()->Get(i)));
    for (uint32_t i = 0; i < s.delay_count; ++i)
      put(s.delays, i, Delay{source.delays()->Get(i)->from(), source.delays()->Get(i)->to()});
    return s;
  }

  Launch launch(const format::CudaLaunch &source) {
    Launch l = {};
    l.name = text(source.name()), l.kernel = text(source.kernel()), l.label = label(source);
    l.reads_sample = source.reads_sample(), l.readout = source.readout();
    l.input_count = sizeOf(source.inputs()), l.weight_count = sizeOf(source.weights());
    for (uint32_t i = 0; i < l.input_count; ++i)
      l.inputs[i] = source.inputs()->Get(i);
    for (uint32_t i = 0; i < l.weight_count; ++i)
      l.weights[i] = constant(source.weights()->Get(i));
    l.output = source.output();
    l.bias = constant(source.bias()), l.threshold = constant(source.threshold()), l.amount = constant(source.amount());
    l.layer = source.layer();
    l.rows = source.rows(), l.columns = source.columns(), l.rows_a_unit = source.rows_a_unit(), l.units_a_block = source.units_a_block();
    l.threads = source.threads(), l.shared_bytes = source.shared_bytes();
    return l;
  }

  const format::CudaProgram &source_;
  Arena &arena_;
  uint64_t *offsets_ = nullptr; // of constants
};

} // namespace

Program *makeProgram(const format::CudaProgram &source, uint64_t content_hash, ErrorText &error) {
  Arena measure(nullptr, 0);
  Maker(source, measure).make(content_hash);
  void *memory = nullptr;
  if (posix_memalign(&memory, Arena::kAlign, measure.used()) != 0) {
    error.set("%llu bytes of host memory needed", (unsigned long long)measure.used());
    return nullptr;
  }
  Arena arena(memory, measure.used());
  return Maker(source, arena).make(content_hash);
}

} // namespace lasnn::cuda
