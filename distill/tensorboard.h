// A TensorBoard event file: one record a summary, each length and each body followed by a masked CRC-32C (TFRecord).
#pragma once

#include <cstdint>
#include <fstream>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace lasnn::distill {

class EventFile {
public:
  /// Opens a new file in `folder` (created where absent), named by time and process. `firstStep` > 0: what earlier files of the folder
  /// hold from that step on is void, as a resumed run writes it again. Throws std::runtime_error.
  EventFile(const std::string &folder, int64_t firstStep);
  void scalars(int64_t step, const std::vector<std::pair<std::string, double>> &values);
  /// The distribution of `values` in 30 equal buckets.
  void histogram(int64_t step, const std::string &tag, std::span<const float> values);
  const std::string &path() const { return path_; }

private:
  void write(const std::string &record);
  std::string path_;
  std::ofstream file_;
};

/// CRC-32C (Castagnoli) rotated and offset, as TFRecord wants it: ((crc >> 15) | (crc << 17)) + 0xa282ead8.
uint32_t maskedCrc(std::string_view bytes);

} // namespace lasnn::distill
