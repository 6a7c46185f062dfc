// A mapped network as SANA-FE's two files, architecture and network, so that an independent simulator can say what it makes of it.
// SANA-FE (SLAM-Lab, GPL-3.0) is not linked or copied; its file grammar is in the docs of that project.
#pragma once

#include "backends/loihi/sim/program.h"

#include <string>
#include <vector>

namespace lasnn::loihi {

/// What the host does, which SANA-FE knows no word for: its spikes come from a column of tiles beside the chip whose units cost
/// nothing; the hops from there are charged, to the tile where they end.
/// What the chip itself does is the rest of SANA-FE's numbers.
struct SanafeHost {
  uint64_t fired = 0, messages = 0, hops_ew = 0, hops_ns = 0;
  uint64_t synops[3] = {}; ///< of biases that begin late, by encoding: on the chip they are no synapses
};

struct SanafeFiles {
  std::string architecture, network;
  std::vector<SanafeHost> host;   ///< by SANA-FE's step: where the host sends spikes, SANA-FE is one step behind the chip
  std::vector<std::string> notes; ///< where SANA-FE's numbers differ from ours by what it cannot express
};

/// profile: of the chip, by name. sample: of program.input_size bytes, written as spike trains or biases; null: an input of zeros.
/// False with every reason in `errors` when SANA-FE cannot express the network (several chips, delays, graded spikes, ...).
bool exportSanafe(const Program &program, const std::string &profile, const uint8_t *sample, SanafeFiles &files, std::vector<std::string> &errors);

} // namespace lasnn::loihi
