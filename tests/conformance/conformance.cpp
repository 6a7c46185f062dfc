// The conformance suite: random networks, every backend equal to the interpreter to the bit.
//   conformance --count=N --seed=S [--from-float] [--inject=threshold|reset|pad|delay]
// A failing network is shrunk to a minimal one, which is printed with the command that runs it again.
#include "tests/conformance/check_network.h"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <unistd.h>

using namespace lasnn::test;

namespace {

uint64_t runningSeed = 0;

/// A crash names its seed.
void onSignal(int signal) {
  char text[96];
  int size = std::snprintf(text, sizeof text, "conformance: signal %d in the network of --seed=%llu\n", signal, static_cast<unsigned long long>(runningSeed));
  (void)!write(2, text, size_t(size));
  std::_Exit(128 + signal);
}

std::string kindOf(const std::string &failure) { return failure.substr(0, failure.find(':')); }

/// Greedy, round after round: every smaller network that fails in the same way is taken, until a round takes none.
NetworkSpec shrink(NetworkSpec spec, const CheckOptions &options, std::string &failure) {
  std::string kind = kindOf(failure);
  Coverage ignored;
  auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  for (bool progress = true; progress;) {
    progress = false;
    std::vector<NetworkSpec> candidates = smaller(spec);
    for (size_t at = 0; at < candidates.size(); ++at) {
      if (std::chrono::steady_clock::now() > end) return spec;
      std::string now = checkNetwork(candidates[at], options, ignored);
      if (now.empty() || kindOf(now) != kind) continue;
      spec = candidates[at], failure = now, progress = true;
      candidates = smaller(spec); // go on from here: what came before was tried a moment ago
    }
  }
  return spec;
}

const char *valueOf(const char *argument, const char *name) {
  size_t size = std::strlen(name);
  return std::strncmp(argument, name, size) == 0 && argument[size] == '=' ? argument + size + 1 : nullptr;
}

} // namespace

int main(int argc, char **argv) {
  uint64_t seed = 1, count = 0;
  bool seeded = false, noShrink = false;
  CheckOptions options;
  for (int i = 1; i < argc; ++i) {
    if (const char *value = valueOf(argv[i], "--seed")) seed = std::strtoull(value, nullptr, 10), seeded = true;
    else if (const char *value = valueOf(argv[i], "--count")) count = std::strtoull(value, nullptr, 10);
    else if (const char *value = valueOf(argv[i], "--inject")) options.inject = value;
    else if (!std::strcmp(argv[i], "--from-float")) options.fromFloat = true;
    else if (!std::strcmp(argv[i], "--no-shrink")) noShrink = true;
    else return std::fprintf(stderr, "usage: conformance [--count=N] [--seed=S] [--from-float] [--inject=threshold|reset|pad|delay] [--no-shrink]\n"), 2;
  }
  if (!count) count = seeded ? 1 : 100;
  for (int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) std::signal(signal, onSignal);

  Coverage coverage;
  int failures = 0;
  auto start = std::chrono::steady_clock::now();
  for (uint64_t i = 0; i < count; ++i) {
    runningSeed = seed + i;
    NetworkSpec spec = drawNetwork(runningSeed);
    std::string failure = checkNetwork(spec, options, coverage);
    if (failure.empty()) continue;
    ++failures;
    std::printf("FAILED seed %llu: %s\n", static_cast<unsigned long long>(runningSeed), failure.c_str());
    if (failures <= 3 && !noShrink) {
      NetworkSpec least = shrink(spec, options, failure);
      std::printf("shrunk to %s\nminimal network:\n%s\n", failure.c_str(), networkText(least, options.fromFloat).c_str());
    }
    std::printf("run again: conformance --seed=%llu%s%s%s\n", static_cast<unsigned long long>(runningSeed), options.fromFloat ? " --from-float" : "",
                options.inject.empty() ? "" : " --inject=", options.inject.c_str());
    std::fflush(stdout);
    if (!options.inject.empty()) break; // one is the proof
    if (failures >= 20) break;
  }
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::printf("%s%d failures, %.1f s\n", coverage.text().c_str(), failures, seconds);
  return failures ? 1 : 0;
}
