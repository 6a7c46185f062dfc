// Every operation, custom and generic form, read and written back.
// RUN: lasnn-opt %s | lasnn-opt | FileCheck %s
// RUN: lasnn-opt %s --mlir-print-op-generic | lasnn-opt | FileCheck %s

// CHECK-LABEL: snn.network @float timesteps = 4
snn.network @float timesteps = 4 {
  // CHECK: snn.delay {{%.*}} : (tensor<3xf32>) -> tensor<3xf32>
  %d = snn.delay %i : (tensor<3xf32>) -> tensor<3xf32>
  // CHECK: [[IN:%.*]] = snn.input "image" : tensor<2x8x8xui8>
  %in = snn.input "image" : tensor<2x8x8xui8>
  // CHECK: snn.encode [[IN]]{{ +}}direct {mean = array<f32: 5.000000e-01, 2.500000e-01>, std = array<f32: 1.000000e+00, 2.000000e+00>} : (tensor<2x8x8xui8>) -> tensor<2x8x8xf32>
  %x = snn.encode %in direct {mean = array<f32: 0.5, 0.25>, std = array<f32: 1.0, 2.0>} : (tensor<2x8x8xui8>) -> tensor<2x8x8xf32>
  // CHECK: snn.conv2d {{%.*}} {bias = dense<1.000000e+00> : tensor<4xf32>, groups = 2 : i64, pads = array<i64: 1, 1, 1, 1>, strides = array<i64: 2, 2>, weight = dense<5.000000e-01> : tensor<4x1x3x3xf32>} : (tensor<2x8x8xf32>) -> tensor<4x4x4xf32>
  %c = snn.conv2d %x {weight = dense<0.5> : tensor<4x1x3x3xf32>, bias = dense<1.0> : tensor<4xf32>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, groups = 2 : i64} : (tensor<2x8x8xf32>) -> tensor<4x4x4xf32>
  // CHECK: snn.batch_norm
  %b = snn.batch_norm %c {gamma = dense<1.0> : tensor<4xf32>, beta = dense<0.0> : tensor<4xf32>, mean = dense<0.0> : tensor<4xf32>, variance = dense<1.0> : tensor<4xf32>, epsilon = 1.0e-5 : f32} : (tensor<4x4x4xf32>) -> tensor<4x4x4xf32>
  // CHECK: snn.lif {{%.*}} {beta = 5.000000e-01 : f32, compare = #snn.compare<ge>, reset = #snn.reset<subtract>, rho = dense<1.000000e+00> : tensor<1xf32>, s_max = 3 : i64, v_min = -1.000000e+00 : f32, v_threshold = dense<1.000000e+00> : tensor<4xf32>} : (tensor<4x4x4xf32>) -> tensor<4x4x4xf32>
  %s = snn.lif %b {beta = 0.5 : f32, compare = #snn<compare<ge>>, reset = #snn<reset<subtract>>, rho = dense<1.0> : tensor<1xf32>, s_max = 3 : i64, state_bits = 24 : i64, v_min = -1.0 : f32, v_threshold = dense<1.0> : tensor<4xf32>} : (tensor<4x4x4xf32>) -> tensor<4x4x4xf32>
  // CHECK: snn.sum_pool {{%.*}} {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>} : (tensor<4x4x4xf32>) -> tensor<4x2x2xf32>
  %p = snn.sum_pool %s {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>} : (tensor<4x4x4xf32>) -> tensor<4x2x2xf32>
  // CHECK: snn.max_pool
  %m = snn.max_pool %s {kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>} : (tensor<4x4x4xf32>) -> tensor<4x2x2xf32>
  // CHECK: snn.add {{%.*}}, {{%.*}} : (tensor<4x2x2xf32>, tensor<4x2x2xf32>) -> tensor<4x2x2xf32>
  %a = snn.add %p, %m : (tensor<4x2x2xf32>, tensor<4x2x2xf32>) -> tensor<4x2x2xf32>
  // CHECK: snn.avg_pool
  %v = snn.avg_pool %a {kernel = array<i64: 2, 2>} : (tensor<4x2x2xf32>) -> tensor<4x1x1xf32>
  // CHECK: snn.flatten {{%.*}} : (tensor<4x1x1xf32>) -> tensor<4xf32>
  %f = snn.flatten %v : (tensor<4x1x1xf32>) -> tensor<4xf32>
  // CHECK: snn.linear {{%.*}} {weight = dense<1.000000e+00> : tensor<3x4xf32>} : (tensor<4xf32>) -> tensor<3xf32>
  %l = snn.linear %f {weight = dense<1.0> : tensor<3x4xf32>} : (tensor<4xf32>) -> tensor<3xf32>
  // CHECK: snn.relu
  %r = snn.relu %l : (tensor<3xf32>) -> tensor<3xf32>
  // CHECK: snn.if {{%.*}} {reset = #snn.reset<value>, v_reset = dense<-5.000000e-01> : tensor<3xf32>, v_threshold = dense<1.000000e+00> : tensor<1xf32>}
  %i = snn.if %r {reset = #snn<reset<value>>, v_reset = dense<-0.5> : tensor<3xf32>, v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<3xf32>) -> tensor<3xf32>
  %j = snn.add %i, %d : (tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>
  %o = snn.linear %j {weight = dense<1.0> : tensor<3x3xf32>} : (tensor<3xf32>) -> tensor<3xf32>
  // CHECK: snn.readout {{%[0-9]+ +}}mean : (tensor<3xf32>) -> tensor<3xf32>
  %y = snn.readout %o mean : (tensor<3xf32>) -> tensor<3xf32>
  // CHECK: snn.output "logits" {{%.*}} : tensor<3xf32>
  snn.output "logits" %y : tensor<3xf32>
}

// CHECK-LABEL: snn.network @integer timesteps = 2
snn.network @integer timesteps = 2 {
  %in = snn.input "events" : tensor<2xui8>
  // CHECK: snn.encode {{%[0-9]+ +}}events {max_count = 3 : i64}
  %x = snn.encode %in events {max_count = 3 : i64} : (tensor<2xui8>) -> tensor<2xui8>
  // CHECK: snn.layer "hidden"([[A:%.*]] = {{%.*}} : tensor<2xui8>) -> tensor<3xui8> attributes {current_bits = 16 : i64} {
  %h = snn.layer "hidden" (%a = %x : tensor<2xui8>) -> tensor<3xui8> attributes {current_bits = 16 : i64} {
    // CHECK-NEXT: snn.linear [[A]]
    %l = snn.linear %a {weight = dense<[[1, -2], [3, 4], [5, -6]]> : tensor<3x2xi8>} : (tensor<2xui8>) -> tensor<3xi32>
    // CHECK-NEXT: snn.lif {{%.*}} {decay = 2048 : i32, v_min = -5 : i32, v_threshold = dense<10> : tensor<1xi32>} : (tensor<3xi32>) -> tensor<3xui8>
    %s = snn.lif %l {decay = 2048 : i32, v_min = -5 : i32, v_threshold = dense<10> : tensor<1xi32>} : (tensor<3xi32>) -> tensor<3xui8>
    // CHECK-NEXT: snn.yield {{%.*}} : tensor<3xui8>
    snn.yield %s : tensor<3xui8>
  }
  // CHECK: snn.delay {{%.*}} : (tensor<3xui8>) -> tensor<3xui8>
  %d = snn.delay %h : (tensor<3xui8>) -> tensor<3xui8>
  %o = snn.layer "out" (%a = %d : tensor<3xui8>) -> tensor<2xi32> {
    %l = snn.linear %a {weight = dense<1> : tensor<2x3xi8>, bias = dense<[7, -7]> : tensor<2xi32>} : (tensor<3xui8>) -> tensor<2xi32>
    // CHECK: snn.readout {{%[0-9]+ +}}sum {scale = 1.250000e-01 : f32}
    %r = snn.readout %l sum {scale = 0.125 : f32} : (tensor<2xi32>) -> tensor<2xi32>
    snn.yield %r : tensor<2xi32>
  }
  snn.output "logits" %o : tensor<2xi32>
}
