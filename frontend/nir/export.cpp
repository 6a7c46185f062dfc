// A float network as NIR: what NIR has in its fields, for a step of kExportDt; what it lacks as metadata, which importNir reads back.
#include "frontend/nir/convert.h"

#include <fmt/format.h>

#include <set>

using namespace mlir;

namespace lasnn::nir {
namespace {

class Exporter {
public:
  explicit Exporter(snn::NetworkOp network) : network(network), problems{network.getContext(), network.getLoc()} {}

  FailureOr<std::string> run() {
    if (network.isInteger()) {
      problems.error("NIR12").append("the network is in integer form, expected float form: NIR has real numbers").attachNote()
          << "export the source model";
      return failure();
    }
    root.arrays["version"] = text("1.0.4");
    Group &graph = child(root, "node");
    graph.arrays["type"] = text("NIRGraph");
    nodes = &child(graph, "nodes");
    Group &metadata = child(graph, "metadata");
    number(metadata, "lasnn.dt", kExportDt);
    number(metadata, "lasnn.timesteps", double(network.getTimesteps()));
    meta = &metadata;
    network.walk<WalkOrder::PreOrder>([&](Operation *op) { convert(op); });
    std::vector<std::string> ends;
    network.walk([&](Operation *op) {
      if (!owner.count(op)) return;
      std::set<std::string> sources;
      for (Value operand : op->getOperands())
        collect(operand, op, sources);
      for (const std::string &source : sources)
        ends.push_back(source), ends.push_back(owner[op]);
    });
    if (ends.empty()) problems.error("NIR12") << "the network has no edges, expected an input that reaches an output";
    if (problems.failed) return failure();
    Array edges;
    edges.shape = {int64_t(ends.size() / 2), 2};
    edges.texts = std::move(ends);
    graph.arrays["edges"] = std::move(edges);
    std::string bytes = writeFile(root);
    if (bytes.empty()) {
      problems.error("NIR12") << "the HDF5 file cannot be made, expected enough memory and names without '/'";
      return failure();
    }
    return bytes;
  }

private:
  snn::NetworkOp network;
  Problems problems;
  Group root, *nodes = nullptr, *meta = nullptr;
  std::map<Operation *, std::string> owner; ///< operations that are nodes

  static Array text(StringRef value) {
    Array array;
    array.texts = {value.str()};
    return array;
  }
  static Group &child(Group &group, const std::string &name) {
    auto &slot = group.groups[name];
    if (!slot) slot = std::make_unique<Group>();
    return *slot;
  }
  static void number(Group &group, const std::string &name, double value) { group.arrays[name].values = {value}; }
  static void list(Group &group, const std::string &name, ArrayRef<int64_t> shape, std::vector<double> values) {
    Array &array = group.arrays[name];
    array.shape.assign(shape.begin(), shape.end());
    array.values = std::move(values);
  }
  static void vector(Group &group, const std::string &name, std::vector<double> values) {
    const int64_t size = int64_t(values.size());
    list(group, name, {size}, std::move(values));
  }
  static void constants(Group &group, const std::string &name, ElementsAttr attr) {
    auto values = snn::floatValues(attr);
    list(group, name, attr.getShapedType().getShape(), {values.begin(), values.end()});
  }

  Group &node(Operation *op, StringRef type, std::string name = "") {
    if (name.empty()) name = snn::nameOf(op);
    for (char &c : name)
      if (c == '/') c = '.';
    if (name.empty() || name == ".") name = "node";
    const std::string base = name;
    for (int k = 2; nodes->groups.count(name); ++k)
      name = fmt::format("{}_{}", base, k);
    owner[op] = name;
    Group &group = child(*nodes, name);
    group.arrays["type"] = text(type);
    return group;
  }

  void refuse(Operation *op, const std::string &what, StringRef cure) {
    problems.failed = true;
    emitError(op->getLoc()).append("node ", quoted(snn::nameOf(op)), ": rule NIR12: ", what).attachNote() << cure;
  }

  /// Names of the nodes whose sum a value is. NIR adds what comes in, so that snn.add and what NIR has no node for vanish.
  void collect(Value value, Operation *user, std::set<std::string> &sources) {
    if (auto argument = dyn_cast<BlockArgument>(value))
      return collect(argument.getOwner()->getParentOp()->getOperand(argument.getArgNumber()), user, sources);
    Operation *op = value.getDefiningOp();
    if (auto layer = dyn_cast<snn::LayerOp>(op))
      return collect(cast<snn::YieldOp>(layer.getBody().front().back()).getValue(), user, sources);
    if (isa<snn::AddOp, snn::EncodeOp, snn::ReadoutOp>(op)) {
      for (Value operand : op->getOperands())
        collect(operand, user, sources);
      return;
    }
    auto at = owner.find(op);
    if (at == owner.end()) return; // refused
    if (!sources.insert(at->second).second)
      refuse(user, "it takes the result of " + quoted(at->second) + " twice, expected once: NIR's edges are a set",
             "double the weights in place of that");
  }

  void convert(Operation *op) {
    if (isa<snn::NetworkOp, snn::LayerOp, snn::YieldOp, snn::AddOp, snn::ReadoutOp>(op)) return;
    if (auto input = dyn_cast<snn::InputOp>(op)) return shape(node(op, "Input", input.getName().str()), input.getResult());
    if (auto output = dyn_cast<snn::OutputOp>(op)) {
      shape(node(op, "Output", output.getName().str()), output.getValue());
      if (auto readout = output.getValue().getDefiningOp<snn::ReadoutOp>()) return readoutMode(readout);
      // After fusion the read-out lies inside of a layer.
      if (auto layer = output.getValue().getDefiningOp<snn::LayerOp>())
        if (auto readout = cast<snn::YieldOp>(layer.getBody().front().back()).getValue().getDefiningOp<snn::ReadoutOp>())
          readoutMode(readout);
      return;
    }
    if (auto encode = dyn_cast<snn::EncodeOp>(op)) return encoding(encode);
    if (auto linear = dyn_cast<snn::LinearOp>(op)) {
      Group &group = node(op, linear.getBias() ? "Affine" : "Linear");
      constants(group, "weight", linear.getWeight());
      if (auto bias = linear.getBias()) constants(group, "bias", *bias);
      return;
    }
    if (auto conv = dyn_cast<snn::Conv2DOp>(op)) return convolution(conv);
    if (isa<snn::SumPoolOp, snn::AvgPoolOp>(op)) return pool(op);
    if (isa<snn::FlattenOp>(op)) {
      Group &group = node(op, "Flatten");
      number(group, "start_dim", 0), number(group, "end_dim", -1);
      shape(group, op->getOperand(0), "input_type");
      return;
    }
    if (isa<snn::DelayOp>(op))
      return list(node(op, "Delay"), "delay", snn::tensorType(op->getResult(0)).getShape(),
                  std::vector<double>(size_t(snn::tensorType(op->getResult(0)).getNumElements()), kExportDt));
    if (snn::NeuronView neuron = snn::getNeuron(op)) return convertNeuron(neuron);
    refuse(op, fmt::format("NIR has no node for {}", op->getName().getStringRef().str()),
           isa<snn::BatchNormOp>(op) ? "let the compiler fold it first (lasnn-compile does)"
           : isa<snn::MaxPoolOp>(op) ? "train with sum or average pooling, or strides"
                                     : "remove it");
  }

  void shape(Group &group, Value value, const std::string &name = "shape") {
    ArrayRef<int64_t> dims = snn::tensorType(value).getShape();
    vector(group, name, {dims.begin(), dims.end()});
  }

  void readoutMode(snn::ReadoutOp readout) {
    const std::string mode = snn::stringifyReadoutMode(readout.getMode()).str(), before = meta->text("lasnn.readout");
    if (!before.empty() && before != mode)
      refuse(readout, "its mode is " + mode + ", another output's " + before + ", expected one mode for all", "give all outputs one mode");
    meta->arrays["lasnn.readout"] = text(mode);
  }

  void encoding(snn::EncodeOp encode) {
    meta->arrays["lasnn.encoding"] = text(snn::stringifyEncoding(encode.getEncoding()));
    if (encode.getEncoding() == snn::Encoding::Events) number(*meta, "lasnn.max_count", double(encode.getMaxCount()));
    if (auto mean = encode.getMean()) vector(*meta, "lasnn.mean", {mean->begin(), mean->end()});
    if (auto std = encode.getStd()) vector(*meta, "lasnn.std", {std->begin(), std->end()});
  }

  bool symmetric(Operation *op, ArrayRef<int64_t> pads) {
    if (pads[0] == pads[2] && pads[1] == pads[3]) return true;
    refuse(op,
           fmt::format("its padding is {} before and {} behind, expected the same: NIR has one number an axis",
                       shapeText(pads.take_front(2)), shapeText(pads.drop_front(2))),
           "pad both sides alike");
    return false;
  }

  void convolution(snn::Conv2DOp conv) {
    Group &group = node(conv, "Conv2d");
    constants(group, "weight", conv.getWeight());
    auto shape = snn::tensorType(conv.getInput()).getShape();
    vector(group, "input_shape", {double(shape[1]), double(shape[2])});
    std::vector<double> bias(size_t(snn::channels(conv.getResult())), 0); // NIR's convolution always has one
    if (auto own = conv.getBias()) {
      auto values = snn::floatValues(*own);
      bias.assign(values.begin(), values.end());
    } else {
      number(child(group, "metadata"), "lasnn.no_bias", 1);
    }
    vector(group, "bias", bias);
    auto pads = conv.getPads();
    if (!symmetric(conv, pads)) return;
    vector(group, "padding", {double(pads[0]), double(pads[1])});
    vector(group, "stride", {conv.getStrides().begin(), conv.getStrides().end()});
    vector(group, "dilation", {conv.getDilations().begin(), conv.getDilations().end()});
    number(group, "groups", double(conv.getGroups()));
  }

  void pool(Operation *op) {
    Group &group = node(op, isa<snn::SumPoolOp>(op) ? "SumPool2d" : "AvgPool2d");
    auto values = [&](StringRef name, int64_t byDefault, size_t count) {
      auto attr = op->getAttrOfType<DenseI64ArrayAttr>(name);
      return attr ? SmallVector<int64_t>(attr.asArrayRef()) : SmallVector<int64_t>(count, byDefault);
    };
    auto kernel = values("kernel", 1, 2), strides = values("strides", 1, 2), pads = values("pads", 0, 4);
    if (!symmetric(op, pads)) return;
    vector(group, "kernel_size", {double(kernel[0]), double(kernel[1])});
    vector(group, "stride", {double(strides[0]), double(strides[1])});
    vector(group, "padding", {double(pads[0]), double(pads[1])});
  }

  void convertNeuron(const snn::NeuronView &neuron) {
    const double beta = neuron.beta ? neuron.beta.getValueAsDouble() : 1;
    const bool leaky = beta < 1;
    Group &group = node(neuron.op, leaky ? "LIF" : "IF"), &own = child(group, "metadata");
    // Other readers want every constant in the shape of the layer.
    ArrayRef<int64_t> shape = snn::tensorType(neuron.input).getShape();
    const int64_t all = snn::tensorType(neuron.input).getNumElements(), channels = snn::channels(neuron.input);
    auto spread = [&](const std::string &name, ArrayRef<float> values) {
      std::vector<double> each(static_cast<size_t>(all));
      for (size_t k = 0; k < each.size(); ++k)
        each[k] = values[k / size_t(all / channels)];
      list(group, name, shape, std::move(each));
    };
    auto same = [&](const std::string &name, double value) { list(group, name, shape, std::vector<double>(size_t(all), value)); };
    spread("v_threshold", snn::floatPerChannel(neuron.vThreshold, channels));
    if (neuron.vReset)
      spread("v_reset", snn::floatPerChannel(neuron.vReset, channels));
    else
      same("v_reset", 0);
    if (leaky) {
      const double tau = kExportDt / (1 - beta);
      same("tau", tau), same("r", tau / kExportDt), same("v_leak", 0);
    } else {
      same("r", 1 / kExportDt);
    }
    if (neuron.beta) number(own, "lasnn.beta", beta);
    number(own, "lasnn.reset", int(neuron.reset));
    number(own, "lasnn.compare", int(neuron.compare));
    number(own, "lasnn.s_max", double(neuron.sMax));
    if (neuron.vMin) number(own, "lasnn.v_min", cast<FloatAttr>(neuron.vMin).getValueAsDouble());
    if (neuron.rho) constants(own, "lasnn.rho", neuron.rho);
  }
};

} // namespace

FailureOr<std::string> exportNir(snn::NetworkOp network) { return Exporter(network).run(); }

} // namespace lasnn::nir
