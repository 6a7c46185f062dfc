#include "frontend/nir/graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <climits>
#include <queue>
#include <set>

using namespace mlir;

namespace lasnn::nir {

InFlightDiagnostic Problems::error(StringRef rule) {
  failed = true;
  return emitError(file) << "rule " << rule << ": ";
}
static std::string heading(const Node &node, StringRef rule) {
  return fmt::format("node {} ({}): rule {}: ", quoted(node.name), StringRef(node.type).take_front(60).str(), rule.str());
}
InFlightDiagnostic Problems::error(const Node &node, StringRef rule) {
  failed = true;
  return emitError(nameLoc(node.name)) << heading(node, rule);
}
InFlightDiagnostic Problems::warning(const Node &node, StringRef rule) { return emitWarning(nameLoc(node.name)) << heading(node, rule); }

namespace {

class Flattener {
public:
  Flattener(Graph &graph, Problems &problems) : graph(graph), problems(problems) {}

  /// Inlines one graph; gives the nodes by which it is entered and left, -1 when there is none.
  std::pair<int, int> add(const Group &group, const std::string &prefix, int depth) {
    const std::string where = prefix.empty() ? "the graph" : "graph " + quoted(prefix);
    auto nodes = group.groups.find("nodes");
    if (nodes == group.groups.end()) {
      problems.error("NIR4") << where << " holds no group \"nodes\", expected one";
      return {-1, -1};
    }
    std::map<std::string, std::pair<int, int>> ends; // by local name: where edges enter and leave
    int entry = -1, exit = -1, entries = 0, exits = 0;
    for (const auto &[name, child] : nodes->second->groups) {
      const std::string full = prefix.empty() ? name : prefix + "." + name;
      std::string type = child->text("type");
      if (type == "NIRGraph") {
        if (depth >= kMaxDepth)
          problems.error("NIR4") << "graphs are nested more than " << kMaxDepth << " deep at " << quoted(full) << ", expected less";
        else
          ends[name] = add(*child, full, depth + 1);
        continue;
      }
      const int index = int(graph.nodes.size());
      if (type == "Input") entry = index, ++entries;
      if (type == "Output") exit = index, ++exits;
      if (!prefix.empty() && (type == "Input" || type == "Output")) type = "Port";
      if (type.empty()) problems.error("NIR3") << "node " << quoted(full) << " has no type, expected a text \"type\"";
      graph.nodes.push_back({full, type, child.get(), {}, {}});
      ends[name] = {index, index};
    }
    if (!prefix.empty() && (entries != 1 || exits != 1))
      problems.error("NIR4") << where << " has " << entries << " inputs and " << exits << " outputs, expected one of each";
    addEdges(group, where, ends);
    return {entry, exit};
  }

private:
  Graph &graph;
  Problems &problems;

  void addEdges(const Group &group, const std::string &where, const std::map<std::string, std::pair<int, int>> &ends) {
    const Array *edges = group.array("edges");
    if (!edges || !edges->isText() || edges->shape.size() != 2 || edges->shape[1] != 2) {
      problems.error("NIR4") << where << " has no list of edges, expected \"edges\" with pairs of names";
      return;
    }
    std::set<std::pair<int, int>> seen;
    std::set<std::string> unknown;
    for (size_t k = 0; k + 1 < edges->texts.size(); k += 2) {
      int found[2];
      for (int side = 0; side < 2; ++side) {
        const std::string &name = edges->texts[k + size_t(side)];
        auto at = ends.find(name);
        found[side] = at == ends.end() ? -1 : side ? at->second.first : at->second.second;
        if (at != ends.end() || !unknown.insert(name).second) continue;
        auto diag = problems.error("NIR4");
        diag << "edge " << quoted(edges->texts[k]) << " -> " << quoted(edges->texts[k + 1]) << " of " << where << " names " << quoted(name)
             << ", which is no node";
        if (std::string near = nearest(name, ends); !near.empty()) diag.attachNote() << "the nearest name is " << quoted(near);
      }
      if (found[0] < 0 || found[1] < 0) continue;
      if (!seen.insert({found[0], found[1]}).second) {
        problems.warning(graph.nodes[size_t(found[1])], "NIR4")
            << "its edge from " << quoted(edges->texts[k]) << " is listed twice and counts once";
        continue;
      }
      graph.nodes[size_t(found[0])].outputs.push_back(found[1]);
      graph.nodes[size_t(found[1])].inputs.push_back({found[0]});
    }
  }

  static std::string nearest(const std::string &name, const std::map<std::string, std::pair<int, int>> &ends) {
    std::string best;
    unsigned least = UINT_MAX;
    if (name.size() > 200 || ends.size() > 5000) return best;
    for (const auto &[other, index] : ends) {
      if (other.size() > 200) continue;
      const unsigned distance = StringRef(name).edit_distance(other);
      if (distance < least) least = distance, best = other;
    }
    return best;
  }
};

} // namespace

Graph flatten(const Group &root, Problems &problems) {
  Graph graph;
  Flattener(graph, problems).add(root, "", 0);
  size_t edges = 0;
  for (const Node &node : graph.nodes)
    edges += node.inputs.size();
  if (graph.nodes.size() > kMaxNodes || edges > 2 * kMaxNodes) {
    problems.error("NIR4") << "the graph has " << graph.nodes.size() << " nodes and " << edges << " edges, expected at most " << kMaxNodes
                           << " and " << 2 * kMaxNodes;
    graph.nodes.clear();
  }
  for (Node &node : graph.nodes) // edges have no order in the file
    std::sort(node.inputs.begin(), node.inputs.end(), [&](const Node::From &a, const Node::From &b) {
      return graph.nodes[size_t(a.node)].name < graph.nodes[size_t(b.node)].name;
    });
  return graph;
}

void orderGraph(Graph &graph, const std::vector<bool> &cuts, Problems &problems) {
  const size_t count = graph.nodes.size();
  // Distance from the input, by number of edges: it depends on no order of names, nodes or edges.
  std::vector<int> depth(count, INT_MAX);
  std::queue<int> front;
  for (size_t k = 0; k < count; ++k)
    if (graph.nodes[k].type == "Input") depth[k] = 0, front.push(int(k));
  while (!front.empty()) {
    const int at = front.front();
    front.pop();
    for (int next : graph.nodes[size_t(at)].outputs)
      if (depth[size_t(next)] == INT_MAX) depth[size_t(next)] = depth[size_t(at)] + 1, front.push(next);
  }
  // A is a spiking neuron, X takes its spikes. The edge is recurrent when X, or synapses behind X, lead to a neuron B that is no
  // farther from the input than A and from which A can be reached: every loop of neurons has such a place.
  for (size_t a = 0; a < count; ++a) {
    if (!graph.nodes[a].spikes()) continue;
    std::vector<bool> leadsHere(count, false);
    std::vector<int> stack{int(a)};
    leadsHere[a] = true;
    while (!stack.empty()) {
      const int at = stack.back();
      stack.pop_back();
      for (const Node::From &from : graph.nodes[size_t(at)].inputs)
        if (!cuts[size_t(from.node)] && !leadsHere[size_t(from.node)]) leadsHere[size_t(from.node)] = true, stack.push_back(from.node);
    }
    for (int x : graph.nodes[a].outputs) {
      std::vector<bool> seen(count, false);
      bool back = false;
      stack = {x};
      seen[size_t(x)] = true;
      while (!stack.empty() && !back) {
        const size_t at = size_t(stack.back());
        stack.pop_back();
        if (!leadsHere[at] || cuts[at]) continue;
        if (graph.nodes[at].spikes())
          back = depth[at] <= depth[a];
        else
          for (int next : graph.nodes[at].outputs)
            if (!seen[size_t(next)]) seen[size_t(next)] = true, stack.push_back(next);
      }
      if (!back) continue;
      for (Node::From &from : graph.nodes[size_t(x)].inputs)
        if (from.node == int(a)) from.recurrent = true;
    }
  }
  std::vector<int> waiting(count, 0);
  std::priority_queue<int, std::vector<int>, std::greater<>> ready;
  for (size_t k = 0; k < count; ++k) {
    for (const Node::From &from : graph.nodes[k].inputs)
      waiting[k] += !from.recurrent && !cuts[size_t(from.node)];
    if (waiting[k] == 0) ready.push(int(k));
  }
  while (!ready.empty()) {
    const int at = ready.top();
    ready.pop();
    graph.order.push_back(at);
    if (cuts[size_t(at)]) continue; // nobody waits for it
    for (int next : graph.nodes[size_t(at)].outputs)
      for (const Node::From &from : graph.nodes[size_t(next)].inputs)
        if (from.node == at && !from.recurrent && --waiting[size_t(next)] == 0) ready.push(next);
  }
  if (graph.order.size() == count) return;
  std::string names;
  int listed = 0;
  for (size_t k = 0; k < count; ++k)
    if (waiting[k] > 0 && listed++ < 8) names += (names.empty() ? "" : ", ") + quoted(graph.nodes[k].name);
  problems.error("NIR9")
          .append("a loop goes through no spiking neuron; nodes on or behind it are ", names,
                  ", expected a neuron or a Delay on every loop")
          .attachNote()
      << "only spikes are fed back, one step late";
}

} // namespace lasnn::nir
