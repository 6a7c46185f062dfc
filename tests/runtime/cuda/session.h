// Shared by the tests of the runtime for GPUs: files for the emulated device, sessions that destroy themselves, the emulated driver's knobs.
#pragma once

#include "backends/cuda/write_lasnn.h"
#include "lasnn/cuda.h"
#include "tests/runtime/cuda/emulated_driver.h"
#include "tests/runtime/model.h"
#include "tests/runtime/random_plan.h"
#include "tests/runtime/reference.h"

namespace lasnn::test {

/// The path of the emulated driver's library.
const char *emulatedDriver();
void configure(const EmulatedSetup &setup = {});
EmulatedState emulatedState();
/// True when nothing that a session makes is left.
bool nothingLeft();

/// One spiking layer of 40 neurons on a 3x3 image of two channels, and a read-out: T = 2.
plan::Network tinyPlan();

struct CudaFileOptions {
  cuda::Choice choice = cuda::Choice::Auto;
  std::vector<std::string> architectures = {"sm_90"};
  bool whole = true, step = true;
};
std::vector<uint8_t> cudaFileOf(const plan::Network &plan, const CudaFileOptions &options = {});

struct DestroySession {
  void operator()(lasnn_cuda_session *s) const { lasnn_cuda_destroy(s); }
};
using SessionPtr = std::unique_ptr<lasnn_cuda_session, DestroySession>;

/// Options for the emulated driver.
lasnn_cuda_options cudaOptions(uint32_t max_batch);
/// Null with `status` and `error` set where it is refused.
SessionPtr tryCreateCuda(const AlignedBytes &bytes, const lasnn_cuda_options &options, lasnn_status &status, std::string &error);
SessionPtr createCuda(const AlignedBytes &bytes, const lasnn_cuda_options &options);

/// A batch of random samples and what the plain executor makes of them.
struct Samples {
  Samples(const plan::Network &plan, uint64_t seed, uint32_t batch);
  uint32_t batch;
  std::vector<uint8_t> input;
  std::vector<ReferenceResult> expected;
  std::vector<int32_t> outputs(uint32_t step) const; ///< [batch][output_count] after that step
  std::vector<int32_t> outputs() const { return outputs(uint32_t(expected[0].outputs.size()) - 1); }
  /// What lasnn_cuda_step takes at step t.
  std::vector<uint8_t> frame(const plan::Network &plan, uint32_t t) const;
};

/// Runs; an unlikely value in every output that was not written.
std::vector<int32_t> runCuda(lasnn_cuda_session *session, const Samples &samples, lasnn_status *status = nullptr);

} // namespace lasnn::test
