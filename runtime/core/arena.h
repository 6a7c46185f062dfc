// A bump allocator over one block of memory. With no block it only measures, so that one function lays out and sizes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lasnn::runtime {

class Arena {
public:
  static constexpr size_t kAlign = 64;

  Arena(void *base, size_t size) : base_(static_cast<uint8_t *>(base)), size_(size) {}

  /// Memory for `count` objects, 64-byte aligned and not yet written; nullptr while measuring or when it does not fit.
  template <class T> T *take(uint64_t count) {
    uint64_t bytes;
    if (__builtin_mul_overflow(count, uint64_t(sizeof(T)), &bytes) || bytes > kLimit || used_ > kLimit) {
      used_ = kLimit + 1;
      return nullptr;
    }
    const uint64_t at = used_;
    used_ += (bytes + kAlign - 1) & ~uint64_t(kAlign - 1);
    if (base_ == nullptr || used_ > size_) return nullptr;
    return reinterpret_cast<T *>(base_ + at);
  }

  /// Everything taken so far lies in the block.
  bool complete() const { return base_ != nullptr && used_ <= size_; }
  uint64_t used() const { return used_; }
  /// Beyond 16 GiB a model is refused; the limit also keeps every sum of sizes far from overflow.
  bool overLimit() const { return used_ > kLimit || used_ > SIZE_MAX / 2; }

private:
  static constexpr uint64_t kLimit = uint64_t(1) << 34;
  uint8_t *base_;
  uint64_t size_, used_ = 0;
};

} // namespace lasnn::runtime
