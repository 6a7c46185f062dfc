// Which stretches of the event lists one output pixel sums.
//
// Input column x of the window of output pixel X is kernel column kx = (x - X*stride + pad) / dilation. Entries count rows
// from input column 0, the packed rows from kernel column 0, so `base` shifts one to the other:
//     address = rows + (kx - x) * column_bytes + entry * row_bytes / 8.
// Undilated, kx - x is the same for the whole window and one stretch covers it; dilated, each kernel column is its own.
// Address arithmetic is on integers, modulo the word size: a base may lie before the array it leads into.
#pragma once

namespace lasnn::runtime::LASNN_ISA {

LASNN_INLINE uint32_t clampColumn(int64_t x, uint32_t width) {
  return x < 0 ? 0 : x > int64_t(width) ? width : uint32_t(x);
}

template <class Entry> LASNN_INLINE uint32_t placeWindows(const GatherTask &task, uint32_t row, uint32_t x) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < task.source_count; ++i) {
    const GatherSource &s = task.sources[i];
    const int64_t left = int64_t(x) * s.stride_w - s.pad_left;
    const bool whole = s.dilation_w == 1;
    const uint32_t stretches = whole ? 1 : s.kernel_w;
    for (uint32_t kx = 0; kx < stretches; ++kx) {
      const int64_t first = left + int64_t(kx) * s.dilation_w;
      GatherWindow &w = task.windows[count++];
      w.events = static_cast<const Entry *>(s.events) + size_t(row) * task.steps * s.capacity;
      w.starts = s.starts + size_t(row) * task.steps * (s.width + 1);
      w.capacity = s.capacity;
      w.begin = clampColumn(first, s.width);
      w.end = clampColumn(first + (whole ? s.kernel_w : 1), s.width);
      w.width = s.width + 1;
      w.bias = s.bias;
      w.base = reinterpret_cast<uintptr_t>(s.rows) + uintptr_t((int64_t(kx) - first) * int64_t(s.column_bytes));
    }
  }
  return count;
}

} // namespace lasnn::runtime::LASNN_ISA
