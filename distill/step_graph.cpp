#include "distill/step_graph.h"

#include "distill/device.h"

#ifdef LASNN_TORCH_CUDA
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#endif

namespace lasnn::distill {
namespace {

#ifdef LASNN_TORCH_CUDA
/// Nothing else may use the device while work is recorded: it has a stream and memory of its own.
class CudaRecorder : public Recorder {
public:
  std::vector<torch::Tensor> record(const std::function<std::vector<torch::Tensor>()> &work) override {
    torch::cuda::synchronize();
    std::vector<torch::Tensor> made;
    {
      const c10::cuda::CUDAStreamGuard guard(c10::cuda::getStreamFromPool());
      graph_.capture_begin();
      try {
        made = work();
      } catch (...) {
        try {
          graph_.capture_end(); // the device stays in recording otherwise
        } catch (const std::exception &) { // the first exception says what happened
        }
        throw;
      }
      graph_.capture_end();
    }
    torch::cuda::synchronize();
    return made;
  }
  void replay() override { graph_.replay(); }

private:
  at::cuda::CUDAGraph graph_;
};
#endif

/// The tensors of a batch, in one order.
std::vector<torch::Tensor *> tensorsOf(Batch &batch) { return {&batch.images, &batch.intensities, &batch.labels, &batch.labels2, &batch.mix}; }

std::vector<int64_t> shapeOf(Batch batch) {
  std::vector<int64_t> shape = {batch.frames};
  for (const torch::Tensor *tensor : tensorsOf(batch)) {
    shape.push_back(tensor->defined() ? tensor->dim() : -1);
    if (tensor->defined())
      shape.insert(shape.end(), tensor->sizes().begin(), tensor->sizes().end());
  }
  return shape;
}

} // namespace

std::unique_ptr<Recorder> cudaRecorder() {
#ifdef LASNN_TORCH_CUDA
  return std::make_unique<CudaRecorder>();
#else
  throw std::logic_error("a CUDA graph, and a LibTorch without CUDA");
#endif
}

StepGraph::StepGraph(std::vector<torch::Tensor> parameters, std::function<std::unique_ptr<Recorder>()> newRecorder, int warmUp)
    : parameters_(std::move(parameters)), newRecorder_(std::move(newRecorder)), warmUp_(warmUp) {}

void StepGraph::clearGradients() {
  for (torch::Tensor &p : parameters_)
    p.mutable_grad() = torch::Tensor();
}

void StepGraph::run(const Batch &batch, int64_t timesteps, const Work &work, Terms &terms) {
  clearGradients();
  if (timesteps != timesteps_)
    recorded_.clear(); // their memory with them
  timesteps_ = timesteps;
  if (problem_.empty()) {
    Recorded &r = recorded_[shapeOf(batch)];
    if (++r.seen > warmUp_ && (r.recorder || record(r, batch, work)))
      return replay(r, batch, terms);
  }
  work(batch, terms);
}

void StepGraph::replay(Recorded &r, Batch batch, Terms &terms) {
  const std::vector<torch::Tensor *> from = tensorsOf(batch), to = tensorsOf(r.batch);
  for (size_t i = 0; i < from.size(); ++i)
    if (from[i]->defined())
      to[i]->copy_(*from[i]);
  r.recorder->replay();
  ++replays_;
  for (size_t i = 0; i < parameters_.size(); ++i)
    parameters_[i].mutable_grad() = r.grads[i];
  terms.add(r.terms);
}

bool StepGraph::record(Recorded &r, const Batch &batch, const Work &work) {
  r.batch = batch;
  for (torch::Tensor *tensor : tensorsOf(r.batch))
    if (tensor->defined())
      *tensor = tensor->clone(); // in the memory format it has
  auto recorder = newRecorder_();
  try {
    const std::vector<torch::Tensor> made = recorder->record([&] {
      clearGradients();
      r.terms = Terms();
      work(r.batch, r.terms);
      std::vector<torch::Tensor> tensors;
      for (const torch::Tensor &p : parameters_)
        tensors.push_back(p.grad());
      for (const auto &[name, sum] : r.terms.sums())
        tensors.push_back(sum);
      return tensors;
    });
    r.grads.assign(made.begin(), made.begin() + std::ptrdiff_t(parameters_.size()));
    r.recorder = std::move(recorder);
    return true;
  } catch (const std::exception &e) {
    clearGradients();
    if (isOutOfMemory(e))
      throw;
    problem_ = e.what();
    recorded_.clear();
    return false;
  }
}

} // namespace lasnn::distill
