// Event recordings: five bytes an event, and the rules that make T frames of spike counts from them. Private to this folder.
#pragma once

#include "frontend/data/reader.h"

namespace lasnn::data {

struct Event {
  uint16_t x = 0, y = 0;
  uint8_t polarity = 0; // 0 darker, 1 brighter: the frame's channel
  uint64_t us = 0;
};

/// Big-endian x, y, then 1 bit polarity and 23 bits of microseconds. y = 240 is not an event but adds 2^13 us to all
/// that follow; a step back by more than half the range is the 23 bits running over. Sorted by time when the file is not.
/// False: the size is not a multiple of 5, an event lies outside the sensor, or there is none; `error` names the first.
bool readEvents(const std::string &path, uint32_t width, uint32_t height, std::vector<Event> &out, std::string &error);

/// For events i = 0..n-1 of times t_i, first t_0, last t_{n-1}:
///   count:    frame = floor(i T / n)                                equal numbers of events a frame
///   time:     frame = floor((t_i - t_0) T / (t_{n-1} - t_0 + 1))    T equal parts of the recording
///   duration: frame = floor((t_i - t_0) / D)                        windows of D us; events from T D on are dropped
struct Binning {
  enum class Window { Count, Time, Duration } window = Window::Count;
  uint32_t frames = 4;
  uint64_t windowUs = 0;              // D
  uint32_t sensorWidth = 0, sensorHeight = 0;
  uint32_t width = 0, height = 0;     // of the frames: x' = floor(x width / sensorWidth), y' alike
  uint32_t maxCount = 255;            // larger counts are cut to it
};
struct BinTally {
  uint64_t events = 0, cut = 0, dropped = 0; // cut: events that did not count, their pixel being at maxCount already
};

/// Counts into `out` [frames][2][height][width], overwriting it.
void binEvents(std::span<const Event>, const Binning &, std::span<uint8_t> out, BinTally &);

} // namespace lasnn::data
