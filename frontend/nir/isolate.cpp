// HDF5's library crashes on damaged files (1.10.8: H5HG_read copies by a length of the file; tests/frontend/nir/test_fuzz.cpp finds it
// within a few hundred flipped bytes). So a child process reads the file, within limits of time and memory, and hands the tree over.
#include "frontend/nir/isolate.h"

#include <fmt/format.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using llvm::StringRef;

namespace lasnn::nir {
namespace {

constexpr rlim_t kCpuSeconds = 30, kMemory = rlim_t(3) << 30; ///< with what the process has already

/// What goes through the pipe: numbers as they lie in memory, texts and lists behind their sizes.
struct Writer {
  int out;
  std::string buffer;
  bool fine = true;
  void flush() {
    for (size_t at = 0; at < buffer.size() && fine;) {
      const ssize_t wrote = write(out, buffer.data() + at, buffer.size() - at);
      if (wrote > 0)
        at += size_t(wrote);
      else
        fine = false;
    }
    buffer.clear();
  }
  void bytes(const void *data, size_t size) {
    buffer.append(static_cast<const char *>(data), size);
    if (buffer.size() > (size_t(1) << 20)) flush();
  }
  void size(uint64_t value) { bytes(&value, sizeof value); }
  void text(StringRef value) { size(value.size()), bytes(value.data(), value.size()); }
  void group(const Group &group) {
    size(group.arrays.size());
    for (const auto &[name, array] : group.arrays) {
      text(name), size(array.shape.size()), bytes(array.shape.data(), array.shape.size() * 8);
      size(array.values.size()), bytes(array.values.data(), array.values.size() * 8), size(array.texts.size());
      for (const std::string &each : array.texts)
        text(each);
    }
    size(group.groups.size());
    for (const auto &[name, child] : group.groups)
      text(name), this->group(*child);
  }
};

struct Reader {
  StringRef from;
  bool fine = true;
  bool bytes(void *data, size_t size) {
    if (!fine || size > from.size()) return fine = false;
    if (size) std::memcpy(data, from.data(), size);
    from = from.drop_front(size);
    return true;
  }
  /// A count of things that take at least `least` bytes each.
  size_t size(size_t least) {
    uint64_t value = 0;
    if (bytes(&value, sizeof value) && value > from.size() / least) fine = false;
    return fine ? size_t(value) : 0;
  }
  std::string text() {
    std::string value(size(1), '\0');
    bytes(value.data(), value.size());
    return value;
  }
  void group(Group &group) {
    for (size_t k = size(32); k > 0 && fine; --k) {
      Array &array = group.arrays[text()];
      array.shape.resize(size(8)), bytes(array.shape.data(), array.shape.size() * 8);
      array.values.resize(size(8)), bytes(array.values.data(), array.values.size() * 8);
      for (size_t n = size(8); n > 0 && fine; --n)
        array.texts.push_back(text());
      // What others rely on: as many values as the shape says, one at least.
      uint64_t count = 1;
      for (int64_t dim : array.shape)
        fine &= dim >= 1 && (count *= uint64_t(dim)) <= uint64_t(kMaxElements);
      fine &= count == std::max(array.values.size(), array.texts.size()) && (array.values.empty() || array.texts.empty());
    }
    for (size_t k = size(24); k > 0 && fine; --k) {
      auto &slot = group.groups[text()];
      slot = std::make_unique<Group>();
      this->group(*slot);
    }
  }
};

void limit(int resource, rlim_t value) {
  rlimit own{};
  if (getrlimit(resource, &own) != 0) return;
  own.rlim_cur = own.rlim_max == RLIM_INFINITY ? value : std::min(value, own.rlim_max);
  setrlimit(resource, &own);
}

[[noreturn]] void child(StringRef bytes, int out) {
  for (int signal : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGPIPE, SIGXCPU, SIGALRM})
    std::signal(signal, SIG_DFL);
  limit(RLIMIT_CORE, 0), limit(RLIMIT_CPU, kCpuSeconds), limit(RLIMIT_DATA, kMemory);
  alarm(2 * kCpuSeconds); // one that waits for something takes no processor time
  Writer writer{out, {}};
  std::vector<std::pair<std::string, std::string>> problems;
  auto tree = readFileHere(bytes, [&](StringRef path, const std::string &problem) {
    if (problems.size() < 1000) problems.emplace_back(path.str(), problem);
  });
  writer.size(problems.size());
  for (const auto &[path, problem] : problems)
    writer.text(path), writer.text(problem);
  writer.size(tree ? 1 : 0);
  if (tree) writer.group(*tree);
  writer.text("end");
  writer.flush();
  _exit(writer.fine ? 0 : 1);
}

} // namespace

std::unique_ptr<Group> readFile(StringRef bytes, const Report &report) {
  int ends[2];
  if (pipe(ends) != 0)
    return report("", "no pipe can be made to the process that reads it, expected free file descriptors"), std::make_unique<Group>();
  const pid_t pid = fork();
  if (pid == 0) {
    close(ends[0]);
    child(bytes, ends[1]);
  }
  close(ends[1]);
  std::string all;
  char buffer[65536];
  for (ssize_t got; (got = read(ends[0], buffer, sizeof buffer)) > 0 || (got < 0 && errno == EINTR);)
    if (got > 0) all.append(buffer, size_t(got));
  close(ends[0]);
  int status = 0;
  if (pid > 0)
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
  Reader reader{all};
  std::vector<std::pair<std::string, std::string>> problems;
  for (size_t k = reader.size(16); k > 0 && reader.fine; --k) {
    std::string path = reader.text();
    problems.emplace_back(std::move(path), reader.text());
  }
  uint64_t whole = 0;
  reader.bytes(&whole, sizeof whole);
  auto tree = std::make_unique<Group>();
  if (whole) reader.group(*tree);
  if (pid < 0 || status != 0 || reader.text() != "end" || !reader.fine) {
    report("", WIFSIGNALED(status) ? fmt::format("reading it ended with signal {} ({}), expected a whole file; it is damaged",
                                                 WTERMSIG(status), strsignal(WTERMSIG(status)))
                                   : "it cannot be read within 3 GiB and 30 s, expected a whole file; it may be damaged");
    return std::make_unique<Group>();
  }
  for (const auto &[path, problem] : problems)
    report(path, problem);
  return whole ? std::move(tree) : nullptr;
}

} // namespace lasnn::nir
