// RUN: %python %S/../Calibrate/write_npy.py %t
// RUN: lasnn-opt %s --snn-float --snn-round-weights="weights=int8,b:int3 scale=max rounding=nearest" | FileCheck %s
// RUN: lasnn-opt %s --snn-float --snn-round-weights="data=npy:%t weights=int3" | FileCheck %s --check-prefix=SEEN
// RUN: lasnn-opt %s --snn-float --snn-round-weights="data=npy:%t weights=int3" --snn-int | FileCheck %s --check-prefix=INT
// RUN: not lasnn-opt %s --snn-float --snn-round-weights="weights=int8,c:int3,int4,b:int9 scale=max rounding=nearest" 2>&1 | FileCheck %s --check-prefix=BAD
// RUN: not lasnn-opt %s --snn-float --snn-round-weights 2>&1 | FileCheck %s --check-prefix=NONE

// BAD-DAG: error: weights: there is no layer 'c', expected one of a, b
// BAD-DAG: error: weights: 'int4' names no layer, expected LAYER:WIDTH behind the first
// BAD-DAG: error: weights: 'int9' is no width, expected int8 to int2, or ternary
// NONE: error: no calibration data is given: weights are rounded by what they do to samples; name a set with data=SET:DIR
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<1x1x2xui8> loc("in")
  %x = snn.encode %in direct : (tensor<1x1x2xui8>) -> tensor<1x1x2xf32> loc("x")
  %f = snn.flatten %x : (tensor<1x1x2xf32>) -> tensor<2xf32> loc("f")
  %l = snn.linear %f {weight = dense<[[2.0, -4.0], [1.0, 0.0]]> : tensor<2x2xf32>} : (tensor<2xf32>) -> tensor<2xf32> loc("l")
  // CHECK: snn.if {{.*}}snn.quantized = {rounded, unit = array<f32: {{.*}}>, weight_bits = 8 : i64}
  %s = snn.if %l {v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<2xf32>) -> tensor<2xf32> loc("a")
  // 3 bits hold -3 ... 3: a third is whole, 0.4 of it is not, and becomes none.
  // CHECK: snn.linear {{.*}}weight = dense<{{\[\[}}{{1.0+|9.9+|1.00000[0-9]+}}{{[^,]*}}, 0.000000e+00], [
  // SEEN: snn.linear {{.*}}bias
  // INT: snn.linear {{.*}}tensor<2x2xi8>
  %m = snn.linear %s {weight = dense<[[1.0, 0.13], [-1.0, 0.34]]> : tensor<2x2xf32>} : (tensor<2xf32>) -> tensor<2xf32> loc("b")
  // CHECK: snn.readout {{.*}}weight_bits = 3 : i64
  // INT-NOT: snn.quantized
  %r = snn.readout %m mean : (tensor<2xf32>) -> tensor<2xf32> loc("r")
  snn.output "out" %r : tensor<2xf32> loc("out")
}
