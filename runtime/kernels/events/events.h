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

/// What a list takes from its task, as locals: list stores go through vector types, which alias everything, so that gcc
/// would read the task again after each.
struct ListShape {
  size_t pixel_stride, ky_stride;
  uint32_t width, ky_count, first_word, words, max_count;
  uint64_t first_mask, last_mask; // channels of other groups
  uint64_t column_rows, channels, first_row; // first_row: of the first word's bit 0 in column 0, modulo
};

template <class Entry, bool Masked> LASNN_INLINE Entry *appendBits(const ListShape &shape, const uint8_t *pixel, Entry base, Entry *p) {
  for (uint32_t w = 0; w < shape.words; ++w, base = Entry(base + 512)) {
    uint64_t word;
    memcpy(&word, pixel + 8 * w, 8);
    if (Masked) {
      if (w == 0) word &= shape.first_mask;
      if (w == shape.words - 1) word &= shape.last_mask;
    }
    p = appendEvents(p, word, base);
  }
  return p;
}

template <class Entry> LASNN_INLINE Entry *appendCounts(const ListShape &shape, const uint8_t *pixel, Entry base, Entry *p) {
  for (uint32_t w = 0; w < shape.words; ++w, base = Entry(base + 512)) {
    uint64_t mask = w == 0 ? shape.first_mask : ~uint64_t(0);
    if (w == shape.words - 1) mask &= shape.last_mask;
    for (uint32_t level = 1; level <= shape.max_count; ++level) {
      const uint64_t word = atLeast(pixel + 64 * w, level) & mask;
      if (word == 0) break;
      p = appendEvents(p, word, base);
    }
  }
  return p;
}

enum class ListKind : uint8_t { Bits, MaskedBits, Counts };

/// One list: from the pixel in column 0 of the first kernel row inside the input.
template <class Entry, ListKind Kind>
static void buildList(const ListShape given, const uint8_t *column, Entry *list, uint32_t *starts) {
  const ListShape shape = given;
  const auto S = Entry(shape.column_rows * 8), ky_step = Entry(shape.channels * 8);
  Entry *p = list;
  auto column_base = Entry(shape.first_row * 8), zero_row = Entry(S - 8);
  for (uint32_t x = 0; x < shape.width; ++x, column += shape.pixel_stride) {
    starts[x] = uint32_t(p - list);
    const uint8_t *pixel = column;
    Entry base = column_base;
    for (uint32_t ky = 0; ky < shape.ky_count; ++ky, pixel += shape.ky_stride, base = Entry(base + ky_step))
      p = Kind == ListKind::Bits         ? appendBits<Entry, false>(shape, pixel, base, p)
          : Kind == ListKind::MaskedBits ? appendBits<Entry, true>(shape, pixel, base, p)
                                         : appendCounts<Entry>(shape, pixel, base, p);
    const Entry padding[kListPad] = {zero_row, zero_row, zero_row, zero_row};
    memcpy(p, padding, sizeof padding);
    p = list + ((size_t(p - list) + kListPad - 1) & ~size_t(kListPad - 1));
    column_base = Entry(column_base + S);
    zero_row = Entry(zero_row + S);
  }
  starts[shape.width] = uint32_t(p - list);
}

/// The kernel rows of output row y that lie inside the input: `ky_begin`, and how many.
LASNN_INLINE uint32_t rowsInside(const EventTask &task, uint32_t y, uint32_t &ky_begin) {
  const int64_t top = int64_t(y) * task.stride_h - task.pad_top;
  uint32_t ky_end = task.kernel_h;
  ky_begin = 0;
  while (ky_begin < ky_end && top + int64_t(ky_begin) * task.dilation_h < 0)
    ++ky_begin;
  while (ky_end > ky_begin && top + int64_t(ky_end - 1) * task.dilation_h >= int64_t(task.in.height))
    --ky_end;
  return ky_end - ky_begin;
}

template <class Entry> static void buildLists(const EventTask &task) {
  const size_t row_stride = task.in.pixel_stride * task.in.width;
  const uint32_t last_channel = task.first_channel + task.channels - 1;
  ListShape shape;
  shape.pixel_stride = task.in.pixel_stride;
  shape.ky_stride = row_stride * task.dilation_h;
  shape.width = task.in.width;
  shape.first_word = task.first_channel / 64;
  shape.words = last_channel / 64 - shape.first_word + 1;
  shape.max_count = task.in.max_count;
  shape.first_mask = channelMask(shape.first_word, task.first_channel, task.channels);
  shape.last_mask = channelMask(last_channel / 64, task.first_channel, task.channels);
  shape.column_rows = task.column_rows;
  shape.channels = task.channels;
  const bool masked = task.first_channel > 0 || task.channels < task.in.channels; // else the buffer's own zeros suffice
  const size_t first_word = shape.first_word * (task.in.max_count > 1 ? 64 : 8);
  for (uint32_t row = 0; row < task.rows; ++row) {
    const uint32_t y = task.y0 + row;
    uint32_t ky_begin;
    shape.ky_count = rowsInside(task, y, ky_begin);
    // Modulo the entry's width: the first word may begin before first_channel.
    shape.first_row = uint64_t(ky_begin) * task.channels + shape.first_word * 64 - task.first_channel;
    const uint8_t *top = task.in.data + first_word;
    if (shape.ky_count > 0) top += size_t(int64_t(y) * task.stride_h - task.pad_top + int64_t(ky_begin) * task.dilation_h) * row_stride;
    for (uint32_t t = 0; t < task.steps; ++t) {
      const size_t i = size_t(row) * task.steps + t;
      Entry *list = static_cast<Entry *>(task.events) + i * task.capacity;
      uint32_t *starts = task.starts + i * (task.in.width + 1);
      const uint8_t *column = top + t * task.in.step_stride;
      if (task.in.max_count > 1)
        buildList<Entry, ListKind::Counts>(shape, column, list, starts);
      else if (masked)
        buildList<Entry, ListKind::MaskedBits>(shape, column, list, starts);
      else
        buildList<Entry, ListKind::Bits>(shape, column, list, starts);
    }
  }
}

static void events_u16(const EventTask &task) { buildLists<uint16_t>(task); }
static void events_u32(const EventTask &task) { buildLists<uint32_t>(task); }

} // namespace lasnn::runtime::LASNN_ISA
