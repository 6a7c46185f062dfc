def Legalize : Pass<"snn-legalize", "::lasnn::snn::NetworkOp"> {
  let summary = "canonical forms, without changing what is computed (spikes: rounding)";
  let description = [{
    What importers of several formats write differently is written one way, so that the passes behind it know one form.

    * A `flatten` of a vector, a pool with window 1 x 1 and stride 1 and no pads: removed.
    * `lif` with `beta = 1` (or `decay = 0`) becomes `if` (N2).
    * Two pools of one kind in a row become one where that is exact: the first has no overlap (kernel = strides), neither has pads (P1..P3).
    * A neuron behind a `flatten` of currents, with one threshold for all, moves before it: neurons act on each element.
    * A delay of a `flatten` moves before it (D1), so that flattens stay next to the synapses that need them.
    * Operations that no output depends on are removed; the rest is ordered as it executes.

    A `mean` read-out is kept; `snn-quantize` turns it into a sum.

    ```mlir
    %1 = snn.lif %0 {beta = 1.0 : f32, v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<4xf32>) -> tensor<4xf32>
    // becomes
    %1 = snn.if %0 {v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<4xf32>) -> tensor<4xf32>
    ```
  }];
}
