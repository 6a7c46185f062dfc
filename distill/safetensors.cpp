#include "distill/safetensors.h"
#include "distill/file.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstring>
#include <stdexcept>

namespace lasnn::distill {

Safetensors readSafetensors(const std::string &path) {
  std::string bytes, error;
  if (!readText(path, bytes, error))
    throw std::runtime_error(error);
  auto bad = [&](const std::string &what) -> std::runtime_error {
    return std::runtime_error(fmt::format("{}: {}; it is damaged or no safetensors file: get it again", path, what));
  };
  uint64_t length = 0;
  if (bytes.size() < 8)
    throw bad(fmt::format("{} bytes are too few", bytes.size()));
  std::memcpy(&length, bytes.data(), 8);
  if (length > bytes.size() - 8)
    throw bad(fmt::format("its table should have {} bytes, {} follow", length, bytes.size() - 8));
  const auto table = nlohmann::json::parse(bytes.begin() + 8, bytes.begin() + 8 + std::ptrdiff_t(length), nullptr, false);
  if (!table.is_object())
    throw bad("its table is not JSON");
  const uint64_t start = 8 + length, size = bytes.size() - start;

  static const std::map<std::string, torch::ScalarType> types = {{"F64", torch::kFloat64}, {"F32", torch::kFloat32}, {"F16", torch::kFloat16},
                                                                 {"BF16", torch::kBFloat16}, {"I64", torch::kInt64}};
  Safetensors out;
  for (const auto &[name, entry] : table.items()) try {
    if (name == "__metadata__") {
      out.metadata = entry.get<std::map<std::string, std::string>>();
      continue;
    }
    const std::string type = entry.at("dtype");
    const auto known = types.find(type);
    if (known == types.end())
      throw bad(fmt::format("tensor {} has type {}, read are F64, F32, F16, BF16, I64", name, type));
    const auto shape = entry.at("shape").get<std::vector<int64_t>>();
    const auto range = entry.at("data_offsets").get<std::vector<uint64_t>>();
    uint64_t wanted = torch::elementSize(known->second);
    for (int64_t n : shape) {
      if (n < 0 || (n && wanted > size / uint64_t(n) + 1))
        throw bad(fmt::format("tensor {} has the shape [{}], which the file cannot hold", name, fmt::join(shape, ", ")));
      wanted *= uint64_t(n);
    }
    if (range.size() != 2 || range[0] > range[1] || range[1] > size || range[1] - range[0] != wanted)
      throw bad(fmt::format("tensor {} of {} bytes is said to lie at [{}] of {}", name, wanted, fmt::join(range, ", "), size));
    torch::Tensor tensor = torch::empty(shape, known->second);
    if (wanted)
      std::memcpy(tensor.data_ptr(), bytes.data() + start + range[0], wanted);
    out.tensors[name] = tensor.to(torch::kFloat32);
  } catch (const nlohmann::json::exception &) {
    throw bad(fmt::format("the table's entry for {} has not the form {{\"dtype\", \"shape\", \"data_offsets\"}}", name));
  }
  return out;
}

} // namespace lasnn::distill
