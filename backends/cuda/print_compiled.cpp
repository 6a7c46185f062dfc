#include "backends/cuda/compile.h"

#include <fmt/format.h>

namespace lasnn::cuda {
namespace {

const char *formText(uint32_t form) { return form == formBits ? "bits" : form == formCounts ? "counts" : form == formAnalog ? "int8" : "sums"; }

void printProgram(const Program &program, const char *title, std::string &text) {
  text += fmt::format("{}: {} launches, T = {}\n", title, program.launches.size(), program.timesteps);
  for (const Launch &launch : program.launches) {
    const LayerShape &l = launch.shape;
    uint64_t weights = 0;
    for (const std::vector<uint8_t> &packed : launch.weights)
      weights += packed.size();
    text += fmt::format("  {:<24} {:<14} {:>4}x{}x{} {:<6} {:>8} weight bytes, {} blocks a sample, {} for 64\n", launch.name, nameOf(launch.kernel), l.out_channels,
                        l.out_height, l.out_width, formText(l.out_form), weights, launch.grid().blocks(1), launch.grid().blocks(64));
  }
}

} // namespace

std::string printCompiled(const Compiled &compiled) {
  std::string text = fmt::format("network {}\n{} bytes of buffers a sample\n", compiled.step.name, compiled.arena_bytes);
  for (const plan::Delay &delay : compiled.step.delays)
    text += fmt::format("buffer {} holds what buffer {} held one step ago\n", delay.to, delay.from);
  if (!compiled.whole.launches.empty())
    printProgram(compiled.whole, "all steps at once", text);
  printProgram(compiled.step, "one step", text);
  if (!compiled.kernels.empty())
    text += fmt::format("kernels\n  {:<24} {:<14} {:<11} {:<5} registers  shared bytes  spilled bytes\n", "layer", "form", "for", "steps");
  for (const KernelReport &k : compiled.kernels)
    text += fmt::format("  {:<24} {:<14} {:<11} {:<5} {:>9}  {:>12}  {:>13}\n", k.layer, k.form, k.architecture, k.step ? "one" : "all", k.resources.registers,
                        k.shared_bytes, k.spilled());
  return text;
}

} // namespace lasnn::cuda
