def Convert : Pass<"snn-convert", "::lasnn::snn::NetworkOp"> {
  let summary = "an ANN's relu to integrate-and-fire neurons (spikes: requantized)";
  let description = [{
    Runs on float form, batch norms folded (`snn-legalize`, `snn-fold-batch-norm`), and needs calibration samples. With θ[c] the largest
    activation that a neuron of channel c is to carry, and T time-steps, a neuron that starts at v0 = θ/2 and gives away θ with every spike,

        v += I;   s = v > θ;   v -= s*θ        (1/T) * Σ θ*s  ->  clip(floor(x*T/θ + 1/2), 0, T) * θ/T

    follows `relu(x)` where its current is steady. Counted from v0, that is the neuron `v > θ/2`, reset by subtraction of θ, from 0: the
    dialect has no initial membrane, and needs none.

    ```mlir
    %i = snn.conv2d %x {weight = W} ...       ->  %i = snn.conv2d %x {weight = W} ...
    %a = snn.relu %i                          ->  %s = snn.if %i {v_threshold = θ/2, rho = θ, reset = subtract}
    %j = snn.conv2d %a {weight = V} ...       ->  %j = snn.conv2d %s {weight = V*θ[c]} ...
    ```

    A spike is worth θ[c], which the weights of every synapse behind take in, through pools and flattens; where a sum of currents takes the activation
    itself (a residual add), it gets the synapse that does. Activations that are added to each other share one θ.

    1. θ: of each channel (`per-channel`) or layer. `percentile` of the activations on the samples (100: the largest), or, by default, the θ with the least
       squared error of the right side above, given T.
    2. `correct`: layer after layer, in order, the spiking network runs on the samples, and the mean difference to the ANN's activations, a channel, goes
       into the bias; so does, in the end, that of the logits. What is left is the part of the error that no constant undoes.
    3. T becomes `timesteps`, the read-out `mean`.

    Max pools (`max-pool`) have no spiking form: the largest of spikes at a step is an or, which fires too often.

    | | |
    |---|---|
    | `currents` | a relu whose only use is a max pool moves behind it, which changes nothing; the largest current of each step wins. Exact where currents are steady, as in the first layer. Others become `spikes` |
    | `spikes` | the largest of the spikes |
    | `average` | an average pool in its place: another network, whose loss the correction reduces |
    | `refuse` | an error |

    Refuses a network without relu, with neurons or delays, or with events as input.
  }];
  let options = [
    Option<"timesteps", "timesteps", "int64_t", "32", "T of the spiking network">,
    Option<"percentile", "percentile", "double", "0", "of the activations, that is θ; 0: the θ of least squared error">,
    Option<"perChannel", "per-channel", "bool", "true", "a θ for every channel; else one a layer">,
    Option<"maxPool", "max-pool", "std::string", "\"currents\"", "currents, spikes, average or refuse">,
    Option<"halfStart", "half-start", "bool", "true", "the membrane starts at θ/2; else at 0">,
    Option<"correct", "correct", "int64_t", "2", "rounds of bias correction a layer; 0: none">,
    Option<"data", "data", "std::string", "\"\"", "SET:DIR, a data set and its folder, as the tools' --data">,
    Option<"split", "split", "std::string", "\"train\"", "train or test">,
    Option<"limit", "limit", "int64_t", "64", "how many samples">,
  ];
}
