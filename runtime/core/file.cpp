// The C API: a network from a file, mapped read-only for as long as the network lives; and the end of a network.
#include "core/create.h"
#include "core/network.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

using lasnn::runtime::ErrorText;

namespace {

lasnn_status mapFile(const char *path, void *&bytes, size_t &size, ErrorText &error) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  struct stat info;
  if (fd < 0 || fstat(fd, &info) != 0) {
    error.set("cannot open '%.128s': %s", path, strerror(errno));
    if (fd >= 0) close(fd);
    return LASNN_IO;
  }
  if (!S_ISREG(info.st_mode) || info.st_size <= 0) {
    error.set("'%.128s' is empty or no regular file", path);
    close(fd);
    return S_ISREG(info.st_mode) ? LASNN_BAD_MODEL : LASNN_IO;
  }
  size = size_t(info.st_size);
  bytes = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  const int map_errno = errno;
  close(fd);
  if (bytes != MAP_FAILED) return LASNN_OK;
  error.set("cannot map '%.128s': %s", path, strerror(map_errno));
  return LASNN_IO;
}

} // namespace

lasnn_status lasnn_create_from_file(const char *path, const lasnn_options *options, lasnn_network **network, char *error,
                                    size_t error_size) {
  ErrorText text(error, error_size);
  if (path == nullptr || network == nullptr) {
    text.set("path or network is null");
    return LASNN_INVALID_ARGUMENT;
  }
  void *bytes = nullptr;
  size_t size = 0;
  lasnn_status status = mapFile(path, bytes, size, text);
  if (status != LASNN_OK) return status;
  status = lasnn::runtime::createNetwork(bytes, size, options, network, text);
  if (status != LASNN_OK) {
    munmap(bytes, size);
    return status;
  }
  (*network)->mapped = bytes;
  (*network)->mapped_size = size;
  return LASNN_OK;
}

void lasnn_destroy(lasnn_network *network) {
  if (network == nullptr) return;
  // The network itself lies in the memory it may own.
  void *own = network->own_memory;
  if (network->mapped) munmap(network->mapped, network->mapped_size);
  free(own);
}
