#include "backends/loihi/map/multilevel.h"

#include "backends/loihi/map/parts.h"
#include "backends/loihi/map/random.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <queue>

namespace lasnn::loihi {

namespace {

constexpr uint32_t kMostRefusals = 40; ///< vertices in a row that do not fit: the part is full
constexpr uint64_t kMostLooks =
    30'000'000;                     ///< at a net's count in a part, of one refinement: what keeps the time bounded, the same everywhere
constexpr uint32_t kLargeNet = 512; ///< pins: such nets say little about who belongs together

std::vector<uint32_t> shuffled(uint32_t count, Random &random) {
  std::vector<uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0u);
  for (uint32_t i = count; i > 1; --i)
    std::swap(order[i - 1], order[random.below(i)]);
  return order;
}

/// Pairs of vertices that share most of their nets; returns the merged vertices' count.
uint32_t match(const Hypergraph &graph, const PartLimits &limits, Random &random, std::vector<uint32_t> &of) {
  const uint32_t count = uint32_t(graph.vertices.size());
  std::vector<uint32_t> mate(count, UINT32_MAX), touched;
  std::vector<double> rating(count, 0);
  for (const uint32_t v : shuffled(count, random)) {
    if (mate[v] != UINT32_MAX) continue;
    touched.clear();
    for (uint32_t i = graph.first[v]; i < graph.first[v + 1]; ++i) {
      const Hypergraph::Net &net = graph.nets[graph.back[i].other];
      const uint32_t size = net.end - net.first;
      if (size < 2 || size > kLargeNet) continue;
      for (uint32_t j = net.first; j < net.end; ++j) {
        const uint32_t u = graph.pins[j].other;
        if (u == v || mate[u] != UINT32_MAX) continue;
        if (rating[u] == 0) touched.push_back(u);
        rating[u] += (net.packets + 1e-9) / (size - 1);
      }
    }
    uint32_t best = UINT32_MAX;
    double most = 0;
    const Hypergraph::Vertex &a = graph.vertices[v];
    for (const uint32_t u : touched) {
      const Hypergraph::Vertex &b = graph.vertices[u];
      const double r = rating[u] / (double(a.compartments) * b.compartments); // small ones first, or one cluster swallows all
      rating[u] = 0;
      if (uint64_t(a.compartments + b.compartments) * 8 > limits.compartments || (a.entries + b.entries) * 8 > limits.entries) continue;
      if (r > most || (r == most && u < best)) most = r, best = u;
    }
    mate[v] = best == UINT32_MAX ? v : best;
    if (best != UINT32_MAX) mate[best] = v;
  }
  of.assign(count, UINT32_MAX);
  uint32_t next = 0;
  for (uint32_t v = 0; v < count; ++v)
    if (of[v] == UINT32_MAX) of[v] = of[mate[v]] = next++;
  return next;
}

/// Parts filled one after the other, each with the vertices that cost it least. Empty: some vertex fits no part.
std::vector<uint32_t> grow(const Hypergraph &graph, const PartLimits &limits, Random &random, const Deadline &deadline, uint32_t &parts) {
  const uint32_t count = uint32_t(graph.vertices.size());
  std::vector<uint32_t> part(count, UINT32_MAX), left = shuffled(count, random);
  std::vector<double> weight(count, 0), shared(count);
  for (uint32_t v = 0; v < count; ++v)
    for (uint32_t i = graph.first[v]; i < graph.first[v + 1]; ++i)
      weight[v] += graph.nets[graph.back[i].other].packets + 1e-9;
  for (parts = 0; !left.empty(); ++parts) {
    if (deadline.passed()) return {};
    Parts one(graph, limits, 1);
    std::fill(shared.begin(), shared.end(), 0);
    std::vector<bool> refused(count, false);
    uint32_t refusals = 0; // in a row
    for (bool any = false;; any = true) {
      uint32_t best = UINT32_MAX;
      double most = -1;
      for (const uint32_t v : left) {
        if (part[v] != UINT32_MAX || refused[v]) continue;
        const double score = any ? shared[v] / weight[v] : double(graph.vertices[v].compartments);
        if (score > most) most = score, best = v;
      }
      if (best == UINT32_MAX) {
        if (!any) return {};
        break;
      }
      if (!one.fits(best, 0)) {
        if (!any) return {};
        refused[best] = true;
        if (++refusals == kMostRefusals) break;
        continue;
      }
      refusals = 0;
      for (uint32_t i = graph.first[best]; i < graph.first[best + 1]; ++i) {
        const uint32_t n = graph.back[i].other;
        if (one.synapses(n, 0) > 0) continue;
        for (uint32_t j = graph.nets[n].first; j < graph.nets[n].end; ++j)
          shared[graph.pins[j].other] += graph.nets[n].packets + 1e-9;
      }
      one.insert(best, 0);
      part[best] = parts;
    }
    std::erase_if(left, [&](uint32_t v) { return part[v] != UINT32_MAX; });
  }
  return part;
}

/// Without parts that lost their last vertex.
Cut compacted(Cut cut) {
  std::vector<uint32_t> number(cut.parts, UINT32_MAX);
  uint32_t parts = 0;
  for (uint32_t &part : cut.part) {
    if (number[part] == UINT32_MAX) number[part] = parts++;
    part = number[part];
  }
  cut.parts = parts;
  return cut;
}

class Refinement {
public:
  Refinement(const Hypergraph &graph, const PartLimits &limits, const CutOptions &options, const std::vector<uint32_t> &start,
             uint32_t count, Random &random)
      : graph_(graph), options_(options), parts_(graph, limits, count), random_(random) {
    for (uint32_t v = 0; v < start.size(); ++v)
      parts_.insert(v, start[v]);
  }

  Cut run() {
    for (uint32_t pass = 0; pass < options_.passes && !over() && parts_.count() > 1; ++pass) {
      const double before = parts_.packets();
      moves();
      swaps();
      if (parts_.packets() > before - 1e-9) break;
    }
    return compacted({parts_.all(), parts_.count(), parts_.packets()});
  }

private:
  bool over() const { return looks_ > kMostLooks || options_.deadline.passed(); }

  struct Wish {
    double gain;
    uint32_t vertex, to;
    bool operator<(const Wish &b) const { return gain != b.gain ? gain < b.gain : vertex > b.vertex; }
  };

  /// The best part for v that has room for it.
  bool wish(uint32_t v, Wish &wish) {
    looks_ += uint64_t(graph_.first[v + 1] - graph_.first[v]) * parts_.count();
    parts_.gains(v, gain_);
    wish = {-INFINITY, v, UINT32_MAX};
    for (uint32_t k = 0; k < parts_.count(); ++k) {
      if (k == parts_.of(v) || gain_[k] <= wish.gain) continue;
      looks_ += graph_.first[v + 1] - graph_.first[v];
      if (parts_.fits(v, k)) wish.gain = gain_[k], wish.to = k;
    }
    return wish.to != UINT32_MAX;
  }

  /// Fiduccia-Mattheyses: each vertex at most once, worsening moves too, then back to the best state seen.
  void moves() {
    const uint32_t count = uint32_t(graph_.vertices.size());
    std::priority_queue<Wish> queue;
    std::vector<bool> locked(count, false);
    stamp_.assign(count, 0);
    Wish w;
    for (uint32_t v = 0; v < count; ++v)
      if (wish(v, w)) queue.push(w);
    std::vector<std::pair<uint32_t, uint32_t>> done; // vertex and where it was
    double best = parts_.packets();
    size_t kept = 0;
    const size_t patience = 60 + count / 40;
    while (!queue.empty() && done.size() < kept + patience && !over()) {
      const Wish top = queue.top();
      queue.pop();
      if (locked[top.vertex] || !wish(top.vertex, w)) continue;
      if (w.gain < top.gain - 1e-9) { // others have moved meanwhile
        queue.push(w);
        continue;
      }
      const uint32_t from = parts_.of(top.vertex);
      parts_.move(top.vertex, w.to);
      locked[top.vertex] = true;
      done.push_back({top.vertex, from});
      if (parts_.packets() < best - 1e-9) best = parts_.packets(), kept = done.size();
      for (uint32_t i = graph_.first[top.vertex]; i < graph_.first[top.vertex + 1]; ++i) {
        const Hypergraph::Pin &pin = graph_.back[i];
        const Hypergraph::Net &net = graph_.nets[pin.other];
        const bool opened = parts_.synapses(pin.other, w.to) == pin.synapses, closed = parts_.synapses(pin.other, from) == 0;
        if (net.end - net.first > 64 || !(opened || closed)) continue; // gains of the others are as they were
        for (uint32_t j = net.first; j < net.end; ++j)
          if (const uint32_t u = graph_.pins[j].other; !locked[u] && stamp_[u] != done.size()) {
            stamp_[u] = uint32_t(done.size());
            if (wish(u, gainer_)) queue.push(gainer_);
          }
      }
    }
    for (; done.size() > kept; done.pop_back())
      parts_.move(done.back().first, done.back().second);
  }

  /// Where parts are full only an exchange can help.
  void swaps() {
    const uint32_t count = uint32_t(graph_.vertices.size());
    std::vector<std::vector<uint32_t>> members(parts_.count());
    for (uint32_t v = 0; v < count; ++v)
      members[parts_.of(v)].push_back(v);
    std::vector<double> gain;
    for (const uint32_t v : shuffled(count, random_)) {
      if (over()) return;
      looks_ += uint64_t(graph_.first[v + 1] - graph_.first[v]) * (parts_.count() + 24);
      parts_.gains(v, gain);
      const uint32_t from = parts_.of(v);
      uint32_t to = UINT32_MAX;
      for (uint32_t k = 0; k < parts_.count(); ++k)
        if (k != from && gain[k] > 1e-9 && (to == UINT32_MAX || gain[k] > gain[to])) to = k;
      if (to == UINT32_MAX) continue;
      const double before = parts_.packets();
      for (uint32_t trial = 0; trial < 24 && !members[to].empty(); ++trial) {
        const uint32_t u = members[to][random_.below(uint32_t(members[to].size()))];
        if (parts_.of(u) != to) continue;
        parts_.remove(v);
        parts_.remove(u);
        if (parts_.fits(u, from) && parts_.fits(v, to)) {
          parts_.insert(u, from);
          parts_.insert(v, to);
          if (parts_.packets() < before - 1e-9) {
            members[to].push_back(v);
            members[from].push_back(u);
            break;
          }
          parts_.remove(v);
          parts_.remove(u);
        }
        parts_.insert(v, from);
        parts_.insert(u, to);
      }
    }
  }

  const Hypergraph &graph_;
  const CutOptions &options_;
  Parts parts_;
  Random &random_;
  uint64_t looks_ = 0;
  std::vector<double> gain_;
  std::vector<uint32_t> stamp_;
  Wish gainer_{};
};

/// The emptiest part's vertices to others, cheapest first, while that works.
void dissolve(const Hypergraph &graph, const PartLimits &limits, const CutOptions &options, Cut &cut) {
  while (cut.parts > std::max(1u, options.fewest) && !options.deadline.passed()) {
    Parts parts(graph, limits, cut.parts);
    for (uint32_t v = 0; v < cut.part.size(); ++v)
      parts.insert(v, cut.part[v]);
    uint32_t victim = 0;
    for (uint32_t k = 1; k < cut.parts; ++k)
      if (parts.compartments(k) < parts.compartments(victim)) victim = k;
    std::vector<uint32_t> members;
    for (uint32_t v = 0; v < cut.part.size(); ++v)
      if (cut.part[v] == victim) members.push_back(v);
    std::stable_sort(members.begin(), members.end(),
                     [&](uint32_t a, uint32_t b) { return graph.vertices[a].compartments > graph.vertices[b].compartments; });
    for (const uint32_t v : members) {
      uint32_t best = UINT32_MAX;
      double least = INFINITY;
      for (uint32_t k = 0; k < cut.parts; ++k)
        if (k != victim && parts.fits(v, k))
          if (const double cost = parts.costOf(v, k); cost < least) least = cost, best = k;
      if (best == UINT32_MAX) return;
      parts.move(v, best);
    }
    for (uint32_t v = 0; v < cut.part.size(); ++v)
      cut.part[v] = parts.of(v) == cut.parts - 1 ? victim : parts.of(v);
    --cut.parts;
    cut.packets = parts.packets();
  }
}

bool fits(const Hypergraph &graph, const PartLimits &limits, const Cut &cut) {
  Parts parts(graph, limits, cut.parts);
  for (uint32_t v = 0; v < cut.part.size(); ++v) {
    if (!parts.fits(v, cut.part[v])) return false;
    parts.insert(v, cut.part[v]);
  }
  return true;
}

} // namespace

Cut refinedCut(const Hypergraph &graph, const PartLimits &limits, const CutOptions &options, Cut start) {
  if (!fits(graph, limits, start)) return {};
  Random random(options.seed);
  if (options.fewer_parts) dissolve(graph, limits, options, start);
  return Refinement(graph, limits, options, start.part, start.parts, random).run();
}

Cut multilevelCut(const Hypergraph &graph, const PartLimits &limits, const CutOptions &options) {
  Random random(options.seed);
  std::vector<Hypergraph> levels; // levels[i] is what graph became after i + 1 mergers
  std::vector<std::vector<uint32_t>> merged;
  const auto at = [&](size_t i) -> const Hypergraph & { return i == 0 ? graph : levels[i - 1]; };
  const uint32_t enough = std::max(120u, 30 * options.fewest);
  while (at(levels.size()).vertices.size() > enough && !options.deadline.passed()) {
    std::vector<uint32_t> of;
    const Hypergraph &fine = at(levels.size());
    const uint32_t count = match(fine, limits, random, of);
    if (count * 10ull > fine.vertices.size() * 9ull) break;
    Hypergraph coarse = contracted(fine, of, count);
    levels.push_back(std::move(coarse));
    merged.push_back(std::move(of));
  }
  Cut cut;
  size_t level = levels.size();
  for (;; --level) {
    if (at(level).vertices.size() <= 4000) cut.part = grow(at(level), limits, random, options.deadline, cut.parts);
    if (!cut.part.empty() || level == 0) break;
  }
  if (cut.part.empty()) return {};
  for (;; --level) {
    const Hypergraph &here = at(level);
    if (options.fewer_parts) dissolve(here, limits, options, cut);
    cut = Refinement(here, limits, options, cut.part, cut.parts, random).run();
    if (level == 0) return cut;
    std::vector<uint32_t> fine(merged[level - 1].size());
    for (uint32_t v = 0; v < fine.size(); ++v)
      fine[v] = cut.part[merged[level - 1][v]];
    cut.part = std::move(fine);
  }
}

} // namespace lasnn::loihi
