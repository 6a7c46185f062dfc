// Spikes -> event lists (kernels.h, EventTask): per output row and step, column after column of the input.
#pragma once

namespace lasnn::runtime::LASNN_ISA {

/// The bits of word `w` that lie in channels [first, first + count).
LASNN_INLINE uint64_t channelMask(uint32_t w, uint32_t first, uint32_t count) {
  const uint32_t begin = w * 64, end = first + count;
  uint64_t mask = ~uint64_t(0);
  if (first > begin) mask &= ~uint64_t(0) << (first - begin);
  if (end < begin + 64) mask &= ~uint64_t(0) >> (begin + 64 - end);
  return mask;
}

template <class Entry, bool Counts>
static void buildList(const EventTask &task, uint32_t y, const uint8_t *step, Entry *list, uint32_t *starts) {
  const uint32_t first_word = task.first_channel / 64, end_word = (task.first_channel + task.channels + 63) / 64;
  const auto S = Entry(task.column_rows);
  const uint64_t first_mask = channelMask(first_word, task.first_channel, task.channels);
  const uint64_t last_mask = channelMask(end_word - 1, task.first_channel, task.channels);
  // The kernel rows that lie inside the input.
  const int64_t top = int64_t(y) * task.stride_h - task.pad_top;
  uint32_t ky_begin = 0, ky_end = task.kernel_h;
  while (ky_begin < ky_end && top + int64_t(ky_begin) * task.dilation_h < 0)
    ++ky_begin;
  while (ky_end > ky_begin && top + int64_t(ky_end - 1) * task.dilation_h >= int64_t(task.in.height))
    --ky_end;

  const size_t row_bytes = task.in.pixel_stride * task.in.width;
  const uint8_t *window = step;
  if (ky_begin < ky_end) window += size_t(top + int64_t(ky_begin) * task.dilation_h) * row_bytes;
  const size_t ky_bytes = row_bytes * task.dilation_h;
  Entry *p = list;
  for (uint32_t x = 0; x < task.in.width; ++x) {
    starts[x] = uint32_t(p - list);
    const uint8_t *pixel = window + x * task.in.pixel_stride;
    for (uint32_t ky = ky_begin; ky < ky_end; ++ky, pixel += ky_bytes) {
      // Modulo the entry's width: the first word may begin before first_channel.
      auto base = Entry((Entry(x) * S + Entry(ky * task.channels) + Entry(first_word * 64 - task.first_channel)) * 8);
      for (uint32_t w = first_word; w < end_word; ++w, base = Entry(base + 512)) {
        uint64_t mask = ~uint64_t(0);
        if (w == first_word) mask = first_mask;
        if (w == end_word - 1) mask &= last_mask;
        if (Counts) {
          uint64_t word;
          for (uint32_t level = 1; level <= task.in.max_count && (word = atLeast(pixel + 64 * w, level) & mask) != 0; ++level)
            p = appendEvents(p, word, base);
        } else {
          uint64_t word;
          memcpy(&word, pixel + 8 * w, 8);
          p = appendEvents(p, word & mask, base);
        }
      }
    }
    const auto zero_row = Entry((Entry(x) * S + Entry(S - 1)) * 8);
    for (uint32_t i = 0; i < kListPad; ++i)
      p[i] = zero_row;
    p = list + ((size_t(p - list) + kListPad - 1) & ~size_t(kListPad - 1));
  }
  starts[task.in.width] = uint32_t(p - list);
}

template <class Entry> static void buildLists(const EventTask &task) {
  for (uint32_t row = 0; row < task.rows; ++row)
    for (uint32_t t = 0; t < task.steps; ++t) {
      const size_t i = size_t(row) * task.steps + t;
      const uint8_t *step = task.in.data + t * task.in.step_stride;
      Entry *list = static_cast<Entry *>(task.events) + i * task.capacity;
      uint32_t *starts = task.starts + i * (task.in.width + 1);
      if (task.in.max_count > 1)
        buildList<Entry, true>(task, task.y0 + row, step, list, starts);
      else
        buildList<Entry, false>(task, task.y0 + row, step, list, starts);
    }
}

static void events_u16(const EventTask &task) { buildLists<uint16_t>(task); }
static void events_u32(const EventTask &task) { buildLists<uint32_t>(task); }

} // namespace lasnn::runtime::LASNN_ISA
