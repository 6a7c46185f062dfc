// Gather with a 16-bit membrane: for each output pixel, all steps with the membrane in registers.
//
// Each row word is hi*256 + lo + bias (lo unsigned). Over n rows, modulo 2^16, with f the sum of words and o the sum of
// words >> 8 (arithmetic):
//     high channel = o        low channel = f - 256*o - bias*n
// which is exact because the finished current fits int16 (current_fits_int16; load checks the rest, core/build.cpp).
// Then spec N2..N7: the saturating add is the clamp of N4, the saturating subtraction that of N7; a clip shows as a
// difference between the saturated and the wrapped result.
#pragma once

#include "kernels/gather/windows.h"

namespace lasnn::runtime::LASNN_ISA {

/// Parameters of one lane group.
template <int H> struct NeuronLanes {
  Lanes<H> theta, amount;
};

struct Neuron16 {
  ResetKind reset;
  bool leaks;
  uint32_t keep; // 4096 - decay
};

/// One step of both lane groups: spec N2..N7. Returns the spikes of the block's channels.
template <int H>
LASNN_INLINE uint64_t stepNeurons(const Neuron16 &n, const Lanes<H> &low, const NeuronLanes<H> &even, const NeuronLanes<H> &odd,
                                  Lanes<H> &ve, Lanes<H> &vo, const Lanes<H> &current_e, const Lanes<H> &current_o,
                                  uint64_t &clips) {
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
template <class Entry, int H, bool Pair>
LASNN_INLINE uint32_t sumWindow(const GatherWindow &w, uint32_t t, Lanes<H> &f, Lanes<H> &o) {
  const uint32_t *starts = w.starts + size_t(t) * w.width;
  const auto *events = static_cast<const Entry *>(w.events) + t * w.capacity;
  const uint32_t begin = starts[w.begin], end = starts[w.end];
  accumulate<H, Pair>(events + begin, events + end, w.base, f, o);
  return w.bias * (end - begin);
}

/// Single: one undilated synapse, whose window stays in registers.
template <class Entry, int H, bool Pair, bool Single> static void gatherI16(const GatherTask &given) {
  const GatherTask task = given;
  const GatherSource source = task.source_count > 0 ? task.sources[0] : GatherSource();
  const auto *theta = static_cast<const int16_t *>(task.theta), *amount = static_cast<const int16_t *>(task.amount);
  const Lanes<H> low = broadcast<H>(int16_t(task.v_min));
  const NeuronLanes<H> even = {load<H>(theta), load<H>(amount)};
  const NeuronLanes<H> odd = {load<H>(theta + 32), load<H>(amount + 32)};
  const Neuron16 neuron = {task.reset, task.decay != 0, 4096 - task.decay};
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
      const Lanes<H> start_e = load<H>(current), start_o = load<H>(current + 32);
      int16_t *state = static_cast<int16_t *>(task.state) + pixel * task.state_stride;
      Lanes<H> ve = broadcast<H>(0), vo = ve;
      if (task.load_state) {
        ve = load<H>(state);
        vo = load<H>(state + 32);
      }
      uint8_t *out = task.out.data + pixel * task.out.pixel_stride + 8 * size_t(task.block);
#pragma GCC unroll 1 // gcc otherwise unrolls over t and spills the accumulators
      for (uint32_t t = 0; t < task.steps; ++t) {
        Lanes<H> f = broadcast<H>(0), o = f;
        uint32_t bias = 0;
        if constexpr (Single)
          bias = sumWindow<Entry, H, Pair>(window, t, f, o);
        else
          for (uint32_t i = 0; i < window_count; ++i)
            bias += sumWindow<Entry, H, Pair>(task.windows[i], t, f, o);
        const Lanes<H> current_e =
            add<H>(sub<H>(sub<H>(f, shiftLeft8<H>(o)), broadcast<H>(int16_t(uint16_t(bias)))), start_e);
        const Lanes<H> current_o = add<H>(o, start_o);
        const uint64_t word = stepNeurons<H>(neuron, low, even, odd, ve, vo, current_e, current_o, clips);
        spikes += unsigned(__builtin_popcountll(word));
        memcpy(out + t * task.out.step_stride, &word, 8);
      }
      if (task.store_state) {
        store<H>(state, ve);
        store<H>(state + 32, vo);
      }
    }
  }
  *task.spikes += spikes;
  *task.clips += clips;
}

template <class Entry, int H> static void gatherI16Form(const GatherTask &task) {
  bool pair = kPairsPay; // and every synapse has 7-bit weights
  for (uint32_t i = 0; i < task.source_count; ++i)
    pair = pair && task.sources[i].bias == 64;
  const bool single = task.source_count == 1 && task.sources[0].dilation_w == 1;
  if (!single || !kSinglePays) return gatherI16<Entry, H, false, false>(task);
  return pair ? gatherI16<Entry, H, kPairsPay, kSinglePays>(task) : gatherI16<Entry, H, false, kSinglePays>(task);
}

template <class Entry> static void gatherI16Shape(const GatherTask &task) {
  return task.row_bytes == 64 ? gatherI16Form<Entry, 2>(task) : gatherI16Form<Entry, 1>(task);
}

static void gather_i16_u16(const GatherTask &task) { gatherI16Shape<uint16_t>(task); }
static void gather_i16_u32(const GatherTask &task) { gatherI16Shape<uint32_t>(task); }

} // namespace lasnn::runtime::LASNN_ISA
