#include "frontend/nir/convert.h"

#include "llvm/ADT/DenseMap.h"

#include <fmt/format.h>

#include <cmath>

using namespace mlir;

namespace lasnn::nir {

std::string shapeText(ArrayRef<int64_t> shape) {
  std::string text;
  for (int64_t dim : shape.take_front(8))
    text += fmt::format("{}{}", text.empty() ? "" : ",", dim);
  return "[" + text + "]";
}

SmallVector<int64_t, 3> dialectShape(ArrayRef<int64_t> shape) {
  int64_t count = 1;
  for (int64_t dim : shape)
    if (dim < 1 || dim > kMaxValues || (count *= dim) > kMaxValues) return {};
  if (shape.size() == 1 || shape.size() == 3) return {shape.begin(), shape.end()};
  if (shape.size() == 2) return {shape[0], 1, shape[1]};
  return {};
}

bool isSpikes(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op) return false;
  if (snn::getNeuron(op) || isa<snn::DelayOp>(op)) return true;
  if (auto encode = dyn_cast<snn::EncodeOp>(op)) return encode.getEncoding() == snn::Encoding::Events;
  return isa<snn::FlattenOp, snn::MaxPoolOp>(op) && isSpikes(op->getOperand(0));
}

Value createLinear(OpBuilder &b, Location loc, Value input, ArrayRef<float> weight, int64_t outputs, ArrayRef<float> bias) {
  auto f32 = b.getF32Type();
  auto attr = [&](ArrayRef<int64_t> shape, ArrayRef<float> values) {
    return DenseElementsAttr::get(RankedTensorType::get(shape, f32), values);
  };
  return b.create<snn::LinearOp>(loc, RankedTensorType::get({outputs}, f32), input, attr({outputs, snn::channels(input)}, weight),
                                 bias.empty() ? ElementsAttr() : ElementsAttr(attr({outputs}, bias)));
}

namespace {

class Converter {
public:
  Converter(Importer &importer, const Node &node, Value input)
      : importer(importer), node(node), input(input), b(importer.b), loc(importer.problems.nameLoc(node.name)) {}

  Value run(Integrator *integrator) {
    const StringRef type = node.type;
    if (type == "Port" || type == "Output") return input;
    if (type == "Affine" || type == "Linear") return linear(type == "Affine");
    if (type == "Conv1d") return convolution(1);
    if (type == "Conv2d") return convolution(2);
    if (type == "SumPool2d" || type == "AvgPool2d") return pool(type == "AvgPool2d");
    if (type == "Flatten") return flatten();
    if (type == "Scale") return scale();
    if (type == "Threshold") return threshold();
    if (type == "LIF" || type == "IF") return neuron();
    if (type == "CubaLIF" || type == "CubaLI") checkFilter();
    if (type == "CubaLIF") return neuron();
    if (type == "I" || type == "LI" || type == "CubaLI") return integrate(integrator);
    error("NIR3").append("its type is not supported").attachNote()
        << "supported are Affine, AvgPool2d, Conv1d, Conv2d, CubaLI, CubaLIF, Delay, Flatten, I, IF, Input, LI, LIF, Linear, NIRGraph, "
           "Output, Scale, SumPool2d, Threshold";
    return {};
  }

private:
  Importer &importer;
  const Node &node;
  Value input;
  OpBuilder &b;
  Location loc;
  bool failed = false;

  InFlightDiagnostic error(StringRef rule) {
    failed = true;
    return importer.problems.error(node, rule);
  }

  //===--- fields ---===//

  /// Numbers of a field; null and reported when it is absent, a text or not finite in f32.
  const Array *numbers(StringRef name, bool needed = true) {
    const Array *array = node.group->array(name);
    if (!array) {
      if (needed) error("NIR3") << "it has no field " << quoted(name) << ", expected one";
      return nullptr;
    }
    if (array->isText()) {
      error("NIR3") << "its field " << quoted(name) << " is a text, expected numbers";
      return nullptr;
    }
    for (double value : array->values)
      if (!std::isfinite(float(value))) {
        error("NIR2") << "its field " << quoted(name) << " holds " << fmt::format("{:g}", value)
                      << ", expected numbers that are finite in f32";
        return nullptr;
      }
    return array;
  }

  /// One or `count` whole numbers from `least` to 65535.
  SmallVector<int64_t, 2> counts(StringRef name, size_t count, int64_t least, int64_t byDefault = -1) {
    if (byDefault >= 0 && !node.group->array(name)) return SmallVector<int64_t, 2>(count, byDefault);
    const Array *array = numbers(name);
    if (!array) return {};
    SmallVector<int64_t, 2> values;
    for (double value : ArrayRef(array->values).take_front(count + 1)) {
      if (!(value >= double(least) && value <= 65535 && value == std::floor(value))) {
        error("NIR3") << "its field " << quoted(name) << " holds " << fmt::format("{:g}", value) << ", expected whole numbers from "
                      << least << " to 65535";
        return {};
      }
      values.push_back(int64_t(value));
    }
    if (values.size() == 1) values.resize(count, int64_t(values[0]));
    if (values.size() != count) {
      error("NIR3") << "its field " << quoted(name) << " holds " << array->values.size() << " numbers, expected " << count;
      return {};
    }
    return values;
  }

  std::vector<float> floats(const Array &array) { return {array.values.begin(), array.values.end()}; }
  DenseElementsAttr attr(ArrayRef<int64_t> shape, ArrayRef<float> values) {
    return DenseElementsAttr::get(RankedTensorType::get(shape, b.getF32Type()), values);
  }
  RankedTensorType type(ArrayRef<int64_t> shape) { return RankedTensorType::get(shape, b.getF32Type()); }
  ArrayRef<int64_t> inputShape() { return snn::tensorType(input).getShape(); }

  /// A constant of a neuron as one value for all or one a channel.
  std::vector<double> perChannel(StringRef name, bool needed, double byDefault) {
    const Array *array = numbers(name, needed);
    if (!array) return {byDefault};
    const std::vector<double> &v = array->values;
    if (llvm::all_of(v, [&](double x) { return x == v[0]; })) {
      if (input && v.size() != 1 && int64_t(v.size()) != snn::tensorType(input).getNumElements() &&
          int64_t(v.size()) != snn::channels(input))
        error("NIR5") << "its field " << quoted(name) << " has shape " << shapeText(array->shape)
                      << ", expected one value, or the shape of its input, " << shapeText(inputShape());
      return {v[0]};
    }
    if (!input) return {v[0]};
    const int64_t channels = snn::channels(input), all = snn::tensorType(input).getNumElements(), given = int64_t(v.size());
    if (given != channels && given != all) {
      error("NIR5") << "its field " << quoted(name) << " has shape " << shapeText(array->shape)
                    << ", expected one value, or the shape of its input, " << shapeText(inputShape());
      return {v[0]};
    }
    std::vector<double> out;
    const int64_t each = given / channels;
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t k = 1; k < each; ++k)
        if (v[size_t(c * each + k)] != v[size_t(c * each)]) {
          error("NIR7")
                  .append("its field ", quoted(name),
                          fmt::format(" varies inside of channel {}: {:g} and {:g}, expected one value a channel", c, v[size_t(c * each)],
                                      v[size_t(c * each + k)]))
                  .attachNote()
              << "train with constants that a channel shares, or flatten before the neuron";
          return {v[0]};
        }
      out.push_back(v[size_t(c * each)]);
    }
    return out;
  }

  //===--- synapses ---===//

  Value linear(bool biased) {
    const Array *weight = numbers("weight"), *bias = biased ? numbers("bias") : nullptr;
    if (!weight) return {};
    ArrayRef<int64_t> shape = weight->shape;
    while (shape.size() > 2 && shape[0] == 1)
      shape = shape.drop_front();
    if (shape.size() != 2) {
      error("NIR5") << "its weight has shape " << shapeText(weight->shape) << ", expected two axes";
      return {};
    }
    if (bias && int64_t(bias->values.size()) != shape[0])
      error("NIR5") << "its bias has " << bias->values.size() << " values, expected " << shape[0];
    if (!input) return {};
    if (snn::tensorType(input).getNumElements() != shape[1] || (inputShape().size() == 3 && inputShape()[0] != shape[1])) {
      error("NIR5")
              .append("its weight takes ", shape[1], " values, its input has shape ", shapeText(inputShape()), ", expected ",
                      shapeText(shape[1]))
              .attachNote()
          << "a Flatten belongs between an image and a vector";
      return {};
    }
    if (failed) return {};
    if (inputShape().size() == 3)
      input = b.create<snn::FlattenOp>(importer.problems.nameLoc(node.name + ".flatten"), type({shape[1]}), input);
    return createLinear(b, loc, input, floats(*weight), shape[0], bias ? floats(*bias) : std::vector<float>());
  }

  /// -1 for "same", padding else.
  SmallVector<int64_t, 2> padding(size_t axes) {
    const Array *array = node.group->array("padding");
    if (!array || !array->isText()) return counts("padding", axes, 0);
    if (array->texts[0] == "valid") return SmallVector<int64_t, 2>(axes, 0);
    if (array->texts[0] == "same") return SmallVector<int64_t, 2>(axes, -1);
    error("NIR3") << "its padding is " << quoted(array->texts[0]) << ", expected numbers, \"same\" or \"valid\"";
    return {};
  }

  Value convolution(size_t axes) {
    const Array *weight = numbers("weight"), *bias = recorded("no_bias") ? nullptr : numbers("bias", false);
    auto strides = counts("stride", axes, 1), dilations = counts("dilation", axes, 1, 1), pads = padding(axes),
         groups = counts("groups", 1, 1, 1);
    if (!weight) return {};
    if (weight->shape.size() != axes + 2) {
      error("NIR5") << "its weight has shape " << shapeText(weight->shape) << ", expected " << axes + 2 << " axes";
      return {};
    }
    const int64_t k = weight->shape[0];
    if (bias && int64_t(bias->values.size()) != k) error("NIR5") << "its bias has " << bias->values.size() << " values, expected " << k;
    if (failed || !input) return {};
    if (axes == 1) strides.insert(strides.begin(), 1), dilations.insert(dilations.begin(), 1), pads.insert(pads.begin(), 0);
    SmallVector<int64_t, 4> w{k, weight->shape[1], axes == 1 ? 1 : weight->shape[2], weight->shape.back()};
    const int64_t g = groups[0], c = snn::channels(input);
    if (inputShape().size() != 3 || (axes == 1 && inputShape()[1] != 1)) {
      error("NIR5") << "its input has shape " << shapeText(inputShape()) << ", expected " << (axes == 1 ? "[C,L]" : "[C,H,W]");
      return {};
    }
    if (c % g || k % g || w[1] != c / g) {
      error("NIR5") << fmt::format(
          "{} channels come in, its weight has shape {} and groups {}, expected groups that divide both and {} channels in a group", c,
          shapeText(weight->shape), g, c / g);
      return {};
    }
    if (const Array *declared = node.group->array("input_shape"); declared && !declared->isText()) {
      for (size_t axis = 0; axis < std::min(axes, declared->values.size()); ++axis)
        if (double(inputShape()[3 - axes + axis]) != declared->values[axis]) {
          error("NIR5") << fmt::format("its input_shape says {:g} on axis {}, its input has shape {}, expected them to agree",
                                       declared->values[axis], axis, shapeText(inputShape()));
          return {};
        }
    }
    SmallVector<int64_t, 4> all(4, 0);
    SmallVector<int64_t, 3> out{k};
    for (size_t axis = 0; axis < 2; ++axis) {
      const int64_t reach = dilations[axis] * (w[2 + axis] - 1);
      if (pads[axis] < 0) {
        if (strides[axis] != 1) {
          error("NIR3") << "its padding is \"same\" with stride " << strides[axis] << ", expected stride 1";
          return {};
        }
        all[axis] = reach / 2, all[axis + 2] = reach - reach / 2; // as PyTorch: the larger half behind
      } else {
        all[axis] = all[axis + 2] = pads[axis];
      }
      const int64_t room = inputShape()[axis + 1] + all[axis] + all[axis + 2] - reach - 1;
      if (room < 0) {
        error("NIR5") << fmt::format("its window spans {} values of axis {}, which has {} with padding, expected a window that fits",
                                     reach + 1, axis + 1, room + reach + 1);
        return {};
      }
      out.push_back(room / strides[axis] + 1);
    }
    if (dialectShape(out).empty()) {
      error("NIR5") << "its result has shape " << shapeText(out) << ", expected at most " << kMaxValues << " values";
      return {};
    }
    return b.create<snn::Conv2DOp>(loc, type(out), input, attr(w, floats(*weight)),
                                   bias ? ElementsAttr(attr({k}, floats(*bias))) : ElementsAttr(), b.getDenseI64ArrayAttr(strides),
                                   b.getDenseI64ArrayAttr(all), b.getDenseI64ArrayAttr(dilations), b.getI64IntegerAttr(g));
  }

  Value pool(bool average) {
    auto kernel = counts("kernel_size", 2, 1), strides = counts("stride", 2, 1), pads = counts("padding", 2, 0, 0);
    if (failed || !input) return {};
    if (inputShape().size() != 3) {
      error("NIR5") << "its input has shape " << shapeText(inputShape()) << ", expected [C,H,W]";
      return {};
    }
    SmallVector<int64_t, 3> out{snn::channels(input)};
    for (size_t axis = 0; axis < 2; ++axis) {
      const int64_t room = inputShape()[axis + 1] + 2 * pads[axis] - kernel[axis];
      if (room < 0 || pads[axis] >= kernel[axis]) {
        error("NIR5") << fmt::format(
            "its window of {} with padding {} does not fit axis {} of size {}, expected a window that fits and padding below it",
            kernel[axis], pads[axis], axis + 1, inputShape()[axis + 1]);
        return {};
      }
      out.push_back(room / strides[axis] + 1);
    }
    auto k = b.getDenseI64ArrayAttr(kernel), s = b.getDenseI64ArrayAttr(strides),
         p = b.getDenseI64ArrayAttr({pads[0], pads[1], pads[0], pads[1]});
    if (average) return b.create<snn::AvgPoolOp>(loc, type(out), input, k, s, p);
    return b.create<snn::SumPoolOp>(loc, type(out), input, k, s, p);
  }

  Value flatten() {
    const Array *start = numbers("start_dim", false), *end = numbers("end_dim", false);
    const double first = start ? start->values[0] : 1, last = end ? end->values[0] : -1;
    if (!input) return {};
    if (inputShape().size() == 1) return input;
    // Some writers count a batch axis, which the graph does not have, or one of size 1 in input_type.
    const Array *declared = node.group->array("input_type");
    const bool batch =
        first == 1 && (inputShape()[0] == 1 || (declared && declared->values.size() == 4 && declared->values[0] == 1) || !declared);
    if ((first != 0 && !batch) || (last != -1 && last < 2)) {
      error("NIR5") << fmt::format("it flattens axes {:g} to {:g} of {}, expected all of them (0 to -1)", first, last,
                                   shapeText(inputShape()));
      return {};
    }
    return b.create<snn::FlattenOp>(loc, type({snn::tensorType(input).getNumElements()}), input);
  }

  /// gain * value + shift by channel, as a batch_norm that the compiler folds into the synapse. It goes through sums.
  Value affine(Value value, std::vector<double> gain, std::vector<double> shift) {
    if (llvm::all_of(gain, [](double g) { return g == 1; }) && llvm::all_of(shift, [](double s) { return s == 0; })) return value;
    const int64_t c = snn::channels(value);
    auto spread = [&](const std::vector<double> &v) {
      std::vector<float> all(static_cast<size_t>(c));
      for (size_t k = 0; k < all.size(); ++k)
        all[k] = float(v.size() == 1 ? v[0] : v[k]);
      return attr({c}, all);
    };
    if (auto add = value.getDefiningOp<snn::AddOp>()) {
      Value left = affine(add.getLhs(), gain, shift), right = affine(add.getRhs(), gain, {0});
      return b.create<snn::AddOp>(importer.problems.nameLoc(node.name + ".sum"), value.getType(), left, right);
    }
    return b.create<snn::BatchNormOp>(importer.problems.nameLoc(node.name + ".gain"), value.getType(), value, spread(gain), spread(shift),
                                      spread({0}), spread({1}), b.getF32FloatAttr(0));
  }

  Value scale() {
    std::vector<double> factor = perChannel("scale", true, 1);
    return failed || !input ? Value() : affine(input, factor, {0});
  }

  //===--- neurons ---===//

  Value threshold() {
    std::vector<double> theta = perChannel("threshold", true, 1);
    if (failed || !input) return {};
    ++importer.neurons;
    const snn::Compare compare = importer.convention.compare;
    return b.create<snn::LIFOp>(loc, input.getType(), input, b.getF32FloatAttr(0), IntegerAttr(), channelAttr(theta), snn::Reset::Zero,
                                ElementsAttr(), ElementsAttr(), compare, 1, TypedAttr(), 24);
  }

  DenseElementsAttr channelAttr(const std::vector<double> &values) {
    return attr({int64_t(values.size())}, std::vector<float>(values.begin(), values.end()));
  }

  /// CubaLIF and CubaLI: i = beta_s i + w_in dt/tau_syn s. Only a filter that keeps nothing is no state of its own.
  void checkFilter() {
    const double dt = importer.convention.dt;
    for (double tau : perChannel("tau_syn", true, dt))
      if (importer.convention.decided && std::abs(1 - dt / tau) > 1e-4) {
        error("NIR8")
                .append(fmt::format("its current is filtered: tau_syn = {:g} at dt = {:g} keeps {:g} of it from step to step, for which "
                                    "the dialect has no state, expected tau_syn = dt",
                                    tau, dt, 1 - dt / tau))
                .attachNote()
            << "train with LIF, or with a synaptic filter of one step (alpha = 0)";
        return;
      }
  }

  /// Per channel: leak and what the current is multiplied with and gets added.
  struct Drive {
    double beta = 1;
    std::vector<double> gain{1}, shift{0};
  };
  std::optional<Drive> drive() {
    const Convention &c = importer.convention;
    const bool leaky = node.type != "IF" && node.type != "I", cuba = StringRef(node.type).starts_with("Cuba");
    std::vector<double> r = perChannel("r", true, 1), tau{1}, leak{0}, w{1};
    if (leaky) tau = perChannel(cuba ? "tau_mem" : "tau", true, 1), leak = perChannel("v_leak", false, 0);
    if (cuba) w = perChannel("w_in", false, 1);
    if (failed || !c.decided) return std::nullopt;
    const size_t count = std::max({r.size(), tau.size(), leak.size(), w.size()});
    auto at = [](const std::vector<double> &v, size_t k) { return v.size() == 1 ? v[0] : v[k]; };
    Drive d;
    d.gain.clear(), d.shift.clear();
    double least = INFINITY, most = -INFINITY;
    for (size_t k = 0; k < count; ++k) {
      Step step{1, r.size() == 1 ? r[0] * c.dt : at(r, k) * c.dt};
      if (leaky) {
        if (!(at(tau, k) > 0)) {
          error("NIR7") << fmt::format("its time constant is {:g}, expected a number above 0", at(tau, k));
          return std::nullopt;
        }
        step = leakyStep(c, at(tau, k), at(r, k));
        if (step.beta < -1e-6) {
          error("NIR7")
                  .append(
                      fmt::format("tau = {:g} is shorter than the step, dt = {:g}: the membrane would keep {:g} of itself, expected 0 to 1",
                                  at(tau, k), c.dt, step.beta))
                  .attachNote()
              << "pass a smaller --dt, or --nir-dialect=sinabs, where tau is in steps";
          return std::nullopt;
        }
      } else if (std::abs(step.gain - 1) < 1e-6) {
        step.gain = 1;
      }
      step.beta = std::max(step.beta, 0.0);
      double gain = step.gain * at(w, k);
      if (std::abs(gain - 1) < 1e-6) gain = 1;
      least = std::min(least, step.beta), most = std::max(most, step.beta);
      d.beta = step.beta;
      d.gain.push_back(gain), d.shift.push_back((1 - step.beta) * at(leak, k));
    }
    if (most - least > 1e-6) {
      error("NIR7")
              .append(fmt::format(
                  "its channels leak differently: of the membrane {:g} to {:g} stay after a step, expected one value for all", least, most))
              .attachNote()
          << "split the node by time constant, or train with one";
      return std::nullopt;
    }
    if (auto own = recorded("beta")) d.beta = *own;
    return d;
  }

  /// What lasnn wrote beside a neuron, exact.
  std::optional<double> recorded(StringRef key) {
    auto metadata = node.group->groups.find("metadata");
    if (metadata == node.group->groups.end()) return std::nullopt;
    const Array *array = metadata->second->array("lasnn." + key.str());
    if (!array || array->values.empty() || !std::isfinite(float(array->values[0]))) return std::nullopt;
    return array->values[0];
  }

  Value neuron() {
    const Convention &c = importer.convention;
    std::vector<double> theta = perChannel("v_threshold", true, 1), vReset = perChannel("v_reset", false, 0);
    std::optional<Drive> d = drive();
    if (!d || failed || !input) return {};
    snn::Reset reset = c.reset;
    snn::Compare compare = c.compare;
    int64_t sMax = c.sMax;
    std::optional<float> vMin = c.vMin;
    ElementsAttr rho, target;
    if (auto own = recorded("reset"); own && *own >= 0 && *own <= 3) reset = snn::Reset(int(*own));
    if (auto own = recorded("compare"); own && *own >= 0 && *own <= 1) compare = snn::Compare(int(*own));
    if (auto own = recorded("s_max"); own && *own >= 1 && *own <= 255) sMax = int64_t(*own);
    if (auto own = recorded("v_min")) vMin = float(*own);
    const bool zero = llvm::all_of(vReset, [](double v) { return v == 0; });
    if (reset == snn::Reset::Zero && !zero)
      reset = snn::Reset::Value, target = channelAttr(vReset);
    else if (reset == snn::Reset::Value)
      target = channelAttr(vReset);
    else if (reset == snn::Reset::Subtract && !zero) {
      error("NIR7") << fmt::format("its v_reset is {:g} with a reset by subtraction, expected 0", vReset[0]);
      return {};
    }
    auto metadata = node.group->groups.find("metadata");
    if (reset == snn::Reset::Subtract && metadata != node.group->groups.end() && metadata->second->array("lasnn.rho")) {
      const Array &own = *metadata->second->array("lasnn.rho");
      if (own.isText() || (own.values.size() != 1 && int64_t(own.values.size()) != snn::channels(input))) {
        error("NIR11") << "its metadata lasnn.rho has " << own.values.size() << " values, expected 1 or " << snn::channels(input);
        return {};
      }
      rho = channelAttr(own.values);
    } else if (reset == snn::Reset::Subtract && c.writer == Writer::SnnTorch && d->beta < 1) {
      if (d->beta < 1e-3) {
        error("NIR7")
                .append(fmt::format("it keeps {:g} of its membrane, but snnTorch's reset subtracts the threshold one step later, which "
                                    "needs memory, expected at least 0.001",
                                    d->beta))
                .attachNote()
            << "pass --reset=zero";
        return {};
      }
      // snnTorch subtracts at the next step, after the leak: beta (v - rho) = beta v - theta.
      std::vector<double> amounts = theta;
      for (double &value : amounts)
        value /= d->beta;
      rho = channelAttr(amounts);
    }
    if (reset == snn::Reset::Subtract && llvm::any_of(theta, [](double t) { return t < 0; })) {
      error("NIR7") << fmt::format("its threshold is {:g} with a reset by subtraction, expected at least 0",
                                   *std::min_element(theta.begin(), theta.end()));
      return {};
    }
    // emitRemark would be lost in a file of hundreds of neurons if it did not say which: one line each.
    if (!c.why.empty() || c.writer != Writer::Auto)
      emitRemark(loc) << fmt::format(
          "node {} ({}): read as {}: {}; of the membrane {:g} stays a step, the current counts {:g} times, {} {}, reset {}, at most {} a "
          "step",
          quoted(node.name), node.type, c.writer == Writer::Auto ? "NIR's equations" : stringifyWriter(c.writer).str(), c.why, d->beta,
          d->gain[0], "fires at v", compare == snn::Compare::Gt ? "> threshold" : ">= threshold", snn::stringifyReset(reset).str(), sMax);
    if (d->beta < 1e-3 && !recorded("beta")) {
      importer.problems.warning(node, "NIR7")
              .append(fmt::format("it has no memory: {:g} of its membrane stays after a step of {:g}", d->beta, c.dt))
              .attachNote()
          << "if that is not meant, pass another --dt or --nir-dialect";
    }
    Value current = affine(input, d->gain, d->shift);
    warnSilent(current, theta, d->beta);
    ++importer.neurons;
    TypedAttr least = vMin ? TypedAttr(b.getF32FloatAttr(*vMin)) : TypedAttr();
    if (node.type == "IF" && !recorded("beta"))
      return b.create<snn::IFOp>(loc, input.getType(), current, channelAttr(theta), reset, rho, target, compare, uint64_t(sMax), least, 24);
    return b.create<snn::LIFOp>(loc, input.getType(), current, b.getF32FloatAttr(float(d->beta)), IntegerAttr(), channelAttr(theta), reset,
                                rho, target, compare, uint64_t(sMax), least, 24);
  }

  /// The most that a value can be at a step; infinity where that is not known.
  static double bound(Value value, llvm::DenseMap<Value, double> &known, int depth = 0) {
    if (auto found = known.find(value); found != known.end()) return found->second; // currents part and meet again
    const double most = boundOf(value, known, depth);
    known[value] = most;
    return most;
  }

  static double boundOf(Value value, llvm::DenseMap<Value, double> &known, int depth) {
    Operation *op = value.getDefiningOp();
    if (!op || depth > 64) return INFINITY;
    if (snn::NeuronView neuron = snn::getNeuron(op)) return double(neuron.sMax);
    if (auto encode = dyn_cast<snn::EncodeOp>(op))
      return encode.getEncoding() == snn::Encoding::Events ? double(encode.getMaxCount()) : INFINITY;
    if (isa<snn::FlattenOp, snn::DelayOp, snn::AvgPoolOp>(op))
      return isa<snn::DelayOp>(op) ? INFINITY : std::max(0.0, bound(op->getOperand(0), known, depth + 1));
    if (auto add = dyn_cast<snn::AddOp>(op)) return bound(add.getLhs(), known, depth + 1) + bound(add.getRhs(), known, depth + 1);
    if (auto norm = dyn_cast<snn::BatchNormOp>(op)) {
      const double in = bound(norm.getInput(), known, depth + 1);
      auto gamma = snn::floatValues(norm.getGamma()), beta = snn::floatValues(norm.getBeta());
      double most = -INFINITY;
      for (size_t k = 0; k < gamma.size(); ++k)
        most = std::max(most, gamma[k] >= 0 ? (gamma[k] > 0 ? gamma[k] * in : 0) + beta[k] : INFINITY);
      return most;
    }
    auto weight = op->getAttrOfType<ElementsAttr>("weight");
    if (!weight) return INFINITY;
    const double in = std::max(0.0, bound(op->getOperand(0), known, depth + 1));
    auto bias = op->getAttrOfType<ElementsAttr>("bias");
    auto w = snn::floatValues(weight);
    auto shift = bias ? snn::floatValues(bias) : SmallVector<float>();
    const size_t rows = size_t(weight.getShapedType().getDimSize(0)), each = w.size() / rows;
    double most = -INFINITY;
    for (size_t o = 0; o < rows; ++o) {
      double sum = 0;
      for (size_t k = 0; k < each; ++k)
        sum += std::max(0.f, w[o * each + k]);
      most = std::max(most, (sum > 0 ? sum * in : 0) + (shift.empty() ? 0 : shift[o]));
    }
    return most;
  }

  void warnSilent(Value current, const std::vector<double> &theta, double beta) {
    llvm::DenseMap<Value, double> known;
    const double in = bound(current, known), least = *std::min_element(theta.begin(), theta.end());
    const double most = in <= 0 ? in : beta >= 1 ? INFINITY : in / (1 - beta);
    if (least <= 0 || most > least) return;
    importer.problems.warning(node, "NIR7")
            .append(fmt::format("it can never fire: its membrane stays below {:g}, its threshold is {:g}", most, least))
            .attachNote()
        << fmt::format("the current counts as the convention says at dt = {:g}; if that is not meant, pass another --dt or --nir-dialect",
                       importer.convention.dt);
  }

  Value integrate(Integrator *integrator) {
    std::optional<Drive> d = drive();
    if (failed || !d) return {};
    if (!integrator) {
      error("NIR8")
              .append("it gives its membrane to other nodes than an Output, for which the dialect has no value, expected it right before "
                      "an Output")
              .attachNote()
          << "use a spiking neuron there";
      return {};
    }
    if (node.type != "I" && d->beta > 1e-6) {
      error("NIR8")
              .append(fmt::format("it reads a leaky membrane, of which {:g} stays after a step, for which the dialect has no read-out, "
                                  "expected an I (sum over the steps), or tau = dt",
                                  d->beta))
              .attachNote()
          << "replace it by I, or end in the synapse before it and pass --readout=sum or mean";
      return {};
    }
    integrator->sums = node.type == "I";
    return input ? affine(input, d->gain, d->shift) : Value();
  }
};

} // namespace

Value convertNode(Importer &importer, const Node &node, Value input, Integrator *integrator) {
  return Converter(importer, node, input).run(integrator);
}

} // namespace lasnn::nir
