def FoldPoolScale : Pass<"snn-fold-pool-scale", "::lasnn::snn::NetworkOp"> {
  let summary = "average pooling becomes a sum of spikes, its factor goes into weights (spikes: rounding)";
  let description = [{
    An integer spike count has no 1/(KH*KW) (P3 is float only).

    * **On spikes**: `avg_pool` becomes `sum_pool`. Its factor travels with the value, through `flatten`, `delay`, further pools and `add` of
      spikes of the same factor, into the weights of every `conv2d` and `linear` that takes it. Where such a value meets a
      neuron, a read-out or currents directly, a depthwise 1 x 1 `conv2d` (a diagonal `linear` for vectors) with the factor as
      weight is put there.
    * **On currents** (convolution, pool, neuron): the pool is composed with the convolutions behind it. A window of P x P with
      stride q over a convolution K x K with stride s is a convolution of (P-1)*s + K with stride q*s; its pads stay. Exact, and
      fewer operations. Goes through `add`; needs a pool without pads (padding would count as a current of 0, P3) and values of one use.
      What cannot be composed is left, and `snn-fuse-layers` says why.

    Fails on pools of the analog input (their sum does not fit `i8`), and on an `add` of spike values with different factors.

    ```mlir
    %1 = snn.avg_pool %spikes {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>} : (tensor<8x4x4xf32>) -> tensor<8x2x2xf32>
    %2 = snn.conv2d %1 {weight = dense<1.0> : tensor<4x8x1x1xf32>} : ...
    // becomes
    %1 = snn.sum_pool %spikes {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>} : (tensor<8x4x4xf32>) -> tensor<8x2x2xf32>
    %2 = snn.conv2d %1 {weight = dense<0.25> : tensor<4x8x1x1xf32>} : ...
    ```
  }];
}
