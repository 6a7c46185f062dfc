#include "backends/loihi/map/parts.h"

#include <algorithm>

namespace lasnn::loihi {

Parts::Parts(const Hypergraph &graph, const PartLimits &limits, uint32_t count)
    : graph_(graph), limits_(limits), count_(count), of_(graph.vertices.size(), kNone), synapses_(graph.nets.size() * count, 0),
      at_threshold_(size_t(graph.thresholds) * count, 0), loads_(count) {}

bool Parts::within(const Load &load) const {
  return load.compartments <= limits_.compartments && load.axons <= limits_.axons && load.entries <= limits_.entries &&
         load.thresholds <= limits_.thresholds &&
         double(load.own_words) + double(load.words) * limits_.words_scale <= double(limits_.words);
}

bool Parts::broken(uint32_t part) const { return !within(loads_[part]); }

bool Parts::fits(uint32_t v, uint32_t part) const {
  const Hypergraph::Vertex &vertex = graph_.vertices[v];
  Load load = loads_[part];
  load.compartments += vertex.compartments;
  load.entries += vertex.entries;
  load.axons += vertex.axons;
  load.own_words += vertex.words;
  if (load.compartments > limits_.compartments || load.entries > limits_.entries) return false;
  for (const uint32_t t : vertex.thresholds)
    load.thresholds += at_threshold_[size_t(part) * graph_.thresholds + t] == 0;
  for (uint32_t i = graph_.first[v]; i < graph_.first[v + 1]; ++i) {
    const Hypergraph::Pin &pin = graph_.back[i];
    const Hypergraph::Net &net = graph_.nets[pin.other];
    const uint32_t before = synapses(pin.other, part);
    if (before + pin.synapses > limits_.longest[net.projection]) return false;
    const std::vector<uint32_t> &words = limits_.words_of[net.projection];
    load.words += uint64_t(words[before + pin.synapses] - words[before]) * net.axons;
    if (before == 0) load.axons += net.axons;
  }
  return within(load);
}

void Parts::insert(uint32_t v, uint32_t part) {
  const Hypergraph::Vertex &vertex = graph_.vertices[v];
  Load &load = loads_[part];
  of_[v] = part;
  load.compartments += vertex.compartments;
  load.entries += vertex.entries;
  load.axons += vertex.axons;
  load.own_words += vertex.words;
  for (const uint32_t t : vertex.thresholds)
    load.thresholds += at_threshold_[size_t(part) * graph_.thresholds + t]++ == 0;
  for (uint32_t i = graph_.first[v]; i < graph_.first[v + 1]; ++i) {
    const Hypergraph::Pin &pin = graph_.back[i];
    const Hypergraph::Net &net = graph_.nets[pin.other];
    uint32_t &here = synapses_[size_t(pin.other) * count_ + part];
    const std::vector<uint32_t> &words = limits_.words_of[net.projection];
    const uint32_t last = uint32_t(words.size()) - 1;
    load.words += uint64_t(words[std::min(last, here + pin.synapses)] - words[std::min(last, here)]) * net.axons;
    if (here == 0) load.axons += net.axons, packets_ += net.packets;
    here += pin.synapses;
  }
}

void Parts::remove(uint32_t v) {
  const Hypergraph::Vertex &vertex = graph_.vertices[v];
  const uint32_t part = of_[v];
  Load &load = loads_[part];
  of_[v] = kNone;
  load.compartments -= vertex.compartments;
  load.entries -= vertex.entries;
  load.axons -= vertex.axons;
  load.own_words -= vertex.words;
  for (const uint32_t t : vertex.thresholds)
    load.thresholds -= --at_threshold_[size_t(part) * graph_.thresholds + t] == 0;
  for (uint32_t i = graph_.first[v]; i < graph_.first[v + 1]; ++i) {
    const Hypergraph::Pin &pin = graph_.back[i];
    const Hypergraph::Net &net = graph_.nets[pin.other];
    uint32_t &here = synapses_[size_t(pin.other) * count_ + part];
    const std::vector<uint32_t> &words = limits_.words_of[net.projection];
    const uint32_t last = uint32_t(words.size()) - 1;
    load.words -= uint64_t(words[std::min(last, here)] - words[std::min(last, here - pin.synapses)]) * net.axons;
    here -= pin.synapses;
    if (here == 0) load.axons -= net.axons, packets_ -= net.packets;
  }
}

void Parts::gains(uint32_t v, std::vector<double> &gain) const {
  const uint32_t from = of_[v];
  double freed = 0, total = 0;
  gain.assign(count_, 0);
  for (uint32_t i = graph_.first[v]; i < graph_.first[v + 1]; ++i) {
    const Hypergraph::Pin &pin = graph_.back[i];
    const double packets = graph_.nets[pin.other].packets;
    const uint32_t *row = &synapses_[size_t(pin.other) * count_];
    total += packets;
    if (row[from] == pin.synapses) freed += packets;
    for (uint32_t k = 0; k < count_; ++k)
      if (row[k] > 0) gain[k] += packets;
  }
  for (uint32_t k = 0; k < count_; ++k)
    gain[k] = k == from ? 0 : freed - total + gain[k];
}

double Parts::costOf(uint32_t v, uint32_t part) const {
  double cost = 0;
  for (uint32_t i = graph_.first[v]; i < graph_.first[v + 1]; ++i)
    if (synapses(graph_.back[i].other, part) == 0) cost += graph_.nets[graph_.back[i].other].packets;
  return cost;
}

} // namespace lasnn::loihi
