#include "tests/runtime/cuda/emulated_code.h"

#include "backends/cuda/source.h"

#include <cstring>

namespace lasnn::test {
namespace {

constexpr size_t elfHeader = 64;
const char textBegin[] = ".version 8.0\n.target sm_", textKernels[] = "\n// emulated: ";

template <typename T> void append(std::vector<uint8_t> &bytes, const T &value) {
  const auto *from = reinterpret_cast<const uint8_t *>(&value);
  bytes.insert(bytes.end(), from, from + sizeof value);
}
void appendText(std::vector<uint8_t> &bytes, const std::string &text) {
  append(bytes, uint32_t(text.size()));
  bytes.insert(bytes.end(), text.begin(), text.end());
}

class Reader {
public:
  explicit Reader(const uint8_t *at) : at_(at) {}
  template <typename T> T take() {
    T value;
    memcpy(&value, at_, sizeof value);
    at_ += sizeof value;
    return value;
  }
  std::string text() {
    const auto size = take<uint32_t>();
    const std::string text(reinterpret_cast<const char *>(at_), size);
    at_ += size;
    return text;
  }

private:
  const uint8_t *at_;
};

std::vector<uint8_t> kernelsOf(const EmulatedCode &code) {
  std::vector<uint8_t> bytes;
  appendText(bytes, code.architecture);
  append(bytes, uint32_t(code.kernels.size()));
  for (const auto &[name, l] : code.kernels) {
    appendText(bytes, name);
    append(bytes, l.kernel), append(bytes, l.shape), append(bytes, l.steps), append(bytes, l.tiles);
  }
  return bytes;
}

EmulatedCode parse(const uint8_t *bytes) {
  Reader reader(bytes);
  EmulatedCode code;
  code.architecture = reader.text();
  for (auto count = reader.take<uint32_t>(); count > 0; --count) {
    code.kernels.emplace_back(reader.text(), cuda::Launch());
    cuda::Launch &l = code.kernels.back().second;
    l.kernel = reader.take<cuda::Kernel>(), l.shape = reader.take<cuda::LayerShape>();
    l.steps = reader.take<uint32_t>(), l.tiles = reader.take<uint32_t>();
  }
  return code;
}

} // namespace

std::vector<uint8_t> emulatedCode(const cuda::Program &program, const std::string &architecture) {
  EmulatedCode code = {architecture, {}};
  for (size_t i = 0; i < program.launches.size(); ++i)
    code.kernels.emplace_back(cuda::kernelName(program, i), program.launches[i]);
  return writeEmulatedCode(code);
}

std::vector<uint8_t> writeEmulatedCode(const EmulatedCode &code) {
  const std::string &architecture = code.architecture;
  const std::vector<uint8_t> kernels = kernelsOf(code);
  if (!architecture.starts_with("compute_")) {
    std::vector<uint8_t> bytes(elfHeader, 0);
    memcpy(bytes.data(), "\177ELF\2\1\1", 7);
    memcpy(bytes.data() + 8, "emulated", 8); // where an ELF has padding
    bytes.insert(bytes.end(), kernels.begin(), kernels.end());
    return bytes;
  }
  std::string text = textBegin + architecture.substr(8) + textKernels;
  for (uint8_t byte : kernels) {
    const char digits[] = "0123456789abcdef";
    text += digits[byte / 16], text += digits[byte % 16];
  }
  return std::vector<uint8_t>(text.c_str(), text.c_str() + text.size() + 1);
}

bool readEmulatedCode(const void *image, EmulatedCode &code) {
  const auto *bytes = static_cast<const uint8_t *>(image);
  if (memcmp(bytes, "\177ELF", 4) == 0) {
    if (memcmp(bytes + 8, "emulated", 8) != 0)
      return false;
    code = parse(bytes + elfHeader);
    return true;
  }
  const char *text = strstr(static_cast<const char *>(image), textKernels);
  if (text == nullptr)
    return false;
  std::vector<uint8_t> kernels;
  for (text += strlen(textKernels); text[0] && text[1]; text += 2)
    kernels.push_back(uint8_t(std::stoi(std::string(text, 2), nullptr, 16)));
  code = parse(kernels.data());
  return true;
}

} // namespace lasnn::test
