// What changes a shape or nothing at all, and the arithmetic on constants that exporters write in front of a Reshape.
#include "frontend/onnx/node.h"

#include <fmt/format.h>
#include <onnx/onnx_pb.h>

#include <cmath>

using namespace mlir;

namespace lasnn::onnx_import {
namespace {

bool isFloatType(int64_t type) {
  return type == onnx::TensorProto::FLOAT || type == onnx::TensorProto::DOUBLE || type == onnx::TensorProto::FLOAT16 ||
         type == onnx::TensorProto::BFLOAT16;
}

/// Flattens in ONNX's order of elements.
void emitFlatten(Node &node, const Named &value) {
  View view = value.layout();
  if (!value.view && view.dims.size() == 1) return node.result(value.tensor); // is flat
  node.viewed(value.tensor, view.reshaped({elementCount(view.dims)}));
}

SmallVector<int64_t> withoutOnes(ArrayRef<int64_t> dims) {
  SmallVector<int64_t> rest;
  llvm::copy_if(dims, std::back_inserter(rest), [](int64_t dim) { return dim != 1; });
  return rest;
}

/// 0 copies, -1 fills up, as ONNX defines it for constants.
void reshapeConstant(Node &node, const Constant &data, ArrayRef<int64_t> target, bool allowZero) {
  Constant result = data;
  result.dims.assign(target.begin(), target.end());
  int64_t known = 1, unknown = -1, count = int64_t(data.size());
  bool ok = target.size() <= 8;
  for (size_t k = 0; ok && k < target.size(); ++k) {
    int64_t &dim = result.dims[k];
    if (dim == 0 && !allowZero) {
      ok = k < data.dims.size();
      if (ok) dim = data.dims[k];
    }
    if (dim == -1) {
      ok = ok && unknown < 0;
      unknown = int64_t(k);
    } else if (ok) {
      known = elementCount({known, dim});
      ok = known > 0;
    }
  }
  if (ok && unknown >= 0) {
    result.dims[unknown] = count / known;
    known *= result.dims[unknown];
  }
  if (!ok || known != count || count == 0) {
    node.error("O7") << "a constant of shape " << shapeText(data.dims) << " is reshaped to " << shapeText(target.take_front(16))
                     << ", expected a shape of " << count << " elements";
    return;
  }
  node.result(std::move(result));
}

/// Axes of Squeeze and Unsqueeze: an attribute before opset 13, an input since.
std::optional<SmallVector<int64_t>> readAxes(Node &node) {
  if (node.import.opset < 13) return node.intsAttr("axes");
  if (!node.hasInput(1)) return std::nullopt;
  ConstantRef axes = node.intConstant(1, "axes");
  if (!axes) return std::nullopt;
  return SmallVector<int64_t>(axes->i.begin(), axes->i.end());
}

/// A set of axes of a tensor of `rank`; empty optional and a report when one is out of range or given twice.
std::optional<SmallVector<bool>> axisSet(Node &node, ArrayRef<int64_t> axes, int64_t rank) {
  SmallVector<bool> set(size_t(rank), false);
  for (int64_t axis : axes) {
    int64_t at = axis < 0 && axis >= -rank ? axis + rank : axis;
    if (at < 0 || at >= rank || set[size_t(at)]) {
      node.error("O4") << "axis " << axis << " is outside of " << -rank << " to " << rank - 1 << ", or given twice";
      return std::nullopt;
    }
    set[size_t(at)] = true;
  }
  return set;
}

} // namespace

void convertFlatten(Node &node) {
  int64_t axis = node.intAttr("axis", 1);
  const Named *input = node.laidOut(0, "input");
  if (!input) return;
  Named value = *input;
  int64_t rank = int64_t(value.layout().dims.size()) + 1;
  if (axis != 1 && axis != 1 - rank) {
    node.refuseAttribute("axis", std::to_string(axis), "1", "the batch axis stays; all others become one");
    return;
  }
  emitFlatten(node, value);
}

void convertReshape(Node &node) {
  bool allowZero = node.intAttr("allowzero", 0) != 0;
  ConstantRef shape = node.intConstant(1, "shape");
  const Named *data = node.input(0, "data");
  if (!shape || !data) return;
  if (shape->dims.size() != 1) {
    node.error("O7") << "input 1 (shape) has shape " << shapeText(shape->dims) << ", expected one axis";
    return;
  }
  if (data->kind == Named::Kind::Constant) return reshapeConstant(node, *data->constant, shape->i, allowZero);
  if (!(data = node.laidOut(0, "data"))) return;
  Named value = *data;
  View view = value.layout();
  ArrayRef<int64_t> from = view.dims;
  int64_t all = elementCount(from);
  // The batch axis has to stay: N, 0, 1 as the export's batch, or -1 where all others are given.
  SmallVector<int64_t> to(shape->i.begin(), shape->i.end());
  auto refuse = [&] {
    node.error("F1")
            .append("an activation of shape ", shapeText(from), " (without its batch axis) is reshaped to ",
                    shapeText(ArrayRef<int64_t>(to).take_front(16)), ", expected [N,-1] or [N,", all, "]")
            .attachNote()
        << "only flattening, and axes of size 1, are supported: write the network with Flatten";
  };
  if (to.size() < 2 || to.size() > 8) return refuse();
  bool batch = to[0] == kBatch || to[0] == 1 || (to[0] == 0 && !allowZero);
  int64_t known = 1, unknown = -1;
  SmallVector<int64_t> rest;
  for (size_t k = 1; k < to.size(); ++k) {
    int64_t dim = to[k];
    if (dim == 0 && !allowZero && k <= from.size()) dim = from[k - 1];
    if (dim == -1 && unknown < 0)
      unknown = int64_t(k - 1);
    else if (dim < 1 || dim > all)
      return refuse();
    else
      known *= dim;
    if (known > all) return refuse();
    rest.push_back(dim);
  }
  if (!batch && (to[0] != -1 || unknown >= 0)) return refuse();
  if (unknown >= 0 && all % known == 0) {
    rest[size_t(unknown)] = all / known;
    known = all;
  }
  if (known != all) return refuse();
  if (rest.size() == 1) return emitFlatten(node, value);
  // The same axes with or without sizes of 1, or back to what was flattened.
  mlir::Value source = value.tensor;
  if (auto flat = source.getDefiningOp<snn::FlattenOp>()) source = flat.getInput();
  if (withoutOnes(rest) != withoutOnes(from) && withoutOnes(rest) != withoutOnes(snn::tensorType(source).getShape())) return refuse();
  node.viewed(value.tensor, view.reshaped(rest));
}

/// The batch axis stays in front; all others change places.
void convertTranspose(Node &node) {
  auto perm = node.intsAttr("perm");
  const Named *data = node.input(0, "data");
  if (!data) return;
  bool constant = data->kind == Named::Kind::Constant;
  if (!constant && !(data = node.laidOut(0, "data"))) return;
  View view = constant ? View::of(data->constant->dims) : data->layout();
  int64_t rank = int64_t(view.dims.size()) + (constant ? 0 : 1);
  SmallVector<int64_t> order;
  if (perm)
    order = *perm;
  else
    for (int64_t k = rank; k-- > 0;)
      order.push_back(k);
  SmallVector<int64_t> sorted = order;
  llvm::sort(sorted);
  bool ok = int64_t(order.size()) == rank;
  for (int64_t k = 0; ok && k < rank; ++k)
    ok = sorted[size_t(k)] == k;
  if (!ok)
    return node.refuseAttribute("perm", shapeText(ArrayRef(order).take_front(16)), "each of 0 to " + std::to_string(rank - 1) + " once");
  if (constant) {
    if (data->constant->size() == 0) return node.result(0, Named(*data));
    View to = *view.transposed(order); // whole axes: always possible
    Constant result;
    result.dims = to.dims;
    result.isFloat = data->constant->isFloat;
    for (int64_t at : to.order())
      if (result.isFloat)
        result.f.push_back(data->constant->f[size_t(at)]);
      else
        result.i.push_back(data->constant->i[size_t(at)]);
    return node.result(std::move(result));
  }
  if (order[0] != 0) return node.refuseAttribute("perm", shapeText(order), "0 first", "the batch axis stays in front");
  SmallVector<int64_t> rest;
  for (int64_t axis : ArrayRef(order).drop_front())
    rest.push_back(axis - 1);
  mlir::Value tensor = data->tensor;
  std::optional<View> to = view.transposed(rest);
  if (!to) return node.refuseAttribute("perm", shapeText(order), "an order that keeps whole axes together", "transpose before reshaping");
  node.viewed(tensor, *to);
}

/// Zeros around the image: a convolution with one weight 1 a channel, whose pads the next Conv takes over.
void convertPad(Node &node) {
  std::string mode = node.stringAttr("mode", "constant");
  if (mode != "constant") node.refuseAttribute("mode", quoted(mode), "\"constant\"", "the dialect pads with zeros");
  SmallVector<int64_t> pads;
  float fill = 0;
  if (node.import.opset < 11) {
    auto list = node.intsAttr("pads");
    if (!list) return (void)(node.error("O4") << "attribute pads is absent, expected it");
    pads = *list;
    fill = node.floatAttr("value", 0);
  } else {
    ConstantRef list = node.intConstant(1, "pads");
    if (!list) return;
    pads.assign(list->i.begin(), list->i.end());
    if (node.hasInput(2)) {
      ConstantRef value = node.floatConstant(2, "constant_value");
      if (!value) return;
      fill = value->f.empty() ? 0 : value->f[0];
    }
    if (node.hasInput(3)) node.error("O3") << "input 3 (axes) is given, expected pads of all axes";
  }
  if (fill != 0)
    node.error("C1").append("the value of the padding is ", fmt::format("{}", fill), ", expected 0").attachNote()
        << "the dialect pads with zeros";
  const Named *found = node.input(0, "data");
  if (!found || node.failed()) return;
  bool none = llvm::all_of(pads, [](int64_t pad) { return pad == 0; });
  if (none) return node.result(0, Named(*found));
  bool oneD = false;
  mlir::Value input = node.image(0, "C2", oneD);
  if (!input) return;
  size_t rank = oneD ? 3 : 4;
  bool ok = pads.size() == 2 * rank;
  for (size_t k = 0; ok && k < pads.size(); ++k)
    ok = pads[k] >= 0 && pads[k] <= 65535 && (k % rank >= 2 || pads[k] == 0);
  if (!ok) {
    node.error("C3")
            .append("pads are ", shapeText(ArrayRef(pads).take_front(16)), ", expected ", 2 * rank,
                    " values from 0 to 65535, 0 for batch and channels")
            .attachNote()
        << "nothing is cut off, and no channels are added";
    return;
  }
  SmallVector<int64_t, 4> around = {oneD ? 0 : pads[2], pads[rank - 1], oneD ? 0 : pads[rank + 2], pads[2 * rank - 1]};
  ArrayRef<int64_t> shape = snn::tensorType(input).getShape();
  SmallVector<int64_t> to = {shape[0], shape[1] + around[0] + around[2], shape[2] + around[1] + around[3]};
  if (shape[0] > kMaxChannels || !node.checkShape(to)) {
    if (!node.failed()) node.error("T2") << "the activation has " << shape[0] << " channels, expected at most " << kMaxChannels;
    return;
  }
  mlir::Value padded = node.builder().create<snn::Conv2DOp>(
      node.loc, node.tensorType(to), input, node.attr({shape[0], 1, 1, 1}, std::vector<float>(size_t(shape[0]), 1.f)), ElementsAttr(),
      ArrayRef<int64_t>{1, 1}, around, ArrayRef<int64_t>{1, 1}, shape[0]);
  node.import.pads[padded] = around;
  node.resultImage(padded, oneD);
}

void convertRelu(Node &node) {
  const Named *input = node.laidOut(0, "input");
  if (!input) return;
  Named value = *input;
  node.result(node.builder().create<snn::ReluOp>(node.loc, value.tensor.getType(), value.tensor).getResult(), value.view);
}

void convertIdentity(Node &node) {
  if (const Named *value = node.input(0, "input")) node.result(0, Named(*value));
}

void convertDropout(Node &node) {
  node.floatAttr("ratio");
  node.intAttr("seed", 0);
  const char *fix = "export in inference form: model.eval()";
  if (node.hasOutput(1)) node.error("O3").append("output 1 (mask) is used, expected output 0 alone").attachNote() << fix;
  if (node.hasInput(1)) node.constant(1, "ratio");
  if (node.hasInput(2)) {
    ConstantRef training = node.intConstant(2, "training_mode");
    if (training && (training->i.size() != 1 || training->i[0] != 0))
      node.error("O7").append("input 2 (training_mode) is not false, expected false").attachNote() << fix;
  }
  convertIdentity(node);
}

void convertConstant(Node &node) {
  const onnx::AttributeProto *given = nullptr;
  for (StringRef name : {"value", "value_float", "value_floats", "value_int", "value_ints"})
    if (const onnx::AttributeProto *attr = node.attribute(name)) given = attr;
  if (node.proto.attribute_size() != 1 || !given) {
    node.error("O4") << "it has " << node.proto.attribute_size() << " attributes" << (given ? "" : ", none of a supported kind")
                     << ", expected one of value, value_float(s), value_int(s)";
    return;
  }
  Constant constant;
  if (given->name() == "value") {
    std::string problem, fix;
    ConstantRef tensor = given->has_t() ? decodeTensor(given->t(), problem, fix) : nullptr;
    if (!tensor) {
      auto diag = node.error("O6") << "attribute value: " << (problem.empty() ? "it has no tensor, expected one" : problem);
      if (!fix.empty()) diag.attachNote() << fix;
      return;
    }
    return node.result(0, Named{Named::Kind::Constant, {}, tensor, -1});
  }
  if (given->name() == "value_float") {
    std::optional<float> value = node.floatAttr("value_float");
    if (!value) return;
    constant.f = {*value};
  } else if (given->name() == "value_int") {
    constant.isFloat = false;
    constant.i = {node.intAttr("value_int", 0)};
  } else if (given->name() == "value_ints") {
    constant.isFloat = false;
    auto values = node.intsAttr("value_ints");
    if (!values) return;
    constant.i.assign(values->begin(), values->end());
    constant.dims = {int64_t(constant.i.size())};
  } else {
    if (given->type() != onnx::AttributeProto::FLOATS) return node.refuseAttribute("value_floats", "of another type", "a list of floats");
    constant.f.assign(given->floats().begin(), given->floats().end());
    constant.dims = {int64_t(constant.f.size())};
    if (!llvm::all_of(constant.f, [](float value) { return std::isfinite(value); })) {
      node.error("T3") << "attribute value_floats holds NaN or infinity, expected finite values";
      return;
    }
  }
  if (llvm::is_contained(constant.i, kBatch)) return node.refuseAttribute("value", "-2^63", "larger integers");
  node.result(std::move(constant));
}

void convertCast(Node &node) {
  int64_t to = node.intAttr("to", 0);
  node.intAttr("saturate", 1); // of 8-bit floats only
  const Named *value = node.input(0, "input");
  bool isInteger = to == onnx::TensorProto::INT64 || to == onnx::TensorProto::INT32;
  if (!isFloatType(to) && !(isInteger && (!value || value->kind == Named::Kind::Constant))) {
    node.refuseAttribute("to", std::to_string(to), "a float type (1, 10, 11 or 16)", "activations are computed in f32");
    return;
  }
  if (!value) return;
  if (value->kind != Named::Kind::Constant || value->constant->isFloat != isInteger) return node.result(0, Named(*value));
  Constant result;
  result.dims = value->constant->dims;
  result.isFloat = !isInteger;
  for (int64_t k : value->constant->i) {
    if (k == kBatch) {
      node.error("O7") << "the batch size is cast to float, expected a network that does not depend on it";
      return;
    }
    result.f.push_back(float(k));
  }
  for (float v : value->constant->f) {
    if (!(std::abs(v) < 9e18f)) {
      node.error("O6") << "the value " << v << " is cast to an integer, expected it to fit";
      return;
    }
    result.i.push_back(int64_t(v));
  }
  node.result(std::move(result));
}

void convertShape(Node &node) {
  int64_t start = node.intAttr("start", 0), end = node.intAttr("end", INT64_MAX);
  const Named *value = node.input(0, "data");
  if (!value) return;
  SmallVector<int64_t> dims;
  if (value->kind == Named::Kind::Constant) {
    dims.assign(value->constant->dims.begin(), value->constant->dims.end());
  } else if (const Named *data = node.laidOut(0, "data")) {
    dims.push_back(kBatch);
    llvm::append_range(dims, data->layout().dims);
  } else {
    return;
  }
  int64_t rank = int64_t(dims.size());
  auto clampAxis = [&](int64_t axis) { return std::clamp<int64_t>(axis < 0 ? std::max(axis, -rank) + rank : axis, 0, rank); };
  start = clampAxis(start);
  end = std::max(start, clampAxis(end));
  Constant result;
  result.isFloat = false;
  result.i.assign(dims.begin() + start, dims.begin() + end);
  result.dims = {end - start};
  node.result(std::move(result));
}

void convertGather(Node &node) {
  int64_t axis = node.intAttr("axis", 0);
  ConstantRef data = node.intConstant(0, "data"), indices = node.intConstant(1, "indices");
  if (!data || !indices) return;
  if (data->dims.size() != 1 || (axis != 0 && axis != -1) || indices->dims.size() > 1) {
    node.error("O7") << "data has shape " << shapeText(data->dims) << " with axis " << axis << " and indices of shape "
                     << shapeText(indices->dims) << ", expected one axis, axis 0 and one index or a list";
    return;
  }
  Constant result;
  result.isFloat = false;
  result.dims = indices->dims;
  int64_t size = int64_t(data->i.size());
  for (int64_t index : indices->i) {
    if (index < -size || index >= size) {
      node.error("O7") << "index " << index << " is outside of " << -size << " to " << size - 1;
      return;
    }
    result.i.push_back(data->i[size_t(index < 0 ? index + size : index)]);
  }
  node.result(std::move(result));
}

/// Channels one after the other: a sum of convolutions that each place a part, with weights 0 and 1. A Conv takes the parts
/// themselves.
static void concatChannels(Node &node, int64_t axis) {
  SmallVector<mlir::Value, 4> parts;
  bool oneD = false, complete = true;
  int64_t channels = 0;
  for (unsigned k = 0; k < node.numInputs(); ++k) {
    const Named *value = node.laidOut(k, "input");
    bool own = false;
    mlir::Value part = !value                                                         ? nullptr
                       : value->view || snn::tensorType(value->tensor).getRank() == 3 ? node.image(k, "C2", own)
                                                                                      : value->tensor;
    int64_t rank = value ? int64_t(value->layout().dims.size()) + 1 : 0;
    if (part && axis != 1 && axis != 1 - rank)
      return node.refuseAttribute("axis", std::to_string(axis), "1, the channels, for activations");
    if (part && !parts.empty() &&
        (own != oneD || snn::tensorType(part).getShape().drop_front() != snn::tensorType(parts[0]).getShape().drop_front())) {
      node.error("A1") << "input " << k << " has shape " << shapeText(snn::tensorType(part).getShape()) << ", expected that of input 0, "
                       << shapeText(snn::tensorType(parts[0]).getShape()) << ", but for the channels";
      part = nullptr;
    }
    complete &= part != nullptr;
    if (!part) continue;
    oneD = own;
    channels += snn::channels(part);
    parts.push_back(part);
  }
  if (!complete) return;
  if (parts.size() == 1) return node.resultImage(parts[0], oneD);
  SmallVector<int64_t> shape(snn::tensorType(parts[0]).getShape());
  shape[0] = channels;
  if (!node.checkShape(shape)) return;
  // The weights that place the parts are not in the file: a short one may not ask for much memory.
  constexpr int64_t kMaxChannelsInAll = 4096, kMaxPlacing = int64_t(1) << 26;
  if (channels > kMaxChannelsInAll || (node.import.placing += channels * channels) > kMaxPlacing) {
    node.error("T2") << "the result has " << channels << " channels, expected at most " << kMaxChannelsInAll << ", and " << kMaxPlacing
                     << " for the sum of their squares over all Concats";
    return;
  }
  mlir::Value sum;
  int64_t first = 0;
  OpBuilder &b = node.builder();
  for (auto [k, part] : llvm::enumerate(parts)) {
    int64_t own = snn::channels(part);
    std::vector<float> place(size_t(channels * own), 0.f);
    for (int64_t c = 0; c < own; ++c)
      place[size_t((first + c) * own + c)] = 1;
    first += own;
    mlir::Location loc = node.import.nameLoc(node.name + ".part" + std::to_string(k));
    mlir::Value term;
    if (shape.size() == 1)
      term = b.create<snn::LinearOp>(loc, node.tensorType(shape), part, node.attr({channels, own}, place), ElementsAttr());
    else
      term = b.create<snn::Conv2DOp>(loc, node.tensorType(shape), part, node.attr({channels, own, 1, 1}, place), ElementsAttr(),
                                     ArrayRef<int64_t>{1, 1}, ArrayRef<int64_t>{0, 0, 0, 0}, ArrayRef<int64_t>{1, 1}, 1);
    bool last = k + 1 == parts.size();
    sum = !sum ? term
               : b.create<snn::AddOp>(last ? node.loc : node.import.nameLoc(node.name + ".sum" + std::to_string(k)), term.getType(), sum,
                                      term)
                     .getResult();
  }
  if (shape.size() == 3) node.import.concats[sum] = parts;
  if (shape.size() == 3)
    node.resultImage(sum, oneD);
  else
    node.result(sum);
}

void convertConcat(Node &node) {
  int64_t axis = node.intAttr("axis", 0);
  bool constants = false, run = false;
  for (unsigned k = 0; k < node.numInputs(); ++k)
    if (const Named *value = node.input(k, "input")) (value->kind == Named::Kind::Constant ? constants : run) = true;
  if (run && !constants) return concatChannels(node, axis);
  Constant result;
  result.isFloat = false;
  bool complete = true;
  for (unsigned k = 0; k < node.numInputs(); ++k) {
    const Named *value = node.input(k, "input");
    if (value && value->kind != Named::Kind::Constant) {
      node.error("O3") << "input " << k << " is " << kindText(value->kind) << ", expected a constant, as others are";
      return;
    }
    ConstantRef part = value ? node.intConstant(k, "input") : nullptr;
    if (part && (part->dims.size() != 1 || (axis != 0 && axis != -1))) {
      node.error("O7") << "input " << k << " has shape " << shapeText(part->dims) << " with axis " << axis
                       << ", expected one axis and axis 0";
      part = nullptr;
    }
    if (part) llvm::append_range(result.i, part->i);
    complete &= part != nullptr;
  }
  if (!complete) return;
  // Constants made of constants may grow with every node: a file of n nodes could ask for 2^n entries.
  if (result.i.size() > 64) {
    node.error("O7") << "the result has " << result.i.size() << " entries, expected a shape of at most 64";
    return;
  }
  result.dims = {int64_t(result.i.size())};
  node.result(std::move(result));
}

/// Axes of size 1 of an activation come and go; the batch axis stays.
static void squeezeActivation(Node &node, std::optional<SmallVector<int64_t>> axes, bool remove) {
  const Named *found = node.laidOut(0, "data");
  if (!found || node.failed()) return;
  Named value = *found;
  View view = value.layout();
  SmallVector<int64_t> dims = {kBatch}, to;
  llvm::append_range(dims, view.dims);
  if (!remove && !axes) return (void)(node.error("O4") << "attribute axes is absent, expected it");
  int64_t rank = int64_t(dims.size() + (remove ? 0 : axes->size()));
  auto set = axisSet(node, axes ? ArrayRef<int64_t>(*axes) : ArrayRef<int64_t>(), rank);
  if (!set) return;
  if ((*set)[0] || (remove && !axes) || rank > 8) {
    node.error("O7")
            .append("the axes ", axes ? shapeText(*axes) : std::string("that are not given"),
                    " reach the batch axis, or give more than 8, expected others")
            .attachNote()
        << "name the axes of size 1 behind the batch axis";
    return;
  }
  size_t next = 1;
  for (size_t k = 1; k < set->size(); ++k) {
    if (!remove && (*set)[k])
      to.push_back(1);
    else if (!remove || !(*set)[k])
      to.push_back(dims[remove ? k : next++]);
    else if (dims[k] != 1) {
      node.error("O7") << "axis " << k << " of shape " << shapeText(dims) << " is squeezed, expected size 1";
      return;
    }
  }
  node.viewed(value.tensor, view.reshaped(to));
}

void convertUnsqueeze(Node &node) {
  std::optional<SmallVector<int64_t>> axes = readAxes(node);
  if (const Named *value = node.input(0, "data"); value && value->kind != Named::Kind::Constant)
    return squeezeActivation(node, axes, false);
  ConstantRef data = node.constant(0, "data");
  if (!data || !axes || node.failed()) {
    if (data && !node.failed() && node.import.opset < 13) node.error("O4") << "attribute axes is absent, expected it";
    return;
  }
  int64_t rank = int64_t(data->dims.size() + axes->size());
  if (rank > 8) {
    node.error("O7") << "the result has " << rank << " axes, expected at most 8";
    return;
  }
  auto set = axisSet(node, *axes, rank);
  if (!set) return;
  Constant result = *data;
  result.dims.clear();
  size_t next = 0;
  for (bool added : *set)
    result.dims.push_back(added ? 1 : data->dims[next++]);
  node.result(std::move(result));
}

void convertSqueeze(Node &node) {
  std::optional<SmallVector<int64_t>> axes = readAxes(node);
  if (const Named *value = node.input(0, "data"); value && value->kind != Named::Kind::Constant) return squeezeActivation(node, axes, true);
  ConstantRef data = node.constant(0, "data");
  if (!data || node.failed()) return;
  auto set = axisSet(node, axes ? ArrayRef<int64_t>(*axes) : ArrayRef<int64_t>(), int64_t(data->dims.size()));
  if (!set) return;
  Constant result = *data;
  result.dims.clear();
  for (auto [k, dim] : llvm::enumerate(data->dims)) {
    if (axes ? !(*set)[k] : dim != 1) {
      result.dims.push_back(dim);
    } else if (dim != 1) {
      node.error("O7") << "axis " << k << " of shape " << shapeText(data->dims) << " is squeezed, expected size 1";
      return;
    }
  }
  node.result(std::move(result));
}

} // namespace lasnn::onnx_import
