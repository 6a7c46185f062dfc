def VerifyContract : Pass<"snn-verify-contract", "::lasnn::snn::NetworkOp"> {
  let summary = "prove what backends rely on: K1..K5 of the spec (spikes: equal)";
  let description = [{
    Interval arithmetic per output channel, with every spike count at its bound (`max_count`, `s_max`, summed by `sum_pool` and `add`, kept by `delay`) and
    every analog value in -128 … 127:

    * **K1** each current, and each partial sum in any order, lies within ±2^30; so does `v + I`.
    * **K2** a read-out's sum over T steps fits `i32`.
    * **K3** each spike count fits `ui8`.
    * **K4** the network is in integer form, fused, free of `relu`, `batch_norm`, `avg_pool`.
    * **K5** is written, not asked: `current_bits = 16` where every I fits `i16`, else 32.

    Every layer and channel that breaks a rule is reported, with the numbers and what to do. Backends take only networks that passed.

    ```mlir
    %2 = snn.layer "conv1" (%a = %1 : tensor<2x8x8xui8>) -> tensor<4x8x8xui8> {...}
    // becomes
    %2 = snn.layer "conv1" (%a = %1 : tensor<2x8x8xui8>) -> tensor<4x8x8xui8> attributes {current_bits = 16 : i64} {...}
    ```
  }];
}
