// What a neuron function computes, read from its body (docs/student-onnx.md): the name is only believed when the body agrees.
#pragma once

#include "ir/Snn.h"
#include "llvm/ADT/StringRef.h"

#include <optional>
#include <string>

namespace onnx {
class FunctionProto;
}

namespace lasnn::onnx_import {

struct NeuronModel {
  bool leaky = false;
  std::optional<float> fixedBeta; ///< written in the body; otherwise the node's attribute `beta`
  snn::Compare compare = snn::Compare::Gt;
  snn::Reset reset = snn::Reset::Zero;
};

/// The name's part of the truth: LIF_zero, IF_value, …; nullopt for any other name.
std::optional<NeuronModel> neuronFromName(llvm::StringRef name);

struct BodyProblem {
  std::string node; ///< the node of the body that differs; empty: the function as a whole
  std::string text, fix;
};
/// The body's part. On failure nullopt, and `problem` says which node differs from what the name promises.
std::optional<NeuronModel> neuronFromBody(const onnx::FunctionProto &function, const NeuronModel &promised, BodyProblem &problem);

} // namespace lasnn::onnx_import
