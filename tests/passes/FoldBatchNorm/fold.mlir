// RUN: lasnn-opt %s --snn-fold-batch-norm | FileCheck %s

// g = gamma/sqrt(variance + epsilon) = 3/2, h = beta - mean*g = 1 - 0.5*1.5 = 0.25
// CHECK-LABEL: @behind_convolution
snn.network @behind_convolution timesteps = 1 {
  %in = snn.input "in" : tensor<1x4x4xui8>
  %x = snn.encode %in direct : (tensor<1x4x4xui8>) -> tensor<1x4x4xf32>
  // CHECK: [[C:%.*]] = snn.conv2d {{%.*}} {bias = dense<3.250000e+00> : tensor<2xf32>, pads = array<i64: 1, 1, 1, 1>, weight = dense<6.000000e+00> : tensor<2x1x3x3xf32>}
  %c = snn.conv2d %x {weight = dense<4.0> : tensor<2x1x3x3xf32>, bias = dense<2.0> : tensor<2xf32>, pads = array<i64: 1, 1, 1, 1>} : (tensor<1x4x4xf32>) -> tensor<2x4x4xf32>
  // CHECK-NOT: batch_norm
  %b = snn.batch_norm %c {gamma = dense<3.0> : tensor<2xf32>, beta = dense<1.0> : tensor<2xf32>, mean = dense<0.5> : tensor<2xf32>, variance = dense<3.0> : tensor<2xf32>, epsilon = 1.0 : f32} : (tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  // CHECK-NEXT: snn.if [[C]]
  %s = snn.if %b {v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  %r = snn.readout %s sum : (tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  snn.output "out" %r : tensor<2x4x4xf32>
}

// Through an add of currents: the scale (2) to both sides, the shift (1) to the first. The spikes get a synapse.
// CHECK-LABEL: @behind_add
snn.network @behind_add timesteps = 1 {
  %in = snn.input "in" : tensor<2x4x4xui8>
  // CHECK: [[X:%.*]] = snn.encode
  %x = snn.encode %in events : (tensor<2x4x4xui8>) -> tensor<2x4x4xf32>
  // CHECK-DAG: [[C:%.*]] = snn.conv2d [[X]] {bias = dense<1.000000e+00> : tensor<2xf32>, weight = dense<8.000000e+00> : tensor<2x2x1x1xf32>}
  %c = snn.conv2d %x {weight = dense<4.0> : tensor<2x2x1x1xf32>} : (tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  // CHECK-DAG: [[I:%.*]] = snn.conv2d [[X]] {groups = 2 : i64, weight = dense<2.000000e+00> : tensor<2x1x1x1xf32>}
  // CHECK: snn.add [[C]], [[I]]
  %a = snn.add %c, %x : (tensor<2x4x4xf32>, tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  %b = snn.batch_norm %a {gamma = dense<2.0> : tensor<2xf32>, beta = dense<1.0> : tensor<2xf32>, mean = dense<0.0> : tensor<2xf32>, variance = dense<1.0> : tensor<2xf32>, epsilon = 0.0 : f32} : (tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  %r = snn.readout %b sum : (tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  snn.output "out" %r : tensor<2x4x4xf32>
}

// Before a convolution without pads: weight*g, bias + sum of weight*h = 2*4*0.5.
// CHECK-LABEL: @before_convolution
snn.network @before_convolution timesteps = 1 {
  %in = snn.input "in" : tensor<2x4x4xui8>
  %x = snn.encode %in events : (tensor<2x4x4xui8>) -> tensor<2x4x4xf32>
  // CHECK-NOT: batch_norm
  %b = snn.batch_norm %x {gamma = dense<[2.0, 3.0]> : tensor<2xf32>, beta = dense<0.5> : tensor<2xf32>, mean = dense<0.0> : tensor<2xf32>, variance = dense<1.0> : tensor<2xf32>, epsilon = 0.0 : f32} : (tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  // CHECK: snn.conv2d {{%.*}} {bias = dense<4.000000e+00> : tensor<1xf32>, weight = dense<{{\[\[\[\[}}8.000000e+00]], {{\[\[}}1.200000e+01]]]]> : tensor<1x2x1x1xf32>}
  %c = snn.conv2d %b {weight = dense<4.0> : tensor<1x2x1x1xf32>} : (tensor<2x4x4xf32>) -> tensor<1x4x4xf32>
  %r = snn.readout %c sum : (tensor<1x4x4xf32>) -> tensor<1x4x4xf32>
  snn.output "out" %r : tensor<1x4x4xf32>
}

// A shift would meet the padding: left, and snn-fuse-layers says so.
// CHECK-LABEL: @before_padded
snn.network @before_padded timesteps = 1 {
  %in = snn.input "in" : tensor<1x4x4xui8>
  %x = snn.encode %in events : (tensor<1x4x4xui8>) -> tensor<1x4x4xf32>
  // CHECK: snn.batch_norm
  %b = snn.batch_norm %x {gamma = dense<2.0> : tensor<1xf32>, beta = dense<0.5> : tensor<1xf32>, mean = dense<0.0> : tensor<1xf32>, variance = dense<1.0> : tensor<1xf32>, epsilon = 0.0 : f32} : (tensor<1x4x4xf32>) -> tensor<1x4x4xf32>
  // CHECK: weight = dense<4.0
  %c = snn.conv2d %b {weight = dense<4.0> : tensor<1x1x3x3xf32>, pads = array<i64: 1, 1, 1, 1>} : (tensor<1x4x4xf32>) -> tensor<1x4x4xf32>
  %r = snn.readout %c sum : (tensor<1x4x4xf32>) -> tensor<1x4x4xf32>
  snn.output "out" %r : tensor<1x4x4xf32>
}

// Two uses of the convolution: left.
// CHECK-LABEL: @two_uses
snn.network @two_uses timesteps = 1 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in events : (tensor<2xui8>) -> tensor<2xf32>
  // CHECK: weight = dense<4.0
  %c = snn.linear %x {weight = dense<4.0> : tensor<2x2xf32>} : (tensor<2xf32>) -> tensor<2xf32>
  // CHECK: snn.batch_norm
  %b = snn.batch_norm %c {gamma = dense<2.0> : tensor<2xf32>, beta = dense<0.0> : tensor<2xf32>, mean = dense<0.0> : tensor<2xf32>, variance = dense<1.0> : tensor<2xf32>, epsilon = 0.0 : f32} : (tensor<2xf32>) -> tensor<2xf32>
  %a = snn.add %b, %c : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %r = snn.readout %a sum : (tensor<2xf32>) -> tensor<2xf32>
  snn.output "out" %r : tensor<2xf32>
}

// On spikes before a neuron: a synapse of its own.
// CHECK-LABEL: @before_neuron
snn.network @before_neuron timesteps = 1 {
  %in = snn.input "in" : tensor<2x4x4xui8>
  %x = snn.encode %in events : (tensor<2x4x4xui8>) -> tensor<2x4x4xf32>
  // CHECK: snn.conv2d {{%.*}} {bias = dense<5.000000e-01> : tensor<2xf32>, groups = 2 : i64, weight = dense<2.000000e+00> : tensor<2x1x1x1xf32>}
  %b = snn.batch_norm %x {gamma = dense<2.0> : tensor<2xf32>, beta = dense<0.5> : tensor<2xf32>, mean = dense<0.0> : tensor<2xf32>, variance = dense<1.0> : tensor<2xf32>, epsilon = 0.0 : f32} : (tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  %s = snn.if %b {v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  %r = snn.readout %s sum : (tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  snn.output "out" %r : tensor<2x4x4xf32>
}

// Through a maximum of currents, whose order a scale of 0 and above keeps: weight*2, bias 1.
// CHECK-LABEL: @behind_max_pool
snn.network @behind_max_pool timesteps = 1 {
  %in = snn.input "in" : tensor<1x4x4xui8>
  %x = snn.encode %in direct : (tensor<1x4x4xui8>) -> tensor<1x4x4xf32>
  // CHECK: [[C:%.*]] = snn.conv2d {{%.*}} {bias = dense<1.000000e+00> : tensor<2xf32>, weight = dense<{{\[\[\[\[}}8.000000e+00]]], {{\[\[\[}}0.000000e+00]]]]> : tensor<2x1x1x1xf32>}
  %c = snn.conv2d %x {weight = dense<4.0> : tensor<2x1x1x1xf32>} : (tensor<1x4x4xf32>) -> tensor<2x4x4xf32>
  // CHECK-NEXT: [[P:%.*]] = snn.max_pool [[C]]
  %p = snn.max_pool %c {kernel = array<i64: 3, 3>, pads = array<i64: 1, 1, 1, 1>} : (tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  // CHECK-NEXT: snn.readout [[P]]
  %b = snn.batch_norm %p {gamma = dense<[2.0, 0.0]> : tensor<2xf32>, beta = dense<1.0> : tensor<2xf32>, mean = dense<0.0> : tensor<2xf32>, variance = dense<1.0> : tensor<2xf32>, epsilon = 0.0 : f32} : (tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  %r = snn.readout %b sum : (tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  snn.output "out" %r : tensor<2x4x4xf32>
}

// Not with a negative scale.
// CHECK-LABEL: @negative_behind_max_pool
snn.network @negative_behind_max_pool timesteps = 1 {
  %in = snn.input "in" : tensor<1x4x4xui8>
  %x = snn.encode %in direct : (tensor<1x4x4xui8>) -> tensor<1x4x4xf32>
  %c = snn.conv2d %x {weight = dense<4.0> : tensor<2x1x1x1xf32>} : (tensor<1x4x4xf32>) -> tensor<2x4x4xf32>
  %p = snn.max_pool %c {kernel = array<i64: 3, 3>, pads = array<i64: 1, 1, 1, 1>} : (tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  // CHECK: snn.batch_norm
  %b = snn.batch_norm %p {gamma = dense<[2.0, -1.0]> : tensor<2xf32>, beta = dense<1.0> : tensor<2xf32>, mean = dense<0.0> : tensor<2xf32>, variance = dense<1.0> : tensor<2xf32>, epsilon = 0.0 : f32} : (tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  %r = snn.readout %b sum : (tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  snn.output "out" %r : tensor<2x4x4xf32>
}
