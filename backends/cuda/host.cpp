#include "backends/cuda/host.h"

#include "backends/cuda/forms.h"
#include "backends/cuda/kernels/kernels.h"

#include <type_traits>

namespace lasnn::cuda {
namespace {

template <int Value> using Number = std::integral_constant<int, Value>;

/// run(TS, NT) with the launch's numbers of those that the form is compiled for.
template <int... Tiles, typename Run> void withNumbers(const Launch &launch, const Run &run) {
  const auto withTiles = [&](auto steps) { ((launch.tiles == Tiles ? run(steps, Number<Tiles>()) : void()), ...); };
  launch.steps == 1 ? withTiles(Number<1>()) : launch.steps == 2 ? withTiles(Number<2>()) : withTiles(Number<4>());
}

void kernelOf(const Launch &launch, const Pointers &p) {
  switch (launch.kernel) {
#define SIMPLE(kernel, name, function)                                                                                                               \
  case Kernel::kernel: return function(launch.shape, p);
#define LAYER(kernel, name, function, ...)                                                                                                           \
  case Kernel::kernel:                                                                                                                               \
    return withNumbers<__VA_ARGS__>(launch, [&](auto steps, auto tiles) { function<steps.value, tiles.value>(launch.shape, p); });
#include "backends/cuda/forms.inc"
#undef SIMPLE
#undef LAYER
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
    runKernelOnHost(launch, p);
    result.spikes.push_back(counts[0]), result.clips.push_back(counts[1]);
  }
}

} // namespace

void runKernelOnHost(const Launch &launch, const Pointers &p) {
  emulate(uint32_t(launch.grid().blocks(p.batch)), threadsPerBlock, launch.sharedBytes(), [&] { kernelOf(launch, p); });
}

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
