#include "tests/runtime/cuda/session.h"

#include "tests/runtime/cuda/emulated_code.h"

#include <dlfcn.h>

namespace lasnn::test {
namespace {

template <typename F> F *knob(const char *name) {
  static void *library = dlopen(emulatedDriver(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr)
    ADD_FAILURE() << dlerror();
  return reinterpret_cast<F *>(dlsym(library, name));
}

} // namespace

const char *emulatedDriver() { return LASNN_EMULATED_CUDA; }
void configure(const EmulatedSetup &setup) { knob<void(const EmulatedSetup *)>("lasnn_emulated_configure")(&setup); }
EmulatedState emulatedState() {
  EmulatedState state;
  knob<void(EmulatedState *)>("lasnn_emulated_state")(&state);
  return state;
}
bool nothingLeft() {
  const EmulatedState s = emulatedState();
  return s.allocations + s.allocated_bytes + s.pinned + s.streams + s.events + s.graphs + s.executables + s.modules + s.contexts + s.current == 0;
}

plan::Network tinyPlan() {
  plan::Network plan;
  plan.name = "tiny", plan.timesteps = 2, plan.encoding = plan::Encoding::Events, plan.output_count = 2;
  plan.buffers = {{"in", 2, 3, 3, 1}, {"spikes", 40, 1, 1, 1}};
  plan::Layer layer;
  layer.name = "hidden", layer.output = 1, layer.out_channels = 40;
  plan::Synapse s;
  s.name = "s", s.kernel_h = s.kernel_w = 3;
  for (int i = 0; i < 40 * 18; ++i)
    s.weight.push_back(int8_t(i * 37 % 41 - 15));
  layer.synapses = {s}, layer.bias.assign(40, 2), layer.neuron.v_threshold.assign(40, 10);
  plan::Layer readout;
  readout.kind = plan::LayerKind::Readout, readout.name = "out", readout.out_channels = 2, readout.bias = {1, -1};
  s.input = 1, s.kernel_h = s.kernel_w = 1, s.weight.resize(80);
  readout.synapses = {s};
  plan.layers = {layer, readout};
  return plan;
}

std::vector<uint8_t> cudaFileOf(const plan::Network &plan, const CudaFileOptions &options) {
  std::string error;
  const cuda::Program whole = cuda::makeProgram(plan, options.choice, error);
  EXPECT_EQ(error, "");
  plan::Network one = plan;
  one.timesteps = 1;
  const cuda::Program step = cuda::makeProgram(one, options.choice, error);
  EXPECT_EQ(error, "");
  cuda::FileContent content;
  content.whole = options.whole ? &whole : nullptr, content.step = options.step ? &step : nullptr;
  content.timesteps = plan.timesteps;
  content.input_max = plan.encoding == plan::Encoding::Direct ? 255 : plan.buffers[0].max_count;
  for (const std::string &architecture : options.architectures)
    content.codes.push_back({architecture, emulatedCode(whole, architecture), emulatedCode(step, architecture)});
  const std::vector<uint8_t> bytes = cuda::writeLasnn(content, {"test", "--none", "random", "00", "none"}, {1, 2, 3, 4}, error);
  EXPECT_EQ(error, "");
  return bytes;
}

lasnn_cuda_options cudaOptions(uint32_t max_batch) {
  lasnn_cuda_options options = {};
  options.size = sizeof options;
  options.max_batch = max_batch;
  options.driver = emulatedDriver();
  return options;
}

SessionPtr tryCreateCuda(const AlignedBytes &bytes, const lasnn_cuda_options &options, lasnn_status &status, std::string &error) {
  lasnn_cuda_session *session = nullptr;
  char text[512] = "";
  status = lasnn_cuda_create(bytes.data.get(), bytes.size, &options, &session, text, sizeof text);
  error = text;
  EXPECT_EQ(status == LASNN_OK, session != nullptr);
  EXPECT_EQ(status == LASNN_OK, error.empty()) << lasnn_status_name(status) << ": " << error;
  return SessionPtr(session);
}

SessionPtr createCuda(const AlignedBytes &bytes, const lasnn_cuda_options &options) {
  lasnn_status status;
  std::string error;
  SessionPtr session = tryCreateCuda(bytes, options, status, error);
  EXPECT_EQ(status, LASNN_OK) << error;
  return session;
}

Samples::Samples(const plan::Network &plan, uint64_t seed, uint32_t count) : batch(count) {
  for (uint32_t n = 0; n < batch; ++n) {
    const std::vector<uint8_t> one = randomInput(plan, seed + 1000 * n);
    input.insert(input.end(), one.begin(), one.end());
    expected.push_back(Reference(plan).run(one));
  }
}

std::vector<int32_t> Samples::outputs(uint32_t step) const {
  std::vector<int32_t> all;
  for (const ReferenceResult &result : expected)
    all.insert(all.end(), result.outputs[step].begin(), result.outputs[step].end());
  return all;
}

std::vector<uint8_t> Samples::frame(const plan::Network &plan, uint32_t t) const {
  const plan::Buffer &in = plan.buffers[0];
  const size_t size = size_t(in.channels) * in.height * in.width, sample = input.size() / batch;
  std::vector<uint8_t> frames;
  for (uint32_t n = 0; n < batch; ++n) {
    const auto from = input.begin() + long(n * sample + (plan.encoding == plan::Encoding::Direct ? 0 : t * size));
    frames.insert(frames.end(), from, from + long(size));
  }
  return frames;
}

std::vector<int32_t> runCuda(lasnn_cuda_session *session, const Samples &samples, lasnn_status *status) {
  std::vector<int32_t> output(samples.outputs().size(), 123456789);
  const lasnn_status got = lasnn_cuda_run(session, samples.input.data(), samples.input.size(), samples.batch, output.data(), output.size());
  if (status)
    *status = got;
  else
    EXPECT_EQ(got, LASNN_OK) << lasnn_cuda_get_error(session);
  return output;
}

} // namespace lasnn::test
