#include "distill/evaluate.h"
#include "distill/learn.h"
#include "distill/quantize.h"
#include "distill/workers.h"
#include "lasnn/lasnn.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <numeric>

namespace lasnn::distill {

using Clock = std::chrono::steady_clock;

void checkDataset(const Model &model, const data::Dataset &set) {
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
  if (model.student() && set.frames != model.timesteps())
    throw std::runtime_error(fmt::format("the model runs T = {} steps, data set {} has {} frames a recording; leave frames= out of --data",
                                         model.timesteps(), set.name, set.frames));
}

Evaluation evaluate(const Model &model, const data::Dataset &set, int threads, int64_t latency, std::span<const uint32_t> images) {
  checkDataset(model, set);
  Network &network = *model.network;
  network.eval();
  network.bfloat16 = false;
  const int64_t T = model.timesteps();
  const torch::Device device = network.parameters().at(0).device();
  const std::string encoding = model.meta.value("encoding", "direct");
  std::vector<uint32_t> order(images.begin(), images.end());
  if (order.empty()) {
    order.resize(set.count);
    std::iota(order.begin(), order.end(), 0u);
  }

  constexpr size_t chunk = 125; // T times the largest layer of a small net stays near the second-level cache
  const size_t chunks = (order.size() + chunk - 1) / chunk;
  struct Part {
    size_t correct = 0;
    std::map<std::string, double> spikes;
  };
  threads = std::max(1, std::min<int>(threads, int(chunks)));
  std::vector<Part> parts(static_cast<size_t>(threads));
  auto input = [&](const Batch &batch, uint64_t stream) { return model.student() ? encode(batch, encoding, T, stream) : stillInput(batch); };
  auto forward = [&](size_t from, size_t to) {
    const Batch batch = makeBatch(set, {order.data() + from, to - from}, {}, from, encoding == "poisson", 0, device);
    return std::pair(network.forward(input(batch, mixSeed({from})), T), batch.labels);
  };

  Evaluation out;
  out.images = order.size();
  std::vector<int32_t> logits(network.integer ? order.size() * set.classes : 0); // of a student in integers, in image order
  const auto start = Clock::now();
  {
    at::set_num_threads(1);
    Workers team(threads, [] { at::set_num_threads(1); });
    team.run([&](int k) {
      torch::InferenceMode inference;
      for (size_t c = size_t(k); c < chunks; c += size_t(threads)) {
        const size_t from = c * chunk, to = std::min(order.size(), from + chunk);
        const auto [result, labels] = forward(from, to);
        parts[size_t(k)].correct += size_t((predictions(result, int64_t(to - from)) == labels).sum().item<int64_t>());
        if (result.integerLogits) {
          const torch::Tensor sums = summedLogits(*result.integerLogits, int64_t(to - from), T).to(torch::kCPU);
          std::copy_n(sums.data_ptr<int32_t>(), sums.numel(), logits.begin() + std::ptrdiff_t(from * set.classes));
        }
        if (model.student())
          for (const auto &[name, value] : result.layers)
            parts[size_t(k)].spikes[name] += value.x.sum(torch::kFloat64).item<double>();
      }
    });
  }
  out.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  if (network.integer)
    out.digest = fmt::format("{:016x}", lasnn_hash64(logits.data(), logits.size() * sizeof(int32_t), 0));
  size_t correct = 0;
  double spikes = 0, slots = 0;
  for (const Part &part : parts)
    correct += part.correct;
  out.top1 = double(correct) / double(order.size());
  if (model.student()) {
    for (const std::string &name : network.layerNames()) {
      LayerRate rate{name + ".lif", 1, 0};
      for (int64_t size : network.layerShape(name))
        rate.neurons *= size;
      for (const Part &part : parts)
        rate.rate += part.spikes.count(name) ? part.spikes.at(name) : 0;
      spikes += rate.rate;
      slots += double(rate.neurons) * double(order.size()) * double(T);
      rate.rate /= double(rate.neurons) * double(order.size()) * double(T);
      out.layers.push_back(rate);
    }
    out.meanRate = slots > 0 ? spikes / slots : 0;
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

nlohmann::json evaluationToJson(const Evaluation &e) {
  nlohmann::json json = {{"images", e.images}, {"top1", e.top1}, {"seconds", e.seconds}, {"images_per_s", double(e.images) / e.seconds}};
  if (!e.digest.empty())
    json["digest"] = e.digest;
  if (!e.layers.empty()) {
    json["spike_rate"] = e.meanRate;
    json["layers"] = nlohmann::json::array();
    for (const LayerRate &layer : e.layers)
      json["layers"].push_back({{"name", layer.name}, {"neurons", layer.neurons}, {"spike_rate", layer.rate}});
  }
  if (!e.latencyUs.empty())
    json["latency_us"] = {{"p50", e.latencyUs[0]}, {"p90", e.latencyUs[1]}, {"p99", e.latencyUs[2]}};
  return json;
}

} // namespace lasnn::distill
