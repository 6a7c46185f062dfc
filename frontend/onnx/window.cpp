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

std::optional<Window> readWindow(Node &node, ArrayRef<int64_t> kernel, Value input, int64_t channels, StringRef attrRule,
                                 StringRef sizeRule) {
  bool pool = node.proto.op_type() != "Conv";
  Window window;
  auto strides = readList(node, "strides", attrRule, 2, 1, 1), dilations = readList(node, "dilations", attrRule, 2, 1, 1),
       pads = readList(node, "pads", attrRule, 4, 0, 0), shape = readList(node, "kernel_shape", attrRule, 2, 1, 0);
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
    if (ceilMode != 0 && (padded - extent) % window.strides[axis] != 0)
      node.error("O4").append("attribute ceil_mode is ", ceilMode, ", and the last window reaches over the edge in ", name,
                              ", expected ceil_mode = 0")
              .attachNote() << "pad the input, or choose sizes that the stride divides";
    window.result.push_back((padded - extent) / window.strides[axis] + 1);
  }
  if (node.failed() || !node.checkShape(window.result)) return std::nullopt;
  return window;
}

namespace {

/// The input of a pool, [C,H,W].
Value imageInput(Node &node) {
  Value input = node.activation(0, "input");
  if (!input || snn::tensorType(input).getRank() == 3) return input;
  node.error("P4") << "input 0 has shape " << shapeText(snn::tensorType(input).getShape())
                   << " without its batch axis, expected [C,H,W]";
  return nullptr;
}

template <typename PoolOp> void emitPool(Node &node, Value input, const Window &window) {
  node.result(node.builder()
                  .create<PoolOp>(node.loc, node.tensorType(window.result), input, window.kernel, window.strides, window.pads)
                  .getResult());
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
  Value input = imageInput(node);
  std::optional<Window> window = readWindow(node, {}, input, input ? snn::channels(input) : 0, "P4", "P4");
  if (!window || !checkPoolPads(node, *window)) return;
  if (include == 0 && llvm::any_of(window->pads, [](int64_t pad) { return pad != 0; })) {
    node.error("P3").append("pads are ", shapeText(window->pads), " with count_include_pad = 0, expected no pads, or count_include_pad = 1")
            .attachNote() << "snn.avg_pool divides by the whole window: export with count_include_pad=True, or without padding";
    return;
  }
  emitPool<snn::AvgPoolOp>(node, input, *window);
}

void convertGlobalAveragePool(Node &node) {
  Value input = imageInput(node);
  if (!input) return;
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
  emitPool<snn::AvgPoolOp>(node, input, window);
}

void convertMaxPool(Node &node) {
  if (node.hasOutput(1)) node.error("O3") << "output 1 (indices) is used, expected output 0 alone";
  node.expectInt("storage_order", 0, 0);
  Value input = imageInput(node);
  std::optional<Window> window = readWindow(node, {}, input, input ? snn::channels(input) : 0, "P4", "P4");
  if (!window || !checkPoolPads(node, *window)) return;
  emitPool<snn::MaxPoolOp>(node, input, *window);
}

} // namespace lasnn::onnx_import
