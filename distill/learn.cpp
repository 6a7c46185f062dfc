#include "distill/learn.h"
#include "distill/device.h"
#include "distill/loss.h"

#include <fmt/format.h>

namespace lasnn::distill {
namespace {

torch::Tensor shareCorrect(const torch::Tensor &logits, const torch::Tensor &labels) {
  return (logits.argmax(1) == labels).mean(torch::kFloat64);
}

struct Root : torch::nn::Module {
  Root(const std::shared_ptr<Network> &network, const std::shared_ptr<Adapters> &adapters) {
    register_module("net", network);
    if (adapters)
      register_module("adapters", adapters);
  }
};

const Steps &layerOf(const Forward &forward, const std::string &name) {
  for (const auto &[key, value] : forward.layers)
    if (key == name)
      return value;
  throw std::logic_error("aligned layer vanished");
}

} // namespace

Steps encode(const Batch &batch, const std::string &encoding, int64_t steps, uint64_t stream) {
  if (encoding == "direct")
    return {batch.images, 1};
  if (encoding == "events") {
    if (batch.frames != steps)
      throw std::invalid_argument(fmt::format("the event set has {} frames a recording, the network runs T = {} steps", batch.frames, steps));
    return {batch.images, steps};
  }
  return {poissonSpikes(batch.intensities, steps, mixSeed({stream, 3})), steps};
}

Learner teacherLearner(const std::shared_ptr<Network> &network, const TrainOptions &o) {
  network->bfloat16 = o.bfloat16;
  network->checkpointActivations = o.checkpointActivations;
  Learner learner;
  learner.root = std::make_shared<Root>(network, nullptr);
  learner.network = network;
  LossOptions loss;
  loss.labelSmoothing = o.labelSmoothing;
  learner.loss = [network, loss](const Batch &batch, uint64_t, Terms &terms) {
    const torch::Tensor logits = network->forward(stillInput(batch), 1).logits.x;
    const torch::Tensor total = outputLoss(logits.unsqueeze(0), batch.labels, loss, batch.labels2, batch.mix);
    const double n = double(batch.labels.size(0));
    terms.add("loss", total, n);
    terms.add("correct", shareCorrect(logits, batch.labels), n);
    return total;
  };
  return learner;
}

Learner studentLearner(const std::shared_ptr<Network> &student, const std::shared_ptr<Teacher> &teacherIn, const TrainOptions &o,
                       const StudentOptions &s) {
  student->bfloat16 = o.bfloat16;
  student->checkpointActivations = o.checkpointActivations;
  student->fusedNormalisation = o.fusedNormalisation == "on" || (o.fusedNormalisation == "auto" && deviceFromName(o.device).is_cuda());
  student->packSpikes = o.packSpikes;
  const std::shared_ptr<Teacher> teacher = s.noDistill ? nullptr : teacherIn;
  LossOptions loss = s.loss;
  loss.labelSmoothing = o.labelSmoothing;
  std::shared_ptr<Adapters> adapters;
  if (teacher) {
    teacher->to(deviceFromName(o.device), o.bfloat16);
    if (loss.alpha != 0) {
      adapters = std::make_shared<Adapters>(s.adapter, s.align, *student, *teacher);
      const size_t layers = adapters->layers.size();
      if (loss.lambda.empty())
        loss.lambda = {1};
      if (loss.lambda.size() == 1)
        loss.lambda.assign(layers, loss.lambda[0]);
      if (loss.lambda.size() != layers)
        throw std::invalid_argument(fmt::format("--lambda has {} values, but {} layers are aligned ({})", loss.lambda.size(), layers,
                                                describeAlignment(*adapters)));
    }
  }
  Learner learner;
  learner.root = std::make_shared<Root>(student, adapters);
  learner.network = student;
  learner.timesteps = std::make_shared<int64_t>(s.timesteps);
  learner.intensities = s.encoding == "poisson";
  if (learner.intensities)
    learner.looks = "--encoding=poisson draws new spikes at every step";
  if (student->integer)
    learner.looks = "--weights trains in integers, whose units are looked at on the way";
  learner.loss = [=, steps = learner.timesteps](const Batch &batch, uint64_t stream, Terms &terms) {
    const int64_t n = batch.labels.size(0), T = *steps;
    const double images = double(n);
    Forward theirs;
    if (teacher)
      theirs = teacher->forward(stillInput(batch).x);
    Forward ours = student->forward(encode(batch, s.encoding, T, stream), T);
    const torch::Tensor stepLogits = ours.logits.x.view({ours.logits.steps, n, -1}), mean = stepLogits.mean(0);

    torch::Tensor total = outputLoss(stepLogits, batch.labels, loss, batch.labels2, batch.mix);
    auto add = [&](const char *name, double weight, const torch::Tensor &term) {
      total = total + weight * term;
      terms.add(name, term, images);
    };
    terms.add("ce", total, images);
    if (adapters) {
      torch::Tensor sum;
      for (size_t l = 0; l < adapters->layers.size(); ++l) {
        const auto &[mine, its] = adapters->layers[l];
        const torch::Tensor adapted = adapters->list[l]->forward(meanOverSteps(layerOf(ours, mine)));
        const torch::Tensor d = loss.lambda[l] * layerLoss(adapted, meanOverSteps(layerOf(theirs, its)), loss);
        sum = sum.defined() ? sum + d : d;
      }
      add("attention", loss.alpha, sum);
    }
    if (teacher && loss.kd > 0) {
      const torch::Tensor target = theirs.logits.x;
      add("kd", loss.kd,
          loss.kdPerStep ? logitKd(stepLogits.flatten(0, 1), target.repeat({stepLogits.size(0), 1}), loss.kdTemperature)
                         : logitKd(mean, target, loss.kdTemperature));
    }
    if (loss.selfDistill > 0)
      add("self", loss.selfDistill, selfLoss(stepLogits, batch.labels, loss.kdTemperature, loss.selfTarget == "correct"));
    if (loss.tetMargin > 0)
      add("margin", loss.tetMargin, marginLoss(stepLogits));
    if (loss.progressive > 0)
      add("progressive", loss.progressive, progressiveLoss(stepLogits));
    std::vector<torch::Tensor> rates;
    std::vector<double> sizes;
    torch::Tensor spikes;
    double slots = 0;
    for (const auto &[name, value] : ours.layers) {
      const torch::Tensor rate = value.x.mean(torch::kFloat32), fired = rate.detach().to(torch::kFloat64) * double(value.x.numel());
      spikes = spikes.defined() ? spikes + fired : fired, slots += double(value.x.numel());
      terms.add("rate/" + name, rate, images);
      rates.push_back(rate), sizes.push_back(double(value.x.numel()));
    }
    if (loss.rateWeight > 0)
      add("rate_loss", loss.rateWeight, rateLoss(rates, sizes, loss.rateTarget, loss.rateScope == "network"));
    if (spikes.defined())
      terms.add("spike_rate", spikes / slots, images);
    terms.add("loss", total, images);
    terms.add("correct", shareCorrect(mean, batch.labels), images);
    return total;
  };
  return learner;
}

} // namespace lasnn::distill
