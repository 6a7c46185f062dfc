// Small NIR files, right and wrong ones, and what becomes of them.
#pragma once

#include "frontend/nir/file.h"
#include "frontend/nir/import.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Verifier.h"

#include <gtest/gtest.h>

namespace lasnn::testing {

struct NirBuilder {
  nir::Group root;
  std::vector<std::pair<std::string, std::string>> edges;
  NirBuilder() {
    text(graph(), "type", "NIRGraph");
    text(root, "version", "1.0.4");
    child(graph(), "nodes");
  }
  static nir::Group &child(nir::Group &group, const std::string &name) {
    auto &slot = group.groups[name];
    if (!slot) slot = std::make_unique<nir::Group>();
    return *slot;
  }
  nir::Group &graph() { return child(root, "node"); }
  nir::Group &at(const std::string &name) { return child(child(graph(), "nodes"), name); }
  static void text(nir::Group &group, const std::string &name, const std::string &value) { group.arrays[name] = {{}, {}, {value}}; }
  static void set(nir::Group &group, const std::string &name, std::vector<int64_t> shape, std::vector<double> values) {
    group.arrays[name] = {{shape.begin(), shape.end()}, std::move(values), {}};
  }
  static void set(nir::Group &group, const std::string &name, std::vector<double> values) {
    set(group, name, {int64_t(values.size())}, values);
  }
  static void set(nir::Group &group, const std::string &name, double value) { set(group, name, {}, {value}); }

  nir::Group &node(const std::string &name, const std::string &type) {
    text(at(name), "type", type);
    return at(name);
  }
  void input(std::vector<double> shape) { set(node("input", "Input"), "shape", shape); }
  void output(std::vector<double> shape = {1}) { set(node("output", "Output"), "shape", shape); }
  void affine(const std::string &name, int64_t outputs, int64_t inputs, double weight = 0.5) {
    nir::Group &group = node(name, "Affine");
    std::vector<double> w(size_t(outputs * inputs));
    for (size_t k = 0; k < w.size(); ++k)
      w[k] = weight * double(int(k % 5) + 1) / 4;
    set(group, "weight", {outputs, inputs}, w);
    set(group, "bias", std::vector<double>(size_t(outputs), 0.25));
  }
  nir::Group &lif(const std::string &name, int64_t n, double tau, double r, double theta = 1) {
    nir::Group &group = node(name, "LIF");
    for (auto [field, value] :
         {std::pair<const char *, double>{"tau", tau}, {"r", r}, {"v_leak", 0.0}, {"v_threshold", theta}, {"v_reset", 0.0}})
      set(group, field, std::vector<double>(size_t(n), value));
    return group;
  }
  nir::Group &integrateAndFire(const std::string &name, int64_t n, double r = 1, double theta = 1) {
    nir::Group &group = node(name, "IF");
    set(group, "r", std::vector<double>(size_t(n), r)), set(group, "v_threshold", std::vector<double>(size_t(n), theta));
    return group;
  }
  void chain(std::vector<std::string> names) {
    for (size_t k = 0; k + 1 < names.size(); ++k)
      edges.emplace_back(names[k], names[k + 1]);
  }
  static void setEdges(nir::Group &group, const std::vector<std::pair<std::string, std::string>> &list) {
    if (list.empty()) return;
    nir::Array array;
    array.shape = {int64_t(list.size()), 2};
    for (const auto &[from, to] : list)
      array.texts.push_back(from), array.texts.push_back(to);
    group.arrays["edges"] = array;
  }
  std::string bytes() {
    setEdges(graph(), edges);
    return nir::writeFile(root);
  }
};

struct Imported {
  mlir::MLIRContext context{mlir::MLIRContext::Threading::DISABLED};
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::vector<std::string> errors, warnings, remarks, notes;

  explicit Imported(llvm::StringRef bytes, nir::ImportOptions options = {}, bool quiet = true, bool isolate = false) {
    options.isolate = isolate; // a process for each of thousands of files would take minutes
    if (quiet) {
      if (!options.timesteps) options.timesteps = 4;
      if (!options.readout) options.readout = snn::ReadoutMode::Sum;
      if (!options.encoding) options.encoding = snn::Encoding::Events;
    }
    mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &d) {
      auto &list = d.getSeverity() == mlir::DiagnosticSeverity::Error     ? errors
                   : d.getSeverity() == mlir::DiagnosticSeverity::Warning ? warnings
                                                                          : remarks;
      list.push_back(d.str());
      for (auto &note : d.getNotes())
        notes.push_back(note.str());
      return mlir::success();
    });
    auto made = nir::importNir(context, bytes, "test.nir", options);
    if (mlir::succeeded(made)) module = std::move(*made);
  }
  bool ok() const { return bool(module); }
  std::string all() const {
    std::string text;
    for (auto *list : {&errors, &warnings, &remarks, &notes})
      for (const auto &line : *list)
        text += line + "\n";
    return text;
  }
  bool says(llvm::StringRef part) const { return llvm::StringRef(all()).contains(part); }
  snn::NetworkOp network() { return *module->getOps<snn::NetworkOp>().begin(); }
  template <typename Op> Op find(llvm::StringRef name = "") {
    Op found;
    network().walk([&](Op op) {
      if (name.empty() || snn::nameOf(op) == name) found = op;
    });
    return found;
  }
};

} // namespace lasnn::testing
