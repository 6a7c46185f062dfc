// Event sets: recordings to frames by each rule, against plain slow computations; every malformed recording by name.
#include "frontend/data/events.h"
#include "tests/frontend/data/folder.h"

#include <random>

using namespace lasnn::data;

namespace {

std::string pack(const std::vector<Event> &events) {
  std::string s;
  for (const Event &e : events)
    s += {char(e.x), char(e.y), char(e.polarity << 7 | (e.us >> 16 & 127)), char(e.us >> 8), char(e.us)};
  return s;
}

std::vector<Event> randomEvents(size_t n, uint32_t side, uint64_t seed, uint64_t start = 100) {
  std::mt19937_64 random(seed);
  std::vector<Event> events;
  for (uint64_t us = start; events.size() < n; us += random() % 300)
    events.push_back({uint16_t(random() % side), uint16_t(random() % side), uint8_t(random() % 2), us});
  return events;
}

class Events : public Folder {
protected:
  void nmnist(const std::string &split = "train") {
    for (int digit : {0, 3, 9})
      for (int i = 0; i < 2; ++i)
        write(fmt::format("{}/{}/{}.bin", split, digit, i), pack(randomEvents(200, 34, uint64_t(digit * 10 + i))));
  }
};

/// The rules as sentences, one event and one frame at a time.
std::vector<uint8_t> plainFrames(const std::vector<Event> &events, const Binning &b) {
  std::vector<uint8_t> out(size_t(b.frames) * 2 * b.height * b.width);
  const double first = double(events.front().us), last = double(events.back().us);
  for (uint32_t f = 0; f < b.frames; ++f)
    for (size_t i = 0; i < events.size(); ++i) {
      const double share = b.window == Binning::Window::Count  ? double(i) / double(events.size()) * b.frames
                           : b.window == Binning::Window::Time ? (double(events[i].us) - first) / (last - first + 1) * b.frames
                                                               : (double(events[i].us) - first) / double(b.windowUs);
      if (share < f || share >= f + 1)
        continue;
      uint8_t &count = out[((f * 2 + events[i].polarity) * b.height + events[i].y * b.height / b.sensorHeight) * b.width +
                           events[i].x * b.width / b.sensorWidth];
      count = uint8_t(std::min<uint32_t>(b.maxCount, count + 1u));
    }
  return out;
}

TEST(Binning, EqualsThePlainRules) {
  // Powers of two of events, span and frames, so that the plain version's divisions are exact.
  std::vector<Event> events = randomEvents(512, 34, 7);
  events.back().us = events.front().us + (1u << 18) - 1;
  for (auto window : {Binning::Window::Count, Binning::Window::Time, Binning::Window::Duration})
    for (uint32_t frames : {1u, 2u, 4u, 16u})
      for (uint32_t size : {34u, 17u, 8u})
        for (uint32_t most : {255u, 2u}) {
          Binning b;
          b.window = window, b.frames = frames, b.windowUs = 1 << 14, b.sensorWidth = b.sensorHeight = 34, b.width = b.height = size, b.maxCount = most;
          std::vector<uint8_t> out(size_t(frames) * 2 * size * size, 99);
          BinTally tally;
          binEvents(events, b, out, tally);
          EXPECT_EQ(out, plainFrames(events, b)) << int(window) << " " << frames << " " << size << " " << most;
          uint64_t sum = 0;
          for (uint8_t count : out)
            sum += count;
          EXPECT_EQ(sum + tally.cut + tally.dropped, events.size());
          EXPECT_EQ(tally.events, events.size());
          EXPECT_EQ(tally.dropped > 0, window == Binning::Window::Duration && frames < 16);
        }
}

TEST(Binning, CountGivesEveryFrameTheSame) {
  const auto events = randomEvents(600, 34, 3);
  Binning b;
  b.frames = 6, b.sensorWidth = b.sensorHeight = b.width = b.height = 34;
  std::vector<uint8_t> out(6 * 2 * 34 * 34);
  BinTally tally;
  binEvents(events, b, out, tally);
  for (size_t f = 0; f < 6; ++f)
    EXPECT_EQ(std::accumulate(out.begin() + std::ptrdiff_t(f * 2312), out.begin() + std::ptrdiff_t((f + 1) * 2312), 0), 100);
}

TEST_F(Events, TimesWrapOverflowAndSort) {
  std::vector<Event> events, read;
  std::string error;
  write("wrap.bin", pack({{1, 1, 1, 0x7ffff0}, {2, 1, 0, 0x5}, {2, 2, 0, 0x20}})); // 23 bits run over
  ASSERT_TRUE(readEvents(dir / "wrap.bin", 34, 34, read, error)) << error;
  EXPECT_EQ(read[1].us, 0x800005u);
  EXPECT_EQ(read[2].us, 0x800020u);
  write("row.bin", pack({{1, 1, 1, 10}, {0, 240, 0, 0}, {2, 1, 0, 20}})); // y = 240: 8192 us more
  ASSERT_TRUE(readEvents(dir / "row.bin", 34, 34, read, error)) << error;
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(read[1].us, 8212u);
  write("back.bin", pack({{1, 1, 1, 30}, {2, 1, 0, 20}, {3, 1, 0, 25}}));
  ASSERT_TRUE(readEvents(dir / "back.bin", 34, 34, read, error)) << error;
  EXPECT_EQ(read[0].x, 2);
  EXPECT_EQ(read[2].x, 1);
}

TEST_F(Events, NmnistIsReadClassByClassInTurn) {
  nmnist(), nmnist("test");
  const auto set = load("nmnist");
  ASSERT_TRUE(set) << error;
  EXPECT_TRUE(set->events);
  EXPECT_EQ(set->frames, 4u);
  EXPECT_EQ(set->channels, 2u);
  EXPECT_EQ(set->classes, 10u);
  EXPECT_EQ(set->labels, (std::vector<uint16_t>{0, 3, 9, 0, 3, 9}));
  EXPECT_EQ(set->imageBytes(), 4u * 2 * 34 * 34);
  Binning b;
  b.sensorWidth = b.sensorHeight = b.width = b.height = 34;
  const auto plain = plainFrames(randomEvents(200, 34, 31), b); // digit 3, the second file: image 4
  EXPECT_TRUE(std::equal(plain.begin(), plain.end(), set->image(4)));
  EXPECT_FLOAT_EQ(set->std[1], 1 / 255.0f);
  EXPECT_EQ(load("nmnist", "train", 3)->labels, (std::vector<uint16_t>{0, 3, 9}));
}

TEST_F(Events, TheNetworkAsksForItsFrames) {
  nmnist();
  LoadOptions options;
  options.frames = 7, options.maxCount = 3;
  const auto set = load("nmnist", "train", options, "?window=time&size=17");
  ASSERT_TRUE(set) << error;
  EXPECT_EQ(set->frames, 7u);
  EXPECT_EQ(set->height, 17u);
  EXPECT_EQ(set->maxCount, 3u);
  EXPECT_LE(*std::max_element(set->pixels.begin(), set->pixels.end()), 3);
  EXPECT_EQ(set->binning, "window=time&size=17");
  EXPECT_FALSE(load("nmnist", "train", options, "?frames=4"));
  EXPECT_NE(error.find("frames=4"), std::string::npos) << error;
  EXPECT_NE(error.find("T = 7"), std::string::npos) << error;
  EXPECT_FALSE(load("nmnist", "train", options, "?max-count=9"));
  EXPECT_NE(error.find("at most 3"), std::string::npos) << error;
}

TEST_F(Events, WhatDoesNotFitIsCountedAndSaid) {
  std::vector<Event> same(300, Event{5, 5, 1, 1000});
  write("train/0/a.bin", pack(same));
  auto set = load("nmnist", "train", {}, "?frames=1");
  ASSERT_TRUE(set) << error;
  ASSERT_EQ(set->notes.size(), 1u);
  EXPECT_NE(set->notes[0].find("45 of 300 events"), std::string::npos) << set->notes[0];
  write("train/0/a.bin", pack({{1, 1, 0, 0}, {1, 1, 0, 150}, {1, 1, 0, 950}}));
  set = load("nmnist", "train", {}, "?frames=2&window=duration&window-us=100");
  ASSERT_TRUE(set) << error;
  ASSERT_EQ(set->notes.size(), 1u);
  EXPECT_NE(set->notes[0].find("1 of 3 events"), std::string::npos) << set->notes[0];
  EXPECT_EQ(set->pixels[35], 1);
  EXPECT_EQ(set->pixels[2 * 34 * 34 + 35], 1);
}

TEST_F(Events, DamagedRecordingsAreNamedOrLeftOut) {
  nmnist();
  write("train/3/0.bin", pack(randomEvents(20, 34, 1)) + "ab");
  refuses("nmnist", {"train/3/0.bin", "102 bytes", "5-byte events", "2 left over", "1 of 6 records", "--skip-corrupt"});
  write("train/9/1.bin", pack({{3, 3, 0, 1}, {50, 3, 0, 2}}));
  write("train/9/0.bin", "");
  refuses("nmnist", {"3 of 6", "9/1.bin: event 1 is at x 50, y 3, outside the sensor of 34x34", "9/0.bin: no event"});
  LoadOptions options;
  options.skipCorrupt = true;
  const auto set = load("nmnist", "train", options);
  ASSERT_TRUE(set) << error;
  EXPECT_EQ(set->labels, (std::vector<uint16_t>{0, 0, 3}));
  EXPECT_EQ(set->pixels.size(), 3 * set->imageBytes());
  ASSERT_EQ(set->notes.size(), 1u);
  EXPECT_NE(set->notes[0].find("3 of 6 records are damaged and left out"), std::string::npos) << set->notes[0];
  fs::remove_all(dir / "train/0"), fs::remove(dir / "train/3/1.bin");
  EXPECT_FALSE(load("nmnist", "train", options)) << "nothing sound is left";
}

TEST_F(Events, SpecOptionsAreChecked) {
  nmnist();
  for (const auto &[words, what] : std::initializer_list<std::pair<std::string, std::string>>{
           {"?frame=4", "\"frame=4\" is not known; known are frames"},
           {"?frames", "KEY=VALUE"},
           {"?frames=0", "1 to 4096"},
           {"?frames=4&frames=4", "twice"},
           {"?window=space", "known are count"},
           {"?window=duration", "needs window-us"},
           {"?window=count&window-us=5", "belongs to window=duration"},
           {"?size=64", "1 to 34"},
           {"?max-count=256", "1 to 255"}}) {
    EXPECT_FALSE(load("nmnist", "train", {}, words)) << words;
    EXPECT_NE(error.find(what), std::string::npos) << error;
  }
  EXPECT_FALSE(load("cifar10", "train", {}, "?frames=4"));
  EXPECT_NE(error.find("takes no options"), std::string::npos) << error;
  refuses("nmnist", {"no folder test"}, "test");
}

TEST_F(Events, GestureLayouts) {
  const auto a = pack(randomEvents(100, 128, 1)), b = pack(randomEvents(100, 128, 2));
  // DIR/labels.tsv: both splits; classes are the ranks of the numbers
  write("labels.tsv", "file\tclass_id\tname\nx.bs2\t2\tleft\ny.bs2\t7\tright\r\n");
  write("x.bs2", a), write("y.bs2", b);
  auto set = load("dvs-gesture", "test", {}, "?size=32");
  ASSERT_TRUE(set) << error;
  EXPECT_EQ(set->classes, 2u);
  EXPECT_EQ(set->height, 32u);
  EXPECT_EQ(set->labels, (std::vector<uint16_t>{0, 1}));
  EXPECT_NE(set->notes.at(0).find("both splits"), std::string::npos);
  write("labels.tsv", "file\tclass_id\nx.bs2\tleft\n");
  refuses("dvs-gesture", {"labels.tsv: line 2", "whole number"});
  write("labels.tsv", "file\tclass_id\nx.bs2\t1\nz.bs2\t2\n");
  refuses("dvs-gesture", {"z.bs2", "1 of 2"});
  // DIR/test/labels.tsv, then DIR/train/<class>/
  write("test/labels.tsv", "file\tclass_id\nx.bs2\t4\n"), write("test/x.bs2", a);
  ASSERT_TRUE(load("dvs-gesture", "test")) << error;
  refuses("dvs-gesture", {"no folder train"});
  write("train/wave/x.bs2", a), write("train/clap/y.bs2", b);
  set = load("dvs-gesture");
  ASSERT_TRUE(set) << error;
  EXPECT_EQ(set->labels, (std::vector<uint16_t>{0, 1}));
  EXPECT_EQ(set->classes, 2u);
}

TEST(RealEvents, NmnistAndGestureSamples) {
  const fs::path shared = sharedData();
  if (!fs::is_directory(shared / "events"))
    GTEST_SKIP() << "../shared/data/events is absent";
  std::vector<Event> events;
  std::string error;
  ASSERT_TRUE(readEvents(shared / "events/files/tonic_sample_nmnist.bin", 34, 34, events, error)) << error;
  EXPECT_EQ(events.size(), 4325u);
  LoadOptions options;
  options.skipCorrupt = true, options.frames = 4;
  const auto set = lasnn::data::load("dvs-gesture:" + (shared / "events/dvs128_gesture").string() + "?size=32", "test", options, error);
  ASSERT_TRUE(set) << error;
  EXPECT_EQ(set->count, 5u);
  EXPECT_EQ(set->labels, (std::vector<uint16_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(std::accumulate(set->image(0), set->image(0) + set->imageBytes(), 0), 63471 - 18) << "a hot pixel saturates";
}

} // namespace
