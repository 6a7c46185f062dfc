#include "distill/checkpoint.h"
#include "distill/file.h"
#include "distill/model_file.h"

#include <fmt/format.h>
#include <signal.h>

#include <charconv>
#include <filesystem>
#include <set>
#include <sstream>

namespace lasnn::distill {
namespace {

constexpr int64_t layout = 2; // of this file; 1 had whole epochs only

void flattenSettings(const nlohmann::json &json, const std::string &at, std::map<std::string, std::string> &to) {
  if (json.is_object() && !json.empty())
    for (const auto &[key, value] : json.items())
      flattenSettings(value, at.empty() ? key : at + "." + key, to);
  else if (!at.empty())
    to[at] = json.dump();
}

/// A run killed while it wrote leaves FILE.tmpPID; its process is gone, so nobody else will take it away.
void removeLeftovers(const std::string &path) {
  std::error_code ignored;
  const std::filesystem::path file(path);
  const std::string prefix = file.filename().string() + ".tmp";
  for (const auto &entry : std::filesystem::directory_iterator(file.parent_path().empty() ? "." : file.parent_path(), ignored)) {
    const std::string name = entry.path().filename();
    int process = 0;
    if (!name.starts_with(prefix))
      continue;
    const auto [stop, failure] = std::from_chars(name.data() + prefix.size(), name.data() + name.size(), process);
    if (failure == std::errc() && stop == name.data() + name.size() && process > 0 && kill(process, 0) != 0 && errno == ESRCH)
      std::filesystem::remove(entry.path(), ignored);
  }
}

} // namespace

torch::Tensor flatTensors(const std::vector<torch::Tensor> &tensors) {
  std::vector<torch::Tensor> parts;
  for (const torch::Tensor &tensor : tensors)
    parts.push_back(tensor.detach().to(torch::kCPU, torch::kFloat64).flatten());
  return parts.empty() ? torch::zeros({0}, torch::kFloat64) : torch::cat(parts);
}

void setTensors(const std::vector<torch::Tensor> &tensors, const torch::Tensor &flat) {
  torch::NoGradGuard noGrad;
  int64_t at = 0;
  for (torch::Tensor tensor : tensors) {
    tensor.copy_(flat.narrow(0, at, tensor.numel()).view(tensor.sizes()));
    at += tensor.numel();
  }
}

std::string settingsDifference(const nlohmann::json &checkpoint, const nlohmann::json &run) {
  std::map<std::string, std::string> theirs, ours;
  flattenSettings(checkpoint, "", theirs);
  flattenSettings(run, "", ours);
  std::set<std::string> names;
  for (const auto *side : {&theirs, &ours})
    for (const auto &[name, value] : *side)
      names.insert(name);
  std::string lines;
  for (const std::string &name : names) {
    const std::string left = theirs.contains(name) ? theirs[name] : "absent", right = ours.contains(name) ? ours[name] : "absent";
    if (left != right)
      lines += fmt::format("\n  {:<28} checkpoint: {:<16} this run: {}", name, left, right);
  }
  return lines;
}

void saveCheckpoint(const std::string &path, const Learner &learner, torch::optim::Optimizer &optimizer, Ema *ema,
                    const std::vector<torch::Tensor> &buffers, const Place &place, const nlohmann::json &run) {
  writeAtomically(path, [&](const std::string &temporary) {
    torch::serialize::OutputArchive archive, state, average;
    const nlohmann::json at = {{"epoch", place.epoch}, {"step", place.step}, {"history", place.history}, {"sums", place.sums},
                               {"images", place.images}, {"seconds_of_epoch", place.secondsOfEpoch}, {"seconds", place.seconds},
                               {"replicas", buffers.size()}, {"layout", layout}};
    archive.write("run", c10::IValue(run.dump()));
    archive.write("place", c10::IValue(at.dump()));
    writeTensors(*learner.root, archive);
    for (size_t k = 0; k < buffers.size(); ++k)
      archive.write(fmt::format("buffers.{}", k), buffers[k], true);
    optimizer.save(state);
    archive.write("optimizer", state);
    if (ema) {
      for (size_t i = 0; i < ema->tensors().size(); ++i)
        average.write(fmt::format("{}", i), ema->tensors()[i], true);
      archive.write("ema", average);
    }
    archive.save_to(temporary);
  });
}

std::string readCheckpoint(const std::string &path) {
  removeLeftovers(path);
  std::string bytes, error;
  if (std::filesystem::exists(path) && !readText(path, bytes, error))
    throw std::runtime_error(error);
  return bytes;
}

Loaded loadCheckpoint(const std::string &bytes, const std::string &path, const Learner &learner, torch::optim::Optimizer &optimizer, Ema *ema,
                      const nlohmann::json &run) {
  torch::serialize::InputArchive archive, state, average;
  c10::IValue runText, placeText;
  nlohmann::json at;
  try {
    archive.load_from(bytes.data(), bytes.size(), learner.root->parameters().at(0).device()); // the optimizer's state goes where the weights are
    archive.read("run", runText);
    archive.read("place", placeText);
    at = nlohmann::json::parse(placeText.toStringRef());
    if (at.at("layout") != layout)
      throw std::runtime_error("layout");
  } catch (const std::exception &) {
    throw std::runtime_error(fmt::format("{}: is not a checkpoint of this version of lasnn-distill, or is damaged; remove it to start anew", path));
  }
  const std::string differences = settingsDifference(nlohmann::json::parse(runText.toStringRef(), nullptr, false), run);
  if (!differences.empty())
    throw std::runtime_error(fmt::format("{}: was made with other settings; give the same ones, or remove the file to start anew:{}", path, differences));
  readTensors(*learner.root, archive, path);
  archive.read("optimizer", state);
  optimizer.load(state);
  if (ema) {
    archive.read("ema", average);
    torch::NoGradGuard noGrad;
    for (size_t i = 0; i < ema->tensors().size(); ++i) {
      torch::Tensor value;
      average.read(fmt::format("{}", i), value, true);
      ema->tensors()[i].copy_(value);
    }
  }
  Loaded out;
  out.place = {at.at("epoch"), at.at("step"), at.at("history"), at.at("sums"), at.at("images"), at.at("seconds_of_epoch"), at.at("seconds")};
  for (size_t k = 0; k < at.at("replicas").get<size_t>(); ++k) {
    out.buffers.emplace_back();
    archive.read(fmt::format("buffers.{}", k), out.buffers.back(), true);
  }
  return out;
}

} // namespace lasnn::distill
