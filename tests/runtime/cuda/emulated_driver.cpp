// See emulated_driver.h. A wrong use of the driver that a real one would leave undefined ends the program with a message.
#include "tests/runtime/cuda/emulated_driver.h"

#include "backends/cuda/host.h"
#include "tests/runtime/cuda/emulated_code.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace {

using namespace lasnn;
using Work = std::vector<std::function<void()>>;
using Result = int;

constexpr Result success = 0, invalidValue = 1, outOfMemory = 2, noDevice = 100, invalidDevice = 101, invalidContext = 201, noBinary = 209, invalidPtx = 218,
                 invalidImage = 200, notFound = 500, notReady = 600, captureUnmatched = 903;

struct Module {
  test::EmulatedCode code;
  std::vector<std::unique_ptr<std::pair<Module *, const cuda::Launch *>>> functions;
};
using Function = std::pair<Module *, const cuda::Launch *>;

struct Stream {
  Work queue, captured;
  bool capturing = false;
};
struct Mark {
  bool done = false;
  float at_ms = 0;
};
struct Event {
  std::shared_ptr<Mark> mark; ///< of the last record; it outlives the event where its stream has not come that far
  Stream *stream = nullptr;
};
struct Executable {
  Work work;
};

struct Driver {
  std::recursive_mutex mutex;
  EmulatedSetup setup;
  std::string fail_function, jit_log;
  EmulatedState state = {};
  bool initialised = false;
  Result sticky = 0;
  std::map<uintptr_t, size_t> allocations, pinned;
  std::set<void *> streams, events, graphs, executables, modules;
  float clock_ms = 0;

  Driver() {
    const auto number = [](const char *name, uint64_t otherwise) {
      const char *text = std::getenv(name);
      return text ? std::strtoull(text, nullptr, 10) : otherwise;
    };
    setup.driver_version = int(number("LASNN_EMULATED_DRIVER", 12040)), setup.devices = int(number("LASNN_EMULATED_DEVICES", 1));
    setup.capability = int(number("LASNN_EMULATED_CAPABILITY", 90)), setup.memory_bytes = number("LASNN_EMULATED_MEMORY", uint64_t(1) << 30);
  }
};

Driver &driver() {
  static Driver one;
  return one;
}
thread_local uint64_t contextsHere = 0;

[[noreturn]] void misuse(const std::string &text) {
  std::fprintf(stderr, "emulated CUDA driver: %s\n", text.c_str());
  std::abort();
}

bool isSticky(Result r) { return r == 700 || r == 719 || r == 999 || r == 46 || r == 214; }

/// What a call begins with: counted, and failed where the setup says so. The lock is held while the call lasts.
struct Call {
  std::unique_lock<std::recursive_mutex> lock{driver().mutex};
  Result result = success;
  Call(const char *function, bool needs_context) {
    Driver &d = driver();
    ++d.state.calls;
    if (d.state.calls == d.setup.fail_call || (!d.fail_function.empty() && d.fail_function == function)) {
      result = d.setup.fail_result;
      std::snprintf(d.state.failed, sizeof d.state.failed, "%s", function);
      if (isSticky(result))
        d.sticky = result;
    } else if (d.sticky != success) {
      result = d.sticky;
    } else if (needs_context && contextsHere == 0) {
      result = invalidContext;
    }
  }
};
#define BEGIN(function)                    \
  const Call call(#function, true);        \
  if (call.result != success) return call.result;
#define BEGIN_ANYWHERE(function)           \
  const Call call(#function, false);       \
  if (call.result != success) return call.result;

bool inside(const std::map<uintptr_t, size_t> &blocks, uintptr_t at, size_t bytes) {
  auto block = blocks.upper_bound(at);
  if (block == blocks.begin())
    return false;
  --block;
  return bytes <= block->second && at - block->first <= block->second - bytes;
}
void mustBeDevice(const void *at, size_t bytes, const char *what) {
  if (!inside(driver().allocations, uintptr_t(at), bytes))
    misuse(std::string(what) + ": " + std::to_string(bytes) + " bytes are not inside an allocation");
}

template <typename T> T *known(std::set<void *> &all, void *handle, const char *what) {
  if (all.count(handle) == 0)
    misuse(std::string("an unknown ") + what);
  return static_cast<T *>(handle);
}

/// Now for a stream, later for a capture.
void enqueue(void *handle, std::function<void()> work) {
  auto *stream = known<Stream>(driver().streams, handle, "stream");
  (stream->capturing ? stream->captured : stream->queue).push_back(std::move(work));
}
void finish(Stream &stream) {
  if (stream.capturing)
    misuse("waiting for a stream that is being captured");
  Work work;
  work.swap(stream.queue);
  for (const auto &one : work)
    one();
}

size_t bytesOf(const cuda::InputShape &in, uint64_t frames) {
  const uint64_t pixels = uint64_t(in.height) * in.width;
  return in.form == cuda::formAnalog ? pixels * ((in.channels + 3) / 4 * 4) : pixels * frames * in.words * (in.form == cuda::formBits ? 4 : 32);
}

/// Every pointer of a launch, as far as the kernel reads or writes from it.
void checkPointers(const cuda::Launch &l, const cuda::Pointers &p) {
  const cuda::LayerShape &s = l.shape;
  const uint64_t pixels = uint64_t(s.out_height) * s.out_width, outputs = pixels * s.out_channels;
  if (l.encodes())
    mustBeDevice(p.input[0], p.batch * outputs * (l.kernel == cuda::Kernel::EncodeImage ? 1 : s.timesteps), "a kernel's sample");
  for (uint32_t i = 0; i < s.input_count; ++i)
    mustBeDevice(p.input[i], p.batch * bytesOf(s.input[i], s.timesteps), "a kernel's input");
  if (l.kernel == cuda::Kernel::EncodeImage)
    mustBeDevice(p.table, s.out_channels * 256, "the encoder's table");
  if (s.out_form == cuda::formReadout) {
    mustBeDevice(p.out, ((p.batch - 1) * uint64_t(s.readout_stride) + s.readout_offset + outputs) * 4, "a read-out's outputs");
  } else {
    cuda::InputShape out = {};
    out.form = s.out_form, out.channels = s.out_channels, out.words = s.out_words, out.height = s.out_height, out.width = s.out_width;
    mustBeDevice(p.out, p.batch * bytesOf(out, s.timesteps), "a kernel's output");
  }
  if (p.state)
    mustBeDevice(p.state, p.batch * outputs * 4, "membranes");
  if (p.counts)
    mustBeDevice(p.counts, 16, "counters");
  if (l.encodes() || l.kernel == cuda::Kernel::Pool || l.kernel == cuda::Kernel::Add)
    return;
  mustBeDevice(p.bias, s.out_channels * 4, "a bias");
  for (uint32_t i = 0; i < s.input_count; ++i)
    mustBeDevice(p.weight[i], 1, "weights");
  if (l.spiking())
    mustBeDevice(p.theta, s.out_channels * 4, "thresholds"), mustBeDevice(p.amount, s.out_channels * 4, "reset amounts");
}

template <typename L> uint32_t sharedBytesOf(const L &launch) {
  if constexpr (requires { launch.sharedBytes(); })
    return uint32_t(launch.sharedBytes());
  else
    return 0;
}

void checkInert(const cuda::Pointers &p) {
  for (uint32_t i = 0; i < cuda::maxInputs; ++i)
    for (const void *at : {p.input[i], p.weight[i]})
      if (at)
        mustBeDevice(at, 1, "a kernel's input or weights");
  for (const void *at : {static_cast<const void *>(p.bias), static_cast<const void *>(p.theta), static_cast<const void *>(p.amount), static_cast<const void *>(p.table),
                         static_cast<const void *>(p.state), static_cast<const void *>(p.counts)})
    if (at)
      mustBeDevice(at, 1, "what a kernel reads");
  mustBeDevice(p.out, 1, "a kernel's output");
}

template <typename T> void *make(std::set<void *> &all) {
  T *one = new T;
  all.insert(one);
  return one;
}
template <typename T> void drop(std::set<void *> &all, void *handle, const char *what) {
  delete known<T>(all, handle, what);
  all.erase(handle);
}

} // namespace

extern "C" {

void lasnn_emulated_configure(const EmulatedSetup *setup) {
  Driver &d = driver();
  const std::lock_guard<std::recursive_mutex> lock(d.mutex);
  d.setup = *setup;
  d.fail_function = setup->fail_function ? setup->fail_function : "", d.jit_log = setup->jit_log ? setup->jit_log : "";
  d.state.calls = d.state.kernels = 0;
  d.state.failed[0] = 0;
  d.sticky = success;
}

void lasnn_emulated_state(EmulatedState *state) {
  Driver &d = driver();
  const std::lock_guard<std::recursive_mutex> lock(d.mutex);
  d.state.allocations = d.allocations.size(), d.state.pinned = d.pinned.size(), d.state.streams = d.streams.size(), d.state.events = d.events.size();
  d.state.graphs = d.graphs.size(), d.state.executables = d.executables.size(), d.state.modules = d.modules.size(), d.state.current = contextsHere;
  *state = d.state;
}

Result cuGetErrorName(int code, const char **text) {
  static const std::map<int, const char *> names = {
      {1, "CUDA_ERROR_INVALID_VALUE"}, {2, "CUDA_ERROR_OUT_OF_MEMORY"}, {100, "CUDA_ERROR_NO_DEVICE"}, {200, "CUDA_ERROR_INVALID_IMAGE"},
      {209, "CUDA_ERROR_NO_BINARY_FOR_GPU"}, {218, "CUDA_ERROR_INVALID_PTX"}, {222, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION"}, {500, "CUDA_ERROR_NOT_FOUND"},
      {700, "CUDA_ERROR_ILLEGAL_ADDRESS"}, {719, "CUDA_ERROR_LAUNCH_FAILED"}, {803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"}};
  const auto name = names.find(code);
  *text = name == names.end() ? nullptr : name->second;
  return *text ? success : invalidValue;
}
Result cuGetErrorString(int code, const char **text) {
  *text = code == 700 ? "an illegal memory access was encountered" : "emulated";
  return success;
}

Result cuInit(unsigned) {
  BEGIN_ANYWHERE(cuInit)
  driver().initialised = driver().setup.init_result == success;
  return driver().setup.init_result;
}
Result cuDriverGetVersion(int *version) {
  BEGIN_ANYWHERE(cuDriverGetVersion)
  *version = driver().setup.driver_version;
  return success;
}
Result cuDeviceGetCount(int *count) {
  BEGIN_ANYWHERE(cuDeviceGetCount)
  if (!driver().initialised)
    misuse("a call before cuInit");
  *count = driver().setup.devices;
  return driver().setup.devices > 0 ? success : noDevice;
}
Result cuDeviceGet(int *device, int ordinal) {
  BEGIN_ANYWHERE(cuDeviceGet)
  *device = 10 + ordinal;
  return ordinal < driver().setup.devices ? success : invalidDevice;
}
Result cuDeviceGetName(char *name, int size, int) {
  BEGIN_ANYWHERE(cuDeviceGetName)
  std::snprintf(name, size_t(size), "Emulated GPU");
  return success;
}
Result cuDeviceGetAttribute(int *value, int attribute, int) {
  BEGIN_ANYWHERE(cuDeviceGetAttribute)
  *value = attribute == 75 ? driver().setup.capability / 10 : attribute == 76 ? driver().setup.capability % 10 : 0;
  return attribute == 75 || attribute == 76 ? success : invalidValue;
}

Result cuDevicePrimaryCtxRetain(void **context, int device) {
  BEGIN_ANYWHERE(cuDevicePrimaryCtxRetain)
  *context = reinterpret_cast<void *>(uintptr_t(device) * 16);
  ++driver().state.contexts;
  return success;
}
Result cuDevicePrimaryCtxRelease_v2(int) {
  const Call call("cuDevicePrimaryCtxRelease_v2", false);
  if (driver().state.contexts == 0)
    misuse("a context released that nobody holds");
  --driver().state.contexts;
  return call.result;
}
Result cuCtxPushCurrent_v2(void *) {
  BEGIN_ANYWHERE(cuCtxPushCurrent_v2)
  ++contextsHere;
  return success;
}
Result cuCtxPopCurrent_v2(void **) {
  const Call call("cuCtxPopCurrent_v2", false);
  if (contextsHere == 0)
    misuse("no context to pop");
  --contextsHere;
  return call.result;
}

Result cuModuleLoadDataEx(void **module, const void *image, unsigned count, int *options, void **values) {
  BEGIN(cuModuleLoadDataEx)
  Driver &d = driver();
  if (d.setup.inert) {
    *module = make<Module>(d.modules);
    return success;
  }
  test::EmulatedCode code;
  if (!test::readEmulatedCode(image, code))
    return invalidImage;
  const bool ptx = code.architecture.starts_with("compute_");
  if (ptx && !d.jit_log.empty()) {
    char *log = nullptr;
    size_t size = 0;
    for (unsigned i = 0; i < count; ++i) {
      if (options[i] == 5) log = static_cast<char *>(values[i]);
      if (options[i] == 6) size = size_t(uintptr_t(values[i]));
    }
    if (log)
      std::snprintf(log, size, "%s", d.jit_log.c_str());
    return invalidPtx;
  }
  const int capability = std::stoi(code.architecture.substr(ptx ? 8 : 3));
  const bool exact = code.architecture.back() == 'a';
  if (ptx ? capability > d.setup.capability : capability / 10 != d.setup.capability / 10 || capability > d.setup.capability || (exact && capability != d.setup.capability))
    return noBinary;
  auto *loaded = static_cast<Module *>(make<Module>(d.modules));
  loaded->code = std::move(code);
  *module = loaded;
  return success;
}
Result cuModuleUnload(void *module) {
  const Call call("cuModuleUnload", true);
  drop<Module>(driver().modules, module, "module");
  return call.result;
}
Result cuModuleGetFunction(void **function, void *handle, const char *name) {
  BEGIN(cuModuleGetFunction)
  auto *module = known<Module>(driver().modules, handle, "module");
  if (driver().setup.inert) {
    module->functions.push_back(std::make_unique<Function>(module, nullptr));
    *function = module->functions.back().get();
    return success;
  }
  for (const auto &[kernel, launch] : module->code.kernels)
    if (kernel == name) {
      module->functions.push_back(std::make_unique<Function>(module, &launch));
      *function = module->functions.back().get();
      return success;
    }
  return notFound;
}
Result cuFuncGetAttribute(int *value, int attribute, void *) {
  BEGIN(cuFuncGetAttribute)
  *value = 1024;
  return attribute == 0 ? success : invalidValue;
}
Result cuFuncSetAttribute(void *, int attribute, int value) {
  BEGIN(cuFuncSetAttribute)
  return attribute == 8 && value <= 227 << 10 ? success : invalidValue;
}

Result cuMemGetInfo_v2(size_t *free_bytes, size_t *total) {
  BEGIN(cuMemGetInfo_v2)
  Driver &d = driver();
  *total = d.setup.memory_bytes;
  *free_bytes = d.setup.memory_bytes - std::min<uint64_t>(d.setup.memory_bytes, d.state.allocated_bytes);
  return success;
}
Result cuMemAlloc_v2(unsigned long long *at, size_t bytes) {
  BEGIN(cuMemAlloc_v2)
  Driver &d = driver();
  if (bytes == 0)
    return invalidValue;
  if (bytes > d.setup.memory_bytes || d.state.allocated_bytes > d.setup.memory_bytes - bytes)
    return outOfMemory;
  void *memory = nullptr;
  if (posix_memalign(&memory, 256, bytes) != 0)
    return outOfMemory;
  memset(memory, 0xA5, bytes); // whatever a device's memory holds
  d.allocations[uintptr_t(memory)] = bytes;
  d.state.allocated_bytes += bytes;
  *at = uintptr_t(memory);
  return success;
}
Result cuMemFree_v2(unsigned long long at) {
  const Call call("cuMemFree_v2", true);
  Driver &d = driver();
  const auto block = d.allocations.find(uintptr_t(at));
  if (block == d.allocations.end())
    misuse("memory freed that is not allocated");
  d.state.allocated_bytes -= block->second;
  free(reinterpret_cast<void *>(block->first));
  d.allocations.erase(block);
  return call.result;
}
Result cuMemHostAlloc(void **at, size_t bytes, unsigned) {
  BEGIN(cuMemHostAlloc)
  *at = malloc(bytes);
  if (*at == nullptr)
    return outOfMemory;
  memset(*at, 0x5A, bytes);
  driver().pinned[uintptr_t(*at)] = bytes;
  return success;
}
Result cuMemFreeHost(void *at) {
  const Call call("cuMemFreeHost", true);
  if (driver().pinned.erase(uintptr_t(at)) == 0)
    misuse("pinned memory freed that is not allocated");
  free(at);
  return call.result;
}

Result cuMemcpyHtoDAsync_v2(unsigned long long to, const void *from, size_t bytes, void *stream) {
  BEGIN(cuMemcpyHtoDAsync_v2)
  auto *target = reinterpret_cast<void *>(uintptr_t(to));
  mustBeDevice(target, bytes, "a copy to the device");
  if (known<Stream>(driver().streams, stream, "stream")->capturing && !inside(driver().pinned, uintptr_t(from), bytes))
    misuse("a graph copies from memory that is not pinned");
  enqueue(stream, [=] { memcpy(target, from, bytes); });
  return success;
}
Result cuMemcpyDtoHAsync_v2(void *to, unsigned long long from, size_t bytes, void *stream) {
  BEGIN(cuMemcpyDtoHAsync_v2)
  const auto *source = reinterpret_cast<const void *>(uintptr_t(from));
  mustBeDevice(source, bytes, "a copy from the device");
  if (known<Stream>(driver().streams, stream, "stream")->capturing && !inside(driver().pinned, uintptr_t(to), bytes))
    misuse("a graph copies to memory that is not pinned");
  enqueue(stream, [=] { memcpy(to, source, bytes); });
  return success;
}
Result cuMemcpyDtoDAsync_v2(unsigned long long to, unsigned long long from, size_t bytes, void *stream) {
  BEGIN(cuMemcpyDtoDAsync_v2)
  auto *target = reinterpret_cast<void *>(uintptr_t(to));
  const auto *source = reinterpret_cast<const void *>(uintptr_t(from));
  mustBeDevice(target, bytes, "a copy within the device"), mustBeDevice(source, bytes, "a copy within the device");
  if (to < from + bytes && from < to + bytes)
    misuse("a copy onto itself");
  enqueue(stream, [=] { memcpy(target, source, bytes); });
  return success;
}
Result cuMemsetD8Async(unsigned long long at, unsigned char value, size_t bytes, void *stream) {
  BEGIN(cuMemsetD8Async)
  auto *target = reinterpret_cast<void *>(uintptr_t(at));
  mustBeDevice(target, bytes, "a fill");
  enqueue(stream, [=] { memset(target, value, bytes); });
  return success;
}

Result cuStreamCreate(void **stream, unsigned) {
  BEGIN(cuStreamCreate)
  *stream = make<Stream>(driver().streams);
  return success;
}
Result cuStreamDestroy_v2(void *stream) {
  const Call call("cuStreamDestroy_v2", true);
  drop<Stream>(driver().streams, stream, "stream");
  return call.result;
}
Result cuStreamSynchronize(void *stream) {
  BEGIN(cuStreamSynchronize)
  finish(*known<Stream>(driver().streams, stream, "stream"));
  return success;
}

Result cuStreamBeginCapture_v2(void *handle, int) {
  BEGIN(cuStreamBeginCapture_v2)
  auto *stream = known<Stream>(driver().streams, handle, "stream");
  if (stream->capturing)
    return captureUnmatched;
  stream->capturing = true;
  return success;
}
Result cuStreamEndCapture(void *handle, void **graph) {
  const Call call("cuStreamEndCapture", true);
  auto *stream = known<Stream>(driver().streams, handle, "stream");
  if (!stream->capturing)
    return captureUnmatched;
  stream->capturing = false;
  Work work;
  work.swap(stream->captured);
  if (call.result != success)
    return call.result;
  *graph = make<Work>(driver().graphs);
  *static_cast<Work *>(*graph) = std::move(work);
  return success;
}
Result cuGraphDestroy(void *graph) {
  const Call call("cuGraphDestroy", true);
  drop<Work>(driver().graphs, graph, "graph");
  return call.result;
}
Result cuGraphInstantiateWithFlags(void **executable, void *graph, unsigned long long) {
  BEGIN(cuGraphInstantiateWithFlags)
  const auto *work = known<Work>(driver().graphs, graph, "graph");
  *executable = make<Executable>(driver().executables);
  static_cast<Executable *>(*executable)->work = *work;
  return success;
}
Result cuGraphLaunch(void *handle, void *stream) {
  BEGIN(cuGraphLaunch)
  const Work &work = known<Executable>(driver().executables, handle, "executable graph")->work;
  enqueue(stream, [work] {
    for (const auto &one : work)
      one();
  });
  return success;
}
Result cuGraphExecDestroy(void *executable) {
  const Call call("cuGraphExecDestroy", true);
  drop<Executable>(driver().executables, executable, "executable graph");
  return call.result;
}

Result cuLaunchKernel(void *handle, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared,
                      void *stream, void **parameters, void **) {
  BEGIN(cuLaunchKernel)
  const auto *function = static_cast<const Function *>(handle);
  known<Module>(driver().modules, function->first, "module");
  const cuda::Pointers p = *static_cast<const cuda::Pointers *>(parameters[0]);
  if (driver().setup.inert) {
    checkInert(p);
    ++driver().state.kernels;
    return grid_x > 0 && grid_x <= INT32_MAX && block_x > 0 && block_x <= 1024 ? success : invalidValue;
  }
  const cuda::Launch launch = *function->second;
  if (grid_x != launch.grid().blocks(p.batch) || grid_y != 1 || grid_z != 1 || block_x != cuda::threadsPerBlock || block_y != 1 || block_z != 1 ||
      shared != sharedBytesOf(launch))
    misuse("a launch of " + std::to_string(grid_x) + " blocks of " + std::to_string(block_x) + " threads and " + std::to_string(shared) +
           " bytes, the kernel is made for " + std::to_string(launch.grid().blocks(p.batch)) + " of " + std::to_string(cuda::threadsPerBlock) + " and " +
           std::to_string(sharedBytesOf(launch)));
  checkPointers(launch, p);
  enqueue(stream, [launch, p] {
    cuda::runKernelOnHost(launch, p);
    driver().clock_ms += 0.01f;
    ++driver().state.kernels;
  });
  return success;
}

Result cuEventCreate(void **event, unsigned) {
  BEGIN(cuEventCreate)
  *event = make<Event>(driver().events);
  return success;
}
Result cuEventDestroy_v2(void *event) {
  const Call call("cuEventDestroy_v2", true);
  drop<Event>(driver().events, event, "event");
  return call.result;
}
Result cuEventRecord(void *handle, void *stream) {
  BEGIN(cuEventRecord)
  auto *event = known<Event>(driver().events, handle, "event");
  event->stream = known<Stream>(driver().streams, stream, "stream");
  const auto mark = event->mark = std::make_shared<Mark>();
  enqueue(stream, [mark] { mark->done = true, mark->at_ms = driver().clock_ms; });
  return success;
}
Result cuEventSynchronize(void *handle) {
  BEGIN(cuEventSynchronize)
  auto *event = known<Event>(driver().events, handle, "event");
  if (!event->mark)
    return success;
  Stream &stream = *event->stream;
  while (!event->mark->done && !stream.queue.empty()) { // no further than the event
    const auto work = std::move(stream.queue.front());
    stream.queue.erase(stream.queue.begin());
    work();
  }
  return success;
}
Result cuEventElapsedTime(float *ms, void *begin, void *end) {
  BEGIN(cuEventElapsedTime)
  const auto *from = known<Event>(driver().events, begin, "event"), *to = known<Event>(driver().events, end, "event");
  if (!from->mark || !to->mark || !from->mark->done || !to->mark->done)
    return notReady;
  *ms = to->mark->at_ms - from->mark->at_ms;
  return success;
}
}
