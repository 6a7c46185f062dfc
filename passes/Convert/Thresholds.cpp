// How large an activation a neuron has to carry.
#include "passes/Convert/Convert.h"

#include <algorithm>
#include <cmath>

using namespace mlir;

namespace lasnn::convert {

std::vector<Activations> measure(const std::shared_ptr<const FloatProgram> &program, ArrayRef<Operation *> relus,
                                 ArrayRef<std::vector<uint8_t>> samples) {
  llvm::DenseMap<Operation *, size_t> places;
  for (auto [i, op] : llvm::enumerate(relus))
    places[op] = i;
  std::vector<std::vector<Activations>> parts(kParts);
  for (auto &part : parts)
    for (Operation *op : relus) {
      Activations seen;
      seen.mean.assign(snn::channels(op->getResult(0)), 0.0), seen.largest = seen.mean;
      part.push_back(std::move(seen));
    }
  auto each = [&](llvm::function_ref<void(Activations &, const Pixels &)> take) {
    forEachSample(samples.size(), [&](size_t first, size_t last, size_t part) {
      FloatRun run(program);
      for (size_t i = first; i < last; ++i)
        run.run(samples[i], 1, [&](Operation *op, int64_t, const Pixels &x) {
          if (auto it = places.find(op); it != places.end()) take(parts[part][it->second], x);
        });
    });
  };
  each([](Activations &seen, const Pixels &x) {
    for (size_t e = 0; e < x.x.size(); ++e) {
      double value = x.x[e];
      seen.mean[e % x.c] += value;
      seen.largest[e % x.c] = std::max(seen.largest[e % x.c], value);
    }
    seen.count += uint64_t(x.positions());
  });
  for (size_t r = 0; r < relus.size(); ++r) {
    Activations &whole = parts[0][r];
    for (size_t p = 1; p < kParts; ++p) {
      whole.count += parts[p][r].count;
      for (size_t c = 0; c < whole.mean.size(); ++c) {
        whole.mean[c] += parts[p][r].mean[c];
        whole.largest[c] = std::max(whole.largest[c], parts[p][r].largest[c]);
      }
    }
    for (double &mean : whole.mean)
      mean /= double(std::max<uint64_t>(whole.count, 1));
    for (auto &part : parts) {
      part[r].largest = whole.largest; // the bins' edges
      part[r].histogram.assign(whole.mean.size(), std::vector<uint32_t>(kBins, 0));
    }
  }
  each([](Activations &seen, const Pixels &x) {
    for (size_t e = 0; e < x.x.size(); ++e)
      if (double value = x.x[e]; value > 0)
        ++seen.histogram[e % x.c][std::min(kBins - 1, size_t(value / seen.largest[e % x.c] * double(kBins)))];
  });
  for (size_t r = 0; r < relus.size(); ++r)
    for (size_t p = 1; p < kParts; ++p)
      for (auto [to, from] : llvm::zip(parts[0][r].histogram, parts[p][r].histogram))
        for (size_t b = 0; b < kBins; ++b)
          to[b] += from[b];
  return std::move(parts[0]);
}

namespace {

double valueOf(size_t bin, double largest) { return (double(bin) + 0.5) / double(kBins) * largest; }

double percentileOf(const std::vector<uint32_t> &histogram, uint64_t count, double largest, double percentile) {
  const double above = double(count) * (1 - percentile / 100); // as many may lie above
  double seen = 0;
  for (size_t bin = kBins; bin-- > 0;)
    if ((seen += histogram[bin]) > above) return double(bin + 1) / double(kBins) * largest;
  return 0;
}

/// The theta, of 100 below the largest, that carries these activations best in T steps.
double leastError(const std::vector<uint32_t> &histogram, double largest, int64_t timesteps, bool halfStart) {
  double best = largest, least = INFINITY;
  for (int candidate = 100; candidate >= 5; --candidate) {
    const double theta = largest * candidate / 100, level = theta / double(timesteps);
    double error = 0;
    for (size_t bin = 0; bin < kBins; ++bin) {
      if (!histogram[bin]) continue;
      const double x = valueOf(bin, largest),
                   y = std::clamp(std::floor(x / level + (halfStart ? 0.5 : 0.0)), 0.0, double(timesteps)) * level;
      error += histogram[bin] * (x - y) * (x - y);
    }
    if (error < least) least = error, best = theta;
  }
  return best;
}

} // namespace

std::vector<double> chooseThreshold(const Activations &seen, double percentile, int64_t timesteps, bool perChannel, bool halfStart) {
  const size_t size = seen.mean.size();
  const double largest = *std::max_element(seen.largest.begin(), seen.largest.end());
  std::vector<uint32_t> all(kBins, 0);
  for (size_t c = 0; c < size; ++c)
    for (size_t bin = 0; bin < kBins; ++bin)
      if (seen.histogram[c][bin])
        all[std::min(kBins - 1, size_t(valueOf(bin, seen.largest[c]) / largest * double(kBins)))] += seen.histogram[c][bin];
  auto choose = [&](const std::vector<uint32_t> &histogram, uint64_t count, double most) {
    return percentile > 0 ? percentileOf(histogram, count, most, percentile) : leastError(histogram, most, timesteps, halfStart);
  };
  double layer = largest > 0 ? choose(all, seen.count * size, largest) : 1.0; // a dead layer stays dead at any threshold
  if (layer <= 0) layer = largest;
  std::vector<double> theta(size, layer);
  for (size_t c = 0; perChannel && c < size; ++c) {
    if (seen.largest[c] <= 0) continue;
    const double own = choose(seen.histogram[c], seen.count, seen.largest[c]);
    theta[c] = own > 0 ? own : seen.largest[c]; // mostly silent: what little there is
  }
  return theta;
}

} // namespace lasnn::convert
