// Gather with wide currents and membranes, and read-outs: for each output pixel and step, 16-bit sums of as many
// rows as they are exact for are widened into int32. gatherWide24 is the usual neuron, in registers; gatherI32 does read-outs and, in 64
// bits, the rest.
//
// Currents are kept modulo 2^32; the compiler guarantees |I| <= 2^30, and a hostile file gets a wrong number, not UB.
#pragma once

#include "kernels/gather/rows.h"

namespace lasnn::runtime::LASNN_ISA {

template <class Rows, class Entry>
static __attribute__((noinline)) void accumulateWide(const GatherTask &task, uint32_t window_count, uint32_t t, uint32_t *sums) {
  uint32_t bias = 0;
  for (uint32_t i = 0; i < window_count; ++i) {
    const GatherWindow &w = task.windows[i];
    const uint32_t *starts = w.starts + size_t(t) * w.width;
    const auto *events = static_cast<const Entry *>(w.events) + t * w.capacity;
    const Entry *e = events + starts[w.begin], *end = events + starts[w.end];
    bias += w.bias * uint32_t(end - e);
    while (e < end) {
      const Entry *stop = end - e > int(Rows::kExactRows) ? e + Rows::kExactRows : end;
      Rows rows;
      rows.clear();
      rows.sum(e, stop, w.base, 1);
      rows.widen(sums);
      e = stop;
    }
  }
  Rows::removeBias(sums, bias);
}

/// What depends on the kind of rows and entries. It is called for a whole window, so that neurons and read-outs have one form for all
/// kinds.
struct WideSource {
  uint32_t (*place)(const GatherTask &task, uint32_t row, uint32_t x);
  void (*accumulate)(const GatherTask &task, uint32_t window_count, uint32_t t, uint32_t *sums);
};
template <class Entry> static __attribute__((noinline)) uint32_t placeWide(const GatherTask &task, uint32_t row, uint32_t x) {
  return placeWindows<Entry>(task, row, x);
}

/// Spec N2 on one value: |v| = a*4096 + b, and (|v|*keep) >> 12 = a*keep + (b*keep >> 12) fits 32 bits.
LASNN_INLINE int32_t leak32(int32_t v, uint32_t keep) {
  const uint32_t magnitude = v < 0 ? 0u - uint32_t(v) : uint32_t(v);
  const uint32_t kept = (magnitude >> 12) * keep + (((magnitude & 4095) * keep) >> 12);
  return int32_t(v < 0 ? 0u - kept : kept);
}

/// Spec N2..N7 on a block of 64, whose parameters begin at `first`, in 64 bits: any state, any number of spikes. Rare, so small.
__attribute__((cold)) static uint32_t stepNeuronsWide(const GatherTask &task, size_t first, const uint32_t *current, int32_t *v,
                                                      uint8_t *counts) {
  const auto *theta = static_cast<const int32_t *>(task.theta) + first, *amount = static_cast<const int32_t *>(task.amount) + first;
  const int64_t high = (int64_t(1) << (task.state_bits - 1)) - 1, low = task.v_min;
  const uint32_t keep = 4096 - task.decay;
  uint32_t clips = 0;
  if (task.decay != 0)
    for (int l = 0; l < 64; ++l)
      v[l] = leak32(v[l], keep);
  for (int l = 0; l < 64; ++l) {
    const int64_t sum = int64_t(v[l]) + int32_t(current[l]);
    const int64_t clamped = sum > high ? high : sum < low ? low : sum;
    clips += clamped != sum;
    v[l] = int32_t(clamped);
    counts[l] = v[l] > theta[l];
  }
  for (uint32_t k = 1; k < task.s_max; ++k)
    for (int l = 0; l < 64; ++l)
      counts[l] = uint8_t(counts[l] + (int64_t(v[l]) > int64_t(theta[l]) + int64_t(k) * amount[l]));
  if (task.reset == ResetKind::Subtract) {
    for (int l = 0; l < 64; ++l) {
      const int64_t reduced = int64_t(v[l]) - int64_t(counts[l]) * amount[l];
      const int64_t clamped = reduced < low ? low : reduced;
      clips += clamped != reduced;
      v[l] = int32_t(clamped);
    }
  } else if (task.reset == ResetKind::Assign) {
    for (int l = 0; l < 64; ++l)
      v[l] = counts[l] ? amount[l] : v[l];
  }
  return clips;
}

/// Counts in lane order -> the buffer's word. Returns their sum.
LASNN_INLINE uint32_t storeCounts(const Spikes &out, uint8_t *at, const uint8_t *counts) {
  uint8_t ordered[64];
  memcpy(ordered, counts, 16);
  memcpy(ordered + 16, counts + 32, 16);
  memcpy(ordered + 32, counts + 16, 16);
  memcpy(ordered + 48, counts + 48, 16);
  uint32_t sum = 0;
  for (int i = 0; i < 64; ++i)
    sum += ordered[i];
  if (out.max_count > 1) {
    memcpy(at, ordered, 64);
  } else {
    const uint64_t word = atLeast(ordered, 1);
    memcpy(at, &word, 8);
  }
  return sum;
}

LASNN_INLINE int32_t addSaturated32(int32_t a, int32_t b) {
  const int64_t sum = int64_t(a) + b;
  return sum > INT32_MAX ? INT32_MAX : sum < INT32_MIN ? INT32_MIN : int32_t(sum);
}

LASNN_INLINE void readOut(const GatherTask &task, uint32_t block, size_t pixel, const uint32_t *sums) {
  const uint32_t first = block * 64, count = task.channels - first < 64 ? task.channels - first : 64;
  for (uint32_t k = 0; k < count; ++k) {
    int32_t &out = task.readout[size_t(first + k) * task.pixels + pixel];
    const auto current = int32_t(sums[k % 32 / 16 * 32 + k / 32 * 16 + k % 16]);
    out = task.last ? current : addSaturated32(out, current);
  }
}

/// What gatherWide24 needs of kWideLanes neurons, and of all of them.
struct WideNeuron {
  WideLanes theta, amount;
};
struct WideRule {
  ResetKind reset;
  bool leaks;
  WideWords keep; // 4096 - decay
  WideLanes low, high;
};

LASNN_INLINE uint32_t countWhereDiffers(const WideLanes &a, const WideLanes &b) {
  const uint32_t bits = wideBits(wideDiffers(a, b));
  return __builtin_expect(bits == 0, 1) ? 0 : uint32_t(__builtin_popcount(bits)); // clips are rare
}

/// Spec N2..N7 on kWideLanes neurons, states of at most 24 bits and one spike a step: v + I and v - rho fit int32 unless a
/// hostile file lies about its bounds, and then wrap. Returns the spikes as bits.
LASNN_INLINE uint32_t stepWide(const WideRule &rule, const WideNeuron &n, const WideWords &current, WideLanes &v, uint64_t &clips) {
  if (rule.leaks) {
    // |v| = a*4096 + b, and (|v|*keep) >> 12 = a*keep + (b*keep >> 12) fits 32 bits; sign is 0 or -1
    const WideLanes sign = v >> 31;
    const WideWords magnitude = (WideWords)((v ^ sign) - sign);
    const WideLanes kept = (WideLanes)((magnitude >> 12) * rule.keep + (((magnitude & 4095) * rule.keep) >> 12));
    v = (kept ^ sign) - sign;
  }
  const WideLanes sum = (WideLanes)((WideWords)v + current);
  v = sum > rule.high ? rule.high : sum;
  v = v < rule.low ? rule.low : v;
  clips += countWhereDiffers(v, sum);
  const WideMask fired = wideGreater(v, n.theta);
  if (rule.reset == ResetKind::Subtract) {
    const WideLanes reduced = (WideLanes)((WideWords)v - (WideWords)wideSelect(fired, n.amount, WideLanes{}));
    v = reduced < rule.low ? rule.low : reduced;
    clips += countWhereDiffers(v, reduced);
  } else if (rule.reset == ResetKind::Assign) {
    v = wideSelect(fired, n.amount, v);
  }
  return wideBits(fired);
}

/// Lanes of a block of 32, 64 or 128 channels, cut into vectors: how many, and at which lane vector g begins.
template <int Channels> constexpr int kWideVectors = Channels / kWideLanes;
template <int Channels> constexpr int wideLane(int g) {
  return Channels > 32 || g * kWideLanes < 16 ? g * kWideLanes : 32 + g * kWideLanes - 16;
}

/// The common wide layer: neurons of one spike a step, membranes in registers over t. Pixels > 1 is for a layer fed by an
/// analog image alone: no windows, its current is constant, and several pixels at once hide the latency of a step.
template <int C, int Pixels>
LASNN_INLINE void stepPixels(const GatherTask &task, const WideSource &source, const WideRule &rule, const WideNeuron *neuron, uint32_t row,
                             uint32_t x, uint64_t &spikes, uint64_t &clips) {
  constexpr int G = kWideVectors<C>, kWords = C > 64 ? C / 64 : 1, kEach = G / kWords;
  const size_t first = size_t(task.y0 + row) * task.width + x;
  const uint32_t window_count = Pixels == 1 ? source.place(task, row, x) : 0;
  const auto *start = static_cast<const uint32_t *>(task.current) + first * task.current_stride;
  int32_t *state = static_cast<int32_t *>(task.state) + first * task.state_stride;
  uint8_t *out = task.out.data + first * task.out.pixel_stride + 8 * size_t(task.block);
  WideLanes v[Pixels][G] = {};
  WideWords current[Pixels][G];
  for (int p = 0; p < Pixels; ++p)
    for (int g = 0; g < G; ++g) {
      if (task.load_state) memcpy(&v[p][g], state + p * task.state_stride + wideLane<C>(g), sizeof(WideLanes));
      memcpy(&current[p][g], start + p * task.current_stride + wideLane<C>(g), sizeof(WideLanes));
    }
#pragma GCC unroll 1
  for (uint32_t t = 0; t < task.steps; ++t) {
    if (Pixels == 1 && window_count > 0) {
      alignas(64) uint32_t sums[64 * kWords];
      memcpy(sums, start, sizeof sums);
      source.accumulate(task, window_count, t, sums);
      for (int g = 0; g < G; ++g)
        memcpy(&current[0][g], sums + wideLane<C>(g), sizeof(WideLanes));
    }
    for (int p = 0; p < Pixels; ++p)
      for (int w = 0; w < kWords; ++w) {
        uint32_t even = 0, odd = 0; // lane groups
        for (int g = 0; g < kEach; ++g) {
          const int at = w * kEach + g;
          const uint32_t fired = stepWide(rule, neuron[at], current[p][at], v[p][at], clips);
          if (g < kEach / 2)
            even |= fired << (g * kWideLanes);
          else
            odd |= fired << ((g - kEach / 2) * kWideLanes);
        }
        const uint64_t word = channelBits < C == 32 ? 1 : 2 > (even, odd);
        spikes += unsigned(__builtin_popcountll(word));
        memcpy(out + p * task.out.pixel_stride + t * task.out.step_stride + 8 * w, &word, 8);
      }
  }
  if (task.store_state)
    for (int p = 0; p < Pixels; ++p)
      for (int g = 0; g < G; ++g)
        memcpy(state + p * task.state_stride + wideLane<C>(g), &v[p][g], sizeof(WideLanes));
}

template <int C> static void gatherWide24(const GatherTask &given, const WideSource &source) {
  const GatherTask task = given; // a copy that no store can alias
  constexpr int G = kWideVectors<C>;
  WideNeuron neuron[G];
  for (int g = 0; g < G; ++g) {
    memcpy(&neuron[g].theta, static_cast<const int32_t *>(task.theta) + wideLane<C>(g), sizeof(WideLanes));
    memcpy(&neuron[g].amount, static_cast<const int32_t *>(task.amount) + wideLane<C>(g), sizeof(WideLanes));
  }
  const WideRule rule = {task.reset, task.decay != 0, WideWords{} + (4096 - task.decay), WideLanes{} + task.v_min,
                         WideLanes{} + int32_t((1u << (task.state_bits - 1)) - 1)};
  uint64_t spikes = 0, clips = 0;
  for (uint32_t row = 0; row < task.rows; ++row) {
    uint32_t x = 0;
    if constexpr (kWidePixels > 1 && C == 32)
      if (task.source_count == 0)
        for (; x + kWidePixels <= task.width; x += kWidePixels)
          stepPixels<C, kWidePixels>(task, source, rule, neuron, row, x, spikes, clips);
    for (; x < task.width; ++x)
      stepPixels<C, 1>(task, source, rule, neuron, row, x, spikes, clips);
  }
  *task.spikes += spikes;
  *task.clips += clips;
}

template <uint32_t kWords> static void gatherI32(const GatherTask &task, const WideSource &source) {
  const size_t out_word = task.out.max_count > 1 ? 64 : 8;
  for (uint32_t row = 0; row < task.rows; ++row) {
    for (uint32_t x = 0; x < task.width; ++x) {
      const size_t pixel = size_t(task.y0 + row) * task.width + x;
      const uint32_t window_count = source.place(task, row, x);
      const auto *current = static_cast<const uint32_t *>(task.current) + pixel * task.current_stride;
      int32_t *state = static_cast<int32_t *>(task.state) + pixel * task.state_stride;
      alignas(64) int32_t v[64 * kWords] = {};
      if (task.spiking && task.load_state) memcpy(v, state, sizeof v);
      for (uint32_t t = 0; t < task.steps; ++t) {
        alignas(64) uint32_t sums[64 * kWords];
        memcpy(sums, current, sizeof sums);
        source.accumulate(task, window_count, t, sums);
        if (task.sums) {
          memcpy(task.sums + pixel * task.sums_stride, sums, sizeof sums);
          continue;
        }
        for (uint32_t w = 0; w < kWords; ++w) {
          if (!task.spiking) {
            readOut(task, task.block + w, pixel, sums + 64 * w);
            continue;
          }
          alignas(64) uint8_t counts[64];
          *task.clips += stepNeuronsWide(task, 64 * w, sums + 64 * w, v + 64 * w, counts);
          uint8_t *out = task.out.data + pixel * task.out.pixel_stride + t * task.out.step_stride + out_word * (task.block + w);
          *task.spikes += storeCounts(task.out, out, counts);
        }
      }
      if (task.spiking && task.store_state) memcpy(state, v, sizeof v);
    }
  }
}

template <class Entry, class Rows> static void gatherI32Form(const GatherTask &task) {
  constexpr int C = Rows::kChannels;
  const WideSource source = {placeWide<Entry>, accumulateWide<Rows, Entry>};
  if (task.spiking && task.state_bits <= 24 && task.s_max == 1 && task.out.max_count == 1) return gatherWide24<C>(task, source);
  return gatherI32 < C == 128 ? 2 : 1 > (task, source);
}
// Rows are summed one by one, the form that weights of every width of their kind allow.
template <class Entry> static void gatherI32Shape(const GatherTask &task) {
  return task.row_bytes == 64 ? gatherI32Form<Entry, ByteRows<2, 1>>(task) : gatherI32Form<Entry, ByteRows<1, 1>>(task);
}
template <class Entry> static void gatherI32NibbleShape(const GatherTask &task) {
  return task.row_bytes == 64 ? gatherI32Form<Entry, NibbleRows<2>>(task) : gatherI32Form<Entry, NibbleRows<1>>(task);
}

static void gather_i32_w4_u16(const GatherTask &task) { gatherI32NibbleShape<uint16_t>(task); }
static void gather_i32_w4_u32(const GatherTask &task) { gatherI32NibbleShape<uint32_t>(task); }
static void gather_i32_u16(const GatherTask &task) { gatherI32Shape<uint16_t>(task); }
static void gather_i32_u32(const GatherTask &task) { gatherI32Shape<uint32_t>(task); }

} // namespace lasnn::runtime::LASNN_ISA
