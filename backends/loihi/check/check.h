// The independent checker of a finished mapping: it recounts every resource of every core from the cores' own bits, knows the chip and the
// file's format and nothing of the mapper, and says what breaks which limit. docs/loihi-reports.md lists the codes.
#pragma once

#include "backends/loihi/chip.h"
#include "backends/loihi/lmap.pb.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace lasnn::loihi::check {

/// One broken rule: the worst place, and how many there are. `needed` and `allowed` are 0 where the rule is not about a number.
struct Finding {
  std::string code, place;
  uint64_t needed = 0, allowed = 0;
  std::string text, cure; ///< what is wrong there; the smallest change that helps
  uint32_t places = 1;
};

/// Bits of synapse memory by what they hold.
struct Bits {
  uint64_t weights = 0, delays = 0, indices = 0, prefixes = 0, padding = 0, soft_reset = 0;
};

/// A core as recounted.
struct CoreCount {
  uint32_t address = 0;
  uint64_t neurons = 0, compartments = 0, input_axons = 0, output_entries = 0, synapse_words = 0, synapse_formats = 0, compartment_profiles = 0, threshold_profiles = 0,
           destination_groups = 0, longest_list = 0, largest_delay = 0, largest_cx_base = 0;
  struct Layer {
    uint64_t neurons = 0, stored = 0, expanded = 0, words = 0; ///< synapses into it, without zero weights: in lists; over all spikes that come in
    bool encodings[3] = {};                                     ///< SPARSE, RUNLENGTH, DENSE
    Bits bits;
  };
  std::map<uint32_t, Layer> layers;
  std::vector<int32_t> axon_layers; ///< layer that each input axon leads to (the first of several); -1: none
};

struct Result {
  std::vector<Finding> findings; ///< one a code, in the order in which they were met
  std::vector<CoreCount> cores;  ///< as in the mapping
  bool ok() const { return findings.empty(); }
  /// Every finding as "code: place: needs N, allowed M: text; cure".
  std::string text() const;
};

Result check(const lmap::Mapping &mapping, const Chip &chip);

} // namespace lasnn::loihi::check
