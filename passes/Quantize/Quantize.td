def Quantize : Pass<"snn-quantize", "::lasnn::snn::NetworkOp"> {
  let summary = "a fused float network to integer form (spikes: requantized)";
  let description = [{
    Only weights (and biases, resets) are rounded; nothing is rescaled at run time, since a neuron's dynamics have no scale of their own.
    With u[c] the worth of one unit of the current of channel c:

    | | integer form |
    |---|---|
    | direct input (E2) | `table[c][p] = clamp(rne(E1/s), -127, 127)`, s = the largest magnitude of E1 / 127 |
    | u[c] | the largest over the layer's synapses of max abs weight[c,…] * s' / (2^(bits-1) - 1); s' = s for analog input, 1 for spikes |
    | weight, bias | `rne(w*s'/u)`, `rne(b/u)` |
    | threshold (N14) | `gt`: floor(θ/u); `ge`: ceil(θ/u) - 1: both exact |
    | rho, v_reset, v_min | `rne(x/u)`; a v_min other than 0 and a `flatten` behind synapses make all channels share the largest u |
    | decay (N9) | `rne(4096*(1 - beta))` |
    | read-out (R4) | all channels share the largest u; `mean` becomes `sum` with scale u/T, else scale u |

    A channel whose θ, rho, v_reset, bias or calibrated membrane would leave the range of `state_bits` gets a larger u, with a remark.
    A channel of zero weights takes its u from its constants.

    A neuron or read-out that was trained in integers says so: `snn.quantized = {weight_bits = 4 : i64, unit = array<f32: …>}`. Its u is
    taken as it is (a warning and a choice of its own where `weight-bits` asks for another width), and calibration has no say in it.

    `threshold-step` is for chips whose thresholds are mantissa << n and few a core: every neuron's threshold becomes step * 2^m[c], m[c] the
    largest of 0 .. 6 whose unit θ/(step*2^m) still holds the channel's weights. A channel whose weights do not fit even m = 0 keeps m = 0, and
    narrow weights become multiples of the power of 2 that holds them, as far as an i8 has room (such a synapse stores as few bits); weights beyond
    that are clipped, with a warning. Recorded units are chosen anew, and biases become 12 bits and a power of 2.

    `state_bits`: 16 where every current provably fits `i16` and no membrane clips at 16 bits, proved from the bounds or measured by
    `snn-calibrate` with a margin of 1.25; else 24. The option forces one.

    ```mlir
    %i = snn.linear %in {weight = dense<[[0.5, -1.0]]> : tensor<1x2xf32>} : (tensor<2xf32>) -> tensor<1xf32>
    %s = snn.lif %i {beta = 0.5 : f32, v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<1xf32>) -> tensor<1xf32>
    // becomes
    %i = snn.linear %in {weight = dense<[[64, -127]]> : tensor<1x2xi8>} : (tensor<2xui8>) -> tensor<1xi32>
    %s = snn.lif %i {decay = 2048 : i32, v_threshold = dense<127> : tensor<1xi32>, ...} : (tensor<1xi32>) -> tensor<1xui8>
    ```
  }];
  let options = [
    Option<"weightBits", "weight-bits", "int", "0", "bits of a weight, 2 to 8, symmetric; 0: those the layer was trained with, or 8">,
    Option<"stateBits", "state-bits", "int", "0", "bits of a membrane, 16 or 24; 0: chosen for each layer (24 with threshold-step)">,
    Option<"thresholdStep", "threshold-step", "int", "0", "thresholds become this times a power of 2; 0: any integer">,
  ];
}
