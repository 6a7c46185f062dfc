// The Loihi simulator on the DVS-gesture network that SANA-FE ships: seconds to load its mapping and to run 128 steps. One JSON object on stdout.
//   bench_loihi_sim --dvs=FILE.yaml [--steps=N] [--rate=P] [--threads=N]     FILE: SANA-FE's dvs.yaml, unpacked (shared/data/models/sanafe_dvs)
#include "backends/loihi/map/map.h"
#include "backends/loihi/sim/energy.h"
#include "backends/loihi/sim/simulator.h"
#include "bench/loihi_dvs.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>

using namespace lasnn;
using namespace lasnn::loihi;

int main(int argc, char **argv) {
  std::string file;
  uint32_t steps = 128;
  unsigned threads = 1;
  double rate = 0.07;
  for (int i = 1; i < argc; ++i) {
    if (std::strncmp(argv[i], "--dvs=", 6) == 0) file = argv[i] + 6;
    else if (std::strncmp(argv[i], "--steps=", 8) == 0) steps = uint32_t(std::strtoul(argv[i] + 8, nullptr, 10));
    else if (std::strncmp(argv[i], "--threads=", 10) == 0) threads = unsigned(std::strtoul(argv[i] + 10, nullptr, 10));
    else if (std::strncmp(argv[i], "--rate=", 7) == 0) rate = std::strtod(argv[i] + 7, nullptr);
    else return std::fprintf(stderr, "bench_loihi_sim: unknown argument '%s'\n", argv[i]), 2;
  }
  std::string error;
  std::optional<bench::DvsNetwork> dvs = bench::readDvs(file, error);
  if (!dvs) return std::fprintf(stderr, "bench_loihi_sim: %s\n", error.c_str()), 1;
  MapOptions map;
  map.effort = 0, map.baselines = false;
  MapResult mapped = mapNetwork(dvs->plan, *loadChip("loihi1").chip, map, {});
  if (!mapped.mapping) return std::fprintf(stderr, "bench_loihi_sim: %s\n", mapped.errors.empty() ? "no mapping" : mapped.errors[0].c_str()), 1;
  mapped.mapping->mutable_header()->set_timesteps(steps); // afterwards: over so many steps no bound proves that a voltage fits
  const std::vector<uint8_t> bytes = writeLmap(*mapped.mapping);

  const auto seconds = [](auto since) { return std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count(); };
  auto begin = std::chrono::steady_clock::now();
  lmap::Mapping mapping;
  std::vector<std::string> errors;
  if (!readLmap(bytes, mapping, error)) return std::fprintf(stderr, "bench_loihi_sim: %s\n", error.c_str()), 1;
  const auto program = makeProgram(mapping, errors);
  if (!program) return std::fprintf(stderr, "bench_loihi_sim: %s\n", errors[0].c_str()), 1;
  SimulatorOptions options;
  options.threads = threads;
  Simulator simulator(program, options);
  const double load = seconds(begin);
  std::vector<uint8_t> input(program->input_size);
  uint32_t state = 1; // spikes of the input at a rate that makes about as many spikes in the network as are published (38,081)
  for (uint8_t &value : input) value = (state = state * 1664525u + 1013904223u) >> 16 < uint32_t(65536 * rate);
  std::vector<int32_t> outputs;
  simulator.run(input.data(), outputs); // the first run pays for cold caches
  simulator.clearStatistics();
  begin = std::chrono::steady_clock::now();
  simulator.run(input.data(), outputs);
  const double run = seconds(begin);
  const Counts total = simulator.statistics().total();
  nlohmann::ordered_json json{{"cores", program->cores.size()}, {"chip_steps", program->steps}, {"bytes", bytes.size()},          {"load_s", load},
                              {"run_s", run},                   {"spikes", total.spikes},       {"messages", total.messages_out}, {"synops", total.synapticOperations()}};
  json["nahuku_uj"] = energyReport(program->chip, 1, program->chips, simulator.statistics()).total.total_pj() * 1e-6;
  std::printf("%s\n", json.dump(1).c_str());
  return 0;
}
