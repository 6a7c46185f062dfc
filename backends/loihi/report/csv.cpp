#include "backends/loihi/report/csv.h"
#include "backends/loihi/report/words.h"

#include <fmt/format.h>

namespace lasnn::loihi::report {
namespace {

std::string cell(const Maybe &value) { return value ? fmt::format("{}", *value) : ""; }
std::string cell(uint64_t value) { return fmt::format("{}", value); }

} // namespace

std::string csvRow(const std::vector<std::string> &cells) {
  std::string out;
  for (size_t i = 0; i < cells.size(); ++i) {
    if (i) out += ',';
    if (cells[i].find_first_of(",\"\r\n") == std::string::npos) {
      out += cells[i];
      continue;
    }
    out += '"';
    for (char c : cells[i]) out += c == '"' ? "\"\"" : std::string(1, c);
    out += '"';
  }
  return out + "\r\n";
}

std::string coresCsv(const Data &d) {
  std::vector<std::string> row{"id", "place", "chip", "tile", "core", "x", "y", "layers", "neurons"};
  for (const ResourceName &r : kResources) row.push_back(r.key), row.push_back(std::string(r.key) + "_percent");
  for (const char *name : {"binds", "synops_per_step", "packets_in_per_step", "packets_out_per_step", "hops_mean", "busy_ns_per_step", "energy_pj", "weight_bits",
                           "delay_bits", "index_bits", "prefix_bits", "padding_bits", "soft_reset_bits", "routing_entries"})
    row.push_back(name);
  std::string out = csvRow(row);
  for (uint32_t i : busiestFirst(d)) {
    const Core &c = d.cores[i];
    row = {cell(uint64_t(c.id)), placeOf(c), cell(uint64_t(c.chip)), cell(uint64_t(c.tile)), cell(uint64_t(c.core)), cell(uint64_t(c.x)), cell(uint64_t(c.y)), layersOf(d, c), cell(c.neurons)};
    for (size_t r = 0; r < ResourceCount; ++r) row.push_back(cell(c.used[r])), row.push_back(cell(percentOf(c.used[r], d.allowed[r])));
    row.push_back(c.binds ? kResources[*c.binds].key : "");
    for (const Maybe &value : {c.synops_per_step, c.packets_in_per_step, c.packets_out_per_step, c.hops_mean, c.busy_ns_per_step, c.energy_pj}) row.push_back(cell(value));
    const Memory &m = c.memory;
    for (uint64_t bits : {m.weights, m.delays, m.indices, m.prefixes, m.padding, m.soft_reset, m.routing_entries}) row.push_back(cell(bits));
    out += csvRow(row);
  }
  return out;
}

std::string linksCsv(const Data &d) {
  std::string out = csvRow({"from_chip", "from_x", "from_y", "to_chip", "to_x", "to_y", "direction", "messages_per_step", "percent_of_capacity", "contributors"});
  for (const Link &l : d.network.links) {
    std::string who;
    for (const auto &[name, messages] : l.contributors) who += fmt::format("{}{} {}", who.empty() ? "" : "; ", name, messages);
    out += csvRow({cell(uint64_t(l.chip)), cell(uint64_t(l.from_x)), cell(uint64_t(l.from_y)), cell(uint64_t(l.to_chip)), cell(uint64_t(l.to_x)), cell(uint64_t(l.to_y)), l.direction,
                   cell(Maybe(l.messages_per_step)), cell(l.percent), who});
  }
  return out;
}

} // namespace lasnn::loihi::report
