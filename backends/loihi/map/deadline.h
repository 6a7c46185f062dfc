// When a search has to stop; the steps of the mapper share one.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>

namespace lasnn::loihi {

class Deadline {
public:
  Deadline() = default; ///< never
  /// 0: never.
  explicit Deadline(double seconds) {
    if (seconds > 0) end_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  }
  bool known() const { return end_.has_value(); }
  bool passed() const { return end_ && Clock::now() >= *end_; }
  /// Seconds; at least one millisecond, so that it never reads as "no limit".
  double left() const { return end_ ? std::max(1e-3, std::chrono::duration<double>(*end_ - Clock::now()).count()) : 0; }

private:
  using Clock = std::chrono::steady_clock;
  std::optional<Clock::time_point> end_;
};

} // namespace lasnn::loihi
