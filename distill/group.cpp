#include "distill/group.h"

#include <fmt/format.h>
#include <signal.h>
#include <torch/version.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>

#if defined(LASNN_GLOO) || defined(LASNN_NCCL)
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#endif
#ifdef LASNN_GLOO
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#endif
#ifdef LASNN_NCCL
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif

namespace lasnn::distill {

std::string Group::broadcastText(const std::string &text) {
  if (size_ == 1)
    return text;
  torch::Tensor length = torch::tensor({int64_t(text.size())}, torch::kInt64);
  broadcast({length});
  torch::Tensor bytes = torch::empty({length.item<int64_t>()}, torch::kUInt8);
  if (first())
    std::copy(text.begin(), text.end(), bytes.data_ptr<uint8_t>());
  broadcast({bytes});
  return {bytes.data_ptr<uint8_t>(), bytes.data_ptr<uint8_t>() + bytes.numel()};
}

namespace {

int numberFromEnvironment(const char *name, int low, int high) {
  const char *text = std::getenv(name);
  const std::string value = text ? text : "";
  int number = 0;
  const auto [stop, failure] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (failure != std::errc() || stop != value.data() + value.size() || number < low || number > high)
    throw std::runtime_error(fmt::format("{}={}: several processes need it to be a number from {} to {}; torchrun sets it, or unset WORLD_SIZE to train alone",
                                         name, text ? value : "(not set)", low, high));
  return number;
}

#if defined(LASNN_GLOO) || defined(LASNN_NCCL)
#if TORCH_VERSION_MAJOR >= 2
using Backend = c10d::Backend;
#else
using Backend = c10d::ProcessGroup;
#endif

std::string firstLine(const std::exception &e) {
  const std::string text = dynamic_cast<const c10::Error *>(&e) ? static_cast<const c10::Error &>(e).what_without_backtrace() : e.what();
  return text.substr(0, text.find('\n'));
}

class Processes : public Group {
public:
  Processes(const torch::Device &device, double timeout) : device_(device), timeout_(int64_t(timeout * 1000)) {
    size_ = numberFromEnvironment("WORLD_SIZE", 2, 4096);
    rank_ = numberFromEnvironment("RANK", 0, size_ - 1);
    localRank_ = std::getenv("LOCAL_RANK") ? numberFromEnvironment("LOCAL_RANK", 0, 4096) : rank_;
    const char *address = std::getenv("MASTER_ADDR");
    const std::string host = address ? address : "127.0.0.1";
    const int port = numberFromEnvironment("MASTER_PORT", 1, 65535);
    guarded(fmt::format("meeting the others at {}:{}", host, port), [&] {
      c10d::TCPStoreOptions options;
      options.port = uint16_t(port), options.isServer = rank_ == 0, options.timeout = timeout_;
      // torchrun's own agent already serves the store at that address, and says so.
      if (const char *agent = std::getenv("TORCHELASTIC_USE_AGENT_STORE"); agent && std::string(agent) == "True")
        options.isServer = false;
      options.numWorkers = size_, options.waitWorkers = false;
      store_ = c10::make_intrusive<c10d::TCPStore>(host, options);
      introduce();
      connect(host);
    });
  }

  void sum(const std::vector<torch::Tensor> &tensors) override {
    constexpr int64_t bucketBytes = 25 << 20; // large enough for bandwidth, small enough not to double the gradients' memory
    for (size_t begin = 0; begin < tensors.size();) {
      size_t end = begin;
      int64_t bytes = 0;
      std::vector<torch::Tensor> flat;
      for (; end < tensors.size() && (end == begin || bytes < bucketBytes); ++end) {
        flat.push_back(tensors[end].flatten());
        bytes += int64_t(tensors[end].nbytes());
      }
      std::vector<torch::Tensor> bucket = {torch::cat(flat)};
      guarded("adding up gradients", [&] { backend_->allreduce(bucket)->wait(); });
      int64_t at = 0;
      for (size_t i = begin; i < end; ++i) {
        torch::Tensor to = tensors[i];
        to.copy_(bucket[0].narrow(0, at, to.numel()).view(to.sizes()));
        at += to.numel();
      }
      begin = end;
    }
  }

  void broadcast(const std::vector<torch::Tensor> &tensors) override {
    for (const torch::Tensor &tensor : tensors) {
      if (tensor.numel() == 0)
        continue;
      std::vector<torch::Tensor> list = {tensor.detach().to(device_).contiguous()};
      guarded("sharing the first process's state", [&] { backend_->broadcast(list)->wait(); });
      torch::Tensor to = tensor.detach();
      to.copy_(list[0]);
    }
  }

  std::vector<torch::Tensor> gather(const torch::Tensor &mine) override {
    std::vector<torch::Tensor> in = {mine.to(device_).contiguous()};
    std::vector<std::vector<torch::Tensor>> out(1);
    for (int i = 0; i < size_; ++i)
      out[0].push_back(torch::empty_like(in[0]));
    if (mine.numel() > 0)
      guarded("collecting running statistics", [&] { backend_->allgather(out, in)->wait(); });
    for (torch::Tensor &tensor : out[0])
      tensor = tensor.to(mine.device());
    return out[0];
  }

private:
  void connect(const std::string &host) {
    if (device_.is_cuda()) {
#ifdef LASNN_NCCL
      auto options = c10d::ProcessGroupNCCL::Options::create();
      options->timeout = timeout_;
      backend_ = c10::make_intrusive<c10d::ProcessGroupNCCL>(store_, rank_, size_, options);
      return;
#else
      throw std::runtime_error("this build has no NCCL; train on the CPU or build against a LibTorch that has it");
#endif
    }
#ifdef LASNN_GLOO
    auto options = c10d::ProcessGroupGloo::Options::create(timeout_);
    const char *interface = std::getenv("GLOO_SOCKET_IFNAME");
    const bool local = host == "127.0.0.1" || host == "localhost";
    options->devices.push_back(interface ? c10d::ProcessGroupGloo::createDeviceForInterface(interface)
                               : local   ? c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1")
                                         : c10d::ProcessGroupGloo::createDefaultDevice());
    backend_ = c10::make_intrusive<c10d::ProcessGroupGloo>(store_, rank_, size_, options);
#else
    (void)host;
    throw std::runtime_error("this build has no Gloo; build with Gloo's headers (libgloo-dev) or train with --workers in one process");
#endif
  }

  /// Everyone's machine and process number, so that a survivor can tell who is gone.
  void introduce() {
    char name[256] = {};
    gethostname(name, sizeof name - 1);
    host_ = name;
    const std::string mine = fmt::format("{}:{}", host_, getpid());
    store_->set(fmt::format("lasnn/{}", rank_), std::vector<uint8_t>(mine.begin(), mine.end()));
    for (int i = 0; i < size_; ++i) {
      const auto bytes = store_->get(fmt::format("lasnn/{}", i));
      peers_.emplace_back(bytes.begin(), bytes.end());
    }
  }

  std::string whoIsGone() const {
    std::string gone;
    for (int i = 0; i < int(peers_.size()); ++i) {
      const size_t colon = peers_[size_t(i)].rfind(':');
      if (i == rank_ || peers_[size_t(i)].substr(0, colon) != host_)
        continue;
      const int process = std::atoi(peers_[size_t(i)].c_str() + colon + 1);
      if (!isAlive(process))
        gone += fmt::format("{}rank {} (process {} on {})", gone.empty() ? "" : ", ", i, process, host_);
    }
    return gone;
  }

  /// A killed process that its parent has not waited for yet (a zombie) is gone too.
  static bool isAlive(int process) {
    if (kill(process, 0) != 0)
      return false;
    if (FILE *file = std::fopen(fmt::format("/proc/{}/stat", process).c_str(), "r")) {
      char state = 'R';
      const int read = std::fscanf(file, "%*d (%*[^)]) %c", &state);
      std::fclose(file);
      return read != 1 || (state != 'Z' && state != 'X');
    }
    return true;
  }

  template <typename Body> void guarded(const std::string &what, const Body &body) {
    try {
      body();
    } catch (const std::exception &e) {
      std::string gone;
      for (int i = 0; i < 20 && gone.empty() && !peers_.empty(); ++i) { // its sockets close a moment before it is gone
        gone = whoIsGone();
        if (gone.empty())
          usleep(50'000);
      }
      throw std::runtime_error(fmt::format("rank {} of {}: {} failed: {}; {}start all processes again with --resume (--timeout is {:.0f} s)", rank_, size_,
                                           what, firstLine(e), gone.empty() ? "" : gone + " is gone; ", double(timeout_.count()) / 1000));
    }
  }

  torch::Device device_;
  std::chrono::milliseconds timeout_;
  std::string host_;
  std::vector<std::string> peers_;
  c10::intrusive_ptr<c10d::TCPStore> store_;
  c10::intrusive_ptr<Backend> backend_;
};
#endif

} // namespace

std::shared_ptr<Group> groupFromEnvironment(const torch::Device &device, double timeout) {
  const char *world = std::getenv("WORLD_SIZE");
  if (!world || std::string(world) == "1")
    return std::make_shared<Group>();
#if defined(LASNN_GLOO) || defined(LASNN_NCCL)
  return std::make_shared<Processes>(device, timeout);
#else
  (void)device, (void)timeout;
  throw std::runtime_error(fmt::format("WORLD_SIZE={}: this build trains in one process only (Gloo's headers were absent); use --workers, or build with libgloo-dev", world));
#endif
}

} // namespace lasnn::distill
