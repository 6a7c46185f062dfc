// The frozen network that a student learns from: one of our own model files, a known architecture's safetensors, or TorchScript.
#pragma once

#include "distill/model_file.h"
#include "frontend/data/data.h"

namespace lasnn::distill {

/// Read-only while students train: evaluation mode, no gradients; replicas on several threads share it.
class Teacher {
public:
  virtual ~Teacher() = default;
  /// images [B,C,H,W] normalised as the student's data set is; the features carry the names of layers().
  virtual Forward forward(const torch::Tensor &images) = 0;
  virtual void to(torch::Device, bool bfloat16) = 0;
  /// Layers whose features can be compared, in order, each [C,H,W] or [F]. Empty: the teacher gives logits alone.
  const std::vector<std::pair<std::string, std::vector<int64_t>>> &layers() const { return layers_; }
  /// Our own network when it is one, whose weights may start a student; else null.
  virtual std::shared_ptr<Network> network() const { return nullptr; }

protected:
  std::vector<std::pair<std::string, std::vector<int64_t>>> layers_;
};

/// A network of ours; `mean` and `std` are those it was trained with, `set` the data set whose images it will see.
std::shared_ptr<Teacher> networkTeacher(const std::shared_ptr<Network> &, const std::vector<float> &mean, const std::vector<float> &std,
                                        const data::Dataset &set);
/// Equal normalisation.
std::shared_ptr<Teacher> networkTeacher(const std::shared_ptr<Network> &);

/// By the file's ending: .safetensors (see loadSafetensorsModel), .ts or .torchscript (a module that takes images normalised as the
/// data set's and returns logits [B,K], or (logits, Dict[str, Tensor]) with features to compare), else a model file of ours. Throws std::runtime_error.
std::shared_ptr<Teacher> loadTeacher(const std::string &path, const data::Dataset &set);

/// A network of a known architecture as an ordinary teacher's Model. Known: CIFAR ResNets of 6n+2 layers with identity shortcuts
/// (He et al. 2016, section 4.2) under the usual names conv1, bn1, layerS.B.convN, layerS.B.bnN, linear. Their normalisation is read from
/// the file's metadata ("input": "... mean a,b,c std d,e,f"), else ImageNet's is taken.
Model loadSafetensorsModel(const std::string &path);

/// The model of `path`, whichever of our two forms it has.
Model loadAnyModel(const std::string &path);

} // namespace lasnn::distill
