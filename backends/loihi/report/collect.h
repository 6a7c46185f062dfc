// A finished mapping, the checker's count of it and, where there was one, a simulation, as a report.
#pragma once

#include "backends/loihi/check/check.h"
#include "backends/loihi/report/data.h"
#include "backends/loihi/sim/energy.h"

namespace lasnn::loihi::report {

/// What a simulation adds. `links` as Simulator::links() of the same runs; a link may come several times; none: in proportion to the routes.
struct Simulated {
  const Statistics *statistics = nullptr; ///< null: nothing was simulated
  std::vector<LinkLoad> links;
  Verification verification; ///< `checker`, events and widths are filled in here
};

struct CollectOptions {
  std::string profile;           ///< of energy and time; empty: the chip's last one, which is the calibrated one
  std::string tool;              ///< empty: the mapping's own
  std::vector<Named> passes_ms;
  Simulated simulated;
};

Data collect(const lmap::Mapping &mapping, const Chip &chip, const check::Result &checked, const CollectOptions &options = {});

/// A network that did not become a mapping at all: the header and why, as violations without numbers.
Data refusal(const std::string &network, const Chip &chip, const std::vector<std::string> &errors, const CollectOptions &options = {});

} // namespace lasnn::loihi::report
