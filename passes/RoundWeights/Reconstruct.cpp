#include "passes/RoundWeights/RoundWeights.h"

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace mlir;
using namespace lasnn::snn;

namespace lasnn::rounding {
namespace {

constexpr size_t kWindows = 4096; // seen of a synapse: well above the number of its inputs
constexpr double kDamping = 0.01; // of the mean square: inputs that were silent, or always alike, stay solvable

/// One window, without its zeros.
struct Window {
  std::vector<int32_t> place;
  std::vector<float> value;
};

/// A number from numbers: the same on every machine.
uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15u, x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u, x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

Window cut(Operation *synapse, const Pixels &in, const Pixels &out, size_t position) {
  Window window;
  auto take = [&](float value, int64_t place) {
    if (value != 0) window.place.push_back(int32_t(place)), window.value.push_back(value);
  };
  auto conv = dyn_cast<Conv2DOp>(synapse);
  if (!conv) {
    for (int64_t c = 0; c < in.c; ++c)
      take(in.x[c], c);
    return window;
  }
  ArrayRef<int64_t> shape = conv.getWeight().getShapedType().getShape();
  const int64_t oy = int64_t(position) / out.w, ox = int64_t(position) % out.w;
  for (int64_t c = 0; c < in.c; ++c)
    for (int64_t i = 0; i < shape[2]; ++i)
      for (int64_t j = 0; j < shape[3]; ++j) {
        int64_t y = oy * conv.getStrides()[0] - conv.getPads()[0] + i * conv.getDilations()[0],
                x = ox * conv.getStrides()[1] - conv.getPads()[1] + j * conv.getDilations()[1];
        if (y >= 0 && y < in.h && x >= 0 && x < in.w) take(in.x[(y * in.w + x) * in.c + c], (c * shape[2] + i) * shape[3] + j);
      }
  return window;
}

} // namespace

llvm::Expected<Windows> collectWindows(NetworkOp network, Operation *synapse, ArrayRef<std::vector<uint8_t>> samples, bool gram) {
  auto program = makeFloatProgram(network);
  if (!program) return program.takeError();
  const int64_t steps = int64_t(network.getTimesteps());
  std::vector<std::vector<Window>> parts(kParts);
  const size_t each = std::max<size_t>(1, kWindows / (samples.size() * size_t(steps)));
  forEachSample(samples.size(), [&](size_t first, size_t last, size_t part) {
    FloatRun run(*program);
    for (size_t i = first; i < last; ++i)
      run.run(
          samples[i], steps,
          [&](Operation *op, int64_t step, const Pixels &out) {
            if (op != synapse) return;
            for (size_t n = 0; n < each; ++n)
              parts[part].push_back(cut(synapse, run.value(synapse->getOperand(0)), out,
                                        mix((i * 65536 + size_t(step)) * 4096 + n) % size_t(out.positions())));
          },
          synapse);
  });
  Windows all;
  all.width = size_t(cast<ElementsAttr>(synapse->getAttr("weight")).getNumElements() / channels(synapse->getResult(0)));
  all.mean.assign(all.width, 0.0), all.square = all.mean;
  if (gram) all.gram.assign(all.width * all.width, 0.0);
  for (const auto &part : parts)
    for (const Window &window : part) {
      ++all.count;
      for (size_t a = 0; a < window.place.size(); ++a) {
        all.mean[window.place[a]] += window.value[a], all.square[window.place[a]] += double(window.value[a]) * window.value[a];
        if (gram)
          for (size_t b = 0; b <= a; ++b)
            all.gram[window.place[a] * all.width + window.place[b]] += double(window.value[a]) * window.value[b]; // places rise
      }
    }
  const double count = double(std::max<size_t>(all.count, 1));
  for (auto *values : {&all.mean, &all.square, &all.gram})
    for (double &value : *values)
      value /= count;
  for (size_t a = 0; gram && a < all.width; ++a)
    for (size_t b = 0; b < a; ++b)
      all.gram[b * all.width + a] = all.gram[a * all.width + b];
  return all;
}

std::vector<double> compensation(const Windows &windows) {
  const size_t n = windows.width;
  const double damping = kDamping * std::max(std::accumulate(windows.square.begin(), windows.square.end(), 0.0) / double(n), 1e-9);
  // With the order of inputs turned round: L L^T = H. Then U = (L^-1), turned round again, has U^T U = H^-1, upper, as the method wants it.
  std::vector<double> lower(n * n, 0.0), inverse(n * n, 0.0);
  for (size_t i = 0; i < n; ++i)
    for (size_t j = 0; j <= i; ++j) {
      double sum = windows.gram[(n - 1 - i) * n + (n - 1 - j)] + (i == j ? damping : 0.0);
      const double *a = &lower[i * n], *b = &lower[j * n];
      for (size_t k = 0; k < j; ++k)
        sum -= a[k] * b[k];
      lower[i * n + j] = i == j ? std::sqrt(std::max(sum, damping * 1e-6)) : sum / lower[j * n + j];
    }
  for (size_t i = 0; i < n; ++i) { // row i of L^-1 from the rows before it
    double *row = &inverse[i * n];
    row[i] = 1.0;
    for (size_t k = 0; k < i; ++k) {
      const double factor = lower[i * n + k], *from = &inverse[k * n];
      for (size_t j = 0; j <= k; ++j)
        row[j] -= factor * from[j];
    }
    for (size_t j = 0; j <= i; ++j)
      row[j] /= lower[i * n + i];
  }
  std::vector<double> upper(n * n);
  for (size_t i = 0; i < n; ++i)
    for (size_t j = 0; j < n; ++j)
      upper[i * n + j] = inverse[(n - 1 - i) * n + (n - 1 - j)];
  return upper;
}

void reconstruct(std::vector<double> &row, ArrayRef<double> factor, int most) {
  const size_t n = row.size();
  for (size_t j = 0; j < n; ++j) {
    const double rounded = std::clamp(std::nearbyint(row[j]), double(-most), double(most)), *u = &factor[j * n];
    const double error = (row[j] - rounded) / u[j];
    row[j] = rounded;
    for (size_t k = j + 1; k < n; ++k)
      row[k] -= error * u[k];
  }
}

} // namespace lasnn::rounding
