// The way of a file: bytes, model, names, nodes in order, states, outputs, network. Each stage reports all that it finds.
#include "frontend/onnx/external.h"
#include "frontend/onnx/import.h"
#include "frontend/onnx/metadata.h"
#include "frontend/onnx/node.h"

#include "mlir/IR/Verifier.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Path.h"

#include <onnx/onnx_pb.h>

#include <queue>

using namespace mlir;

namespace lasnn::onnx_import {
namespace {

constexpr int64_t kNewestOpset = 22, kNewestIr = 13;

class Importer {
public:
  Importer(MLIRContext &context, StringRef fileName, const ImportOptions &options)
      : options(options), fileName(fileName), file(FileLineColLoc::get(&context, fileName.empty() ? "onnx" : fileName, 0, 0)),
        import(&context, &model) {}

  FailureOr<OwningOpRef<ModuleOp>> run(StringRef bytes) {
    if (!parse(bytes)) return failure();
    checkVersions();
    settings = readSettings(import, file, options);
    makeNetwork();
    readInitializers();
    readInputs();
    readDeclaredShapes();
    for (int index : orderNodes())
      convert(index);
    foldBiasAdds(import);
    finish();
    recordTrained();
    dropUnused();
    if (import.failed || failed(verify(*module))) return failure();
    return std::move(module);
  }

private:
  const ImportOptions &options;
  StringRef fileName;
  Location file;
  onnx::ModelProto model;
  Import import;
  Settings settings;
  OwningOpRef<ModuleOp> module;
  snn::NetworkOp network;
  std::vector<std::string> nodeNames;
  llvm::StringMap<SmallVector<int64_t, 4>> declared; ///< value_info and outputs; -1 for symbolic
  int64_t timesteps = 1;
  uint64_t externalBytes = 0;
  /// STEM.s_in, spikes of the step before, and where they leave the graph as STEM.s_out.
  struct Feedback {
    std::string stem;
    snn::DelayOp delay;
    snn::InputOp stand; ///< its operand until that is known
    bool returned = false;
  };
  std::vector<Feedback> feedbacks;

  InFlightDiagnostic error(StringRef rule) { return import.error(file, rule); }

  //===--- the file ---===//

  bool parse(StringRef bytes) {
    if (bytes.size() > size_t(INT32_MAX)) {
      error("O1") << "the file has " << bytes.size() << " bytes, expected less than 2 GiB";
      return false;
    }
    if (!model.ParseFromArray(bytes.data(), int(bytes.size()))) {
      error("O1")
              .append("the file is not an ONNX model: its ", bytes.size(), " bytes do not parse, expected a whole protobuf message")
              .attachNote()
          << "the file may be cut off or of another format";
      return false;
    }
    if (!model.has_graph()) {
      error("O1").append("the file holds no graph, expected an ONNX model").attachNote() << "the file may be cut off or of another format";
      return false;
    }
    return true;
  }

  void checkVersions() {
    if (model.ir_version() < 3 || model.ir_version() > kNewestIr)
      error("O1") << "the IR version is " << model.ir_version() << ", expected 3 to " << kNewestIr;
    int found = 0;
    for (const auto &opset : model.opset_import()) {
      if (opset.domain() == "lasnn" && opset.version() != 1)
        error("O2") << "domain lasnn has version " << opset.version() << ", expected 1";
      if (!opset.domain().empty() && opset.domain() != "ai.onnx") continue;
      ++found;
      import.opset = opset.version();
    }
    if (found != 1)
      error("O2") << "the opset of domain \"\" is given " << found << " times, expected once";
    else if (import.opset < 1 || import.opset > kNewestOpset)
      error("O2").append("the opset is ", import.opset, ", expected 1 to ", kNewestOpset).attachNote()
          << "export with opset_version=15, or convert the file with onnx.version_converter";
    if (import.opset < 1 || import.opset > kNewestOpset) import.opset = kNewestOpset; // to find what else is wrong
    if (model.graph().sparse_initializer_size() > 0)
      error("O6") << "the graph has " << model.graph().sparse_initializer_size() << " sparse initializers, expected dense ones";
  }

  std::string networkName() {
    std::string name = options.networkName;
    if (name.empty()) name = llvm::sys::path::stem(fileName).str();
    for (char &c : name)
      if (!llvm::isAlnum(c) && c != '_' && c != '.' && c != '$') c = '_';
    if (name.empty()) return "network";
    return llvm::isDigit(name[0]) ? "_" + name : name;
  }

  void makeNetwork() {
    module = ModuleOp::create(file);
    OpBuilder builder(import.context);
    builder.setInsertionPointToStart(module->getBody());
    std::string name = networkName();
    network = builder.create<snn::NetworkOp>(import.nameLoc(name), name, /*timesteps=*/1);
    import.builder.setInsertionPointToStart(&network.getBody().emplaceBlock());
  }

  //===--- values that are there before any node ---===//

  void readInitializers() {
    for (const onnx::TensorProto &tensor : model.graph().initializer()) {
      Location loc = import.nameLoc(tensor.name());
      std::string problem, fix;
      Named value;
      if (tensor.data_location() == onnx::TensorProto::EXTERNAL) {
        onnx::TensorProto read = tensor;
        if (readExternal(read, fileName, externalBytes, problem, fix)) value.constant = decodeTensor(read, problem, fix);
      } else {
        value.constant = decodeTensor(tensor, problem, fix);
      }
      if (value.constant)
        value.kind = Named::Kind::Constant;
      else {
        auto diag = import.error(loc, "O6") << "initializer " << quoted(tensor.name()) << ": " << problem;
        if (!fix.empty()) diag.attachNote() << fix;
      }
      if (tensor.name().empty())
        import.error(loc, "O5") << "an initializer has no name, expected one";
      else if (!import.values.try_emplace(tensor.name(), value).second)
        import.error(loc, "O5") << "the initializer's name " << quoted(tensor.name()) << " is taken, expected a name of its own";
    }
  }

  /// The shape of a value: symbolic sizes are -1. nullopt when there is none.
  static std::optional<SmallVector<int64_t, 4>> shapeOf(const onnx::ValueInfoProto &info) {
    if (!info.type().has_tensor_type() || !info.type().tensor_type().has_shape()) return std::nullopt;
    SmallVector<int64_t, 4> shape;
    for (const auto &dim : info.type().tensor_type().shape().dim())
      shape.push_back(dim.has_dim_value() ? dim.dim_value() < 0 ? INT64_MIN : dim.dim_value() : -1);
    return shape;
  }

  /// An input's shape without its batch axis; empty and reported when it cannot be used.
  SmallVector<int64_t, 3> inputShape(const onnx::ValueInfoProto &info, bool isData = false) {
    Location loc = import.nameLoc(info.name());
    auto shape = shapeOf(info);
    auto refuse = [&](StringRef rule) { return std::move(import.error(loc, rule) << "graph input " << quoted(info.name())); };
    if (!shape) {
      refuse("O7") << " has no tensor shape, expected [N,C,H,W] or [N,F]";
      return {};
    }
    int32_t type = info.type().tensor_type().elem_type();
    if (type != onnx::TensorProto::FLOAT && type != onnx::TensorProto::DOUBLE && type != onnx::TensorProto::FLOAT16)
      refuse("O8").append(" has element type number ", type, ", expected float (1)").attachNote()
          << "pixels become (pixel/255 - mean)/std outside of the graph: see lasnn.mean and lasnn.std";
    if (shape->size() != 4 && shape->size() != 2 && !(isData && shape->size() == 3)) {
      refuse("O7") << " has " << shape->size() << " axes, expected 4 ([N,C,H,W])" << (isData ? ", 3 ([N,C,L])" : "") << " or 2 ([N,F])";
      return {};
    }
    if (shape->front() != -1 && shape->front() != 1)
      refuse("O8")
              .append(" has batch size ", shape->front() == INT64_MIN ? -1 : shape->front(), ", expected 1 or a symbolic size")
              .attachNote()
          << "export with a dynamic batch axis";
    SmallVector<int64_t, 3> rest(shape->begin() + 1, shape->end());
    for (auto [axis, dim] : llvm::enumerate(rest))
      if (dim == -1) {
        refuse("O7").append(" has no fixed size on axis ", axis + 1, ", expected fixed sizes but for the batch axis").attachNote()
            << "export with fixed image sizes";
        return {};
      }
    if (rest[0] > kMaxChannels) {
      refuse("T2") << " has size " << rest[0] << " on axis 1, expected at most " << kMaxChannels;
      return {};
    }
    if (elementCount(rest) < 1) {
      for (int64_t &dim : rest)
        dim = std::max<int64_t>(dim, -1);
      refuse("T2") << " has shape " << shapeText(rest) << " without its batch axis, expected no size below 1 and at most " << kMaxElements
                   << " elements";
      return {};
    }
    return rest;
  }

  void readInputs() {
    llvm::StringSet<> initializers, seen;
    for (const auto &tensor : model.graph().initializer())
      initializers.insert(tensor.name());
    std::vector<const onnx::ValueInfoProto *> data;
    for (const auto &info : model.graph().input()) {
      if (initializers.contains(info.name())) continue; // the way of IR version 3
      if (info.name().empty() || !seen.insert(info.name()).second) {
        import.error(import.nameLoc(info.name()), "O5") << "the graph input's name " << quoted(info.name()) << " is "
                                                        << (info.name().empty() ? "empty" : "taken") << ", expected a name of its own";
        continue;
      }
      import.values[info.name()] = {};
      StringRef name = info.name();
      if (name.ends_with(".i_in") || name.ends_with(".m_in")) {
        StringRef what = name.ends_with(".i_in") ? "a synaptic current with a decay of its own (CubaLIF)" : "a memory of spikes (CLIF)";
        import.error(import.nameLoc(name), "S5")
                .append("the state ", quoted(name), " is ", what,
                        ", for which the dialect has no operation, expected membranes and spikes only")
                .attachNote()
            << "any ONNX runtime runs this file; to compile, train with --neuron=lif, plif or if";
        continue;
      }
      if (name.ends_with(".s_in")) {
        import.values[name] = startFeedback(info);
        continue;
      }
      if (!name.ends_with(".v_in")) {
        data.push_back(&info);
        continue;
      }
      import.values[name] = {Named::Kind::StateIn, {}, nullptr, int(import.states.size())};
      import.states.push_back({name.drop_back(5).str(), inputShape(info), "", false});
    }
    if (data.size() != 1) {
      auto diag = error("S2") << "the graph has " << data.size() << " data inputs, expected 1";
      if (data.size() > 1) {
        std::string names;
        for (const auto *info : ArrayRef(data).take_front(8))
          names += (names.empty() ? "" : ", ") + quoted(info->name());
        diag.attachNote() << "they are " << names << "; membranes are named LAYER.v_in, spikes of the step before LAYER.s_in";
      }
    }
    for (const auto *info : data) {
      SmallVector<int64_t, 3> shape = inputShape(*info, /*isData=*/true);
      if (shape.empty()) continue;
      std::optional<View> view;
      if (shape.size() == 2) { // a signal is an image of height 1
        view = View::of(shape);
        shape.insert(shape.begin() + 1, 1);
      } else if (shape.size() == 3 && isChannelsLast(*info)) {
        shape = {shape[2], shape[0], shape[1]};
        view = View::of(shape).transposed({1, 2, 0});
        import.remark(import.nameLoc(info->name()), "O8")
            << "graph input " << quoted(info->name()) << " is [N,H,W,C] in the file; the network takes [C,H,W], channels first";
      }
      import.values[info->name()] = {Named::Kind::Tensor, encode(*info, shape), nullptr, -1, view};
    }
  }

  /// True when all that takes the input makes channels-first of it.
  bool isChannelsLast(const onnx::ValueInfoProto &info) {
    bool found = false;
    for (const onnx::NodeProto &node : model.graph().node()) {
      if (!llvm::is_contained(node.input(), info.name())) continue;
      if (node.op_type() != "Transpose") return false;
      bool last = false;
      for (const auto &attr : node.attribute())
        if (attr.name() == "perm") last = llvm::equal(attr.ints(), ArrayRef<int64_t>{0, 3, 1, 2});
      if (!last) return false;
      found = true;
    }
    return found;
  }

  /// A delay of what leaves the graph as STEM.s_out.
  Named startFeedback(const onnx::ValueInfoProto &info) {
    Feedback feedback{info.name().substr(0, info.name().size() - 5), {}, {}};
    Named value;
    if (SmallVector<int64_t, 3> shape = inputShape(info); !shape.empty()) {
      auto type = RankedTensorType::get(shape, import.builder.getF32Type());
      feedback.stand = import.builder.create<snn::InputOp>(import.nameLoc(info.name()), type, info.name());
      feedback.delay = import.builder.create<snn::DelayOp>(import.nameLoc(info.name()), type, feedback.stand);
      value = {Named::Kind::Tensor, feedback.delay, nullptr, -1};
    }
    feedbacks.push_back(std::move(feedback));
    return value;
  }

  void finishFeedback(Feedback &feedback, mlir::Value spikes) {
    if (!feedback.delay) return; // reported
    if (spikes.getType() != feedback.delay.getType()) {
      import.error(import.nameLoc(feedback.stem + ".s_out"), "O11")
          << "graph output " << quoted(feedback.stem + ".s_out") << " has shape " << shapeText(snn::tensorType(spikes).getShape())
          << " without its batch axis, expected that of " << quoted(feedback.stem + ".s_in") << ", "
          << shapeText(snn::tensorType(feedback.delay).getShape());
      return;
    }
    feedback.delay->setOperand(0, spikes);
    feedback.stand.erase();
  }

  /// E1: a list of one entry serves all channels.
  std::vector<float> perChannel(std::vector<float> values, int64_t channels, StringRef what) {
    if (values.size() == 1) values.resize(size_t(channels), float(values[0]));
    if (values.empty() || int64_t(values.size()) == channels) return values;
    error("E1") << what << " has " << values.size() << " entries, expected 1 or " << channels << ", one a channel";
    return {};
  }

  mlir::Value encode(const onnx::ValueInfoProto &info, ArrayRef<int64_t> shape) {
    OpBuilder &b = import.builder;
    auto bytes = RankedTensorType::get(shape, b.getIntegerType(8, /*isSigned=*/false));
    auto floats = RankedTensorType::get(shape, b.getF32Type());
    auto input = b.create<snn::InputOp>(import.nameLoc(info.name()), bytes, info.name());
    DenseF32ArrayAttr mean, std;
    if (settings.encoding == snn::Encoding::Direct) {
      std::vector<float> means = perChannel(settings.mean, shape[0], "mean"), stds = perChannel(settings.std, shape[0], "std");
      if (means.empty() && stds.empty())
        import.warning(import.nameLoc(info.name()), "E1").append("neither mean nor std is known: the input is pixel/255").attachNote()
            << "give lasnn.mean and lasnn.std as the file's metadata, or the options --mean and --std";
      if (!means.empty()) mean = b.getDenseF32ArrayAttr(means);
      if (!stds.empty()) std = b.getDenseF32ArrayAttr(stds);
    }
    bool events = settings.encoding == snn::Encoding::Events;
    return b.create<snn::EncodeOp>(import.nameLoc(info.name() + ".encode"), floats, input,
                                   snn::EncodingAttr::get(import.context, settings.encoding), mean, std, ElementsAttr(), FloatAttr(),
                                   b.getI64IntegerAttr(events ? settings.maxCount : 1));
  }

  void readDeclaredShapes() {
    for (const auto *list : {&model.graph().value_info(), &model.graph().output()})
      for (const auto &info : *list)
        if (auto shape = shapeOf(info)) declared.try_emplace(info.name(), *shape);
  }

  //===--- nodes ---===//

  /// Names of nodes: unique, so that reports can tell them apart. ONNX does not ask for it.
  void nameNodes() {
    llvm::StringSet<> taken;
    for (const onnx::NodeProto &node : model.graph().node()) {
      std::string name = node.name();
      bool repeated = !name.empty() && taken.contains(name);
      if (name.empty() || repeated) name = node.output_size() > 0 ? node.output(0) : "";
      if (name.empty()) name = node.op_type();
      std::string base = name;
      for (unsigned k = 1; !taken.insert(name).second; ++k)
        name = base + "#" + std::to_string(k) + "." + std::to_string(nodeNames.size());
      if (repeated)
        import.warning(import.nameLoc(name), "O5")
            << "the node name " << quoted(node.name()) << " is taken; reports call this one " << quoted(name);
      nodeNames.push_back(std::move(name));
    }
  }

  InFlightDiagnostic nodeError(int index, StringRef rule) {
    const std::string &name = nodeNames[size_t(index)];
    import.failed = true;
    return std::move(emitError(import.nameLoc(name))
                     << "node " << quoted(name) << " (" << StringRef(model.graph().node(index).op_type()).take_front(60) << "): rule "
                     << rule << ": ");
  }

  /// Operands first, in the file's order otherwise. Checks that names are defined once, that they are defined, and that
  /// there is no cycle; what lies on one is left out.
  std::vector<int> orderNodes() {
    nameNodes();
    const auto &nodes = model.graph().node();
    llvm::StringMap<int> producer;
    for (int k = 0; k < nodes.size(); ++k)
      for (const std::string &output : nodes[k].output()) {
        if (output.empty()) continue;
        if (import.values.contains(output) || !producer.try_emplace(output, k).second)
          nodeError(k, "O5") << "its output " << quoted(output) << " is the name of another value already, expected a name of its own";
      }
    std::vector<SmallVector<int, 2>> users(size_t(nodes.size()));
    std::vector<int> waiting(size_t(nodes.size()), 0);
    std::priority_queue<int, std::vector<int>, std::greater<>> ready;
    for (int k = 0; k < nodes.size(); ++k) {
      llvm::StringSet<> reported;
      for (const std::string &input : nodes[k].input()) {
        import.consumed.insert(input);
        if (input.empty() || import.values.contains(input)) continue;
        auto at = producer.find(input);
        if (at != producer.end()) {
          users[size_t(at->second)].push_back(k);
          ++waiting[size_t(k)];
        } else if (reported.insert(input).second) {
          nodeError(k, "O5") << "its input " << quoted(input)
                             << " is defined nowhere, expected a graph input, an initializer or a node's output";
        }
      }
      if (waiting[size_t(k)] == 0) ready.push(k);
    }
    std::vector<int> order;
    while (!ready.empty()) {
      int k = ready.top();
      ready.pop();
      order.push_back(k);
      for (int user : users[size_t(k)])
        if (--waiting[size_t(user)] == 0) ready.push(user);
    }
    reportCycles(users, waiting, order.size());
    return order;
  }

  /// Nodes that wait for ever lie on a cycle or behind one; those that reach themselves are named.
  void reportCycles(ArrayRef<SmallVector<int, 2>> users, std::vector<int> &waiting, size_t ordered) {
    if (ordered == waiting.size()) return;
    // Strip what only lies behind: nodes that no waiting node waits for, again and again.
    std::vector<int> outgoing(waiting.size(), 0);
    std::vector<SmallVector<int, 2>> producers(waiting.size());
    for (size_t k = 0; k < waiting.size(); ++k)
      if (waiting[k] > 0)
        for (int user : users[k]) {
          ++outgoing[k];
          producers[size_t(user)].push_back(int(k));
        }
    std::vector<int> ends;
    for (size_t k = 0; k < waiting.size(); ++k)
      if (waiting[k] > 0 && outgoing[k] == 0) ends.push_back(int(k));
    while (!ends.empty()) {
      int end = ends.back();
      ends.pop_back();
      waiting[size_t(end)] = 0;
      for (int before : producers[size_t(end)])
        if (--outgoing[size_t(before)] == 0) ends.push_back(before);
    }
    for (size_t k = 0; k < waiting.size(); ++k)
      if (waiting[k] > 0)
        nodeError(int(k), "S4").append("it depends on its own result, expected a graph without cycles").attachNote()
            << "state goes through the graph's inputs and outputs: LAYER.v_in and LAYER.v_out, LAYER.s_in and LAYER.s_out";
  }

  void convert(int index) {
    const onnx::NodeProto &proto = model.graph().node(index);
    Node node(import, proto, nodeNames[size_t(index)]);
    if (proto.domain() == "lasnn") {
      convertNeuron(node);
      if (!node.failed()) node.refuseOtherAttributes();
    } else if (const OpEntry *entry = find(node)) {
      if (node.numInputs() < entry->minInputs || node.numInputs() > entry->maxInputs)
        node.error("O3") << "it has " << node.numInputs() << " inputs, expected " << entry->minInputs
                         << (entry->minInputs == entry->maxInputs ? "" : " to " + std::to_string(entry->maxInputs));
      else if (proto.output_size() < 1 || unsigned(proto.output_size()) > entry->maxOutputs)
        node.error("O3") << "it has " << proto.output_size() << " outputs, expected 1"
                         << (entry->maxOutputs == 1 ? "" : " to " + std::to_string(entry->maxOutputs));
      else {
        entry->convert(node);
        if (!node.failed()) node.refuseOtherAttributes();
      }
    }
    settleOutputs(node);
  }

  const OpEntry *find(Node &node) {
    StringRef op = node.proto.op_type();
    const std::string &domain = node.proto.domain();
    if (!domain.empty() && domain != "ai.onnx") {
      node.error("O3").append("domain ", quoted(domain), " is not known, expected \"\" or lasnn").attachNote()
          << "docs/onnx.md lists what is supported";
      return nullptr;
    }
    for (const OpEntry &entry : opTable()) {
      if (op != entry.name) continue;
      if (import.opset >= entry.firstOpset && import.opset <= entry.lastOpset) return &entry;
      node.error("O2") << "opset " << import.opset << " is not supported for it, expected " << entry.firstOpset << " to "
                       << entry.lastOpset;
      return nullptr;
    }
    bool subgraph = llvm::any_of(node.proto.attribute(), [](const auto &attr) { return attr.has_g() || attr.graphs_size() > 0; });
    node.error("O3").append("operator ", quoted(op), subgraph ? " holds a subgraph and" : "", " is not supported").attachNote()
        << (subgraph ? "control flow cannot be deployed: export the network with its branches resolved"
                     : "docs/onnx.md lists what is supported");
    return nullptr;
  }

  /// What a node left unset is known by its declared shape, if any, so that later nodes are checked as well. Shapes that are
  /// declared and found have to agree.
  void settleOutputs(Node &node) {
    for (const std::string &output : node.proto.output()) {
      if (output.empty()) continue;
      auto [value, isNew] = import.values.try_emplace(output);
      auto shape = declared.find(output);
      if (shape == declared.end()) continue;
      if (isNew) {
        ArrayRef<int64_t> rest = ArrayRef<int64_t>(shape->second).drop_front(shape->second.empty() ? 0 : 1);
        if (!import.failed || (rest.size() != 1 && rest.size() != 3) || elementCount(rest) < 1) continue;
        auto stand = import.builder.create<snn::InputOp>(node.loc, node.tensorType(rest), output);
        value->second = {Named::Kind::Tensor, stand, nullptr, -1};
      } else if (value->second.tensor && !value->second.dropped) {
        View view = value->second.layout();
        ArrayRef<int64_t> found = view.dims, given = shape->second;
        bool agree = given.size() == found.size() + 1 && (given[0] == -1 || given[0] == 1);
        for (size_t k = 0; agree && k < found.size(); ++k)
          agree = given[k + 1] == -1 || given[k + 1] == found[k];
        if (agree) continue;
        std::string text;
        for (int64_t dim : given.take_front(16))
          text += (text.empty() ? "" : ",") + (dim == -1 ? "N" : std::to_string(dim));
        node.error("O7") << "its output " << quoted(output) << " is declared as [" << text << "], expected [N" << (found.empty() ? "" : ",")
                         << StringRef(shapeText(found)).drop_front();
      }
    }
  }

  //===--- the ends ---===//

  void finish() {
    bool spiking = import.neurons > 0;
    if (settings.timesteps)
      timesteps = *settings.timesteps;
    else if (spiking)
      error("S1").append("the number of time-steps is not known: the file has no lasnn.timesteps").attachNote() << "pass --timesteps=T";
    if (timesteps >= 1 && timesteps <= 65535) network.setTimesteps(uint64_t(timesteps));
    snn::ReadoutMode mode = settings.readout.value_or(spiking ? snn::ReadoutMode::Mean : snn::ReadoutMode::Last);
    if (!settings.readout && spiking)
      import.warning(file, "O12").append("the file has no lasnn.readout: logits are averaged over the steps").attachNote()
          << "pass --readout=mean, sum or last";

    llvm::StringSet<> seen;
    unsigned readouts = 0;
    for (const auto &info : model.graph().output()) {
      Location loc = import.nameLoc(info.name());
      if (info.name().empty() || !seen.insert(info.name()).second) {
        import.error(loc, "O9") << "the graph output's name " << quoted(info.name()) << " is " << (info.name().empty() ? "empty" : "taken")
                                << ", expected a name of its own";
        continue;
      }
      auto at = import.values.find(info.name());
      if (at == import.values.end()) {
        // On a cycle, or not there at all.
        import.error(loc, "O9") << "graph output " << quoted(info.name()) << " is computed by no node, expected a node's output";
        ++readouts;
      } else {
        readouts += finishOutput(info.name(), at->second, mode);
      }
    }
    if (readouts == 0)
      error("O9").append("the graph has no output to read, expected one named \"logits\"").attachNote()
          << "membranes (LAYER.v_out) and spikes (LAYER) are not read out";
    for (const State &state : import.states) {
      Location loc = import.nameLoc(state.stem);
      if (state.neuron.empty())
        import.error(loc, "O11") << "the membrane " << quoted(state.stem + ".v_in")
                                 << " enters the graph, but no neuron uses it, expected one";
      else if (!state.returned)
        import.error(loc, "O11") << "node " << quoted(state.neuron)
                                 << ": its membrane after the step does not leave the graph, expected a graph output "
                                 << quoted(state.stem + ".v_out");
    }
    for (const Feedback &feedback : feedbacks)
      if (!feedback.returned)
        import.error(import.nameLoc(feedback.stem + ".s_in"), "O11")
            << "the spikes of the step before enter the graph as " << quoted(feedback.stem + ".s_in")
            << ", but do not leave it, expected a graph output " << quoted(feedback.stem + ".s_out");
    checkLayers();
  }

  /// One graph output: a membrane, a layer's spikes, spikes for the next step, or something to read out (then 1).
  unsigned finishOutput(const std::string &name, const Named &value, snn::ReadoutMode mode) {
    Location loc = import.nameLoc(name);
    auto feedback = llvm::find_if(feedbacks, [&](const Feedback &f) { return name == f.stem + ".s_out"; });
    if (feedback != feedbacks.end()) feedback->returned = true;
    switch (value.kind) {
    case Named::Kind::Poison:
      return 1; // its failure is reported
    case Named::Kind::StateOut: {
      State &state = import.states[size_t(value.state)];
      if (name != state.stem + ".v_out")
        import.error(loc, "O11") << "the membrane of node " << quoted(state.neuron) << " leaves the graph as " << quoted(name)
                                 << ", expected " << quoted(state.stem + ".v_out");
      state.returned = true;
      return 0;
    }
    case Named::Kind::StateIn:
    case Named::Kind::Constant:
      import.error(loc, "O9") << "graph output " << quoted(name) << " is " << kindText(value.kind) << ", expected a node's result";
      return 0;
    case Named::Kind::Tensor:
      break;
    }
    if (feedback != feedbacks.end()) {
      finishFeedback(*feedback, value.tensor);
      return 0;
    }
    if (value.quantized) {
      import.error(loc, "O9").append("graph output ", quoted(name), " leaves the graph as a quantizer's integers, expected float values").attachNote()
          << "put a DequantizeLinear behind it";
      return 1;
    }
    if (value.view && !value.view->rowMajor()) {
      import.error(loc, "O9")
              .append("graph output ", quoted(name), " is in another order than ", shapeText(snn::tensorType(value.tensor).getShape()),
                      " in the network, expected [N,C,H,W] or [N,F]")
              .attachNote()
          << "read the value before its last Transpose";
      return 1;
    }
    Operation *producer = value.tensor.getDefiningOp();
    if (name != "logits" && producer && snn::getNeuron(producer)) return 0; // a layer's spikes
    if (StringRef(name).ends_with(".v_out")) {
      import.error(loc, "O11") << "graph output " << quoted(name) << " is no neuron's membrane, expected the result v_next of a neuron";
      return 0;
    }
    OpBuilder &b = import.builder;
    auto readout = b.create<snn::ReadoutOp>(loc, value.tensor.getType(), value.tensor, mode, FloatAttr());
    b.create<snn::OutputOp>(loc, name, readout.getResult());
    return 1;
  }

  /// lasnn.layers names the neurons of the graph.
  void checkLayers() {
    if (!settings.layers) return;
    llvm::StringSet<> named, found;
    for (const std::string &layer : *settings.layers)
      named.insert(layer);
    for (const auto &[index, proto] : llvm::enumerate(model.graph().node())) {
      if (proto.domain() != "lasnn") continue;
      found.insert(nodeNames[index]);
      if (!named.contains(nodeNames[index]))
        nodeError(int(index), "O12") << "metadata lasnn.layers does not name it, expected every neuron there";
    }
    for (const std::string &layer : *settings.layers)
      if (!found.contains(layer))
        error("O12") << "metadata lasnn.layers names " << quoted(layer) << ", expected the name of a neuron's node";
  }

  /// Units and widths of a network that was trained in integers go to its neurons and read-outs; snn-quantize takes them.
  void recordTrained() {
    if (settings.trained.empty() || import.failed) return;
    llvm::StringMap<Operation *> ends;
    for (Operation &op : network.getBody().front()) {
      if (snn::getNeuron(&op))
        ends[snn::nameOf(&op)] = &op;
      else if (auto output = dyn_cast<snn::OutputOp>(op))
        ends[output.getName()] = output.getValue().getDefiningOp();
    }
    OpBuilder &b = import.builder;
    for (const auto &[layer, trained] : settings.trained) {
      auto at = ends.find(layer);
      if (at == ends.end()) {
        error("O12") << "metadata lasnn.unit." << StringRef(layer).take_front(60)
                     << " names no neuron's node and no output that is read, expected one";
        continue;
      }
      Operation *end = at->second;
      int64_t size = snn::channels(end->getOperand(0)), given = int64_t(trained.unit.size());
      if (given != 1 && given != size)
        error("O12") << "metadata lasnn.unit." << layer << " has " << given << " entries, expected 1 or " << size << ", one a channel";
      end->setAttr("snn.quantized", b.getDictionaryAttr({b.getNamedAttr("unit", b.getDenseF32ArrayAttr(trained.unit)),
                                                         b.getNamedAttr("weight_bits", b.getI64IntegerAttr(trained.weightBits))}));
    }
  }

  /// Results that nothing uses: they compute nothing that can be seen.
  void dropUnused() {
    if (import.failed) return;
    llvm::SmallPtrSet<Operation *, 8> placed;
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(network.getBody().front()))) {
      if (isa<snn::InputOp, snn::OutputOp, snn::EncodeOp>(op) || snn::getNeuron(&op) || !op.use_empty()) continue;
      // What was made here and taken in by its users is no node of the file that went lost.
      bool made = isa<snn::FlattenOp>(op) || import.pads.contains(op.getResult(0)) || import.concats.contains(op.getResult(0)) ||
                  placed.contains(&op);
      if (import.concats.contains(op.getResult(0)))
        for (mlir::Value operand : op.getOperands())
          placed.insert(operand.getDefiningOp());
      if (auto add = dyn_cast<snn::AddOp>(op); add && placed.contains(&op))
        for (mlir::Value operand : add.getOperands())
          placed.insert(operand.getDefiningOp());
      if (!made)
        import.warning(op.getLoc(), "O9") << "node " << quoted(snn::nameOf(&op)) << ": its result is used by nothing; it is left out";
      op.erase();
    }
  }
};

} // namespace

FailureOr<OwningOpRef<ModuleOp>> importOnnx(MLIRContext &context, StringRef bytes, StringRef fileName, const ImportOptions &options) {
  context.getOrLoadDialect<snn::SnnDialect>();
  return Importer(context, fileName, options).run(bytes);
}

} // namespace lasnn::onnx_import
