def FuseLayers : Pass<"snn-fuse-layers", "::lasnn::snn::NetworkOp"> {
  let summary = "every neuron and read-out with its synapses becomes one snn.layer (spikes: equal)";
  let description = [{
    The body (Y1..Y4) holds everything from spikes (or the analog input) to the neuron: `conv2d`, `linear`, `flatten`, `add` and
    `max_pool` of currents. A `flatten` of spikes moves inside. Spikes that meet currents or a neuron directly get the synapse that this
    means: a depthwise 1 x 1 `conv2d` of ones, for vectors the identity matrix. Pools, `add` and
    `delay` of spikes stay between the layers; a delay's result is an input of the layers behind it, so that a layer may feed back to itself.

    A layer is named after its neuron, a read-out's after the synapse before it; a name that is taken gets `_2`, `_3`, …

    Everything that does not fit is reported, not only the first: an ANN's activation, normalisation and pools left by the folds,
    a synapse fed by currents, a current used twice (a shortcut between membranes) or delayed, a neuron fed by the input.

    ```mlir
    %2 = snn.conv2d %1 {...} : (tensor<1x8x8xf32>) -> tensor<4x8x8xf32>
    %3 = snn.lif %2 {...} : (tensor<4x8x8xf32>) -> tensor<4x8x8xf32>
    // becomes
    %2 = snn.layer "conv1" (%in = %1 : tensor<1x8x8xf32>) -> tensor<4x8x8xf32> {
      %i = snn.conv2d %in {...} : (tensor<1x8x8xf32>) -> tensor<4x8x8xf32>
      %s = snn.lif %i {...} : (tensor<4x8x8xf32>) -> tensor<4x8x8xf32>
      snn.yield %s : tensor<4x8x8xf32>
    }
    ```
  }];
}
