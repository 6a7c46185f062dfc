#include "backends/loihi/lower/scale.h"

#include <algorithm>
#include <bit>
#include <cstdlib>

namespace lasnn::loihi {

namespace {

using std::to_string;

int64_t mostOf(uint32_t bits_with_sign) { return (int64_t(1) << (bits_with_sign - 1)) - 1; }
int64_t magnitude(Range r) { return std::max(std::abs(r.low), std::abs(r.high)); }

/// One trial: the fields it would set, or why not.
class Trial {
public:
  Trial(const Population &population, const std::vector<Projection *> &projections, const Bounds &bounds, const Meaning &meaning,
        const Chip &chip, uint32_t scale_log2)
      : pop(population), projections_(projections), bounds_(bounds), n_(meaning.neuron), bias_(meaning.bias), a_(chip.arithmetic) {
    pop.scale_log2 = scale_log2;
  }

  Population pop;
  std::vector<WeightFormat> formats;
  std::string reason; ///< without the layer's name
  uint32_t bits = 0;

  bool run() {
    const bool leaky = n_.decay > 0 && n_.decay < 4096;
    if (leaky && pop.scale_log2 != 0) return refuse("a leaky neuron rounds at scale 1", "");
    return thresholds() && reset() && clamps() && widths() && biases() && weights();
  }

private:
  bool refuse(const std::string &what, const std::string &cure) {
    reason = what + (cure.empty() ? "" : "; " + cure);
    return false;
  }
  int64_t scaled(int64_t value) const { return value * (int64_t(1) << pop.scale_log2); }
  bool stateless() const { return n_.decay == 4096; }
  bool fires() const { return pop.kind == lmap::SPIKING; }
  std::string channel(uint32_t k) const { return " (channel " + to_string(k) + ")"; }

  bool thresholds() {
    const int64_t step = int64_t(1) << a_.threshold_shift, top = ((int64_t(1) << a_.threshold_mantissa) - 1) * step;
    pop.threshold.clear();
    pop.bias.clear();
    for (uint32_t k = 0; k < pop.channels; ++k) {
      int64_t bias = scaled(bias_[k]), theta = top;
      if (!fires() || n_.v_threshold[k] >= bounds_.raw[k].high) { // never reached, whatever the input is
        if (scaled(bounds_.raw[k].high) > top)
          return refuse("the voltage can reach " + to_string(bounds_.raw[k].high) + channel(k) + ", at scale " + to_string(scaled(1)) +
                            " the largest threshold is " + to_string(top / scaled(1)),
                        "use fewer time-steps, narrower weights or split the layer");
      } else if (stateless()) {
        const int64_t want = scaled(n_.v_threshold[k]);
        theta = std::clamp<int64_t>(want >= 0 ? want / step * step : 0, 0, top);
        bias -= want - theta;
      } else {
        theta = scaled(n_.v_threshold[k]);
        if (theta < 0)
          return refuse("the threshold " + to_string(n_.v_threshold[k]) + channel(k) +
                            " is negative: the neuron would fire before its first step, allowed 0 and more",
                        "train with positive thresholds");
        if (theta > top)
          return refuse("the threshold " + to_string(n_.v_threshold[k]) + channel(k) + " exceeds " + to_string(top / scaled(1)) +
                            " at scale " + to_string(scaled(1)),
                        "use narrower weights (--weights)");
        if (theta % step != 0)
          return refuse("the threshold " + to_string(n_.v_threshold[k]) + channel(k) + " is no multiple of " + to_string(step / scaled(1)) +
                            ", which the chip's thresholds are at scale " + to_string(scaled(1)),
                        "compile the float model for this target, whose quantization takes care of it, or use neurons without leak");
      }
      pop.threshold.push_back(theta);
      pop.bias.push_back(bias);
    }
    if (!fires()) pop.threshold.assign(pop.channels, top);
    return true;
  }

  bool reset() {
    pop.reset = lmap::ZERO;
    pop.compartments = 1;
    pop.soft_reset = false;
    pop.rho.clear();
    pop.initial.clear();
    if (fires() && (n_.s_max > 1 || (n_.reset == plan::Reset::Subtract && !stateless()))) // graded spikes are counted in steps of rho
      for (const int32_t rho : n_.rho)
        pop.rho.push_back(scaled(rho));
    if (!fires() || stateless()) return true; // whatever it was reset to is forgotten
    if (n_.reset == plan::Reset::Subtract) {
      pop.reset = lmap::SUBTRACT;
      pop.compartments = a_.soft_reset_compartments;
      pop.soft_reset = pop.compartments > 1;
    } else if (n_.reset == plan::Reset::None) { // one compartment integrates, a second compares
      pop.reset = lmap::NONE;
      pop.compartments = a_.soft_reset_compartments;
    } else if (n_.reset == plan::Reset::Value && std::any_of(n_.v_reset.begin(), n_.v_reset.end(), [](int32_t v) { return v != 0; })) {
      if (n_.decay != 0)
        return refuse("its leaky neurons are reset to values other than 0, the chip resets to 0",
                      "train with reset to zero or by subtraction, or without leak");
      for (uint32_t k = 0; k < pop.channels; ++k) { // the voltage is held less v_reset, from which it then starts
        const int64_t offset = scaled(n_.v_reset[k]), step = int64_t(1) << a_.threshold_shift,
                      top = ((int64_t(1) << a_.threshold_mantissa) - 1) * step;
        const bool reached = n_.v_threshold[k] < bounds_.raw[k].high;
        if (reached) pop.threshold[k] -= offset;
        if (pop.threshold[k] < 0 || pop.threshold[k] > top || pop.threshold[k] % step != 0 ||
            (!reached && scaled(bounds_.raw[k].high) - offset > top))
          return refuse("threshold less v_reset is " + to_string(int64_t(n_.v_threshold[k]) - n_.v_reset[k]) + channel(k) +
                            ", allowed are multiples of " + to_string(step / scaled(1)) + " from 0 to " + to_string(top / scaled(1)),
                        "train with reset to zero");
        pop.initial.push_back(-offset);
      }
    }
    return true;
  }

  /// The network's clamp must never act, or be one that the chip has.
  bool clamps() {
    pop.clamp_low = pop.clamp_high = false;
    pop.v_min_exponent = pop.v_max_exponent = -1;
    if (!fires()) return true;
    const int64_t high = (int64_t(1) << (n_.state_bits - 1)) - 1, low = n_.has_v_min ? std::max<int64_t>(-high - 1, n_.v_min) : -high - 1;
    for (uint32_t k = 0; k < pop.channels; ++k) {
      const Range &raw = bounds_.raw[k], &after = bounds_.subtracted[k];
      if (stateless()) {
        const int64_t last = n_.v_threshold[k] + (n_.s_max > 1 ? int64_t(n_.s_max - 1) * n_.rho[k] : 0);
        const bool matters = (raw.high > high && last >= high) || (raw.low < low && n_.v_threshold[k] < low);
        if (matters) return refuse("its clamp decides whether it fires" + channel(k), "use a threshold inside the clamp");
        continue;
      }
      if (after.low <= after.high && (after.low < low || after.high > high))
        return refuse("the clamp after a reset by subtraction can act: the voltage reaches " + to_string(after.low) + " .. " +
                          to_string(after.high) + channel(k) + ", the clamp is " + to_string(low) + " .. " + to_string(high),
                      "use --state-bits=24 or a reset amount of at most the threshold");
      if (raw.high > high && !pop.clamp_high && !clampHigh(high))
        return refuse("the voltage can reach " + to_string(raw.high) + channel(k) + " and would be clamped to " + to_string(high) +
                          ", which the chip cannot do at scale " + to_string(scaled(1)),
                      "use --state-bits=24, fewer time-steps or narrower weights");
      if (raw.low < low && !pop.clamp_low && !clampLow(low))
        return refuse("the voltage can reach " + to_string(raw.low) + channel(k) + " and would be clamped to " + to_string(low) +
                          ", which the chip cannot do at scale " + to_string(scaled(1)),
                      "use --state-bits=24, fewer time-steps, or v_min = 0");
    }
    if ((pop.clamp_low || pop.clamp_high) && !pop.initial.empty())
      return refuse("it has both a clamp that acts and a reset to a value", "train with reset to zero");
    return true;
  }

  bool clampHigh(int64_t high) {
    for (uint32_t e = 0; e <= a_.v_max_exponent_max; ++e)
      if (scaled(high) == (int64_t(1) << (9 + 2 * e)) - 1) {
        pop.clamp_high = true;
        pop.v_max = scaled(high);
        pop.v_max_exponent = int32_t(e);
        return true;
      }
    return false;
  }

  bool clampLow(int64_t low) {
    for (uint32_t e = 0; e <= a_.v_min_exponent_max; ++e)
      if (scaled(low) == 1 - (int64_t(1) << e)) {
        pop.clamp_low = true;
        pop.v_min = scaled(low);
        pop.v_min_exponent = int32_t(e);
        return true;
      }
    return false;
  }

  bool widths() {
    const int64_t sum = scaled(magnitude(bounds_.sum)), sum_most = mostOf(std::min(a_.accumulator, a_.current));
    if (sum > sum_most)
      return refuse("a step's synapses can add up to " + to_string(magnitude(bounds_.sum)) + ", at scale " + to_string(scaled(1)) +
                        " the chip's sums hold " + to_string(sum_most / scaled(1)),
                    "use narrower weights (--weights) or smaller layers");
    int64_t v = 0, shift = 0;
    for (uint32_t k = 0; k < pop.channels; ++k) {
      shift = !pop.initial.empty() ? pop.initial[k] : stateless() ? pop.bias[k] - scaled(bias_[k]) : 0;
      const Range raw = pop.clamp_high || pop.clamp_low ? bounds_.voltage : bounds_.raw[k];
      v = std::max({v, std::abs(scaled(raw.low) + shift), std::abs(scaled(raw.high) + shift)});
    }
    if (v > mostOf(a_.voltage))
      return refuse("the voltage can reach " + to_string(v / scaled(1)) + ", at scale " + to_string(scaled(1)) + " the chip holds " +
                        to_string(mostOf(a_.voltage) / scaled(1)),
                    "use fewer time-steps or narrower weights (--weights)");
    return true;
  }

  bool biases() {
    uint32_t terms = 0;
    for (uint32_t k = 0; k < pop.channels; ++k) {
      const Range host = bounds_.host[k];
      if (host.low == host.high)
        terms = std::max(terms, biasTerms(pop.bias[k] + scaled(host.low), a_));
      else
        terms = std::max(terms, biasTermsUpTo(std::max(std::abs(pop.bias[k] + scaled(host.low)), std::abs(pop.bias[k] + scaled(host.high))),
                                              pop.scale_log2, a_));
    }
    if (terms > 8)
      return refuse("its bias and the image's currents need " + to_string(terms) + " bias registers a neuron at scale " +
                        to_string(scaled(1)) + ", allowed 8",
                    "use narrower weights in this layer");
    pop.bias_terms = terms;
    if (terms > 1) pop.compartments += terms - 1;
    return true;
  }

  bool weights() {
    formats.clear();
    bits = 0;
    for (const Projection *p : projections_) {
      const Range range = weightRange(*p);
      WeightFormat best;
      bool found = false;
      for (const lmap::Sign sign : {lmap::EXCITATORY, lmap::INHIBITORY, lmap::MIXED})
        for (const uint32_t b : legal_)
          if (const std::optional<WeightFormat> f = format(range, zerosBelow(*p), sign, b); f && (!found || f->bits < best.bits)) {
            best = *f;
            found = true;
          }
      if (!found) {
        const std::string cure =
            p->plain ? "use narrower weights (--weights)" : "use narrower weights (--weights), or a smaller overlapping pool before it";
        const std::string what = "weights " + to_string(range.low) + " .. " + to_string(range.high) + " of '" + p->name + "' ";
        const int64_t b = legal_.empty() ? 0 : legal_.back(), top = (int64_t(1) << b) - 1;
        if (range.low < 0 && range.high > 0 ? range.low < -(top + 1) / 2 || range.high > top / 2 : magnitude(range) > top)
          return refuse(what + "are too wide: a synapse of the chip has " + to_string(b) + " bits, which hold " +
                            to_string(-(top + 1) / 2) + " .. " + to_string(top / 2) + ", or up to " + to_string(top) + " of one sign",
                        cure);
        return refuse(what + "fit no synapse format at scale " + to_string(scaled(1)) + ", whose exponents are " +
                          to_string(a_.weight_exponent_min) + " .. " + to_string(a_.weight_exponent_max),
                      cure);
      }
      formats.push_back(best);
      bits += best.bits;
    }
    return true;
  }

  /// Narrow weights of a coarse unit are multiples of a power of 2: synapses then hold fewer bits.
  static uint32_t zerosBelow(const Projection &p) {
    uint32_t bits = 0;
    for (const int8_t w : *p.weight)
      bits |= uint32_t(std::abs(int(w)));
    return bits == 0 ? 0 : uint32_t(std::countr_zero(bits));
  }

  std::optional<WeightFormat> format(Range range, uint32_t shift, lmap::Sign sign, uint32_t b) const {
    range.low /= int64_t(1) << shift, range.high /= int64_t(1) << shift;
    const int32_t magnitude_bits = int32_t(a_.weight_mantissa) - 1; // 8
    int64_t low = 0, high = 0;
    int32_t lost = magnitude_bits - int32_t(b);
    if (sign == lmap::MIXED) {
      if (b == 0) return std::nullopt;
      low = -(int64_t(1) << (b - 1));
      high = -low - 1;
      lost += 1;
    } else if (sign == lmap::EXCITATORY)
      high = (int64_t(1) << b) - 1;
    else
      low = -(int64_t(1) << b) + 1;
    if (range.low < low || range.high > high) return std::nullopt;
    WeightFormat f;
    f.sign = sign;
    f.bits = b;
    f.shift = shift;
    f.exponent = int32_t(pop.scale_log2 + shift) - lost - int32_t(a_.weight_shift);
    if (f.exponent < a_.weight_exponent_min || f.exponent > a_.weight_exponent_max) return std::nullopt;
    return f;
  }

  const std::vector<Projection *> &projections_;
  const Bounds &bounds_;
  const plan::Neuron &n_;
  const std::vector<int32_t> &bias_;
  const Arithmetic &a_;

public:
  std::vector<uint32_t> legal_;
};

} // namespace

uint32_t biasTerms(int64_t value, const Arithmetic &a) {
  if (value == 0) return 0;
  const int64_t most = mostOf(a.bias_mantissa);
  for (int32_t e = a.bias_exponent_min; e <= a.bias_exponent_max; ++e)
    if (value % (int64_t(1) << e) == 0 && std::abs(value >> e) <= most) return 1;
  return 1 + uint32_t(((std::abs(value) >> a.bias_exponent_max) + most - 1) / most);
}

uint32_t biasTermsUpTo(int64_t magnitude, uint32_t step_log2, const Arithmetic &a) {
  if (magnitude == 0) return 0;
  const int64_t most = mostOf(a.bias_mantissa);
  const uint32_t exponent = std::min<uint32_t>(step_log2, uint32_t(a.bias_exponent_max));
  if (magnitude <= most << exponent) return 1;
  return 1 + uint32_t(((magnitude >> a.bias_exponent_max) + most - 1) / most);
}

bool fitScale(Population &population, const std::vector<Projection *> &projections, const Bounds &bounds, const Meaning &meaning,
              const Chip &chip, std::vector<std::string> &errors) {
  std::optional<Trial> best;
  std::string first, last; // the largest scale and the smallest fail for different reasons
  for (int32_t j = int32_t(chip.arithmetic.threshold_shift); j >= 0; --j) {
    Trial trial(population, projections, bounds, meaning, chip, uint32_t(j));
    trial.legal_ = chip.bits.weight;
    if (!trial.run()) {
      if (first.empty() && (meaning.neuron.decay == 0 || meaning.neuron.decay == 4096)) first = trial.reason;
      last = trial.reason;
      continue;
    }
    // Fewer compartments first, then fewer bits; of equals the larger scale.
    if (!best || trial.pop.compartments < best->pop.compartments ||
        (trial.pop.compartments == best->pop.compartments && trial.bits < best->bits))
      best.emplace(std::move(trial));
  }
  if (!best) {
    errors.push_back("layer '" + population.name + "': " + (first.empty() || first == last ? last : first + " | and " + last));
    return false;
  }
  population = best->pop;
  for (size_t i = 0; i < projections.size(); ++i)
    projections[i]->format = best->formats[i];
  return true;
}

} // namespace lasnn::loihi
