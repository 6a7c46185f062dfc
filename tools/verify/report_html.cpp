#include "backends/loihi/report/page.h"
#include "tools/common/cli.h"
#include "tools/verify/pictures.h"
#include "tools/verify/report.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace lasnn::tools::verify {
namespace {

using loihi::report::escapeHtml;
using loihi::report::factsHtml;
using loihi::report::tableHtml;
using loihi::report::tilesHtml;
using Rows = std::vector<std::vector<std::string>>;

constexpr struct {
  const char *name, *content;
} kStyle[] = {
#include "verify_page.inc"
};

std::string percent(double share) { return share == 0 ? "0 %" : brief(100 * share) + " %"; }
std::string fileOf(const std::string &path) { return path.substr(path.find_last_of('/') + 1); }
std::string key(const std::string &stage) { return fmt::format("<span class=\"{}\"><i class=\"key\"></i></span>", stage); }
std::string grouped(uint64_t value) {
  std::string text = std::to_string(value);
  for (int at = int(text.size()) - 3; at > 0; at -= 3)
    text.insert(size_t(at), " ");
  return text;
}

const Comparison *reported(const Result &result, const Chain &chain) {
  for (size_t c : chain.comparisons)
    if (result.comparisons[c].demand == Demand::Reported) return &result.comparisons[c];
  return nullptr;
}

std::string tiles(const Result &result, const Chain &chain) {
  const size_t first = chain.columns.front(), integer = result.columnAt(chain, "integer");
  std::vector<std::pair<std::string, std::string>> all{
      {fmt::format("{:.2f} %", result.top1(first)),
       "top-1 of the source" +
           std::string(result.sourceNotRun.empty() ? ", run by " + escapeHtml(result.columns[first].name) : ", in our interpreter")},
      {fmt::format("{:.2f} %", result.top1(integer)), "top-1 of the integer network"}};
  if (const Comparison *c = reported(result, chain)) {
    all.emplace_back(fmt::format("{} <small>of {}</small>", grouped(c->sameTop), grouped(c->images)),
                     "images with the same answer in float and in integers");
    all.emplace_back(percent(double(c->different()) / double(std::max<uint64_t>(1, c->compared()))),
                     fmt::format("of {} spikes and silences changed by rounding weights", grouped(c->compared())));
  }
  uint64_t slots = 0, wrong = 0;
  size_t devices = 0;
  for (size_t c : chain.comparisons)
    if (result.comparisons[c].demand == Demand::Exact)
      slots += result.comparisons[c].compared(), wrong += result.comparisons[c].different(), ++devices;
  if (devices)
    all.emplace_back(wrong ? grouped(wrong) : "0",
                     fmt::format("of {} spikes and silences differ on {} device{}", grouped(slots), devices, devices == 1 ? "" : "s"));
  std::string html = tilesHtml(all);
  if (all.size() == 5) html.replace(html.find("tiles"), 5, "tiles of5");
  return html;
}

std::string checks(const Chain &chain) {
  std::string out = "<ul class=\"checks\">\n";
  for (const Check &check : chain.checks)
    out += fmt::format("<li class=\"{}\">{}</li>\n", check.good ? "yes" : "no", escapeHtml(check.text));
  return out + "</ul>\n";
}

std::string chainTable(const Result &result, const Chain &chain) {
  Rows rows;
  for (size_t column : chain.columns) {
    const Column &c = result.columns[column];
    const Comparison *link = nullptr;
    for (size_t index : chain.comparisons)
      if (result.comparisons[index].b == column) link = &result.comparisons[index];
    const double top = result.top1(column);
    std::string moved = "–", same = "–";
    if (link) {
      same = fmt::format("{} of {}", grouped(link->sameTop), grouped(link->images));
      const bool good = link->demand == Demand::Exact ? link->different() == 0 : true;
      moved = link->different() == 0 ? "<span class=\"good\">none</span>"
                                     : fmt::format("<span{}>{} ({})</span>", good ? "" : " class=\"bad\"", grouped(link->different()),
                                                   percent(double(link->different()) / double(std::max<uint64_t>(1, link->compared()))));
    }
    rows.push_back(
        {key(c.stage) + escapeHtml(c.stage), escapeHtml(c.name),
         fmt::format("<span class=\"{}\"><span class=\"mini\"><i style=\"width:{:.1f}%\"></i></span></span>{:.2f} %", c.stage, top, top),
         same, moved});
  }
  return "<div class=\"chain\">" +
         tableHtml({"stage", "executed by", "top-1", "same answer as before", "spikes that changed"}, rows, {0, 1, 2}) + "</div>\n";
}

/// Layers by steps: the darker, the more of the layer's spikes and silences changed in that step.
std::string heat(const Comparison &c) {
  double largest = 0;
  for (const LayerComparison &layer : c.layers)
    for (uint64_t different : layer.differentByStep)
      largest = std::max(largest, double(different) / double(std::max<uint64_t>(1, layer.neurons * c.images)));
  std::string out = "<div class=\"heat\">\n";
  size_t steps = 0;
  for (const LayerComparison &layer : c.layers) {
    if (!layer.unmatched.empty()) continue;
    steps = std::max(steps, layer.steps);
    std::string cells;
    for (size_t step = 0; step < layer.steps; ++step) {
      const double share = double(layer.differentByStep[step]) / double(std::max<uint64_t>(1, layer.neurons * c.images));
      cells += fmt::format("<i style=\"--x:{:.1f}\" title=\"{}, step {}: {}\"></i>", largest > 0 ? 100 * share / largest : 0.0,
                           escapeHtml(layer.name), step, percent(share));
    }
    out += fmt::format("<span class=\"name\" title=\"{0}\">{0}</span><div class=\"row\">{1}</div><span class=\"n\">{2}</span>\n",
                       escapeHtml(layer.name), cells, percent(layer.share()));
  }
  if (steps > 1 && steps <= 32) {
    std::string labels;
    for (size_t step = 0; step < steps; ++step)
      labels += fmt::format("<span>{}</span>", step % ((steps + 15) / 16) ? "" : std::to_string(step));
    out += "<span></span><div class=\"row\">" + labels + "</div><span></span>\n";
  }
  return out + "</div>\n";
}

std::vector<double> ratesByStep(const LayerComparison &layer, const std::vector<uint64_t> &spikes, size_t images) {
  std::vector<double> rates;
  for (uint64_t count : spikes)
    rates.push_back(100 * double(count) / double(std::max<uint64_t>(1, layer.neurons * images)));
  return rates;
}

std::string layerCard(const Comparison &c, const LayerComparison &layer) {
  const double slots = double(std::max<uint64_t>(1, layer.compared)), r = correlation(layer.spikesByNeuronA, layer.spikesByNeuronB);
  std::string out =
      fmt::format("<div class=\"card layer\"><h3>{}</h3>\n<p class=\"soft\">{} neurons. ", escapeHtml(layer.name), grouped(layer.neurons));
  out += layer.different ? fmt::format("{} of its spikes and silences changed; rate {} in float, {} in integers. ", percent(layer.share()),
                                       percent(double(layer.spikesA) / slots), percent(double(layer.spikesB) / slots))
                         : fmt::format("No spike changed; rate {}. ", percent(double(layer.spikesA) / slots));
  if (layer.spikesA == 0 && layer.spikesB == 0)
    out += "<b class=\"bad\">It never fires.</b> ";
  else if (double(layer.spikesB) > 0.9 * slots)
    out += "<b class=\"bad\">Nearly all of it fires at every step.</b> ";
  if (layer.membranes)
    out += fmt::format("Membranes are off by {} of a threshold on average, by {} at most. ", brief(layer.membraneMean()),
                       brief(layer.membraneLargest));
  if (layer.first) out += fmt::format("First change at {}.", escapeHtml(toText(*layer.first)));
  out += "</p>\n<div class=\"plots\">\n";
  out += linesSvg("Neurons that fire, by step",
                  {{"float", ratesByStep(layer, layer.spikesByStepA, c.images), false},
                   {"integer", ratesByStep(layer, layer.spikesByStepB, c.images), true}},
                  " %");
  out += pairsSvg(std::isfinite(r) ? fmt::format("Neuron by neuron, correlation {:.4f}", r) : std::string("Neuron by neuron"),
                  layer.spikesByNeuronA, layer.spikesByNeuronB, double(std::max<size_t>(1, layer.steps * c.images)), "float", "integer");
  if (layer.membranes) {
    std::vector<double> errors;
    for (size_t step = 0; step < layer.steps; ++step)
      errors.push_back(layer.membraneSumByStep[step] / double(std::max<uint64_t>(1, layer.membranesByStep[step])));
    out += linesSvg("Membrane error, in thresholds, by step", {{"integer", errors, false}}, "");
  }
  return out + "</div></div>\n";
}

std::string comparisonTable(const Comparison &c) {
  Rows rows;
  for (const LayerComparison &layer : c.layers) {
    if (!layer.unmatched.empty()) {
      rows.push_back({escapeHtml(layer.name), "", "", "", "", "not compared: " + escapeHtml(layer.unmatched)});
      continue;
    }
    rows.push_back(
        {escapeHtml(layer.name), grouped(layer.compared),
         layer.different ? fmt::format("{} ({})", grouped(layer.different), percent(layer.share())) : "<span class=\"good\">none</span>",
         grouped(layer.spikesA), grouped(layer.spikesB), layer.first ? escapeHtml(toText(*layer.first)) : "–"});
  }
  return fmt::format("<h3 class=\"gap\">{}</h3>\n<div class=\"wraps\">", escapeHtml(c.name)) +
         tableHtml({"layer", "compared", "changed", "spikes before", "spikes after", "first change"}, rows, {0, 5}) + "</div>\n";
}

std::string chainHtml(const Result &result, const Chain &chain, bool several) {
  std::string out;
  if (several)
    out += fmt::format("<h2>{}</h2>\n<p class=\"verdict {}\"><b>{}</b> {}</p>\n", escapeHtml(fileOf(chain.path)),
                       chain.proved() ? "good" : "bad", chain.proved() ? "Proved." : "Not proved.", escapeHtml(chain.target));
  out += tiles(result, chain) + checks(chain);
  out += "<h2>From source to device</h2>\n<p class=\"soft\">Every stage ran the same images. Between neighbours all spikes and silences of "
         "all neurons and steps are compared.</p>\n" +
         chainTable(result, chain);
  if (const Comparison *c = reported(result, chain); c && !c->layers.empty()) {
    out += "<h2>What rounding the weights changed</h2>\n";
    out += "<figure class=\"card\"><h3>Share of each layer's spikes and silences that changed, by step</h3>" + heat(*c) +
           "<figcaption>Columns are time-steps; the strongest colour is the largest share. A change in one layer is handed on to those "
           "behind it.</figcaption></figure>\n";
    out += fmt::format("<p class=\"soft\" style=\"margin-top:18px\">{}float&ensp; {}integer. Neuron by neuron: how often each neuron "
                       "fired, float across, integer upwards; on the line both agree.</p>\n",
                       key("float"), key("integer"));
    for (const LayerComparison &layer : c->layers)
      if (layer.unmatched.empty()) out += layerCard(*c, layer);
  }
  out += "<h2>Every comparison</h2>\n";
  for (size_t c : chain.comparisons)
    out += comparisonTable(result.comparisons[c]);
  return out;
}

} // namespace

std::string toHtml(const Result &result) {
  const bool several = result.chains.size() > 1, proved = result.proved();
  std::string name = several ? fmt::format("{} artefacts", result.chains.size()) : fileOf(result.chains.front().path);
  std::string body =
      fmt::format("<h1>{} → {}</h1>\n<p class=\"verdict {}\"><b>{}</b> {} images of {} ({}), {} time-step{}.</p>\n",
                  escapeHtml(fileOf(result.model)), escapeHtml(name), proved ? "good" : "bad", proved ? "Proved." : "Not proved.",
                  grouped(result.images), escapeHtml(result.data.substr(0, result.data.find(':'))), escapeHtml(result.split),
                  result.timesteps, result.timesteps == 1 ? "" : "s");
  for (const Chain &chain : result.chains)
    body += chainHtml(result, chain, several);
  body += "<h2>How it was made</h2>\n" +
          factsHtml({{"Model", escapeHtml(result.model)},
                     {"Its SHA-256", "<code>" + result.sha256 + "</code>"},
                     {"Data", escapeHtml(result.data + ", " + result.split)},
                     {"Source run by", escapeHtml(result.sourceNotRun.empty() ? result.columns.front().name
                                                                              : "nobody but our interpreter: " + result.sourceNotRun)},
                     {"Accuracy allowed to be lost", fmt::format("{:g} points", result.limits.accuracyLoss)},
                     {"Spikes allowed to change",
                      result.limits.spikeDifference ? fmt::format("{:g} % of a layer's", *result.limits.spikeDifference) : ""},
                     {"Made by", versionText("lasnn-verify")}});
  return loihi::report::pageHtml("Proof: " + fileOf(result.model), body, "", "", kStyle[0].content);
}

} // namespace lasnn::tools::verify
