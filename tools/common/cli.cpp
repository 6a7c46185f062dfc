#include "tools/common/cli.h"

#include "mlir/IR/Location.h"
#include "llvm/Support/raw_ostream.h"

#include <fmt/format.h>
#include <unistd.h>

namespace lasnn::tools {

std::string versionText(const std::string &name) { return name + " 0.1.0"; }

void setUp(CLI::App &app, const std::string &name) {
  app.name(name);
  app.set_version_flag("--version", versionText(name));
  app.get_formatter()->column_width(36);
  app.option_defaults()->always_capture_default();
}

int exitCode(const CLI::App &app, const CLI::ParseError &error) { return app.exit(error) == 0 ? kOk : kUsage; }

int fail(const std::string &tool, const std::string &text) {
  fmt::print(stderr, "{}: error: {}\n", tool, text);
  return kFailed;
}
int fail(const std::string &tool, llvm::Error error) { return fail(tool, llvm::toString(std::move(error))); }

static std::string place(mlir::Location loc) {
  if (auto name = mlir::dyn_cast<mlir::NameLoc>(loc)) return "'" + name.getName().str() + "': ";
  if (auto line = mlir::dyn_cast<mlir::FileLineColLoc>(loc)) return fmt::format("line {}: ", line.getLine());
  if (auto fused = mlir::dyn_cast<mlir::FusedLoc>(loc))
    for (mlir::Location inner : fused.getLocations())
      if (std::string text = place(inner); !text.empty()) return text;
  return "";
}

DiagnosticPrinter::DiagnosticPrinter(mlir::MLIRContext &context, std::string file) : context(context) {
  id = context.getDiagEngine().registerHandler([file = std::move(file)](mlir::Diagnostic &diagnostic) {
    auto print = [&](mlir::Diagnostic &d, const char *indent) {
      const char *severity = "error";
      if (d.getSeverity() == mlir::DiagnosticSeverity::Warning) severity = "warning";
      if (d.getSeverity() == mlir::DiagnosticSeverity::Note) severity = "note";
      if (d.getSeverity() == mlir::DiagnosticSeverity::Remark) severity = "remark";
      fmt::print(stderr, "{}{}: {}: {}{}\n", indent, file, severity, place(d.getLocation()), d.str());
    };
    print(diagnostic, "");
    for (mlir::Diagnostic &note : diagnostic.getNotes()) print(note, "  ");
    return mlir::success();
  });
}
DiagnosticPrinter::~DiagnosticPrinter() { context.getDiagEngine().eraseHandler(id); }

llvm::Error writeFile(const std::string &path, llvm::StringRef bytes) {
  // llvm::writeToOutput writes to a temporary beside the target and renames it.
  llvm::Error error = llvm::writeToOutput(path, [&](llvm::raw_ostream &stream) -> llvm::Error {
    stream << bytes;
    stream.flush();
    if (auto *file = static_cast<llvm::raw_fd_ostream *>(&stream); file->has_error()) {
      std::error_code code = file->error();
      file->clear_error();
      return llvm::createStringError(code, "write failed: " + code.message());
    }
    return llvm::Error::success();
  });
  if (!error) return llvm::Error::success();
  return llvm::createStringError(fmt::format("cannot write '{}': {}; check the folder, its permissions and the free space", path,
                                             llvm::toString(std::move(error))));
}

Progress::Progress(std::string what, size_t total)
    : what(std::move(what)), total(total), terminal(isatty(STDERR_FILENO)), start(std::chrono::steady_clock::now()), last(start) {}

void Progress::update(size_t done) {
  using namespace std::chrono_literals;
  auto now = std::chrono::steady_clock::now();
  if (!terminal || now - start < 2s || now - last < 100ms) return;
  last = now, shown = true;
  double seconds = std::chrono::duration<double>(now - start).count(), share = total ? double(done) / total : 1;
  std::string bar(size_t(share * 30), '#');
  fmt::print(stderr, "\r{} [{:<30}] {:3.0f} %  {:.0f} s left  ", what, bar, share * 100, share > 0 ? seconds / share - seconds : 0.0);
}

Progress::~Progress() {
  if (shown) fmt::print(stderr, "\r\033[K");
}

} // namespace lasnn::tools
