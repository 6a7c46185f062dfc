#include "bench/gpu.h"

#include "backends/cuda/source.h"
#include "tests/runtime/cuda/emulated_code.h"

#include "lasnn/lasnn.h"

#include <dlfcn.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

namespace lasnn::bench {
namespace {

/// Where a program's code is kept between runs of these programs, as LASNN_BENCH_CODE=FOLDER asks for; a ResNet-18 of dense kernels takes NVRTC minutes.
std::string keptAt(const std::string &source, const std::string &architecture) {
  const char *folder = std::getenv("LASNN_BENCH_CODE");
  if (!folder)
    return "";
  std::string all = source, error;
  for (const auto &[name, text] : cuda::kernelHeaders())
    all += text;
  all += cuda::nvrtcVersion(error);
  char name[17];
  snprintf(name, sizeof name, "%016llx", static_cast<unsigned long long>(lasnn_hash64(all.data(), all.size(), 0)));
  return std::string(folder) + "/" + name + "." + architecture;
}

cuda::Cubin codeOf(const cuda::Program &program, const std::string &architecture, std::string &error) {
  const std::string path = keptAt(cuda::sourceOf(program), architecture);
  if (std::ifstream kept(path, std::ios::binary); kept)
    return {architecture, {std::istreambuf_iterator<char>(kept), {}}, {}};
  const cuda::Cubin code = cuda::compileProgram(program, architecture, error);
  if (!path.empty() && error.empty()) {
    static std::atomic<int> unique = 0; // written beside and moved: whoever reads finds all of it
    const std::string beside = path + "." + std::to_string(getpid()) + "." + std::to_string(unique++);
    std::ofstream file(beside, std::ios::binary);
    file.write(reinterpret_cast<const char *>(code.bytes.data()), std::streamsize(code.bytes.size()));
    if (!file.flush() || std::rename(beside.c_str(), path.c_str()) != 0)
      error = "LASNN_BENCH_CODE: " + path + " cannot be written";
  }
  return code;
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

cuda::Options optionsFor(const Gpu &gpu, const std::string &form, uint32_t batch, double rate) {
  cuda::Options options;
  options.architecture = gpu.architecture, options.batch = batch, options.rate = rate;
  options.prefer = form == "auto" ? "" : form;
  return options;
}

cuda::Compiled compileFor(const Gpu &gpu, const plan::Network &plan, const cuda::Options &options, std::string &error) {
  cuda::CompileOptions how;
  how.architectures = {gpu.architecture};
  how.kernels = options;
  how.maker = codeOf;
  if (gpu.emulated)
    how.maker = [](const cuda::Program &program, const std::string &architecture, std::string &) {
      return cuda::Cubin{architecture, test::emulatedCode(program, architecture), {}};
    };
  return cuda::compileNetwork(plan, {"bench", "", plan.name, "", ""}, {}, how, error);
}

} // namespace lasnn::bench
