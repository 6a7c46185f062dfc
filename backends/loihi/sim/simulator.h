// The functional simulator of a mapped network: executes a Program step by step with the chip's integers and counts what happens.
// A simulator is one sample at a time; many may share a program. The same numbers come out for any number of threads.
#pragma once

#include "backends/loihi/sim/program.h"

#include <memory>

namespace lasnn::loihi {

struct SimulatorOptions {
  unsigned threads = 1;       ///< that work on one sample, core by core
  bool record_spikes = false; ///< keep the spikes of the last run
};

class Simulator {
public:
  Simulator(std::shared_ptr<const Program> program, const SimulatorOptions &options);
  ~Simulator();

  const Program &program() const { return *program_; }
  /// One sample of program().input_size bytes, from reset to read-out.
  void run(const uint8_t *sample, std::vector<int32_t> &outputs);

  /// Since clearStatistics(). Layers' `spikes` are sums of counts.
  const Statistics &statistics() const { return statistics_; }
  void clearStatistics();
  /// Messages over every link since clearStatistics().
  std::vector<LinkLoad> links() const;
  /// Of the last run, [layer][T][neurons]; empty unless they are recorded.
  const std::vector<std::vector<uint8_t>> &spikes() const { return spikes_; }

private:
  struct CoreState;
  class Pool;

  void stem(const uint8_t *sample);
  void inject(const uint8_t *frame, uint32_t step);
  void updateCore(uint32_t index, uint32_t step);
  void updateGroup(CoreState &state, const CoreProgram &core, const NeuronGroup &group, uint32_t step);
  void deliver(uint32_t index, uint32_t step);
  void apply(CoreState &state, const CoreProgram &core, uint32_t target, int32_t payload, uint32_t from_step, Counts &counts);
  void account(uint32_t step);
  void gather();

  std::shared_ptr<const Program> program_;
  SimulatorOptions options_;
  std::vector<CoreState> cores_;
  std::unique_ptr<Pool> pool_;
  std::vector<std::vector<uint8_t>> spikes_;
  std::vector<int32_t> outputs_;
  Statistics statistics_;
};

} // namespace lasnn::loihi
