// The file's graph, flat: nested graphs are inlined, edges resolved, and what closes a loop is marked.
#pragma once

#include "frontend/nir/file.h"
#include "frontend/quoted.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Diagnostics.h"

#include <string>
#include <vector>

namespace lasnn::nir {

constexpr size_t kMaxNodes = 10000;

struct Node {
  std::string name, type; ///< type "Port": an inner graph's Input or Output, which passes through
  const Group *group = nullptr;
  struct From {
    int node;
    bool recurrent = false; ///< takes the spikes of the step before
  };
  std::vector<From> inputs; ///< by the source's name
  std::vector<int> outputs;
  bool spikes() const { return type == "LIF" || type == "IF" || type == "CubaLIF" || type == "Threshold"; }
};

/// What all parts of one import share.
struct Problems {
  mlir::MLIRContext *context;
  mlir::Location file;
  bool failed = false;
  mlir::Location nameLoc(llvm::StringRef name) const { return mlir::NameLoc::get(mlir::StringAttr::get(context, name)); }
  mlir::InFlightDiagnostic error(llvm::StringRef rule);
  mlir::InFlightDiagnostic error(const Node &node, llvm::StringRef rule);
  mlir::InFlightDiagnostic warning(const Node &node, llvm::StringRef rule);
};

struct Graph {
  std::vector<Node> nodes;
  std::vector<int> order; ///< operands first but for recurrent edges; what lies on a loop without neurons is left out
};

/// Rule NIR4 (names, edges, nesting). `root` is the group of type NIRGraph.
Graph flatten(const Group &root, Problems &problems);
/// Rule NIR9: marks recurrent edges and fills `order`. `cuts[n]`: node n is a Delay of at least a step.
void orderGraph(Graph &graph, const std::vector<bool> &cuts, Problems &problems);

} // namespace lasnn::nir
