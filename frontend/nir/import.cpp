// The way of a file: bytes, tree, flat graph, convention, order, nodes, outputs, network. Each stage reports all that it finds.
#include "frontend/nir/import.h"
#include "frontend/nir/convert.h"
#include "frontend/nir/isolate.h"

#include "mlir/IR/Verifier.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Path.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

using namespace mlir;

namespace lasnn::nir {
namespace {

class Import {
public:
  Import(MLIRContext &context, StringRef fileName, const ImportOptions &options)
      : options(options), problems{&context, FileLineColLoc::get(&context, fileName.empty() ? "nir" : fileName, 0, 0)}, fileName(fileName),
        b(&context) {}

  FailureOr<OwningOpRef<ModuleOp>> run(StringRef bytes) {
    std::unique_ptr<Group> tree = read(bytes);
    if (!tree) return failure();
    const Group &root = *tree->groups["node"];
    readSettings(root);
    graph = flatten(root, problems);
    convention = ownDt > 0 ? writtenHere() : decide(graph, options.conventions, problems);
    findLoopDelays();
    orderGraph(graph, loopDelay, problems);
    makeNetwork();
    readInput();
    values.resize(graph.nodes.size());
    Importer importer{problems, convention, b};
    for (int index : graph.order)
      convert(importer, index);
    finishDelays();
    finish(importer);
    dropUnused();
    if (problems.failed || failed(verify(*module))) return failure();
    return std::move(module);
  }

private:
  const ImportOptions &options;
  Problems problems;
  StringRef fileName;
  OpBuilder b;
  Graph graph;
  Convention convention;
  OwningOpRef<ModuleOp> module;
  snn::NetworkOp network;
  std::vector<Value> values;
  std::vector<bool> loopDelay;
  // Settings: options over metadata.
  double ownDt = 0; ///< of a file that lasnn wrote
  std::optional<int64_t> timesteps;
  std::optional<snn::ReadoutMode> readout;
  snn::Encoding encoding = snn::Encoding::Direct;
  std::vector<float> mean, std;
  int64_t maxCount = 0;
  /// Spikes of an earlier step, asked for before they were computed.
  struct Pending {
    int source, steps;
    snn::InputOp stand;
    snn::DelayOp first;
    Value last;
  };
  std::vector<Pending> pending;

  std::unique_ptr<Group> read(StringRef bytes) {
    if (bytes.size() > size_t(INT32_MAX)) {
      problems.error("NIR1") << "the file has " << bytes.size() << " bytes, expected less than 2 GiB";
      return nullptr;
    }
    int reported = 0;
    const Report report = [&](StringRef path, const std::string &problem) {
      if (++reported <= 50) problems.error("NIR2") << (path.empty() ? "the file" : quoted(path)) << ": " << problem;
    };
    auto tree = options.isolate ? readFile(bytes, report) : readFileHere(bytes, report);
    if (!tree) {
      problems.error("NIR1").append("the file is not a whole HDF5 file: its ", bytes.size(), " bytes do not open").attachNote()
          << "it may be cut off or damaged";
      return nullptr;
    }
    if (tree->groups.empty() && problems.failed) return nullptr; // told
    auto node = tree->groups.find("node");
    if (node != tree->groups.end() && node->second->text("type") == "NIRGraph") return tree;
    problems.error("NIR1").append("the file holds no group \"node\" of type NIRGraph, expected a NIR network").attachNote()
        << "nir.write(FILE, GRAPH) writes one; NIR data files hold no network";
    return nullptr;
  }

  //===--- settings ---===//

  void readSettings(const Group &root) {
    const Group none;
    auto found = root.groups.find("metadata");
    const Group &metadata = found == root.groups.end() ? none : *found->second;
    auto refuse = [&](StringRef key, StringRef expected) {
      problems.error("NIR11") << "metadata " << quoted(key) << " is " << quoted(metadata.text(key)) << ", expected " << expected;
    };
    auto number = [&](StringRef key, double least, double most, StringRef expected) -> double {
      const Array *array = metadata.array(key);
      if (!array) return 0;
      if (!array->isText() && array->values.size() == 1 && array->values[0] >= least && array->values[0] <= most) return array->values[0];
      refuse(key, expected);
      return 0;
    };
    auto list = [&](StringRef key) -> std::vector<float> {
      const Array *array = metadata.array(key);
      if (!array) return {};
      if (!array->isText()) return {array->values.begin(), array->values.end()};
      refuse(key, "numbers");
      return {};
    };
    ownDt = number("lasnn.dt", 1e-12, 1e6, "a number above 0");
    timesteps = options.timesteps;
    if (double own = number("lasnn.timesteps", 1, 65535, "1 to 65535"); own > 0 && !timesteps) timesteps = int64_t(own);
    if (timesteps && (*timesteps < 1 || *timesteps > 65535))
      problems.error("S1") << "timesteps is given as " << *timesteps << ", expected 1 to 65535";
    readout = options.readout;
    if (std::string own = metadata.text("lasnn.readout"); !own.empty() && !readout) {
      readout = snn::symbolizeReadoutMode(own);
      if (!readout) refuse("lasnn.readout", "mean, sum or last");
    }
    if (options.encoding)
      encoding = *options.encoding;
    else if (std::string own = metadata.text("lasnn.encoding"); !own.empty()) {
      auto known = snn::symbolizeEncoding(own);
      if (!known) refuse("lasnn.encoding", "direct or events");
      encoding = known.value_or(encoding);
    }
    maxCount = int64_t(number("lasnn.max_count", 1, 255, "1 to 255"));
    mean = options.mean ? *options.mean : list("lasnn.mean");
    std = options.std ? *options.std : list("lasnn.std");
    for (float value : mean)
      if (!std::isfinite(value)) problems.error("E1") << "a mean is not finite, expected finite values";
    for (float value : std)
      if (!std::isfinite(value) || !(value > 0))
        problems.error("E1") << "a std is " << std::to_string(value) << ", expected a finite value above 0";
  }

  /// Files of exportNir say everything beside their neurons.
  Convention writtenHere() {
    Convention c;
    c.dt = ownDt;
    if (options.conventions.vMin) c.vMin = options.conventions.vMin;
    return c;
  }

  //===--- network and input ---===//

  void makeNetwork() {
    module = ModuleOp::create(problems.file);
    b.setInsertionPointToStart(module->getBody());
    std::string name = options.networkName.empty() ? llvm::sys::path::stem(fileName).str() : options.networkName;
    for (char &c : name)
      if (!llvm::isAlnum(c) && c != '_' && c != '.' && c != '$') c = '_';
    if (name.empty()) name = "network";
    if (llvm::isDigit(name[0])) name = "_" + name;
    network = b.create<snn::NetworkOp>(problems.nameLoc(name), name, 1);
    b.setInsertionPointToStart(&network.getBody().emplaceBlock());
  }

  Value encoded;

  void readInput() {
    int inputs = 0;
    for (const Node &node : graph.nodes) {
      if (node.type != "Input") continue;
      if (++inputs > 1) {
        problems.error(node, "S2") << "it is another Input, expected one in the graph";
        continue;
      }
      const Array *declared = node.group->array("shape");
      SmallVector<int64_t, 4> shape;
      if (declared && !declared->isText() && declared->shape.size() <= 1)
        for (double dim : ArrayRef(declared->values).take_front(9))
          shape.push_back(dim >= 1 && dim <= double(kMaxElements) && dim == std::floor(dim) ? int64_t(dim) : 0);
      if (shape.size() == 4 && shape[0] == 1) shape.erase(shape.begin()); // a batch axis
      SmallVector<int64_t, 3> own = dialectShape(shape);
      if (own.empty()) {
        problems.error(node, "NIR5") << "its shape is " << shapeText(shape)
                                     << ", expected [N], [C,L] or [C,H,W], no size below 1 and at most " << kMaxElements << " values";
        continue;
      }
      encoded = encode(node, own);
    }
    if (inputs == 0) problems.error("S2") << "the graph has no Input, expected one";
  }

  std::vector<float> perChannel(std::vector<float> list, int64_t channels, StringRef what) {
    if (list.size() == 1) list.resize(size_t(channels), float(list[0]));
    if (list.empty() || int64_t(list.size()) == channels) return list;
    problems.error("E1") << what << " has " << list.size() << " entries, expected 1 or " << channels << ", one a channel";
    return {};
  }

  Value encode(const Node &node, ArrayRef<int64_t> shape) {
    auto bytes = RankedTensorType::get(shape, b.getIntegerType(8, false));
    auto input = b.create<snn::InputOp>(problems.nameLoc(node.name), bytes, node.name);
    DenseF32ArrayAttr means, stds;
    const bool events = encoding == snn::Encoding::Events;
    if (!events) {
      auto m = perChannel(mean, shape[0], "mean"), s = perChannel(std, shape[0], "std");
      if (m.empty() && s.empty())
        problems.warning(node, "E1").append("neither mean nor std is known: the input is pixel/255").attachNote()
            << "pass --mean and --std, or --encoding=events for spikes";
      if (!m.empty()) means = b.getDenseF32ArrayAttr(m);
      if (!s.empty()) stds = b.getDenseF32ArrayAttr(s);
    }
    return b.create<snn::EncodeOp>(problems.nameLoc(node.name + ".encode"), RankedTensorType::get(shape, b.getF32Type()), input,
                                   snn::EncodingAttr::get(b.getContext(), encoding), means, stds, ElementsAttr(), FloatAttr(),
                                   b.getI64IntegerAttr(events ? (maxCount ? maxCount : 255) : 1));
  }

  //===--- delays ---===//

  static constexpr int kMostDelay = 4096;
  int delaysSoFar = 0; ///< steps of all Delay nodes so far

  /// Steps of a Delay node; -1 and reported when it has none.
  int delaySteps(const Node &node, bool report) {
    const Array *array = node.group->array("delay");
    auto refuse = [&](const std::string &text) {
      if (report) problems.error(node, "NIR9") << text;
      return -1;
    };
    if (!array || array->isText() || array->values.empty()) return refuse("it has no field \"delay\", expected seconds");
    const double seconds = array->values[0];
    for (double value : array->values)
      if (value != seconds)
        return refuse(fmt::format("its values are delayed by {:g} and {:g}, expected one delay for all", seconds, value));
    if (seconds == 0) return 0;
    if (!convention.decided) return -1;
    if (convention.dt == 0) return refuse("how long a step is is not known, expected --dt=SECONDS");
    const double steps = seconds / convention.dt;
    if (!(steps > 0 && steps <= kMostDelay + 0.5) || std::abs(steps - std::round(steps)) > 1e-4 * std::max(1.0, steps) || std::round(steps) < 1)
      return refuse(
          fmt::format("it delays by {:g} s, {:g} steps of {:g} s, expected whole steps, 1 to {}", seconds, steps, convention.dt, kMostDelay));
    // Each step is an operation of its own, and a value that is held.
    if (report && (delaysSoFar += int(std::round(steps))) > kMostDelay)
      return refuse(fmt::format("it brings the delays of the network to {} steps, expected at most {} in all", delaysSoFar, kMostDelay));
    return int(std::round(steps));
  }

  /// Delay nodes that their own result reaches: nobody can wait for them.
  void findLoopDelays() {
    loopDelay.assign(graph.nodes.size(), false);
    int delays = 0;
    for (size_t k = 0; k < graph.nodes.size(); ++k) {
      if (graph.nodes[k].type != "Delay" || delaySteps(graph.nodes[k], false) < 1 || ++delays > 2000) continue;
      std::vector<bool> seen(graph.nodes.size(), false);
      std::vector<int> stack{int(k)};
      while (!stack.empty() && !loopDelay[k]) {
        const int at = stack.back();
        stack.pop_back();
        for (int next : graph.nodes[size_t(at)].outputs) {
          if (next == int(k)) loopDelay[k] = true;
          if (!seen[size_t(next)]) seen[size_t(next)] = true, stack.push_back(next);
        }
      }
    }
  }

  /// The shape of a node's result before it is computed: from its constants, or from the matrix that takes it.
  SmallVector<int64_t, 3> expectedShape(int source, int user) {
    const Node &from = graph.nodes[size_t(source)], &to = graph.nodes[size_t(user)];
    for (StringRef field : {"v_threshold", "threshold", "delay"})
      if (const Array *array = from.group->array(field); array && array->values.size() > 1) return dialectShape(array->shape);
    if (to.type == "Affine" || to.type == "Linear")
      if (const Array *weight = to.group->array("weight"); weight && weight->shape.size() >= 2) return dialectShape({weight->shape.back()});
    for (const Node::From &input : from.inputs)
      if (values[size_t(input.node)]) return SmallVector<int64_t, 3>(snn::tensorType(values[size_t(input.node)]).getShape());
    return {1};
  }

  Value delayed(int source, int user, int steps, StringRef name) {
    for (Pending &other : pending)
      if (other.source == source && other.steps == steps) return other.last;
    SmallVector<int64_t, 3> shape =
        values[size_t(source)] ? SmallVector<int64_t, 3>(snn::tensorType(values[size_t(source)]).getShape()) : expectedShape(source, user);
    if (shape.empty()) return {};
    auto type = RankedTensorType::get(shape, b.getF32Type());
    Pending wait{source, steps, b.create<snn::InputOp>(problems.nameLoc(name), type, name), {}, {}};
    Value value = wait.stand;
    for (int k = 0; k < steps; ++k) {
      auto delay = b.create<snn::DelayOp>(problems.nameLoc(k == 0 ? name.str() : fmt::format("{}.{}", name.str(), k + 1)), type, value);
      if (k == 0) wait.first = delay;
      value = delay;
    }
    wait.last = value;
    pending.push_back(wait);
    return value;
  }

  void finishDelays() {
    for (Pending &wait : pending) {
      Value source = values[size_t(wait.source)];
      const Node &node = graph.nodes[size_t(wait.source)];
      if (!source) {
        problems.failed = true; // its own failure is told, or that of what is before it
        continue;
      }
      if (source.getType() != wait.first.getType()) {
        problems.error(node, "NIR5") << "its result has shape " << shapeText(snn::tensorType(source).getShape())
                                     << ", but what takes it at the next step expects " << shapeText(snn::tensorType(wait.last).getShape());
      } else if (!isSpikes(source)) {
        problems.error(node, "NIR9").append("a Delay takes its result, which is a current, expected spikes").attachNote()
            << "delay the spikes before the synapse: that is the same, without bias";
      } else {
        wait.first->setOperand(0, source);
        wait.stand.erase();
      }
    }
  }

  //===--- nodes ---===//

  bool onlyOutput(const Node &node) {
    return !node.outputs.empty() && llvm::all_of(node.outputs, [&](int next) { return graph.nodes[size_t(next)].type == "Output"; });
  }

  /// The sum of what comes in; null when any of it failed. `clean`: nothing is wrong but what was told already.
  Value sum(int index) {
    const Node &node = graph.nodes[size_t(index)];
    if (node.inputs.empty()) {
      problems.error(node, "NIR4") << "no edge leads to it, expected one";
      return {};
    }
    Value total;
    bool whole = true;
    for (const Node::From &from : node.inputs) {
      const Node &source = graph.nodes[size_t(from.node)];
      Value value;
      if (from.recurrent)
        value = delayed(from.node, index, 1, source.name + ".before");
      else if (loopDelay[size_t(from.node)] && !values[size_t(from.node)])
        value = loopValue(from.node, index);
      else
        value = values[size_t(from.node)];
      if (!value) {
        whole = false;
        continue;
      }
      if (!total)
        total = value;
      else if (total.getType() != value.getType()) {
        problems.error(node, "NIR5") << "its inputs have shapes " << shapeText(snn::tensorType(total).getShape()) << " and, from "
                                     << quoted(source.name) << ", " << shapeText(snn::tensorType(value).getShape())
                                     << ", expected one shape to add";
        whole = false;
      } else {
        total = b.create<snn::AddOp>(problems.nameLoc(fmt::format("{}.in{}", node.name, &from - node.inputs.data())), total.getType(),
                                     total, value);
      }
    }
    return whole ? total : Value();
  }

  /// A Delay on a loop, asked for before what it delays is there.
  Value loopValue(int delay, int user) {
    const Node &node = graph.nodes[size_t(delay)];
    const int steps = delaySteps(node, true);
    if (node.inputs.size() != 1 || loopDelay[size_t(node.inputs[0].node)]) {
      problems.error(node, "NIR9") << "a Delay on a loop has " << node.inputs.size() << " inputs, expected one, from a neuron";
      return {};
    }
    return steps < 1 ? Value() : values[size_t(delay)] = delayed(node.inputs[0].node, user, steps, node.name);
  }

  void convert(Importer &importer, int index) {
    const Node &node = graph.nodes[size_t(index)];
    Value &value = values[size_t(index)];
    if (node.type == "Input") {
      value = encoded;
      if (!node.inputs.empty()) problems.error(node, "NIR4") << "an edge leads to an Input, expected none";
      return;
    }
    if (node.type == "Delay") {
      if (value || loopDelay[size_t(index)]) {
        if (!value && !node.inputs.empty()) value = loopValue(index, index);
        return;
      }
      const int steps = delaySteps(node, true);
      Value input = sum(index);
      if (steps < 0 || !input) return;
      value = input;
      if (steps > 0 && !isSpikes(input)) {
        problems.error(node, "NIR9").append("it delays a current, expected spikes").attachNote()
            << "delay the spikes before the synapse: that is the same, without bias";
        value = {};
        return;
      }
      for (int k = 0; k < steps; ++k)
        value =
            b.create<snn::DelayOp>(problems.nameLoc(k == 0 ? node.name : fmt::format("{}.{}", node.name, k + 1)), value.getType(), value);
      return;
    }
    Value input = sum(index);
    if (node.type == "Output") {
      value = input;
      if (input && node.inputs.size() == 1)
        if (auto at = integrators.find(node.inputs[0].node); at != integrators.end())
          modes[index] = at->second.sums ? snn::ReadoutMode::Sum : snn::ReadoutMode::Last;
      return;
    }
    Integrator integrator;
    value = convertNode(importer, node, input, onlyOutput(node) ? &integrator : nullptr);
    if (node.type == "I" || node.type == "LI" || node.type == "CubaLI") integrators[index] = integrator;
  }
  std::map<int, Integrator> integrators;
  std::map<int, snn::ReadoutMode> modes; ///< of outputs that read an integrator

  //===--- the ends ---===//

  void finish(Importer &importer) {
    if (!timesteps)
      problems.error("S1").append("the number of time-steps is not known: NIR has none").attachNote() << "pass --timesteps=T";
    else if (*timesteps >= 1 && *timesteps <= 65535)
      network.setTimesteps(uint64_t(*timesteps));
    (void)importer;
    int outputs = 0;
    bool guessed = false;
    for (size_t k = 0; k < graph.nodes.size(); ++k) {
      const Node &node = graph.nodes[k];
      if (node.type != "Output") continue;
      ++outputs;
      Value value = values[k];
      if (!value) {
        problems.failed = true;
        continue;
      }
      const bool given = readout || modes.count(int(k));
      snn::ReadoutMode mode = modes.count(int(k)) ? modes[int(k)] : readout.value_or(snn::ReadoutMode::Mean);
      if (!given && !guessed) {
        problems.warning(node, "NIR10").append("NIR does not say how outputs combine: they are averaged over the steps").attachNote()
            << "pass --readout=mean, sum or last";
        guessed = true;
      }
      if (isSpikes(value)) value = countable(node, value);
      if (!value) continue;
      auto result = b.create<snn::ReadoutOp>(problems.nameLoc(node.name), value.getType(), value, mode, FloatAttr());
      b.create<snn::OutputOp>(problems.nameLoc(node.name), node.name, result.getResult());
    }
    if (outputs == 0 && !graph.nodes.empty()) problems.error("NIR10") << "the graph has no Output, expected at least one";
  }

  /// Read-outs take currents: spikes pass a matrix of ones on its diagonal, which changes nothing.
  Value countable(const Node &node, Value spikes) {
    const int64_t count = snn::tensorType(spikes).getNumElements();
    if (count > 2048) {
      problems.error(node, "NIR10").append("it reads ", count, " spiking neurons, expected at most 2048").attachNote()
          << "read fewer, or end the network in a synapse";
      return {};
    }
    if (snn::tensorType(spikes).getRank() == 3)
      spikes = b.create<snn::FlattenOp>(problems.nameLoc(node.name + ".flatten"), RankedTensorType::get({count}, b.getF32Type()), spikes);
    std::vector<float> ones(size_t(count * count), 0);
    for (int64_t k = 0; k < count; ++k)
      ones[size_t(k * count + k)] = 1;
    return createLinear(b, problems.nameLoc(node.name + ".spikes"), spikes, ones, count, {});
  }

  void dropUnused() {
    if (problems.failed) return;
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(network.getBody().front()))) {
      if (isa<snn::InputOp, snn::OutputOp, snn::EncodeOp>(op) || snn::getNeuron(&op) || !op.use_empty()) continue;
      if (!StringRef(snn::nameOf(&op)).contains(".gain"))
        emitWarning(op.getLoc()) << "node " << quoted(snn::nameOf(&op)) << ": rule NIR10: its result is used by nothing; it is left out";
      op.erase();
    }
  }
};

} // namespace

bool isHdf5(StringRef bytes) { return bytes.starts_with(StringRef("\x89HDF\r\n\x1a\n", 8)); }

FailureOr<OwningOpRef<ModuleOp>> importNir(MLIRContext &context, StringRef bytes, StringRef fileName, const ImportOptions &options) {
  context.getOrLoadDialect<snn::SnnDialect>();
  return Import(context, fileName, options).run(bytes);
}

} // namespace lasnn::nir
