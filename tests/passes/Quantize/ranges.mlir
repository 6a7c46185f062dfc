// Constants that leave the range of the membrane enlarge the unit; calibration decides state_bits.
// RUN: lasnn-opt %s --snn-quantize 2>&1 | FileCheck %s
// RUN: lasnn-opt %s --snn-quantize=state-bits=16 2>&1 | FileCheck %s --check-prefix=BITS16

// CHECK: remark: 'far': 1 of 2 channels take a larger unit than their weights ask for, since their constants would leave 24 bits; channel 0: 2.384E-01 in place of 7.874E-03
// BITS16: remark: 'far': 1 of 2 channels {{.*}} would leave 16 bits; channel 0: 6.104E+01
// CHECK-LABEL: @ranges
snn.network @ranges timesteps = 4 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in events : (tensor<2xui8>) -> tensor<2xf32>
  // CHECK: snn.layer "far"
  // CHECK-NEXT: weight = dense<{{\[\[}}4, 4], [127, 127]]>
  // CHECK-NEXT: v_threshold = dense<[4194303, 127]>
  // BITS16: weight = dense<{{\[\[}}0, 0], [127, 127]]>
  // BITS16-NEXT: state_bits = 16 : i64, v_threshold = dense<[16383, 127]>
  %a = snn.layer "far" (%i = %x : tensor<2xf32>) -> tensor<2xf32> {
    %l = snn.linear %i {weight = dense<1.0> : tensor<2x2xf32>} : (tensor<2xf32>) -> tensor<2xf32>
    %s = snn.if %l {v_threshold = dense<[1.0e6, 1.0]> : tensor<2xf32>} : (tensor<2xf32>) -> tensor<2xf32>
    snn.yield %s : tensor<2xf32>
  }
  // Without calibration -127*2 a step for 4 steps is proved to fit; the attribute does not survive.
  // CHECK: snn.layer "proved"
  // CHECK: snn.if {{.*}} {state_bits = 16 : i64, v_threshold
  %b = snn.layer "proved" (%i = %a : tensor<2xf32>) -> tensor<2xf32> {
    %l = snn.linear %i {weight = dense<-1.0> : tensor<2x2xf32>} : (tensor<2xf32>) -> tensor<2xf32>
    %s = snn.if %l {v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<2xf32>) -> tensor<2xf32>
    snn.yield %s : tensor<2xf32>
  }
  // A bias of 12700 could add up to 50800 in 4 steps: no proof. 200 * 1.25 is 31750 of 1/127, which 16 bits hold.
  // CHECK: snn.layer "measured"
  // CHECK: snn.if {{%[0-9]+}} {reset = #snn.reset<none>, state_bits = 16 : i64, v_threshold = dense<12700>
  %c = snn.layer "measured" (%i = %b : tensor<2xf32>) -> tensor<2xf32> {
    %l = snn.linear %i {weight = dense<1.0> : tensor<2x2xf32>, bias = dense<100.0> : tensor<2xf32>} : (tensor<2xf32>) -> tensor<2xf32>
    %s = snn.if %l {reset = #snn<reset<none>>, snn.calibrated = {max_abs_v = array<f32: 200.0, 1.0>, samples = 1 : i64}, v_threshold = dense<100.0> : tensor<1xf32>} : (tensor<2xf32>) -> tensor<2xf32>
    snn.yield %s : tensor<2xf32>
  }
  // 210 * 1.25 is 33337: 24 bits. When 16 are forced, u grows for that channel alone.
  // CHECK: snn.layer "too large"
  // CHECK: snn.if {{%[0-9]+}} {reset = #snn.reset<none>, v_threshold = dense<12700>
  // BITS16: snn.layer "too large"
  // BITS16-NEXT: weight = dense<{{\[\[}}125, 125], [127, 127]]>
  %d = snn.layer "too large" (%i = %c : tensor<2xf32>) -> tensor<2xf32> {
    %l = snn.linear %i {weight = dense<1.0> : tensor<2x2xf32>, bias = dense<100.0> : tensor<2xf32>} : (tensor<2xf32>) -> tensor<2xf32>
    %s = snn.if %l {reset = #snn<reset<none>>, snn.calibrated = {max_abs_v = array<f32: 210.0, 1.0>, samples = 1 : i64}, v_threshold = dense<100.0> : tensor<1xf32>} : (tensor<2xf32>) -> tensor<2xf32>
    snn.yield %s : tensor<2xf32>
  }
  %o = snn.layer "out" (%i = %d : tensor<2xf32>) -> tensor<2xf32> {
    %l = snn.linear %i {weight = dense<1.0> : tensor<2x2xf32>} : (tensor<2xf32>) -> tensor<2xf32>
    %r = snn.readout %l sum : (tensor<2xf32>) -> tensor<2xf32>
    snn.yield %r : tensor<2xf32>
  }
  snn.output "out" %o : tensor<2xf32>
}
