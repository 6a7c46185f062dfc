// What every tool's command line shares: exit codes, version, diagnostics, output files, progress.
#pragma once

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/Error.h"

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <string>

namespace lasnn::tools {

inline constexpr int kOk = 0, kFailed = 1, kUsage = 2;

/// Parse; on --help or --version prints and exits 0, on a wrong command line prints why and exits 2.
#define LASNN_PARSE(app, argc, argv)                                                                                             \
  try {                                                                                                                          \
    (app).parse(argc, argv);                                                                                                     \
  } catch (const CLI::ParseError &error) { return lasnn::tools::exitCode(app, error); }
int exitCode(const CLI::App &app, const CLI::ParseError &error);

/// --version, one style of help.
void setUp(CLI::App &app, const std::string &name);
std::string versionText(const std::string &name);

/// "lasnn-compile: error: TEXT" on stderr; returns kFailed.
int fail(const std::string &tool, const std::string &text);
int fail(const std::string &tool, llvm::Error error);

/// Diagnostics of one context as lines "FILE: error: 'NODE': text" with their notes, on stderr.
class DiagnosticPrinter {
public:
  DiagnosticPrinter(mlir::MLIRContext &context, std::string file);
  ~DiagnosticPrinter();

private:
  mlir::MLIRContext &context;
  mlir::DiagnosticEngine::HandlerID id;
};

/// Write all bytes to `path` through a temporary name, or to stdout for "-". Nothing half-written stays behind.
llvm::Error writeFile(const std::string &path, llvm::StringRef bytes);

/// A bar on stderr once two seconds have gone by, when stderr is a terminal; else silent.
class Progress {
public:
  Progress(std::string what, size_t total);
  ~Progress();
  void update(size_t done);

private:
  std::string what;
  size_t total;
  bool terminal, shown = false;
  std::chrono::steady_clock::time_point start, last;
};

} // namespace lasnn::tools
