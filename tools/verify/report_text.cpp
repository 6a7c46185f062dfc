#include "tools/verify/report.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace lasnn::tools::verify {

std::string toText(const Divergence &d) {
  std::string text = fmt::format("image {}, step {}, neuron {}: {} and {} spikes", d.image, d.step, d.neuron, d.a, d.b);
  auto at = [](float v) { return std::isfinite(v) ? fmt::format("{:.4g}", v) : std::string("a place not seen"); };
  if (std::isfinite(d.membraneA) || std::isfinite(d.membraneB))
    text += fmt::format("; the membrane lay at {} and {} of its threshold", at(d.membraneA), at(d.membraneB));
  return text;
}

std::string toText(const Result &result) {
  std::string text;
  auto say = [&]<typename... A>(fmt::format_string<A...> form, A &&...values) { text += fmt::format(form, std::forward<A>(values)...); };
  for (const Chain &chain : result.chains) {
    say("{}: {} images of {} ({})\n", chain.path, result.images, result.data, result.split);
    for (size_t column : chain.columns)
      say("  {:<9} {:<38} top-1 {:6.2f} %\n", result.columns[column].stage, result.columns[column].name, result.top1(column));
    if (!result.sourceNotRun.empty()) say("  source    not run by anybody else: {}\n", result.sourceNotRun);
    for (size_t index : chain.comparisons) {
      const Comparison &c = result.comparisons[index];
      if (c.different() == 0 && c.matched() && !c.layers.empty()) {
        say("  {:<24} all {} spikes and silences of {} layers equal\n", c.name, c.compared(), c.layers.size());
        continue;
      }
      say("  {:<24} same answer for {} of {} images\n", c.name, c.sameTop, c.images);
      for (const LayerComparison &layer : c.layers) {
        if (!layer.unmatched.empty()) {
          say("    {:<24} not compared: {}\n", layer.name, layer.unmatched);
          continue;
        }
        const double slots = double(std::max<uint64_t>(1, layer.compared));
        if (layer.different == 0)
          say("    {:<24} equal, {} spikes ({:.2f} %)", layer.name, layer.spikesA, 100 * double(layer.spikesA) / slots);
        else
          say("    {:<24} {:.4f} % differ, {} and {} spikes ({:.2f} and {:.2f} %)", layer.name, 100 * layer.share(), layer.spikesA,
              layer.spikesB, 100 * double(layer.spikesA) / slots, 100 * double(layer.spikesB) / slots);
        if (layer.membranes && c.demand == Demand::Reported) say("; membranes off by {:.4f} of a threshold", layer.membraneMean());
        text += "\n";
        if (layer.first) say("    {:<24} first at {}\n", "", toText(*layer.first));
      }
      if (!c.firstOutput.empty()) say("    outputs differ, first at {}\n", c.firstOutput);
    }
    for (const Check &check : chain.checks)
      say("{}  {}\n", check.good ? "ok  " : "FAIL", check.text);
  }
  return text + (result.proved() ? "proved\n" : "NOT proved\n");
}

} // namespace lasnn::tools::verify
