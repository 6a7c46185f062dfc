#include "backends/loihi/report/advice.h"
#include "backends/loihi/report/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace lasnn::loihi::report {
namespace {

std::string dashed(std::string name) {
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

/// What would save cores: the layers whose cores are filled by something that a change of the network or its widths relieves.
void adviseOnLayers(Data &d) {
  struct Hint {
    double cores;
    std::string text;
  };
  std::vector<Hint> hints;
  for (const Layer &l : d.layers) {
    if (!l.binds || l.cores < 2) continue;
    const double share = percentOf(l.used[*l.binds], d.allowed[*l.binds]).value_or(0);
    if (share < 60) continue;
    const Maybe room = percentOf(l.used[Compartments], d.allowed[Compartments]);
    const double least = d.allowed[Compartments] && *d.allowed[Compartments] ? std::ceil(double(l.neurons) / double(*d.allowed[Compartments])) : 1;
    const double gain = double(l.cores) - std::max(1.0, least);
    if (gain < 1 && *l.binds != Compartments) continue;
    const std::string head = fmt::format("{}: {} binds its {} ({})", l.name, kResources[*l.binds].title, counted(double(l.cores), "core"), percentText(share));
    if (*l.binds == SynapseWords) {
      const double weights = l.memory.total() ? double(l.memory.weights) / double(l.memory.total()) : 0;
      hints.push_back({gain, fmt::format("{}; weights are {:.0f} % of it: a quarter fewer bits would free {:.0f} % of the words; compartments are {} full", head, 100 * weights, 25 * weights, percentText(room))});
    } else if (*l.binds == InputAxons) {
      hints.push_back({gain, head + ": every core sees many sources; fewer input channels or grouped convolutions need fewer axons"});
    } else if (*l.binds == OutputEntries) {
      hints.push_back({gain, head + ": its neurons reach many cores of the next layers; a smaller kernel there, or a next layer of fewer cores, needs fewer entries"});
    } else if (*l.binds == Compartments) {
      if (d.summary.compartments >= 2 * d.summary.neurons) hints.push_back({l.cores / 2.0, head + ": reset by subtraction takes two compartments a neuron; trained with reset to zero it would take one"});
    } else {
      hints.push_back({gain, head});
    }
  }
  std::stable_sort(hints.begin(), hints.end(), [](const Hint &a, const Hint &b) { return a.cores > b.cores; });
  for (size_t i = 0; i < std::min<size_t>(3, hints.size()); ++i) d.advice.push_back(hints[i].text);
}

void adviseOnTraffic(Data &d) {
  const Summary &s = d.summary;
  if (s.static_percent && *s.static_percent > 50)
    d.advice.push_back(fmt::format("{} of the energy is static: fewer steps or a shorter step save more than fewer spikes", percentText(s.static_percent)));
  Maybe axon, all;
  for (const auto &[unit, pj] : d.time.by_unit_pj) {
    all = all.value_or(0) + pj;
    if (unit == "axon") axon = pj;
  }
  if (axon && all && *all > 0 && *axon > 0.35 * *all)
    d.advice.push_back(fmt::format("messages that leave cores take {} of the dynamic energy: --objective=energy cuts layers so that a spike goes to fewer cores", percentText(100 * *axon / *all)));
}

} // namespace

void fillAllowed(Data &d, const Chip &chip) {
  const Limits &l = chip.limits;
  const std::array<const Limit *, ResourceCount> limits{&l.compartments, &l.input_axons, &l.output_entries, &l.synapse_words, &l.synapse_formats, &l.compartment_profiles, &l.threshold_profiles,
                                                        &l.destination_groups, &l.words_per_axon};
  for (size_t r = 0; r < ResourceCount; ++r)
    if (limits[r]->known()) d.allowed[r] = limits[r]->value;
}

void judge(Data &d, const lmap::Mapping &mapping, const Chip &, const check::Result &checked) {
  for (const check::Finding &f : checked.findings) {
    Violation v{f.code, f.place, f.needed, f.allowed, f.text, f.cure, f.places};
    for (const lmap::Violation &m : mapping.result().violations())
      if (dashed(m.limit()) == f.code && !m.cure().empty()) v.cure = m.cure();
    d.violations.push_back(std::move(v));
  }
  for (const lmap::Violation &m : mapping.result().violations()) {
    const std::string code = dashed(m.limit());
    if (std::any_of(d.violations.begin(), d.violations.end(), [&](const Violation &v) { return v.code == code; })) continue;
    const std::string place = m.layer() >= 0 && m.layer() < mapping.layers_size() ? fmt::format("layer '{}'", mapping.layers(m.layer()).name()) : "the network";
    d.violations.push_back({code, place, m.needed(), m.allowed(), m.text(), m.cure().empty() ? "use a larger target, or a smaller network" : m.cure(), 1});
  }
  d.header.fits = d.violations.empty();
  for (const std::string &remark : mapping.result().remarks()) d.advice.push_back(remark);
  adviseOnLayers(d);
  adviseOnTraffic(d);
  const Summary &s = d.summary;
  if (!d.header.fits) {
    const Violation &v = d.violations.front();
    const std::string numbers = v.needed || v.allowed ? fmt::format(" needs {}, allowed {}", whole(double(v.needed)), whole(double(v.allowed))) : "";
    d.header.verdict = fmt::format("{} at {}{}{}", v.code, v.place, v.cores > 1 ? fmt::format(" and {} more", v.cores - 1) : "", numbers);
    if (d.violations.size() > 1) d.header.verdict += fmt::format("; {} other limits are broken", d.violations.size() - 1);
    return;
  }
  std::optional<Resource> fullest;
  for (size_t r = 0; r < ResourceCount; ++r)
    if (s.max_percent[r] && (!fullest || *s.max_percent[r] > *s.max_percent[*fullest])) fullest = Resource(r);
  d.header.verdict = fmt::format("{} on {} of {}", counted(double(s.cores), "core"), counted(double(s.chips), "chip"), d.header.target);
  if (fullest) d.header.verdict += fmt::format("; the fullest resource of a core is {} with {}", kResources[*fullest].title, percentText(s.max_percent[*fullest]));
}

} // namespace lasnn::loihi::report
