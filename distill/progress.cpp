#include "distill/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace lasnn::distill {

std::string clockText(double seconds) {
  const int64_t s = std::llround(std::clamp(seconds, 0.0, 1e9));
  return s >= 3600 ? fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60) : fmt::format("{}:{:02}", s / 60, s % 60);
}

std::string progressLine(int64_t epoch, int64_t epochs, double doneOfEpoch, double imagesPerSecond, double epochLeft, double runLeft) {
  constexpr int width = 30;
  const int done = int(width * std::clamp(doneOfEpoch, 0.0, 1.0));
  return fmt::format("epoch {:>3}/{} [{:=<{}}{:.<{}}] {:.0f} images/s, epoch {} left, run {} left", epoch, epochs, "", done, "", width - done,
                     imagesPerSecond, clockText(epochLeft), clockText(runLeft));
}

Progress::Progress(int64_t epochs, bool visible) : epochs_(epochs), visible_(visible) {}

void Progress::show(int64_t epoch, double doneOfEpoch, double imagesPerSecond, double epochLeft, double runLeft) {
  const auto now = std::chrono::steady_clock::now();
  if (!visible_ || now - last_ < std::chrono::milliseconds(100))
    return;
  last_ = now, drawn_ = true;
  fmt::print(stderr, "\r{}\033[K", progressLine(epoch, epochs_, doneOfEpoch, imagesPerSecond, epochLeft, runLeft));
  std::fflush(stderr);
}

void Progress::clear() {
  if (drawn_)
    fmt::print(stderr, "\r\033[K");
  drawn_ = false;
}

} // namespace lasnn::distill
