// From what an importer writes to what a backend takes, by the two pipelines.
// RUN: lasnn-opt %s --snn-float --snn-int | FileCheck %s
// RUN: lasnn-opt %s --pass-pipeline='builtin.module(snn-float,snn-int{weight-bits=4 state-bits=24})' | FileCheck %s --check-prefix=BITS4

// CHECK-LABEL: @whole timesteps = 4
// BITS4-LABEL: @whole
snn.network @whole timesteps = 4 {
  %in = snn.input "image" : tensor<1x4x4xui8>
  // CHECK: snn.encode {{.*}} -> tensor<1x4x4xi8>
  %x = snn.encode %in direct : (tensor<1x4x4xui8>) -> tensor<1x4x4xf32>
  // CHECK: snn.layer "conv1"{{.*}} -> tensor<2x4x4xui8> attributes {current_bits = 32 : i64}
  // CHECK-NOT: batch_norm
  // BITS4: weight = dense<7> : tensor<2x1x3x3xi8>
  // BITS4-NOT: state_bits = 16
  %c = snn.conv2d %x {weight = dense<0.5> : tensor<2x1x3x3xf32>, pads = array<i64: 1, 1, 1, 1>} : (tensor<1x4x4xf32>) -> tensor<2x4x4xf32>
  %b = snn.batch_norm %c {gamma = dense<1.0> : tensor<2xf32>, beta = dense<0.5> : tensor<2xf32>, mean = dense<0.0> : tensor<2xf32>, variance = dense<1.0> : tensor<2xf32>, epsilon = 0.0 : f32} : (tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  %s = snn.lif %b {beta = 0.5 : f32, v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<2x4x4xf32>) -> tensor<2x4x4xf32> loc("conv1")
  // CHECK: snn.sum_pool {{.*}} -> tensor<2x2x2xui8>
  %p = snn.avg_pool %s {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>} : (tensor<2x4x4xf32>) -> tensor<2x2x2xf32>
  %f = snn.flatten %p : (tensor<2x2x2xf32>) -> tensor<8xf32>
  // CHECK: snn.layer "fc"
  // CHECK-NEXT: snn.flatten
  // CHECK-NEXT: snn.linear
  // u = 1/4 / 127 (the pool's factor), and the mean of 4 steps
  // CHECK-NEXT: snn.readout {{%[0-9]+ +}}sum {scale = 4.921260e-04 : f32}
  %l = snn.linear %f {weight = dense<1.0> : tensor<3x8xf32>} : (tensor<8xf32>) -> tensor<3xf32> loc("fc")
  %r = snn.readout %l mean : (tensor<3xf32>) -> tensor<3xf32>
  snn.output "logits" %r : tensor<3xf32>
}
