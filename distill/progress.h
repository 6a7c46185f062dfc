// What a person sees of a running epoch: one line that rewrites itself, on a terminal only.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace lasnn::distill {

/// "epoch   3/20 [=====.....] 1234 images/s, epoch 0:12 left, run 41:10 left"
std::string progressLine(int64_t epoch, int64_t epochs, double doneOfEpoch, double imagesPerSecond, double epochLeft, double runLeft);

/// 75 -> "1:15", 3700 -> "1:01:40"
std::string clockText(double seconds);

class Progress {
public:
  Progress(int64_t epochs, bool visible);
  /// Draws at most ten times a second.
  void show(int64_t epoch, double doneOfEpoch, double imagesPerSecond, double epochLeft, double runLeft);
  /// The line's end, before a line that stays.
  void clear();

private:
  int64_t epochs_;
  bool visible_, drawn_ = false;
  std::chrono::steady_clock::time_point last_{};
};

} // namespace lasnn::distill
