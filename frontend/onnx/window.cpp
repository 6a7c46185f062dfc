// Windows over an image: what Conv and the pools share, and the pools.
#include "frontend/onnx/node.h"

#include <onnx/onnx_pb.h>

#include <string>

using namespace mlir;

namespace lasnn::onnx_import {
namespace {

constexpr int64_t kMaxWindow = 65535;

/// A list attribute of `size` values from `least` to kMaxWindow.
std::optional<SmallVector<int64_t>> readList(Node &node, StringRef name, StringRef rule, size_t size, int64_t least, int64_t byDefault) {
  std::optional<SmallVector<int64_t>> list = node.intsAttr(name);
  if (!list) return SmallVector<int64_t>(size, byDefault);
  if (list->size() == size && llvm::all_of(*list, [&](int64_t v) { return v >= least && v <= kMaxWindow; })) return list;
  node.error(rule) << "attribute " << name << " is " << shapeText(ArrayRef(*list).take_front(16)) << ", expected " << size
                   << " values from " << least << " to " << kMaxWindow;
  return std::nullopt;
}

/// auto_pad = SAME_UPPER or SAME_LOWER: the result has ceil(input / stride) positions.
void padSame(Window &window, ArrayRef<int64_t> input, bool upper) {
  for (int axis : {0, 1}) {
    int64_t positions = (input[axis] + window.strides[axis] - 1) / window.strides[axis];
    int64_t reach = (positions - 1) * window.strides[axis] + window.dilations[axis] * (window.kernel[axis] - 1) + 1;
    int64_t total = std::max<int64_t>(reach - input[axis], 0);
    window.pads[axis] = upper ? total / 2 : total - total / 2;
    window.pads[2 + axis] = total - window.pads[axis];
  }
}

} // namespace

std::optional<Window> readWindow(Node &node, bool oneD, ArrayRef<int64_t> kernel, Value input, int64_t channels, StringRef attrRule,
                                 StringRef sizeRule) {
  bool pool = node.proto.op_type() != "Conv";
  Window window;
  const size_t axes = oneD ? 1 : 2;
  auto strides = readList(node, "strides", attrRule, axes, 1, 1), dilations = readList(node, "dilations", attrRule, axes, 1, 1),
       pads = readList(node, "pads", attrRule, 2 * axes, 0, 0), shape = readList(node, "kernel_shape", attrRule, axes, 1, 0);
  if (oneD) { // an image of height 1
    if (strides) strides = SmallVector<int64_t>{1, (*strides)[0]};
    if (dilations) dilations = SmallVector<int64_t>{1, (*dilations)[0]};
    if (pads) pads = SmallVector<int64_t>{0, (*pads)[0], 0, (*pads)[1]};
    if (shape) shape = SmallVector<int64_t>{(*shape)[0] ? 1 : 0, (*shape)[0]};
  }
  std::string autoPad = node.stringAttr("auto_pad", "NOTSET");
  bool same = autoPad == "SAME_UPPER" || autoPad == "SAME_LOWER";
  if (!same && autoPad != "NOTSET" && autoPad != "VALID" && !autoPad.empty())
    node.refuseAttribute("auto_pad", quoted(autoPad), "NOTSET, VALID, SAME_UPPER or SAME_LOWER");
  if (pads && (same || autoPad == "VALID") && llvm::any_of(*pads, [](int64_t pad) { return pad != 0; }))
    node.refuseAttribute("pads", shapeText(*pads), "zeros beside auto_pad = " + autoPad);
  int64_t ceilMode = 0;
  if (pool) {
    if (shape && (*shape)[0] == 0) node.error(attrRule) << "attribute kernel_shape is absent, expected 2 values";
    if (dilations && llvm::any_of(*dilations, [](int64_t d) { return d != 1; }))
      node.refuseAttribute("dilations", shapeText(*dilations), "[1,1]");
    ceilMode = node.intAttr("ceil_mode", 0);
  } else if (!kernel.empty()) {
    if (kernel[0] > kMaxWindow || kernel[1] > kMaxWindow)
      node.error(attrRule) << "the kernel is " << shapeText(kernel) << ", expected sizes of at most " << kMaxWindow;
    else if (shape && (*shape)[0] != 0 && ArrayRef<int64_t>(*shape) != kernel)
      node.refuseAttribute("kernel_shape", shapeText(*shape), shapeText(kernel) + ", the weight's");
    shape = SmallVector<int64_t>(kernel);
  }
  if (node.failed() || !input || !shape || shape->empty()) return std::nullopt;
  window.kernel.assign(shape->begin(), shape->end());
  window.strides.assign(strides->begin(), strides->end());
  window.dilations.assign(dilations->begin(), dilations->end());
  window.pads.assign(pads->begin(), pads->end());
  ArrayRef<int64_t> in = snn::tensorType(input).getShape().drop_front();
  if (same) padSame(window, in, autoPad == "SAME_UPPER");
  window.result.push_back(channels);
  for (int axis : {0, 1}) {
    StringRef name = axis == 0 ? "height" : "width";
    int64_t extent = window.dilations[axis] * (window.kernel[axis] - 1) + 1;
    int64_t padded = in[axis] + window.pads[axis] + window.pads[2 + axis];
    if (extent > padded) {
      node.error(sizeRule) << "the window (" << name << " " << extent << ") is larger than the padded input (" << padded
                           << "), expected it to fit";
      continue;
    }
    int64_t stride = window.strides[axis], over = (padded - extent) % stride;
    // One window more, when it starts before the padding behind; a maximum does not see the padding that it needs.
    bool more = ceilMode != 0 && over != 0 && (padded - extent) / stride * stride + stride < in[axis] + window.pads[axis];
    if (more && node.proto.op_type() == "MaxPool") {
      window.pads[2 + axis] += stride - over;
      padded += stride - over;
    } else if (more)
      node.error("O4")
              .append("attribute ceil_mode is ", ceilMode, ", and the last window reaches over the edge in ", name,
                      ", expected ceil_mode = 0")
              .attachNote()
          << "pad the input, or choose sizes that the stride divides";
    window.result.push_back((padded - extent) / window.strides[axis] + 1);
  }
  if (node.failed() || !node.checkShape(window.result)) return std::nullopt;
  return window;
}

namespace {

template <typename PoolOp> void emitPool(Node &node, Value input, const Window &window, bool oneD) {
  node.resultImage(node.builder()
                       .create<PoolOp>(node.loc, node.tensorType(window.result), input, window.kernel, window.strides, window.pads)
                       .getResult(),
                   oneD);
}

/// One window over the whole image.
template <typename PoolOp> void emitGlobal(Node &node, Value input, bool oneD) {
  ArrayRef<int64_t> shape = snn::tensorType(input).getShape();
  if (shape[1] > kMaxWindow || shape[2] > kMaxWindow) {
    node.error("P4") << "the input is " << shapeText(shape) << ", expected height and width of at most " << kMaxWindow;
    return;
  }
  Window window;
  window.kernel = {shape[1], shape[2]};
  window.strides = {1, 1};
  window.pads = {0, 0, 0, 0};
  window.result = {shape[0], 1, 1};
  emitPool<PoolOp>(node, input, window, oneD);
}

bool checkPoolPads(Node &node, const Window &window) {
  for (int k = 0; k < 4; ++k)
    if (window.pads[k] >= window.kernel[k % 2]) {
      node.error("P4") << "pads are " << shapeText(window.pads) << ", expected each below the kernel " << shapeText(window.kernel);
      return false;
    }
  return true;
}

} // namespace

void convertAveragePool(Node &node) {
  int64_t include = node.intAttr("count_include_pad", 0);
  bool oneD = false;
  Value input = node.image(0, "P4", oneD);
  std::optional<Window> window = readWindow(node, oneD, {}, input, input ? snn::channels(input) : 0, "P4", "P4");
  if (!window || !checkPoolPads(node, *window)) return;
  if (include == 0 && llvm::any_of(window->pads, [](int64_t pad) { return pad != 0; })) {
    node.error("P3")
            .append("pads are ", shapeText(window->pads), " with count_include_pad = 0, expected no pads, or count_include_pad = 1")
            .attachNote()
        << "snn.avg_pool divides by the whole window: export with count_include_pad=True, or without padding";
    return;
  }
  emitPool<snn::AvgPoolOp>(node, input, *window, oneD);
}

void convertGlobalAveragePool(Node &node) {
  bool oneD = false;
  if (Value input = node.image(0, "P4", oneD)) emitGlobal<snn::AvgPoolOp>(node, input, oneD);
}
void convertGlobalMaxPool(Node &node) {
  bool oneD = false;
  if (Value input = node.image(0, "P4", oneD)) emitGlobal<snn::MaxPoolOp>(node, input, oneD);
}

/// The mean over height and width, in whichever layout they lie.
void convertReduceMean(Node &node) {
  bool keep = node.intAttr("keepdims", 1) != 0;
  node.intAttr("noop_with_empty_axes", 0);
  std::optional<SmallVector<int64_t>> axes;
  if (node.import.opset < 18)
    axes = node.intsAttr("axes");
  else if (node.hasInput(1)) {
    ConstantRef given = node.intConstant(1, "axes");
    if (!given) return;
    axes = SmallVector<int64_t>(given->i.begin(), given->i.end());
  }
  const Named *value = node.laidOut(0, "data");
  if (!value) return;
  View view = value->layout();
  ArrayRef<int64_t> shape = snn::tensorType(value->tensor).getShape();
  int64_t rank = int64_t(view.dims.size());
  SmallVector<bool> reduced(size_t(rank), false);
  bool ok = axes && shape.size() == 3 && rank >= 2;
  for (int64_t axis : axes ? ArrayRef<int64_t>(*axes) : ArrayRef<int64_t>()) {
    axis = axis < 0 ? axis + rank + 1 : axis;
    ok = ok && axis >= 1 && axis <= rank;
    if (ok) reduced[size_t(axis - 1)] = true;
  }
  // Channels have to be what is left, all of them and alone.
  SmallVector<int64_t> order;
  int64_t left = 1;
  for (int64_t k = 0; ok && k < rank; ++k)
    if (!reduced[size_t(k)]) order.push_back(k), left *= view.dims[size_t(k)];
  for (int64_t k = 0; ok && k < rank; ++k)
    if (reduced[size_t(k)]) order.push_back(k);
  std::optional<View> front = ok ? view.transposed(order) : std::nullopt;
  bool inOrder = front && (front->rowMajor() || (left == shape[0] && !front->atoms.empty() && front->atoms[0].size == left &&
                                                 front->atoms[0].stride == shape[1] * shape[2]));
  if (!inOrder || left != shape[0]) {
    node.error("P3")
            .append("the mean of a value of shape ", shapeText(view.dims), " (without its batch axis) is over axes ",
                    axes ? shapeText(*axes) : std::string("that are not given"), ", expected height and width, both")
            .attachNote()
        << "write it as a GlobalAveragePool";
    return;
  }
  if (shape[1] > kMaxWindow || shape[2] > kMaxWindow) return emitGlobal<snn::AvgPoolOp>(node, value->tensor, false); // refuses
  Value mean = node.builder()
                   .create<snn::AvgPoolOp>(node.loc, node.tensorType({shape[0], 1, 1}), value->tensor,
                                           ArrayRef<int64_t>{shape[1], shape[2]}, ArrayRef<int64_t>{1, 1}, ArrayRef<int64_t>{0, 0, 0, 0})
                   .getResult();
  SmallVector<int64_t> dims;
  for (int64_t k = 0; k < rank; ++k)
    if (!reduced[size_t(k)])
      dims.push_back(view.dims[size_t(k)]);
    else if (keep)
      dims.push_back(1);
  node.viewed(mean, View::of({shape[0], 1, 1}).reshaped(dims));
}

void convertMaxPool(Node &node) {
  if (node.hasOutput(1)) node.error("O3") << "output 1 (indices) is used, expected output 0 alone";
  node.expectInt("storage_order", 0, 0);
  bool oneD = false;
  Value input = node.image(0, "P4", oneD);
  std::optional<Window> window = readWindow(node, oneD, {}, input, input ? snn::channels(input) : 0, "P4", "P4");
  if (!window || !checkPoolPads(node, *window)) return;
  emitPool<snn::MaxPoolOp>(node, input, *window, oneD);
}

} // namespace lasnn::onnx_import
