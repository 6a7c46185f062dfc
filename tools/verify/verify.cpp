#include "tools/verify/verify.h"

#include "tools/common/cli.h"

#include <algorithm>
#include <fmt/format.h>

namespace lasnn::tools::verify {

bool Chain::proved() const {
  return std::all_of(checks.begin(), checks.end(), [](const Check &check) { return check.good; });
}
bool Result::proved() const {
  return std::all_of(chains.begin(), chains.end(), [](const Chain &chain) { return chain.proved(); });
}

size_t Result::columnAt(const Chain &chain, const std::string &stage) const {
  size_t at = chain.columns.front();
  for (size_t column : chain.columns) {
    at = column;
    if (columns[column].stage == stage) break;
  }
  return at;
}

size_t Plan::add(std::unique_ptr<Executor> executor, const std::string &stage) {
  result.columns.push_back({executor->name(), stage, 0});
  executors.push_back(std::move(executor));
  return executors.size() - 1;
}

size_t Plan::compare(size_t a, size_t b, Demand demand, const std::string &name) {
  Comparison &comparison = result.comparisons.emplace_back();
  comparison.name = name, comparison.demand = demand, comparison.a = a, comparison.b = b;
  return result.comparisons.size() - 1;
}

namespace {

/// "'conv1.lif', image 3, step 0, neuron 7"
std::string place(const std::pair<std::string, Divergence> &first) {
  const Divergence &d = first.second;
  return fmt::format("'{}', image {}, step {}, neuron {}", first.first, d.image, d.step, d.neuron);
}

void judge(Result &result, Chain &chain) {
  auto add = [&](const char *name, bool good, std::string text) { chain.checks.push_back({name, good, std::move(text)}); };
  add("artefact_is_of_this_model", chain.sameSource, "the artefact was compiled from this model file (SHA-256)");
  auto links = [&](Demand demand) {
    std::vector<const Comparison *> found;
    for (size_t c : chain.comparisons)
      if (result.comparisons[c].demand == demand) found.push_back(&result.comparisons[c]);
    return found;
  };
  const double tolerated = result.limits.floatTolerance;
  for (const Comparison *c : links(Demand::Rounding)) {
    const bool imported = result.columns[c->a].stage == "source";
    std::string text = imported ? fmt::format("the imported network spikes as the source does in {}", result.columns[c->a].name)
                                : "folding and fusing keep the spikes";
    text += fmt::format(" (a spike may first move within rounding of its threshold; or {:g} of a layer's move)", tolerated);
    const bool good = c->matched() && (c->unexplained == 0 || c->worstShare() <= tolerated);
    if (!c->matched())
      text += "; layers without a partner";
    else if (!good)
      text += fmt::format("; {} of {} images part elsewhere, first {}", c->unexplained, c->images, c->firstUnexplained);
    add(imported ? "import_keeps_spikes" : "folding_keeps_spikes", good, text);
  }
  const double before = result.top1(result.columnAt(chain, result.isAnn ? "imported" : "float")),
               after = result.top1(result.columnAt(chain, "integer"));
  add("quantization_keeps_accuracy", before - after <= result.limits.accuracyLoss,
      fmt::format("{} costs at most {:g} points of accuracy ({:.2f} % to {:.2f} %)",
                  result.isAnn ? "conversion and quantization" : "quantization", result.limits.accuracyLoss, before, after));
  if (result.limits.spikeDifference)
    for (const Comparison *c : links(Demand::Reported))
      add("quantization_keeps_spikes", c->matched() && 100 * c->worstShare() <= *result.limits.spikeDifference,
          fmt::format("quantization moves at most {:g} % of a layer's spikes (of the worst: {:.3g} %)", *result.limits.spikeDifference,
                      100 * c->worstShare()));
  if (!chain.notRun.empty()) return add("target_is_bit_exact", false, "the target was not run here: " + chain.notRun);
  bool exact = true;
  std::string text = "every executor of the target equals the interpreter to the bit: outputs and all spikes";
  for (const Comparison *c : links(Demand::Exact))
    if (c->different() || !c->matched()) {
      if (exact)
        text += fmt::format("; {} does not, first {}", result.columns[c->b].name,
                            c->first                 ? place(*c->first)
                            : c->firstOutput.empty() ? "a layer without a partner"
                                                     : c->firstOutput);
      exact = false;
    }
  add("target_is_bit_exact", exact, text);
}

} // namespace

llvm::Error run(Plan &plan, const data::Dataset &set) {
  Result &result = plan.result;
  for (size_t e = 0; e < plan.executors.size(); ++e)
    if (plan.executors[e]->inputSize() != set.imageBytes())
      return llvm::createStringError(fmt::format("an image of {} has {} bytes, {} takes {}; use the data set that it was trained on",
                                                 set.name, set.imageBytes(), result.columns[e].name, plan.executors[e]->inputSize()));
  result.images = set.count;
  std::vector<Trace> traces(plan.executors.size());
  Progress progress("verify", set.count);
  for (size_t i = 0; i < set.count; ++i) {
    for (size_t e = 0; e < plan.executors.size(); ++e) {
      if (llvm::Error error = plan.executors[e]->run(set.image(i), traces[e]))
        return llvm::createStringError(fmt::format("{}, image {}: {}", result.columns[e].name, i, llvm::toString(std::move(error))));
      result.columns[e].correct += traces[e].output.top() == set.labels[i];
    }
    for (Comparison &comparison : result.comparisons)
      comparison.add(traces[comparison.a], traces[comparison.b], i, plan.executors[comparison.a]->timesteps());
    progress.update(i);
  }
  for (Chain &chain : result.chains)
    judge(result, chain);
  return llvm::Error::success();
}

} // namespace lasnn::tools::verify
