// Several processes that train one network, through torch's c10d: Gloo between processors, NCCL between GPUs.
//
// The launcher (torchrun, or a person) sets RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT. Without them a process is
// alone, and every function here does nothing. Whatever goes wrong between processes is one std::runtime_error that says who is
// gone and how to go on.
#pragma once

#include <torch/torch.h>

#include <memory>
#include <string>

namespace lasnn::distill {

class Group {
public:
  virtual ~Group() = default;
  int rank() const { return rank_; }
  int size() const { return size_; }
  int localRank() const { return localRank_; } // of this machine: which GPU
  bool first() const { return rank_ == 0; }

  /// Tensors := their sums over all processes. All have one type and device; they travel in buckets of about 25 MB.
  virtual void sum(const std::vector<torch::Tensor> &) {}
  /// Tensors := the first process's.
  virtual void broadcast(const std::vector<torch::Tensor> &) {}
  /// Everyone's tensor of one shape, by rank.
  virtual std::vector<torch::Tensor> gather(const torch::Tensor &mine) { return {mine}; }
  /// A text of the first process's.
  std::string broadcastText(const std::string &);

protected:
  int rank_ = 0, size_ = 1, localRank_ = 0;
};

/// By the environment; `timeout` seconds. Throws std::runtime_error when a variable is missing or wrong, or nobody answers.
std::shared_ptr<Group> groupFromEnvironment(const torch::Device &device, double timeout);

} // namespace lasnn::distill
