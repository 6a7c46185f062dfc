#include "backends/loihi/lower/axis.h"

#include <algorithm>

namespace lasnn::loihi {

namespace {

/// Coordinates' taps in any order, with repetitions, as an axis.
Axis gathered(uint32_t out, uint32_t taps, std::vector<std::vector<Tap>> by_input) {
  Axis axis;
  axis.in = uint32_t(by_input.size());
  axis.out = out;
  axis.taps = taps;
  axis.first.push_back(0);
  for (std::vector<Tap> &list : by_input) {
    std::sort(list.begin(), list.end());
    const size_t start = axis.list.size();
    for (const Tap &tap : list)
      if (axis.list.size() > start && axis.list.back().out == tap.out && axis.list.back().tap == tap.tap)
        axis.list.back().times += tap.times;
      else
        axis.list.push_back(tap);
    axis.first.push_back(uint32_t(axis.list.size()));
  }
  return axis;
}

} // namespace

bool Axis::plain() const {
  for (uint32_t i = 0; i < in; ++i)
    for (const Tap *t = begin(i); t != end(i); ++t)
      if (t->times != 1 || (t != begin(i) && t[-1].out == t->out)) return false;
  return true;
}

std::vector<uint32_t> Axis::reach() const {
  std::vector<uint32_t> sum(size_t(out) * taps, 0), most(taps, 0);
  for (const Tap &t : list)
    most[t.tap] = std::max(most[t.tap], sum[size_t(t.out) * taps + t.tap] += t.times);
  return most;
}

Axis identityAxis(uint32_t size) { return windowAxis(size, size, 1, 1, 1, 0); }

Axis windowAxis(uint32_t in, uint32_t out, uint32_t kernel, uint32_t stride, uint32_t dilation, int32_t pad) {
  std::vector<std::vector<Tap>> by_input(in);
  for (uint32_t o = 0; o < out; ++o)
    for (uint32_t k = 0; k < kernel; ++k) {
      const int64_t i = int64_t(o) * stride - pad + int64_t(k) * dilation;
      if (i >= 0 && i < in) by_input[size_t(i)].push_back({o, k, 1});
    }
  return gathered(out, kernel, std::move(by_input));
}

Axis compose(const Axis &a, const Axis &b) {
  std::vector<std::vector<Tap>> by_input(a.in);
  for (uint32_t i = 0; i < a.in; ++i)
    for (const Tap *t = a.begin(i); t != a.end(i); ++t)
      for (const Tap *u = b.begin(t->out); u != b.end(t->out); ++u)
        by_input[i].push_back({u->out, u->tap, t->times * u->times});
  return gathered(b.out, b.taps, std::move(by_input));
}

Axis summed(Axis axis) {
  std::vector<std::vector<Tap>> by_input(axis.in);
  for (uint32_t i = 0; i < axis.in; ++i)
    for (const Tap *t = axis.begin(i); t != axis.end(i); ++t)
      by_input[i].push_back({t->out, 0, t->times});
  return gathered(axis.out, 1, std::move(by_input));
}

} // namespace lasnn::loihi
