// QuantizeLinear and DequantizeLinear: constants are computed as ONNX defines them, in f32; of an activation the pair only
// rounds, so it is left out, but for a lower bound of 0, which is a Relu.
#include "frontend/onnx/node.h"

#include <fmt/format.h>
#include <onnx/onnx_pb.h>

#include <cmath>

using namespace mlir;

namespace lasnn::onnx_import {
namespace {

struct Scheme {
  ConstantRef scale, zero;
  int64_t axis = 1;
};

/// Inputs 1 and 2 and the axis; nullopt when something is wrong, which is reported.
std::optional<Scheme> readScheme(Node &node) {
  Scheme scheme;
  if (node.import.opset >= 13) scheme.axis = node.intAttr("axis", 1);
  node.intAttr("saturate", 1); // of 8-bit floats only
  if (node.import.opset >= 21) node.expectInt("block_size", 0, 0, "one scale a tensor or a channel is taken, no blocks");
  if (node.import.opset >= 21) node.expectInt("output_dtype", 0, 0, "give a zero point of the type");
  scheme.scale = node.floatConstant(1, "scale");
  if (node.hasInput(2)) scheme.zero = node.intConstant(2, "zero point");
  if (!scheme.scale || (node.hasInput(2) && !scheme.zero) || node.failed()) return std::nullopt;
  for (float value : scheme.scale->f)
    if (!(value > 0)) {
      node.error("O6") << fmt::format("the scale is {}, expected positive ones", value);
      return std::nullopt;
    }
  if (scheme.scale->f.empty() || scheme.scale->dims.size() > 1 || (scheme.zero && scheme.zero->size() != scheme.scale->size())) {
    node.error("O6") << "the scale has shape " << shapeText(scheme.scale->dims) << ", the zero point "
                     << (scheme.zero ? shapeText(scheme.zero->dims) : "none") << ", expected one value each, or one a channel";
    return std::nullopt;
  }
  return scheme;
}

/// Index of the scale of element k of a constant; nullopt when the scales do not fit, which is reported.
std::optional<std::pair<int64_t, int64_t>> channelsOf(Node &node, const Scheme &scheme, ArrayRef<int64_t> dims) {
  int64_t count = int64_t(scheme.scale->size()), inner = 1, rank = int64_t(dims.size());
  if (count == 1) return std::pair<int64_t, int64_t>{1, 1};
  int64_t axis = scheme.axis < 0 ? scheme.axis + rank : scheme.axis;
  if (axis < 0 || axis >= rank || dims[size_t(axis)] != count) {
    node.error("O6") << "there are " << count << " scales along axis " << scheme.axis << " of shape " << shapeText(dims)
                     << ", expected one for each entry";
    return std::nullopt;
  }
  for (int64_t k = axis + 1; k < rank; ++k)
    inner *= dims[size_t(k)];
  return std::pair<int64_t, int64_t>{inner, count};
}

/// Least and largest integer of a zero point's type; nullopt for others than 8 and 16 bits. Absent: uint8.
std::optional<std::pair<int64_t, int64_t>> rangeOf(const Scheme &scheme) {
  switch (scheme.zero ? scheme.zero->elementType : int32_t(onnx::TensorProto::UINT8)) {
  case onnx::TensorProto::UINT8:
    return std::pair<int64_t, int64_t>{0, 255};
  case onnx::TensorProto::INT8:
    return std::pair<int64_t, int64_t>{-128, 127};
  case onnx::TensorProto::UINT16:
    return std::pair<int64_t, int64_t>{0, 65535};
  case onnx::TensorProto::INT16:
    return std::pair<int64_t, int64_t>{-32768, 32767};
  }
  return std::nullopt;
}

} // namespace

void convertQuantize(Node &node) {
  std::optional<Scheme> scheme = readScheme(node);
  const Named *found = node.input(0, "input");
  if (!scheme || !found) return;
  auto range = rangeOf(*scheme);
  if (!range) {
    node.error("O6") << "the zero point has element type number " << scheme->zero->elementType << ", expected uint8, int8, uint16 or int16";
    return;
  }
  auto [least, most] = *range;
  if (found->kind == Named::Kind::Constant) {
    ConstantRef data = node.floatConstant(0, "input");
    auto channels = data ? channelsOf(node, *scheme, data->dims) : std::nullopt;
    if (!channels) return;
    Constant result;
    result.dims = data->dims;
    result.isFloat = false;
    result.elementType = scheme->zero ? scheme->zero->elementType : int32_t(onnx::TensorProto::UINT8);
    for (size_t k = 0; k < data->f.size(); ++k) {
      size_t c = size_t(int64_t(k) / channels->first % channels->second);
      double value = double(std::nearbyint(data->f[k] / scheme->scale->f[c])) + double(scheme->zero ? scheme->zero->i[c] : 0);
      result.i.push_back(int64_t(std::clamp(value, double(least), double(most))));
    }
    return node.result(std::move(result));
  }
  if (!(found = node.laidOut(0, "input"))) return;
  Named value = *found;
  if (value.quantized) {
    node.error("O7") << "its input is quantized already, expected a DequantizeLinear before it";
    return;
  }
  // Nothing below the least integer comes through: with the zero point there, nothing negative does.
  bool bounded =
      llvm::all_of(scheme->zero ? ArrayRef<int64_t>(scheme->zero->i) : ArrayRef<int64_t>{0}, [&](int64_t z) { return z == least; });
  Operation *producer = value.tensor.getDefiningOp();
  bool positive = isa<snn::ReluOp, snn::LIFOp, snn::IFOp>(producer);
  if (auto encode = dyn_cast<snn::EncodeOp>(producer)) // pixels are positive, unless a mean is taken off
    positive = !encode.getMean() || llvm::all_of(*encode.getMean(), [](float mean) { return mean <= 0; });
  bool relu = bounded && !positive;
  node.import.remark(node.loc, "O6") << "node " << quoted(node.name) << " (QuantizeLinear): activations are not rounded to units of "
                                     << fmt::format("{}", scheme->scale->f[0])
                                     << (relu ? ", but nothing below 0 passes: it becomes a relu" : ", nor bounded");
  if (relu) value.tensor = node.builder().create<snn::ReluOp>(node.loc, value.tensor.getType(), value.tensor);
  value.quantized = true;
  node.result(0, std::move(value));
}

void convertDequantize(Node &node) {
  std::optional<Scheme> scheme = readScheme(node);
  const Named *found = node.input(0, "input");
  if (!scheme || !found) return;
  if (found->kind != Named::Kind::Constant) {
    if (!(found = node.laidOut(0, "input"))) return;
    Named value = *found;
    if (!value.quantized) {
      node.error("O7").append("its input is no result of a QuantizeLinear, expected one, or a constant").attachNote()
          << "the network's input is float: (pixel/255 - mean)/std";
      return;
    }
    value.quantized = false;
    return node.result(0, std::move(value));
  }
  ConstantRef data = node.intConstant(0, "input");
  auto channels = data ? channelsOf(node, *scheme, data->dims) : std::nullopt;
  if (!channels) return;
  Constant result;
  result.dims = data->dims;
  for (size_t k = 0; k < data->i.size(); ++k) {
    size_t c = size_t(int64_t(k) / channels->first % channels->second);
    int64_t zero = scheme->zero ? scheme->zero->i[c] : 0, difference = 0;
    float value =
        __builtin_sub_overflow(data->i[k], zero, &difference) || data->i[k] == kBatch ? INFINITY : float(difference) * scheme->scale->f[c];
    if (!std::isfinite(value)) {
      node.error("T3") << "a dequantized value leaves f32's range, expected finite values";
      return;
    }
    result.f.push_back(value);
  }
  node.result(std::move(result));
}

} // namespace lasnn::onnx_import
