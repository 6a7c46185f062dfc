// RUN: lasnn-opt %s --snn-fold-pool-scale -split-input-file -verify-diagnostics

snn.network @analog timesteps = 1 {
  %in = snn.input "in" : tensor<1x4x4xui8>
  %x = snn.encode %in direct : (tensor<1x4x4xui8>) -> tensor<1x4x4xf32>
  // expected-error@+1 {{'avg_pool#2': pools the analog input, whose sum does not fit 8 bits}}
  %p = snn.avg_pool %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>} : (tensor<1x4x4xf32>) -> tensor<1x2x2xf32>
  %r = snn.readout %p sum : (tensor<1x2x2xf32>) -> tensor<1x2x2xf32>
  snn.output "out" %r : tensor<1x2x2xf32>
}

// -----

snn.network @factors timesteps = 1 {
  %in = snn.input "in" : tensor<1x4x4xui8>
  %x = snn.encode %in events : (tensor<1x4x4xui8>) -> tensor<1x4x4xf32>
  %p = snn.avg_pool %x {kernel = array<i64: 1, 3>, pads = array<i64: 0, 1, 0, 1>} : (tensor<1x4x4xf32>) -> tensor<1x4x4xf32>
  // expected-error@+1 {{adds spikes averaged over 3 to spikes averaged over 1, expected one factor on both sides}}
  %a = snn.add %p, %x : (tensor<1x4x4xf32>, tensor<1x4x4xf32>) -> tensor<1x4x4xf32>
  %r = snn.readout %a sum : (tensor<1x4x4xf32>) -> tensor<1x4x4xf32>
  snn.output "out" %r : tensor<1x4x4xf32>
}

// -----

snn.network @large timesteps = 1 {
  %in = snn.input "in" : tensor<1x200x200xui8>
  %x = snn.encode %in events : (tensor<1x200x200xui8>) -> tensor<1x200x200xf32>
  %c = snn.conv2d %x {weight = dense<1.0> : tensor<1x1x3x3xf32>, pads = array<i64: 1, 1, 1, 1>} : (tensor<1x200x200xf32>) -> tensor<1x200x200xf32>
  // expected-error@+1 {{the pool on currents makes a kernel of 102 x 102 with its convolution, expected at most 4096 weights; move the pool behind the neuron}}
  %p = snn.avg_pool %c {kernel = array<i64: 100, 100>, strides = array<i64: 100, 100>} : (tensor<1x200x200xf32>) -> tensor<1x2x2xf32>
  %r = snn.readout %p sum : (tensor<1x2x2xf32>) -> tensor<1x2x2xf32>
  snn.output "out" %r : tensor<1x2x2xf32>
}
