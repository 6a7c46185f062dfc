#include "distill/trainer.h"
#include "distill/file.h"
#include "distill/model_file.h"
#include "distill/workers.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <numbers>

namespace lasnn::distill {
namespace {

using Clock = std::chrono::steady_clock;
double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

std::unique_ptr<torch::optim::Optimizer> makeOptimizer(const TrainOptions &o, const torch::nn::Module &module) {
  // Weight decay shrinks synapses only: on normalisation and biases it would move firing thresholds (usual practice).
  std::vector<torch::Tensor> synapses, others;
  for (const torch::Tensor &p : module.parameters())
    (p.dim() > 1 ? synapses : others).push_back(p);
  auto groups = [&]<typename Options>(Options options) {
    auto plain = std::make_unique<Options>(options);
    plain->weight_decay(0);
    return std::vector<torch::optim::OptimizerParamGroup>{
        torch::optim::OptimizerParamGroup(synapses, std::make_unique<Options>(options)),
        torch::optim::OptimizerParamGroup(others, std::move(plain))};
  };
  if (o.optimizer == "sgd") {
    const auto options = torch::optim::SGDOptions(o.lr).momentum(o.momentum).nesterov(o.momentum > 0).weight_decay(o.weightDecay);
    return std::make_unique<torch::optim::SGD>(groups(options), options);
  }
  if (o.optimizer == "adam") {
    const auto options = torch::optim::AdamOptions(o.lr).weight_decay(o.weightDecay);
    return std::make_unique<torch::optim::Adam>(groups(options), options);
  }
  const auto options = torch::optim::AdamWOptions(o.lr).weight_decay(o.weightDecay);
  return std::make_unique<torch::optim::AdamW>(groups(options), options);
}

void setRate(torch::optim::Optimizer &optimizer, const TrainOptions &o, double rate) {
  for (auto &group : optimizer.param_groups()) {
    if (o.optimizer == "sgd")
      static_cast<torch::optim::SGDOptions &>(group.options()).lr(rate);
    else if (o.optimizer == "adam")
      static_cast<torch::optim::AdamOptions &>(group.options()).lr(rate);
    else
      static_cast<torch::optim::AdamWOptions &>(group.options()).lr(rate);
  }
}

/// Replica k > 0 sees replica 0's weights, through the same storage.
void shareWeights(const Learner &first, const Learner &other) {
  auto from = first.root->parameters(), to = other.root->parameters();
  for (size_t i = 0; i < from.size(); ++i)
    to[i].set_data(from[i].data());
}

/// gradient of the whole batch = sum over shards of (shard's share) * (shard's mean gradient), in the replicas' order.
void sumGradients(const std::vector<Learner> &learners, const std::vector<double> &shares) {
  torch::NoGradGuard noGrad;
  auto first = learners[0].root->parameters();
  for (size_t i = 0; i < first.size(); ++i)
    if (first[i].grad().defined())
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

/// Running statistics are each replica's own during an epoch; at its end all take the mean.
void meanBuffers(const std::vector<Learner> &learners) {
  torch::NoGradGuard noGrad;
  auto first = learners[0].root->buffers();
  for (size_t i = 0; i < first.size(); ++i) {
    for (size_t k = 1; k < learners.size(); ++k)
      first[i].add_(learners[k].root->buffers()[i]);
    first[i].div_(double(learners.size()));
    for (size_t k = 1; k < learners.size(); ++k)
      learners[k].root->buffers()[i].copy_(first[i]);
  }
}

void saveCheckpoint(const std::string &path, const Learner &learner, torch::optim::Optimizer &optimizer, int64_t epoch,
                    const nlohmann::json &run) {
  writeAtomically(path, [&](const std::string &temporary) {
    torch::serialize::OutputArchive archive, state;
    archive.write("run", c10::IValue(run.dump()));
    archive.write("epoch", c10::IValue(epoch));
    writeTensors(*learner.root, archive);
    optimizer.save(state);
    archive.write("optimizer", state);
    archive.save_to(temporary);
  });
}

/// Returns the number of epochs already done.
int64_t loadCheckpoint(const std::string &path, const Learner &learner, torch::optim::Optimizer &optimizer, const nlohmann::json &run) {
  torch::serialize::InputArchive archive, state;
  c10::IValue text, epoch;
  try {
    archive.load_from(path);
    archive.read("run", text);
    archive.read("epoch", epoch);
  } catch (const std::exception &) {
    throw std::runtime_error(fmt::format("{}: is not a checkpoint written by lasnn-distill, or is damaged; remove it to start anew", path));
  }
  const auto theirs = nlohmann::json::parse(text.toStringRef(), nullptr, false);
  for (const auto &[key, value] : run.items())
    if (!theirs.contains(key) || theirs[key] != value)
      throw std::runtime_error(fmt::format("{}: was made with {} = {}, this run has {}; give the same options or remove the file", path, key,
                                           theirs.contains(key) ? theirs[key].dump() : "nothing", value.dump()));
  readTensors(*learner.root, archive, path);
  archive.read("optimizer", state);
  optimizer.load(state);
  return epoch.toInt();
}

void writeLog(const std::string &path, const nlohmann::json &line, bool fresh) {
  std::ofstream file(path, fresh ? std::ios::trunc : std::ios::app);
  if (path.ends_with(".csv")) {
    std::string head, row;
    for (const auto &[key, value] : line.items()) {
      const char *comma = head.empty() ? "" : ",";
      head += fmt::format("{}{}", comma, key);
      row += fmt::format("{}{}", comma, value.dump());
    }
    if (fresh)
      file << head << '\n';
    file << row << '\n';
  } else {
    file << line.dump() << '\n';
  }
  if (!file)
    throw std::runtime_error(path + ": the log cannot be written; check the folder");
}

} // namespace

double learningRate(const TrainOptions &o, int64_t step, int64_t steps) {
  const double at = double(step) / double(std::max<int64_t>(steps, 1));
  if (at < o.warmup)
    return o.lr * (0.1 + 0.9 * at / o.warmup);
  if (o.schedule == "constant")
    return o.lr;
  const double rest = (at - o.warmup) / std::max(1 - o.warmup, 1e-9);
  return o.schedule == "onecycle" ? o.lr * (1 - rest) : o.lr * 0.5 * (1 + std::cos(std::numbers::pi * rest));
}

TrainResult train(const TrainOptions &o, const data::Dataset &set, const std::function<Learner(int)> &makeLearner, const nlohmann::json &run) {
  const int workers = std::max(1, std::min<int>(o.workers, int(o.batch)));
  at::set_num_threads(o.threads);
  std::vector<Learner> learners;
  for (int k = 0; k < workers; ++k) {
    learners.push_back(makeLearner(k));
    learners[size_t(k)].root->train();
  }
  for (int k = 1; k < workers; ++k)
    shareWeights(learners[0], learners[size_t(k)]);
  auto optimizer = makeOptimizer(o, *learners[0].root);
  int64_t epoch = 0;
  if (o.resume && std::filesystem::exists(o.checkpoint))
    epoch = loadCheckpoint(o.checkpoint, learners[0], *optimizer, run);
  // Buffers of all replicas start equal (a checkpoint reached replica 0 only).
  if (workers > 1) {
    torch::NoGradGuard noGrad;
    for (int k = 1; k < workers; ++k)
      for (size_t i = 0; i < learners[0].root->buffers().size(); ++i)
        learners[size_t(k)].root->buffers()[i].copy_(learners[0].root->buffers()[i]);
  }

  const Augment augment = augmentFromName(o.augment, set.height);
  // The last, smaller batch of an epoch is left out, as its statistics would be noisier; order changes, so every image counts.
  const int64_t perEpoch = std::max<int64_t>(1, int64_t(set.count) / o.batch), steps = perEpoch * o.epochs;
  const bool terminal = isatty(2);
  const auto start = Clock::now();
  Workers team(workers, [&] { at::set_num_threads(o.threads); });
  TrainResult result;
  for (; epoch < o.epochs && !(o.stopAfter && epoch >= o.stopAfter); ++epoch) {
    const auto epochStart = Clock::now();
    const auto order = epochOrder(set.count, o.seed, epoch);
    std::vector<Terms> terms(static_cast<size_t>(workers));
    double images = 0, rate = 0;
    for (int64_t step = 0; step < perEpoch; ++step) {
      const size_t begin = size_t(step * o.batch), size = std::min<size_t>(size_t(o.batch), set.count - begin);
      std::vector<double> shares(static_cast<size_t>(workers));
      rate = learningRate(o, epoch * perEpoch + step, steps);
      setRate(*optimizer, o, rate);
      team.run([&](int k) {
        const size_t from = begin + size * size_t(k) / size_t(workers), to = begin + size * size_t(k + 1) / size_t(workers);
        Learner &learner = learners[size_t(k)];
        learner.root->zero_grad();
        shares[size_t(k)] = double(to - from) / double(size);
        if (from == to)
          return;
        const uint64_t stream = mixSeed({o.seed, uint64_t(epoch), uint64_t(step), uint64_t(k)});
        const Batch batch = makeBatch(set, {order.data() + from, to - from}, augment, stream, learner.intensities);
        learner.loss(batch, stream, terms[size_t(k)]).backward();
      });
      sumGradients(learners, shares);
      optimizer->step();
      images += double(size);
      if (terminal && (step % 10 == 0 || step + 1 == perEpoch)) {
        const int done = int(30 * (step + 1) / perEpoch);
        fmt::print(stderr, "\repoch {:>3}/{} [{:=<{}}{:.<{}}] {:.0f} images/s ", epoch + 1, o.epochs, "", done, "", 30 - done, images / since(epochStart));
      }
    }
    meanBuffers(learners);

    result = {since(start), 0, 0, images / since(epochStart), epoch + 1, {}};
    for (const Terms &part : terms)
      for (const auto &[name, value] : part)
        result.terms[name] += value / images;
    result.loss = result.terms["loss"], result.top1 = result.terms["correct"];
    if (!std::isfinite(result.loss))
      throw std::runtime_error(fmt::format("the loss is {} after epoch {}; lower --lr (now {})", result.loss, epoch + 1, o.lr));
    std::string words;
    for (const auto &[name, value] : result.terms)
      if (name != "loss" && name != "correct")
        words += fmt::format(" {} {:.4f}", name, value);
    fmt::print(stderr, "{}epoch {:>3}/{}  loss {:.4f}  train top1 {:.2f} % {}  lr {:.2g}  {:.1f} s  {:.0f} images/s\n", terminal ? "\r\033[K" : "",
               epoch + 1, o.epochs, result.loss, 100 * result.top1, words, rate, since(epochStart), result.imagesPerSecond);
    if (!o.log.empty()) {
      nlohmann::json line = {{"epoch", epoch + 1}, {"lr", rate}, {"train_top1", result.top1}, {"seconds", since(epochStart)}, {"images_per_s", result.imagesPerSecond}};
      for (const auto &[name, value] : result.terms)
        if (name != "correct")
          line[name] = value;
      writeLog(o.log, line, epoch == 0);
    }
    if (!o.checkpoint.empty())
      saveCheckpoint(o.checkpoint, learners[0], *optimizer, epoch + 1, run);
  }
  result.seconds = since(start);
  return result;
}

} // namespace lasnn::distill
