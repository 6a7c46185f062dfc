#include "distill/trace.h"
#include "distill/evaluate.h"
#include "distill/file.h"
#include "distill/learn.h"

#include <fstream>
#include <numeric>

namespace lasnn::distill {

void traceStudent(const Model &model, const data::Dataset &set, const std::string &path) {
  const std::string encoding = model.meta.value("encoding", "direct");
  if (!model.student() || encoding == "poisson")
    throw std::runtime_error("only students of direct encoding or of events can be traced: their input is the same for every executor");
  checkDataset(model, set);
  torch::InferenceMode inference;
  const int64_t T = model.timesteps(), n = int64_t(set.count);
  std::vector<uint32_t> order(set.count);
  std::iota(order.begin(), order.end(), 0u);
  const Batch batch = makeBatch(set, order, {}, 0, false);
  const Forward result = model.network->forward(encode(batch, encoding, T, 0), T);

  nlohmann::json head = {{"timesteps", T}, {"tensors", nlohmann::json::array()}};
  std::string bytes;
  auto put = [&](const std::string &name, torch::Tensor value) {
    value = value.contiguous();
    head["tensors"].push_back({{"name", name}, {"shape", value.sizes().vec()}});
    bytes.append(static_cast<const char *>(value.data_ptr()), size_t(value.numel()) * sizeof(float));
  };
  put("input", batch.frames == 1 ? batch.images : batch.images.view({batch.frames, n, set.channels, set.height, set.width}));
  auto bySteps = [&](const Steps &value) { // a static value is the same at every step
    std::vector<int64_t> shape = value.x.sizes().vec();
    shape[0] = n;
    shape.insert(shape.begin(), value.steps);
    std::vector<int64_t> wanted = shape;
    wanted[0] = T;
    return value.x.view(shape).expand(wanted);
  };
  for (const auto &[name, value] : result.layers)
    put(name + ".lif", bySteps(value));
  put("logits", bySteps(result.logits));
  if (result.integerLogits)
    put("logits.int", bySteps({result.integerLogits->x.to(torch::kFloat32), result.integerLogits->steps}));
  auto write = [](const std::string &to, const std::string &what) {
    writeAtomically(to, [&](const std::string &temporary) {
      std::ofstream file(temporary, std::ios::binary);
      file.write(what.data(), std::streamsize(what.size()));
      if (!file.flush())
        throw std::runtime_error(to + ": writing failed; is the disk full?");
    });
  };
  write(path + ".bin", bytes);
  write(path + ".json", head.dump());
}

} // namespace lasnn::distill
