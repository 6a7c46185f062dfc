// Counts what Torch's CPU allocator holds, and the most it held.
#pragma once

#include <c10/core/CPUAllocator.h>
#include <torch/torch.h>

#include <algorithm>
#include <cstring>
#include <unordered_map>

namespace lasnn::distill {

struct Counter : c10::Allocator {
  static inline int64_t now = 0, peak = 0;
  static inline c10::Allocator *below = nullptr;
  static inline std::unordered_map<void *, int64_t> sizes;
  static void release(void *p) {
    if (const auto at = sizes.find(p); at != sizes.end()) {
      now -= at->second;
      sizes.erase(at);
    }
    below->raw_deallocate(p);
  }
  c10::DataPtr make(size_t size) const {
    void *p = below->raw_allocate(size);
    if (p)
      sizes[p] = int64_t(size), peak = std::max(peak, now += int64_t(size));
    return {p, p, &release, torch::kCPU};
  }
#if TORCH_VERSION_MAJOR < 2
  c10::DataPtr allocate(size_t size) const override { return make(size); }
#else
  c10::DataPtr allocate(size_t size) override { return make(size); }
  void copy_data(void *to, const void *from, size_t size) const override { std::memcpy(to, from, size); }
#endif
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
};

/// Counts from here on, until it goes out of scope.
class CountedMemory {
public:
  CountedMemory() {
    static Counter counter; // stays: blocks outlive what they are counted for
    Counter::below = c10::GetCPUAllocator();
    c10::SetCPUAllocator(&counter, 200);
    start_ = Counter::peak = Counter::now;
  }
  ~CountedMemory() { c10::SetCPUAllocator(Counter::below, 200); }
  CountedMemory(const CountedMemory &) = delete;
  CountedMemory &operator=(const CountedMemory &) = delete;
  int64_t now() const { return Counter::now - start_; }
  int64_t peak() const { return Counter::peak - start_; }

private:
  int64_t start_ = 0;
};

} // namespace lasnn::distill
