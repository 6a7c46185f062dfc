// RUN: not lasnn-opt %s --snn-calibrate 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: not lasnn-opt %s --snn-calibrate=data=fashion-mnist:/nonexistent 2>&1 | FileCheck %s --check-prefix=ABSENT
// RUN: not lasnn-opt %s --snn-calibrate=data=nosuchset:/nonexistent 2>&1 | FileCheck %s --check-prefix=UNKNOWN

// NONE: error: no calibration data is given; name a set with data=SET:DIR
// ABSENT: error: calibration data: {{.*}}/nonexistent
// UNKNOWN: error: calibration data: {{.*}}nosuchset
snn.network @n timesteps = 1 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in direct : (tensor<2xui8>) -> tensor<2xf32>
  %r = snn.readout %x sum : (tensor<2xf32>) -> tensor<2xf32>
  snn.output "out" %r : tensor<2xf32>
}
