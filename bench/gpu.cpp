#include "bench/gpu.h"

#include "backends/cuda/nvrtc.h"
#include "backends/cuda/source.h"
#include "backends/cuda/write_lasnn.h"
#include "tests/runtime/cuda/emulated_code.h"

#include <dlfcn.h>

#include <cstdlib>
#include <future>

namespace lasnn::bench {
namespace {

std::vector<uint8_t> codeOf(const Gpu &gpu, const cuda::Program &program, std::string &error) {
  return gpu.emulated ? test::emulatedCode(program, gpu.architecture) : cuda::compileCuda(cuda::sourceOf(program), gpu.architecture, error).bytes;
}

std::string dotted(int version) { return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10); }

} // namespace

std::optional<Gpu> findGpu(std::string &why) {
  const char *path = std::getenv("LASNN_CUDA_DRIVER");
  void *library = dlopen(path ? path : "libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    why = std::string("no CUDA driver: ") + dlerror();
    return {};
  }
  const auto init = reinterpret_cast<int (*)(unsigned)>(dlsym(library, "cuInit"));
  const auto version = reinterpret_cast<int (*)(int *)>(dlsym(library, "cuDriverGetVersion"));
  const auto device = reinterpret_cast<int (*)(int *, int)>(dlsym(library, "cuDeviceGet"));
  const auto name = reinterpret_cast<int (*)(char *, int, int)>(dlsym(library, "cuDeviceGetName"));
  const auto attribute = reinterpret_cast<int (*)(int *, int, int)>(dlsym(library, "cuDeviceGetAttribute"));
  int ordinal = 0, major = 0, minor = 0, driver = 0;
  char text[128] = "";
  constexpr int computeMajor = 75, computeMinor = 76; // CUdevice_attribute
  if (!init || !version || !device || !name || !attribute || init(0) || version(&driver) || device(&ordinal, 0) || name(text, sizeof text, ordinal) ||
      attribute(&major, computeMajor, ordinal) || attribute(&minor, computeMinor, ordinal)) {
    why = "the CUDA driver has no device";
    return {};
  }
  Gpu gpu = {text, "sm_" + std::to_string(major) + std::to_string(minor) + (major == 9 ? "a" : ""), dotted(driver), dlsym(library, "lasnn_emulated_configure") != nullptr};
  return gpu;
}

cuda::Program programOf(const plan::Network &plan, cuda::Choice choice) {
  std::string error;
  return cuda::makeProgram(plan, choice, error);
}

std::vector<uint8_t> compileFor(const Gpu &gpu, const plan::Network &plan, cuda::Choice choice, bool stream, std::string &error) {
  const cuda::Program whole = cuda::makeProgram(plan, choice, error);
  plan::Network single = plan;
  single.timesteps = 1;
  std::string step_error;
  const cuda::Program step = stream ? cuda::makeProgram(single, choice, step_error) : cuda::Program();
  cuda::Code code = {gpu.architecture, {}, {}};
  if (error.empty() && step_error.empty()) {
    std::future<std::vector<uint8_t>> beside = std::async(std::launch::async, [&] { return stream ? codeOf(gpu, step, step_error) : std::vector<uint8_t>(); });
    code.whole = codeOf(gpu, whole, error);
    code.step = beside.get();
  }
  if (error.empty())
    error = step_error;
  if (!error.empty())
    return {};
  cuda::FileContent content;
  content.whole = &whole;
  content.step = stream ? &step : nullptr;
  content.timesteps = plan.timesteps;
  content.input_max = plan.encoding == plan::Encoding::Direct ? 255 : plan.buffers[0].max_count;
  content.codes = {code};
  return cuda::writeLasnn(content, {"bench", "", plan.name, "", ""}, {}, error);
}

} // namespace lasnn::bench
