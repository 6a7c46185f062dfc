// RUN: lasnn-opt %s --snn-legalize | FileCheck %s

// CHECK-LABEL: @canonical
snn.network @canonical timesteps = 4 {
  // CHECK: [[X:%.*]] = snn.encode
  %in = snn.input "in" : tensor<2x8x8xui8>
  %x = snn.encode %in direct : (tensor<2x8x8xui8>) -> tensor<2x8x8xf32>
  // CHECK-NEXT: [[C:%.*]] = snn.conv2d [[X]]
  %c = snn.conv2d %x {weight = dense<0.5> : tensor<4x2x1x1xf32>} : (tensor<2x8x8xf32>) -> tensor<4x8x8xf32>
  // beta = 1 is no leak (N2); what else it has stays
  // CHECK-NEXT: [[S:%.*]] = snn.if [[C]] {v_threshold = dense<1.000000e+00> : tensor<1xf32>} : (tensor<4x8x8xf32>)
  %s = snn.lif %c {beta = 1.0 : f32, s_max = 1 : i64, v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<4x8x8xf32>) -> tensor<4x8x8xf32>
  // CHECK-NOT: kernel = array<i64: 1, 1>
  %i = snn.max_pool %s {kernel = array<i64: 1, 1>} : (tensor<4x8x8xf32>) -> tensor<4x8x8xf32>
  // CHECK-NEXT: [[P:%.*]] = snn.avg_pool [[S]] {kernel = array<i64: 4, 8>, strides = array<i64: 4, 4>} : (tensor<4x8x8xf32>) -> tensor<4x2x1xf32>
  %p = snn.avg_pool %i {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>} : (tensor<4x8x8xf32>) -> tensor<4x4x4xf32>
  %q = snn.avg_pool %p {kernel = array<i64: 2, 4>, strides = array<i64: 2, 2>} : (tensor<4x4x4xf32>) -> tensor<4x2x1xf32>
  // CHECK-NEXT: [[F:%.*]] = snn.flatten [[P]]
  %f = snn.flatten %q : (tensor<4x2x1xf32>) -> tensor<8xf32>
  %g = snn.flatten %f : (tensor<8xf32>) -> tensor<8xf32>
  // CHECK-NEXT: [[L:%.*]] = snn.linear [[F]]
  %l = snn.linear %g {weight = dense<1.0> : tensor<2x8xf32>} : (tensor<8xf32>) -> tensor<2xf32>
  // nobody uses this one
  // CHECK-NOT: v_threshold = dense<9
  %dead = snn.if %l {v_threshold = dense<9.0> : tensor<1xf32>} : (tensor<2xf32>) -> tensor<2xf32>
  // CHECK-NEXT: snn.readout [[L]]{{ +}}mean
  %r = snn.readout %l mean : (tensor<2xf32>) -> tensor<2xf32>
  snn.output "out" %r : tensor<2xf32>
}

// Overlapping windows, or pads, are no window together.
// CHECK-LABEL: @pools
snn.network @pools timesteps = 1 {
  %in = snn.input "in" : tensor<1x9x9xui8>
  %x = snn.encode %in events : (tensor<1x9x9xui8>) -> tensor<1x9x9xf32>
  // CHECK: kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>
  %p = snn.avg_pool %x {kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>} : (tensor<1x9x9xf32>) -> tensor<1x4x4xf32>
  // CHECK: kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>
  %q = snn.avg_pool %p {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>} : (tensor<1x4x4xf32>) -> tensor<1x2x2xf32>
  // CHECK: kernel = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, strides = array<i64: 2, 2>
  %t = snn.avg_pool %q {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>} : (tensor<1x2x2xf32>) -> tensor<1x2x2xf32>
  %r = snn.readout %t last : (tensor<1x2x2xf32>) -> tensor<1x2x2xf32>
  snn.output "out" %r : tensor<1x2x2xf32>
}

// A neuron moves before the flatten of its currents, unless its constants differ from element to element.
// CHECK-LABEL: @flatten
snn.network @flatten timesteps = 1 {
  %in = snn.input "in" : tensor<1x2x2xui8>
  %x = snn.encode %in events : (tensor<1x2x2xui8>) -> tensor<1x2x2xf32>
  // CHECK: [[C:%.*]] = snn.conv2d
  %c = snn.conv2d %x {weight = dense<1.0> : tensor<1x1x1x1xf32>} : (tensor<1x2x2xf32>) -> tensor<1x2x2xf32>
  // CHECK-NEXT: [[S:%.*]] = snn.if [[C]] {{.*}} -> tensor<1x2x2xf32>
  // CHECK-NEXT: [[F:%.*]] = snn.flatten [[S]]
  %f = snn.flatten %c : (tensor<1x2x2xf32>) -> tensor<4xf32>
  %s = snn.if %f {v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<4xf32>) -> tensor<4xf32>
  // CHECK: [[C2:%.*]] = snn.conv2d
  // CHECK-NEXT: [[F2:%.*]] = snn.flatten [[C2]]
  // CHECK-NEXT: snn.if [[F2]]
  %c2 = snn.conv2d %x {weight = dense<2.0> : tensor<1x1x1x1xf32>} : (tensor<1x2x2xf32>) -> tensor<1x2x2xf32>
  %f2 = snn.flatten %c2 : (tensor<1x2x2xf32>) -> tensor<4xf32>
  %s2 = snn.if %f2 {v_threshold = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>} : (tensor<4xf32>) -> tensor<4xf32>
  %a = snn.add %s, %s2 : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  %r = snn.readout %a sum : (tensor<4xf32>) -> tensor<4xf32>
  snn.output "out" %r : tensor<4xf32>
}

// Delays go before flattens, one behind the other too; a loop that no output hears is removed.
// CHECK-LABEL: @delays
snn.network @delays timesteps = 2 {
  %in = snn.input "in" : tensor<1x2x2xui8>
  %x = snn.encode %in events : (tensor<1x2x2xui8>) -> tensor<1x2x2xf32>
  %f = snn.flatten %x : (tensor<1x2x2xf32>) -> tensor<4xf32>
  // CHECK: [[X:%.*]] = snn.encode
  // CHECK-NEXT: [[B:%.*]] = snn.delay [[A:%.*]] : (tensor<1x2x2xf32>) -> tensor<1x2x2xf32>
  // CHECK-NEXT: [[F:%.*]] = snn.flatten [[B]]
  // CHECK-NEXT: [[A]] = snn.delay [[X]] : (tensor<1x2x2xf32>) -> tensor<1x2x2xf32>
  // CHECK-NEXT: snn.linear [[F]]
  %b = snn.delay %a : (tensor<4xf32>) -> tensor<4xf32>
  %a = snn.delay %f : (tensor<4xf32>) -> tensor<4xf32>
  // CHECK-NOT: snn.if
  %t = snn.linear %d {weight = dense<1.0> : tensor<4x4xf32>} : (tensor<4xf32>) -> tensor<4xf32>
  %s = snn.if %t {v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<4xf32>) -> tensor<4xf32>
  %d = snn.delay %s : (tensor<4xf32>) -> tensor<4xf32>
  %l = snn.linear %b {weight = dense<1.0> : tensor<2x4xf32>} : (tensor<4xf32>) -> tensor<2xf32>
  %r = snn.readout %l mean : (tensor<2xf32>) -> tensor<2xf32>
  snn.output "out" %r : tensor<2xf32>
}
