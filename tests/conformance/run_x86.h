// What a network computed, whoever computed it, and the x86 artefact run through the runtime's C API.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lasnn::test {

struct LayerTrace {
  std::string name;
  uint64_t neurons = 0, steps = 0, spikes = 0, clips = 0, synops = 0;
  std::vector<std::vector<uint8_t>> counts; ///< one entry a sample and step: [sample * T + step]
};

struct Trace {
  int timesteps = 1;
  std::vector<LayerTrace> layers;             ///< neuron layers in order of execution; statistics over all samples
  std::vector<std::vector<int32_t>> outputs;  ///< one a sample
  std::vector<std::vector<int32_t>> streamed; ///< after every step of the stream, which goes on beyond T
  std::vector<std::vector<uint8_t>> samples, stream;
};

/// Names of the instruction sets that can run here.
std::vector<std::string> x86Kinds();
/// "" when the artefact, run on `kind`, gives the interpreter's trace, else the first difference.
std::string compareX86(const std::vector<uint8_t> &artefact, const std::string &kind, const Trace &truth);
/// The `ir` section of an artefact; empty with `error` set when it cannot be read.
std::vector<uint8_t> irOfX86(const std::vector<uint8_t> &artefact, std::string &error);

} // namespace lasnn::test
