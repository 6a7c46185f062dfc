#include "distill/model_file.h"
#include "distill/file.h"
#include "distill/quantize.h"

#include <fmt/format.h>

#include <filesystem>

namespace lasnn::distill {

void writeTensors(const torch::nn::Module &module, torch::serialize::OutputArchive &archive) {
  for (const auto &item : module.named_parameters())
    archive.write("p." + item.key(), item.value().detach().cpu()); // readable where there is no GPU
  for (const auto &item : module.named_buffers())
    archive.write("b." + item.key(), item.value().cpu(), true);
}

void readTensors(torch::nn::Module &module, torch::serialize::InputArchive &archive, const std::string &path) {
  torch::NoGradGuard noGrad;
  auto read = [&](const std::string &key, torch::Tensor to, bool buffer) {
    torch::Tensor value;
    if (!archive.try_read(key, value, buffer))
      throw std::runtime_error(fmt::format("{}: tensor {} is missing; the file was made by another version, train again", path, key));
    if (value.sizes() != to.sizes())
      throw std::runtime_error(fmt::format("{}: tensor {} has shape [{}], expected [{}]", path, key, fmt::join(value.sizes().vec(), ", "),
                                           fmt::join(to.sizes().vec(), ", ")));
    to.copy_(value);
  };
  for (auto &item : module.named_parameters())
    read("p." + item.key(), item.value(), false);
  for (auto &item : module.named_buffers())
    read("b." + item.key(), item.value(), true);
}

void saveModel(const Model &model, const std::string &path) {
  if (model.network->integer)
    model.network->integer->settle();
  writeAtomically(path, [&](const std::string &temporary) {
    torch::serialize::OutputArchive archive;
    nlohmann::json meta = model.meta;
    meta["format"] = "lasnn-distill";
    meta["version"] = 1;
    meta["arch"] = archToJson(model.network->arch);
    if (model.network->neuron)
      meta["neuron"] = neuronToJson(*model.network->neuron);
    if (model.network->integer)
      meta["integer"] = integerToJson(model.network->integer->options);
    else
      meta["activation"] = activationToJson(model.network->activation);
    archive.write("meta", c10::IValue(meta.dump()));
    writeTensors(*model.network, archive);
    archive.save_to(temporary);
  });
}

Model loadModel(const std::string &path) {
  if (!std::filesystem::is_regular_file(path))
    throw std::runtime_error(fmt::format("{}: no such file; `lasnn-distill teacher` and `student` write them with -o", path));
  torch::serialize::InputArchive archive;
  c10::IValue text;
  try {
    archive.load_from(path, torch::kCPU);
    if (!archive.try_read("meta", text) || !text.isString())
      throw std::runtime_error("no meta entry");
  } catch (const std::exception &) { // Torch's message is pages of stack; the rule is what helps
    throw std::runtime_error(fmt::format("{}: is not a model written by lasnn-distill, or is damaged", path));
  }
  Model model;
  model.meta = nlohmann::json::parse(text.toStringRef(), nullptr, false);
  if (model.meta.is_discarded() || model.meta.value("format", "") != "lasnn-distill" || model.meta.value("version", 0) != 1)
    throw std::runtime_error(fmt::format("{}: format {} version {}, this program reads lasnn-distill version 1", path,
                                         model.meta.value("format", "?"), model.meta.value("version", 0)));
  std::optional<NeuronOptions> neuron;
  if (model.meta.contains("neuron"))
    neuron = neuronFromJson(model.meta["neuron"]);
  model.network = std::make_shared<Network>(archFromJson(model.meta.at("arch")), neuron,
                                            model.meta.contains("activation") ? activationFromJson(model.meta["activation"]) : Activation());
  if (model.meta.contains("integer"))
    makeInteger(*model.network, integerFromJson(model.meta["integer"]));
  readTensors(*model.network, archive, path);
  model.network->eval();
  return model;
}

} // namespace lasnn::distill
