// RUN: lasnn-opt %s --snn-quantize | FileCheck %s
// RUN: lasnn-opt %s --snn-quantize=weight-bits=3 | FileCheck %s
// RUN: lasnn-opt %s --snn-quantize=weight-bits=8 2>&1 | FileCheck %s --check-prefix=OTHER

// What was trained with units of its own keeps them, at the width it was trained with; another width chooses anew and says so.
// OTHER: warning: 'a' was trained with weights of 3 bits, and 8 are asked for: its units are chosen anew
// CHECK-LABEL: @recorded
snn.network @recorded timesteps = 4 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in events : (tensor<2xui8>) -> tensor<2xf32>
  // u = 1/4 and 1/8: weights are clamped at 3; theta 1 is 4 and 8 units
  // CHECK: snn.layer "a"
  // CHECK-NEXT: bias = dense<[1, 2]> : tensor<2xi32>, weight = dense<{{\[\[}}2, -3], [3, 1]]> : tensor<2x2xi8>
  // CHECK-NEXT: snn.lif {{.*}} {decay = 2048 : i32, state_bits = 16 : i64, v_threshold = dense<[4, 8]> : tensor<2xi32>}
  // CHECK-NOT: snn.quantized
  // OTHER: weight = dense<{{\[\[}}64, -127], [127, 25]]> : tensor<2x2xi8>
  %a = snn.layer "a" (%i = %x : tensor<2xf32>) -> tensor<2xf32> {
    %l = snn.linear %i {weight = dense<[[0.5, -1.0], [0.5, 0.1]]> : tensor<2x2xf32>, bias = dense<0.25> : tensor<2xf32>} : (tensor<2xf32>) -> tensor<2xf32>
    %s = snn.lif %l {beta = 0.5 : f32, v_threshold = dense<1.0> : tensor<1xf32>, snn.quantized = {weight_bits = 3 : i64, unit = array<f32: 0.25, 0.125>}} : (tensor<2xf32>) -> tensor<2xf32>
    snn.yield %s : tensor<2xf32>
  }
  // One unit for all channels of a read-out; the mean of 4 steps is a sum with scale 0.5/4.
  // CHECK: snn.layer "out"
  // CHECK-NEXT: weight = dense<{{\[\[}}2, 0], [1, -2]]> : tensor<2x2xi8>
  // CHECK-NEXT: snn.readout {{.*}} sum {scale = 1.250000e-01 : f32}
  %o = snn.layer "out" (%i = %a : tensor<2xf32>) -> tensor<2xf32> {
    %l = snn.linear %i {weight = dense<[[1.0, 0.0], [0.5, -1.0]]> : tensor<2x2xf32>} : (tensor<2xf32>) -> tensor<2xf32>
    %r = snn.readout %l mean {snn.quantized = {weight_bits = 3 : i64, unit = array<f32: 0.5>}} : (tensor<2xf32>) -> tensor<2xf32>
    snn.yield %r : tensor<2xf32>
  }
  snn.output "out" %o : tensor<2xf32>
}
