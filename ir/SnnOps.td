// The operations. Every tensor describes ONE sample at ONE time-step, axes [C,H,W] or [N]; there is no batch axis.
// Element types tell the form (T1): float network f32; integer network ui8 (spike counts, pixels), i8 (analog input), i32 (currents).
#ifndef LASNN_IR_SNNOPS_TD
#define LASNN_IR_SNNOPS_TD
include "ir/SnnDialect.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Snn_Op<string mnemonic, list<Trait> traits = []> : Op<Snn_Dialect, mnemonic, traits>;

def Snn_U8  : TypeConstraint<CPred<"$_self.isUnsignedInteger(8)">, "ui8">;
/// What flows between layers: f32, or ui8 spike counts, i8 analog values, i32 currents.
def Snn_Value : RankedTensorOf<[F32, I8, UI8, I32]>;
def Snn_Pixels : RankedTensorOf<[F32, UI8]>;
/// Weights and constants (T4). A resource or a sparse attribute cannot be iterated and is refused.
def Snn_Constant : Attr<CPred<"::llvm::isa<::mlir::DenseIntOrFPElementsAttr>($_self)">, "rule T4: dense<...> numbers"> {
  let storageType = "::mlir::ElementsAttr";
  let returnType = "::mlir::ElementsAttr";
  let convertFromStorage = "$_self";
}

//===--- the network ---===//

def Snn_NetworkOp : Snn_Op<"network", [IsolatedFromAbove, Symbol, SingleBlock, NoTerminator,
    DeclareOpInterfaceMethods<RegionKindInterface>]> {
  let summary = "a network of T time-steps: inputs, layers, outputs, in one graph region (S1..S6)";
  let description = [{
    ```mlir
    snn.network @mlp timesteps = 4 {
      %0 = snn.input "image" : tensor<1x2x2xui8>
      %1 = snn.encode %0 direct {mean = array<f32: 0.5>, std = array<f32: 0.5>} : (tensor<1x2x2xui8>) -> tensor<1x2x2xf32>
      %2 = snn.flatten %1 : (tensor<1x2x2xf32>) -> tensor<4xf32>
      %3 = snn.linear %2 {weight = dense<0.5> : tensor<3x4xf32>} : (tensor<4xf32>) -> tensor<3xf32>
      %4 = snn.lif %3 {beta = 0.5 : f32, v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<3xf32>) -> tensor<3xf32>
      %5 = snn.linear %4 {weight = dense<0.5> : tensor<2x3xf32>} : (tensor<3xf32>) -> tensor<2xf32>
      %6 = snn.readout %5 mean : (tensor<2xf32>) -> tensor<2xf32>
      snn.output "logits" %6 : tensor<2xf32>
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, I64Attr:$timesteps);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name `timesteps` `=` $timesteps attr-dict-with-keyword $body";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// True when the network is in integer form (T1).
    bool isInteger();
  }];
}

def Snn_InputOp : Snn_Op<"input"> {
  let summary = "a named input: unsigned bytes (pixels or spike counts) or float values";
  let arguments = (ins StrAttr:$name);
  let results = (outs Snn_Pixels:$result);
  let assemblyFormat = "$name attr-dict `:` type($result)";
}

def Snn_OutputOp : Snn_Op<"output"> {
  let summary = "a named output of the network";
  let arguments = (ins StrAttr:$name, Snn_Value:$value);
  let assemblyFormat = "$name $value attr-dict `:` type($value)";
}

def Snn_EncodeOp : Snn_Op<"encode", [Pure]> {
  let summary = "input values to currents or spikes (E1..E3)";
  let description = [{
    `direct`, float: x = (pixel/255 - mean[c])/std[c], the same current at every step (E1).
    `direct`, integer: x = table[c][pixel], int8 (E2). `scale` is what one integer step is worth in float.
    `events`: the input is this step's spike counts and passes through (E3); `max_count` bounds them.
  }];
  let arguments = (ins Snn_Pixels:$input, Snn_EncodingAttr:$encoding,
    OptionalAttr<DenseF32ArrayAttr>:$mean, OptionalAttr<DenseF32ArrayAttr>:$std,
    OptionalAttr<Snn_Constant>:$table, OptionalAttr<F32Attr>:$scale,
    DefaultValuedAttr<I64Attr, "1">:$max_count);
  let results = (outs Snn_Value:$result);
  let assemblyFormat = "$input $encoding attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

//===--- synapses ---===//

class Snn_SynapseOp<string mnemonic> : Snn_Op<mnemonic, [Pure]> {
  let results = (outs Snn_Value:$result);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Snn_Conv2DOp : Snn_SynapseOp<"conv2d"> {
  let summary = "2-d convolution of [C,H,W] with weight [K,C/groups,KH,KW] and bias [K] (C1..C6)";
  let arguments = (ins Snn_Value:$input, Snn_Constant:$weight, OptionalAttr<Snn_Constant>:$bias,
    DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$strides,
    DefaultValuedAttr<DenseI64ArrayAttr, "{0, 0, 0, 0}">:$pads, // top, left, bottom, right, as in ONNX
    DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$dilations,
    DefaultValuedAttr<I64Attr, "1">:$groups);
}

def Snn_LinearOp : Snn_SynapseOp<"linear"> {
  let summary = "y[o] = bias[o] + sum_i weight[o,i] x[i] (L1..L3)";
  let arguments = (ins Snn_Value:$input, Snn_Constant:$weight, OptionalAttr<Snn_Constant>:$bias);
}

class Snn_PoolOp<string mnemonic> : Snn_SynapseOp<mnemonic> {
  let arguments = (ins Snn_Value:$input, DenseI64ArrayAttr:$kernel,
    DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$strides,
    DefaultValuedAttr<DenseI64ArrayAttr, "{0, 0, 0, 0}">:$pads);
}
def Snn_SumPoolOp : Snn_PoolOp<"sum_pool"> { let summary = "sum over a window; padding counts 0 (P1)"; }
def Snn_MaxPoolOp : Snn_PoolOp<"max_pool"> { let summary = "maximum over a window; padding never wins (P2)"; }
def Snn_AvgPoolOp : Snn_PoolOp<"avg_pool"> {
  let summary = "mean over a window, float only: sum_pool / (KH*KW), padding included (P3)";
}

def Snn_AddOp : Snn_Op<"add", [Pure]> {
  let summary = "elementwise sum of two tensors of one type (A1)";
  let arguments = (ins Snn_Value:$lhs, Snn_Value:$rhs);
  let results = (outs Snn_Value:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Snn_FlattenOp : Snn_SynapseOp<"flatten"> {
  let summary = "[C,H,W] to [C*H*W], row-major (F1)";
  let arguments = (ins Snn_Value:$input);
}

def Snn_BatchNormOp : Snn_SynapseOp<"batch_norm"> {
  let summary = "y = (x - mean[c]) / sqrt(variance[c] + epsilon) * gamma[c] + beta[c], float only (B1)";
  let arguments = (ins Snn_Value:$input, Snn_Constant:$gamma, Snn_Constant:$beta, Snn_Constant:$mean,
    Snn_Constant:$variance, F32Attr:$epsilon);
}

def Snn_ReluOp : Snn_SynapseOp<"relu"> {
  let summary = "max(x, 0), float only: the activation of an ANN, which no backend runs (U1)";
  let arguments = (ins Snn_Value:$input);
}

//===--- neurons ---===//

// The parameters that every neuron has; `v_threshold`, `rho`, `v_reset` have shape [C] or [1].
class Snn_NeuronOp<string mnemonic, dag model> : Snn_Op<mnemonic> { // has state: not Pure
  let arguments = !con((ins Snn_Value:$input), model, (ins Snn_Constant:$v_threshold,
    DefaultValuedAttr<Snn_ResetAttr, "::lasnn::snn::Reset::Zero">:$reset,
    OptionalAttr<Snn_Constant>:$rho,      // reset amount (subtract); absent: v_threshold, float only
    OptionalAttr<Snn_Constant>:$v_reset,  // reset target (value)
    DefaultValuedAttr<Snn_CompareAttr, "::lasnn::snn::Compare::Gt">:$compare,
    DefaultValuedAttr<I64Attr, "1">:$s_max,
    OptionalAttr<TypedAttrInterface>:$v_min,
    DefaultValuedAttr<I64Attr, "24">:$state_bits));
  let results = (outs Snn_Value:$result);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Snn_LIFOp : Snn_NeuronOp<"lif", (ins OptionalAttr<F32Attr>:$beta, OptionalAttr<I32Attr>:$decay)> {
  let summary = "leaky integrate-and-fire (N1..N7)";
  let description = [{
    Float form: leak(v) = beta * v. Integer form: leak(v) = sign(v) * ((|v| * (4096 - decay)) >> 12).
    Exactly one of `beta` and `decay` is present, by the network's form.
  }];
}
def Snn_IFOp : Snn_NeuronOp<"if", (ins)> {
  let summary = "integrate-and-fire: LIF without leak (N1..N7)";
}

//===--- delay ---===//

def Snn_DelayOp : Snn_Op<"delay"> { // has state: not Pure
  let summary = "spikes of the step before; 0 at step 1 (D1..D4)";
  let description = [{
    The one way to feed back. It waits for no operand, so that the textual order below is also one of execution:

    ```mlir
    %back = snn.delay %s : (tensor<3xf32>) -> tensor<3xf32>
    %i = snn.linear %x {...} : (tensor<4xf32>) -> tensor<3xf32>
    %r = snn.linear %back {...} : (tensor<3xf32>) -> tensor<3xf32>
    %sum = snn.add %i, %r : (tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>
    %s = snn.lif %sum {...} : (tensor<3xf32>) -> tensor<3xf32>
    ```
  }];
  let arguments = (ins Snn_Value:$input);
  let results = (outs Snn_Value:$result);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

//===--- read-out and fused layers ---===//

def Snn_ReadoutOp : Snn_Op<"readout"> { // has state
  let summary = "per-step currents to one output after T steps (R1..R3)";
  let description = [{
    `scale` (integer form): logit = value * scale. Mean exists in float only; quantize turns it into sum with scale / T.
  }];
  let arguments = (ins Snn_Value:$input, Snn_ReadoutModeAttr:$mode, OptionalAttr<F32Attr>:$scale);
  let results = (outs Snn_Value:$result);
  let assemblyFormat = "$input $mode attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Snn_LayerOp : Snn_Op<"layer", [SingleBlock, NoTerminator]> {
  let summary = "synapses and the neuron or read-out they feed, to be executed as one (Y1..Y4)";
  let description = [{
    Made by `snn-fuse-layers`. The block's arguments are the inputs (one each); its last operation is `snn.yield`
    of the neuron's spikes or the read-out.
  }];
  let arguments = (ins StrAttr:$name, Variadic<Snn_Value>:$inputs, OptionalAttr<I64Attr>:$current_bits); // K5
  let results = (outs Snn_Value:$result);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
}

def Snn_YieldOp : Snn_Op<"yield", [Pure, HasParent<"LayerOp">]> {
  let summary = "the result of a layer";
  let arguments = (ins Snn_Value:$value);
  let assemblyFormat = "$value attr-dict `:` type($value)";
}
#endif
