// A fixed team of threads that runs one function at a time, each with its own number; the caller is number 0.
#pragma once

#include <barrier>
#include <exception>
#include <functional>
#include <thread>
#include <vector>

namespace lasnn::distill {

class Workers {
public:
  Workers(int count, const std::function<void()> &start) : count_(count), gate_(count), errors_(size_t(count)) {
    for (int k = 1; k < count; ++k)
      threads_.emplace_back([this, k, start] {
        start();
        for (;;) {
          gate_.arrive_and_wait();
          if (!body_)
            return;
          guarded(k);
          gate_.arrive_and_wait();
        }
      });
  }
  ~Workers() {
    body_ = nullptr;
    gate_.arrive_and_wait(); // threads see no body and return; jthread joins
  }
  /// Runs body(k) for every k; rethrows the first worker's exception.
  void run(const std::function<void(int)> &body) {
    body_ = &body;
    gate_.arrive_and_wait();
    guarded(0);
    gate_.arrive_and_wait();
    for (auto &error : errors_)
      if (error)
        std::rethrow_exception(std::exchange(error, nullptr));
  }
  int count() const { return count_; }

private:
  void guarded(int k) {
    try {
      (*body_)(k);
    } catch (...) {
      errors_[size_t(k)] = std::current_exception();
    }
  }
  int count_;
  std::barrier<> gate_;
  const std::function<void(int)> *body_ = nullptr;
  std::vector<std::exception_ptr> errors_;
  std::vector<std::jthread> threads_;
};

} // namespace lasnn::distill
