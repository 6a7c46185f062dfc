// The CUDA section of a file: refused when any byte is not what the writer wrote, and harmless when its hash is right all the same.
#include "backends/cuda/nvrtc.h"
#include "backends/cuda/source.h"
#include "backends/lasnn_file.h"
#include "format/header.h"
#include "format/reader.h"
#include "tests/runtime/cuda/session.h"

#include <random>

namespace lasnn::test {
namespace {

class CudaFile : public testing::Test {
protected:
  void SetUp() override { configure(); }
  void TearDown() override { EXPECT_TRUE(nothingLeft()); }
};

void rehash(AlignedBytes &bytes) {
  const format::Header header = format::makeHeader(bytes.data.get() + format::kHeaderSize, bytes.size - format::kHeaderSize);
  memcpy(bytes.data.get(), &header, sizeof header);
}

TEST_F(CudaFile, EveryFlippedByteAndTruncationIsAnError) {
  const std::vector<uint8_t> whole = cudaFileOf(randomPlan(11));
  AlignedBytes bytes(whole);
  uint64_t memory;
  for (size_t i = 0; i < bytes.size; i += i < format::kHeaderSize + 4096 ? 3 : 97) {
    bytes.data.get()[i] ^= 0x21;
    const lasnn_status status = lasnn_cuda_memory(bytes.data.get(), bytes.size, nullptr, &memory, nullptr, 0);
    ASSERT_TRUE(status == LASNN_BAD_MODEL || status == LASNN_UNSUPPORTED) << "byte " << i << ": " << lasnn_status_name(status);
    bytes.data.get()[i] ^= 0x21;
  }
  EXPECT_EQ(lasnn_cuda_memory(bytes.data.get(), bytes.size, nullptr, &memory, nullptr, 0), LASNN_OK);
  for (size_t size = 0; size < whole.size(); size += 101) {
    AlignedBytes part(std::vector<uint8_t>(whole.begin(), whole.begin() + long(size)));
    if (size >= format::kHeaderSize) rehash(part);
    ASSERT_EQ(lasnn_cuda_memory(part.data.get(), size, nullptr, &memory, nullptr, 0), LASNN_BAD_MODEL) << size;
  }
}

TEST_F(CudaFile, ReaderSaysWhatItRunsOn) {
  const AlignedBytes bytes(cudaFileOf(randomPlan(5)));
  format::FileContents contents;
  char error[256];
  ASSERT_EQ(format::readContents(bytes.data.get(), bytes.size, contents, error, sizeof error), LASNN_OK) << error;
  EXPECT_TRUE(contents.cuda);
  EXPECT_FALSE(contents.x86);
  EXPECT_EQ(contents.ir_size, 4u);
  lasnn_network *net = nullptr;
  EXPECT_EQ(lasnn_create(bytes.data.get(), bytes.size, nullptr, &net, error, sizeof error), LASNN_BAD_MODEL);
  EXPECT_NE(std::string(error).find("--target=x86"), std::string::npos) << error;
}

/// What NVRTC makes is what the verifier lets through: cubins with their sections, PTX with its end.
TEST_F(CudaFile, RealCodePasses) {
  std::string error;
  if (cuda::nvrtcVersion(error).empty())
    GTEST_SKIP() << error;
  const plan::Network plan = tinyPlan();
  const cuda::Program whole = cuda::makeProgram(plan, cuda::Choice::Auto, error);
  cuda::FileContent content;
  content.whole = &whole, content.timesteps = plan.timesteps, content.input_max = 1;
  for (const char *architecture : {"sm_90", "sm_90a", "compute_80"}) {
    content.codes.push_back({architecture, cuda::compileCuda(cuda::sourceOf(whole), architecture, error).bytes, {}});
    ASSERT_EQ(error, "");
  }
  EXPECT_FALSE(cuda::writeLasnn(content, {}, {}, error).empty());
  EXPECT_EQ(error, "");
  auto &cubin = content.codes[0].whole;
  cubin.resize(cubin.size() - 1); // a section or a table of them ends beyond
  EXPECT_TRUE(cuda::writeLasnn(content, {}, {}, error).empty());
  EXPECT_NE(error.find("no whole ELF"), std::string::npos) << error;
}

/// Uses what still loads on an inert device, which checks that every address it is given is in its memory.
void useIfSmall(const AlignedBytes &bytes, uint64_t seed) {
  lasnn_cuda_options options = cudaOptions(1 + seed % 3);
  options.streaming = seed & 4, options.keep_spikes = seed & 8;
  uint64_t memory = 0;
  if (lasnn_cuda_memory(bytes.data.get(), bytes.size, &options, &memory, nullptr, 0) != LASNN_OK || memory > 64 << 20)
    return;
  lasnn_status status;
  std::string error;
  const SessionPtr session = tryCreateCuda(bytes, options, status, error);
  if (!session)
    return;
  lasnn_cuda_info info;
  ASSERT_EQ(lasnn_cuda_get_info(session.get(), &info), LASNN_OK);
  if (info.network.timesteps > 300)
    return;
  const uint32_t batch = info.max_batch;
  std::vector<uint8_t> input(batch * info.network.input_size);
  std::vector<int32_t> output(batch * info.network.output_count);
  EXPECT_EQ(lasnn_cuda_run(session.get(), input.data(), input.size(), batch, output.data(), output.size()), LASNN_OK) << lasnn_cuda_get_error(session.get());
  if (options.streaming) {
    EXPECT_EQ(lasnn_cuda_step(session.get(), input.data(), batch * info.network.step_input_size, batch, output.data(), output.size()), LASNN_OK);
  }
  for (uint32_t layer = 0; layer < info.network.layer_count; ++layer) {
    lasnn_layer_stats stats;
    EXPECT_EQ(lasnn_cuda_get_layer_stats(session.get(), layer, &stats), LASNN_OK);
    std::vector<uint8_t> spikes(stats.neurons);
    if (options.keep_spikes) {
      EXPECT_EQ(lasnn_cuda_get_spikes(session.get(), batch - 1, layer, options.streaming ? 0 : info.network.timesteps - 1, spikes.data(), spikes.size()), LASNN_OK);
    }
  }
}

TEST_F(CudaFile, HostileContentWithARightHashNeverCrashes) {
  EmulatedSetup setup;
  setup.inert = 1;
  configure(setup);
  const uint64_t first = environmentNumber("LASNN_TEST_SEED", 1), count = environmentNumber("LASNN_TEST_FUZZ", 4000);
  uint64_t accepted = 0, refused = 0;
  std::vector<uint8_t> whole;
  for (uint64_t seed = first; seed < first + count && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    if (seed % 50 == 1 || whole.empty()) {
      CudaFileOptions file;
      file.whole = seed / 50 % 2 == 0;
      whole = cudaFileOf(randomPlan(seed / 50 + 1), file);
    }
    AlignedBytes bytes(whole);
    for (size_t flips = 1 + random() % 3; flips > 0; --flips) {
      // The structure lies at the ends (a FlatBuffer is written backwards); weights and code fill the middle.
      const size_t span = std::min<size_t>(bytes.size - format::kHeaderSize, 4000);
      size_t at = format::kHeaderSize + random() % span;
      if (random() % 3 == 0) at = bytes.size - 1 - random() % span;
      uint8_t &byte = bytes.data.get()[at];
      const uint8_t interesting[] = {0, 1, 2, 0x7f, 0x80, 0xff, uint8_t(byte + 1), uint8_t(byte - 1), uint8_t(random())};
      byte = interesting[random() % 9];
    }
    rehash(bytes);
    uint64_t memory = 0;
    char error[256] = "";
    const lasnn_status status = lasnn_cuda_memory(bytes.data.get(), bytes.size, nullptr, &memory, error, sizeof error);
    ASSERT_TRUE(status == LASNN_OK || (status == LASNN_BAD_MODEL && error[0] != 0)) << lasnn_status_name(status) << ": " << error;
    ++(status == LASNN_OK ? accepted : refused);
    useIfSmall(bytes, seed);
  }
  EXPECT_GT(accepted, count / 50);
  EXPECT_GT(refused, count / 10);
}

/// A file with one field changed, through the FlatBuffer's object form.
struct Changed {
  explicit Changed(const plan::Network &plan) {
    const std::vector<uint8_t> bytes = cudaFileOf(plan);
    whole = bytes;
  }
  std::vector<uint8_t> whole;

  /// What memory says after `change` has seen the program, whose numbers it writes in place.
  template <typename Change> std::string after(const Change &change) const {
    AlignedBytes bytes(whole);
    change(*flatbuffers::GetMutableRoot<format::Model>(bytes.data.get() + format::kHeaderSize)->cuda());
    rehash(bytes);
    uint64_t memory = 0;
    char error[256] = "";
    lasnn_cuda_memory(bytes.data.get(), bytes.size, nullptr, &memory, error, sizeof error);
    return error;
  }
};

/// Writes a scalar of a table in place; it must be stored there.
template <typename T> void set(const flatbuffers::Table *table, flatbuffers::voffset_t field, T value) {
  auto *mutable_table = const_cast<flatbuffers::Table *>(table);
  ASSERT_TRUE(mutable_table->SetField<T>(field, value, T(~value))) << "the field has its default and is not stored";
}
template <typename T> const flatbuffers::Table *tableOf(const T *table) { return reinterpret_cast<const flatbuffers::Table *>(table); }

TEST_F(CudaFile, EachRuleHasItsText) {
  uint64_t seed = 1;
  plan::Network plan;
  do // several layers, the first with more than one launch behind it
    plan = randomPlan(seed++);
  while (plan.encoding != plan::Encoding::Events || plan.layers.size() < 4 || plan.layers[0].kind != plan::LayerKind::Spiking);
  const Changed file(plan);
  EXPECT_EQ(file.after([](const format::CudaProgram &) {}), "");
  const auto says = [&](const char *text, auto change) {
    const std::string error = file.after(change);
    EXPECT_NE(error.find(text), std::string::npos) << "expected: " << text << "\nsaid: " << error;
  };
  using P = format::CudaProgram;
  using L = format::CudaLaunch;
  const auto launch = [](const P &p, uint32_t i) { return tableOf(p.whole()->launches()->Get(i)); };
  const auto buffer = [](const P &p, uint32_t i, uint64_t offset, uint64_t bytes) {
    *const_cast<format::CudaBuffer *>(p.whole()->buffers()->Get(i)) = format::CudaBuffer(offset, bytes);
  };
  says("timesteps = 65536", [&](const P &p) { set<uint32_t>(tableOf(&p), P::VT_TIMESTEPS, 65536); });
  says("encoding 7", [&](const P &p) { set<uint8_t>(tableOf(&p), P::VT_ENCODING, 7); });
  says("input shape", [&](const P &p) { set<uint32_t>(tableOf(&p), P::VT_HEIGHT, 1u << 31); });
  says("input_max = 256", [&](const P &p) { set<uint32_t>(tableOf(&p), P::VT_INPUT_MAX, 256); });
  says("output_count = 0", [&](const P &p) { set<uint32_t>(tableOf(&p), P::VT_OUTPUT_COUNT, 0); });
  says("in an arena of", [&](const P &p) { buffer(p, 1, uint64_t(1) << 63, 256); });
  says("in an arena of", [&](const P &p) { buffer(p, 1, 256, UINT64_MAX - 100); });
  says("in an arena of", [&](const P &p) { buffer(p, 1, 8, 8); });
  says("overlap", [&](const P &p) { buffer(p, p.whole()->launches()->Get(1)->output(), p.whole()->buffers()->Get(0)->offset(), p.whole()->buffers()->Get(1)->bytes()); });
  says("bytes of spikes", [&](const P &p) { buffer(p, p.layers()->Get(0)->buffer(), 0, 4); });
  says("reads buffer 4000000", [&](const P &p) { const_cast<flatbuffers::Vector<uint32_t> *>(p.whole()->launches()->Get(1)->inputs())->Mutate(0, 4000000); });
  says("before it is written", [&](const P &p) {
    const auto &launches = *p.whole()->launches();
    const_cast<flatbuffers::Vector<uint32_t> *>(launches.Get(1)->inputs())->Mutate(0, launches.Get(1)->output());
  });
  says("weights are constant 99999", [&](const P &p) { const_cast<flatbuffers::Vector<uint32_t> *>(p.whole()->launches()->Get(1)->weights())->Mutate(0, 99999); });
  says("constant 99999 of", [&](const P &p) { set<int32_t>(launch(p, 1), L::VT_BIAS, 99999); });
  says("written already", [&](const P &p) { set<uint32_t>(launch(p, 1), L::VT_OUTPUT, 999); });
  says("comes next", [&](const P &p) { set<int32_t>(launch(p, 1), L::VT_LAYER, 9); });
  says("a grid of", [&](const P &p) { set<uint64_t>(launch(p, 1), L::VT_ROWS, 0); });
  says("a grid of", [&](const P &p) { set<uint64_t>(launch(p, 1), L::VT_ROWS, UINT64_MAX); });
  says("a grid of", [&](const P &p) { set<uint32_t>(launch(p, 1), L::VT_UNITS_A_BLOCK, 0); });
  says("2^31 - 1 blocks", [&](const P &p) { set<uint64_t>(launch(p, 1), L::VT_ROWS, uint64_t(1) << 32); });
  says("33 threads", [&](const P &p) { set<uint32_t>(launch(p, 1), L::VT_THREADS, 33); });
  says("layer 'l", [&](const P &p) { set<uint32_t>(tableOf(p.layers()->Get(0)), format::CudaLayer::VT_CHANNELS, 1u << 20); });
  says("architecture 'sm_9x' is none", [&](const P &p) { const_cast<char *>(p.codes()->Get(0)->architecture()->c_str())[4] = 'x'; });
  says("no whole ELF", [&](const P &p) { const_cast<uint8_t *>(p.codes()->Get(0)->whole()->data())[1] = 'e'; });
  says("no whole ELF", [&](const P &p) { // a section table beyond the bytes
    auto *elf = const_cast<uint8_t *>(p.codes()->Get(0)->whole()->data());
    elf[40 + 7] = 0xff, elf[58] = 64, elf[60] = 1;
  });
  says("no name", [&](const P &p) { const_cast<char *>(p.whole()->launches()->Get(0)->kernel()->c_str())[0] = 0; });
}

} // namespace
} // namespace lasnn::test
