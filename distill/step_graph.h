// A training step's gradients as one recorded graph: on a GPU a step is thousands of small kernels, and launching them one by one can
// take longer than running them. A CUDA graph launches them all at once (NVIDIA: CUDA C++ Programming Guide, "CUDA Graphs").
#pragma once

#include "distill/batches.h"
#include "distill/terms.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace lasnn::distill {

/// Runs work once and can have it done again on the same memory.
class Recorder {
public:
  virtual ~Recorder() = default;
  /// Records `work`, which returns the tensors it makes. What it does is not done yet: replay() does it, the first time too.
  virtual std::vector<torch::Tensor> record(const std::function<std::vector<torch::Tensor>()> &work) = 0;
  /// Does the work on what its inputs hold now; its tensors hold the results, on the current stream.
  virtual void replay() = 0;
};

/// A CUDA graph. Throws where LibTorch has no CUDA.
std::unique_ptr<Recorder> cudaRecorder();

/// The gradients of batches of one shape after another. The first `warmUp` of a shape run as always (libraries choose their algorithms
/// then); the next is recorded, and from then on replayed with each batch copied to where the recorded one lay.
class StepGraph {
public:
  /// Adds gradients to the parameters, and terms: the same operations for every batch of a shape, and no look at a value on the way.
  using Work = std::function<void(const Batch &, Terms &)>;

  StepGraph(std::vector<torch::Tensor> parameters, std::function<std::unique_ptr<Recorder>()> newRecorder, int warmUp = 3);
  /// Leaves the batch's gradients in the parameters. `timesteps` is part of the shape.
  void run(const Batch &, int64_t timesteps, const Work &, Terms &);
  /// Why the graph could not be recorded; work then goes on without. Empty: nothing went wrong.
  const std::string &problem() const { return problem_; }
  int64_t replays() const { return replays_; }

private:
  struct Recorded {
    int seen = 0;
    std::unique_ptr<Recorder> recorder;
    Batch batch;
    Terms terms;
    std::vector<torch::Tensor> grads; // one a parameter; undefined where it has none
  };
  bool record(Recorded &, const Batch &, const Work &);
  void replay(Recorded &, Batch, Terms &);
  void clearGradients();

  std::vector<torch::Tensor> parameters_;
  std::function<std::unique_ptr<Recorder>()> newRecorder_;
  int warmUp_;
  int64_t timesteps_ = 0, replays_ = 0;
  std::map<std::vector<int64_t>, Recorded> recorded_; // by shape
  std::string problem_;
};

} // namespace lasnn::distill
