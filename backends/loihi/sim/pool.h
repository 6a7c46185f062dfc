// Threads that take items of a phase one after the other; a phase ends when all are done. One thread needs none of it.
#pragma once

#include <atomic>
#include <barrier>
#include <functional>
#include <thread>
#include <vector>

namespace lasnn::loihi {

class WorkPool {
public:
  explicit WorkPool(unsigned threads) : gate_(std::ptrdiff_t(threads)) {
    for (unsigned i = 1; i < threads; ++i)
      others_.emplace_back([this] {
        for (;;) {
          gate_.arrive_and_wait();
          if (stop_) return;
          drain();
          gate_.arrive_and_wait();
        }
      });
  }
  ~WorkPool() {
    if (others_.empty()) return;
    stop_ = true;
    gate_.arrive_and_wait();
  }
  WorkPool(const WorkPool &) = delete;

  /// work(0) .. work(count - 1), in any order and on any thread.
  template <class Work> void each(uint32_t count, const Work &work) {
    if (others_.empty()) {
      for (uint32_t i = 0; i < count; ++i) work(i);
      return;
    }
    context_ = &work, call_ = [](const void *context, uint32_t i) { (*static_cast<const Work *>(context))(i); };
    count_ = count, next_ = 0;
    gate_.arrive_and_wait();
    drain();
    gate_.arrive_and_wait();
  }

private:
  void drain() {
    for (uint32_t i; (i = next_.fetch_add(1, std::memory_order_relaxed)) < count_;) call_(context_, i);
  }

  std::barrier<> gate_;
  std::atomic<uint32_t> next_ = 0;
  uint32_t count_ = 0;
  bool stop_ = false;
  const void *context_ = nullptr;
  void (*call_)(const void *, uint32_t) = nullptr;
  std::vector<std::jthread> others_; ///< last: they end before the rest goes
};

} // namespace lasnn::loihi
