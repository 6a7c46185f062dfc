// Gather with a 16-bit membrane: for each output pixel, all steps with the membrane in registers.
//
// The sums of rows.h are modulo 2^16,
// which is exact because the finished current fits int16 (current_fits_int16; load checks the rest, core/build.cpp).
// Then spec N2..N7: the saturating add is the clamp of N4, the saturating subtraction that of N7; a clip shows as a
// difference between the saturated and the wrapped result.
#pragma once

#include "kernels/gather/rows.h"

namespace lasnn::runtime::LASNN_ISA {

/// Parameters of one lane group.
template <int H> struct NeuronLanes { Lanes<H> theta, amount; };

struct Neuron16 {
  ResetKind reset;
  bool leaks;
  uint32_t keep; // 4096 - decay
};

/// One step of both lane groups: spec N2..N7. Returns the spikes of the block's channels.
template <int H>
LASNN_LONG uint64_t stepNeurons(const Neuron16 &n, const Lanes<H> &low, const NeuronLanes<H> &even, const NeuronLanes<H> &odd, Lanes<H> &ve,
                                Lanes<H> &vo, const Lanes<H> &current_e, const Lanes<H> &current_o, uint64_t &clips) {
  if (n.leaks) {
    ve = leak<H>(ve, n.keep);
    vo = leak<H>(vo, n.keep);
  }
  Lanes<H> wrapped_e = add<H>(ve, current_e), wrapped_o = add<H>(vo, current_o);
  ve = larger<H>(addSaturated<H>(ve, current_e), low);
  vo = larger<H>(addSaturated<H>(vo, current_o), low);
  clips += differing<H>(ve, wrapped_e, vo, wrapped_o);
  const Mask<H> fired_e = greater<H>(ve, even.theta), fired_o = greater<H>(vo, odd.theta);
  if (n.reset == ResetKind::Subtract) {
    const Lanes<H> amount_e = onlyWhere<H>(fired_e, even.amount), amount_o = onlyWhere<H>(fired_o, odd.amount);
    wrapped_e = sub<H>(ve, amount_e);
    wrapped_o = sub<H>(vo, amount_o);
    ve = larger<H>(subSaturated<H>(ve, amount_e), low);
    vo = larger<H>(subSaturated<H>(vo, amount_o), low);
    clips += differing<H>(ve, wrapped_e, vo, wrapped_o);
  } else if (n.reset == ResetKind::Assign) {
    ve = select<H>(fired_e, even.amount, ve);
    vo = select<H>(fired_o, odd.amount, vo);
  }
  return channelBits<H>(bits<H>(fired_e), bits<H>(fired_o));
}

/// Adds window `w` of step t to the sums; returns the bias that its rows carry.
template <class Entry, class Rows> LASNN_INLINE uint32_t sumWindow(const GatherWindow &w, uint32_t t, uint32_t rows, Rows &sums) {
  const uint32_t *starts = w.starts + size_t(t) * w.width;
  const auto *events = static_cast<const Entry *>(w.events) + t * w.capacity;
  const uint32_t begin = starts[w.begin], end = starts[w.end];
  sums.sum(events + begin, events + end, w.base, rows);
  return w.bias * (end - begin);
}

/// Single: one undilated synapse, whose window stays in registers.
template <class Entry, class Rows, bool Single> static void gatherI16(const GatherTask &given) {
  constexpr int H = Rows::kH, N = Rows::kHalves;
  const GatherTask task = given;
  const GatherSource source = task.source_count > 0 ? task.sources[0] : GatherSource();
  const auto *theta = static_cast<const int16_t *>(task.theta), *amount = static_cast<const int16_t *>(task.amount);
  const Lanes<H> low = broadcast<H>(int16_t(task.v_min));
  NeuronLanes<H> even[N], odd[N];
  for (int i = 0; i < N; ++i) {
    even[i] = {load<H>(theta + halfAt<H>(i)), load<H>(amount + halfAt<H>(i))};
    odd[i] = {load<H>(theta + halfAt<H>(i) + 32), load<H>(amount + halfAt<H>(i) + 32)};
  }
  const Neuron16 neuron = {task.reset, task.decay != 0, 4096 - task.decay};
  const uint32_t rows_added = N == 2 ? together(task, 8) : 0;
  uint64_t spikes = 0, clips = 0;
  for (uint32_t row = 0; row < task.rows; ++row) {
    for (uint32_t x = 0; x < task.width; ++x) {
      const size_t pixel = size_t(task.y0 + row) * task.width + x;
      uint32_t window_count = 1;
      GatherWindow window;
      if constexpr (Single)
        placeWindow<Entry>(window, source, row, task.steps, x, 0, source.kernel_w);
      else
        window_count = placeWindows<Entry>(task, row, x);
      const auto *current = static_cast<const int16_t *>(task.current) + pixel * task.current_stride;
      int16_t *state = static_cast<int16_t *>(task.state) + pixel * task.state_stride;
      Lanes<H> start_e[N], start_o[N], ve[N], vo[N];
      for (int i = 0; i < N; ++i) {
        start_e[i] = load<H>(current + halfAt<H>(i)), start_o[i] = load<H>(current + halfAt<H>(i) + 32);
        ve[i] = vo[i] = broadcast<H>(0);
        if (task.load_state) ve[i] = load<H>(state + halfAt<H>(i)), vo[i] = load<H>(state + halfAt<H>(i) + 32);
      }
      uint8_t *out = task.out.data + pixel * task.out.pixel_stride + 8 * size_t(task.block);
#pragma GCC unroll 1 // gcc otherwise unrolls over t and spills the accumulators
      for (uint32_t t = 0; t < task.steps; ++t) {
        Rows sums;
        sums.clear();
        uint32_t bias = 0;
        if constexpr (Single)
          bias = sumWindow<Entry>(window, t, rows_added, sums);
        else
          for (uint32_t i = 0; i < window_count; ++i)
            bias += sumWindow<Entry>(task.windows[i], t, rows_added, sums);
        uint64_t word[N];
        for (int i = 0; i < N; ++i) {
          const Lanes<H> current_e = add<H>(sums.low(i, bias), start_e[i]), current_o = add<H>(sums.high(i, bias), start_o[i]);
          word[i] = stepNeurons<H>(neuron, low, even[i], odd[i], ve[i], vo[i], current_e, current_o, clips);
          spikes += unsigned(__builtin_popcountll(word[i]));
        }
        if constexpr (N == 2 && H == 1) word[0] |= word[1] << 32;
        memcpy(out + t * task.out.step_stride, word, H == 2 ? 8 * N : 8);
      }
      if (task.store_state)
        for (int i = 0; i < N; ++i) {
          store<H>(state + halfAt<H>(i), ve[i]);
          store<H>(state + halfAt<H>(i) + 32, vo[i]);
        }
    }
  }
  *task.spikes += spikes;
  *task.clips += clips;
}

LASNN_INLINE bool isSingle(const GatherTask &task) { return kSinglePays && task.source_count == 1 && task.sources[0].dilation_w == 1; }

template <class Entry, int H> static void gatherI16Form(const GatherTask &task) {
  if (!isSingle(task)) return gatherI16<Entry, ByteRows<H, 1>, false>(task);
  const uint32_t rows = kPairsPay ? together(task, 128) : 1;
  if (rows == 4) return gatherI16<Entry, ByteRows<H, kPairsPay ? 4 : 1>, kSinglePays>(task);
  if (rows == 2) return gatherI16<Entry, ByteRows<H, kPairsPay ? 2 : 1>, kSinglePays>(task);
  return gatherI16<Entry, ByteRows<H, 1>, kSinglePays>(task);
}

template <class Entry, int H> static void gatherI16Nibbles(const GatherTask &task) {
  constexpr bool kSingle = kSinglePays && sizeof(Entry) == 2; // the wide rest shares one form, for size
  return kSingle && isSingle(task) ? gatherI16<Entry, NibbleRows<H>, kSingle>(task) : gatherI16<Entry, NibbleRows<H>, false>(task);
}

template <class Entry> static void gatherI16Shape(const GatherTask &task) {
  return task.row_bytes == 64 ? gatherI16Form<Entry, 2>(task) : gatherI16Form<Entry, 1>(task);
}
template <class Entry> static void gatherI16NibbleShape(const GatherTask &task) {
  return task.row_bytes == 64 ? gatherI16Nibbles<Entry, 2>(task) : gatherI16Nibbles<Entry, 1>(task);
}

static void gather_i16_w4_u16(const GatherTask &task) { gatherI16NibbleShape<uint16_t>(task); }
static void gather_i16_w4_u32(const GatherTask &task) { gatherI16NibbleShape<uint32_t>(task); }
static void gather_i16_u16(const GatherTask &task) { gatherI16Shape<uint16_t>(task); }
static void gather_i16_u32(const GatherTask &task) { gatherI16Shape<uint32_t>(task); }

} // namespace lasnn::runtime::LASNN_ISA
