// Writes what SANA-FE needs for one random network, and what our simulator found: sanafe_case SEED DIR. Exit 3: SANA-FE cannot express it.
#include "backends/loihi/sanafe/export.h"
#include "backends/loihi/sim/energy.h"
#include "backends/loihi/sim/simulator.h"
#include "tests/backends/loihi/plain_mapper.h"
#include "tests/runtime/random_plan.h"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <cstdlib>
#include <fstream>

using namespace lasnn;
using namespace lasnn::loihi;

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  const uint64_t seed = std::strtoull(argv[1], nullptr, 10);
  const std::string dir = argv[2];
  plan::Network plan = test::randomChipPlan(seed);
  plan.timesteps += 6; // long enough that every layer runs
  plan.buffers[0].max_count = 1;
  test::PlainOptions options;
  options.slack = false, options.plain = true;
  const Chip chip = *loadChip("loihi1").chip;
  std::vector<std::string> errors;
  const auto program = makeProgram(test::plainMapping(plan, chip, seed, options), errors);
  if (!program) return std::fprintf(stderr, "%s\n", errors.empty() ? "" : errors[0].c_str()), 1;
  const std::vector<uint8_t> input = test::randomInput(plan, seed);
  SanafeFiles files;
  if (!exportSanafe(*program, "nahuku", input.data(), files, errors)) return std::printf("%s\n", errors[0].c_str()), 3;
  if (!files.notes.empty()) return std::printf("%s\n", files.notes[0].c_str()), 3;

  SimulatorOptions with;
  with.record_spikes = true;
  Simulator simulator(program, with);
  std::vector<int32_t> outputs;
  simulator.run(input.data(), outputs);
  const Statistics &stats = simulator.statistics();
  const uint32_t shift = plan.encoding == plan::Encoding::Events, steps = plan.timesteps + shift;
  nlohmann::json json = {{"steps", steps}, {"spikes", nlohmann::json::array()}, {"seed", seed}};
  StepCost cost;
  Counts counts;
  SanafeHost host;
  for (uint32_t k = 0; k < plan.timesteps; ++k) cost += stats.cost[1][k], counts += stats.step(k);
  for (uint32_t j = 0; j < steps; ++j)
    for (int e = 0; e < 3; ++e) host.synops[e] += files.host[j].synops[e];
  Counts biases;
  for (int e = 0; e < 3; ++e) biases.synops[e] = host.synops[e];
  for (uint32_t j = 0; j < steps; ++j)
    host.fired += files.host[j].fired, host.messages += files.host[j].messages, host.hops_ew += files.host[j].hops_ew,
        host.hops_ns += files.host[j].hops_ns;
  // SANA-FE looks at every compartment in its first step too, in which only the host acts
  const double first = shift ? double(stats.step(0).accesses) * 51.2 : 0;
  for (int l = 0; l < program->mapping.layers_size(); ++l) {
    const lmap::Layer &layer = program->mapping.layers(l);
    for (uint32_t t = 0; t + layer.start() < plan.timesteps && !simulator.spikes()[size_t(l)].empty(); ++t)
      for (uint64_t n = 0; n < stats.layers[size_t(l)].neurons; ++n)
        if (simulator.spikes()[size_t(l)][t * stats.layers[size_t(l)].neurons + n])
          json["spikes"].push_back({t + layer.start() + shift, "l" + std::to_string(l) + "." + std::to_string(n)});
  }
  json["fired"] = counts.spikes + host.fired, json["packets"] = counts.messages_out + host.messages;
  json["hops"] = counts.hops() + host.hops_ew + host.hops_ns;
  const double host_hops = double(host.hops_ew) * 3.0 + double(host.hops_ns) * 4.2; // SANA-FE charges hops to the tile where they end
  json["synapse_pj"] = cost.synapse_pj + energyOf(biases, chip.profiles[1]).synapse_pj, json["soma_pj"] = cost.neuron_pj + first,
  json["network_pj"] = cost.network_pj + host_hops;
  json["time_ns"] = nullptr; // the host's messages take time in SANA-FE
  if (host.messages == 0) json["time_ns"] = cost.time_ns;
  json["events"] = bool(shift);
  std::ofstream(dir + "/arch.yaml") << files.architecture;
  std::ofstream(dir + "/net.yaml") << files.network;
  std::ofstream(dir + "/expected.json") << json.dump(1) << "\n";
  return 0;
}
