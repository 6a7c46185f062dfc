#include "frontend/data/events.h"

#include <fmt/format.h>

#include <algorithm>

namespace lasnn::data {

bool readEvents(const std::string &path, uint32_t width, uint32_t height, std::vector<Event> &out, std::string &error) {
  std::vector<uint8_t> bytes;
  if (!readBytes(path, bytes, error))
    return false;
  if (bytes.size() % 5) {
    error = fmt::format("{}: {} bytes is not a whole number of 5-byte events ({} left over)", path, bytes.size(), bytes.size() % 5);
    return false;
  }
  constexpr uint8_t overflowRow = 240;
  constexpr uint64_t overflowUs = 1 << 13, range = 1 << 23;
  out.clear();
  out.reserve(bytes.size() / 5);
  uint64_t base = 0, last = 0;
  bool sorted = true;
  for (size_t at = 0; at < bytes.size(); at += 5) {
    const uint8_t *b = bytes.data() + at;
    if (b[1] == overflowRow && height <= overflowRow) {
      base += overflowUs;
      continue;
    }
    if (b[0] >= width || b[1] >= height) {
      error = fmt::format("{}: event {} is at x {}, y {}, outside the sensor of {}x{}", path, at / 5, b[0], b[1], width, height);
      return false;
    }
    const uint64_t raw = uint64_t(b[2] & 127) << 16 | uint64_t(b[3]) << 8 | b[4];
    if (base + raw + range / 2 < last)
      base += range;
    sorted &= base + raw >= last;
    last = base + raw;
    out.push_back({b[0], b[1], uint8_t(b[2] >> 7), last});
  }
  if (out.empty()) {
    error = fmt::format("{}: no event in {} bytes", path, bytes.size());
    return false;
  }
  if (!sorted)
    std::stable_sort(out.begin(), out.end(), [](const Event &a, const Event &b) { return a.us < b.us; });
  return true;
}

void binEvents(std::span<const Event> events, const Binning &b, std::span<uint8_t> out, BinTally &tally) {
  std::fill(out.begin(), out.end(), uint8_t(0));
  tally.events += events.size();
  if (events.empty())
    return;
  const uint64_t first = events.front().us, span = events.back().us - first + 1;
  for (size_t i = 0; i < events.size(); ++i) {
    const Event &e = events[i];
    uint64_t frame = 0;
    switch (b.window) {
    case Binning::Window::Count: frame = uint64_t(i) * b.frames / events.size(); break;
    case Binning::Window::Time: frame = (e.us - first) * b.frames / span; break;
    case Binning::Window::Duration: frame = (e.us - first) / b.windowUs; break;
    }
    if (frame >= b.frames) {
      ++tally.dropped;
      continue;
    }
    const uint64_t x = uint64_t(e.x) * b.width / b.sensorWidth, y = uint64_t(e.y) * b.height / b.sensorHeight;
    uint8_t &count = out[((frame * 2 + e.polarity) * b.height + y) * b.width + x];
    if (count < b.maxCount)
      ++count;
    else
      ++tally.cut;
  }
}

} // namespace lasnn::data
