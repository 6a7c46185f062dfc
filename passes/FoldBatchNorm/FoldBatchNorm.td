def FoldBatchNorm : Pass<"snn-fold-batch-norm", "::lasnn::snn::NetworkOp"> {
  let summary = "batch normalisation disappears into the weights next to it (spikes: rounding)";
  let description = [{
    B1 is `y = g*x + h` per channel, `g = gamma/sqrt(variance + epsilon)`, `h = beta - mean*g`. Computed in double, stored in f32.

    * **Behind synapses** (the usual case): `conv2d`/`linear` get `weight*g` and `bias*g + h`. Through an `add` of currents the
      scale goes to both sides and the shift to one; a spike value added there becomes a depthwise 1 x 1 `conv2d` (a diagonal
      `linear` for vectors) with weight `g`. Through an `avg_pool` without pads both pass, through a `max_pool` when no
      `g` is negative. Everything on that way must have one use.
    * **Before synapses**, on spikes or analog input: `weight[o,c]*g[c]`, `bias[o] + sum of weight[o,c]*h[c]`, when the
      convolution has no pads or `h` is 0; also through a `flatten`.
    * **Before a neuron**, on spikes or analog input: it becomes a depthwise 1 x 1 `conv2d` or a diagonal `linear`.

    What cannot be folded is left, and `snn-fuse-layers` says why.

    ```mlir
    %1 = snn.conv2d %0 {weight = dense<2.0> : tensor<8x3x3x3xf32>} : ...
    %2 = snn.batch_norm %1 {gamma = dense<3.0> ..., variance = dense<1.0> ..., mean = dense<0.5>, beta = dense<0.0>, epsilon = 0.0 : f32} : ...
    // becomes
    %1 = snn.conv2d %0 {weight = dense<6.0> : tensor<8x3x3x3xf32>, bias = dense<-1.5> : tensor<8xf32>} : ...
    ```
  }];
}
