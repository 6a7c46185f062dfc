// Refusals: every problem at once, each at the layer's name, before anything is compiled.
#include "backends/backend.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/raw_ostream.h"

#include <gtest/gtest.h>

using namespace lasnn;

namespace {

struct Network {
  mlir::MLIRContext context{mlir::MLIRContext::Threading::DISABLED};
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::vector<std::string> errors; ///< "name: message", the name from the operation's location
  mlir::ScopedDiagnosticHandler handler{&context, [this](mlir::Diagnostic &diagnostic) {
    auto name = mlir::dyn_cast<mlir::NameLoc>(diagnostic.getLocation());
    errors.push_back((name ? name.getName().str() : "?") + ": " + diagnostic.str());
    return mlir::success();
  }};

  explicit Network(const std::string &text) {
    context.printOpOnDiagnostic(false);
    context.loadDialect<snn::SnnDialect>();
    module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  }
  snn::NetworkOp get() { return *module->getOps<snn::NetworkOp>().begin(); }
  std::string all() const {
    std::string text;
    for (const std::string &error : errors) text += error + "\n";
    return text;
  }
  bool has(const std::string &text) const { return all().find(text) != std::string::npos; }
};

const std::string kGood = R"(
snn.network @good timesteps = 2 {
  %i = snn.input "in" : tensor<2xui8> loc("in")
  %x = snn.encode %i events : (tensor<2xui8>) -> tensor<2xui8> loc("encode")
  %0 = snn.layer "head" (%a = %x : tensor<2xui8>) -> tensor<1xi32> {
    %c = snn.linear %a {weight = dense<1> : tensor<1x2xi8>} : (tensor<2xui8>) -> tensor<1xi32>
    %r = snn.readout %c sum {scale = 1.0 : f32} : (tensor<1xi32>) -> tensor<1xi32>
    snn.yield %r : tensor<1xi32>
  } loc("head")
  snn.output "out" %0 : tensor<1xi32> loc("out")
})";

TEST(Registry, names) {
  EXPECT_NE(findBackend("x86"), nullptr);
  EXPECT_NE(findBackend("null"), nullptr);
  EXPECT_EQ(findBackend("abacus"), nullptr);
  for (const auto &backend : backends()) {
    EXPECT_EQ(findBackend(backend->name()), backend.get());
    EXPECT_FALSE(backend->description().empty());
    EXPECT_TRUE(backend->extension().starts_with("."));
  }
}

TEST(Null, refuses_every_operation) {
  Network network(kGood);
  ASSERT_TRUE(network.module) << network.all();
  EXPECT_TRUE(mlir::failed(findBackend("null")->check(network.get())));
  ASSERT_EQ(network.errors.size(), 4u) << network.all();
  EXPECT_TRUE(network.has("head: backend null executes no operation; compile with --target=x86, or implement 'snn.layer' here"));
  EXPECT_TRUE(mlir::failed(findBackend("null")->compile(network.get(), {})));
  EXPECT_EQ(network.errors.size(), 5u);
}

TEST(X86, accepts_and_compiles_the_same_bytes_twice) {
  Network network(kGood);
  ASSERT_TRUE(mlir::succeeded(findBackend("x86")->check(network.get()))) << network.all();
  auto first = findBackend("x86")->compile(network.get(), {}), second = findBackend("x86")->compile(network.get(), {});
  ASSERT_TRUE(mlir::succeeded(first) && mlir::succeeded(second));
  EXPECT_EQ(first->bytes, second->bytes);
  EXPECT_FALSE(first->plan.empty());
  EXPECT_TRUE(network.errors.empty()) << network.all();
}

TEST(X86, lists_every_problem_with_its_name) {
  Network network(R"(
snn.network @bad timesteps = 2 {
  %i = snn.input "in" : tensor<1x4x4xui8> loc("in")
  %x = snn.encode %i events {max_count = 200 : i64} : (tensor<1x4x4xui8>) -> tensor<1x4x4xui8> loc("encode")
  %p = snn.sum_pool %x {kernel = array<i64: 2, 2>} : (tensor<1x4x4xui8>) -> tensor<1x3x3xui8> loc("big_pool")
  %s = snn.add %x, %x : (tensor<1x4x4xui8>, tensor<1x4x4xui8>) -> tensor<1x4x4xui8> loc("big_add")
  %m = snn.conv2d %x {weight = dense<1> : tensor<1x1x1x1xi8>} : (tensor<1x4x4xui8>) -> tensor<1x4x4xi32> loc("loose_conv")
  %q = snn.max_pool %m {kernel = array<i64: 1, 1>} : (tensor<1x4x4xi32>) -> tensor<1x4x4xi32> loc("current_pool")
  %0 = snn.layer "shortcut" (%a = %x : tensor<1x4x4xui8>, %b = %m : tensor<1x4x4xi32>) -> tensor<1x4x4xui8> {
    %c = snn.conv2d %a {weight = dense<1> : tensor<1x1x1x1xi8>} : (tensor<1x4x4xui8>) -> tensor<1x4x4xi32> loc("c")
    %d = snn.add %c, %b : (tensor<1x4x4xi32>, tensor<1x4x4xi32>) -> tensor<1x4x4xi32> loc("d")
    %n = snn.if %d {v_threshold = dense<1> : tensor<1xi32>} : (tensor<1x4x4xi32>) -> tensor<1x4x4xui8> loc("n")
    snn.yield %n : tensor<1x4x4xui8>
  } loc("shortcut")
  %1 = snn.layer "head" (%a = %0 : tensor<1x4x4xui8>) -> tensor<1xi32> {
    %f = snn.flatten %a : (tensor<1x4x4xui8>) -> tensor<16xui8> loc("f")
    %c = snn.linear %f {weight = dense<1> : tensor<1x16xi8>} : (tensor<16xui8>) -> tensor<1xi32> loc("c")
    %r = snn.readout %c sum {scale = 1.0 : f32} : (tensor<1xi32>) -> tensor<1xi32> loc("r")
    snn.yield %r : tensor<1xi32>
  } loc("head")
  snn.output "out" %1 : tensor<1xi32> loc("out")
})");
  ASSERT_TRUE(network.module) << network.all();
  EXPECT_TRUE(mlir::failed(findBackend("x86")->check(network.get())));
  EXPECT_TRUE(network.has("big_pool: backend x86: rule K3: a spike count can reach 800, at most 255 are counted; use a smaller pool"));
  EXPECT_TRUE(network.has("big_add: backend x86: rule K3: a spike count can reach 400"));
  EXPECT_TRUE(network.has("loose_conv: backend x86: 'snn.conv2d' does not run outside a layer"));
  EXPECT_TRUE(network.has("current_pool: backend x86: a pool reads something other than spikes"));
  EXPECT_TRUE(network.has("shortcut: backend x86: the current of layer \"shortcut\" comes from no convolution or linear"));
  EXPECT_EQ(network.errors.size(), 5u) << network.all();
}

const std::string kLoop = R"(
snn.network @loop timesteps = 3 {
  %b = snn.delay %p : (tensor<1x2x2xui8>) -> tensor<1x2x2xui8> loc("late")
  %i = snn.input "in" : tensor<1x4x4xui8> loc("in")
  %x = snn.encode %i events : (tensor<1x4x4xui8>) -> tensor<1x4x4xui8> loc("encode")
  %s = snn.layer "s" (%a = %x : tensor<1x4x4xui8>, %j = %b : tensor<1x2x2xui8>) -> tensor<1x4x4xui8> {
    %c = snn.conv2d %a {weight = dense<1> : tensor<1x1x1x1xi8>} : (tensor<1x4x4xui8>) -> tensor<1x4x4xi32>
    %d = snn.conv2d %j {weight = dense<-1> : tensor<1x1x1x1xi8>, pads = array<i64: 1, 1, 1, 1>} : (tensor<1x2x2xui8>) -> tensor<1x4x4xi32>
    %e = snn.add %c, %d : (tensor<1x4x4xi32>, tensor<1x4x4xi32>) -> tensor<1x4x4xi32>
    %n = snn.if %e {v_threshold = dense<0> : tensor<1xi32>} : (tensor<1x4x4xi32>) -> tensor<1x4x4xui8>
    snn.yield %n : tensor<1x4x4xui8>
  } loc("s")
  %p = snn.sum_pool %s {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>} : (tensor<1x4x4xui8>) -> tensor<1x2x2xui8> loc("pool")
  %0 = snn.layer "head" (%a = %p : tensor<1x2x2xui8>) -> tensor<1x2x2xi32> {
    %c = snn.conv2d %a {weight = dense<1> : tensor<1x1x1x1xi8>} : (tensor<1x2x2xui8>) -> tensor<1x2x2xi32>
    %r = snn.readout %c last {scale = 1.0 : f32} : (tensor<1x2x2xi32>) -> tensor<1x2x2xi32>
    snn.yield %r : tensor<1x2x2xi32>
  } loc("head")
  snn.output "out" %0 : tensor<1x2x2xi32> loc("out")
})";

TEST(Loihi, D1_a_loop_is_mapped) {
  Network network(kLoop);
  ASSERT_TRUE(network.module) << network.all();
  const Backend *backend = findBackend("loihi");
  if (!backend) GTEST_SKIP() << "built without the loihi backend";
  lasnn::TargetOptions options;
  options.variant = "loihi1";
  auto artefact = backend->compile(network.get(), {}, options);
  ASSERT_TRUE(mlir::succeeded(artefact)) << network.all();
  EXPECT_TRUE(artefact->errors.empty()) << artefact->errors[0];
  EXPECT_FALSE(artefact->bytes.empty());
}

// Weights that are no integers: the chip has none, and says what makes them.
TEST(Loihi, float_networks_are_refused_by_name) {
  Network network(R"(
snn.network @real timesteps = 2 {
  %i = snn.input "in" : tensor<2xui8> loc("in")
  %x = snn.encode %i events : (tensor<2xui8>) -> tensor<2xf32> loc("encode")
  %0 = snn.layer "head" (%a = %x : tensor<2xf32>) -> tensor<1xf32> {
    %c = snn.linear %a {weight = dense<0.5> : tensor<1x2xf32>} : (tensor<2xf32>) -> tensor<1xf32>
    %r = snn.readout %c sum : (tensor<1xf32>) -> tensor<1xf32>
    snn.yield %r : tensor<1xf32>
  } loc("head")
  snn.output "out" %0 : tensor<1xf32> loc("out")
})");
  ASSERT_TRUE(network.module) << network.all();
  const Backend *backend = findBackend("loihi");
  if (!backend) GTEST_SKIP() << "built without the loihi backend";
  EXPECT_TRUE(mlir::failed(backend->check(network.get(), "loihi1")));
  EXPECT_TRUE(network.has("rule K4")) << network.all();
  EXPECT_TRUE(network.has("snn-quantize")) << network.all();
}

TEST(X86, D1_a_loop_is_planned) {
  Network network(kLoop);
  ASSERT_TRUE(network.module) << network.all();
  auto artefact = findBackend("x86")->compile(network.get(), {});
  ASSERT_TRUE(mlir::succeeded(artefact)) << network.all();
  for (const char *line : {"buffer late  1x2x2  count <= 4\n", "buffer pool  1x2x2  count <= 4\n", "delay late  of pool\n", "reads late  kernel 1x1"})
    EXPECT_NE(artefact->plan.find(line), std::string::npos) << line << artefact->plan;
}

TEST(X86, K3_counts_in_a_loop) { // the delay stands before the pool that breaks the rule
  std::string text = kLoop;
  text.replace(text.find("v_threshold"), 0, "s_max = 64 : i64, reset = #snn<reset<subtract>>, rho = dense<1> : tensor<1xi32>, ");
  Network network(text);
  ASSERT_TRUE(network.module) << network.all();
  EXPECT_TRUE(mlir::failed(findBackend("x86")->check(network.get())));
  EXPECT_TRUE(network.has("pool: backend x86: rule K3: a spike count can reach 256, at most 255 are counted")) << network.all();
  EXPECT_EQ(network.errors.size(), 1u) << network.all();
}

TEST(X86, refuses_a_loop_that_is_not_fused) {
  Network network(R"(
snn.network @loose timesteps = 3 {
  %b = snn.delay %s : (tensor<2xui8>) -> tensor<2xui8> loc("late")
  %c = snn.linear %b {weight = dense<1> : tensor<2x2xi8>} : (tensor<2xui8>) -> tensor<2xi32> loc("c")
  %s = snn.if %c {v_threshold = dense<0> : tensor<1xi32>} : (tensor<2xi32>) -> tensor<2xui8> loc("s")
  %i = snn.input "in" : tensor<2xui8> loc("in")
  %x = snn.encode %i events : (tensor<2xui8>) -> tensor<2xui8> loc("encode")
  %0 = snn.layer "head" (%a = %b : tensor<2xui8>) -> tensor<2xi32> {
    %l = snn.linear %a {weight = dense<1> : tensor<2x2xi8>} : (tensor<2xui8>) -> tensor<2xi32>
    %r = snn.readout %l last {scale = 1.0 : f32} : (tensor<2xi32>) -> tensor<2xi32>
    snn.yield %r : tensor<2xi32>
  } loc("head")
  snn.output "out" %0 : tensor<2xi32> loc("out")
})");
  ASSERT_TRUE(network.module) << network.all();
  EXPECT_TRUE(mlir::failed(findBackend("x86")->check(network.get())));
  EXPECT_TRUE(network.has("c: backend x86: 'snn.linear' does not run outside a layer")) << network.all();
  EXPECT_TRUE(network.has("s: backend x86: 'snn.if' does not run outside a layer")) << network.all();
  EXPECT_EQ(network.errors.size(), 2u) << network.all();
}

TEST(X86, refuses_an_analog_pool) {
  Network network(R"(
snn.network @analog timesteps = 1 {
  %i = snn.input "in" : tensor<1x2x2xui8> loc("in")
  %x = snn.encode %i direct {scale = 1.0 : f32, table = dense<1> : tensor<1x256xi8>} : (tensor<1x2x2xui8>) -> tensor<1x2x2xi8> loc("encode")
  %p = snn.max_pool %x {kernel = array<i64: 2, 2>} : (tensor<1x2x2xi8>) -> tensor<1x1x1xi8> loc("early_pool")
  %s = snn.add %x, %x : (tensor<1x2x2xi8>, tensor<1x2x2xi8>) -> tensor<1x2x2xi8> loc("analog_add")
  %0 = snn.layer "head" (%a = %x : tensor<1x2x2xi8>) -> tensor<1x2x2xi32> {
    %c = snn.conv2d %a {weight = dense<1> : tensor<1x1x1x1xi8>} : (tensor<1x2x2xi8>) -> tensor<1x2x2xi32> loc("c")
    %r = snn.readout %c last {scale = 1.0 : f32} : (tensor<1x2x2xi32>) -> tensor<1x2x2xi32> loc("r")
    snn.yield %r : tensor<1x2x2xi32>
  } loc("head")
  snn.output "out" %0 : tensor<1x2x2xi32> loc("out")
})");
  ASSERT_TRUE(network.module) << network.all();
  EXPECT_TRUE(mlir::failed(findBackend("x86")->check(network.get())));
  EXPECT_TRUE(network.has("early_pool: backend x86: a pool reads something other than spikes; pool the spikes of a neuron layer"));
  EXPECT_TRUE(network.has("analog_add: backend x86: an add outside a layer reads something other than spikes"));
  EXPECT_EQ(network.errors.size(), 2u) << network.all();
}

TEST(X86, refuses_currents_added_behind_their_pool) {
  Network network(R"(
snn.network @late timesteps = 1 {
  %i = snn.input "in" : tensor<1x2x2xui8> loc("in")
  %x = snn.encode %i events : (tensor<1x2x2xui8>) -> tensor<1x2x2xui8> loc("encode")
  %0 = snn.layer "head" (%a = %x : tensor<1x2x2xui8>) -> tensor<1x2x2xi32> {
    %c = snn.conv2d %a {weight = dense<1> : tensor<1x1x1x1xi8>} : (tensor<1x2x2xui8>) -> tensor<1x2x2xi32> loc("c")
    %p = snn.max_pool %c {kernel = array<i64: 1, 1>} : (tensor<1x2x2xi32>) -> tensor<1x2x2xi32> loc("p")
    %d = snn.add %c, %p : (tensor<1x2x2xi32>, tensor<1x2x2xi32>) -> tensor<1x2x2xi32> loc("d")
    %r = snn.readout %d last {scale = 1.0 : f32} : (tensor<1x2x2xi32>) -> tensor<1x2x2xi32> loc("r")
    snn.yield %r : tensor<1x2x2xi32>
  } loc("head")
  snn.output "out" %0 : tensor<1x2x2xi32> loc("out")
})");
  ASSERT_TRUE(network.module) << network.all();
  EXPECT_TRUE(mlir::failed(findBackend("x86")->check(network.get())));
  EXPECT_TRUE(network.has("p: backend x86: a max_pool of currents is not the last operation before the neuron; add currents before the pool"));
  EXPECT_EQ(network.errors.size(), 1u) << network.all();
}

std::string twoHeads(const std::string &first, const std::string &second, const std::string &secondScale) {
  std::string text = R"(
snn.network @heads timesteps = 1 {
  %i = snn.input "in" : tensor<2xui8> loc("in")
  %x = snn.encode %i events : (tensor<2xui8>) -> tensor<2xui8> loc("encode")
)";
  for (std::string n : {"0", "1"})
    text += "  %" + n + " = snn.layer \"head" + n + R"(" (%a = %x : tensor<2xui8>) -> tensor<1xi32> {
    %c = snn.linear %a {weight = dense<1> : tensor<1x2xi8>} : (tensor<2xui8>) -> tensor<1xi32> loc("c")
    %r = snn.readout %c sum {scale = )" + (n == "0" ? "1.0" : secondScale) + R"( : f32} : (tensor<1xi32>) -> tensor<1xi32> loc("r")
    snn.yield %r : tensor<1xi32>
  } loc("head)" + n + "\")\n";
  return text + "  snn.output \"a\" %" + first + " : tensor<1xi32>\n  snn.output \"b\" %" + second + " : tensor<1xi32>\n} loc(\"heads\")";
}

TEST(X86, S6_outputs_in_order_of_execution) {
  Network good(twoHeads("0", "1", "1.0")), swapped(twoHeads("1", "0", "1.0"));
  ASSERT_TRUE(good.module) << good.all();
  EXPECT_TRUE(mlir::succeeded(findBackend("x86")->check(good.get()))) << good.all();
  EXPECT_TRUE(mlir::failed(findBackend("x86")->check(swapped.get())));
  EXPECT_TRUE(swapped.has("heads: backend x86: rule S6")) << swapped.all();
}

TEST(X86, R4_one_scale_for_all_readouts) { // the artefact holds one: another head's would be wrong
  Network network(twoHeads("0", "1", "0.5"));
  ASSERT_TRUE(network.module) << network.all();
  EXPECT_TRUE(mlir::failed(findBackend("x86")->check(network.get())));
  EXPECT_TRUE(network.has("head1: backend x86: rule R4")) << network.all();
}

} // namespace
