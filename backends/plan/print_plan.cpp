#include "backends/plan/plan_network.h"

#include <fmt/format.h>

namespace lasnn::plan {

static const char *kindName(LayerKind kind) {
  switch (kind) {
  case LayerKind::Spiking: return "spiking";
  case LayerKind::Readout: return "readout";
  case LayerKind::Pool: return "pool";
  case LayerKind::Add: return "add";
  }
  return "?";
}

std::string printPlan(const Network &plan) {
  std::string text = fmt::format("network {}  T={}  encoding {}\n", plan.name, plan.timesteps,
                                 plan.encoding == Encoding::Direct ? "direct" : "events");
  for (const Buffer &b : plan.buffers)
    text += fmt::format("buffer {}  {}x{}x{}  count <= {}\n", b.name, b.channels, b.height, b.width, b.max_count);
  for (const Delay &d : plan.delays)
    text += fmt::format("delay {}  of {}\n", plan.buffers[d.to].name, plan.buffers[d.from].name);
  for (const Layer &layer : plan.layers) {
    text += fmt::format("layer {}  {}  -> {}x{}x{}", layer.name, kindName(layer.kind), layer.out_channels, layer.out_height, layer.out_width);
    if (layer.kind == LayerKind::Spiking)
      text += fmt::format("  state {} bits, current {}, decay {}/4096", layer.neuron.state_bits,
                          layer.current_fits_int16 ? "16 bits" : "32 bits", layer.neuron.decay);
    if (layer.poolsCurrents())
      text += fmt::format("  maximum over {}x{} of {}x{} currents, stride {}x{}", layer.kernel_h, layer.kernel_w, layer.current_height, layer.current_width,
                          layer.stride_h, layer.stride_w);
    for (uint32_t input : layer.inputs) text += fmt::format("  reads {}", plan.buffers[input].name);
    text += "\n";
    for (const Synapse &s : layer.synapses)
      text += fmt::format("  synapse {}  reads {}  kernel {}x{}  stride {}x{}  groups {}  {} weights\n", s.name, plan.buffers[s.input].name,
                          s.kernel_h, s.kernel_w, s.stride_h, s.stride_w, s.groups, s.weight.size());
  }
  return text;
}

} // namespace lasnn::plan
