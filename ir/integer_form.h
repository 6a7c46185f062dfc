// How float numbers become the integers of spec.md. One place for the compiler's pass and for the trainer, so that what is
// trained in integers is what is compiled. Depends on nothing: no MLIR, no Torch.
//
//   u[c]: what one unit of the current of channel c is worth; s': what one unit of the synapse's input is worth (spikes: 1)
//   weight rne(w*s'/u)   bias rne(b/u)   threshold floor(theta/u)   rho, v_reset, v_min rne(x/u)   decay rne(4096*(1 - beta))
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace lasnn::integer_form {

inline double rne(double x) { return std::nearbyint(x); } // the default rounding mode: half to even

/// x/u, with a quotient that is a whole number but for rounding made whole: floor and ceil must not fall off it.
inline double quotient(double x, double u) {
  const double q = x / u, whole = std::rint(q);
  return std::fabs(q - whole) <= 1e-9 * std::fabs(q) ? whole : q;
}

inline int32_t toI32(double x) { return int32_t(std::clamp(x, double(INT32_MIN), double(INT32_MAX))); }

/// The largest weight of so many bits, symmetric: 127 of 8, 1 of 2 (ternary).
inline int mostOf(int bits) { return (1 << (bits - 1)) - 1; }

inline int8_t weight(double w, double scale, double unit, int most) {
  return int8_t(std::clamp(rne(w * scale / unit), double(-most), double(most)));
}

inline int32_t constant(double x, double unit) { return toI32(rne(x / unit)); }

/// N14: integer form compares with gt, and v >= theta is v > theta - 1.
inline int32_t threshold(double theta, double unit, bool ge) {
  const double q = quotient(theta, unit);
  return toI32(ge ? std::ceil(q) - 1 : std::floor(q));
}

inline int32_t decay(double beta) { return toI32(rne(4096.0 * (1.0 - beta))); }

/// The largest |v| of a membrane: 2^(bits-1) - 1.
inline double membraneLimit(int bits) { return double((int64_t(1) << (bits - 1)) - 1); }

/// The largest |I| of a read-out: half of i32 for all T steps, so K2 with room for what is not the bias.
inline double readoutLimit(int64_t timesteps) { return double(1 << 30) / double(timesteps); }

/// What a neuron's constants ask to be held: twice the threshold, since the membrane has to pass above it.
inline double neuronNeed(double theta, double rho, double reset, double vMin) {
  return std::max({2 * std::fabs(theta), rho, std::fabs(reset), -vMin});
}

/// The unit that lets a weight use all of its bits.
inline double weightNeed(double w, double scale, int most) { return std::fabs(w) * (scale / most); }

/// What a synapse's bias asks to be held; several synapses' are added.
inline double biasNeed(double bias) { return std::fabs(bias) * 2; }

struct Units {
  std::vector<double> unit; // u[c]
  int64_t grown = 0;        // channels whose unit is larger than their weights ask for
  int64_t example = 0;      // the first of them,
  double before = 0;        // and what its weights ask for
};

/// `asked[c]`: the largest weightNeed of the channel. `needs[c]`: the largest magnitude to hold, of at most `limit` units.
/// `shared`: all channels take the largest unit.
inline Units chooseUnits(const std::vector<double> &asked, std::vector<double> needs, double limit, bool shared) {
  Units out{asked};
  if (shared) {
    out.unit.assign(out.unit.size(), *std::max_element(out.unit.begin(), out.unit.end()));
    needs.assign(needs.size(), *std::max_element(needs.begin(), needs.end()));
  }
  for (size_t c = 0; c < out.unit.size(); ++c) {
    double &unit = out.unit[c];
    const double least = needs[c] / limit;
    if (unit == 0) unit = needs[c] > 0 ? needs[c] / std::min(limit, 8192.0) : 1.0; // no weights: only constants
    else if (unit < least) {
      if (out.grown++ == 0) out.example = int64_t(c), out.before = unit;
      unit = least;
    }
  }
  return out;
}

/// E2: the table of a direct encoding, [C][256], and what one of its units is worth.
struct InputTable {
  float scale = 1;
  std::vector<int8_t> table;
};
/// `mean` and `std` of E1, one a channel.
inline InputTable inputTable(const std::vector<float> &mean, const std::vector<float> &std) {
  std::vector<float> values;
  for (size_t c = 0; c < mean.size(); ++c)
    for (int p = 0; p < 256; ++p) values.push_back((float(p) / 255.f - mean[c]) / std[c]);
  double most = 0;
  for (float value : values) most = std::max(most, std::fabs(double(value)));
  InputTable out;
  out.scale = float(most / 127);
  for (float value : values) out.table.push_back(int8_t(std::clamp(rne(value / double(out.scale)), -127.0, 127.0)));
  return out;
}

} // namespace lasnn::integer_form
