#include "frontend/onnx/constant.h"

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Endian.h"

#include <fmt/format.h>
#include <onnx/onnx_pb.h>

#include <cmath>
#include <cstring>

using llvm::ArrayRef;

namespace lasnn::onnx_import {

std::string shapeText(ArrayRef<int64_t> shape) {
  std::string text = "[";
  for (auto [i, dim] : llvm::enumerate(shape)) text += (i ? "," : "") + (dim == kBatch ? "N" : std::to_string(dim));
  return text + "]";
}

int64_t elementCount(ArrayRef<int64_t> dims) {
  int64_t count = 1;
  bool zero = false;
  for (int64_t dim : dims) {
    if (dim < 0 || dim > kMaxElements) return -1;
    if (dim == 0) {
      zero = true;
      continue;
    }
    if (count > kMaxElements / dim) return -1;
    count *= dim;
  }
  return zero ? 0 : count;
}

namespace {

float fromHalf(uint16_t bits, const llvm::fltSemantics &semantics) {
  llvm::APFloat value(semantics, llvm::APInt(16, bits));
  bool exact;
  value.convert(llvm::APFloat::IEEEsingle(), llvm::APFloat::rmNearestTiesToEven, &exact);
  return value.convertToFloat();
}

/// `double` to `float`; what overflows becomes infinity here and is refused with the rest.
float narrow(double value) {
  if (std::isfinite(value) && std::abs(value) > double(std::numeric_limits<float>::max()))
    return std::copysign(std::numeric_limits<float>::infinity(), float(value > 0 ? 1 : -1));
  return float(value);
}

template <typename T> T littleEndian(const char *at) {
  return llvm::support::endian::read<T, llvm::endianness::little>(at);
}
float littleFloat(const char *at) { return llvm::bit_cast<float>(littleEndian<uint32_t>(at)); }
double littleDouble(const char *at) { return llvm::bit_cast<double>(littleEndian<uint64_t>(at)); }

/// One of ONNX's element types: its size in raw_data, its typed field's length, and how one element is read from either.
struct ElementType {
  int32_t type;
  const char *name;
  size_t rawSize;
  int (*typedSize)(const onnx::TensorProto &);
  float (*rawFloat)(const char *);
  float (*typedFloat)(const onnx::TensorProto &, int);
  int64_t (*rawInt)(const char *);
  int64_t (*typedInt)(const onnx::TensorProto &, int);
};
using Tensor = onnx::TensorProto;
const ElementType elementTypes[] = {
    {Tensor::FLOAT, "float", 4, [](const Tensor &t) { return t.float_data_size(); }, littleFloat,
     [](const Tensor &t, int k) { return t.float_data(k); }, nullptr, nullptr},
    {Tensor::DOUBLE, "double", 8, [](const Tensor &t) { return t.double_data_size(); },
     [](const char *at) { return narrow(littleDouble(at)); }, [](const Tensor &t, int k) { return narrow(t.double_data(k)); },
     nullptr, nullptr},
    {Tensor::FLOAT16, "float16", 2, [](const Tensor &t) { return t.int32_data_size(); },
     [](const char *at) { return fromHalf(littleEndian<uint16_t>(at), llvm::APFloat::IEEEhalf()); },
     [](const Tensor &t, int k) { return fromHalf(uint16_t(t.int32_data(k)), llvm::APFloat::IEEEhalf()); }, nullptr, nullptr},
    {Tensor::BFLOAT16, "bfloat16", 2, [](const Tensor &t) { return t.int32_data_size(); },
     [](const char *at) { return fromHalf(littleEndian<uint16_t>(at), llvm::APFloat::BFloat()); },
     [](const Tensor &t, int k) { return fromHalf(uint16_t(t.int32_data(k)), llvm::APFloat::BFloat()); }, nullptr, nullptr},
    {Tensor::INT64, "int64", 8, [](const Tensor &t) { return t.int64_data_size(); }, nullptr, nullptr,
     [](const char *at) { return littleEndian<int64_t>(at); }, [](const Tensor &t, int k) { return int64_t(t.int64_data(k)); }},
    {Tensor::INT32, "int32", 4, [](const Tensor &t) { return t.int32_data_size(); }, nullptr, nullptr,
     [](const char *at) { return int64_t(littleEndian<int32_t>(at)); },
     [](const Tensor &t, int k) { return int64_t(t.int32_data(k)); }},
    {Tensor::INT8, "int8", 1, [](const Tensor &t) { return t.int32_data_size(); }, nullptr, nullptr,
     [](const char *at) { return int64_t(littleEndian<int8_t>(at)); }, [](const Tensor &t, int k) { return int64_t(int8_t(t.int32_data(k))); }},
    {Tensor::UINT8, "uint8", 1, [](const Tensor &t) { return t.int32_data_size(); }, nullptr, nullptr,
     [](const char *at) { return int64_t(littleEndian<uint8_t>(at)); }, [](const Tensor &t, int k) { return int64_t(uint8_t(t.int32_data(k))); }},
    {Tensor::INT16, "int16", 2, [](const Tensor &t) { return t.int32_data_size(); }, nullptr, nullptr,
     [](const char *at) { return int64_t(littleEndian<int16_t>(at)); }, [](const Tensor &t, int k) { return int64_t(int16_t(t.int32_data(k))); }},
    {Tensor::UINT16, "uint16", 2, [](const Tensor &t) { return t.int32_data_size(); }, nullptr, nullptr,
     [](const char *at) { return int64_t(littleEndian<uint16_t>(at)); }, [](const Tensor &t, int k) { return int64_t(uint16_t(t.int32_data(k))); }},
    {Tensor::BOOL, "bool", 1, [](const Tensor &t) { return t.int32_data_size(); }, nullptr, nullptr,
     [](const char *at) { return int64_t(*at != 0); }, [](const Tensor &t, int k) { return int64_t(t.int32_data(k) != 0); }},
};

} // namespace

ConstantRef decodeTensor(const onnx::TensorProto &tensor, std::string &problem, std::string &fix) {
  auto refuse = [&](std::string what, std::string todo = "") -> ConstantRef {
    problem = std::move(what);
    fix = std::move(todo);
    return nullptr;
  };
  if (tensor.data_location() == Tensor::EXTERNAL || tensor.external_data_size() > 0)
    return refuse("its data lies in another file, expected it inside this one",
                  "save the model in one file: onnx.save(model, path, save_as_external_data=False)");
  if (tensor.has_segment()) return refuse("it is stored in segments, expected one piece");
  if (tensor.dims_size() > 8) return refuse(fmt::format("it has {} axes, expected at most 8", tensor.dims_size()));
  auto constant = std::make_shared<Constant>();
  constant->dims.assign(tensor.dims().begin(), tensor.dims().end());
  int64_t count = elementCount(constant->dims);
  if (count < 0)
    return refuse(fmt::format("its shape is {}, expected no negative size and at most {} elements", shapeText(constant->dims), kMaxElements));
  const ElementType *type = llvm::find_if(elementTypes, [&](const ElementType &t) { return t.type == tensor.data_type(); });
  if (type == std::end(elementTypes))
    return refuse(fmt::format("its element type is number {}, expected float, double, float16, bfloat16, (u)int8, (u)int16, int32, int64 or bool",
                              tensor.data_type()));
  const std::string &raw = tensor.raw_data();
  int typed = type->typedSize(tensor);
  if (!raw.empty() && typed > 0) return refuse("it has raw_data and typed data as well, expected one of the two");
  bool isRaw = typed == 0;
  if (isRaw && raw.size() != size_t(count) * type->rawSize)
    return refuse(fmt::format("it holds {} bytes, expected {} for {} of shape {}", raw.size(), size_t(count) * type->rawSize, type->name,
                              shapeText(constant->dims)));
  if (!isRaw && typed != count)
    return refuse(fmt::format("it holds {} values, expected {} for shape {}", typed, count, shapeText(constant->dims)));
  // Only now is memory taken: as many elements as the file itself holds.
  constant->elementType = type->type;
  constant->isFloat = type->rawFloat != nullptr;
  if (!constant->isFloat) {
    constant->i.resize(size_t(count));
    for (int k = 0; k < count; ++k) constant->i[k] = isRaw ? type->rawInt(raw.data() + k * type->rawSize) : type->typedInt(tensor, k);
    if (llvm::is_contained(constant->i, kBatch)) return refuse("it holds the value -2^63, expected larger ones");
    return constant;
  }
  constant->f.resize(size_t(count));
  for (int k = 0; k < count; ++k) {
    float value = isRaw ? type->rawFloat(raw.data() + k * type->rawSize) : type->typedFloat(tensor, k);
    if (!std::isfinite(value))
      return refuse(fmt::format("rule T3: it holds {} at flat index {}, expected values that are finite in f32",
                                std::isnan(value) ? "NaN" : "infinity", k),
                    "the training diverged, or the file is damaged: export the network again");
    constant->f[k] = value;
  }
  return constant;
}

std::vector<float> channelVector(const Constant &constant, ArrayRef<int64_t> shape) {
  if (!constant.isFloat || constant.f.empty()) return {};
  // The activation in ONNX has the batch axis in front.
  int64_t rank = int64_t(shape.size()) + 1, own = int64_t(constant.dims.size());
  if (own > rank) return {};
  bool onlyChannel = true;
  for (int64_t k = 0; k < own; ++k) {
    int64_t axis = rank - own + k; // 0 batch, 1 channel
    int64_t dim = constant.dims[k];
    if (dim == 1) continue;
    if (axis == 0 || dim != shape[axis - 1]) return {};
    if (axis != 1) onlyChannel = false;
  }
  if (llvm::all_equal(constant.f)) return {constant.f.front()};
  if (!onlyChannel) return {};
  return constant.f;
}

mlir::DenseElementsAttr toAttr(mlir::MLIRContext *context, ArrayRef<int64_t> shape, ArrayRef<float> values) {
  return mlir::DenseElementsAttr::get(mlir::RankedTensorType::get(shape, mlir::Float32Type::get(context)), values);
}

} // namespace lasnn::onnx_import
