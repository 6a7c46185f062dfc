// Stands in for NVRTC (LASNN_NVRTC=.../libemulated_nvrtc.so): reads the layers' sizes back out of the source that it is given, as far as sourceOf()
// writes it, and returns code for the emulated driver. So the tools go their whole way, from a model to outputs, without CUDA.
// LASNN_EMULATED_SPILL=N: its log says that every kernel spills N bytes.
#include "backends/cuda/forms.h"
#include "backends/cuda/kernels/shape.h"
#include "tests/runtime/cuda/emulated_code.h"

#include <cstdlib>
#include <cstring>
#include <regex>

using namespace lasnn;

namespace {

struct Program {
  std::string source, log;
  std::vector<uint8_t> code;
};

/// Every whole number of a text, in order; "(-2147483647 - 1)" is one.
std::vector<int64_t> numbersIn(std::string text) {
  for (size_t at; (at = text.find("(-2147483647 - 1)")) != std::string::npos;)
    text.replace(at, 17, "-2147483648");
  std::vector<int64_t> numbers;
  static const std::regex number("-?[0-9]+");
  for (std::sregex_iterator at(text.begin(), text.end(), number), end; at != end; ++at)
    numbers.push_back(std::stoll(at->str()));
  return numbers;
}

struct Numbers {
  std::vector<int64_t> all;
  size_t next = 0;
  template <typename T> void take(T &value) { value = T(all.at(next++)); }
  template <typename... T> void takeAll(T &...values) { (take(values), ...); }
  void take(cuda::InputShape &in) {
    takeAll(in.form, in.channels, in.words, in.height, in.width, in.kernel_h, in.kernel_w, in.stride_h, in.stride_w, in.dilation_h, in.dilation_w, in.pad_top, in.pad_left,
            in.groups, in.pool_h, in.pool_w);
  }
};

cuda::LayerShape shapeIn(const std::string &text) {
  Numbers n = {numbersIn(text)};
  cuda::LayerShape l = {};
  n.take(l.input_count);
  for (uint32_t i = 0; i < l.input_count; ++i)
    n.take(l.input[i]);
  n.take(l.compared);
  n.takeAll(l.out_form, l.out_channels, l.out_words, l.out_height, l.out_width, l.timesteps, l.readout_last, l.readout_offset, l.readout_stride, l.pool_sum, l.decay, l.reset,
            l.state_bits, l.s_max, l.v_low);
  if (n.next != n.all.size())
    throw std::out_of_range("a shape has " + std::to_string(n.all.size()) + " numbers, read " + std::to_string(n.next));
  return l;
}

test::EmulatedCode codeIn(const std::string &source, const std::string &architecture) {
  static const std::regex kernel("constexpr LayerShape shape_[0-9]+ = ([^;]*);\\s.* (lasnn_[0-9]+)\\(const Pointers p\\) \\{ [A-Za-z]+(<([0-9]+), ([0-9]+)>)?\\(shape_[0-9]+, p\\); \\} // ([a-z_]+)");
  test::EmulatedCode code = {architecture, {}};
  for (std::sregex_iterator at(source.begin(), source.end(), kernel), end; at != end; ++at) {
    const cuda::Form *form = cuda::formNamed((*at)[6]);
    if (form == nullptr)
      throw std::out_of_range("no kernel is called " + (*at)[6].str());
    cuda::Launch launch;
    launch.kernel = form->kernel, launch.shape = shapeIn((*at)[1]);
    if ((*at)[3].matched)
      launch.steps = uint32_t(std::stoul((*at)[4])), launch.tiles = uint32_t(std::stoul((*at)[5]));
    code.kernels.emplace_back((*at)[2], std::move(launch));
  }
  return code;
}

int copyOut(const void *from, size_t size, char *to) {
  std::memcpy(to, from, size);
  return 0;
}

} // namespace

extern "C" {

int nvrtcVersion(int *major, int *minor) {
  *major = 13, *minor = 0;
  return 0;
}
const char *nvrtcGetErrorString(int code) { return code == 0 ? "NVRTC_SUCCESS" : "NVRTC_ERROR_COMPILATION"; }

int nvrtcCreateProgram(void **program, const char *source, const char *, int, const char *const *, const char *const *) {
  *program = new Program{source, "", {}};
  return 0;
}

int nvrtcCompileProgram(void *given, int count, const char *const *options) {
  auto &program = *static_cast<Program *>(given);
  std::string architecture;
  for (int i = 0; i < count; ++i)
    if (std::strncmp(options[i], "--gpu-architecture=", 19) == 0)
      architecture = options[i] + 19;
  try {
    const test::EmulatedCode read = codeIn(program.source, architecture);
    program.code = test::writeEmulatedCode(read);
    const char *spill = std::getenv("LASNN_EMULATED_SPILL");
    for (const auto &[name, launch] : read.kernels)
      program.log += "ptxas info    : Compiling entry function '" + name + "' for '" + architecture + "'\n    0 bytes stack frame, " + (spill ? spill : "0") +
                     " bytes spill stores, 0 bytes spill loads\nptxas info    : Used 40 registers, 0 bytes smem\n";
  } catch (const std::exception &error) {
    program.log = std::string("emulated NVRTC: ") + error.what();
    return 6;
  }
  return 0;
}

int nvrtcGetProgramLogSize(void *program, size_t *size) {
  *size = static_cast<Program *>(program)->log.size() + 1;
  return 0;
}
int nvrtcGetProgramLog(void *program, char *log) {
  const std::string &text = static_cast<Program *>(program)->log;
  return copyOut(text.c_str(), text.size() + 1, log);
}
int nvrtcGetCUBINSize(void *program, size_t *size) {
  *size = static_cast<Program *>(program)->code.size();
  return 0;
}
int nvrtcGetCUBIN(void *program, char *code) { return copyOut(static_cast<Program *>(program)->code.data(), static_cast<Program *>(program)->code.size(), code); }
int nvrtcGetPTXSize(void *program, size_t *size) { return nvrtcGetCUBINSize(program, size); }
int nvrtcGetPTX(void *program, char *code) { return nvrtcGetCUBIN(program, code); }
int nvrtcDestroyProgram(void **program) {
  delete static_cast<Program *>(*program);
  *program = nullptr;
  return 0;
}
}
