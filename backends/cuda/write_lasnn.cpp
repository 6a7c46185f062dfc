// Writes a `.lasnn` for GPUs. What the file may hold is decided in one place, the runtime's verifier, which checks the finished bytes.
#include "backends/cuda/write_lasnn.h"

#include "backends/cuda/source.h"
#include "backends/lasnn_file.h"
#include "format/verify.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string_view>

namespace lasnn::cuda {
namespace {

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;

template <typename L> uint32_t sharedBytesOf(const L &launch) {
  if constexpr (requires { launch.sharedBytes(); })
    return uint32_t(launch.sharedBytes());
  else
    return 0;
}

/// Constants in the order of first use, equal ones once. Bytes live in the programs until the file is written.
class Constants {
public:
  int32_t add(const void *bytes, size_t size) {
    if (size == 0)
      return -1;
    const std::string_view view(static_cast<const char *>(bytes), size);
    const auto [at, inserted] = index_.emplace(view, int32_t(order_.size()));
    if (inserted)
      order_.push_back(view), bytes_ += size;
    return at->second;
  }
  uint64_t bytes() const { return bytes_; }

  Offset<flatbuffers::Vector<Offset<format::CudaConstant>>> write(FlatBufferBuilder &fbb) const {
    std::vector<Offset<format::CudaConstant>> constants;
    for (std::string_view view : order_) {
      fbb.ForceVectorAlignment(view.size(), 1, 16);
      constants.push_back(format::CreateCudaConstant(fbb, fbb.CreateVector(reinterpret_cast<const uint8_t *>(view.data()), view.size())));
    }
    return fbb.CreateVector(constants);
  }

private:
  std::map<std::string_view, int32_t> index_;
  std::vector<std::string_view> order_;
  uint64_t bytes_ = 0;
};

class Writer {
public:
  explicit Writer(const FileContent &content) : content_(content), model_(content.whole ? *content.whole : *content.step) {}

  std::vector<uint8_t> write(const Provenance &provenance, const std::vector<uint8_t> &ir, std::string &error) {
    const auto whole = content_.whole ? sequence(*content_.whole, {}) : 0;
    const auto step = content_.step ? sequence(*content_.step, content_.delays) : 0;
    uint64_t bytes = constants_.bytes() + ir.size();
    for (const Code &code : content_.codes)
      bytes += code.whole.size() + code.step.size();
    if (bytes > kMostFileBytes) {
      error = "weights, code and IR take " + std::to_string(bytes) + " bytes, the format holds 1 GiB";
      return {};
    }
    const auto constants = constants_.write(fbb_);
    const auto layers = this->layers();
    const auto codes = this->codes();
    const auto table = fbb_.CreateVector(model_.table);
    const auto name = fbb_.CreateString(model_.name), input_name = fbb_.CreateString(model_.launches[0].name);
    const Buffer &in = model_.buffers[0];
    const auto encoding = model_.launches[0].kernel == Kernel::EncodeImage ? format::Encoding::Direct : format::Encoding::Events;
    const auto program = format::CreateCudaProgram(fbb_, name, content_.timesteps, encoding, input_name, in.channels, in.height, in.width, content_.input_max, table,
                                                   constants, layers, whole, step, model_.output_count, model_.output_scale, codes);
    const auto origin = writeProvenance(fbb_, provenance);
    return finishFile(fbb_, format::CreateModel(fbb_, origin, writeAligned(fbb_, ir, 16), 0, program));
  }

private:
  Offset<format::CudaSequence> sequence(const Program &program, const std::vector<DelayedBuffer> &delays) {
    const ArenaPlan arena = planArena(program, delays);
    std::vector<format::CudaBuffer> buffers;
    for (const ArenaPlan::Place &place : arena.buffers)
      buffers.emplace_back(place.offset, place.bytes);
    std::vector<Offset<format::CudaLaunch>> launches;
    int32_t layer = 0;
    for (size_t i = 0; i < program.launches.size(); ++i)
      launches.push_back(launch(program.launches[i], kernelName(program, i), program.launches[i].spiking() ? layer++ : -1));
    std::vector<format::CudaDelay> copies;
    for (const DelayedBuffer &d : delays)
      copies.emplace_back(d.from, d.to);
    const auto buffer_vector = fbb_.CreateVectorOfStructs(buffers);
    const auto launch_vector = fbb_.CreateVector(launches);
    const auto delay_vector = fbb_.CreateVectorOfStructs(copies);
    return format::CreateCudaSequence(fbb_, buffer_vector, arena.bytes, launch_vector, delay_vector);
  }

  int32_t values(const std::vector<int32_t> &v) { return constants_.add(v.data(), v.size() * sizeof(int32_t)); }

  Offset<format::CudaLaunch> launch(const Launch &l, const std::string &function, int32_t layer) {
    std::vector<uint32_t> weights;
    for (const std::vector<uint8_t> &w : l.weights)
      weights.push_back(uint32_t(constants_.add(w.data(), w.size())));
    const auto kernel = fbb_.CreateString(function), name = fbb_.CreateString(l.name), kind = fbb_.CreateString(nameOf(l.kernel));
    const auto inputs = fbb_.CreateVector(l.inputs), weight_vector = fbb_.CreateVector(weights);
    const Grid grid = l.grid();
    const int32_t bias = values(l.bias), threshold = values(l.theta), amount = values(l.amount);
    return format::CreateCudaLaunch(fbb_, kernel, name, kind, l.encodes(), inputs, l.output, l.shape.out_form == formReadout, weight_vector, bias, threshold,
                                    amount, layer, grid.rows, grid.rowsAUnit, grid.columns, grid.unitsABlock, threadsPerBlock, sharedBytesOf(l));
  }

  Offset<flatbuffers::Vector<Offset<format::CudaLayer>>> layers() {
    std::vector<Offset<format::CudaLayer>> layers;
    for (const Launch &l : model_.launches)
      if (l.spiking())
        layers.push_back(format::CreateCudaLayer(fbb_, fbb_.CreateString(l.name), l.shape.out_channels, l.shape.out_height, l.shape.out_width, l.output,
                                                 l.shape.out_form == formCounts));
    return fbb_.CreateVector(layers);
  }

  Offset<flatbuffers::Vector<Offset<format::CudaCode>>> codes() {
    std::vector<Offset<format::CudaCode>> codes;
    for (const Code &code : content_.codes) {
      const auto architecture = fbb_.CreateString(code.architecture);
      const auto whole = content_.whole ? writeAligned(fbb_, code.whole, 16) : 0, step = content_.step ? writeAligned(fbb_, code.step, 16) : 0;
      codes.push_back(format::CreateCudaCode(fbb_, architecture, whole, step));
    }
    return fbb_.CreateVector(codes);
  }

  const FileContent &content_;
  const Program &model_; // names and shapes, the same in both
  FlatBufferBuilder fbb_;
  Constants constants_;
};

std::string verified(const std::vector<uint8_t> &bytes) {
  struct Free {
    void operator()(void *p) const { free(p); }
  };
  const std::unique_ptr<void, Free> aligned(std::aligned_alloc(64, (bytes.size() + 63) / 64 * 64));
  memcpy(aligned.get(), bytes.data(), bytes.size());
  char text[256] = "";
  runtime::ErrorText error(text, sizeof text);
  const format::Model *model = nullptr;
  uint64_t hash = 0;
  return format::verifyCudaModel(aligned.get(), bytes.size(), model, hash, error) == LASNN_OK ? "" : text;
}

/// Delays in an order in which none reads what one before it wrote; false where they only pass on one another's.
bool sorted(std::vector<DelayedBuffer> &delays) {
  std::vector<DelayedBuffer> order;
  while (!delays.empty()) {
    const auto reads = [&](uint32_t buffer) { return std::any_of(delays.begin(), delays.end(), [&](const DelayedBuffer &d) { return d.from == buffer; }); };
    const auto next = std::find_if(delays.begin(), delays.end(), [&](const DelayedBuffer &d) { return !reads(d.to); });
    if (next == delays.end())
      return false;
    order.push_back(*next);
    delays.erase(next);
  }
  delays = order;
  return true;
}

std::string refusal(const FileContent &content) {
  if (!content.whole && !content.step)
    return "there is no program to write";
  for (const Program *program : {content.whole, content.step}) {
    if (!program)
      continue;
    const uint32_t timesteps = program == content.whole ? content.timesteps : 1;
    if (program->timesteps != timesteps)
      return "a program of " + std::to_string(program->timesteps) + " steps where one of " + std::to_string(timesteps) + " is needed";
    if (program->launches.empty() || program->buffers.empty() || !program->launches[0].encodes())
      return "a program that does not begin with an encoder";
  }
  return "";
}

} // namespace

ArenaPlan planArena(const Program &program, const std::vector<DelayedBuffer> &delays) {
  constexpr uint64_t align = 256;
  struct Life {
    uint32_t buffer;
    size_t begin = SIZE_MAX, end = 0;
    uint64_t bytes = 0;
  };
  const size_t count = program.buffers.size(), last = program.launches.size();
  std::vector<Life> lives(count);
  for (size_t at = 0; at < last; ++at) {
    const Launch &launch = program.launches[at];
    for (uint32_t input : launch.inputs)
      lives[input].end = std::max(lives[input].end, at);
    if (launch.shape.out_form != formReadout)
      lives[launch.output].begin = at, lives[launch.output].end = std::max(lives[launch.output].end, at);
  }
  for (const DelayedBuffer &d : delays)
    lives[d.from].end = last, lives[d.to].begin = 0, lives[d.to].end = last;

  ArenaPlan plan;
  plan.buffers.resize(count, {0, 0});
  for (uint32_t i = 0; i < count; ++i) {
    lives[i].buffer = i;
    if (lives[i].begin != SIZE_MAX) // else a buffer that no launch writes, such as one that was fused away
      plan.buffers[i].bytes = lives[i].bytes = program.buffers[i].bytes(1, program.timesteps);
  }
  std::stable_sort(lives.begin(), lives.end(), [](const Life &a, const Life &b) { return a.bytes > b.bytes; });
  std::vector<Life> placed; // by offset
  for (const Life &life : lives) {
    if (life.bytes == 0)
      continue;
    uint64_t at = 0;
    auto before = placed.begin();
    for (; before != placed.end(); ++before) {
      const ArenaPlan::Place &other = plan.buffers[before->buffer];
      if (life.end < before->begin || before->end < life.begin)
        continue;
      if (at + life.bytes <= other.offset)
        break;
      at = std::max(at, (other.offset + other.bytes + align - 1) / align * align);
    }
    plan.buffers[life.buffer].offset = at;
    plan.bytes = std::max(plan.bytes, (at + life.bytes + align - 1) / align * align);
    const auto place = std::find_if(placed.begin(), placed.end(), [&](const Life &p) { return plan.buffers[p.buffer].offset > at; });
    placed.insert(place, life);
  }
  return plan;
}

std::vector<uint8_t> writeLasnn(const FileContent &given, const Provenance &provenance, const std::vector<uint8_t> &ir, std::string &error) {
  FileContent content = given;
  error = refusal(content);
  if (error.empty() && !sorted(content.delays))
    error = "delays that only pass on one another's spikes";
  if (!error.empty())
    return {};
  std::vector<uint8_t> bytes = Writer(content).write(provenance, ir, error);
  if (error.empty())
    error = verified(bytes);
  if (!error.empty())
    bytes.clear();
  return bytes;
}

} // namespace lasnn::cuda
