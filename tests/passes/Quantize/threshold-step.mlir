// RUN: lasnn-opt %s --snn-quantize=threshold-step=64 2>&1 | FileCheck %s
// RUN: lasnn-opt %s --snn-quantize="threshold-step=64 weight-bits=4" 2>&1 | FileCheck %s --check-prefix=NARROW

// Channel 0: weights to 0.5 of the threshold, unit 1/128, threshold 64 * 2. Channel 1: to 0.1, unit 1/1024, 64 * 16. Channel 2: to 4, which do not fit
// even 64: clipped. State has 24 bits, the default.
// CHECK: warning: 'a': 1 of 3 channels have weights above 127/64 of their threshold, which are clipped
// CHECK: dense<{{\[\[}}64, -32], [102, 51], [127, 32]]> : tensor<3x2xi8>
// CHECK-NOT: state_bits
// CHECK: v_threshold = dense<[128, 1024, 64]>

// With 4 bits the threshold's step is finer than the weights: channel 0 takes eighths of its threshold, 8 units each; channel 2 quarters, as coarse
// as an i8 has room for.
// NARROW: warning: 'a': 1 of 3 channels have weights above 112/64 of their threshold, which are clipped
// NARROW: dense<{{\[\[}}32, -16], [6, 3], [112, 32]]> : tensor<3x2xi8>
// NARROW: v_threshold = dense<64>
snn.network @n timesteps = 4 {
  %i = snn.input "in" : tensor<2xui8>
  %x = snn.encode %i events : (tensor<2xui8>) -> tensor<2xf32>
  %0 = snn.layer "a" (%a = %x : tensor<2xf32>) -> tensor<3xf32> {
    %c = snn.linear %a {weight = dense<[[0.5, -0.25], [0.1, 0.05], [4.0, 0.5]]> : tensor<3x2xf32>} : (tensor<2xf32>) -> tensor<3xf32>
    %s = snn.lif %c {beta = 0.5 : f32, v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<3xf32>) -> tensor<3xf32>
    snn.yield %s : tensor<3xf32>
  }
  %1 = snn.layer "out" (%a = %0 : tensor<3xf32>) -> tensor<1xf32> {
    %c = snn.linear %a {weight = dense<1.0> : tensor<1x3xf32>} : (tensor<3xf32>) -> tensor<1xf32>
    %r = snn.readout %c sum : (tensor<1xf32>) -> tensor<1xf32>
    snn.yield %r : tensor<1xf32>
  }
  snn.output "out" %1 : tensor<1xf32>
}
