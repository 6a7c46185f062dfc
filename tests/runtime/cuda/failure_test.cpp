// Everything that can be missing, too old, too small or go wrong: a status, a text with the numbers, and nothing left behind.
#include "tests/runtime/cuda/emulated_code.h"
#include "tests/runtime/cuda/session.h"

namespace lasnn::test {
namespace {

class CudaFailure : public testing::Test {
protected:
  void SetUp() override { configure(); }
  void TearDown() override { EXPECT_TRUE(nothingLeft()); }

  /// Creating is refused with that status and these words.
  void refused(const AlignedBytes &bytes, const lasnn_cuda_options &options, lasnn_status expected, const std::vector<std::string> &words) {
    lasnn_status status;
    std::string error;
    EXPECT_EQ(tryCreateCuda(bytes, options, status, error), nullptr);
    EXPECT_EQ(status, expected) << error;
    for (const std::string &word : words)
      EXPECT_NE(error.find(word), std::string::npos) << error << "\nlacks: " << word;
    EXPECT_TRUE(nothingLeft());
  }

  const plan::Network plan = tinyPlan();
  const AlignedBytes bytes{cudaFileOf(plan)};
  const Samples samples{plan, 1, 2};
};

TEST_F(CudaFailure, NoDriver) {
  lasnn_cuda_options options = cudaOptions(1);
  options.driver = "/nowhere/libcuda.so.1";
  refused(bytes, options, LASNN_NO_DEVICE, {"/nowhere/libcuda.so.1", "LASNN_CUDA_DRIVER"});
  options.driver = nullptr; // the environment's
  setenv("LASNN_CUDA_DRIVER", "/elsewhere/libcuda.so.1", 1);
  refused(bytes, options, LASNN_NO_DEVICE, {"/elsewhere/libcuda.so.1"});
  setenv("LASNN_CUDA_DRIVER", emulatedDriver(), 1);
  EXPECT_NE(createCuda(bytes, options), nullptr);
  unsetenv("LASNN_CUDA_DRIVER");
  options.driver = "libm.so.6"; // a library, but no driver
  refused(bytes, options, LASNN_NO_DEVICE, {"lacks cuGetErrorName", "11.4"});
}

TEST_F(CudaFailure, DriverThatIsTooOldOrDoesNotStart) {
  EmulatedSetup setup;
  setup.driver_version = 11030;
  configure(setup);
  refused(bytes, cudaOptions(1), LASNN_NO_DEVICE, {"CUDA 11.3", "11.4"});
  setup.driver_version = 12040, setup.init_result = 803;
  configure(setup);
  refused(bytes, cudaOptions(1), LASNN_NO_DEVICE, {"CUDA 12.4", "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH (803)"});
  setup.init_result = 0, setup.devices = 0;
  configure(setup);
  refused(bytes, cudaOptions(1), LASNN_NO_DEVICE, {"CUDA_ERROR_NO_DEVICE (100)"});
  int count = -1;
  char error[256];
  EXPECT_EQ(lasnn_cuda_available(emulatedDriver(), &count, error, sizeof error), LASNN_NO_DEVICE);
  EXPECT_EQ(count, 0);
  setup.devices = 2;
  configure(setup);
  EXPECT_EQ(lasnn_cuda_available(emulatedDriver(), &count, error, sizeof error), LASNN_OK);
  EXPECT_EQ(count, 2);
  lasnn_cuda_options options = cudaOptions(1);
  options.device = 1;
  EXPECT_NE(createCuda(bytes, options), nullptr);
  options.device = 2;
  refused(bytes, options, LASNN_NO_DEVICE, {"GPU 2 of 2"});
}

TEST_F(CudaFailure, CodeForTheGpuIsChosenOrMissing) {
  CudaFileOptions file;
  file.architectures = {"compute_70", "sm_80", "sm_90", "sm_90a", "sm_86", "compute_80", "compute_90a"};
  const AlignedBytes all(cudaFileOf(plan, file));
  EmulatedSetup setup;
  const std::pair<int, const char *> chosen[] = {{90, "sm_90a"},     {80, "sm_80"},      {86, "sm_86"},       {89, "sm_86"},
                                                 {75, "compute_70"}, {70, "compute_70"}, {100, "compute_80"}, {121, "compute_80"}};
  for (const auto &[capability, code] : chosen) {
    setup.capability = capability;
    configure(setup);
    const SessionPtr session = createCuda(all, cudaOptions(2));
    lasnn_cuda_info info;
    ASSERT_EQ(lasnn_cuda_get_info(session.get(), &info), LASNN_OK);
    EXPECT_STREQ(info.code, code) << capability;
    EXPECT_TRUE(runCuda(session.get(), samples) == samples.outputs());
  }
  setup.capability = 61;
  configure(setup);
  refused(all, cudaOptions(1), LASNN_UNSUPPORTED, {"compute_70, sm_80, sm_90, sm_90a, sm_86", "sm_61", "--target=cuda:sm_61", "Emulated GPU"});
  setup.capability = 80;
  configure(setup);
  refused(bytes, cudaOptions(1), LASNN_UNSUPPORTED, {"code for sm_90,", "--target=cuda:sm_80"});
}

TEST_F(CudaFailure, CodeThatTheDriverRefuses) {
  CudaFileOptions file;
  file.architectures = {"compute_80"};
  const AlignedBytes ptx(cudaFileOf(plan, file));
  EmulatedSetup setup;
  setup.jit_log = "ptxas line 7: unknown instruction";
  configure(setup);
  refused(ptx, cudaOptions(1), LASNN_BAD_MODEL, {"compute_80", "CUDA_ERROR_INVALID_PTX (218)", "ptxas line 7: unknown instruction"});
  setup.jit_log = nullptr, setup.fail_function = "cuModuleLoadDataEx", setup.fail_result = 222;
  configure(setup);
  refused(ptx, cudaOptions(1), LASNN_NO_DEVICE, {"CUDA 12.4", "compute_80 (PTX 8.0)", "update the driver"});
  setup.fail_result = 209;
  configure(setup);
  refused(bytes, cudaOptions(1), LASNN_NO_DEVICE, {"CUDA 12.4", "sm_90", "update the driver", "CUDA_ERROR_NO_BINARY_FOR_GPU (209)"});
}

TEST_F(CudaFailure, CodeThatIsNotWhatTheFileSays) {
  std::string error;
  const cuda::Program whole = cuda::makeProgram(plan, cuda::Choice::Auto, error);
  cuda::Program shorter = whole;
  shorter.launches.pop_back();
  cuda::FileContent content;
  content.whole = &whole, content.timesteps = 2, content.input_max = 1;
  content.codes = {{"sm_90", emulatedCode(shorter, "sm_90"), {}}};
  refused(AlignedBytes(cuda::writeLasnn(content, {}, {}, error)), cudaOptions(1), LASNN_BAD_MODEL, {"lacks kernel 'lasnn_2' of layer 'out'", "sm_90"});
  content.codes[0].whole[8] = 'E'; // ELF, but nothing that the device knows
  refused(AlignedBytes(cuda::writeLasnn(content, {}, {}, error)), cudaOptions(1), LASNN_BAD_MODEL, {"CUDA_ERROR_INVALID_IMAGE (200)"});
  for (const std::string &code : {std::string("no ELF"), std::string("\177ELF\2\1\1")}) {
    content.codes[0].whole.assign(code.begin(), code.end());
    EXPECT_TRUE(cuda::writeLasnn(content, {}, {}, error).empty());
    EXPECT_NE(error.find("no whole ELF"), std::string::npos) << error;
  }
  content.codes = {{"compute_80", {'.', 'v'}, {}}};
  EXPECT_TRUE(cuda::writeLasnn(content, {}, {}, error).empty());
  EXPECT_NE(error.find("zero-terminated"), std::string::npos) << error;
  content.codes = {{"gfx90a", {0}, {}}};
  EXPECT_TRUE(cuda::writeLasnn(content, {}, {}, error).empty());
  EXPECT_NE(error.find("'gfx90a' is none"), std::string::npos) << error;
  content.codes = {};
  EXPECT_TRUE(cuda::writeLasnn(content, {}, {}, error).empty());
  const AlignedBytes x86(fileOf(plan));
  refused(x86, cudaOptions(1), LASNN_BAD_MODEL, {"--target=cuda"});
}

TEST_F(CudaFailure, MemoryThatIsShortNamesTheBatchThatFits) {
  constexpr uint64_t page = 2 << 20;
  EmulatedSetup setup;
  setup.memory_bytes = 4 * page;
  configure(setup);
  lasnn_status status;
  std::string error;
  EXPECT_EQ(tryCreateCuda(bytes, cudaOptions(100000), status, error), nullptr);
  EXPECT_EQ(status, LASNN_OUT_OF_MEMORY);
  const size_t at = error.find("; max_batch = ");
  ASSERT_NE(at, std::string::npos) << error;
  EXPECT_NE(error.find("max_batch = 100000 needs"), std::string::npos) << error;
  EXPECT_NE(error.find("of 8388608 are free"), std::string::npos) << error;
  const auto fits = uint32_t(std::stoul(error.substr(at + 14)));
  EXPECT_GT(fits, 1000u);
  EXPECT_NE(createCuda(bytes, cudaOptions(fits)), nullptr);
  // No more than the pages in which the driver gives memory, and the weights, lie between that and what cannot be had.
  uint64_t memory = 0;
  lasnn_cuda_options options = cudaOptions(fits + 1);
  ASSERT_EQ(lasnn_cuda_memory(bytes.data.get(), bytes.size, &options, &memory, nullptr, 0), LASNN_OK);
  EXPECT_GT(memory, 3 * page);

  lasnn_cuda_info info;
  ASSERT_EQ(lasnn_cuda_get_info(createCuda(bytes, cudaOptions(1)).get(), &info), LASNN_OK);
  setup.memory_bytes = info.constant_bytes + info.session_bytes - 1; // the weights, not quite a sample
  configure(setup);
  refused(bytes, cudaOptions(3), LASNN_OUT_OF_MEMORY, {"not even one sample fits", "max_batch = 3 needs"});
  setup.memory_bytes = 100;
  configure(setup);
  refused(bytes, cudaOptions(3), LASNN_OUT_OF_MEMORY, {"for weights", "100 of 100 are free"});
  setup = {};
  setup.fail_function = "cuMemHostAlloc", setup.fail_result = 2;
  configure(setup);
  refused(bytes, cudaOptions(3), LASNN_OUT_OF_MEMORY, {"pinned host memory", "CUDA_ERROR_OUT_OF_MEMORY (2)"});
}

TEST_F(CudaFailure, MemoryShortWhileRecordingLeavesTheSession) {
  const SessionPtr session = createCuda(bytes, cudaOptions(2));
  EmulatedSetup setup;
  setup.fail_function = "cuGraphInstantiateWithFlags", setup.fail_result = 2;
  configure(setup);
  lasnn_status status;
  EXPECT_EQ(runCuda(session.get(), samples, &status), std::vector<int32_t>(samples.outputs().size(), 123456789));
  EXPECT_EQ(status, LASNN_OUT_OF_MEMORY);
  EXPECT_NE(std::string(lasnn_cuda_get_error(session.get())).find("recording a forward: CUDA_ERROR_OUT_OF_MEMORY (2)"), std::string::npos);
  configure();
  EXPECT_TRUE(runCuda(session.get(), samples) == samples.outputs());
}

TEST_F(CudaFailure, ALostDeviceRefusesEverythingAfter) {
  for (const char *function : {"cuGraphLaunch", "cuEventSynchronize", "cuEventRecord"}) {
    lasnn_cuda_options options = cudaOptions(2);
    options.streaming = options.keep_spikes = 1;
    SessionPtr session = createCuda(bytes, options);
    EXPECT_TRUE(runCuda(session.get(), samples) == samples.outputs());
    std::vector<int32_t> output(samples.outputs().size(), 123456789);
    const std::vector<int32_t> untouched = output;
    ASSERT_EQ(lasnn_cuda_submit(session.get(), samples.input.data(), samples.input.size(), 2, output.data(), output.size()), LASNN_OK);
    EmulatedSetup setup;
    setup.fail_function = function, setup.fail_result = 700;
    configure(setup);
    lasnn_status status;
    EXPECT_EQ(runCuda(session.get(), samples, &status), untouched);
    EXPECT_EQ(status, LASNN_DEVICE_LOST) << function;
    const bool first_ended = std::string(function) != "cuEventSynchronize"; // the run waits for it before it fails itself
    const std::vector<int32_t> left = first_ended ? samples.outputs() : untouched;
    EXPECT_EQ(output, left);
    const std::string text = lasnn_cuda_get_error(session.get());
    EXPECT_NE(text.find("CUDA_ERROR_ILLEGAL_ADDRESS (700): an illegal memory access"), std::string::npos) << text;

    const uint64_t calls = emulatedState().calls;
    lasnn_layer_stats stats;
    uint8_t spikes[40];
    float us;
    const std::vector<uint8_t> frame = samples.frame(plan, 0);
    EXPECT_EQ(lasnn_cuda_run(session.get(), samples.input.data(), samples.input.size(), 2, output.data(), output.size()), LASNN_DEVICE_LOST);
    EXPECT_EQ(lasnn_cuda_submit(session.get(), samples.input.data(), samples.input.size(), 2, output.data(), output.size()), LASNN_DEVICE_LOST);
    EXPECT_EQ(lasnn_cuda_wait(session.get()), LASNN_DEVICE_LOST);
    EXPECT_EQ(lasnn_cuda_step(session.get(), frame.data(), frame.size(), 2, output.data(), output.size()), LASNN_DEVICE_LOST);
    EXPECT_EQ(lasnn_cuda_reset(session.get()), LASNN_DEVICE_LOST);
    EXPECT_EQ(lasnn_cuda_get_layer_stats(session.get(), 0, &stats), LASNN_DEVICE_LOST);
    EXPECT_EQ(lasnn_cuda_stats_clear(session.get()), LASNN_DEVICE_LOST);
    EXPECT_EQ(lasnn_cuda_get_spikes(session.get(), 0, 0, 0, spikes, sizeof spikes), LASNN_DEVICE_LOST);
    EXPECT_EQ(lasnn_cuda_time(session.get(), 1, 1, nullptr, &us), LASNN_DEVICE_LOST);
    EXPECT_EQ(lasnn_cuda_get_error(session.get()), text);
    EXPECT_EQ(emulatedState().calls, calls) << "a lost device is asked nothing more";
    EXPECT_EQ(output, left);

    options.share = session.get();
    std::string error;
    EXPECT_EQ(tryCreateCuda(bytes, options, status, error), nullptr);
    EXPECT_EQ(status, LASNN_DEVICE_LOST);
    session.reset();
    EXPECT_TRUE(nothingLeft());
    configure(); // the device is back
    EXPECT_TRUE(runCuda(createCuda(bytes, cudaOptions(2)).get(), samples) == samples.outputs());
  }
}

/// What a program does, with whatever fails on its way. Returns whether something did; each failure has a text. calls: of the driver before the sessions'
/// ends, which report nothing.
bool everything(const plan::Network &plan, const AlignedBytes &bytes, const Samples &samples, bool computing, uint64_t &calls) {
  lasnn_cuda_options options = cudaOptions(2);
  options.keep_spikes = options.streaming = 1;
  lasnn_status status;
  std::string error;
  const SessionPtr session = tryCreateCuda(bytes, options, status, error);
  calls = emulatedState().calls;
  if (!session)
    return true;
  bool failed = false;
  const auto check = [&](lasnn_status result) {
    failed |= result != LASNN_OK;
    EXPECT_EQ(result == LASNN_OK || lasnn_cuda_get_error(session.get())[0] != 0, true);
    EXPECT_TRUE(result == LASNN_OK || result == LASNN_DEVICE_LOST || result == LASNN_OUT_OF_MEMORY || result == LASNN_INVALID_ARGUMENT) << result;
    return result == LASNN_OK;
  };
  lasnn_cuda_options more = cudaOptions(1);
  more.share = session.get();
  const SessionPtr second = tryCreateCuda(bytes, more, status, error);
  failed |= status != LASNN_OK;
  std::vector<int32_t> output = runCuda(session.get(), samples, &status), other = output;
  if (check(status) && computing) {
    EXPECT_TRUE(output == samples.outputs());
  }
  check(lasnn_cuda_submit(session.get(), samples.input.data(), samples.input.size(), 2, output.data(), output.size()));
  check(lasnn_cuda_submit(session.get(), samples.input.data(), samples.input.size(), 2, other.data(), other.size()));
  check(lasnn_cuda_wait(session.get()));
  const std::vector<uint8_t> frame = samples.frame(plan, 0);
  for (int i = 0; i < 2; ++i)
    check(lasnn_cuda_step(session.get(), frame.data(), frame.size(), 2, output.data(), output.size()));
  std::vector<uint8_t> spikes(40);
  check(lasnn_cuda_get_spikes(session.get(), 1, 0, 0, spikes.data(), spikes.size()));
  lasnn_layer_stats stats;
  check(lasnn_cuda_get_layer_stats(session.get(), 0, &stats));
  check(lasnn_cuda_stats_clear(session.get()));
  float us;
  check(lasnn_cuda_time(session.get(), 1, 1, nullptr, &us));
  calls = emulatedState().calls;
  return failed;
}

TEST_F(CudaFailure, EveryCallOfTheDriverMayFail) {
  uint64_t used = 0;
  EXPECT_FALSE(everything(plan, bytes, samples, true, used));
  const uint64_t calls = emulatedState().calls;
  EXPECT_GT(calls, 100u);
  EmulatedSetup setup;
  setup.inert = 1; // many times over: without the kernels
  uint64_t unnoticed = 0;
  for (const int result : {1, 2, 700})
    for (setup.fail_call = 1; setup.fail_call <= calls && !HasFailure(); ++setup.fail_call) {
      setup.fail_result = result;
      configure(setup);
      SCOPED_TRACE("call " + std::to_string(setup.fail_call) + " gives " + std::to_string(result));
      const bool noticed = everything(plan, bytes, samples, false, used);
      const std::string function = emulatedState().failed;
      // Giving things back may fail: there is nothing to be done about it, and the next call tells of a lost device.
      const bool cleaning = function.find("Destroy") != std::string::npos || function.find("Free") != std::string::npos || function.find("Unload") != std::string::npos ||
                            function.find("Release") != std::string::npos || function.find("Pop") != std::string::npos;
      const bool leaving = setup.fail_call > used;
      EXPECT_TRUE(noticed || cleaning || leaving) << function;
      unnoticed += !noticed;
      EXPECT_TRUE(nothingLeft()) << function;
    }
  EXPECT_LT(unnoticed, calls);
}

} // namespace
} // namespace lasnn::test
