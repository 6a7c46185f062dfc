// One network through everything: text and bytecode, interpreter, every registered backend, every instruction set.
#pragma once

#include "tests/conformance/random_network.h"

#include <map>
#include <string>

namespace lasnn::test {

/// What the networks that were run looked like; printed at the end, so that a generator gone dull is seen.
struct Coverage {
  int networks = 0, neuronLayers = 0, recurrent = 0, proven16 = 0, clipping = 0, refused = 0;
  int rates[6] = {}; ///< layers by share of elements that spike a step: 0, up to 1 %, 10 %, 50 %, below 100 %, 100 % and more
  uint64_t synops = 0, spikes = 0;
  std::map<std::string, int> ran;      ///< by backend and instruction set
  std::map<std::string, int> refusals; ///< messages of the passes (float form)
  void add(const Coverage &other);
  std::string text() const;
};

struct CheckOptions {
  bool fromFloat = false; ///< through the passes
  std::string inject;     ///< a mistake in the network that the backends get
};

/// "" when all agree, else what differs: "<kind>: <where and which values>".
std::string checkNetwork(const NetworkSpec &spec, const CheckOptions &options, Coverage &coverage);
/// The network as text, for a report.
std::string networkText(const NetworkSpec &spec, bool fromFloat);

} // namespace lasnn::test
