// RUN: %python %S/write_npy.py %t
// RUN: lasnn-opt %s --snn-float --snn-calibrate=data=npy:%t | FileCheck %s
// RUN: lasnn-opt %s --snn-float --snn-calibrate="data=npy:%t limit=1" | FileCheck %s --check-prefix=ONE
// RUN: lasnn-opt %s --snn-float --snn-calibrate=data=npy:%t --snn-int | FileCheck %s --check-prefix=INT

// Two steps without reset or leak: the first image gives currents (2, 1), the second (0.4, -4) and (0.2, -2).
// CHECK: snn.network @n timesteps = 2 attributes {snn.calibration = "npy train 2"}
// ONE: snn.calibration = "npy train 1"
// INT: snn.calibration = "npy train 2"
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<1x1x2xui8>
  %x = snn.encode %in direct : (tensor<1x1x2xui8>) -> tensor<1x1x2xf32>
  %f = snn.flatten %x : (tensor<1x1x2xf32>) -> tensor<2xf32>
  %l = snn.linear %f {weight = dense<[[2.0, -4.0], [1.0, 0.0]]> : tensor<2x2xf32>} : (tensor<2xf32>) -> tensor<2xf32>
  // per channel the largest |v|: 2*(0.4 - 4) = -7.2 and 2*1
  // CHECK: snn.if {{.*}}snn.calibrated = {max_abs_v = array<f32: 7.{{2|1999}}{{[0-9e+]*}}, 2.000000e+00>, max_i = 2.000000e+00 : f32, min_i = -3.{{6|5999}}{{[0-9e+]*}} : f32, samples = 2 : i64}
  // ONE: snn.calibrated = {max_abs_v = array<f32: 4.000000e+00, 2.000000e+00>, max_i = 2.000000e+00 : f32, min_i = 0.000000e+00 : f32, samples = 1 : i64}
  // INT-NOT: snn.calibrated
  %s = snn.if %l {reset = #snn<reset<none>>, v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<2xf32>) -> tensor<2xf32>
  %r = snn.readout %s sum : (tensor<2xf32>) -> tensor<2xf32>
  snn.output "out" %r : tensor<2xf32>
}
