// The exported file's structure against docs/student-onnx.md; onnx_oracle.py checks what it computes.
#include "distill/export.h"

#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <set>

using namespace lasnn::distill;

namespace {

Model makeModel(const char *archName, const NeuronOptions &neuron) {
  torch::manual_seed(2);
  Arch arch = findArch(archName);
  arch.channels = 1, arch.height = arch.width = 28, arch.classes = 10;
  Model model{std::make_shared<Network>(arch, neuron),
              {{"kind", "student"}, {"timesteps", 6}, {"encoding", "direct"}, {"data", {{"name", "d"}, {"mean", {0.2860f}}, {"std", {0.3530f}}}}}};
  model.network->eval();
  return model;
}

TEST(Export, Structure) {
  const Model source = makeModel("resnet", NeuronOptions());
  const std::string bytes = studentOnnx(source);
  EXPECT_EQ(bytes, studentOnnx(source)) << "the same model gives the same bytes";
  onnx::ModelProto model;
  ASSERT_TRUE(model.ParseFromString(bytes));
  EXPECT_EQ(model.ir_version(), 8);
  ASSERT_EQ(model.opset_import_size(), 2);
  EXPECT_EQ(model.opset_import(0).version(), 15);
  EXPECT_EQ(model.opset_import(1).domain(), "lasnn");
  ASSERT_EQ(model.functions_size(), 1);
  EXPECT_EQ(model.functions(0).name(), "LIF_zero");
  EXPECT_EQ(model.functions(0).domain(), "lasnn");
  EXPECT_GT(model.functions(0).node_size(), 4) << "a body";

  const auto layers = source.network->layerNames();
  ASSERT_EQ(size_t(model.graph().input_size()), 1 + layers.size());
  ASSERT_EQ(size_t(model.graph().output_size()), 1 + 2 * layers.size());
  EXPECT_EQ(model.graph().input(0).name(), "input");
  EXPECT_EQ(model.graph().input(1).name(), "conv1.lif.v_in");
  EXPECT_EQ(model.graph().input(0).type().tensor_type().shape().dim(0).dim_param(), "N");
  EXPECT_EQ(model.graph().output(0).name(), "logits");

  std::set<std::string> values, nodes;
  for (const auto &input : model.graph().input())
    values.insert(input.name());
  for (const auto &tensor : model.graph().initializer()) {
    values.insert(tensor.name());
    int64_t size = 4;
    for (int64_t dim : tensor.dims())
      size *= dim;
    EXPECT_EQ(tensor.raw_data().size(), size_t(size));
  }
  size_t adds = 0, neurons = 0;
  for (const auto &node : model.graph().node()) {
    EXPECT_TRUE(nodes.insert(node.name()).second) << node.name();
    for (const auto &input : node.input())
      EXPECT_TRUE(values.count(input)) << node.name() << " reads " << input << ", not yet defined";
    for (const auto &output : node.output())
      EXPECT_TRUE(values.insert(output).second) << output;
    EXPECT_NE(node.op_type(), "BatchNormalization");
    adds += node.op_type() == "Add";
    if (node.domain() == "lasnn") {
      ++neurons;
      EXPECT_EQ(node.op_type(), "LIF_zero");
      EXPECT_EQ(node.attribute(0).name(), "beta");
      EXPECT_EQ(node.attribute(0).f(), 0.5f);
    }
  }
  EXPECT_EQ(adds, 2u);
  EXPECT_EQ(neurons, layers.size());
  for (const auto &output : model.graph().output())
    EXPECT_TRUE(values.count(output.name())) << output.name();
  std::map<std::string, std::string> meta;
  for (const auto &entry : model.metadata_props())
    meta[entry.key()] = entry.value();
  EXPECT_EQ(meta["lasnn.timesteps"], "6");
  EXPECT_EQ(meta["lasnn.encoding"], "direct");
  EXPECT_EQ(meta["lasnn.readout"], "mean");
  EXPECT_EQ(std::stof(meta["lasnn.mean"]), 0.2860f);
  EXPECT_EQ(std::stof(meta["lasnn.std"]), 0.3530f);
  EXPECT_EQ(meta["lasnn.layers"], "conv1.lif,a1.lif,a2.lif,b1.lif,b2.lif");
}

TEST(Export, FunctionNamesCarryTheReset) {
  NeuronOptions neuron;
  neuron.kind = "if", neuron.reset = Reset::Subtract;
  onnx::ModelProto model;
  ASSERT_TRUE(model.ParseFromString(studentOnnx(makeModel("mlp", neuron))));
  EXPECT_EQ(model.functions(0).name(), "IF_subtract");
  EXPECT_EQ(model.functions(0).attribute_size(), 0);
}

TEST(Export, FoldEqualsNormalisation) {
  Model model = makeModel("cnn-small", NeuronOptions());
  const auto synapse = model.network->synapse("conv1");
  torch::NoGradGuard noGrad;
  synapse->runningMean.normal_(), synapse->runningVar.uniform_(0.1, 3), synapse->gamma.normal_(), synapse->shift.normal_();
  const torch::Tensor x = torch::randn({3, 1, 28, 28});
  const auto [weight, bias] = synapse->folded();
  EXPECT_TRUE(torch::allclose(torch::conv2d(x, weight, bias, 2, 2), synapse->forward(x, false), 1e-4, 1e-4));
}

/// The graph's wiring alone: every value is made once, before it is used, and every output exists.
void expectWired(const onnx::ModelProto &model) {
  std::set<std::string> values, nodes;
  for (const auto &input : model.graph().input())
    EXPECT_TRUE(values.insert(input.name()).second) << input.name();
  for (const auto &tensor : model.graph().initializer())
    EXPECT_TRUE(values.insert(tensor.name()).second) << tensor.name();
  for (const auto &node : model.graph().node()) {
    EXPECT_TRUE(nodes.insert(node.name()).second) << node.name();
    for (const auto &input : node.input())
      EXPECT_TRUE(values.count(input)) << node.name() << " reads " << input << ", not yet defined";
    for (const auto &output : node.output())
      EXPECT_TRUE(values.insert(output).second) << output;
  }
  for (const auto &output : model.graph().output())
    EXPECT_TRUE(values.count(output.name())) << output.name();
}

TEST(Export, EveryNeuronAndShortcutIsWired) {
  for (const char *kind : {"lif", "if", "plif", "cuba", "clif"})
    for (const char *shortcut : {"plain", "ms", "sew"})
      for (bool keep : {false, true}) {
        SCOPED_TRACE(testing::Message() << kind << " " << shortcut << " " << keep);
        NeuronOptions neuron;
        neuron.kind = kind, neuron.learnThreshold = "channel";
        ArchOptions o;
        o.shortcut = shortcut, o.width = 0.5;
        Arch arch = findArch("resnet20", o);
        arch.channels = 3, arch.height = arch.width = 32, arch.classes = 10;
        Model source = makeModel("mlp", neuron);
        source.network = std::make_shared<Network>(arch, neuron);
        source.network->eval();
        onnx::ModelProto model;
        ASSERT_TRUE(model.ParseFromString(studentOnnx(source, keep)));
        expectWired(model);
        size_t norms = 0, states = 0;
        for (const auto &node : model.graph().node())
          norms += node.op_type() == "BatchNormalization";
        for (const auto &input : model.graph().input())
          states += input.name().ends_with("_in");
        EXPECT_EQ(norms, keep ? 19u : 0u);
        const bool two = neuron.kind == "cuba" || neuron.kind == "clif";
        EXPECT_EQ(states, source.network->layerNames().size() * (two ? 2 : 1));
        for (const auto &tensor : model.graph().initializer())
          if (tensor.name() == "layer3.2.conv2.lif.v_threshold") {
            ASSERT_EQ(tensor.dims_size(), 3) << "[C,1,1]";
            EXPECT_EQ(tensor.dims(0), 32);
          }
      }
}

TEST(Export, PoolsInsideLayersAreWired) {
  ArchOptions o;
  o.poolAt = "current";
  for (const char *pool : {"max", "avg"})
    for (bool keep : {false, true}) {
      o.pool = pool;
      Arch arch = findArch("vgg5", o);
      arch.channels = 1, arch.height = arch.width = 28, arch.classes = 10;
      Model source = makeModel("mlp", NeuronOptions());
      source.network = std::make_shared<Network>(arch, NeuronOptions());
      source.network->eval();
      onnx::ModelProto model;
      ASSERT_TRUE(model.ParseFromString(studentOnnx(source, keep)));
      expectWired(model);
      size_t pools = 0;
      for (const auto &node : model.graph().node())
        pools += node.op_type().ends_with("Pool");
      EXPECT_EQ(pools, o.pool == "max" ? 3u : 0u) << "an average pool became its convolution's stride";
    }
}

TEST(Export, RecurrentSpikesAreState) {
  onnx::ModelProto model;
  ASSERT_TRUE(model.ParseFromString(studentOnnx(makeModel("rnn", NeuronOptions()))));
  expectWired(model);
  std::set<std::string> inputs, outputs;
  for (const auto &value : model.graph().input())
    inputs.insert(value.name());
  for (const auto &value : model.graph().output())
    outputs.insert(value.name());
  EXPECT_TRUE(inputs.count("hidden.lif.s_in") && outputs.count("hidden.lif.s_out"));
}

TEST(Export, RefusesATeacher) {
  Model model = makeModel("mlp", NeuronOptions());
  model.meta["kind"] = "teacher";
  EXPECT_THROW(studentOnnx(model), std::runtime_error);
}

} // namespace
