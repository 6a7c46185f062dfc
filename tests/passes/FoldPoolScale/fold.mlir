// RUN: lasnn-opt %s --snn-fold-pool-scale | FileCheck %s

// 1/4 goes through the max_pool and the flatten into both linears, not into the third, which takes spikes.
// CHECK-LABEL: @on_spikes
snn.network @on_spikes timesteps = 1 {
  %in = snn.input "in" : tensor<2x4x4xui8>
  // CHECK: [[X:%.*]] = snn.encode
  %x = snn.encode %in events : (tensor<2x4x4xui8>) -> tensor<2x4x4xf32>
  // CHECK: [[P:%.*]] = snn.sum_pool [[X]] {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>} : (tensor<2x4x4xf32>) -> tensor<2x2x2xf32>
  %p = snn.avg_pool %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>} : (tensor<2x4x4xf32>) -> tensor<2x2x2xf32>
  // CHECK: [[M:%.*]] = snn.max_pool [[P]]
  %m = snn.max_pool %p {kernel = array<i64: 2, 2>} : (tensor<2x2x2xf32>) -> tensor<2x1x1xf32>
  // CHECK: [[F:%.*]] = snn.flatten [[M]]
  %f = snn.flatten %m : (tensor<2x1x1xf32>) -> tensor<2xf32>
  // CHECK: snn.linear [[F]] {weight = dense<1.000000e+00> : tensor<2x2xf32>}
  %l = snn.linear %f {weight = dense<4.0> : tensor<2x2xf32>} : (tensor<2xf32>) -> tensor<2xf32>
  // CHECK: snn.linear [[F]] {bias = dense<8.000000e+00> : tensor<2xf32>, weight = dense<2.000000e+00> : tensor<2x2xf32>}
  %l2 = snn.linear %f {weight = dense<8.0> : tensor<2x2xf32>, bias = dense<8.0> : tensor<2xf32>} : (tensor<2xf32>) -> tensor<2xf32>
  %fx = snn.flatten %x : (tensor<2x4x4xf32>) -> tensor<32xf32>
  // CHECK: weight = dense<3.000000e+00> : tensor<2x32xf32>
  %l3 = snn.linear %fx {weight = dense<3.0> : tensor<2x32xf32>} : (tensor<32xf32>) -> tensor<2xf32>
  %a = snn.add %l, %l2 : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %b = snn.add %a, %l3 : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %r = snn.readout %b sum : (tensor<2xf32>) -> tensor<2xf32>
  snn.output "out" %r : tensor<2xf32>
}

// Straight into a neuron: a synapse holds the factor.
// CHECK-LABEL: @before_neuron
snn.network @before_neuron timesteps = 1 {
  %in = snn.input "in" : tensor<2x4x4xui8>
  %x = snn.encode %in events : (tensor<2x4x4xui8>) -> tensor<2x4x4xf32>
  // CHECK: [[P:%.*]] = snn.sum_pool
  %p = snn.avg_pool %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>} : (tensor<2x4x4xf32>) -> tensor<2x2x2xf32>
  // CHECK: [[C:%.*]] = snn.conv2d [[P]] {groups = 2 : i64, weight = dense<2.500000e-01> : tensor<2x1x1x1xf32>}
  // CHECK: snn.if [[C]]
  %s = snn.if %p {v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<2x2x2xf32>) -> tensor<2x2x2xf32>
  %r = snn.readout %s sum : (tensor<2x2x2xf32>) -> tensor<2x2x2xf32>
  snn.output "out" %r : tensor<2x2x2xf32>
}

// On currents: [1, 2] pooled by 2 is [1, 3, 2]/2 with stride 2, and keeps its pads; the bias stays.
// CHECK-LABEL: @on_currents
snn.network @on_currents timesteps = 1 {
  %in = snn.input "in" : tensor<1x1x4xui8>
  // CHECK: [[X:%.*]] = snn.encode
  %x = snn.encode %in direct : (tensor<1x1x4xui8>) -> tensor<1x1x4xf32>
  // CHECK-NEXT: [[C:%.*]] = snn.conv2d [[X]] {bias = dense<7.000000e+00> : tensor<1xf32>, pads = array<i64: 0, 1, 0, 0>, strides = array<i64: 1, 2>, weight = dense<{{\[\[\[\[}}5.000000e-01, 1.500000e+00, 1.000000e+00]]]]> : tensor<1x1x1x3xf32>} : (tensor<1x1x4xf32>) -> tensor<1x1x2xf32>
  %c = snn.conv2d %x {weight = dense<[[[[1.0, 2.0]]]]> : tensor<1x1x1x2xf32>, bias = dense<7.0> : tensor<1xf32>, pads = array<i64: 0, 1, 0, 0>} : (tensor<1x1x4xf32>) -> tensor<1x1x4xf32>
  %p = snn.avg_pool %c {kernel = array<i64: 1, 2>, strides = array<i64: 1, 2>} : (tensor<1x1x4xf32>) -> tensor<1x1x2xf32>
  // CHECK-NEXT: snn.if [[C]]
  %s = snn.if %p {v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<1x1x2xf32>) -> tensor<1x1x2xf32>
  %r = snn.readout %s sum : (tensor<1x1x2xf32>) -> tensor<1x1x2xf32>
  snn.output "out" %r : tensor<1x1x2xf32>
}

// The factor of what is fed back is known before the pool is reached in order of execution.
// CHECK-LABEL: @fed_back
snn.network @fed_back timesteps = 2 {
  // CHECK: [[B:%.*]] = snn.delay
  %b = snn.delay %p : (tensor<1x2x2xf32>) -> tensor<1x2x2xf32>
  %in = snn.input "in" : tensor<1x4x4xui8>
  %x = snn.encode %in events : (tensor<1x4x4xui8>) -> tensor<1x4x4xf32>
  %c = snn.conv2d %x {weight = dense<1.0> : tensor<1x1x1x1xf32>} : (tensor<1x4x4xf32>) -> tensor<1x4x4xf32>
  // CHECK: snn.conv2d [[B]] {pads = array<i64: 2, 2, 2, 2>, weight = dense<2.500000e-01> : tensor<1x1x3x3xf32>}
  %d = snn.conv2d %b {weight = dense<1.0> : tensor<1x1x3x3xf32>, pads = array<i64: 2, 2, 2, 2>} : (tensor<1x2x2xf32>) -> tensor<1x4x4xf32>
  %a = snn.add %c, %d : (tensor<1x4x4xf32>, tensor<1x4x4xf32>) -> tensor<1x4x4xf32>
  %s = snn.if %a {v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<1x4x4xf32>) -> tensor<1x4x4xf32>
  // CHECK: snn.sum_pool
  %p = snn.avg_pool %s {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>} : (tensor<1x4x4xf32>) -> tensor<1x2x2xf32>
  // CHECK: snn.conv2d {{.*}}weight = dense<2.500000e-01> : tensor<1x1x2x2xf32>
  %l = snn.conv2d %p {weight = dense<1.0> : tensor<1x1x2x2xf32>} : (tensor<1x2x2xf32>) -> tensor<1x1x1xf32>
  %r = snn.readout %l sum : (tensor<1x1x1xf32>) -> tensor<1x1x1xf32>
  snn.output "out" %r : tensor<1x1x1xf32>
}
