#include "tools/verify/source.h"

#include "llvm/Support/Endian.h"

#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/wait.h>
#include <unistd.h>

namespace lasnn::tools::verify {
namespace {

struct {
  const char *name;
  const char *content;
} constexpr kScript[] = {
#include "verify_source_runner.inc"
};

/// A child with a pipe each way. Ends with this object.
class Child {
public:
  ~Child() {
    if (to >= 0) close(to);
    if (from >= 0) close(from);
    if (process > 0) waitpid(process, nullptr, 0); // its input has ended, and so will it
  }

  llvm::Error start(const std::string &python, const std::string &argument) {
    signal(SIGPIPE, SIG_IGN); // a child that died is an error of a write
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
      return llvm::createStringError(fmt::format("no pipe: {}", strerror(errno)));
    process = fork();
    if (process == 0) {
      dup2(in[0], 0), dup2(out[1], 1);
      execlp(python.c_str(), python.c_str(), "-c", kScript[0].content, argument.c_str(), nullptr);
      _exit(127);
    }
    close(in[0]), close(out[1]);
    to = in[1], from = out[0];
    return process > 0 ? llvm::Error::success() : llvm::createStringError(fmt::format("cannot start a process: {}", strerror(errno)));
  }

  /// The kind of the answer, or 0 when there is none. A child that has gone may have left its reason behind.
  char ask(char kind, llvm::StringRef payload, std::string &answer) {
    char head[5] = {kind};
    llvm::support::endian::write32le(head + 1, uint32_t(payload.size()));
    if (writeAll(head, 5)) writeAll(payload.data(), payload.size());
    if (!readAll(head, 5)) return 0;
    answer.resize(llvm::support::endian::read32le(head + 1));
    return readAll(answer.data(), answer.size()) ? head[0] : 0;
  }

private:
  bool writeAll(const char *bytes, size_t size) {
    while (size) {
      const ssize_t done = write(to, bytes, size);
      if (done < 0 && errno == EINTR) continue;
      if (done <= 0) return false;
      bytes += done, size -= size_t(done);
    }
    return true;
  }
  bool readAll(char *bytes, size_t size) {
    while (size) {
      const ssize_t done = read(from, bytes, size);
      if (done < 0 && errno == EINTR) continue;
      if (done <= 0) return false;
      bytes += done, size -= size_t(done);
    }
    return true;
  }
  pid_t process = -1;
  int to = -1, from = -1;
};

class Source final : public Executor {
public:
  llvm::Error start(const std::string &given, llvm::StringRef model, const std::string &overrides) {
    python = given;
    if (llvm::Error error = child.start(python, overrides)) return error;
    std::string answer;
    const char kind = child.ask('M', model, answer);
    if (kind != 'H') return refused(kind, answer);
    const auto header = nlohmann::json::parse(answer, nullptr, false);
    if (header.is_discarded()) return refused(0, "");
    engine = header["engine"].get<std::string>(), steps = header["timesteps"].get<size_t>(), bytes = header["input_bytes"].get<size_t>();
    for (const auto &layer : header["layers"])
      layers.emplace_back(layer["name"].get<std::string>(), layer["neurons"].get<size_t>());
    return llvm::Error::success();
  }

  std::string name() const override { return engine; }
  size_t inputSize() const override { return bytes; }
  size_t timesteps() const override { return steps; }

  llvm::Error run(const uint8_t *sample, Trace &trace) override {
    std::string answer;
    const char kind = child.ask('S', {reinterpret_cast<const char *>(sample), bytes}, answer);
    if (kind != 'R') return refused(kind, answer);
    size_t needed = 0;
    for (const auto &[name, neurons] : layers)
      needed += steps * neurons * 5;
    if (answer.size() < needed) return refused(0, "");
    trace.layers.resize(layers.size());
    const char *at = answer.data();
    for (size_t l = 0; l < layers.size(); ++l) {
      LayerTrace &layer = trace.layers[l];
      const size_t count = steps * layers[l].second;
      layer.name = layers[l].first, layer.neurons = layers[l].second;
      layer.spikes.assign(at, at + count);
      layer.membranes.resize(count);
      std::memcpy(layer.membranes.data(), at + count, 4 * count);
      at += 5 * count;
    }
    trace.output.values.clear();
    trace.output.logits.resize(size_t(answer.data() + answer.size() - at) / 4);
    std::memcpy(trace.output.logits.data(), at, 4 * trace.output.logits.size());
    return llvm::Error::success();
  }

private:
  llvm::Error refused(char kind, const std::string &text) {
    return llvm::createStringError(kind == 'E' ? fmt::format("{}: {}", python, text)
                                               : fmt::format("{}: it ended without an answer; is it a Python 3?", python));
  }
  Child child;
  std::string python, engine;
  size_t steps = 0, bytes = 0;
  std::vector<std::pair<std::string, size_t>> layers;
};

} // namespace

llvm::Expected<std::unique_ptr<Executor>> startSource(const std::string &python, llvm::StringRef model,
                                                      const onnx_import::ImportOptions &options) {
  nlohmann::json overrides = nlohmann::json::object();
  auto list = [](const std::vector<float> &values) {
    std::string text;
    for (float value : values)
      text += fmt::format("{}{:.9g}", text.empty() ? "" : ",", value);
    return text;
  };
  if (options.timesteps) overrides["lasnn.timesteps"] = std::to_string(*options.timesteps);
  if (options.mean) overrides["lasnn.mean"] = list(*options.mean);
  if (options.std) overrides["lasnn.std"] = list(*options.std);
  if (options.readout) overrides["lasnn.readout"] = snn::stringifyReadoutMode(*options.readout).str();
  if (options.encoding) overrides["lasnn.encoding"] = snn::stringifyEncoding(*options.encoding).str();
  auto source = std::make_unique<Source>();
  if (llvm::Error error = source->start(python, model, overrides.dump())) return error;
  return source;
}

} // namespace lasnn::tools::verify
