// Which stretches of the event lists one output pixel sums.
//
// Input column x of the window of output pixel X is kernel column kx = (x - X*stride + pad) / dilation. Entries count rows
// from input column 0, the packed rows from kernel column 0, so `base` shifts one to the other:
//     address = rows + (kx - x) * column_bytes + entry * row_bytes / 8.
// Undilated, kx - x is the same for the whole window and one stretch covers it; dilated, each kernel column is its own.
// Address arithmetic is on integers, modulo the word size: a base may lie before the array it leads into.
#pragma once

namespace lasnn::runtime::LASNN_ISA {

LASNN_INLINE uint32_t clampColumn(int64_t x, uint32_t width) { return x < 0 ? 0 : x > int64_t(width) ? width : uint32_t(x); }

template <class Entry>
LASNN_INLINE void placeWindow(GatherWindow &w, const GatherSource &s, uint32_t row, uint32_t steps, uint32_t x, uint32_t kx,
                              uint32_t columns) {
  const int64_t first = int64_t(x) * s.stride_w - s.pad_left + int64_t(kx) * s.dilation_w;
  w.events = static_cast<const Entry *>(s.events) + size_t(row) * steps * s.capacity;
  w.starts = s.starts + size_t(row) * steps * (s.width + 1);
  w.capacity = s.capacity;
  w.begin = clampColumn(first, s.width);
  w.end = clampColumn(first + columns, s.width);
  w.width = s.width + 1;
  w.bias = s.bias;
  w.base = reinterpret_cast<uintptr_t>(s.rows) + uintptr_t((int64_t(kx) - first) * int64_t(s.column_bytes));
}

/// All windows of a pixel, into task.windows.
template <class Entry> LASNN_INLINE uint32_t placeWindows(const GatherTask &task, uint32_t row, uint32_t x) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < task.source_count; ++i) {
    const GatherSource &s = task.sources[i];
    if (s.dilation_w == 1)
      placeWindow<Entry>(task.windows[count++], s, row, task.steps, x, 0, s.kernel_w);
    else
      for (uint32_t kx = 0; kx < s.kernel_w; ++kx)
        placeWindow<Entry>(task.windows[count++], s, row, task.steps, x, kx, 1);
  }
  return count;
}

} // namespace lasnn::runtime::LASNN_ISA
