// The operators of domain "" that the importer takes: docs/onnx.md shows this table, and a test compares the two.
#include "frontend/onnx/import.h"
#include "frontend/onnx/node.h"

namespace lasnn::onnx_import {

static const OpEntry table[] = {
    // name, opset range, inputs (least, most), outputs, handler, becomes, limits
    {"Add", 7, 22, 2, 2, 1, convertAdd, "snn.add, or a bias",
     "two activations of one shape; or one constant that varies along the channel axis only; or two constants"},
    {"ArgMax", 11, 22, 1, 1, 1, convertLast, "nothing", "over classes, at the end: the logits are read out in its place"},
    {"AveragePool", 7, 22, 1, 1, 1, convertAveragePool, "snn.avg_pool",
     "1-D and 2-D; pads other than 0 only with count_include_pad = 1; dilations 1; ceil_mode only where it changes nothing"},
    {"BatchNormalization", 7, 22, 5, 5, 5, convertBatchNorm, "snn.batch_norm",
     "inference form: one output, training_mode = 0, spatial = 1; constant parameters"},
    {"Cast", 6, 22, 1, 1, 1, convertCast, "nothing", "between float types, computed in f32; constants between float and integer"},
    {"Clip", 6, 22, 1, 3, 1, convertClip, "snn.relu", "from 0; with an upper bound b it is relu(x) - relu(x - b), and a remark says so"},
    {"Concat", 4, 22, 1, 64, 1, convertConcat, "a sum of synapses",
     "of channels (axis 1, at most 4096 in all): a Conv behind it is split over the parts; or of shape constants along axis 0"},
    {"Constant", 1, 22, 0, 0, 1, convertConstant, "nothing", "value, value_float(s), value_int(s); no sparse value, no text"},
    {"Conv", 1, 22, 2, 3, 1, convertConv, "snn.conv2d",
     "1-D (as height 1) and 2-D; constant weight and bias; any group, stride, dilation; explicit pads or auto_pad"},
    {"DequantizeLinear", 10, 22, 2, 3, 1, convertDequantize, "nothing", "of constants, computed in f32; of what a QuantizeLinear made"},
    {"Div", 7, 22, 2, 2, 1, convertDiv, "snn.batch_norm", "by a constant that varies along the channel axis only; or two constants"},
    {"Dropout", 7, 22, 1, 3, 2, convertDropout, "nothing", "inference form: no mask, training_mode absent or false"},
    {"Flatten", 1, 22, 1, 1, 1, convertFlatten, "snn.flatten", "axis = 1"},
    {"Gather", 1, 22, 2, 2, 1, convertGather, "nothing", "of one entry of a shape constant, axis 0"},
    {"Gemm", 7, 22, 2, 3, 1, convertGemm, "snn.linear", "transA = 0; constant B and C; any alpha, beta, transB"},
    {"GlobalAveragePool", 1, 22, 1, 1, 1, convertGlobalAveragePool, "snn.avg_pool", "1-D and 2-D"},
    {"GlobalMaxPool", 1, 22, 1, 1, 1, convertGlobalMaxPool, "snn.max_pool", "1-D and 2-D"},
    {"Identity", 1, 22, 1, 1, 1, convertIdentity, "nothing", "none"},
    {"LogSoftmax", 1, 22, 1, 1, 1, convertLast, "nothing", "over classes, at the end: the logits are read out in its place"},
    {"MatMul", 1, 22, 2, 2, 1, convertMatMul, "snn.linear", "[N,F] by a constant [F,O]"},
    {"MaxPool", 1, 22, 1, 1, 2, convertMaxPool, "snn.max_pool",
     "1-D and 2-D; no indices; dilations 1; pads below the kernel, those that ceil_mode adds as well"},
    {"Mul", 7, 22, 2, 2, 1, convertMul, "snn.batch_norm", "by a constant that varies along the channel axis only; or two constants"},
    {"Pad", 2, 22, 1, 4, 1, convertPad, "snn.conv2d, or pads",
     "height and width with zeros; a Conv behind it takes the pads in, else it is a depthwise conv2d of weights 1"},
    {"QuantizeLinear", 10, 22, 2, 3, 1, convertQuantize, "nothing, or snn.relu",
     "(u)int8, (u)int16; constants are computed; activations pass unrounded, above 0 where the zero point is the least integer"},
    {"ReduceMean", 1, 22, 1, 2, 1, convertReduceMean, "snn.avg_pool", "over height and width, both; with or without keepdims"},
    {"Relu", 6, 22, 1, 1, 1, convertRelu, "snn.relu", "none"},
    {"Reshape", 5, 22, 2, 2, 1, convertReshape, "snn.flatten",
     "to [N,-1] in every spelling, and axes of size 1, by a constant or computed shape; a constant to any shape"},
    {"Shape", 1, 22, 1, 1, 1, convertShape, "nothing", "for a Reshape: Shape, Gather, Unsqueeze, Concat are computed at import"},
    {"Sigmoid", 6, 22, 1, 1, 1, convertLast, "nothing", "at the end only: the logits are read out in its place"},
    {"Softmax", 1, 22, 1, 1, 1, convertLast, "nothing", "over classes, at the end: the logits are read out in its place"},
    {"Squeeze", 1, 22, 1, 2, 1, convertSqueeze, "nothing", "axes are given, and not the batch; constants any"},
    {"Sub", 7, 22, 2, 2, 1, convertSub, "snn.add, or a bias", "as Add; what is subtracted goes through a batch_norm of -1"},
    {"Transpose", 1, 22, 1, 1, 1, convertTranspose, "nothing",
     "the batch axis stays in front; constants any. The order reaches a Conv as [N,C,H,W], or a Gemm, whose weight follows it"},
    {"Unsqueeze", 1, 22, 1, 2, 1, convertUnsqueeze, "nothing", "not in front of the batch; constants anywhere"},
};

llvm::ArrayRef<OpEntry> opTable() { return table; }

std::vector<SupportedOp> supportedOps() {
  std::vector<SupportedOp> ops;
  for (const OpEntry &op : table)
    ops.push_back({op.name, op.firstOpset, op.lastOpset, op.becomes, op.limits});
  return ops;
}

} // namespace lasnn::onnx_import
