// RUN: lasnn-opt %s --snn-convert=max-pool=refuse -split-input-file -verify-diagnostics

snn.network @many timesteps = 2 {
  %in = snn.input "in" : tensor<2x4x4xui8>
  // expected-error@+1 {{the input is events; conversion takes still images (encoding direct)}}
  %x = snn.encode %in events {max_count = 1 : i64} : (tensor<2x4x4xui8>) -> tensor<2x4x4xf32>
  %c = snn.conv2d %x {weight = dense<0.5> : tensor<2x2x1x1xf32>} : (tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  %a = snn.relu %c : (tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  // expected-error@+1 {{a max pool has no exact spiking form; choose --max-pool=currents, spikes or average}}
  %p = snn.max_pool %a {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>} : (tensor<2x4x4xf32>) -> tensor<2x2x2xf32>
  %c2 = snn.conv2d %p {weight = dense<0.5> : tensor<2x2x1x1xf32>} : (tensor<2x2x2xf32>) -> tensor<2x2x2xf32>
  // expected-error@+1 {{spikes already; conversion takes an ANN, whose activations are relu}}
  %s = snn.if %c2 {v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<2x2x2xf32>) -> tensor<2x2x2xf32>
  %r = snn.readout %s sum : (tensor<2x2x2xf32>) -> tensor<2x2x2xf32>
  snn.output "out" %r : tensor<2x2x2xf32>
}
