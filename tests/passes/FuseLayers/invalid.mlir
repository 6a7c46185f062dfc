// Everything that stands in the way is reported, not only the first.
// RUN: lasnn-opt %s --snn-fuse-layers -split-input-file -verify-diagnostics

snn.network @many timesteps = 1 {
  %in = snn.input "in" : tensor<2x4x4xui8>
  %x = snn.encode %in direct : (tensor<2x4x4xui8>) -> tensor<2x4x4xf32>
  %c = snn.conv2d %x {weight = dense<0.5> : tensor<2x2x1x1xf32>} : (tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  // expected-error@+1 {{'relu#3': relu is an ANN's activation, which does not spike; distil a spiking student from this network, or convert it (snn-convert, lasnn-compile --convert)}}
  %u = snn.relu %c : (tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  %c2 = snn.conv2d %x {weight = dense<0.5> : tensor<2x2x1x1xf32>} : (tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  %p = snn.max_pool %c2 {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>} : (tensor<2x4x4xf32>) -> tensor<2x2x2xf32>
  // expected-error@+1 {{batch_norm behind a max_pool of currents has a negative scale (gamma), which turns the maximum into a minimum; put it between the convolution and the pool}}
  %n = snn.batch_norm %p {gamma = dense<-1.0> : tensor<2xf32>, beta = dense<1.0> : tensor<2xf32>, mean = dense<0.5> : tensor<2xf32>, variance = dense<3.0> : tensor<2xf32>, epsilon = 1.0 : f32} : (tensor<2x2x2xf32>) -> tensor<2x2x2xf32>
  %s = snn.if %n {v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<2x2x2xf32>) -> tensor<2x2x2xf32>
  // expected-error@+1 {{avg_pool of spikes has no integer form; run snn-fold-pool-scale first}}
  %v = snn.avg_pool %s {kernel = array<i64: 2, 2>} : (tensor<2x2x2xf32>) -> tensor<2x1x1xf32>
  %c3 = snn.conv2d %v {weight = dense<0.5> : tensor<2x2x1x1xf32>} : (tensor<2x1x1xf32>) -> tensor<2x1x1xf32>
  // expected-error@+1 {{the synapse is fed by currents of 'conv2d#9', expected spikes or the analog input; put a neuron between them}}
  %c4 = snn.conv2d %c3 {weight = dense<0.5> : tensor<2x2x1x1xf32>} : (tensor<2x1x1xf32>) -> tensor<2x1x1xf32>
  %r = snn.readout %c4 sum : (tensor<2x1x1xf32>) -> tensor<2x1x1xf32>
  snn.output "out" %r : tensor<2x1x1xf32>
}

// -----

// A shortcut between membranes.
snn.network @shortcut timesteps = 1 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in direct : (tensor<2xui8>) -> tensor<2xf32>
  // expected-error@+1 {{its current has 2 uses, expected 1: a shortcut between membranes is not supported}}
  %c = snn.linear %x {weight = dense<0.5> : tensor<2x2xf32>} : (tensor<2xf32>) -> tensor<2xf32>
  // expected-note@+1 {{used by 'if#3'}}
  %s = snn.if %c {v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<2xf32>) -> tensor<2xf32>
  %l = snn.linear %s {weight = dense<0.5> : tensor<2x2xf32>} : (tensor<2xf32>) -> tensor<2xf32>
  // expected-note@+1 {{used by 'add#5'}}
  %a = snn.add %c, %l : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %r = snn.readout %a sum : (tensor<2xf32>) -> tensor<2xf32>
  snn.output "out" %r : tensor<2xf32>
}

// -----

snn.network @norm timesteps = 1 {
  %in = snn.input "in" : tensor<1x4x4xui8>
  %x = snn.encode %in events : (tensor<1x4x4xui8>) -> tensor<1x4x4xf32>
  // expected-error@+1 {{batch_norm is not next to a synapse that can take it}}
  %b = snn.batch_norm %x {gamma = dense<2.0> : tensor<1xf32>, beta = dense<0.5> : tensor<1xf32>, mean = dense<0.0> : tensor<1xf32>, variance = dense<1.0> : tensor<1xf32>, epsilon = 0.0 : f32} : (tensor<1x4x4xf32>) -> tensor<1x4x4xf32>
  %c = snn.conv2d %b {weight = dense<4.0> : tensor<1x1x3x3xf32>, pads = array<i64: 1, 1, 1, 1>} : (tensor<1x4x4xf32>) -> tensor<1x4x4xf32>
  // expected-error@+1 {{avg_pool of currents that are no convolution's alone, or with pads, cannot be composed with it}}
  %p = snn.avg_pool %c {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>} : (tensor<1x4x4xf32>) -> tensor<1x2x2xf32>
  %r = snn.readout %p sum : (tensor<1x2x2xf32>) -> tensor<1x2x2xf32>
  snn.output "out" %r : tensor<1x2x2xf32>
}

// -----

// rule D2: in float form only the producers tell
snn.network @delays timesteps = 2 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in direct : (tensor<2xui8>) -> tensor<2xf32>
  // expected-error@+1 {{rule D2: delays the analog input, expected spikes; delay what a neuron fires}}
  %d = snn.delay %x : (tensor<2xf32>) -> tensor<2xf32>
  %c = snn.linear %d {weight = dense<0.5> : tensor<2x2xf32>} : (tensor<2xf32>) -> tensor<2xf32>
  %s = snn.if %c {v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<2xf32>) -> tensor<2xf32>
  %l = snn.linear %s {weight = dense<0.5> : tensor<2x2xf32>} : (tensor<2xf32>) -> tensor<2xf32>
  // expected-error@+1 {{rule D2: delays currents, expected spikes}}
  %e = snn.delay %l : (tensor<2xf32>) -> tensor<2xf32>
  %r = snn.readout %e sum : (tensor<2xf32>) -> tensor<2xf32>
  snn.output "out" %r : tensor<2xf32>
}
