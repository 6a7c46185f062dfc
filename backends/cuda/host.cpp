#include "backends/cuda/host.h"

#include "backends/cuda/kernels/dense.h"
#include "backends/cuda/kernels/event.h"
#include "backends/cuda/kernels/simple.h"

namespace lasnn::cuda {
namespace {

template <int TS> void layerOf(const Launch &launch, const Pointers &p) {
  if (launch.kernel == Kernel::Event)
    eventLayer<TS>(launch.shape, p);
  else if (launch.tiles == 4)
    denseLayer<TS, 4>(launch.shape, p);
  else
    denseLayer<TS, 8>(launch.shape, p);
}

void kernelOf(const Launch &launch, const Pointers &p) {
  switch (launch.kernel) {
  case Kernel::EncodeImage: return encodeImage(launch.shape, p);
  case Kernel::EncodeEvents: return encodeEvents(launch.shape, p);
  case Kernel::Pool: return poolLayer(launch.shape, p);
  case Kernel::Add: return addLayer(launch.shape, p);
  default: return launch.steps == 1 ? layerOf<1>(launch, p) : launch.steps == 2 ? layerOf<2>(launch, p) : layerOf<4>(launch, p);
  }
}

/// One pass over the launches. state: of each launch with neurons, or null.
void runLaunches(const Program &program, const std::vector<uint8_t> &samples, uint32_t batch, std::vector<std::vector<int32_t>> *state, bool load, HostResult &result) {
  result.outputs.resize(size_t(batch) * program.output_count, -1);
  result.spikes.clear(), result.clips.clear();
  for (size_t at = 0; at < program.launches.size(); ++at) {
    const Launch &launch = program.launches[at];
    Pointers p = {};
    for (size_t i = 0; i < launch.inputs.size(); ++i)
      p.input[i] = result.buffers[launch.inputs[i]].data();
    if (launch.encodes())
      p.input[0] = samples.data();
    for (size_t i = 0; i < launch.weights.size(); ++i)
      p.weight[i] = launch.weights[i].data();
    p.bias = launch.bias.data(), p.theta = launch.theta.data(), p.amount = launch.amount.data(), p.table = program.table.data();
    if (launch.shape.out_form == formReadout) {
      p.out = result.outputs.data();
    } else {
      std::vector<uint8_t> &out = result.buffers[launch.output];
      out.assign(program.buffers[launch.output].bytes(batch, program.timesteps), 0xA5); // whatever a device's memory holds
      p.out = out.data();
    }
    if (state && launch.spiking()) {
      std::vector<int32_t> &v = (*state)[at];
      v.resize(size_t(batch * launch.neurons()), -7777);
      p.state = v.data();
    }
    uint64_t counts[2] = {0, 0};
    p.counts = counts, p.batch = batch, p.load_state = load;
    emulate(uint32_t(launch.grid().blocks(batch)), threadsPerBlock, [&] { kernelOf(launch, p); });
    result.spikes.push_back(counts[0]), result.clips.push_back(counts[1]);
  }
}

} // namespace

HostResult runOnHost(const Program &program, const std::vector<uint8_t> &samples, uint32_t batch) {
  HostResult result;
  result.buffers.assign(program.buffers.size(), {});
  runLaunches(program, samples, batch, nullptr, false, result);
  return result;
}

const HostResult &HostStream::run(const std::vector<uint8_t> &samples) {
  result_.buffers.assign(program_.buffers.size(), {});
  for (size_t i = 0; i < held_.size(); ++i) { // D1; as they are laid out in memory, padding included
    const uint32_t to = program_.delays[i].to;
    held_[i].resize(program_.buffers[to].bytes(batch_, 1), 0);
    result_.buffers[to] = held_[i];
  }
  runLaunches(program_, samples, batch_, &state_, !first_, result_);
  for (size_t i = 0; i < held_.size(); ++i)
    held_[i] = result_.buffers[program_.delays[i].from];
  first_ = false;
  return result_;
}

} // namespace lasnn::cuda
