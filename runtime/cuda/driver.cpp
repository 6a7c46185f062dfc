#include "cuda/driver.h"

#include <cstdlib>
#include <dlfcn.h>

namespace lasnn::cuda {
namespace {

constexpr const char *kUpdate = "install or update the NVIDIA driver";

void *openDriver(const char *path, ErrorText &error) {
  const char *chosen = path ? path : getenv("LASNN_CUDA_DRIVER");
  void *library = dlopen(chosen ? chosen : "libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char *reason = dlerror();
    error.set("no CUDA driver: %.120s: %s, or name its libcuda in LASNN_CUDA_DRIVER", reason ? reason : "", kUpdate);
  }
  return library;
}

} // namespace

ResultText::ResultText(const Driver &driver, int result) {
  const char *name = nullptr, *meaning = nullptr;
  if (driver.errorName == nullptr || driver.errorName(result, &name) != 0 || name == nullptr) name = "CUDA error";
  if (driver.errorString == nullptr || driver.errorString(result, &meaning) != 0 || meaning == nullptr) meaning = "unknown to the driver";
  snprintf(text, sizeof text, "%s (%d): %s", name, result, meaning);
}

lasnn_status loadDriver(const char *path, Driver &driver, ErrorText &error) {
  driver = {};
  void *library = openDriver(path, error);
  if (library == nullptr) return LASNN_NO_DEVICE;
  const char *missing = nullptr;
#define LASNN_CUDA_FIND(member, symbol, parameters)                                   \
  driver.member = reinterpret_cast<int(*) parameters>(dlsym(library, #symbol));       \
  if (driver.member == nullptr && missing == nullptr) missing = #symbol;
  LASNN_CUDA_DRIVER_FUNCTIONS(LASNN_CUDA_FIND)
#undef LASNN_CUDA_FIND
  if (driver.driverVersion != nullptr && driver.driverVersion(&driver.version) != 0) driver.version = 0;
  if (missing != nullptr || driver.version < kOldestDriver) {
    error.set("the CUDA driver is of CUDA %d.%d%s%s, 11.4 or newer is needed: %s", driver.version / 1000, driver.version % 1000 / 10,
              missing ? " and lacks " : "", missing ? missing : "", kUpdate);
    return LASNN_NO_DEVICE;
  }
  const int result = driver.init(0);
  if (result != 0) {
    error.set("the CUDA driver (CUDA %d.%d) does not start: %s", driver.version / 1000, driver.version % 1000 / 10, ResultText(driver, result).text);
    return LASNN_NO_DEVICE;
  }
  return LASNN_OK;
}

bool losesDevice(int result) {
  switch (result) {
  case resultDeviceUnavailable:
  case 4:                                     // deinitialised
  case 214: case 220: case 226:               // ECC, NVLink, contained
  case 700: case 702: case 709: case 710:     // illegal address, launch time-out, context destroyed, assert
  case 714: case 715: case 716: case 717: case 718: case 719: // hardware stack, instruction, alignment, address space, pc, launch failure
  case 807: case 809: case 810:               // the MPS server went away
  case 999: return true;
  default: return false;
  }
}

lasnn_status statusOf(int result) {
  switch (result) {
  case 0: return LASNN_OK;
  case resultOutOfMemory: return LASNN_OUT_OF_MEMORY;
  case resultInvalidImage:
  case resultInvalidPtx:
  case resultInvalidSource:
  case resultNotFound: return LASNN_BAD_MODEL;
  default: return losesDevice(result) ? LASNN_DEVICE_LOST : LASNN_NO_DEVICE;
  }
}

} // namespace lasnn::cuda
