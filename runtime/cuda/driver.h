// The CUDA driver's functions that are used, found by dlopen: no CUDA header or library is needed to build. Types, names and numbers are those of
// the driver API's reference; every handle is a pointer and every result an int, 0 for success.
#pragma once

#include "core/error.h"
#include "lasnn/lasnn.h"

#include <cstddef>
#include <cstdint>

namespace lasnn::cuda {

using runtime::ErrorText;
using DevicePointer = unsigned long long;

// X(member, symbol, parameters). Symbols carry the version whose parameters are written here; all are in drivers of CUDA 11.4 and later.
#define LASNN_CUDA_DRIVER_FUNCTIONS(X)                                                                                                     \
  X(errorName, cuGetErrorName, (int code, const char **text))                                                                              \
  X(errorString, cuGetErrorString, (int code, const char **text))                                                                          \
  X(init, cuInit, (unsigned flags))                                                                                                        \
  X(driverVersion, cuDriverGetVersion, (int *version))                                                                                     \
  X(deviceCount, cuDeviceGetCount, (int *count))                                                                                           \
  X(deviceGet, cuDeviceGet, (int *device, int ordinal))                                                                                    \
  X(deviceName, cuDeviceGetName, (char *name, int size, int device))                                                                       \
  X(deviceAttribute, cuDeviceGetAttribute, (int *value, int attribute, int device))                                                        \
  X(contextRetain, cuDevicePrimaryCtxRetain, (void **context, int device))                                                                 \
  X(contextRelease, cuDevicePrimaryCtxRelease_v2, (int device))                                                                            \
  X(contextPush, cuCtxPushCurrent_v2, (void *context))                                                                                     \
  X(contextPop, cuCtxPopCurrent_v2, (void **context))                                                                                      \
  X(moduleLoad, cuModuleLoadDataEx, (void **module, const void *image, unsigned count, int *options, void **values))                       \
  X(moduleUnload, cuModuleUnload, (void *module))                                                                                          \
  X(moduleFunction, cuModuleGetFunction, (void **function, void *module, const char *name))                                                \
  X(functionAttribute, cuFuncGetAttribute, (int *value, int attribute, void *function))                                                    \
  X(functionSetAttribute, cuFuncSetAttribute, (void *function, int attribute, int value))                                                  \
  X(memoryInfo, cuMemGetInfo_v2, (size_t *free, size_t *total))                                                                            \
  X(memoryAlloc, cuMemAlloc_v2, (DevicePointer *at, size_t bytes))                                                                         \
  X(memoryFree, cuMemFree_v2, (DevicePointer at))                                                                                          \
  X(pinnedAlloc, cuMemHostAlloc, (void **at, size_t bytes, unsigned flags))                                                                \
  X(pinnedFree, cuMemFreeHost, (void *at))                                                                                                 \
  X(copyIn, cuMemcpyHtoDAsync_v2, (DevicePointer to, const void *from, size_t bytes, void *stream))                                        \
  X(copyOut, cuMemcpyDtoHAsync_v2, (void *to, DevicePointer from, size_t bytes, void *stream))                                             \
  X(copyWithin, cuMemcpyDtoDAsync_v2, (DevicePointer to, DevicePointer from, size_t bytes, void *stream))                                  \
  X(fill, cuMemsetD8Async, (DevicePointer at, unsigned char value, size_t bytes, void *stream))                                            \
  X(streamCreate, cuStreamCreate, (void **stream, unsigned flags))                                                                         \
  X(streamDestroy, cuStreamDestroy_v2, (void *stream))                                                                                     \
  X(streamWait, cuStreamSynchronize, (void *stream))                                                                                       \
  X(captureBegin, cuStreamBeginCapture_v2, (void *stream, int mode))                                                                       \
  X(captureEnd, cuStreamEndCapture, (void *stream, void **graph))                                                                          \
  X(graphDestroy, cuGraphDestroy, (void *graph))                                                                                           \
  X(graphInstantiate, cuGraphInstantiateWithFlags, (void **executable, void *graph, unsigned long long flags))                             \
  X(graphLaunch, cuGraphLaunch, (void *executable, void *stream))                                                                          \
  X(executableDestroy, cuGraphExecDestroy, (void *executable))                                                                             \
  X(launch, cuLaunchKernel,                                                                                                                \
    (void *function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y, unsigned block_z,              \
     unsigned shared_bytes, void *stream, void **parameters, void **extra))                                                                \
  X(eventCreate, cuEventCreate, (void **event, unsigned flags))                                                                            \
  X(eventDestroy, cuEventDestroy_v2, (void *event))                                                                                        \
  X(eventRecord, cuEventRecord, (void *event, void *stream))                                                                               \
  X(eventWait, cuEventSynchronize, (void *event))                                                                                          \
  X(eventElapsed, cuEventElapsedTime, (float *milliseconds, void *begin, void *end))

constexpr int kOldestDriver = 11040; // cuGraphInstantiateWithFlags

enum Result : int {
  resultOutOfMemory = 2,
  resultDeviceUnavailable = 46,
  resultNoDevice = 100,
  resultInvalidDevice = 101,
  resultInvalidImage = 200,
  resultNoBinaryForGpu = 209,
  resultInvalidPtx = 218,
  resultUnsupportedPtxVersion = 222,
  resultInvalidSource = 300,
  resultNotFound = 500
};
enum DeviceAttribute : int { attributeMajor = 75, attributeMinor = 76 };
enum FunctionAttribute : int { attributeMostThreads = 0, attributeDynamicShared = 8 };
enum JitOption : int { jitErrorLog = 5, jitErrorLogBytes = 6 };
constexpr unsigned kStreamNonBlocking = 1, kEventWithoutTiming = 2;
constexpr int kCaptureThread = 1; // other threads of the process may do what they like meanwhile
constexpr uint32_t kSharedBytesOfAnyKernel = 48 << 10;

struct Driver {
#define LASNN_CUDA_MEMBER(member, symbol, parameters) int (*member) parameters;
  LASNN_CUDA_DRIVER_FUNCTIONS(LASNN_CUDA_MEMBER)
#undef LASNN_CUDA_MEMBER
  int version; ///< as cuDriverGetVersion: 12040 is 12.4
};

/// Opens the driver and initialises it. path: of libcuda; null: the environment's LASNN_CUDA_DRIVER, else libcuda.so.1. The library stays open: a
/// driver cannot be unloaded.
lasnn_status loadDriver(const char *path, Driver &driver, ErrorText &error);

/// The driver's name and text of a result: "CUDA_ERROR_ILLEGAL_ADDRESS (700): an illegal memory access was encountered".
struct ResultText {
  char text[160];
  ResultText(const Driver &driver, int result);
};

/// After such a result the context, with everything in it, is lost.
bool losesDevice(int result);
/// The status of a result while a session is made.
lasnn_status statusOf(int result);

} // namespace lasnn::cuda
