#include "distill/teacher.h"
#include "distill/arch_recipe.h"
#include "distill/safetensors.h"

#include <fmt/format.h>
#include <torch/script.h>

#include <regex>
#include <set>

namespace lasnn::distill {
namespace {

void checkShape(const std::string &who, const Arch &a, const data::Dataset &set) {
  if (a.channels != set.channels || a.height != set.height || a.width != set.width || a.classes != set.classes)
    throw std::runtime_error(fmt::format("{} takes {}x{}x{} images of {} classes, data set {} has {}x{}x{} and {}; give a teacher of that set", who,
                                         a.channels, a.height, a.width, a.classes, set.name, set.channels, set.height, set.width, set.classes));
}

class NetworkTeacher : public Teacher {
public:
  NetworkTeacher(const std::shared_ptr<Network> &network, torch::Tensor scale, torch::Tensor shift)
      : network_(network), scale_(std::move(scale)), shift_(std::move(shift)) {
    network_->eval();
    for (torch::Tensor &p : network_->parameters())
      p.set_requires_grad(false);
    for (const std::string &name : network_->layerNames())
      layers_.emplace_back(name, network_->layerShape(name));
  }
  Forward forward(const torch::Tensor &images) override {
    torch::NoGradGuard noGrad;
    return network_->forward({scale_.defined() ? images * scale_ + shift_ : images, 1}, 1);
  }
  void to(torch::Device device, bool bfloat16) override {
    network_->to(device);
    network_->bfloat16 = bfloat16;
    if (scale_.defined())
      scale_ = scale_.to(device), shift_ = shift_.to(device);
  }
  std::shared_ptr<Network> network() const override { return network_; }

private:
  std::shared_ptr<Network> network_;
  torch::Tensor scale_, shift_; // from the data set's normalisation to the teacher's; undefined: they are equal
};

class ScriptTeacher : public Teacher {
public:
  ScriptTeacher(const std::string &path, const data::Dataset &set) : path_(path) {
    try {
      module_ = torch::jit::load(path);
    } catch (const std::exception &) {
      throw std::runtime_error(fmt::format("{}: is not a TorchScript module; write one with torch.jit.script(model).save(FILE)", path));
    }
    module_.eval();
    const Forward probe = forward(torch::zeros({1, set.channels, set.height, set.width}));
    if (probe.logits.x.dim() != 2 || probe.logits.x.size(1) != set.classes)
      throw std::runtime_error(fmt::format("{}: gives logits [{}], data set {} needs [B, {}]", path, fmt::join(probe.logits.x.sizes().vec(), ", "),
                                           set.name, set.classes));
    for (const auto &[name, value] : probe.layers) {
      std::vector<int64_t> shape = value.x.sizes().vec();
      if (shape.size() != 2 && shape.size() != 4)
        throw std::runtime_error(fmt::format("{}: feature \"{}\" has shape [{}], expected [B,C,H,W] or [B,F]", path, name, fmt::join(shape, ", ")));
      shape.erase(shape.begin());
      layers_.emplace_back(name, shape);
    }
  }
  Forward forward(const torch::Tensor &images) override try {
    torch::NoGradGuard noGrad;
    const c10::IValue result = module_.forward({bfloat16_ ? images.to(torch::kBFloat16) : images});
    Forward out;
    if (result.isTensor()) {
      out.logits = {result.toTensor().to(torch::kFloat32), 1};
      return out;
    }
    const auto &parts = result.toTupleRef().elements();
    out.logits = {parts.at(0).toTensor().to(torch::kFloat32), 1};
    for (const auto &item : parts.at(1).toGenericDict())
      out.layers.emplace_back(item.key().toStringRef(), Steps{item.value().toTensor(), 1});
    return out;
  } catch (const std::exception &e) {
    const std::string what = e.what();
    throw std::runtime_error(fmt::format("{}: forward(images) failed or returned neither logits nor (logits, Dict[str, Tensor]): {}", path_,
                                         what.substr(0, what.find('\n'))));
  }
  void to(torch::Device device, bool bfloat16) override {
    module_.to(device);
    bfloat16_ = bfloat16;
    if (bfloat16)
      module_.to(torch::kBFloat16);
  }

private:
  std::string path_;
  torch::jit::Module module_;
  bool bfloat16_ = false;
};

/// ResNet-(6n+2): widths 16, 32, 64, a ReLU after each sum, option-A shortcuts.
nlohmann::json cifarResnet(int64_t blocks, int64_t classes) {
  const nlohmann::json recipe = {{"resnet", {{"blocks", {blocks, blocks, blocks}}, {"widths", {16, 32, 64}}, {"downsample", "pad"}, {"head", "linear"}}}};
  return {{"name", fmt::format("resnet{}", 6 * blocks + 2)}, {"input", {3, 32, 32}}, {"classes", classes}, {"nodes", recipeNodes(recipe)},
          {"recipe", recipe}};
}

/// conv1 -> bn1, layer1.0.conv2 -> layer1.0.bn2
std::string normalisationOf(const std::string &conv) { return std::regex_replace(conv, std::regex("conv(\\d)$"), "bn$1"); }

std::vector<float> numbersAfter(const std::string &text, const std::string &word, std::vector<float> otherwise) {
  std::smatch found;
  if (!std::regex_search(text, found, std::regex(word + "\\s*([.0-9]+),\\s*([.0-9]+),\\s*([.0-9]+)")))
    return otherwise;
  return {std::stof(found[1]), std::stof(found[2]), std::stof(found[3])};
}

} // namespace

Model loadSafetensorsModel(const std::string &path) {
  const Safetensors file = readSafetensors(path);
  std::set<std::string> unused;
  for (const auto &[name, tensor] : file.tensors)
    unused.insert(name);
  int64_t blocks = 0;
  while (file.tensors.count(fmt::format("layer1.{}.conv1.weight", blocks)))
    ++blocks;
  const auto head = file.tensors.find("linear.weight");
  if (blocks == 0 || head == file.tensors.end() || head->second.dim() != 2)
    throw std::runtime_error(fmt::format("{}: no known architecture has these {} tensors; known are CIFAR ResNets (conv1, bn1, layerS.B.convN, layerS.B.bnN, "
                                         "linear). Export the network as TorchScript and give the .ts file", path, file.tensors.size()));
  Model model;
  model.network = std::make_shared<Network>(archFromJson(cifarResnet(blocks, head->second.size(0))), std::nullopt);
  torch::NoGradGuard noGrad;
  auto copy = [&](torch::Tensor to, const std::string &name) {
    const auto found = file.tensors.find(name);
    if (found == file.tensors.end())
      throw std::runtime_error(fmt::format("{}: tensor {} is missing, which {} needs", path, name, model.network->arch.name));
    if (found->second.sizes() != to.sizes())
      throw std::runtime_error(fmt::format("{}: tensor {} has shape [{}], {} needs [{}]", path, name, fmt::join(found->second.sizes().vec(), ", "),
                                           model.network->arch.name, fmt::join(to.sizes().vec(), ", ")));
    to.copy_(found->second);
    unused.erase(name);
  };
  for (const auto &synapse : model.network->synapses()) {
    const std::string &name = synapse->desc.name;
    if (synapse->desc.identity)
      continue;
    copy(synapse->weight, name + ".weight");
    if (!synapse->desc.batchNorm) {
      copy(synapse->bias, name + ".bias");
      continue;
    }
    const std::string bn = normalisationOf(name);
    copy(synapse->gamma, bn + ".weight"), copy(synapse->shift, bn + ".bias");
    copy(synapse->runningMean, bn + ".running_mean"), copy(synapse->runningVar, bn + ".running_var");
    unused.erase(bn + ".num_batches_tracked");
  }
  if (!unused.empty())
    throw std::runtime_error(fmt::format("{}: {} has no place for tensor {} ({} such); it is another architecture", path, model.network->arch.name,
                                         *unused.begin(), unused.size()));
  const auto input = file.metadata.find("input");
  const std::string text = input == file.metadata.end() ? "" : input->second;
  model.meta = {{"kind", "teacher"}, {"arch", archToJson(model.network->arch)},
                {"data", {{"name", model.network->arch.classes == 100 ? "cifar100" : "cifar10"},
                          {"mean", numbersAfter(text, "mean", {0.485f, 0.456f, 0.406f})},
                          {"std", numbersAfter(text, "std", {0.229f, 0.224f, 0.225f})}}},
                {"training", {{"source", file.metadata.count("source") ? file.metadata.at("source") : path}}}};
  model.network->eval();
  return model;
}

Model loadAnyModel(const std::string &path) { return path.ends_with(".safetensors") ? loadSafetensorsModel(path) : loadModel(path); }

std::shared_ptr<Teacher> networkTeacher(const std::shared_ptr<Network> &network) {
  return std::make_shared<NetworkTeacher>(network, torch::Tensor(), torch::Tensor());
}

std::shared_ptr<Teacher> networkTeacher(const std::shared_ptr<Network> &network, const std::vector<float> &mean, const std::vector<float> &std,
                                        const data::Dataset &set) {
  if (mean == set.mean && std == set.std)
    return networkTeacher(network);
  // (pixel - m_t)/s_t of x = (pixel - m)/s:  x * s/s_t + (m - m_t)/s_t
  const std::vector<int64_t> shape = {1, int64_t(set.channels), 1, 1};
  const torch::Tensor m = torch::tensor(set.mean), s = torch::tensor(set.std), mt = torch::tensor(mean), st = torch::tensor(std);
  return std::make_shared<NetworkTeacher>(network, (s / st).view(shape), ((m - mt) / st).view(shape));
}

std::shared_ptr<Teacher> loadTeacher(const std::string &path, const data::Dataset &set) {
  if (path.ends_with(".ts") || path.ends_with(".torchscript"))
    return std::make_shared<ScriptTeacher>(path, set);
  const Model model = loadAnyModel(path);
  if (model.student())
    throw std::invalid_argument(fmt::format("{}: is a student; --teacher needs a model of `lasnn-distill teacher`", path));
  checkShape(path, model.network->arch, set);
  const auto &data = model.meta.at("data");
  return networkTeacher(model.network, data.at("mean").get<std::vector<float>>(), data.at("std").get<std::vector<float>>(), set);
}

} // namespace lasnn::distill
