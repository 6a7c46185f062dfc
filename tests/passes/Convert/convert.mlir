// RUN: %python %S/../Calibrate/write_npy.py %t
// RUN: lasnn-opt %s --snn-convert="data=npy:%t timesteps=8 percentile=100 correct=0" | FileCheck %s
// RUN: lasnn-opt %s --snn-convert="data=npy:%t timesteps=8 percentile=100 correct=0 half-start=false per-channel=false" | FileCheck %s --check-prefix=LAYER
// RUN: lasnn-opt %s --snn-convert="data=npy:%t timesteps=8" --snn-float --snn-int | FileCheck %s --check-prefix=INT

// Images (1, 0) and (0.2, 1): currents (2, 1) and (-3.6, 0.2), so that the largest activations are 2 and 1.
// CHECK: snn.network @n timesteps = 8
// INT: snn.network @n timesteps = 8
snn.network @n timesteps = 1 {
  %in = snn.input "in" : tensor<1x1x2xui8>
  %x = snn.encode %in direct : (tensor<1x1x2xui8>) -> tensor<1x1x2xf32>
  %f = snn.flatten %x : (tensor<1x1x2xf32>) -> tensor<2xf32>
  %l = snn.linear %f {weight = dense<[[2.0, -4.0], [1.0, 0.0]]> : tensor<2x2xf32>} : (tensor<2xf32>) -> tensor<2xf32>
  // A membrane that starts at θ/2 = (1, 0.5) and fires above θ is one that starts at 0 and fires above θ/2.
  // CHECK: snn.if {{.*}}reset = #snn.reset<subtract>, rho = dense<[2.000000e+00, 1.000000e+00]> : tensor<2xf32>, v_threshold = dense<[1.000000e+00, 5.000000e-01]>
  // LAYER: snn.if {{.*}}rho = dense<2.000000e+00> : tensor<1xf32>, v_threshold = dense<2.000000e+00> : tensor<1xf32>
  // INT: snn.if {{.*}}rho = {{.*}}tensor<2xui8>
  %a = snn.relu %l : (tensor<2xf32>) -> tensor<2xf32>
  // CHECK: snn.linear {{.*}}weight = dense<{{\[\[}}2.000000e+00, 1.000000e+00], [-2.000000e+00, 3.000000e+00]]>
  %m = snn.linear %a {weight = dense<[[1.0, 1.0], [-1.0, 3.0]]> : tensor<2x2xf32>} : (tensor<2xf32>) -> tensor<2xf32>
  // The sum takes the activation itself: a synapse that gives spikes their worth.
  // CHECK: snn.linear {{.*}}weight = dense<{{\[\[}}2.000000e+00, 0.000000e+00], [0.000000e+00, 1.000000e+00]]>
  // CHECK: snn.add
  %s = snn.add %m, %a : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  // CHECK: snn.readout {{.*}} mean
  %r = snn.readout %s last : (tensor<2xf32>) -> tensor<2xf32>
  snn.output "out" %r : tensor<2xf32>
}
