// How many images a second of processor time the trainer's loader delivers, per augmentation: the figures of docs/data.md.
// One thread, and its processor time, so that other work on the machine hardly shows.
// Usage: bench_distill_batches [SECONDS]
#include "distill/batches.h"

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>

using namespace lasnn::distill;

namespace {

lasnn::data::Dataset noise(const char *name, uint32_t channels, uint32_t side, uint32_t frames) {
  lasnn::data::Dataset set;
  set.name = name, set.channels = channels, set.height = set.width = side, set.classes = 10, set.count = 4096, set.frames = frames, set.events = frames > 1;
  set.mean.assign(channels, 0.4f), set.std.assign(channels, 0.25f);
  set.labels.resize(set.count);
  set.pixels.resize(set.count * set.imageBytes());
  std::mt19937_64 random(1);
  for (uint8_t &p : set.pixels)
    p = uint8_t(random());
  return set;
}

void measure(const lasnn::data::Dataset &set, const std::string &list, double seconds) {
  const Augment augment = parseAugment(list, set);
  const auto order = epochOrder(set.count, 1, 0);
  constexpr size_t batch = 128;
  size_t images = 0;
  const std::clock_t start = std::clock();
  double gone = 0;
  for (size_t step = 0; gone < seconds; ++step) {
    const size_t from = step * batch % set.count;
    makeBatch(set, {order.data() + from, batch}, augment, step, false);
    images += batch;
    gone = double(std::clock() - start) / CLOCKS_PER_SEC;
  }
  std::printf("%-16s %-48s %9.0f images/CPU-s\n", set.name.c_str(), list.c_str(), double(images) / gone);
}

} // namespace

int main(int argc, char **argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 1;
  at::set_num_threads(1);
  const auto cifar = noise("3x32x32", 3, 32, 1), tiny = noise("3x64x64", 3, 64, 1), events = noise("4x2x34x34", 2, 34, 4);
  for (const char *list : {"none", "crop-flip", "crop:4:reflect,flip:alternate,cutout:8", "crop:4:reflect,flip,autoaugment,cutout:8", "crop:4,flip,cutmix:0.5", "crop:4,flip,mixup"})
    measure(cifar, list, seconds);
  for (const char *list : {"crop:8:reflect,flip", "crop:8:reflect,flip,autoaugment,cutout:16"})
    measure(tiny, list, seconds);
  for (const char *list : {"none", "translate:4,flip"})
    measure(events, list, seconds);
}
