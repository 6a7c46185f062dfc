#include "distill/start.h"
#include "distill/quantize.h"

#include <fmt/format.h>

#include <algorithm>

namespace lasnn::distill {
namespace {

bool startsFromStudent(const StudentOptions &s) { return s.init != "teacher" && s.init != "random"; }

} // namespace

Model findStart(StudentOptions &s, const TrainOptions &o) {
  if (!startsFromStudent(s)) {
    if (!s.weights.empty())
      throw std::invalid_argument(fmt::format("--weights={} fine-tunes a student that is trained already: give it with --init=STUDENT.pt, or leave --weights out "
                                              "and train one", s.weights));
    return {};
  }
  Model start = loadModel(s.init);
  if (!start.student())
    throw std::invalid_argument(fmt::format("{}: is a teacher; --init takes teacher (with --teacher=FILE), random, or a student's file", s.init));
  if (s.weights.empty())
    return start;
  if (!o.arch.empty() && o.arch != start.network->arch.name)
    throw std::invalid_argument(fmt::format("--arch={} is not that of {} ({}); --weights goes on with that student: leave --arch out", o.arch, s.init,
                                            start.network->arch.name));
  const NeuronOptions &theirs = *start.network->neuron;
  const std::string encoding = start.meta.value("encoding", "direct");
  auto differs = [&](const std::string &name) {
    return name == "--timesteps" ? false
           : name == "--encoding" ? s.encoding != encoding
           : name == "--neuron"   ? s.neuron.kind != theirs.kind
           : name == "--beta"     ? s.neuron.beta != theirs.beta && theirs.kind == "lif"
           : name == "--v-threshold" ? s.neuron.vThreshold != theirs.vThreshold
                                     : s.neuron.reset != theirs.reset;
  };
  for (const std::string &name : s.given)
    if (differs(name))
      throw std::invalid_argument(fmt::format("{} is not what {} was trained with ({}); --weights goes on with that student: leave {} out", name, s.init,
                                              neuronToJson(theirs).dump(), name));
  if (std::find(s.given.begin(), s.given.end(), "--timesteps") == s.given.end())
    s.timesteps = start.timesteps();
  NeuronOptions neuron = theirs;
  neuron.surrogate = s.neuron.surrogate, neuron.width = s.neuron.width, neuron.detachReset = s.neuron.detachReset;
  s.neuron = neuron;
  s.encoding = encoding;
  return start;
}

std::shared_ptr<Network> newStudent(const Model &start, const Network *teacher, const Arch &arch, const StudentOptions &s, bool say) {
  if (!s.weights.empty()) {
    const auto network = quantized(start, widthsFromText(s.weights), s.weightUnit, s.timesteps).network;
    network->neuron = s.neuron; // surrogate and reset's gradient are this run's
    return network;
  }
  auto network = std::make_shared<Network>(arch, s.neuron);
  const Network *from = start.network ? start.network.get() : s.init == "teacher" ? teacher : nullptr;
  if (!from)
    return network;
  const size_t copied = copyMatching(*from, *network);
  if (start.network && copied == 0)
    throw std::invalid_argument(fmt::format("--init={}: none of its synapses agrees in name, shape and normalisation with a {}; give its --arch, or --init=random",
                                            s.init, arch.name));
  if (say)
    fmt::print(stderr, "{} of {} synapses start from {}\n", copied, network->synapses().size(), start.network ? s.init : "the teacher");
  return network;
}

} // namespace lasnn::distill
