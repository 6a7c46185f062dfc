// Every check between the CUDA program of a file and its use: what passes can be planned in device memory and launched.
#include "cuda/arguments.h"
#include "format/verify.h"

#include <cstring>

namespace lasnn::format {
namespace {

// Limits of the format. They keep every product below within 64 bits, and what is noted of buffers on the stack.
constexpr uint32_t kMaxChannels = 1u << 16, kMaxExtent = 1u << 14, kMaxSteps = 65535, kMaxItems = 4096, kMaxConstants = 1u << 16;
constexpr uint64_t kMaxElements = 1u << 28, kMaxOutputs = 1u << 24, kMaxArena = uint64_t(1) << 40, kMaxRows = uint64_t(1) << 32, kMaxColumns = 1u << 24;
constexpr uint64_t kMaxThreads = UINT32_MAX, kMaxBlocks = INT32_MAX; // of a launch; kernels count threads in 32 bits
constexpr uint32_t kMaxShared = 1u << 20, kMaxUnit = 1u << 12, kMaxName = 255, kAlign = 256;

template <class T> uint32_t sizeOf(const flatbuffers::Vector<T> *v) { return v ? v->size() : 0; }
bool inRange(uint64_t value, uint64_t low, uint64_t high) { return low <= value && value <= high; }
uint64_t over(uint64_t value, uint64_t by) { return value / by + (value % by != 0); }

bool isName(const flatbuffers::String *s) { return s != nullptr && inRange(s->size(), 1, kMaxName) && strlen(s->c_str()) == s->size(); }

template <class T> T readAt(const uint8_t *bytes, uint64_t at) {
  T value;
  memcpy(&value, bytes + at, sizeof value);
  return value;
}

/// A 64-bit little-endian ELF whose tables and sections lie within its bytes: the driver is given no size to stop at.
bool isElf(const uint8_t *bytes, uint64_t size) {
  constexpr uint64_t header = 64, segment = 56, section = 64;
  if (size < header || memcmp(bytes, "\177ELF\2\1", 6) != 0) return false;
  const auto fits = [&](uint64_t at, uint64_t length) { return at <= size && length <= size - at; };
  const auto segments = readAt<uint64_t>(bytes, 32), sections = readAt<uint64_t>(bytes, 40);
  const auto segment_count = readAt<uint16_t>(bytes, 56), section_count = readAt<uint16_t>(bytes, 60);
  if (segment_count > 0 && (readAt<uint16_t>(bytes, 54) != segment || !fits(segments, segment_count * segment))) return false;
  if (section_count > 0 && (readAt<uint16_t>(bytes, 58) != section || !fits(sections, section_count * section))) return false;
  for (uint64_t i = 0; i < segment_count; ++i)
    if (!fits(readAt<uint64_t>(bytes, segments + i * segment + 8), readAt<uint64_t>(bytes, segments + i * segment + 32))) return false;
  for (uint64_t i = 0; i < section_count; ++i) {
    constexpr uint32_t without_bytes = 8; // SHT_NOBITS
    const uint64_t at = sections + i * section;
    if (readAt<uint32_t>(bytes, at + 4) != without_bytes && !fits(readAt<uint64_t>(bytes, at + 24), readAt<uint64_t>(bytes, at + 32))) return false;
  }
  return true;
}

class CudaVerifier {
public:
  CudaVerifier(const CudaProgram &program, runtime::ErrorText &error) : p_(program), error_(error) {}

  bool verify() {
    if (!inRange(p_.timesteps(), 1, kMaxSteps)) return fail("timesteps = %u, allowed 1..%u", p_.timesteps(), kMaxSteps);
    if (p_.encoding() > Encoding::Events) return fail("encoding %u is unknown", unsigned(p_.encoding()));
    if (!isName(p_.name()) || !isName(p_.input_name())) return fail("the network or its input has no name of 1..%u characters", kMaxName);
    if (!isShape(p_.channels(), p_.height(), p_.width()))
      return fail("input shape [%u][%u][%u] is beyond the format's limits", p_.channels(), p_.height(), p_.width());
    const bool direct = p_.encoding() == Encoding::Direct;
    if (direct ? p_.input_max() != 255 : !inRange(p_.input_max(), 1, 255)) return fail("input_max = %u, allowed 1..255, of an image 255", p_.input_max());
    const uint32_t table = direct ? p_.channels() * 256 : 0;
    if (sizeOf(p_.encode_table()) != table) return fail("encode_table has %u entries, %u needed", sizeOf(p_.encode_table()), table);
    if (!inRange(p_.output_count(), 1, kMaxOutputs)) return fail("output_count = %u", p_.output_count());
    if (!(p_.output_scale() - p_.output_scale() == 0)) return fail("output_scale is not finite");
    return verifyConstants() && verifySequences() && verifyCodes();
  }

private:
  template <class... Args> bool fail(const char *format, Args... args) {
    char text[200];
    runtime::ErrorText(text, sizeof text).set(format, args...);
    error_.set("CUDA program: %s", text);
    return false;
  }
  template <class... Args> bool failIn(const CudaLaunch &launch, const char *format, Args... args) {
    char text[160];
    runtime::ErrorText(text, sizeof text).set(format, args...);
    return fail("launch '%.40s': %s", nameOf(launch.name()), text);
  }

  static bool isShape(uint32_t channels, uint32_t height, uint32_t width) {
    return inRange(channels, 1, kMaxChannels) && inRange(height, 1, kMaxExtent) && inRange(width, 1, kMaxExtent) &&
           uint64_t(channels) * height * width <= kMaxElements;
  }

  bool verifyConstants() {
    if (sizeOf(p_.constants()) > kMaxConstants) return fail("%u constants, allowed %u", sizeOf(p_.constants()), kMaxConstants);
    for (uint32_t i = 0; i < sizeOf(p_.constants()); ++i)
      if (sizeOf(p_.constants()->Get(i)->bytes()) == 0) return fail("constant %u is empty", i);
    return true;
  }

  bool verifySequences() {
    const CudaSequence *whole = p_.whole(), *step = p_.step();
    if (whole == nullptr && step == nullptr) return fail("there is no sequence of launches");
    if (whole != nullptr && sizeOf(whole->delays()) > 0) return fail("the sequence of all steps has delays, which go step by step");
    if (whole != nullptr && step != nullptr && sizeOf(step->delays()) > 0) return fail("layers feed back, so there cannot be a sequence of all steps");
    if (sizeOf(p_.layers()) > kMaxItems) return fail("%u layers, allowed %u", sizeOf(p_.layers()), kMaxItems);
    for (uint32_t i = 0; i < sizeOf(p_.layers()); ++i) {
      const CudaLayer &layer = *p_.layers()->Get(i);
      if (!isName(layer.name())) return fail("layer %u has no name of 1..%u characters", i, kMaxName);
      if (!isShape(layer.channels(), layer.height(), layer.width()))
        return fail("layer '%.40s': shape [%u][%u][%u] is beyond the format's limits", nameOf(layer.name()), layer.channels(), layer.height(), layer.width());
    }
    return (whole == nullptr || verifySequence(*whole, p_.timesteps())) && (step == nullptr || verifySequence(*step, 1));
  }

  /// What a pass over a sequence knows of its buffers. Moments are places in the list of launches; the last one is that of the delays.
  struct Lives {
    static constexpr uint32_t never = UINT32_MAX;
    uint32_t written[kMaxItems], read[kMaxItems];
  };

  bool verifySequence(const CudaSequence &s, uint32_t timesteps) {
    const uint32_t buffers = sizeOf(s.buffers()), launches = sizeOf(s.launches());
    if (!inRange(buffers, 1, kMaxItems) || !inRange(launches, 1, kMaxItems) || sizeOf(s.delays()) > kMaxItems)
      return fail("%u buffers, %u launches and %u delays in a sequence, allowed %u", buffers, launches, sizeOf(s.delays()), kMaxItems);
    if (s.arena_bytes() > kMaxArena) return fail("an arena of %llu bytes", (unsigned long long)s.arena_bytes());
    for (uint32_t i = 0; i < buffers; ++i) {
      const CudaBuffer &b = *s.buffers()->Get(i);
      if (b.offset() % kAlign != 0 || b.offset() > s.arena_bytes() || b.bytes() > s.arena_bytes() - b.offset())
        return fail("buffer %u: %llu bytes at %llu, in an arena of %llu bytes", i, (unsigned long long)b.bytes(), (unsigned long long)b.offset(),
                    (unsigned long long)s.arena_bytes());
    }
    Lives lives;
    memset(&lives, 0xff, sizeof lives);
    if (!verifyDelays(s, lives)) return false;
    uint32_t encoders = 0, readouts = 0, layers = 0;
    for (uint32_t i = 0; i < launches; ++i) {
      const CudaLaunch &launch = *s.launches()->Get(i);
      if (!verifyLaunch(s, launch, i, lives)) return false;
      encoders += launch.reads_sample(), readouts += launch.readout();
      if (launch.layer() < 0) continue;
      if (uint32_t(launch.layer()) != layers++) return failIn(launch, "holds layer %d, layer %u comes next", launch.layer(), layers - 1);
      if (!verifyLayer(s, launch, timesteps)) return false;
    }
    if (encoders != 1 || readouts == 0) return fail("%u encoders and %u read-outs in a sequence, allowed 1, and 1 or more", encoders, readouts);
    if (layers != sizeOf(p_.layers())) return fail("a sequence holds %u of %u layers", layers, sizeOf(p_.layers()));
    for (uint32_t i = 0; i < sizeOf(s.delays()); ++i) {
      const CudaDelay &d = *s.delays()->Get(i);
      if (lives.written[d.from()] == Lives::never) return fail("delay %u reads buffer %u, which nothing writes", i, d.from());
      lives.read[d.from()] = launches;
    }
    return verifyOverlaps(s, lives);
  }

  bool verifyDelays(const CudaSequence &s, Lives &lives) {
    const uint32_t count = sizeOf(s.delays());
    for (uint32_t i = 0; i < count; ++i) {
      const CudaDelay &d = *s.delays()->Get(i);
      if (d.from() >= s.buffers()->size() || d.to() >= s.buffers()->size() || d.from() == d.to())
        return fail("delay %u goes from buffer %u to %u of %u", i, d.from(), d.to(), s.buffers()->size());
      if (s.buffers()->Get(d.from())->bytes() != s.buffers()->Get(d.to())->bytes()) return fail("delay %u joins buffers of different sizes", i);
      if (lives.written[d.from()] != Lives::never) return fail("delay %u reads what an earlier delay has written", i);
      if (lives.written[d.to()] != Lives::never) return fail("delay %u writes buffer %u a second time", i, d.to());
      lives.written[d.to()] = 0; // before the first launch
    }
    for (uint32_t i = 0; i < count; ++i)
      lives.read[s.delays()->Get(i)->to()] = s.launches()->size(); // and across steps
    return true;
  }

  bool verifyLaunch(const CudaSequence &s, const CudaLaunch &l, uint32_t at, Lives &lives) {
    if (!isName(l.name()) || !isName(l.kernel()) || !isName(l.kind())) return fail("launch %u has no name, kernel or kind of 1..%u characters", at, kMaxName);
    const uint32_t buffers = s.buffers()->size(), inputs = sizeOf(l.inputs()), weights = sizeOf(l.weights());
    if (l.reads_sample() ? inputs != 0 : !inRange(inputs, 1, cuda::maxInputs))
      return failIn(l, "%u inputs, allowed 1..%u, of an encoder 0", inputs, cuda::maxInputs);
    if (weights > cuda::maxInputs) return failIn(l, "%u weights, allowed %u", weights, cuda::maxInputs);
    for (uint32_t i = 0; i < inputs; ++i) {
      const uint32_t input = l.inputs()->Get(i);
      if (input >= buffers || lives.written[input] == Lives::never) return failIn(l, "reads buffer %u before it is written", input);
      if (lives.read[input] == Lives::never || lives.read[input] < at) lives.read[input] = at;
    }
    for (uint32_t i = 0; i < weights; ++i)
      if (l.weights()->Get(i) >= sizeOf(p_.constants())) return failIn(l, "weights are constant %u of %u", l.weights()->Get(i), sizeOf(p_.constants()));
    for (const int32_t constant : {l.bias(), l.threshold(), l.amount()}) {
      if (constant < -1 || (constant >= 0 && uint32_t(constant) >= sizeOf(p_.constants())))
        return failIn(l, "constant %d of %u", constant, sizeOf(p_.constants()));
      if (constant >= 0 && p_.constants()->Get(uint32_t(constant))->bytes()->size() % 4 != 0)
        return failIn(l, "constant %d holds no int32 values", constant);
    }
    if (l.readout() && l.layer() >= 0) return failIn(l, "is a read-out and has neurons");
    if (!l.readout()) {
      if (l.output() >= buffers || lives.written[l.output()] != Lives::never)
        return failIn(l, "writes buffer %u, which is not there or written already", l.output());
      lives.written[l.output()] = at;
    }
    return verifyGrid(l);
  }

  bool verifyGrid(const CudaLaunch &l) {
    if (!inRange(l.rows(), 1, kMaxRows) || !inRange(l.columns(), 1, kMaxColumns) || !inRange(l.rows_a_unit(), 1, kMaxUnit) ||
        !inRange(l.units_a_block(), 1, kMaxUnit))
      return failIn(l, "a grid of %llu rows by %u, %llu columns by %u", (unsigned long long)l.rows(), l.rows_a_unit(), (unsigned long long)l.columns(),
                    l.units_a_block());
    if (!inRange(l.threads(), 32, 1024) || l.threads() % 32 != 0) return failIn(l, "%u threads a block, allowed whole warps up to 1024", l.threads());
    const uint64_t blocks = over(over(l.rows(), l.rows_a_unit()) * l.columns(), l.units_a_block());
    if (blocks > kMaxBlocks || blocks * l.threads() > kMaxThreads)
      return failIn(l, "%llu blocks of %u threads for one sample, allowed 2^31 - 1 blocks and 2^32 - 1 threads", (unsigned long long)blocks, l.threads());
    if (l.shared_bytes() > kMaxShared) return failIn(l, "%u bytes of shared memory", l.shared_bytes());
    return true;
  }

  bool verifyLayer(const CudaSequence &s, const CudaLaunch &l, uint32_t timesteps) {
    if (uint32_t(l.layer()) >= sizeOf(p_.layers())) return failIn(l, "layer %d of %u", l.layer(), sizeOf(p_.layers()));
    const CudaLayer &layer = *p_.layers()->Get(uint32_t(l.layer()));
    if (layer.buffer() != l.output()) return failIn(l, "writes buffer %u, its layer's is %u", l.output(), layer.buffer());
    const uint64_t words = (layer.channels() + 31) / 32;
    const uint64_t needed = uint64_t(layer.height()) * layer.width() * words * (layer.counts() ? 32 : 4) * timesteps;
    const uint64_t held = s.buffers()->Get(l.output())->bytes();
    if (held != needed) return failIn(l, "%llu bytes of spikes, %llu needed", (unsigned long long)held, (unsigned long long)needed);
    for (const int32_t constant : {l.bias(), l.threshold(), l.amount()})
      if (constant < 0 || p_.constants()->Get(uint32_t(constant))->bytes()->size() < uint64_t(layer.channels()) * 4)
        return failIn(l, "bias, threshold and amount need a value for each of %u channels", layer.channels());
    return true;
  }

  /// Buffers that are alive together lie apart.
  bool verifyOverlaps(const CudaSequence &s, const Lives &lives) {
    const auto end = [&](uint32_t i) { return lives.read[i] == Lives::never ? lives.written[i] : lives.read[i]; };
    for (uint32_t i = 0; i < s.buffers()->size(); ++i)
      for (uint32_t j = 0; j < i && lives.written[i] != Lives::never; ++j) {
        const CudaBuffer &a = *s.buffers()->Get(i), &b = *s.buffers()->Get(j);
        if (lives.written[j] == Lives::never || end(i) < lives.written[j] || end(j) < lives.written[i]) continue;
        if (a.offset() < b.offset() + b.bytes() && b.offset() < a.offset() + a.bytes())
          return fail("buffers %u and %u are alive together and overlap", j, i);
      }
    return true;
  }

  bool verifyCodes() {
    if (!inRange(sizeOf(p_.codes()), 1, kMaxItems)) return fail("%u codes, allowed 1..%u", sizeOf(p_.codes()), kMaxItems);
    for (const CudaCode *code : *p_.codes()) {
      Architecture architecture;
      if (!isName(code->architecture()) || !parseArchitecture(code->architecture()->c_str(), architecture))
        return fail("architecture '%.20s' is none", nameOf(code->architecture()));
      if (!verifyCode(*code, architecture.ptx, code->whole(), p_.whole() != nullptr) || !verifyCode(*code, architecture.ptx, code->step(), p_.step() != nullptr))
        return false;
    }
    return true;
  }

  bool verifyCode(const CudaCode &code, bool ptx, const flatbuffers::Vector<uint8_t> *bytes, bool needed) {
    if (!needed && sizeOf(bytes) == 0) return true;
    if (sizeOf(bytes) == 0) return fail("the code for %s lacks the kernels of a sequence", nameOf(code.architecture()));
    const bool sound = ptx ? bytes->Get(bytes->size() - 1) == 0 : isElf(bytes->data(), bytes->size());
    return sound || fail("the code for %s is no %s", nameOf(code.architecture()), ptx ? "zero-terminated PTX" : "whole ELF");
  }

  const CudaProgram &p_;
  runtime::ErrorText &error_;
};

} // namespace

bool parseArchitecture(const char *text, Architecture &architecture) {
  architecture = {};
  if (strncmp(text, "sm_", 3) == 0) {
    text += 3;
  } else if (strncmp(text, "compute_", 8) == 0) {
    architecture.ptx = true;
    text += 8;
  } else {
    return false;
  }
  uint32_t number = 0, digits = 0;
  for (; *text >= '0' && *text <= '9' && digits < 4; ++text, ++digits)
    number = number * 10 + uint32_t(*text - '0');
  architecture.exact = *text == 'a';
  architecture.major = number / 10, architecture.minor = number % 10;
  return digits >= 2 && text[architecture.exact ? 1 : 0] == 0;
}

bool verifyCudaProgram(const CudaProgram &program, runtime::ErrorText &error) { return CudaVerifier(program, error).verify(); }

lasnn_status verifyCudaModel(const void *model, size_t model_size, const Model *&out, uint64_t &content_hash, runtime::ErrorText &error) {
  const lasnn_status status = verifyFile(model, model_size, out, content_hash, error);
  if (status != LASNN_OK) return status;
  if (out->cuda() == nullptr) {
    error.set("the file holds no CUDA program: compile it with --target=cuda");
    return LASNN_BAD_MODEL;
  }
  return verifyCudaProgram(*out->cuda(), error) ? LASNN_OK : LASNN_BAD_MODEL;
}

} // namespace lasnn::format
