// RUN: lasnn-opt %s --snn-quantize | FileCheck %s
// RUN: lasnn-opt %s --snn-quantize=weight-bits=4 | FileCheck %s --check-prefix=BITS4
// RUN: lasnn-opt %s --snn-quantize=state-bits=24 | FileCheck %s --check-prefix=STATE24

// CHECK-LABEL: @layers
snn.network @layers timesteps = 4 {
  %in = snn.input "in" : tensor<2xui8>
  // CHECK: snn.encode {{%[0-9]+ +}}events {max_count = 2 : i64} : (tensor<2xui8>) -> tensor<2xui8>
  %x = snn.encode %in events {max_count = 2 : i64} : (tensor<2xui8>) -> tensor<2xf32>
  // u = [1/127, 0.5/127]; a bias of 1/4 is 31.75 and 63.5 units, half to even; theta 1 is 127 and 254
  // CHECK: snn.layer "a"
  // CHECK-NEXT: snn.linear {{.*}} {bias = dense<[32, 64]> : tensor<2xi32>, weight = dense<{{\[\[}}64, -127], [127, 25]]> : tensor<2x2xi8>} : (tensor<2xui8>) -> tensor<2xi32>
  // CHECK-NEXT: snn.lif {{.*}} {decay = 410 : i32, state_bits = 16 : i64, v_threshold = dense<[127, 254]> : tensor<2xi32>} : (tensor<2xi32>) -> tensor<2xui8>
  // BITS4: weight = dense<{{\[\[}}4, -7], [7, 1]]> : tensor<2x2xi8>
  // BITS4: v_threshold = dense<[7, 14]>
  // STATE24-NOT: state_bits
  %a = snn.layer "a" (%i = %x : tensor<2xf32>) -> tensor<2xf32> {
    %l = snn.linear %i {weight = dense<[[0.5, -1.0], [0.5, 0.1]]> : tensor<2x2xf32>, bias = dense<0.25> : tensor<2xf32>} : (tensor<2xf32>) -> tensor<2xf32>
    %s = snn.lif %l {beta = 0.9 : f32, v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<2xf32>) -> tensor<2xf32>
    snn.yield %s : tensor<2xf32>
  }
  // ge: ceil(127) - 1 (N14); theta 1.001 is 127.127: gt floors, ge ceils to 128 - 1
  // CHECK: snn.layer "b"
  // CHECK: snn.if {{.*}} {state_bits = 16 : i64, v_threshold = dense<[126, 127]> : tensor<2xi32>}
  %b = snn.layer "b" (%i = %a : tensor<2xf32>) -> tensor<2xf32> {
    %l = snn.linear %i {weight = dense<1.0> : tensor<2x2xf32>} : (tensor<2xf32>) -> tensor<2xf32>
    %s = snn.if %l {compare = #snn<compare<ge>>, v_threshold = dense<[1.0, 1.001]> : tensor<2xf32>} : (tensor<2xf32>) -> tensor<2xf32>
    snn.yield %s : tensor<2xf32>
  }
  // rho is theta where absent (N11)
  // CHECK: snn.layer "c"
  // CHECK: snn.if {{.*}} {reset = #snn.reset<subtract>, rho = dense<64> : tensor<1xi32>, s_max = 3 : i64, state_bits = 16 : i64, v_threshold = dense<63> : tensor<1xi32>}
  %c = snn.layer "c" (%i = %b : tensor<2xf32>) -> tensor<2xf32> {
    %l = snn.linear %i {weight = dense<1.0> : tensor<2x2xf32>} : (tensor<2xf32>) -> tensor<2xf32>
    %s = snn.if %l {reset = #snn<reset<subtract>>, s_max = 3 : i64, v_threshold = dense<0.5> : tensor<1xf32>} : (tensor<2xf32>) -> tensor<2xf32>
    snn.yield %s : tensor<2xf32>
  }
  // Synapses that meet share u, here 2/127. A v_min other than 0 makes all channels share.
  // CHECK: snn.layer "d"
  // CHECK-NEXT: weight = dense<64> : tensor<2x2xi8>
  // CHECK-NEXT: weight = dense<{{\[\[}}127, 64], [64, 64]]> : tensor<2x2xi8>
  // CHECK: snn.if {{.*}} {reset = #snn.reset<value>, state_bits = 16 : i64, v_min = -127 : i32, v_reset = dense<-32> : tensor<1xi32>, v_threshold = dense<63> : tensor<1xi32>}
  %d = snn.layer "d" (%i = %b : tensor<2xf32>, %j = %c : tensor<2xf32>) -> tensor<2xf32> {
    %l = snn.linear %i {weight = dense<1.0> : tensor<2x2xf32>} : (tensor<2xf32>) -> tensor<2xf32>
    %m = snn.linear %j {weight = dense<[[2.0, 1.0], [1.0, 1.0]]> : tensor<2x2xf32>} : (tensor<2xf32>) -> tensor<2xf32>
    %n = snn.add %l, %m : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
    %s = snn.if %n {reset = #snn<reset<value>>, v_min = -2.0 : f32, v_reset = dense<-0.5> : tensor<1xf32>, v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<2xf32>) -> tensor<2xf32>
    snn.yield %s : tensor<2xf32>
  }
  // All channels of a read-out share u = 1; the mean of 4 steps is a sum with scale 1/4.
  // CHECK: snn.layer "out"
  // CHECK-NEXT: weight = dense<{{\[\[}}127, 0], [1, 2]]> : tensor<2x2xi8>
  // CHECK-NEXT: snn.readout {{%[0-9]+ +}}sum {scale = 2.500000e-01 : f32} : (tensor<2xi32>) -> tensor<2xi32>
  %o = snn.layer "out" (%i = %d : tensor<2xf32>) -> tensor<2xf32> {
    %l = snn.linear %i {weight = dense<[[127.0, 0.0], [1.0, 2.0]]> : tensor<2x2xf32>} : (tensor<2xf32>) -> tensor<2xf32>
    %r = snn.readout %l mean : (tensor<2xf32>) -> tensor<2xf32>
    snn.yield %r : tensor<2xf32>
  }
  // CHECK: snn.output "out" {{.*}} : tensor<2xi32>
  snn.output "out" %o : tensor<2xf32>
}

// E2: x = p/255 - 0.5 over std 0.5: -1 .. 1, scale 1/127. p = 127 and 128 are -0.5 and 0.5 units: half to even, f32 decides.
// CHECK-LABEL: @direct
snn.network @direct timesteps = 1 {
  %in = snn.input "in" : tensor<1xui8>
  // CHECK: snn.encode {{%[0-9]+ +}}direct {scale = 0.00787401571 : f32, table = dense<"0x8182{{.*}}7E7F"> : tensor<1x256xi8>} : (tensor<1xui8>) -> tensor<1xi8>
  %x = snn.encode %in direct {mean = array<f32: 0.5>, std = array<f32: 0.5>} : (tensor<1xui8>) -> tensor<1xf32>
  // A channel of zero weights takes its unit from its constants: 2*theta is 8192.
  // CHECK: snn.linear {{.*}} {weight = dense<{{\[\[}}127], [0]]> : tensor<2x1xi8>} : (tensor<1xi8>) -> tensor<2xi32>
  // CHECK-NEXT: v_threshold = dense<[16129, 4096]>
  %s = snn.layer "s" (%i = %x : tensor<1xf32>) -> tensor<2xf32> {
    %l = snn.linear %i {weight = dense<[[1.0], [0.0]]> : tensor<2x1xf32>} : (tensor<1xf32>) -> tensor<2xf32>
    %t = snn.if %l {v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<2xf32>) -> tensor<2xf32>
    snn.yield %t : tensor<2xf32>
  }
  %o = snn.layer "out" (%i = %s : tensor<2xf32>) -> tensor<2xf32> {
    %l = snn.linear %i {weight = dense<1.0> : tensor<2x2xf32>} : (tensor<2xf32>) -> tensor<2xf32>
    // CHECK: snn.readout {{%[0-9]+ +}}last {scale = 0.00787401571 : f32}
    %r = snn.readout %l last : (tensor<2xf32>) -> tensor<2xf32>
    snn.yield %r : tensor<2xf32>
  }
  snn.output "out" %o : tensor<2xf32>
}

// A delay stands before what it delays, and is ui8 before that is.
// CHECK-LABEL: @delay
snn.network @delay timesteps = 2 {
  // CHECK: snn.delay {{.*}} : (tensor<2xui8>) -> tensor<2xui8>
  %b = snn.delay %s : (tensor<2xf32>) -> tensor<2xf32>
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in events : (tensor<2xui8>) -> tensor<2xf32>
  // CHECK: snn.linear {{.*}} {weight = dense<{{\[\[}}64, 0], [0, 127]]> : tensor<2x2xi8>}
  // CHECK: snn.linear {{.*}} {weight = dense<{{\[\[}}-127, 0], [0, -32]]> : tensor<2x2xi8>} : (tensor<2xui8>) -> tensor<2xi32>
  %s = snn.layer "s" (%i = %x : tensor<2xf32>, %j = %b : tensor<2xf32>) -> tensor<2xf32> {
    %l = snn.linear %i {weight = dense<[[0.5, 0.0], [0.0, 1.0]]> : tensor<2x2xf32>} : (tensor<2xf32>) -> tensor<2xf32>
    %m = snn.linear %j {weight = dense<[[-1.0, 0.0], [0.0, -0.25]]> : tensor<2x2xf32>} : (tensor<2xf32>) -> tensor<2xf32>
    %a = snn.add %l, %m : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
    %t = snn.if %a {v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<2xf32>) -> tensor<2xf32>
    snn.yield %t : tensor<2xf32>
  }
  %o = snn.layer "out" (%i = %s : tensor<2xf32>) -> tensor<2xf32> {
    %l = snn.linear %i {weight = dense<1.0> : tensor<2x2xf32>} : (tensor<2xf32>) -> tensor<2xf32>
    %r = snn.readout %l last : (tensor<2xf32>) -> tensor<2xf32>
    snn.yield %r : tensor<2xf32>
  }
  snn.output "out" %o : tensor<2xf32>
}
