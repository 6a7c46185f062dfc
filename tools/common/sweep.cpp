#include "tools/common/sweep.h"

#include "lasnn/lasnn.h"
#include "tools/common/cli.h"

#include <algorithm>
#include <atomic>
#include <fmt/format.h>
#include <mutex>
#include <thread>

namespace lasnn::tools {

double SweepResult::percentile(double share) const {
  if (latencyUs.empty()) return 0;
  return latencyUs[std::min(latencyUs.size() - 1, size_t(share * latencyUs.size()))];
}

std::string hex(uint64_t digest) { return fmt::format("{:016x}", digest); }

llvm::Expected<SweepResult> sweep(const DeviceFactory &make, const data::Dataset &set, unsigned threads) {
  using Clock = std::chrono::steady_clock;
  SweepResult result;
  result.images = set.count;
  result.latencyUs.resize(set.count);
  result.predicted.resize(set.count);
  std::vector<std::vector<int32_t>> outputs(set.count);
  std::vector<std::unique_ptr<Device>> devices;
  for (unsigned i = 0; i < std::max(1u, threads); ++i) {
    auto device = make(devices.empty() ? nullptr : devices.front().get());
    if (!device) return device.takeError();
    devices.push_back(std::move(*device));
  }
  if (set.imageBytes() != devices.front()->inputSize())
    return llvm::createStringError(fmt::format("an image of {} has {}{}x{}x{} = {} bytes, the network takes {}; use the data set that the network was trained on",
                                               set.name, set.events ? fmt::format("{} frames x ", set.frames) : "", set.channels, set.height, set.width,
                                               set.imageBytes(), devices.front()->inputSize()));
  // A few runs that are not counted: the first ones pay for cold caches and page faults.
  const size_t batch = devices.front()->batch();
  result.device = devices.front()->name(), result.isa = devices.front()->isa(), result.integer = devices.front()->isInteger(), result.batch = batch;
  std::vector<Output> warm;
  for (auto &device : devices) {
    for (size_t i = 0; i < 8 && i * batch < set.count; ++i)
      if (llvm::Error error = device->runBatch(set.image(i * batch), std::min(batch, set.count - i * batch), warm)) return error;
    device->clearStats();
  }

  Progress progress(devices.front()->name() + " " + devices.front()->isa(), set.count);
  std::atomic<size_t> next = 0;
  std::mutex lock;
  std::string failure;
  auto work = [&](Device &device, bool draws) {
    std::vector<Output> made;
    for (size_t i; (i = next.fetch_add(batch)) < set.count;) {
      const size_t count = std::min(batch, set.count - i);
      auto begin = Clock::now();
      llvm::Error error = device.runBatch(set.image(i), count, made);
      const double us = std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
      if (error) {
        std::lock_guard guard(lock);
        failure = fmt::format("image {}{}: {}", i, count > 1 ? fmt::format(" to {}", i + count - 1) : "", llvm::toString(std::move(error)));
        next = set.count;
        return;
      }
      for (size_t j = 0; j < count; ++j) {
        result.latencyUs[i + j] = us;
        result.predicted[i + j] = uint16_t(made[j].top());
        outputs[i + j] = std::move(made[j].values);
      }
      if (draws) progress.update(i);
    }
  };
  auto begin = Clock::now();
  std::vector<std::thread> others;
  for (size_t i = 1; i < devices.size(); ++i) others.emplace_back(work, std::ref(*devices[i]), false);
  work(*devices.front(), true);
  for (std::thread &thread : others) thread.join();
  if (!failure.empty()) return llvm::createStringError(failure);
  result.seconds = std::chrono::duration<double>(Clock::now() - begin).count();

  std::vector<int32_t> all;
  for (size_t i = 0; i < set.count; ++i) {
    result.correct += result.predicted[i] == set.labels[i];
    all.insert(all.end(), outputs[i].begin(), outputs[i].end());
  }
  if (result.integer) result.digest = lasnn_hash64(all.data(), all.size() * sizeof(int32_t), 0);
  std::sort(result.latencyUs.begin(), result.latencyUs.end());
  result.layers = devices.front()->stats();
  for (size_t d = 1; d < devices.size(); ++d) {
    auto more = devices[d]->stats();
    for (size_t l = 0; l < more.size(); ++l) result.layers[l] += more[l];
  }
  return result;
}

nlohmann::ordered_json toJson(const SweepResult &result) {
  nlohmann::ordered_json json;
  json["device"] = result.device;
  json["isa"] = result.isa.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(result.isa);
  json["images"] = result.images;
  if (result.batch > 1) json["batch"] = result.batch;
  json["top1"] = result.images ? 100.0 * result.correct / result.images : 0.0;
  json["latency_us"] = {{"p50", result.percentile(.50)}, {"p90", result.percentile(.90)}, {"p99", result.percentile(.99)}};
  json["images_per_s"] = result.seconds > 0 ? result.images / result.seconds : 0.0;
  json["digest"] = result.integer ? nlohmann::ordered_json(hex(result.digest)) : nlohmann::ordered_json(nullptr);
  uint64_t spikes = 0, slots = 0;
  json["layers"] = nlohmann::ordered_json::array();
  for (const LayerStats &layer : result.layers) {
    spikes += layer.spikes, slots += layer.neurons * layer.steps;
    json["layers"].push_back({{"name", layer.name}, {"neurons", layer.neurons}, {"spike_rate", layer.rate()}, {"synops", layer.synops}, {"clips", layer.clips}});
  }
  json["spike_rate"] = slots ? double(spikes) / slots : 0.0;
  return json;
}

} // namespace lasnn::tools
