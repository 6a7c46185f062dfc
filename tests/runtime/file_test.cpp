// The `.lasnn` file: reproducible, readable, and refused when any byte is not what the writer wrote.
#include "format/header.h"
#include "format/reader.h"
#include "tests/runtime/model.h"
#include "tests/runtime/random_plan.h"

#include <random>

namespace lasnn::test {
namespace {

lasnn_status tryCreate(const uint8_t *data, size_t size, NetworkPtr *out = nullptr) {
  lasnn_network *net = nullptr;
  char error[256] = "";
  const lasnn_status status = lasnn_create(data, size, nullptr, &net, error, sizeof error);
  NetworkPtr owner(net);
  EXPECT_EQ(status == LASNN_OK, net != nullptr);
  EXPECT_EQ(status == LASNN_OK, error[0] == 0) << error;
  if (out) *out = std::move(owner);
  return status;
}

/// Makes changed content pass the hash, so that the checks behind it are reached.
void rehash(AlignedBytes &bytes) {
  const format::Header header = format::makeHeader(bytes.data.get() + format::kHeaderSize, bytes.size - format::kHeaderSize);
  memcpy(bytes.data.get(), &header, sizeof header);
}

TEST(File, SamePlanSameBytes) {
  for (uint64_t seed = 1; seed < 20; ++seed)
    EXPECT_EQ(fileOf(randomPlan(seed)), fileOf(randomPlan(seed)));
}

TEST(File, ReaderGivesProvenanceAndIr) {
  const AlignedBytes bytes(fileOf(randomPlan(5)));
  format::FileContents contents;
  char error[256];
  ASSERT_EQ(format::readContents(bytes.data.get(), bytes.size, contents, error, sizeof error), LASNN_OK) << error;
  EXPECT_EQ(contents.tool, "test");
  EXPECT_EQ(contents.options, "--none");
  EXPECT_EQ(contents.source_name, "random");
  EXPECT_EQ(contents.source_sha256, "00");
  EXPECT_EQ(contents.calibration, "none");
  EXPECT_TRUE(contents.x86);
  EXPECT_FALSE(contents.cuda);
  ASSERT_EQ(contents.ir_size, 4u);
  EXPECT_EQ(contents.ir[3], 4);
  lasnn_network_info info;
  ASSERT_EQ(lasnn_get_info(create(bytes).get(), &info), LASNN_OK);
  EXPECT_EQ(info.content_hash, contents.content_hash);
}

TEST(File, EveryFlippedByteIsAnError) {
  AlignedBytes bytes(fileOf(randomPlan(11)));
  for (size_t i = 0; i < bytes.size; i += i < format::kHeaderSize + 4096 ? 1 : 97)
    for (uint8_t flip : {uint8_t(0x01), uint8_t(0x80), uint8_t(0xff)}) {
      bytes.data.get()[i] ^= flip;
      const lasnn_status status = tryCreate(bytes.data.get(), bytes.size);
      ASSERT_TRUE(status == LASNN_BAD_MODEL || status == LASNN_UNSUPPORTED) << "byte " << i << ": " << lasnn_status_name(status);
      bytes.data.get()[i] ^= flip;
    }
  EXPECT_EQ(tryCreate(bytes.data.get(), bytes.size), LASNN_OK);
}

TEST(File, VersionThreeIsStillRead) {
  AlignedBytes bytes(fileOf(randomPlan(11)));
  bytes.data.get()[8] = 3;
  EXPECT_EQ(tryCreate(bytes.data.get(), bytes.size), LASNN_OK);
  bytes.data.get()[8] = 2;
  lasnn_network *net = nullptr;
  char error[256] = "";
  EXPECT_EQ(lasnn_create(bytes.data.get(), bytes.size, nullptr, &net, error, sizeof error), LASNN_UNSUPPORTED);
  EXPECT_STREQ(error, "format version 2, this runtime reads 3 to 4: recompile the model or update the runtime");
}

TEST(File, NewerVersionIsUnsupported) {
  AlignedBytes bytes(fileOf(randomPlan(11)));
  ++bytes.data.get()[8];
  EXPECT_EQ(tryCreate(bytes.data.get(), bytes.size), LASNN_UNSUPPORTED);
}

TEST(File, EveryTruncationIsAnError) {
  const std::vector<uint8_t> whole = fileOf(randomPlan(11));
  for (size_t size = 0; size < whole.size(); size += size < 2048 ? 1 : 211) {
    AlignedBytes bytes(std::vector<uint8_t>(whole.begin(), whole.begin() + long(size)));
    ASSERT_EQ(tryCreate(bytes.data.get(), size), LASNN_BAD_MODEL) << size;
    if (size < format::kHeaderSize) continue;
    rehash(bytes); // a truncated FlatBuffer whose header agrees with it
    ASSERT_EQ(tryCreate(bytes.data.get(), size), LASNN_BAD_MODEL) << size;
  }
}

TEST(File, TrailingBytesAreAnError) {
  std::vector<uint8_t> whole = fileOf(randomPlan(11));
  whole.resize(whole.size() + 64);
  EXPECT_EQ(tryCreate(AlignedBytes(whole).data.get(), whole.size()), LASNN_BAD_MODEL);
}

/// Runs what still loads, when that is quick, so that a wrong acceptance shows as a crash or under a sanitizer.
void runIfSmall(lasnn_network *net) {
  lasnn_network_info info;
  lasnn_get_info(net, &info);
  if (info.input_size > 1u << 16 || info.timesteps > 64 || info.output_count > 1u << 16) return;
  for (uint32_t i = 0; i < info.layer_count; ++i) {
    lasnn_layer_stats stats;
    lasnn_get_layer_stats(net, i, &stats);
    if (stats.neurons > 1u << 16) return;
  }
  std::vector<uint8_t> input(info.input_size, uint8_t(info.input_max));
  std::vector<int32_t> output(info.output_count);
  EXPECT_EQ(lasnn_run(net, input.data(), input.size(), output.data(), output.size()), LASNN_OK);
  EXPECT_EQ(lasnn_step(net, input.data(), info.step_input_size, output.data(), output.size()), LASNN_OK);
}

TEST(File, HostileContentWithARightHashNeverCrashes) {
  const uint64_t first = environmentNumber("LASNN_TEST_SEED", 1), count = environmentNumber("LASNN_TEST_FUZZ", 4000);
  size_t accepted = 0;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    std::mt19937_64 random(seed);
    static std::vector<uint8_t> whole;
    if (seed % 50 == 1 || whole.empty()) whole = fileOf(seed % 100 == 1 ? randomPlan(seed / 50 + 1) : randomRecurrentPlan(seed / 50 + 1));
    AlignedBytes bytes(whole);
    const size_t flips = 1 + random() % 3;
    for (size_t i = 0; i < flips; ++i) {
      // The structure lies at the ends (a FlatBuffer is written backwards); weights fill the middle.
      const size_t span = std::min<size_t>(bytes.size - format::kHeaderSize, 1500);
      size_t at = format::kHeaderSize + random() % span;
      if (random() % 3 == 0) at = format::kHeaderSize + random() % (bytes.size - format::kHeaderSize);
      uint8_t &byte = bytes.data.get()[at];
      const uint8_t interesting[] = {0, 1, 2, 0x7f, 0x80, 0xff, uint8_t(byte + 1), uint8_t(byte - 1), uint8_t(random())};
      byte = interesting[random() % 9];
    }
    rehash(bytes);
    NetworkPtr net;
    const lasnn_status status = tryCreate(bytes.data.get(), bytes.size, &net);
    ASSERT_TRUE(status == LASNN_OK || status == LASNN_BAD_MODEL || status == LASNN_OUT_OF_MEMORY) << "seed " << seed;
    if (net) ++accepted, runIfSmall(net.get());
  }
  RecordProperty("accepted", int(accepted));
}

TEST(File, WriterRefusesWhatTheLoaderWould) {
  const auto refused = [](plan::Network plan) {
    std::string error;
    const bool empty = x86::writeLasnn(plan, {}, {}, error).empty();
    EXPECT_EQ(empty, !error.empty());
    return empty;
  };
  plan::Network plan = randomPlan(1);
  while (plan.layers[0].kind != plan::LayerKind::Spiking)
    plan = randomPlan(plan.buffers.size() + 100);
  EXPECT_FALSE(refused(plan));
  const auto broken = [&](auto change) {
    plan::Network copy = plan;
    change(copy);
    return refused(copy);
  };
  EXPECT_TRUE(broken([](plan::Network &p) { p.timesteps = 0; }));
  EXPECT_TRUE(broken([](plan::Network &p) { p.output_count += 1; }));
  EXPECT_TRUE(broken([](plan::Network &p) { p.layers[0].synapses[0].weight.pop_back(); }));
  EXPECT_TRUE(broken([](plan::Network &p) { p.layers[0].synapses[0].input = 99; }));
  EXPECT_TRUE(broken([](plan::Network &p) { p.layers[0].bias.pop_back(); }));
  EXPECT_TRUE(broken([](plan::Network &p) { p.layers[0].neuron.decay = 4097; }));
  EXPECT_TRUE(broken([](plan::Network &p) { p.layers[0].neuron.state_bits = 20; }));
  EXPECT_TRUE(broken([](plan::Network &p) { p.layers[0].neuron.v_threshold.pop_back(); }));
  EXPECT_TRUE(broken([](plan::Network &p) { p.layers[0].output = 0; }));
  EXPECT_TRUE(broken([](plan::Network &p) { p.buffers[p.layers[0].output].channels += 1; }));
  EXPECT_TRUE(broken([](plan::Network &p) { p.layers.push_back(p.layers[0]); }));
  EXPECT_TRUE(broken([](plan::Network &p) { p.layers.clear(); }));

  for (uint64_t seed = 1; !plan.layers[0].poolsCurrents(); ++seed)
    plan = randomPlan(seed);
  EXPECT_FALSE(refused(plan));
  EXPECT_TRUE(broken([](plan::Network &p) { p.layers[0].pool = plan::PoolKind::Sum; }));
  EXPECT_TRUE(broken([](plan::Network &p) { p.layers[0].current_height += 1 << 20; }));
  EXPECT_TRUE(broken([](plan::Network &p) { p.layers[0].current_width = 0; }));
  EXPECT_TRUE(broken([](plan::Network &p) { p.layers[0].stride_w = 0; }));
  EXPECT_TRUE(broken([](plan::Network &p) { p.layers[0].pad_top = int32_t(p.layers[0].kernel_h); })); // a window of padding alone
  EXPECT_TRUE(broken([](plan::Network &p) { p.layers[0].stride_h = 1 << 13, p.layers[0].out_height += 1; }));

  for (uint64_t seed = 1; plan.delays.empty() || plan.encoding == plan::Encoding::Events; ++seed)
    plan = randomRecurrentPlan(seed);
  EXPECT_FALSE(refused(plan));
  EXPECT_TRUE(broken([](plan::Network &p) { p.delays.clear(); }));                 // its buffer is read, and never written
  EXPECT_TRUE(broken([](plan::Network &p) { p.delays.push_back(p.delays[0]); }));  // written twice
  EXPECT_TRUE(broken([](plan::Network &p) { p.delays[0].to = p.layers[0].output; })); // by a layer as well
  EXPECT_TRUE(broken([](plan::Network &p) { p.delays[0].from = 0; }));             // the analog image
  EXPECT_TRUE(broken([](plan::Network &p) { p.delays[0].to = 0; }));
  EXPECT_TRUE(broken([](plan::Network &p) { p.delays[0].from = uint32_t(p.buffers.size()); }));
  EXPECT_TRUE(broken([](plan::Network &p) { p.buffers[p.delays[0].to].height += 1; }));
  EXPECT_TRUE(broken([](plan::Network &p) { p.buffers[p.delays[0].to].max_count += 1; }));
}

/// A sum of what came before, with no neuron between: whatever max_count its buffers claim, it is not enough (K3).
TEST(File, ALoopWithoutANeuronIsRefused) {
  for (uint32_t claimed : {1u, 2u, 255u}) {
    plan::Network plan;
    plan.encoding = plan::Encoding::Events;
    plan.buffers = {{"in", 1, 1, 1, 1}, {"sum", 1, 1, 1, claimed}, {"late", 1, 1, 1, claimed}};
    plan.delays = {{1, 2}};
    plan::Layer sum, out;
    sum.kind = plan::LayerKind::Add;
    sum.inputs = {0, 2}, sum.output = 1, sum.out_channels = 1;
    out.kind = plan::LayerKind::Readout;
    out.out_channels = 1, out.bias = {0};
    out.synapses.resize(1);
    out.synapses[0].input = 1, out.synapses[0].weight = {1};
    plan.layers = {sum, out};
    plan.output_count = 1;
    std::string error;
    EXPECT_TRUE(x86::writeLasnn(plan, {}, {}, error).empty());
    EXPECT_EQ(error, "layer '': counts up to " + std::to_string(claimed + 1) + " in a buffer of at most " + std::to_string(claimed));
  }
}

} // namespace
} // namespace lasnn::test
