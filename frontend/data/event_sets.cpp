// N-MNIST and DVS-Gesture: folders of recordings, binned into T frames of two polarity channels.
#include "frontend/data/events.h"
#include "frontend/data/records.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <set>

namespace lasnn::data {
namespace {

constexpr std::string_view trainNames[] = {"train", "Train"}, testNames[] = {"test", "Test"};

/// The spec's words and the network's wishes as one rule. False: they contradict each other or are out of range.
bool readBinning(const Set &set, const Request &request, Binning &b, Dataset &out, std::string &error) {
  uint64_t frames = 0, us = 0, size = 0, most = 0;
  if (!wordNumber(request, "frames", 1, 4096, 0, frames, error) || !wordNumber(request, "window-us", 1, 1u << 30, 0, us, error) ||
      !wordNumber(request, "size", 1, set.width, set.width, size, error) || !wordNumber(request, "max-count", 1, 255, 0, most, error))
    return false;
  if (frames && request.load.frames && frames != request.load.frames) {
    error = fmt::format("{}: frames={} is asked for, but the network runs T = {} steps and takes as many frames; leave frames= out",
                        set.name, frames, request.load.frames);
    return false;
  }
  const uint32_t wanted = request.load.maxCount;
  if (most && wanted && most > wanted) {
    error = fmt::format("{}: max-count={} is asked for, but the network takes counts of at most {}; leave max-count= out", set.name, most, wanted);
    return false;
  }
  const auto word = request.words.find("window");
  const std::string window = word == request.words.end() ? (us ? "duration" : "count") : word->second;
  if (window != "count" && window != "time" && window != "duration") {
    error = fmt::format("{}: window={} is not known; known are count (equal numbers of events), time (equal parts of the "
                        "recording), duration (windows of window-us= microseconds)", set.name, window);
    return false;
  }
  if ((window == "duration") != (us > 0)) {
    error = us ? fmt::format("{}: window-us={} belongs to window=duration, but window={} is given", set.name, us, window)
               : fmt::format("{}: window=duration needs window-us=MICROSECONDS, the length of a frame", set.name);
    return false;
  }
  b.window = window == "count" ? Binning::Window::Count : window == "time" ? Binning::Window::Time : Binning::Window::Duration;
  b.frames = frames ? uint32_t(frames) : request.load.frames ? request.load.frames : 4;
  b.windowUs = us;
  b.sensorWidth = set.width, b.sensorHeight = set.height;
  b.width = b.height = uint32_t(size); // both sensors are square
  b.maxCount = most ? uint32_t(most) : wanted ? wanted : 255;
  out.events = true;
  out.frames = b.frames, out.channels = set.channels, out.height = b.height, out.width = b.width;
  out.maxCount = b.maxCount;
  out.mean.assign(set.channels, 0.0f), out.std.assign(set.channels, 1.0f / 255.0f);
  out.binning = fmt::format("window={}{}&size={}", window, us ? fmt::format("&window-us={}", us) : "", size);
  return true;
}

bool readRecordings(std::vector<Record> records, const Request &request, const Binning &b, Dataset &out, std::string &error) {
  Tally tally; // events, cut, dropped
  const Decode decode = [&](const std::string &path, std::span<uint8_t> bytes, Tally &sum, std::string &problem) {
    std::vector<Event> events;
    if (!readEvents(path, b.sensorWidth, b.sensorHeight, events, problem))
      return false;
    BinTally part;
    binEvents(events, b, bytes, part);
    sum.values[0] += part.events, sum.values[1] += part.cut, sum.values[2] += part.dropped;
    return true;
  };
  if (!readRecords(std::move(records), request, decode, tally, out, error))
    return false;
  const double all = double(std::max<uint64_t>(1, tally.values[0]));
  if (tally.values[1])
    out.notes.push_back(fmt::format("{}: {} of {} events ({:.2g} %) were not counted: their pixel and frame had {} already (max-count)",
                                    out.name, tally.values[1], tally.values[0], 100 * double(tally.values[1]) / all, b.maxCount));
  if (tally.values[2])
    out.notes.push_back(fmt::format("{}: {} of {} events ({:.2g} %) came after the last of {} windows of {} us and were left out",
                                    out.name, tally.values[2], tally.values[0], 100 * double(tally.values[2]) / all, b.frames, b.windowUs));
  return true;
}

/// SPLIT/<class>/FILE for every class folder; a class is its place in the sorted names of both splits' folders.
std::vector<Record> recordsByFolder(const std::string &root, const std::vector<std::string> &names, std::span<const std::string_view> endings) {
  std::vector<std::vector<Record>> classes(names.size());
  for (size_t k = 0; k < names.size(); ++k)
    for (const std::string &file : filesIn(root + "/" + names[k], endings))
      classes[k].push_back({root + "/" + names[k] + "/" + file, uint16_t(k)});
  return interleave(std::move(classes));
}

/// labels.tsv: a heading line, then FILE, class number and (ignored) a name, tabs between. Classes are the distinct numbers
/// in order, so that a file's class is the rank of its number.
bool recordsByTable(const std::string &root, std::vector<Record> &records, uint32_t &classes, std::string &error) {
  const std::string path = root + "/labels.tsv";
  std::ifstream file(path);
  std::string line;
  std::vector<std::pair<std::string, int64_t>> rows;
  std::set<int64_t> ids;
  for (size_t number = 1; std::getline(file, line); ++number) {
    if (!line.empty() && line.back() == '\r')
      line.pop_back();
    if (line.empty() || number == 1)
      continue;
    const size_t tab = line.find('\t'), end = std::min(line.find('\t', tab + 1), line.size());
    int64_t id = 0;
    const char *from = line.data() + (tab == std::string::npos ? 0 : tab + 1), *to = line.data() + end;
    const auto [rest, code] = std::from_chars(from, to, id);
    if (tab == 0 || tab == std::string::npos || code != std::errc() || rest != to || line.substr(0, tab).find("..") != std::string::npos) {
      error = fmt::format("{}: line {} is \"{}\", expected FILE, a tab, and the class as a whole number", path, number, line);
      return false;
    }
    rows.emplace_back(line.substr(0, tab), id);
    ids.insert(id);
  }
  if (ids.empty() || ids.size() > 65535) {
    error = fmt::format("{}: {} classes, expected 1 to 65535, a line a file after the heading", path, ids.size());
    return false;
  }
  classes = uint32_t(ids.size());
  for (const auto &[name, id] : rows)
    records.push_back({root + "/" + name, uint16_t(std::distance(ids.begin(), ids.find(id)))});
  return true;
}

} // namespace

bool readNmnist(const Set &set, const Request &request, Dataset &out, std::string &error) {
  Binning b;
  if (!readBinning(set, request, b, out, error))
    return false;
  const std::string root = firstFolder(request.dir, request.train ? std::span(trainNames) : std::span(testNames));
  if (root.empty()) {
    error = fmt::format("{}: no folder {} in it; N-MNIST is DIR/{{train,test}}/<digit>/<id>.bin", request.dir, request.train ? "train" : "test");
    return false;
  }
  std::vector<std::string> digits;
  for (uint32_t digit = 0; digit < set.classes; ++digit)
    digits.push_back(std::to_string(digit));
  constexpr std::string_view endings[] = {".bin"};
  out.classes = set.classes;
  std::vector<Record> records = recordsByFolder(root, digits, endings);
  if (records.empty()) {
    error = fmt::format("{}: no <digit>/<id>.bin in it, <digit> from 0 to 9", root);
    return false;
  }
  return readRecordings(std::move(records), request, b, out, error);
}

bool readGesture(const Set &set, const Request &request, Dataset &out, std::string &error) {
  Binning b;
  if (!readBinning(set, request, b, out, error))
    return false;
  constexpr std::string_view endings[] = {".bs2"};
  const std::string train = firstFolder(request.dir, trainNames), test = firstFolder(request.dir, testNames);
  const std::string wanted = request.train ? train : test;
  std::vector<Record> records;
  if (wanted.empty() && train.empty() && test.empty() && fileExists(request.dir + "/labels.tsv")) {
    out.notes.push_back(fmt::format("{}: no train and test folders, so both splits are its labels.tsv", request.dir));
    if (!recordsByTable(request.dir, records, out.classes, error))
      return false;
  } else if (wanted.empty()) {
    error = fmt::format("{}: no folder {} in it; expected DIR/{{train,test}}/<class>/*.bs2, or DIR/{{train,test}}/ with labels.tsv, or "
                        "DIR/ with labels.tsv", request.dir, request.train ? "train" : "test");
    return false;
  } else if (fileExists(wanted + "/labels.tsv")) {
    if (!recordsByTable(wanted, records, out.classes, error))
      return false;
  } else {
    std::set<std::string> names;
    for (const std::string &root : {train, test})
      if (!root.empty())
        for (std::string &name : foldersIn(root))
          names.insert(std::move(name));
    out.classes = uint32_t(names.size());
    records = recordsByFolder(wanted, {names.begin(), names.end()}, endings);
  }
  if (records.empty()) {
    error = fmt::format("{}: no .bs2 recording in it", wanted.empty() ? request.dir : wanted);
    return false;
  }
  return readRecordings(std::move(records), request, b, out, error);
}

} // namespace lasnn::data
