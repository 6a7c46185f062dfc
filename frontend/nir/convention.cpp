// Sources of the conventions: the exporters of snnTorch, SpikingJelly, Norse, sinabs and Rockpool; docs/nir.md has the table.
#include "frontend/nir/convention.h"

#include <fmt/format.h>

#include <cmath>

using namespace mlir;

namespace lasnn::nir {

namespace {

bool near(double a, double b, double tolerance = 2e-5) { return std::abs(a - b) <= tolerance * std::max(std::abs(a), std::abs(b)); }

/// 1, 2 or 5 times a power of ten, which is what people set a step to.
bool isRound(double dt) {
  if (!(dt > 1e-9 && dt < 1e3)) return false;
  const double power = std::pow(10, std::floor(std::log10(dt) + 1e-4));
  return near(dt / power, 1) || near(dt / power, 2) || near(dt / power, 5);
}

/// Rockpool writes r = tau exp(-dt/tau) / dt: e^-x / x falls from infinity to 0, so that one x = dt/tau fits.
double rockpoolDt(double tau, double r) {
  double low = 1e-9, high = 50;
  for (int k = 0; k < 100; ++k) {
    const double x = std::sqrt(low * high);
    (std::exp(-x) / x > r ? low : high) = x;
  }
  return tau * low;
}

struct Numbers {
  const Node *node = nullptr;
  double tau = 0, r = 0; ///< tau 0: an IF or I
};

/// The first value of the node's constants; whether all are alike is the neuron's matter.
std::vector<Numbers> collect(const Graph &graph) {
  std::vector<Numbers> all;
  for (const Node &node : graph.nodes) {
    auto first = [&](StringRef name) {
      const Array *array = node.group->array(name);
      return array && !array->values.empty() ? array->values[0] : 0.0;
    };
    if (node.type == "LIF" || node.type == "LI")
      all.push_back({&node, first("tau"), first("r")});
    else if (node.type == "CubaLIF" || node.type == "CubaLI")
      all.push_back({&node, first("tau_mem"), first("r")});
    else if (node.type == "IF" || node.type == "I")
      all.push_back({&node, 0, first("r")});
  }
  return all;
}

struct Guess {
  Writer writer = Writer::Auto;
  double dt = 0;
  std::string why, open; ///< open: what stays ambiguous, with the flag that settles it
};

Guess guess(const Numbers &n) {
  Guess g;
  if (n.tau <= 0) {
    if (near(n.r, 1))
      g.dt = 1, g.why = "r = 1: time is counted in steps";
    else if (n.r >= 100 && isRound(1 / n.r))
      g.writer = Writer::SpikingJelly, g.dt = 1 / n.r, g.why = fmt::format("r = {:g} = 1/dt, as SpikingJelly writes it", n.r);
    else
      g.open = fmt::format("r = {:g} does not say how much one step integrates; pass --dt=SECONDS (1 when time is counted in steps)", n.r);
    return g;
  }
  const double plain = n.r > 0 ? n.tau / n.r : 0, rockpool = n.r > 0 ? rockpoolDt(n.tau, n.r) : 0;
  if (near(n.r, 1)) {
    if (n.tau >= 1)
      g.writer = Writer::Sinabs, g.dt = 1, g.why = fmt::format("r = 1 and tau = {:g}: tau is in steps, as sinabs writes it", n.tau);
    else
      g.open = fmt::format("tau = {:g} and r = 1 fit every step: read by tau/r the neuron would have no memory; pass --dt=SECONDS, or "
                           "--nir-dialect=norse (dt = 0.001) or spikingjelly with --dt",
                           n.tau);
  } else if (isRound(plain)) {
    g.dt = plain, g.why = fmt::format("tau = {:g}, r = {:g}: dt = tau/r = {:g}", n.tau, n.r, plain);
    g.open = g.why + " is known, but both snnTorch (which subtracts) and SpikingJelly (which resets) write r = tau/dt and v_reset = 0; "
                     "pass --nir-dialect=snntorch or spikingjelly, or --reset=zero or subtract";
  } else if (isRound(rockpool)) {
    g.writer = Writer::Rockpool, g.dt = rockpool,
    g.why = fmt::format("tau = {:g}, r = {:g} = tau exp(-dt/tau)/dt at dt = {:g}, as Rockpool writes it", n.tau, n.r, rockpool);
  } else {
    g.open =
        fmt::format("tau = {:g}, r = {:g} give dt = {:g} as tau/r and {:g} by Rockpool's rule, neither of them round; pass --dt=SECONDS",
                    n.tau, n.r, plain, rockpool);
  }
  return g;
}

} // namespace

Convention decide(const Graph &graph, const Conventions &given, Problems &problems) {
  Convention c;
  c.writer = given.writer;
  if (given.dt && !(std::isfinite(*given.dt) && *given.dt > 0))
    problems.error("NIR6") << "--dt is " << std::to_string(*given.dt) << ", expected a number above 0", c.decided = false;
  if (given.dt) c.dt = *given.dt, c.why = fmt::format("dt = {:g} as given", c.dt);
  const std::vector<Numbers> all = collect(graph);
  if (given.writer == Writer::Auto && !given.dt) {
    const Node *first = nullptr;
    for (const Numbers &n : all) {
      Guess g = guess(n);
      const bool dtKnown = g.dt > 0;
      if (!g.open.empty() && !(dtKnown && given.reset)) {
        problems.error(*n.node, "NIR6").append("its numbers decide no convention").attachNote() << g.open;
        c.decided = false;
        continue;
      }
      if (!first)
        first = n.node, c.dt = g.dt, c.writer = g.writer, c.why = g.why;
      else if (!near(c.dt, g.dt) || (n.tau > 0 && c.writer != g.writer)) {
        problems.error(*n.node, "NIR6")
                .append(g.why, ", but node ", quoted(first->name), " has ", c.why, ", expected one step for all")
                .attachNote()
            << "pass --dt=SECONDS or --nir-dialect=NAME";
        c.decided = false;
      }
    }
  } else if (!given.dt) {
    switch (given.writer) {
    case Writer::SnnTorch:
      c.dt = 1e-4, c.why = "snnTorch writes dt = 0.0001";
      break;
    case Writer::Norse:
      c.dt = 1e-3, c.why = "Norse's own dt is 0.001";
      break;
    case Writer::Sinabs:
      c.dt = 1, c.why = "sinabs counts time in steps";
      break;
    case Writer::Rockpool:
      for (const Numbers &n : all)
        if (n.tau > 0 && n.r > 0 && c.dt == 0)
          c.dt = rockpoolDt(n.tau, n.r),
          c.why = fmt::format("dt = {:g} from r = tau exp(-dt/tau)/dt of node {}", c.dt, quoted(n.node->name));
      break;
    case Writer::SpikingJelly:
      for (const Numbers &n : all)
        if (n.r > 0 && c.dt == 0 && (n.tau == 0 || !near(n.r, 1)))
          c.dt = n.tau > 0 ? n.tau / n.r : 1 / n.r, c.why = fmt::format("dt = {:g} from r of node {}", c.dt, quoted(n.node->name));
      break;
    default:
      break;
    }
    if (c.dt == 0 && !all.empty()) {
      problems.error(*all[0].node, "NIR6")
              .append("--nir-dialect=", stringifyWriter(given.writer), " does not say how long a step is, and its numbers do not either")
              .attachNote()
          << "pass --dt=SECONDS";
      c.decided = false;
    }
  }
  switch (c.writer) {
  case Writer::SnnTorch:
    c.reset = snn::Reset::Subtract;
    break;
  case Writer::SpikingJelly:
    c.compare = snn::Compare::Ge;
    break;
  case Writer::Sinabs:
  case Writer::Rockpool:
    c.reset = snn::Reset::Subtract, c.compare = snn::Compare::Ge, c.sMax = 255;
    break;
  default:
    break;
  }
  if (given.reset) {
    c.reset = *given.reset;
    if (c.reset != snn::Reset::Subtract) c.sMax = 1;
  }
  if (given.compare) c.compare = *given.compare;
  if (given.multiSpike) c.sMax = *given.multiSpike;
  c.vMin = given.vMin;
  if (c.sMax > 1 && c.reset != snn::Reset::Subtract) {
    problems.error("NIR6")
            .append("several spikes a step are asked for with a reset to a value, expected a reset by subtraction")
            .attachNote()
        << "pass --reset=subtract";
    c.decided = false;
  }
  if (c.sMax < 1 || c.sMax > 255) problems.error("NIR6") << "--multi-spike is " << c.sMax << ", expected 1 to 255", c.decided = false;
  if (c.vMin && !(*c.vMin <= 0))
    problems.error("NIR6") << "--v-min is " << std::to_string(*c.vMin) << ", expected at most 0", c.decided = false;
  return c;
}

Step leakyStep(const Convention &c, double tau, double r) {
  const double x = c.dt / tau;
  Step step;
  switch (c.writer) {
  case Writer::Sinabs:
    step = {std::exp(-x), r * -std::expm1(-x)};
    break;
  case Writer::Rockpool:
    step = {std::exp(-x), r * x};
    break;
  default:
    step = {1 - x, r * x};
  }
  if (std::abs(step.gain - 1) < 1e-6) step.gain = 1; // files hold r in f32
  return step;
}

} // namespace lasnn::nir
