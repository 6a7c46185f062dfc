#include "cuda/device.h"

#include "cuda/memory.h"

#include <cstdlib>
#include <cstring>

namespace lasnn::cuda {
namespace {

using format::CudaCode;

/// How well code serves a GPU; 0: not at all. The very capability first, then the nearest cubin of the same major one, then the nearest PTX.
uint32_t fitness(const CudaCode &code, const Device &d) {
  format::Architecture a;
  if (!format::parseArchitecture(code.architecture()->c_str(), a)) return 0;
  const uint32_t major = uint32_t(d.major), minor = uint32_t(d.minor), number = a.major * 10 + a.minor;
  if (a.exact && (a.major != major || a.minor != minor)) return 0;
  if (a.ptx) return number <= major * 10 + minor ? 1 + number * 2 + a.exact : 0;
  return a.major == major && a.minor <= minor ? (1u << 16) + a.minor * 2 + a.exact : 0;
}

const CudaCode *chooseCode(const format::CudaProgram &program, const Device &d) {
  const CudaCode *best = nullptr;
  for (const CudaCode *code : *program.codes())
    if (fitness(*code, d) > (best ? fitness(*best, d) : 0)) best = code;
  return best;
}

void listCodes(const format::CudaProgram &program, char *text, size_t size) {
  size_t at = 0;
  text[0] = 0;
  for (const CudaCode *code : *program.codes())
    if (at + 24 < size) at += size_t(snprintf(text + at, size - at, "%s%.15s", at ? ", " : "", code->architecture()->c_str()));
}

class Opener {
public:
  Opener(Device &d, ErrorText &error) : d_(d), error_(error) {}

  lasnn_status open(const format::Model &model, uint64_t content_hash, int ordinal, bool streaming) {
    lasnn_status status = findDevice(ordinal);
    if (status != LASNN_OK) return status;
    const CudaCode *code = chooseCode(*model.cuda(), d_);
    if (code == nullptr) {
      char codes[120];
      listCodes(*model.cuda(), codes, sizeof codes);
      error_.set("the file has code for %s, device %d (%.60s) is sm_%d%d: compile with --target=cuda:sm_%d%d", codes, ordinal, d_.name, d_.major, d_.minor,
                 d_.major, d_.minor);
      return LASNN_UNSUPPORTED;
    }
    snprintf(d_.code, sizeof d_.code, "%.15s", code->architecture()->c_str());
    d_.program = makeProgram(*model.cuda(), content_hash, error_);
    if (d_.program == nullptr) return LASNN_OUT_OF_MEMORY;
    const int result = d_.driver.contextRetain(&d_.context, d_.handle);
    if (result != 0) {
      d_.context = nullptr;
      return refuse("opening a context on the GPU", result);
    }
    const Current current(d_);
    if (current.result != 0) return refuse("entering the context", current.result);
    status = loadModules(model, streaming);
    return status == LASNN_OK ? upload(*model.cuda()) : status;
  }

  lasnn_status loadModules(const format::Model &model, bool streaming) {
    const CudaCode *code = nullptr;
    for (const CudaCode *c : *model.cuda()->codes())
      if (strncmp(c->architecture()->c_str(), d_.code, sizeof d_.code - 1) == 0) code = c;
    if (code == nullptr) return LASNN_BAD_MODEL; // the same content hash: not reached
    Sequence &whole = d_.program->whole, &step = d_.program->step;
    lasnn_status status = LASNN_OK;
    if (whole.there()) status = loadModule(*code, code->whole(), whole);
    if (status == LASNN_OK && (streaming || !whole.there())) status = loadModule(*code, code->step(), step);
    return status;
  }

private:
  lasnn_status refuse(const char *doing, int result) {
    error_.set("%s: %s", doing, ResultText(d_.driver, result).text);
    return statusOf(result);
  }

  lasnn_status findDevice(int ordinal) {
    int count = 0;
    int result = d_.driver.deviceCount(&count);
    if (result != 0) return refuse("counting GPUs", result);
    if (ordinal < 0 || ordinal >= count) {
      error_.set("GPU %d of %d: there is none of that number", ordinal, count);
      return LASNN_NO_DEVICE;
    }
    d_.ordinal = ordinal;
    result = d_.driver.deviceGet(&d_.handle, ordinal);
    if (result == 0) result = d_.driver.deviceName(d_.name, sizeof d_.name, d_.handle);
    if (result == 0) result = d_.driver.deviceAttribute(&d_.major, attributeMajor, d_.handle);
    if (result == 0) result = d_.driver.deviceAttribute(&d_.minor, attributeMinor, d_.handle);
    d_.name[sizeof d_.name - 1] = 0;
    return result == 0 ? LASNN_OK : refuse("asking about the GPU", result);
  }

  lasnn_status loadModule(const CudaCode &code, const flatbuffers::Vector<uint8_t> *image, Sequence &s) {
    if (s.module != nullptr) return LASNN_OK;
    char log[512] = "";
    int options[] = {jitErrorLog, jitErrorLogBytes};
    void *values[] = {log, reinterpret_cast<void *>(uintptr_t(sizeof log))};
    const int result = d_.driver.moduleLoad(&s.module, image->data(), 2, options, values);
    log[sizeof log - 1] = 0;
    if (result != 0) {
      s.module = nullptr;
      return refuseModule(code, image, result, log);
    }
    for (uint32_t i = 0; i < s.launch_count; ++i) {
      const lasnn_status status = findFunction(code, s, s.launches[i]);
      if (status == LASNN_OK) continue;
      d_.driver.moduleUnload(s.module);
      s.module = nullptr;
      return status;
    }
    return LASNN_OK;
  }

  lasnn_status refuseModule(const CudaCode &code, const flatbuffers::Vector<uint8_t> *image, int result, const char *log) {
    const int version = d_.driver.version;
    const ResultText text(d_.driver, result);
    if (result == resultUnsupportedPtxVersion || result == resultNoBinaryForGpu) {
      char needed[24] = "";
      format::Architecture a;
      if (format::parseArchitecture(d_.code, a) && a.ptx) ptxVersion(reinterpret_cast<const char *>(image->data()), needed, sizeof needed);
      error_.set("the driver (CUDA %d.%d) is older than the compiler of the file's %.15s%s: update the driver, or compile with the NVRTC of CUDA %d: %s",
                 version / 1000, version % 1000 / 10, code.architecture()->c_str(), needed, version / 1000, text.text);
      return LASNN_NO_DEVICE;
    }
    error_.set("loading the code for %.15s on an sm_%d%d: %s%s%s", code.architecture()->c_str(), d_.major, d_.minor, text.text, log[0] ? "; " : "", log);
    return statusOf(result);
  }

  /// " (PTX 8.4)"
  static void ptxVersion(const char *ptx, char *text, size_t size) {
    const char *at = strstr(ptx, ".version ");
    if (at != nullptr) snprintf(text, size, " (PTX %.*s)", int(strspn(at + 9, "0123456789.")), at + 9);
  }

  lasnn_status findFunction(const CudaCode &code, Sequence &s, Launch &l) {
    int result = d_.driver.moduleFunction(&l.function, s.module, l.kernel);
    if (result == resultNotFound) {
      error_.set("the code for %.15s lacks kernel '%.60s' of layer '%.60s'", code.architecture()->c_str(), l.kernel, l.name);
      return LASNN_BAD_MODEL;
    }
    if (result != 0) return refuse("finding a kernel", result);
    int threads = 0; // the question also has a kernel loaded that the driver would load lazily, at its first launch, which is being captured
    result = d_.driver.functionAttribute(&threads, attributeMostThreads, l.function);
    if (result != 0) return refuse("asking about a kernel", result);
    if (threads < int(l.threads)) {
      error_.set("kernel '%.60s' runs with at most %d threads a block on this GPU, the file asks for %u", l.kernel, threads, l.threads);
      return LASNN_UNSUPPORTED;
    }
    if (l.shared_bytes <= kSharedBytesOfAnyKernel) return LASNN_OK;
    result = d_.driver.functionSetAttribute(l.function, attributeDynamicShared, int(l.shared_bytes));
    if (result == 0) return LASNN_OK;
    error_.set("kernel '%.60s' takes %u bytes of shared memory, the GPU refuses: %s", l.kernel, l.shared_bytes, ResultText(d_.driver, result).text);
    return losesDevice(result) ? LASNN_DEVICE_LOST : LASNN_UNSUPPORTED;
  }

  lasnn_status upload(const format::CudaProgram &source) {
    const Program &p = *d_.program;
    if (p.constant_bytes == 0) return LASNN_OK;
    int result = d_.driver.memoryAlloc(&d_.constants, p.constant_bytes);
    if (result != 0) {
      d_.constants = 0;
      size_t free_bytes = 0, total = 0;
      d_.driver.memoryInfo(&free_bytes, &total);
      error_.set("%llu bytes of device memory for weights, %zu of %zu are free; no max_batch fits: %s", (unsigned long long)p.constant_bytes, free_bytes, total,
                 ResultText(d_.driver, result).text);
      return statusOf(result);
    }
    void *stream = nullptr;
    result = d_.driver.streamCreate(&stream, kStreamNonBlocking);
    if (result != 0) return refuse("making a stream", result);
    uint64_t at = d_.constants;
    for (uint32_t i = 0; result == 0 && source.constants() && i < source.constants()->size(); ++i) {
      const auto &bytes = *source.constants()->Get(i)->bytes();
      result = d_.driver.copyIn(at, bytes.data(), bytes.size(), stream);
      at += aligned(bytes.size());
    }
    if (result == 0 && p.table.bytes > 0) result = d_.driver.copyIn(d_.constants + p.table.offset, source.encode_table()->data(), p.table.bytes, stream);
    if (result == 0) result = d_.driver.streamWait(stream);
    const int destroyed = d_.driver.streamDestroy(stream);
    if (result == 0) result = destroyed;
    return result == 0 ? LASNN_OK : refuse("copying weights to the GPU", result);
  }

  Device &d_;
  ErrorText &error_;
};

} // namespace

lasnn_status openDevice(const format::Model &model, uint64_t content_hash, const char *driver_path, int ordinal, bool streaming, Device *&device, ErrorText &error) {
  auto *d = static_cast<Device *>(calloc(1, sizeof(Device)));
  if (d == nullptr) {
    error.set("%zu bytes of host memory needed", sizeof(Device));
    return LASNN_OUT_OF_MEMORY;
  }
  lasnn_status status = loadDriver(driver_path, d->driver, error);
  if (status != LASNN_OK) {
    free(d);
    return status;
  }
  d->users = 1;
  pthread_mutex_init(&d->mutex, nullptr);
  status = Opener(*d, error).open(model, content_hash, ordinal, streaming);
  if (status == LASNN_OK)
    device = d;
  else
    releaseDevice(d);
  return status;
}

lasnn_status shareDevice(Device &device, const format::Model &model, bool streaming, ErrorText &error) {
  pthread_mutex_lock(&device.mutex);
  lasnn_status status;
  {
    const Current current(device);
    status = statusOf(current.result);
    if (current.result != 0)
      error.set("entering the context: %s", ResultText(device.driver, current.result).text);
    else
      status = Opener(device, error).loadModules(model, streaming);
  }
  pthread_mutex_unlock(&device.mutex);
  if (status == LASNN_OK) __atomic_add_fetch(&device.users, 1, __ATOMIC_RELAXED);
  return status;
}

void releaseDevice(Device *d) {
  if (d == nullptr || __atomic_sub_fetch(&d->users, 1, __ATOMIC_ACQ_REL) > 0) return;
  // Results do not matter here: after a lost device every call fails, and the driver has taken everything back.
  if (d->context != nullptr) {
    {
      const Current current(*d);
      if (d->constants != 0) d->driver.memoryFree(d->constants);
      for (Sequence *s : {&d->program->whole, &d->program->step})
        if (s->module != nullptr) d->driver.moduleUnload(s->module);
    }
    d->driver.contextRelease(d->handle);
  }
  pthread_mutex_destroy(&d->mutex);
  free(d->program);
  free(d);
}

} // namespace lasnn::cuda
