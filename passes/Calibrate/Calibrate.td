def Calibrate : Pass<"snn-calibrate", "::lasnn::snn::NetworkOp"> {
  let summary = "measure membranes and currents on samples, in float form (spikes: equal)";
  let description = [{
    Runs the interpreter on every sample and writes what it saw on each neuron, in the units of the float network:

    ```mlir
    snn.lif %i {..., snn.calibrated = {max_abs_v = array<f32: 1.5, 0.25>, max_i = 0.75 : f32, min_i = -1.5 : f32, samples = 100 : i64}}
    ```

    `max_abs_v` is per channel, before the clamp (N3). `snn-quantize` chooses `state_bits` and checks ranges with it. The network
    carries `snn.calibration = "fashion-mnist train 100"`.

    A sample is `[C,H,W]` bytes, for events `[T,C,H,W]`. From C++ the samples come in memory (`CompileOptions::calibration`);
    lasnn-opt reads them by the options.
  }];
  let options = [
    Option<"data", "data", "std::string", "\"\"", "SET:DIR, a data set and its folder, as the tools' --data">,
    Option<"split", "split", "std::string", "\"train\"", "train or test">,
    Option<"limit", "limit", "int64_t", "100", "how many samples">,
  ];
}
