#include "distill/trainer.h"
#include "distill/checkpoint.h"
#include "distill/device.h"
#include "distill/ema.h"
#include "distill/health.h"
#include "distill/history.h"
#include "distill/optimizer.h"
#include "distill/progress.h"
#include "distill/replicas.h"
#include "distill/schedule.h"
#include "distill/step_graph.h"
#include "distill/tensorboard.h"
#include "distill/workers.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <numeric>
#include <set>

namespace lasnn::distill {
namespace {

using Clock = std::chrono::steady_clock;
double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

class Trainer {
public:
  Trainer(const TrainOptions &o, const data::Dataset &set, const std::function<Learner(int)> &makeLearner, const nlohmann::json &run,
          const TrainHooks &hooks);
  TrainResult go();

private:
  /// The images [from, to) of the running step's batch that replica k of this process takes.
  struct Shard {
    size_t from, to;
    uint64_t stream;
  };
  Shard shard(int k, size_t size) const;
  size_t batchSize() const { return std::min<size_t>(size_t(o_.batch), images_.size() - size_t(place_.step * o_.batch)); }

  void resume();
  void runEpoch();
  void step(const std::vector<uint32_t> &order);
  void gradients(const std::vector<uint32_t> &order, size_t size);
  void endEpoch();
  Batch batchOf(std::span<const uint32_t> indices, uint64_t stream, const Learner &);
  void reestimate(int64_t batches, uint64_t salt);
  void evaluate(nlohmann::json &entry);
  void report(const nlohmann::json &entry);
  void checkFinite(const torch::Tensor &norm, const std::vector<uint32_t> &order);
  [[noreturn]] void explainMemory(const std::exception &, const std::vector<uint32_t> &order);
  void save();
  bool saveIsDue() const;
  std::map<std::string, double> sums() const;
  double workAfter(int64_t epoch) const;

  const TrainOptions &o_;
  const data::Dataset &set_;
  const nlohmann::json &run_;
  const TrainHooks &hooks_;
  Group &group_;
  const torch::Device device_;
  const int workers_, replicas_; // of this process, of all
  const Augment augment_;
  std::vector<uint32_t> images_;
  int64_t perEpoch_;
  std::vector<Learner> learners_;
  std::vector<torch::Tensor> parameters_;
  std::unique_ptr<torch::optim::Optimizer> optimizer_;
  std::unique_ptr<Ema> ema_;
  std::unique_ptr<StepGraph> graph_;
  std::unique_ptr<Workers> team_;
  std::unique_ptr<EventFile> events_;
  Place place_;
  std::vector<Terms> terms_; // of the running epoch, a worker each
  double rate_ = 0;
  Clock::time_point start_ = Clock::now(), epochStart_ = start_, saved_ = start_;
  double secondsBefore_ = 0, secondsOfEpochBefore_ = 0; // spent by the processes that this one resumes
  Progress progress_;
  std::map<std::string, std::string> said_;
};

std::vector<uint32_t> allImages(const data::Dataset &set, const TrainHooks &hooks) {
  if (!hooks.images.empty())
    return hooks.images;
  std::vector<uint32_t> all(set.count);
  std::iota(all.begin(), all.end(), 0u);
  return all;
}

Trainer::Trainer(const TrainOptions &o, const data::Dataset &set, const std::function<Learner(int)> &makeLearner, const nlohmann::json &run,
                 const TrainHooks &hooks)
    : o_(o), set_(set), run_(run), hooks_(hooks), group_(*hooks.group), device_(deviceFromName(o.device)),
      workers_(std::max(1, std::min<int>(o.workers, int(o.batch)))), replicas_(workers_ * group_.size()), augment_(parseAugment(o.augment, set)),
      images_(allImages(set, hooks)),
      // The last, smaller batch of an epoch is left out, as its statistics would be noisier; order changes, so every image counts.
      perEpoch_(std::max<int64_t>(1, int64_t(images_.size()) / o.batch)), progress_(o.epochs, group_.first() && isatty(2)) {
  if (group_.size() > 1 && std::min<int64_t>(o.batch, int64_t(images_.size())) < replicas_)
    throw std::invalid_argument(fmt::format("--batch={} over {} processes of {} workers leaves some without an image (of {}); a larger batch or fewer processes", o.batch,
                                            group_.size(), workers_, images_.size()));
  at::set_num_threads(o.threads);
  for (int k = 0; k < workers_; ++k) {
    learners_.push_back(makeLearner(k));
    learners_.back().root->to(device_);
    learners_.back().root->train();
  }
  parameters_ = learners_[0].root->parameters();
  if (o.channelsLast)
    for (torch::Tensor &p : parameters_)
      if (p.dim() == 4)
        p.set_data(p.detach().contiguous(torch::MemoryFormat::ChannelsLast));
  shareWeights(learners_);
  optimizer_ = makeOptimizer(o, *learners_[0].root);
  if (o.ema > 0)
    ema_ = std::make_unique<Ema>(*learners_[0].root, o.ema);
  team_ = std::make_unique<Workers>(workers_, [threads = o.threads] { at::set_num_threads(threads); });
  resume();
  if (place_.epoch == 0 && place_.step == 0 && o.bnReestimate > 0) {
    if (learners_[0].timesteps && hooks.timesteps)
      *learners_[0].timesteps = hooks.timesteps(0);
    reestimate(o.bnReestimate, 0);
    if (ema_)
      ema_ = std::make_unique<Ema>(*learners_[0].root, o.ema);
  }
  group_.broadcast(parameters_);
  if (o.cudaGraph) {
    if (!device_.is_cuda() || workers_ > 1)
      throw std::invalid_argument(fmt::format("--cuda-graph with --device={} --workers={}; it takes a GPU and one worker", o.device, workers_));
    if (!learners_[0].looks.empty())
      throw std::invalid_argument(fmt::format("--cuda-graph: {}, so its steps cannot be recorded once for all", learners_[0].looks));
    graph_ = std::make_unique<StepGraph>(parameters_, cudaRecorder);
  }
  if (!o.tensorboard.empty() && group_.first())
    events_ = std::make_unique<EventFile>(o.tensorboard, place_.epoch > 0 ? place_.epoch + 1 : 0);
}

void Trainer::resume() {
  if (!o_.resume)
    return;
  const std::string bytes = group_.broadcastText(group_.first() ? readCheckpoint(o_.checkpoint) : "");
  if (bytes.empty())
    return;
  Loaded loaded = loadCheckpoint(bytes, o_.checkpoint, learners_[0], *optimizer_, ema_.get(), run_);
  place_ = std::move(loaded.place);
  for (int k = 0; k < workers_; ++k)
    setTensors(learners_[size_t(k)].root->buffers(), loaded.buffers.at(size_t(group_.rank() * workers_ + k)));
  if (const size_t mine = size_t(replicas_ + group_.rank()); ema_ && mine < loaded.buffers.size())
    setTensors(ema_->buffers(), loaded.buffers[mine]);
  secondsBefore_ = place_.seconds, secondsOfEpochBefore_ = place_.secondsOfEpoch;
  if (!group_.first())
    place_.sums.clear(); // those of all processes; the first one's carry them
  else
    fmt::print(stderr, "{}: continues in epoch {} after {} of its {} steps\n", o_.checkpoint, place_.epoch + 1, place_.step, perEpoch_);
}

Batch Trainer::batchOf(std::span<const uint32_t> indices, uint64_t stream, const Learner &learner) {
  Batch batch = makeBatch(set_, indices, augment_, stream, learner.intensities, place_.epoch, device_);
  if (o_.channelsLast)
    batch.images = batch.images.contiguous(torch::MemoryFormat::ChannelsLast);
  return batch;
}

void Trainer::reestimate(int64_t batches, uint64_t salt) {
  const int64_t size = std::min<int64_t>(o_.batch, int64_t(images_.size()));
  std::vector<uint32_t> order = epochOrder(images_.size(), mixSeed({o_.seed, salt}), -2);
  reestimateStatistics(learners_[0], batches, [&](int64_t i) {
    std::vector<uint32_t> indices;
    for (int64_t j = 0; j < size; ++j)
      indices.push_back(images_[order[size_t(i * size + j) % order.size()]]);
    return batchOf(indices, mixSeed({o_.seed, salt, uint64_t(i), 5}), learners_[0]);
  });
  copyBuffers(learners_);
}

TrainResult Trainer::go() {
  while (place_.epoch < o_.epochs && !(o_.stopAfter && place_.epoch >= o_.stopAfter))
    runEpoch();
  TrainResult result;
  result.history = place_.history;
  result.epochs = place_.epoch;
  if (!place_.history.empty()) {
    const nlohmann::json &last = place_.history.back();
    result.loss = last.at("loss"), result.top1 = last.at("train_top1"), result.imagesPerSecond = last.at("images_per_s");
    for (const auto &[key, value] : last.items())
      if (value.is_number())
        result.terms[key] = value;
  }
  if (ema_)
    ema_->swap(*learners_[0].root);
  if (o_.bnReestimateEnd > 0)
    reestimate(o_.bnReestimateEnd, 1);
  result.seconds = secondsBefore_ + since(start_);
  return result;
}

void Trainer::runEpoch() {
  epochStart_ = Clock::now();
  terms_.assign(static_cast<size_t>(workers_), {});
  if (hooks_.timesteps)
    for (Learner &learner : learners_)
      if (learner.timesteps)
        *learner.timesteps = hooks_.timesteps(place_.epoch);
  std::vector<uint32_t> order = epochOrder(images_.size(), o_.seed, place_.epoch);
  for (uint32_t &index : order)
    index = images_[index];
  const double before = place_.images;
  while (place_.step < perEpoch_) {
    step(order);
    const double speed = (place_.images - before) / since(epochStart_);
    const double left = double(perEpoch_ - place_.step) * double(o_.batch) / speed;
    progress_.show(place_.epoch + 1, double(place_.step) / double(perEpoch_), speed, left, left + workAfter(place_.epoch) / speed);
    if (place_.step < perEpoch_ && saveIsDue())
      save();
  }
  endEpoch();
}

/// Images of the epochs after this one, each counted T / (T now) times: epochs of more steps take longer.
double Trainer::workAfter(int64_t epoch) const {
  double images = 0;
  for (int64_t e = epoch + 1; e < o_.epochs; ++e)
    images += double(perEpoch_ * o_.batch) * (hooks_.timesteps ? double(hooks_.timesteps(e)) / double(hooks_.timesteps(epoch)) : 1.0);
  return images;
}

Trainer::Shard Trainer::shard(int k, size_t size) const {
  const size_t begin = size_t(place_.step * o_.batch), g = size_t(group_.rank() * workers_ + k), all = size_t(replicas_);
  return {begin + size * g / all, begin + size * (g + 1) / all, mixSeed({o_.seed, uint64_t(place_.epoch), uint64_t(place_.step), uint64_t(g)})};
}

/// The gradient of the step's batch, in replica 0 of every process.
void Trainer::gradients(const std::vector<uint32_t> &order, size_t size) {
  std::vector<double> shares(static_cast<size_t>(workers_));
  team_->run([&](int k) {
    const Shard s = shard(k, size);
    Learner &learner = learners_[size_t(k)];
    learner.root->zero_grad();
    shares[size_t(k)] = double(s.to - s.from) / double(size);
    if (s.from == s.to)
      return;
    const Batch batch = batchOf({order.data() + s.from, s.to - s.from}, s.stream, learner);
    const auto work = [&](const Batch &b, Terms &terms) { learner.loss(b, s.stream, terms).backward(); };
    if (graph_)
      graph_->run(batch, learner.timesteps ? *learner.timesteps : 0, work, terms_[size_t(k)]);
    else
      work(batch, terms_[size_t(k)]);
  });
  if (graph_ && !graph_->problem().empty()) {
    fmt::print(stderr, "--cuda-graph: a step could not be recorded, so training goes on without: {}\n", graph_->problem());
    graph_.reset();
  }
  sumGradients(learners_, shares);
  if (group_.size() == 1)
    return;
  std::vector<torch::Tensor> grads;
  for (torch::Tensor &p : parameters_) {
    if (!p.grad().defined())
      p.mutable_grad() = torch::zeros_like(p);
    grads.push_back(p.grad());
  }
  group_.sum(grads);
}

void Trainer::step(const std::vector<uint32_t> &order) {
  const size_t size = batchSize();
  const int64_t n = place_.epoch * perEpoch_ + place_.step, steps = perEpoch_ * o_.epochs;
  rate_ = learningRate(o_, n, steps);
  setRate(*optimizer_, o_, rate_, momentumAt(o_, n, steps));
  try {
    gradients(order, size);
  } catch (const std::exception &e) {
    if (!isOutOfMemory(e))
      throw;
    explainMemory(e, order);
  }
  const torch::Tensor norm = gradientNorm(parameters_);
  checkFinite(norm, order);
  if (o_.clip > 0)
    clipGradients(parameters_, norm, o_.clip);
  if (group_.first())
    terms_[0].add("grad_norm", norm, double(size));
  optimizer_->step();
  if (ema_) {
    std::vector<torch::nn::Module *> roots;
    for (const Learner &learner : learners_)
      roots.push_back(learner.root.get());
    ema_->update(roots, n);
  }
  place_.images += double(size);
  ++place_.step;
}

/// A gradient that is not finite is found before it reaches the weights, so what stands on disk stays good. A GPU is asked only
/// now and then, and before every checkpoint: the question stops it.
void Trainer::checkFinite(const torch::Tensor &norm, const std::vector<uint32_t> &order) {
  Place next = place_;
  ++next.step;
  const bool ask = device_.is_cpu() || next.step % 50 == 0 || next.step == perEpoch_ || o_.checkpointSeconds > 0 ||
                   (o_.checkpointSteps > 0 && next.step % o_.checkpointSteps == 0);
  if (!ask || std::isfinite(norm.item<double>()))
    return;
  progress_.clear();
  std::string where;
  for (int k = 0; k < workers_ && where.empty(); ++k)
    if (const Shard s = shard(k, batchSize()); s.from < s.to)
      where = findNonFinite(learners_[size_t(k)], batchOf({order.data() + s.from, s.to - s.from}, s.stream, learners_[size_t(k)]), s.stream);
  throw std::runtime_error(fmt::format("the gradient is not finite in epoch {}, step {}: {}; {}lower --lr (now {:.3g} of {}), add --clip=1 or --warmup{}",
                                       place_.epoch + 1, place_.step + 1,
                                       !where.empty()      ? where
                                       : group_.size() > 1 ? "another process's part of the batch; it says where"
                                                           : "it overflows where the shards' gradients are added",
                                       o_.checkpoint.empty() ? "" : fmt::format("{} keeps the last good state; ", o_.checkpoint), rate_, o_.lr,
                                       o_.bfloat16 ? ", or train without --bf16" : ""));
}

/// Finds the largest halving of the batch that fits, by trying.
void Trainer::explainMemory(const std::exception &e, const std::vector<uint32_t> &order) {
  progress_.clear();
  const std::string text = e.what();
  const std::string words = text.substr(0, std::min(text.find('\n'), size_t(200)));
  int64_t fits = 0;
  if (group_.size() == 1) // several processes would have to try together
    for (size_t size = batchSize() / 2; size >= size_t(workers_) && fits == 0; size /= 2) {
      for (Learner &learner : learners_)
        learner.root->zero_grad(true);
      releaseMemory(device_);
      try {
        gradients(order, size);
        fits = int64_t(size);
      } catch (const std::exception &again) {
        if (!isOutOfMemory(again))
          throw;
      }
    }
  throw std::runtime_error(fmt::format("out of memory at --batch={} ({}); {}", o_.batch, words,
                                       fits ? fmt::format("--batch={} fits (tried); with it, lower --lr in proportion, or add --bf16", fits)
                                       : group_.size() > 1 ? "halve --batch, or add --bf16"
                                                           : "not even a batch of as many images as workers fits: a smaller --arch or fewer time-steps"));
}

std::map<std::string, double> Trainer::sums() const {
  std::map<std::string, double> all = place_.sums;
  for (const Terms &part : terms_)
    for (const auto &[name, value] : part.read())
      all[name] += value;
  if (group_.size() == 1)
    return all;
  all["grad_norm"] += 0; // the first process alone holds it; what is added up must have one order everywhere
  std::vector<double> values;
  for (const auto &[name, value] : all)
    values.push_back(value);
  const torch::Tensor total = torch::tensor(values, torch::kFloat64).to(device_);
  group_.sum({total});
  const torch::Tensor read = total.to(torch::kCPU);
  size_t i = 0;
  for (auto &[name, value] : all)
    value = read[int64_t(i++)].item<double>();
  return all;
}

bool Trainer::saveIsDue() const {
  if (o_.checkpoint.empty())
    return false;
  if (o_.checkpointSteps > 0 || o_.checkpointSeconds == 0)
    return o_.checkpointSteps > 0 && place_.step % o_.checkpointSteps == 0;
  const torch::Tensor due = torch::tensor({int64_t(since(saved_) >= double(o_.checkpointSeconds))}).to(device_);
  group_.broadcast({due}); // all must save in the same step
  return due.item<int64_t>() != 0;
}

void Trainer::save() {
  Place at = place_;
  at.sums = sums();
  at.secondsOfEpoch = secondsOfEpochBefore_ + since(epochStart_);
  at.seconds = secondsBefore_ + since(start_);
  std::vector<torch::Tensor> buffers, mine;
  for (const Learner &learner : learners_)
    mine.push_back(flatTensors(learner.root->buffers()));
  for (const torch::Tensor &everyones : group_.gather(torch::stack(mine)))
    for (int k = 0; k < workers_; ++k)
      buffers.push_back(everyones[k].clone());
  if (ema_ && group_.size() > 1)
    for (const torch::Tensor &everyones : group_.gather(flatTensors(ema_->buffers())))
      buffers.push_back(everyones);
  if (group_.first())
    saveCheckpoint(o_.checkpoint, learners_[0], *optimizer_, ema_.get(), buffers, at, run_);
  saved_ = Clock::now();
}

void Trainer::evaluate(nlohmann::json &entry) {
  if (!group_.first() || !hooks_.evaluate || o_.evalEvery == 0 || ((place_.epoch + 1) % o_.evalEvery != 0 && place_.epoch + 1 != o_.epochs))
    return;
  if (ema_)
    ema_->swap(*learners_[0].root);
  entry.update(hooks_.evaluate());
  if (ema_)
    ema_->swap(*learners_[0].root);
  learners_[0].root->train();
  at::set_num_threads(o_.threads);
}

void Trainer::endEpoch() {
  meanBuffers(learners_);
  if (group_.size() > 1) {
    std::vector<std::vector<torch::Tensor>> all = {learners_[0].root->buffers()};
    if (ema_)
      all.push_back(ema_->buffers());
    for (const auto &buffers : all)
      for (torch::Tensor buffer : buffers)
        if (buffer.is_floating_point() && buffer.numel() > 0) {
          group_.sum({buffer});
          buffer.div_(double(group_.size()));
        }
    copyBuffers(learners_);
  }
  const double seconds = secondsOfEpochBefore_ + since(epochStart_);
  nlohmann::json entry = {{"epoch", place_.epoch + 1}, {"lr", rate_}, {"seconds", seconds}, {"images_per_s", place_.images / seconds}};
  for (const auto &[name, sum] : sums()) {
    const double mean = sum / place_.images;
    if (name.starts_with("rate/"))
      entry["rates"][name.substr(5)] = mean;
    else
      entry[name == "correct" ? "train_top1" : name] = mean;
  }
  if (learners_[0].timesteps)
    entry["timesteps"] = *learners_[0].timesteps;
  evaluate(entry);
  progress_.clear();
  if (group_.first())
    report(entry);
  place_.history.push_back(std::move(entry));
  ++place_.epoch;
  place_.step = 0, place_.images = 0, place_.sums.clear(), secondsOfEpochBefore_ = 0;
  terms_.assign(static_cast<size_t>(workers_), {});
  epochStart_ = Clock::now();
  if (!o_.log.empty() && group_.first())
    writeHistory(place_.history, o_.log);
  if (!o_.checkpoint.empty())
    save();
}

/// What stays of an epoch: its line, its layers' rates, its TensorBoard records.
void Trainer::report(const nlohmann::json &entry) {
  std::string tested, words;
  std::vector<std::pair<std::string, double>> scalars;
  for (const auto &[name, value] : entry.items()) {
    if (!value.is_number() || name == "epoch")
      continue;
    scalars.emplace_back(name, value.get<double>());
    static const std::set<std::string> elsewhere = {"loss", "train_top1", "lr", "seconds", "images_per_s", "grad_norm", "timesteps"};
    if (name == "valid_top1" || name == "test_top1")
      tested += fmt::format("{} {:.2f} %  ", name == "valid_top1" ? "valid" : "test", 100 * value.get<double>());
    else if (!elsewhere.contains(name))
      words += fmt::format("{} {:.4f} ", name, value.get<double>());
  }
  fmt::print(stderr, "epoch {:>3}/{}  loss {:.4f}  train top1 {:.2f} %  {}{} lr {:.2g}  {:.1f} s  {:.0f} images/s\n", entry["epoch"].get<int64_t>(), o_.epochs,
             entry["loss"].get<double>(), 100 * entry["train_top1"].get<double>(), tested, words, rate_, entry["seconds"].get<double>(),
             entry["images_per_s"].get<double>());
  if (entry.contains("rates")) {
    if (learners_[0].network)
      fmt::print(stderr, "  rates %  {}\n", ratesText(entry["rates"], learners_[0].network->layerNames()));
    for (const std::string &line : rateAdvice(entry["rates"], said_))
      fmt::print(stderr, "  {}\n", line);
    for (const auto &[layer, rate] : entry["rates"].items())
      scalars.emplace_back("rate/" + layer, rate.get<double>());
  }
  if (!events_)
    return;
  events_->scalars(place_.epoch + 1, scalars);
  for (const auto &item : learners_[0].root->named_parameters())
    if (item.value().dim() > 1 && item.value().numel() <= 4'000'000) {
      const torch::Tensor values = item.value().detach().to(torch::kCPU, torch::kFloat32).contiguous();
      events_->histogram(place_.epoch + 1, item.key(), {values.data_ptr<float>(), size_t(values.numel())});
    }
}

} // namespace

TrainResult train(const TrainOptions &o, const data::Dataset &set, const std::function<Learner(int)> &makeLearner, const nlohmann::json &run,
                  const TrainHooks &hooks) {
  return Trainer(o, set, makeLearner, run, hooks).go();
}

} // namespace lasnn::distill
