// What sessions of one model on one GPU share: driver, context, code, weights. Freed with the last of them.
#pragma once

#include "cuda/program.h"

#include <pthread.h>

namespace lasnn::cuda {

struct Device {
  Driver driver;
  Program *program;
  int ordinal, handle, major, minor;
  char name[128], code[16];
  void *context;
  DevicePointer constants;
  uint32_t users;        // atomic
  pthread_mutex_t mutex; // of modules, which a sharing session may add to
};

/// Opens GPU `ordinal` with the program and its constants; of the code, what `streaming` needs.
lasnn_status openDevice(const format::Model &model, uint64_t content_hash, const char *driver_path, int ordinal, bool streaming, Device *&device, ErrorText &error);
/// One more user of an open device; `model` holds the code that it may lack.
lasnn_status shareDevice(Device &device, const format::Model &model, bool streaming, ErrorText &error);
/// One user less.
void releaseDevice(Device *device);

/// Makes the device's context the thread's for as long as this lives. result is the driver's.
struct Current {
  explicit Current(const Device &device) : device_(device), result(device.driver.contextPush(device.context)) {}
  ~Current() {
    void *popped;
    if (result == 0) device_.driver.contextPop(&popped);
  }
  Current(const Current &) = delete;
  Current &operator=(const Current &) = delete;

private:
  const Device &device_;

public:
  const int result;
};

} // namespace lasnn::cuda
