// A student in the integers of ir/spec.md, in training and after it: what is trained is what is compiled, to the bit.
//
//   w_int = clamp(rne(w s' / u[c]), -most, most)     most = 2^(bits-1) - 1; 1 for ternary
//   b_int = rne(b / u[c])                            u[c]: what one unit of channel c's current is worth
//   x_int : the input's table (E2, one unit worth s'), or spikes (s' = 1); an average pool is a sum, s' = 1/window
//   I_int = w_int * x_int + b_int                    exact: float32 holds whole numbers up to 2^24, float64 takes over above
//   spikes: integer_neuron.h                         logits: I_int u, the read-out's one u
//
// The formulas are ir/integer_form.h's, as in the compiler's pass. Gradients go straight through the rounding, not through the
// clamp. u[c] is trained as well (LSQ: Esser et al., ICLR 2020; here its logarithm):
//
//   dL/du[c] = sum over weights of dL/dw_int / u * (w_int - w s'/u)      +-most in place of the bracket where clamped
//
// Normalisation is folded into weights and biases before, so its statistics are frozen.
#pragma once

#include "distill/network.h"

#include <nlohmann/json_fwd.hpp>

#include <map>
#include <string>

namespace lasnn::distill {

struct Model;

/// Bits of the weights: all layers', and exceptions by name ("int4,conv1=int8").
struct Widths {
  int all = 0; // 0: float
  std::map<std::string, int> of;
  int bits(const std::string &layer) const;
  int narrowest() const;
};
/// int2 (or ternary) to int8. Throws std::invalid_argument.
Widths widthsFromText(const std::string &);
std::string widthsToText(const Widths &);

struct IntegerOptions {
  Widths widths;
  std::string unit = "learned"; // learned; best: least squared error at the start, then fixed; max: from the largest weight, always
  std::string encoding = "direct";
  int64_t timesteps = 4;
  std::vector<float> mean, std; // of the input's table
};
nlohmann::json integerToJson(const IntegerOptions &);
IntegerOptions integerFromJson(const nlohmann::json &);

/// A network's integer form; hangs below the network it belongs to.
class IntegerForm : public torch::nn::Module {
public:
  const IntegerOptions options;

  Forward forward(Network &, const Steps &input, int64_t steps) const;
  /// Evaluation and files take the units as they stand in a buffer; settle() brings them up to date with what was trained.
  void settle();
  void train(bool on) override;
  /// [C], or [1] of a read-out; float32.
  torch::Tensor unit(const std::string &node) const { return layers.at(node).unit; }
  /// weight and bias as float32 that the compiler's formulas take back to the integers: w_int u / s', b_int u.
  std::pair<torch::Tensor, torch::Tensor> exported(const Network &, const Node &, const Synapse &) const;

private:
  friend void makeInteger(Network &, const IntegerOptions &);
  struct Layer {
    const Node *node;
    torch::Tensor unit;             // buffer
    torch::Tensor logUnit, settled; // learned: parameter, and its value when `unit` was made from it
  };
  struct Signal { // whole numbers between nodes
    Steps steps;
    double scale = 1;   // what one unit is worth
    double divisor = 1; // of average pools, apart from the scale: the compiler divides weights by it in float32
    double most = 1;    // largest magnitude
  };
  IntegerForm(const Network &, const IntegerOptions &);
  Signal encode(const Steps &input) const;
  torch::Tensor unitOf(const Network &, const Node &) const;
  std::vector<double> leastUnits(const Network &, const Node &) const;

  const Network *network = nullptr; // whose this is
  std::map<std::string, Layer> layers;
  std::map<std::string, Signal> signals; // of every node, without values
  torch::Tensor table;                   // buffer [C,256], of direct encoding
};

/// Gives `network` its integer form, units chosen from its weights. Throws std::invalid_argument when its neurons or nodes have
/// none: which, and what to do.
void makeInteger(Network &network, const IntegerOptions &);

/// The same network with normalisation folded into weights and biases (float32, as in the exported file).
std::shared_ptr<Network> foldedCopy(const Network &);

/// `student` in integers, without training: rounding after the fact.
Model quantized(const Model &student, const Widths &, const std::string &unit, int64_t timesteps);

} // namespace lasnn::distill
