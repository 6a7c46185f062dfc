def RoundWeights : Pass<"snn-round-weights", "::lasnn::snn::NetworkOp"> {
  let summary = "choose the units and rounding of weights, before quantize (spikes: requantized)";
  let description = [{
    `snn-quantize` gives every output channel the unit that its largest weight asks for, and rounds every weight to the nearest. This pass, on a
    fused float network, makes better choices and records them, so that `snn-quantize` finds weights that are whole multiples of their units:

    ```mlir
    snn.conv2d {weight = <whole multiples of u[c]>, bias = <what the rounding took, on average, is back>}
    snn.if {snn.quantized = {rounded, weight_bits = 4 : i64, unit = array<f32: ...u[c]...>}}
    ```

    `weights` says which widths: `int8` for all, then `LAYER:int4` for some, a later one before an earlier: `int8,conv2:int4,head:ternary`.

    `scale`, of u[c]: `max`, of the largest weight; `percentile`, so that 0.1 % of the channel's weights are clipped; `mse`, the least squared error
    of the weights, each counted with the mean square of its input on the samples.

    `rounding`: `nearest`, or `reconstruct`: weights are rounded one input after the other, and the error of each is spread over those that are
    not rounded yet, so that the *currents* on the samples change least (the algorithm of GPTQ, Frantar et al. 2022, with H = Σ x·xᵀ of the
    layer's own inputs, as the network with its earlier layers rounded gives them). Same samples, same result, whatever the number of threads. Synapses
    with groups, and with more than 2304 inputs an output, are rounded to the nearest, with a remark.

    A layer that was trained in integers keeps its units and weights, unless another width is asked for.
  }];
  let options = [
    Option<"weights", "weights", "std::string", "\"int8\"", "widths: int8 ... int2 or ternary, then LAYER:WIDTH, comma between; 'own,...': as trained">,
    Option<"scale", "scale", "std::string", "\"mse\"", "max, percentile or mse">,
    Option<"rounding", "rounding", "std::string", "\"reconstruct\"", "nearest or reconstruct">,
    Option<"stateBits", "state-bits", "int", "0", "as of snn-quantize">,
    Option<"data", "data", "std::string", "\"\"", "SET:DIR, a data set and its folder, as the tools' --data">,
    Option<"split", "split", "std::string", "\"train\"", "train or test">,
    Option<"limit", "limit", "int64_t", "64", "how many samples">,
  ];
}
