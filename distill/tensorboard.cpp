#include "distill/tensorboard.h"
#include "distill/tensorboard.pb.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>

namespace lasnn::distill {
namespace {

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

/// CRC-32C, reflected polynomial 0x82f63b78, a byte at a time: records are short.
std::array<uint32_t, 256> crcTable() {
  std::array<uint32_t, 256> table;
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit)
      value = (value >> 1) ^ (value & 1 ? 0x82f63b78u : 0u);
    table[i] = value;
  }
  return table;
}

std::string littleEndian(uint64_t value, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i)
    out += char(value >> (8 * i));
  return out;
}

} // namespace

uint32_t maskedCrc(std::string_view bytes) {
  static const auto table = crcTable();
  uint32_t crc = ~0u;
  for (char byte : bytes)
    crc = (crc >> 8) ^ table[(crc ^ uint8_t(byte)) & 255];
  crc = ~crc;
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

EventFile::EventFile(const std::string &folder, int64_t firstStep) {
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  path_ = fmt::format("{}/events.out.tfevents.{}.lasnn.{}", folder, int64_t(now()), getpid());
  file_.open(path_, std::ios::binary);
  if (!file_)
    throw std::runtime_error(fmt::format("--tensorboard={}: {} cannot be written; check the folder", folder, path_));
  tensorboard::Event event;
  event.set_wall_time(now());
  event.set_file_version("brain.Event:2");
  write(event.SerializeAsString());
  if (firstStep > 0) {
    event.set_step(firstStep);
    event.mutable_session_log()->set_status(tensorboard::SessionLog::START);
    write(event.SerializeAsString());
  }
}

void EventFile::write(const std::string &record) {
  const std::string length = littleEndian(record.size(), 8);
  file_ << length << littleEndian(maskedCrc(length), 4) << record << littleEndian(maskedCrc(record), 4);
  if (!file_.flush())
    throw std::runtime_error(fmt::format("{}: cannot be written; check the space left", path_));
}

void EventFile::scalars(int64_t step, const std::vector<std::pair<std::string, double>> &values) {
  tensorboard::Event event;
  event.set_wall_time(now());
  event.set_step(step);
  for (const auto &[tag, value] : values) {
    auto *entry = event.mutable_summary()->add_value();
    entry->set_tag(tag);
    entry->set_simple_value(float(value));
  }
  write(event.SerializeAsString());
}

void EventFile::histogram(int64_t step, const std::string &tag, std::span<const float> values) {
  if (values.empty())
    return;
  constexpr int buckets = 30;
  tensorboard::Event event;
  event.set_wall_time(now());
  event.set_step(step);
  auto *entry = event.mutable_summary()->add_value();
  entry->set_tag(tag);
  auto *histogram = entry->mutable_histo();
  const auto [low, high] = std::ranges::minmax(values);
  const double width = std::max(double(high) - double(low), 1e-12) / buckets;
  std::array<double, buckets> counts{};
  double sum = 0, squares = 0;
  for (float value : values) {
    ++counts[size_t(std::clamp(int((double(value) - double(low)) / width), 0, buckets - 1))];
    sum += value, squares += double(value) * double(value);
  }
  histogram->set_min(low), histogram->set_max(high), histogram->set_num(double(values.size()));
  histogram->set_sum(sum), histogram->set_sum_squares(squares);
  for (int i = 0; i < buckets; ++i) {
    histogram->add_bucket_limit(double(low) + width * (i + 1));
    histogram->add_bucket(counts[size_t(i)]);
  }
  write(event.SerializeAsString());
}

} // namespace lasnn::distill
