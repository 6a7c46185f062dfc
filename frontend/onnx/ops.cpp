// The operators of domain "" that the importer takes: docs/onnx.md shows this table, and a test compares the two.
#include "frontend/onnx/import.h"
#include "frontend/onnx/node.h"

namespace lasnn::onnx_import {

static const OpEntry table[] = {
    // name, opset range, inputs (least, most), outputs, handler, becomes, limits
    {"Add", 7, 22, 2, 2, 1, convertAdd, "snn.add, or a bias",
     "two activations of one shape; or one constant that varies along the channel axis only"},
    {"AveragePool", 7, 22, 1, 1, 1, convertAveragePool, "snn.avg_pool",
     "2-D; pads other than 0 only with count_include_pad = 1; dilations 1; ceil_mode only where it changes nothing"},
    {"BatchNormalization", 7, 22, 5, 5, 5, convertBatchNorm, "snn.batch_norm",
     "inference form: one output, training_mode = 0, spatial = 1; constant parameters"},
    {"Cast", 6, 22, 1, 1, 1, convertCast, "nothing", "between float types, computed in f32; constants between float and integer"},
    {"Concat", 4, 22, 1, 64, 1, convertConcat, "nothing", "of shape constants along axis 0, for a Reshape"},
    {"Constant", 1, 22, 0, 0, 1, convertConstant, "nothing", "value, value_float(s), value_int(s); no sparse value, no text"},
    {"Conv", 1, 22, 2, 3, 1, convertConv, "snn.conv2d",
     "2-D; constant weight and bias; any group, stride, dilation; explicit pads or auto_pad"},
    {"Dropout", 7, 22, 1, 3, 2, convertDropout, "nothing", "inference form: no mask, training_mode absent or false"},
    {"Flatten", 1, 22, 1, 1, 1, convertFlatten, "snn.flatten", "axis = 1"},
    {"Gather", 1, 22, 2, 2, 1, convertGather, "nothing", "of one entry of a shape constant, axis 0"},
    {"Gemm", 7, 22, 2, 3, 1, convertGemm, "snn.linear", "transA = 0; constant B and C; any alpha, beta, transB"},
    {"GlobalAveragePool", 1, 22, 1, 1, 1, convertGlobalAveragePool, "snn.avg_pool", "2-D"},
    {"Identity", 1, 22, 1, 1, 1, convertIdentity, "nothing", "none"},
    {"MatMul", 1, 22, 2, 2, 1, convertMatMul, "snn.linear", "[N,F] by a constant [F,O]"},
    {"MaxPool", 1, 22, 1, 1, 2, convertMaxPool, "snn.max_pool",
     "2-D; no indices; dilations 1; pads below the kernel; ceil_mode only where it changes nothing"},
    {"Relu", 6, 22, 1, 1, 1, convertRelu, "snn.relu", "none"},
    {"Reshape", 5, 22, 2, 2, 1, convertReshape, "snn.flatten",
     "to [N,-1] only, by a constant or computed shape; a constant to any shape"},
    {"Shape", 1, 22, 1, 1, 1, convertShape, "nothing", "for a Reshape: Shape, Gather, Unsqueeze, Concat are computed at import"},
    {"Squeeze", 1, 22, 1, 2, 1, convertSqueeze, "nothing", "of constants"},
    {"Unsqueeze", 1, 22, 1, 2, 1, convertUnsqueeze, "nothing", "of constants"},
};

llvm::ArrayRef<OpEntry> opTable() { return table; }

std::vector<SupportedOp> supportedOps() {
  std::vector<SupportedOp> ops;
  for (const OpEntry &op : table) ops.push_back({op.name, op.firstOpset, op.lastOpset, op.becomes, op.limits});
  return ops;
}

} // namespace lasnn::onnx_import
