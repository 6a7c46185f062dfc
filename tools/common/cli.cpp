#include "tools/common/cli.h"

#include "mlir/IR/Location.h"
#include "llvm/Support/FileSystem.h"
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
  if (auto line = mlir::dyn_cast<mlir::FileLineColLoc>(loc)) // line 0: the file as a whole
    return line.getLine() ? fmt::format("line {}: ", line.getLine()) : "";
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

/// Write and close, with the reason when the disk is full or the device refuses.
static llvm::Error writeAll(llvm::raw_fd_ostream &stream, llvm::StringRef bytes) {
  stream << bytes;
  stream.flush();
  if (!stream.has_error()) return llvm::Error::success();
  std::error_code code = stream.error();
  stream.clear_error();
  return llvm::createStringError(code, "write failed: " + code.message());
}

llvm::Error writeFile(const std::string &path, llvm::StringRef bytes) {
  namespace fs = llvm::sys::fs;
  fs::file_status status;
  bool special = path != "-" && !fs::status(path, status) && !fs::is_regular_file(status);
  llvm::Error error = llvm::Error::success();
  if (special && fs::is_directory(status)) {
    error = llvm::createStringError("it is a folder");
  } else if (special) { // a device or a pipe: a rename would replace it
    std::error_code code;
    llvm::raw_fd_ostream stream(path, code, fs::CD_OpenExisting, fs::FA_Write, fs::OF_None);
    error = code ? llvm::createStringError(code, code.message()) : writeAll(stream, bytes);
  } else { // to a temporary beside the target, then renamed; "-" is stdout
    error = llvm::writeToOutput(
        path, [&](llvm::raw_ostream &stream) { return writeAll(static_cast<llvm::raw_fd_ostream &>(stream), bytes); });
  }
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
