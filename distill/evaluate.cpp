#include "distill/evaluate.h"
#include "distill/learn.h"
#include "distill/quantize.h"
#include "distill/workers.h"
#include "lasnn/lasnn.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <numeric>

namespace lasnn::distill {

using Clock = std::chrono::steady_clock;

void checkDataset(const Model &model, const data::Dataset &set, int64_t timesteps) {
  const Arch &a = model.network->arch;
  if (a.channels != set.channels || a.height != set.height || a.width != set.width || a.classes != set.classes)
    throw std::runtime_error(fmt::format("the model takes {}x{}x{} images of {} classes, data set {} has {}x{}x{} and {}; give the set it was trained on",
                                         a.channels, a.height, a.width, a.classes, set.name, set.channels, set.height, set.width, set.classes));
  if (model.meta.at("data").at("mean") != nlohmann::json(set.mean) || model.meta.at("data").at("std") != nlohmann::json(set.std))
    throw std::runtime_error(fmt::format("the model was trained with another normalisation ({}) than data set {} has", model.meta.at("data").dump(), set.name));
  if (!set.events)
    return;
  const nlohmann::json theirs = model.meta.at("data").value("events", nlohmann::json::object());
  if (theirs.value("binning", "") != set.binning || theirs.value("max_count", 0u) != set.maxCount)
    throw std::runtime_error(fmt::format("the model was trained on events binned by {} with counts up to {}, data set {} is binned by {} up to {}; "
                                         "give the same options after the folder: --data=SET:DIR?{}&max-count={}", theirs.value("binning", "?"),
                                         theirs.value("max_count", 0u), set.name, set.binning, set.maxCount, theirs.value("binning", "?"),
                                         theirs.value("max_count", 0u)));
  const int64_t T = timesteps > 0 ? timesteps : model.timesteps();
  if (model.student() && set.frames != T)
    throw std::runtime_error(fmt::format("the model runs T = {} steps, data set {} has {} frames a recording; leave frames= out of --data",
                                         T, set.name, set.frames));
}

std::vector<int64_t> doublings(int64_t last) {
  std::vector<int64_t> list;
  for (int64_t t = 1; t < last; t *= 2)
    list.push_back(t);
  list.push_back(last);
  return list;
}

std::vector<double> Evaluation::perClass() const {
  std::vector<double> shares;
  for (int64_t label = 0; label < classes; ++label) {
    double all = 0;
    for (int64_t answer = 0; answer < classes; ++answer)
      all += double(confused(label, answer));
    shares.push_back(all > 0 ? double(confused(label, label)) / all : std::nan(""));
  }
  return shares;
}

namespace {

/// One worker's sums. Tensors: "correct", "correct5" and each layer's "spikes" have one number a step.
struct Part {
  torch::Tensor correct, correct5, confusion;
  std::map<std::string, torch::Tensor> spikes, neurons;
};

void accumulate(torch::Tensor &sum, const torch::Tensor &value) { sum = sum.defined() ? sum + value : value; }

/// logits [steps,B,K]: which of the B are right when the answer is the mean over the first t steps, for every t.
void judge(const torch::Tensor &logits, const torch::Tensor &given, Part &part) {
  const torch::Tensor labels = given.cpu();
  const torch::Tensor sums = logits.to(torch::kCPU, torch::kFloat32).cumsum(0), answers = sums.argmax(2);
  const int64_t classes = logits.size(2);
  accumulate(part.correct, (answers == labels).sum(1));
  if (classes > 10)
    accumulate(part.correct5, (std::get<1>(sums.topk(5, 2)) == labels.view({1, -1, 1})).sum({1, 2}));
  accumulate(part.confusion, torch::bincount(labels * classes + answers[-1], {}, classes * classes));
}

/// Per-step numbers of all parts, as shares of `all`; one number serves every step where a network has no time.
std::vector<double> shares(const std::vector<Part> &parts, torch::Tensor Part::*member, int64_t steps, double all) {
  torch::Tensor sum;
  for (const Part &part : parts)
    if ((part.*member).defined())
      accumulate(sum, part.*member);
  std::vector<double> list(size_t(steps), 0);
  if (sum.defined())
    for (int64_t t = 0; t < steps; ++t)
      list[size_t(t)] = sum[std::min(t, sum.size(0) - 1)].item<double>() / all;
  return list;
}

} // namespace

Evaluation evaluate(const Model &model, const data::Dataset &set, int threads, int64_t latency, std::span<const uint32_t> images, int64_t timesteps,
                    bool neurons) {
  checkDataset(model, set, timesteps);
  Network &network = *model.network;
  network.eval();
  network.bfloat16 = false;
  const int64_t T = model.student() && timesteps > 0 ? timesteps : model.timesteps();
  const torch::Device device = network.parameters().at(0).device();
  const std::string encoding = model.meta.value("encoding", "direct");
  std::vector<uint32_t> order(images.begin(), images.end());
  if (order.empty()) {
    order.resize(set.count);
    std::iota(order.begin(), order.end(), 0u);
  }

  const size_t chunk = T <= 4 ? 125 : std::max<size_t>(8, 500 / size_t(T)); // T times the largest layer of a small net stays near the second-level cache
  const size_t chunks = (order.size() + chunk - 1) / chunk;
  threads = std::max(1, std::min<int>(threads, int(chunks)));
  std::vector<Part> parts(static_cast<size_t>(threads));
  auto input = [&](const Batch &batch, uint64_t stream) { return model.student() ? encode(batch, encoding, T, stream) : stillInput(batch); };
  auto forward = [&](size_t from, size_t to) {
    const Batch batch = makeBatch(set, {order.data() + from, to - from}, {}, from, encoding == "poisson", 0, device);
    return std::pair(network.forward(input(batch, mixSeed({from})), T), batch.labels);
  };

  Evaluation out;
  out.images = order.size();
  std::vector<int32_t> integers(network.integer ? order.size() * set.classes : 0); // of a student in integers, in image order
  const auto start = Clock::now();
  {
    at::set_num_threads(1);
    Workers team(threads, [] { at::set_num_threads(1); });
    team.run([&](int k) {
      torch::InferenceMode inference;
      for (size_t c = size_t(k); c < chunks; c += size_t(threads)) {
        const size_t from = c * chunk, to = std::min(order.size(), from + chunk);
        const auto [result, labels] = forward(from, to);
        Part &part = parts[size_t(k)];
        const Steps &logits = result.integerLogits ? *result.integerLogits : result.logits; // whole numbers: exact in float32
        judge(logits.x.view({logits.steps, int64_t(to - from), -1}), labels, part);
        if (result.integerLogits) {
          const torch::Tensor sums = summedLogits(*result.integerLogits, int64_t(to - from), T).to(torch::kCPU);
          std::copy_n(sums.data_ptr<int32_t>(), sums.numel(), integers.begin() + std::ptrdiff_t(from * set.classes));
        }
        if (!model.student())
          continue;
        for (const auto &[name, value] : result.layers) {
          accumulate(part.spikes[name], value.x.reshape({T, -1}).sum(1, false, torch::kFloat64).cpu());
          if (neurons)
            accumulate(part.neurons[name], value.x.reshape({value.x.size(0), -1}).sum(0, false, torch::kFloat64).cpu());
        }
      }
    });
  }
  out.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  if (network.integer)
    out.digest = fmt::format("{:016x}", lasnn_hash64(integers.data(), integers.size() * sizeof(int32_t), 0));
  const double all = double(order.size());
  out.timesteps = T, out.classes = set.classes;
  torch::Tensor confusion;
  for (const Part &part : parts)
    if (part.confusion.defined())
      accumulate(confusion, part.confusion);
  out.confusion.assign(confusion.data_ptr<int64_t>(), confusion.data_ptr<int64_t>() + confusion.numel());
  const std::vector<double> top1 = shares(parts, &Part::correct, T, all), top5 = shares(parts, &Part::correct5, T, all);
  out.top1 = top1.back(), out.top5 = top5.back();
  if (model.student()) {
    torch::Tensor spikes = torch::zeros({T}, torch::kFloat64); // of all layers, per step
    double slots = 0;                                          // that could hold a spike, per step
    for (const std::string &name : network.layerNames()) {
      LayerRate layer{name + ".lif", 1, 0, {}};
      for (int64_t size : network.layerShape(name))
        layer.neurons *= size;
      torch::Tensor perStep = torch::zeros({T}, torch::kFloat64), each;
      for (const Part &part : parts) {
        if (part.spikes.count(name))
          perStep = perStep + part.spikes.at(name);
        if (part.neurons.count(name))
          accumulate(each, part.neurons.at(name));
      }
      spikes = spikes + perStep;
      slots += double(layer.neurons) * all;
      layer.rate = perStep.sum().item<double>() / (double(layer.neurons) * all * double(T));
      if (each.defined()) {
        const torch::Tensor rates = (each / (all * double(T))).to(torch::kFloat32).contiguous();
        layer.each.assign(rates.data_ptr<float>(), rates.data_ptr<float>() + rates.numel());
      }
      out.layers.push_back(layer);
    }
    const torch::Tensor sums = spikes.cumsum(0);
    for (int64_t t = 1; t <= T; ++t)
      out.steps.push_back({t, top1[size_t(t - 1)], top5[size_t(t - 1)], slots > 0 ? sums[t - 1].item<double>() / (slots * double(t)) : 0});
    out.meanRate = out.steps.back().rate;
  }

  if (latency > 0) {
    torch::InferenceMode inference;
    std::vector<double> times;
    for (int64_t i = -10; i < latency; ++i) { // ten images to warm up
      const size_t at = size_t((i + 10) % int64_t(order.size()));
      const Batch batch = makeBatch(set, {order.data() + at, 1}, {}, at, encoding == "poisson", 0, device);
      const auto begin = Clock::now();
      const torch::Tensor logits = network.forward(input(batch, at), T).logits.x.cpu();
      const volatile float sink = logits.data_ptr<float>()[0];
      (void)sink;
      if (i >= 0)
        times.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begin).count());
    }
    std::sort(times.begin(), times.end());
    for (double q : {0.5, 0.9, 0.99})
      out.latencyUs.push_back(times[std::min(times.size() - 1, size_t(q * double(times.size())))]);
  }
  return out;
}

nlohmann::json evaluationToJson(const Evaluation &e, const std::vector<int64_t> &over) {
  nlohmann::json json = {{"images", e.images}, {"top1", e.top1}, {"seconds", e.seconds}, {"images_per_s", double(e.images) / e.seconds}};
  if (!e.digest.empty())
    json["digest"] = e.digest;
  if (!e.layers.empty()) {
    json["spike_rate"] = e.meanRate;
    json["layers"] = nlohmann::json::array();
    for (const LayerRate &layer : e.layers)
      json["layers"].push_back({{"name", layer.name}, {"neurons", layer.neurons}, {"spike_rate", layer.rate}});
  }
  const bool five = e.classes > 10;
  if (five)
    json["top5"] = e.top5;
  json["per_class"] = nlohmann::json::array();
  for (double share : e.perClass())
    json["per_class"].push_back(std::isnan(share) ? nlohmann::json() : nlohmann::json(share)); // null: no image of that class
  json["confusion"] = nlohmann::json::array();
  for (int64_t label = 0; label < e.classes; ++label)
    json["confusion"].push_back(std::vector<int64_t>(e.confusion.begin() + label * e.classes, e.confusion.begin() + (label + 1) * e.classes));
  if (!e.steps.empty()) {
    json["timesteps"] = e.timesteps;
    json["over_time"] = nlohmann::json::array();
    for (int64_t t : over.empty() ? doublings(e.timesteps) : over) {
      const StepAccuracy &at = e.steps.at(size_t(t - 1));
      json["over_time"].push_back({{"timesteps", t}, {"top1", at.top1}, {"spike_rate", at.rate}});
      if (five)
        json["over_time"].back()["top5"] = at.top5;
    }
  }
  if (!e.latencyUs.empty())
    json["latency_us"] = {{"p50", e.latencyUs[0]}, {"p90", e.latencyUs[1]}, {"p99", e.latencyUs[2]}};
  return json;
}

} // namespace lasnn::distill
