// RUN: lasnn-opt %s --snn-fuse-layers --mlir-print-debuginfo --mlir-print-local-scope | FileCheck %s

// CHECK-LABEL: @residual
snn.network @residual timesteps = 4 {
  %in = snn.input "in" : tensor<2x4x4xui8>
  // CHECK: [[X:%.*]] = snn.encode
  %x = snn.encode %in direct : (tensor<2x4x4xui8>) -> tensor<2x4x4xf32>
  // CHECK: [[S1:%.*]] = snn.layer "stem"([[A:%.*]] = [[X]] : tensor<2x4x4xf32>) -> tensor<2x4x4xf32> {
  // CHECK-NEXT: [[I:%.*]] = snn.conv2d [[A]]
  // CHECK-NEXT: [[S:%.*]] = snn.lif [[I]] {{.*}} loc("stem")
  // CHECK-NEXT: snn.yield [[S]]
  // CHECK-NEXT: } loc("stem")
  %c1 = snn.conv2d %x {weight = dense<0.5> : tensor<2x2x1x1xf32>} : (tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  %s1 = snn.lif %c1 {beta = 0.5 : f32, v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<2x4x4xf32>) -> tensor<2x4x4xf32> loc("stem")
  // Spikes that meet currents: one argument, a synapse of ones.
  // CHECK: [[S2:%.*]] = snn.layer "block"([[B:%.*]] = [[S1]] : tensor<2x4x4xf32>) -> tensor<2x4x4xf32> {
  // CHECK-NEXT: [[C:%.*]] = snn.conv2d [[B]] {weight = dense<5.000000e-01> : tensor<2x2x1x1xf32>}
  // CHECK-NEXT: [[D:%.*]] = snn.conv2d [[B]] {groups = 2 : i64, weight = dense<1.000000e+00> : tensor<2x1x1x1xf32>}
  // CHECK-NEXT: [[E:%.*]] = snn.add [[C]], [[D]]
  // CHECK-NEXT: snn.if [[E]]
  %c2 = snn.conv2d %s1 {weight = dense<0.5> : tensor<2x2x1x1xf32>} : (tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  %a = snn.add %c2, %s1 : (tensor<2x4x4xf32>, tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  %s2 = snn.if %a {v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<2x4x4xf32>) -> tensor<2x4x4xf32> loc("block")
  // Spikes plus spikes, and pools, stay between the layers.
  // CHECK: [[SUM:%.*]] = snn.add [[S1]], [[S2]]
  %sum = snn.add %s1, %s2 : (tensor<2x4x4xf32>, tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  // CHECK: [[P:%.*]] = snn.max_pool [[SUM]]
  %p = snn.max_pool %sum {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>} : (tensor<2x4x4xf32>) -> tensor<2x2x2xf32>
  // The flatten moves inside; the read-out is called after its synapse; the name was taken.
  // CHECK: [[R:%.*]] = snn.layer "stem_2"([[F:%.*]] = [[P]] : tensor<2x2x2xf32>) -> tensor<3xf32> {
  // CHECK-NEXT: [[G:%.*]] = snn.flatten [[F]]
  // CHECK-NEXT: [[H:%.*]] = snn.linear [[G]]
  // CHECK-NEXT: snn.readout [[H]]{{ +}}mean
  %f = snn.flatten %p : (tensor<2x2x2xf32>) -> tensor<8xf32>
  %l = snn.linear %f {weight = dense<1.0> : tensor<3x8xf32>} : (tensor<8xf32>) -> tensor<3xf32> loc("stem")
  %r = snn.readout %l mean : (tensor<3xf32>) -> tensor<3xf32>
  // CHECK: snn.output "logits" [[R]]
  snn.output "logits" %r : tensor<3xf32>
}

// A neuron, and a read-out, on spikes: the identity matrix.
// CHECK-LABEL: @identity
snn.network @identity timesteps = 1 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in events : (tensor<2xui8>) -> tensor<2xf32>
  // CHECK: snn.linear {{%.*}} {weight = dense<{{\[\[}}1.000000e+00, 0.000000e+00], [0.000000e+00, 1.000000e+00]]> : tensor<2x2xf32>}
  // CHECK-NEXT: snn.if
  %s = snn.if %x {v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<2xf32>) -> tensor<2xf32>
  // CHECK: snn.linear
  // CHECK-NEXT: snn.readout
  %r = snn.readout %s sum : (tensor<2xf32>) -> tensor<2xf32>
  snn.output "out" %r : tensor<2xf32>
}

// A maximum of currents goes into the layer.
// CHECK-LABEL: @pooled_currents
snn.network @pooled_currents timesteps = 1 {
  %in = snn.input "in" : tensor<1x4x4xui8>
  %x = snn.encode %in direct : (tensor<1x4x4xui8>) -> tensor<1x4x4xf32>
  // CHECK: snn.layer
  // CHECK-NEXT: [[C:%.*]] = snn.conv2d
  // CHECK-NEXT: [[P:%.*]] = snn.max_pool [[C]] {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>} : (tensor<2x4x4xf32>) -> tensor<2x2x2xf32>
  // CHECK-NEXT: snn.if [[P]]
  %c = snn.conv2d %x {weight = dense<0.5> : tensor<2x1x1x1xf32>} : (tensor<1x4x4xf32>) -> tensor<2x4x4xf32>
  %p = snn.max_pool %c {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>} : (tensor<2x4x4xf32>) -> tensor<2x2x2xf32>
  %s = snn.if %p {v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<2x2x2xf32>) -> tensor<2x2x2xf32>
  %c2 = snn.conv2d %s {weight = dense<0.5> : tensor<1x2x2x2xf32>} : (tensor<2x2x2xf32>) -> tensor<1x1x1xf32>
  %r = snn.readout %c2 sum : (tensor<1x1x1xf32>) -> tensor<1x1x1xf32>
  snn.output "out" %r : tensor<1x1x1xf32>
}

// What a layer said a step ago is an input of it, as are delayed events; a flatten of it moves inside.
// CHECK-LABEL: @recurrent
snn.network @recurrent timesteps = 3 {
  // CHECK: [[X:%.*]] = snn.encode
  // CHECK: [[B:%.*]] = snn.delay [[H:%.*]] : (tensor<2xf32>) -> tensor<2xf32>
  // CHECK: [[E:%.*]] = snn.delay [[X]] : (tensor<3x1x1xf32>) -> tensor<3x1x1xf32>
  // CHECK: [[H]] = snn.layer "h"([[A0:%.*]] = [[E]] : tensor<3x1x1xf32>, [[A1:%.*]] = [[B]] : tensor<2xf32>) -> tensor<2xf32> {
  // CHECK-NEXT: [[F:%.*]] = snn.flatten [[A0]]
  // CHECK-NEXT: [[C:%.*]] = snn.linear [[F]]
  // CHECK-NEXT: [[D:%.*]] = snn.linear [[A1]]
  // CHECK-NEXT: snn.add [[C]], [[D]]
  %in = snn.input "in" : tensor<3x1x1xui8>
  %x = snn.encode %in events : (tensor<3x1x1xui8>) -> tensor<3x1x1xf32>
  %b = snn.delay %s : (tensor<2xf32>) -> tensor<2xf32>
  %e = snn.delay %x : (tensor<3x1x1xf32>) -> tensor<3x1x1xf32>
  %f = snn.flatten %e : (tensor<3x1x1xf32>) -> tensor<3xf32>
  %c = snn.linear %f {weight = dense<0.5> : tensor<2x3xf32>} : (tensor<3xf32>) -> tensor<2xf32>
  %d = snn.linear %b {weight = dense<0.25> : tensor<2x2xf32>} : (tensor<2xf32>) -> tensor<2xf32>
  %a = snn.add %c, %d : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %s = snn.if %a {v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<2xf32>) -> tensor<2xf32> loc("h")
  // CHECK: snn.layer "linear#{{[0-9]+}}"({{%.*}} = [[H]]
  %o = snn.linear %s {weight = dense<0.5> : tensor<2x2xf32>} : (tensor<2xf32>) -> tensor<2xf32>
  %r = snn.readout %o sum : (tensor<2xf32>) -> tensor<2xf32>
  snn.output "out" %r : tensor<2xf32>
}
