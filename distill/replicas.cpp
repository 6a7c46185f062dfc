#include "distill/replicas.h"

namespace lasnn::distill {

void shareWeights(const std::vector<Learner> &learners) {
  for (size_t k = 1; k < learners.size(); ++k) {
    auto from = learners[0].root->parameters(), to = learners[k].root->parameters();
    for (size_t i = 0; i < from.size(); ++i)
      to[i].set_data(from[i].data());
  }
}

void sumGradients(const std::vector<Learner> &learners, const std::vector<double> &shares) {
  torch::NoGradGuard noGrad;
  auto first = learners[0].root->parameters();
  for (size_t i = 0; i < first.size(); ++i)
    if (first[i].grad().defined() && shares[0] != 1)
      first[i].mutable_grad().mul_(shares[0]);
  for (size_t k = 1; k < learners.size(); ++k) {
    auto other = learners[k].root->parameters();
    for (size_t i = 0; i < first.size(); ++i) {
      if (!other[i].grad().defined() || shares[k] == 0)
        continue;
      if (!first[i].grad().defined())
        first[i].mutable_grad() = torch::zeros_like(first[i]);
      first[i].mutable_grad().add_(other[i].grad(), shares[k]);
    }
  }
}

void meanBuffers(const std::vector<Learner> &learners) {
  if (learners.size() < 2)
    return;
  torch::NoGradGuard noGrad;
  auto first = learners[0].root->buffers();
  for (size_t i = 0; i < first.size(); ++i) {
    if (!first[i].is_floating_point())
      continue;
    for (size_t k = 1; k < learners.size(); ++k)
      first[i].add_(learners[k].root->buffers()[i]);
    first[i].div_(double(learners.size()));
  }
  copyBuffers(learners);
}

void copyBuffers(const std::vector<Learner> &learners) {
  torch::NoGradGuard noGrad;
  auto first = learners[0].root->buffers();
  for (size_t k = 1; k < learners.size(); ++k) {
    auto other = learners[k].root->buffers();
    for (size_t i = 0; i < first.size(); ++i)
      other[i].copy_(first[i]);
  }
}

void reestimateStatistics(const Learner &learner, int64_t batches, const std::function<Batch(int64_t)> &batch) {
  torch::NoGradGuard noGrad;
  std::vector<std::pair<SynapseModule *, double>> normalised;
  for (const auto &module : learner.root->modules())
    if (auto *synapse = module->as<SynapseModule>(); synapse && synapse->runningMean.defined())
      normalised.emplace_back(synapse, synapse->momentum);
  const bool training = learner.root->is_training();
  learner.root->train();
  for (int64_t i = 0; i < batches; ++i) {
    for (auto &[synapse, usual] : normalised)
      synapse->momentum = 1 / double(i + 1); // running = running + (batch - running) / (i + 1): the mean so far
    Terms terms;
    learner.loss(batch(i), 0, terms);
  }
  for (auto &[synapse, usual] : normalised)
    synapse->momentum = usual;
  learner.root->train(training);
}

} // namespace lasnn::distill
