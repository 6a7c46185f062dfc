// One ONNX node as its handler sees it: inputs, attributes and results, with every problem reported on the node itself.
#pragma once

#include "frontend/onnx/constant.h"
#include "frontend/onnx/neuron_body.h"
#include "frontend/onnx/view.h"
#include "frontend/quoted.h"
#include "ir/Snn.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

#include <optional>

namespace onnx {
class AttributeProto;
class ModelProto;
class NodeProto;
} // namespace onnx

namespace lasnn::onnx_import {

/// What the name of an ONNX value stands for.
struct Named {
  enum class Kind { Poison, Tensor, Constant, StateIn, StateOut } kind = Kind::Poison;
  mlir::Value tensor;                      ///< Tensor
  ConstantRef constant;                    ///< Constant
  int state = -1;                          ///< StateIn, StateOut: index into Import::states
  std::optional<View> view = std::nullopt; ///< Tensor: absent where the value is the tensor as it lies there
  bool dropped = false;                    ///< Tensor: stands for what was left out behind it, a Softmax or ArgMax
  bool quantized = false; ///< Tensor: between QuantizeLinear and DequantizeLinear
  View layout() const { return view ? *view : View::of(snn::tensorType(tensor).getShape()); }
};
llvm::StringRef kindText(Named::Kind kind);

/// The membrane of one neuron layer: graph input STEM.v_in, the neuron that uses it, graph output STEM.v_out.
struct State {
  std::string stem;
  llvm::SmallVector<int64_t, 3> shape; ///< empty when the graph input's was wrong
  std::string neuron;                  ///< the node that uses it
  bool returned = false;
};

/// What all nodes of one import share.
struct Import {
  mlir::MLIRContext *context;
  mlir::OpBuilder builder; ///< inserts into the network's body
  const onnx::ModelProto *model;
  int64_t opset = 0;
  bool failed = false;
  llvm::StringMap<Named> values;
  std::vector<State> states;
  /// Bodies are read once a function, on first use; null: refused, and said so.
  llvm::StringMap<std::optional<NeuronModel>> functions;
  /// Constant adds, as batch_norm, that may become the bias of the synapse before them.
  std::vector<mlir::Operation *> biasAdds;
  /// Results of Pad and Concat, which are convolutions or sums with 0 and 1 as weights until their users take them in.
  llvm::DenseMap<mlir::Value, llvm::SmallVector<int64_t, 4>> pads;
  llvm::DenseMap<mlir::Value, llvm::SmallVector<mlir::Value, 4>> concats;
  int64_t placing = 0; ///< weights that the Concats of this file took
  llvm::StringSet<> consumed; ///< names that some node takes
  int neurons = 0;

  Import(mlir::MLIRContext *context, const onnx::ModelProto *model) : context(context), builder(context), model(model) {}
  mlir::InFlightDiagnostic error(mlir::Location loc, llvm::StringRef rule);
  mlir::InFlightDiagnostic warning(mlir::Location loc, llvm::StringRef rule);
  mlir::InFlightDiagnostic remark(mlir::Location loc, llvm::StringRef rule);
  mlir::Location nameLoc(llvm::StringRef name);
};

class Node {
public:
  Import &import;
  const onnx::NodeProto &proto;
  std::string name; ///< in reports
  mlir::Location loc;

  Node(Import &import, const onnx::NodeProto &proto, std::string name);

  mlir::OpBuilder &builder() { return import.builder; }
  mlir::InFlightDiagnostic error(llvm::StringRef rule);
  bool failed() const { return hasFailed; }

  /// Inputs. A missing one, or one of another kind, is reported; null then, and null where the producer failed already.
  unsigned numInputs() const { return inputs; } ///< without empty ones at the end
  bool hasInput(unsigned index) const;
  llvm::StringRef inputName(unsigned index) const;
  const Named *input(unsigned index, llvm::StringRef what);
  mlir::Value activation(unsigned index, llvm::StringRef what);
  /// The same, as it lies: for what treats all elements alike. Null as above.
  const Named *laidOut(unsigned index, llvm::StringRef what);
  /// A value [C,H,W], or [C,L] as an image of height 1: then `oneD` is set.
  mlir::Value image(unsigned index, llvm::StringRef rule, bool &oneD);
  ConstantRef constant(unsigned index, llvm::StringRef what);
  ConstantRef floatConstant(unsigned index, llvm::StringRef what);
  ConstantRef intConstant(unsigned index, llvm::StringRef what);

  /// Attributes: the default when absent; a wrong type is reported.
  const onnx::AttributeProto *attribute(llvm::StringRef name);
  int64_t intAttr(llvm::StringRef name, int64_t byDefault);
  float floatAttr(llvm::StringRef name, float byDefault);
  std::optional<float> floatAttr(llvm::StringRef name);
  std::string stringAttr(llvm::StringRef name, llvm::StringRef byDefault);
  std::optional<llvm::SmallVector<int64_t>> intsAttr(llvm::StringRef name);
  /// Reports an integer attribute that is not `only`.
  void expectInt(llvm::StringRef name, int64_t byDefault, int64_t only, llvm::StringRef fix = "");
  /// Reports attributes that no handler asked for.
  void refuseOtherAttributes();
  void refuseAttribute(llvm::StringRef name, const std::string &actual, const std::string &expected, llvm::StringRef fix = "");

  /// An activation's shape within the limits of the dialect; otherwise reported.
  bool checkShape(llvm::ArrayRef<int64_t> shape);
  mlir::RankedTensorType tensorType(llvm::ArrayRef<int64_t> shape);
  mlir::DenseElementsAttr attr(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<float> values);

  void result(unsigned index, Named value);
  void result(mlir::Value tensor) { result(0, Named{Named::Kind::Tensor, tensor, nullptr, -1}); }
  void result(mlir::Value tensor, const std::optional<View> &view) { result(0, Named{Named::Kind::Tensor, tensor, nullptr, -1, view}); }
  /// A view of a tensor; as the tensor itself where it is the same, and flattened where it is a vector in order.
  void viewed(mlir::Value tensor, View view);
  /// An image, [C,L] when `oneD`.
  void resultImage(mlir::Value tensor, bool oneD);
  void result(Constant constant);
  bool hasOutput(unsigned index) const;

private:
  unsigned inputs = 0;
  bool hasFailed = false;
  llvm::StringSet<> used;
  const onnx::AttributeProto *typed(llvm::StringRef name, int type, llvm::StringRef typeText);
};

/// The operators: one line each.
struct OpEntry {
  const char *name;
  int64_t firstOpset, lastOpset;
  unsigned minInputs, maxInputs, maxOutputs;
  void (*convert)(Node &);
  const char *becomes, *limits;
};
llvm::ArrayRef<OpEntry> opTable();

// Handlers, by file.
void convertConv(Node &), convertGemm(Node &), convertMatMul(Node &), convertBatchNorm(Node &), convertAdd(Node &); // synapse.cpp
void convertAveragePool(Node &), convertGlobalAveragePool(Node &), convertMaxPool(Node &);                          // window.cpp
void convertFlatten(Node &), convertReshape(Node &), convertRelu(Node &), convertIdentity(Node &), convertDropout(Node &),
    convertConstant(Node &), convertCast(Node &), convertShape(Node &), convertGather(Node &), convertConcat(Node &),
    convertUnsqueeze(Node &), convertSqueeze(Node &);                                                      // shape.cpp
void convertTranspose(Node &), convertPad(Node &);                                                         // shape.cpp
void convertSub(Node &), convertMul(Node &), convertDiv(Node &), convertClip(Node &), convertLast(Node &); // elementwise.cpp
void convertGlobalMaxPool(Node &), convertReduceMean(Node &);                                              // window.cpp
void convertQuantize(Node &), convertDequantize(Node &);                                                   // quantize.cpp
void convertNeuron(Node &);                                                                                // neuron.cpp

/// Strides, pads and dilations of a window over [C,H,W], auto_pad resolved (window.cpp).
struct Window {
  llvm::SmallVector<int64_t, 2> kernel, strides, dilations;
  llvm::SmallVector<int64_t, 4> pads; ///< top, left, bottom, right
  llvm::SmallVector<int64_t, 3> result;
};
/// `kernel` is the weight's, empty for a pool; nullopt when anything is wrong, all of it reported. `input` may be null: then
/// attributes alone are checked.
std::optional<Window> readWindow(Node &node, bool oneD, llvm::ArrayRef<int64_t> kernel, mlir::Value input, int64_t channels,
                                 llvm::StringRef attrRule, llvm::StringRef sizeRule);

/// Folds Add, Sub, Mul or Div of two constants (elementwise.cpp).
void foldConstants(Node &node, char op);
/// One value, or one a channel, of a constant beside a laid-out value; empty when it varies along other axes too.
std::vector<float> channelVector(const Constant &constant, const Named &value);
/// A batch_norm x * gamma[c] + beta[c]; lists of one value serve all channels.
mlir::Value emitScale(Node &node, mlir::Value input, std::vector<float> gamma, std::vector<float> beta);

/// Constant adds into the bias of their synapse, where nothing else uses its result (synapse.cpp).
void foldBiasAdds(Import &import);

} // namespace lasnn::onnx_import
