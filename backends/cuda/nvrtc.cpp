#include "backends/cuda/nvrtc.h"
#include "backends/cuda/source.h"

#include <dlfcn.h>

#include <cstdlib>
#include <regex>

namespace lasnn::cuda {
namespace {

// The few functions used, as NVRTC's manual declares them (nvrtcResult is an int, 0 success; a program is an opaque pointer).
struct Nvrtc {
  int (*version)(int *major, int *minor) = nullptr;
  const char *(*errorString)(int) = nullptr;
  int (*createProgram)(void **, const char *source, const char *name, int headers, const char *const *texts, const char *const *names) = nullptr;
  int (*compileProgram)(void *, int options, const char *const *) = nullptr;
  int (*getLogSize)(void *, size_t *) = nullptr;
  int (*getLog)(void *, char *) = nullptr;
  int (*getCubinSize)(void *, size_t *) = nullptr;
  int (*getCubin)(void *, char *) = nullptr;
  int (*getPtxSize)(void *, size_t *) = nullptr;
  int (*getPtx)(void *, char *) = nullptr;
  int (*destroyProgram)(void **) = nullptr;
  std::string error;

  Nvrtc() {
    void *library = open();
    if (!library)
      return;
    auto find = [&](auto &function, const char *name) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
      if (!function && error.empty())
        error = std::string("NVRTC has no ") + name + ": version 11.3 or newer is needed";
    };
    find(version, "nvrtcVersion");
    find(errorString, "nvrtcGetErrorString");
    find(createProgram, "nvrtcCreateProgram");
    find(compileProgram, "nvrtcCompileProgram");
    find(getLogSize, "nvrtcGetProgramLogSize");
    find(getLog, "nvrtcGetProgramLog");
    find(getCubinSize, "nvrtcGetCUBINSize");
    find(getCubin, "nvrtcGetCUBIN");
    find(getPtxSize, "nvrtcGetPTXSize");
    find(getPtx, "nvrtcGetPTX");
    find(destroyProgram, "nvrtcDestroyProgram");
  }

private:
  void *open() {
    if (const char *path = std::getenv("LASNN_NVRTC")) {
      void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
      if (!library)
        error = std::string("LASNN_NVRTC: ") + dlerror();
      return library;
    }
    for (const char *folder : {"", "/usr/local/cuda/lib64/"})
      for (const char *name : {"libnvrtc.so", "libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so.11.2"})
        if (void *library = dlopen((std::string(folder) + name).c_str(), RTLD_NOW | RTLD_LOCAL))
          return library;
    error = "NVRTC (libnvrtc.so) is not found; it comes with the CUDA toolkit or PyPI's nvidia-cuda-nvrtc: put its folder into LD_LIBRARY_PATH, or its path into LASNN_NVRTC";
    return nullptr;
  }
};

const Nvrtc &nvrtc() {
  static const Nvrtc one;
  return one;
}

/// ptxas -v: "Compiling entry function 'NAME' for 'sm_90'", "N bytes stack frame, N bytes spill stores, N bytes spill loads",
/// "Used N registers, ... N bytes smem".
std::map<std::string, KernelResources> resourcesIn(const std::string &log) {
  std::map<std::string, KernelResources> found;
  static const std::regex pattern("entry function '([^']+)'|(\\d+) bytes spill stores, (\\d+) bytes spill loads|Used (\\d+) registers|(\\d+) bytes smem");
  std::string name;
  for (std::sregex_iterator at(log.begin(), log.end(), pattern), end; at != end; ++at) {
    const std::smatch &m = *at;
    auto number = [&](size_t group) { return uint32_t(std::stoul(m[group])); };
    if (m[1].matched)
      name = m[1], found[name] = {};
    else if (name.empty())
      continue;
    else if (m[2].matched)
      found[name].spill_store_bytes = number(2), found[name].spill_load_bytes = number(3);
    else if (m[4].matched)
      found[name].registers = number(4);
    else if (m[5].matched)
      found[name].shared_bytes = number(5);
  }
  return found;
}

} // namespace

std::string nvrtcVersion(std::string &error) {
  int major = 0, minor = 0;
  error = nvrtc().error;
  if (!error.empty() || nvrtc().version(&major, &minor) != 0)
    return "";
  return std::to_string(major) + "." + std::to_string(minor);
}

Cubin compileCuda(const std::string &source, const std::string &architecture, std::string &error) {
  Cubin cubin = {architecture, {}, {}};
  const Nvrtc &n = nvrtc();
  if (!n.error.empty()) {
    error = n.error;
    return cubin;
  }
  std::vector<const char *> names, texts;
  for (const auto &[name, text] : kernelHeaders())
    names.push_back(name), texts.push_back(text);
  void *program = nullptr;
  const std::string target = "--gpu-architecture=" + architecture;
  const char *options[] = {target.c_str(), "--std=c++17", "--ptxas-options=-v", "--device-as-default-execution-space"};
  int code = n.createProgram(&program, source.c_str(), "network.cu", int(names.size()), texts.data(), names.data());
  if (code == 0)
    code = n.compileProgram(program, int(std::size(options)), options);
  std::string log;
  size_t size = 0;
  if (program && n.getLogSize(program, &size) == 0 && size > 1) {
    log.resize(size);
    n.getLog(program, log.data());
    log.resize(size - 1); // its NUL
  }
  const bool ptx = architecture.starts_with("compute_");
  if (code == 0)
    code = ptx ? n.getPtxSize(program, &size) : n.getCubinSize(program, &size);
  if (code == 0) {
    cubin.bytes.resize(size);
    code = ptx ? n.getPtx(program, reinterpret_cast<char *>(cubin.bytes.data())) : n.getCubin(program, reinterpret_cast<char *>(cubin.bytes.data()));
    cubin.kernels = resourcesIn(log);
  }
  if (code != 0) {
    error = "NVRTC for " + architecture + ": " + n.errorString(code) + (log.empty() ? "" : "\n" + log);
    cubin.bytes.clear();
  }
  if (program)
    n.destroyProgram(&program);
  return cubin;
}

} // namespace lasnn::cuda
