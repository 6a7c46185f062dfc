// RUN: lasnn-opt %s --snn-verify-contract | FileCheck %s

// CHECK-LABEL: @contract
snn.network @contract timesteps = 4 {
  %in = snn.input "in" : tensor<1x4x4xui8>
  %x = snn.encode %in events {max_count = 2 : i64} : (tensor<1x4x4xui8>) -> tensor<1x4x4xui8>
  // Counts up to 2*2*2 = 8 and 1*8*4096 = 32768 does not fit i16; 4095 gives 32760 and does (K5).
  %p = snn.sum_pool %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>} : (tensor<1x4x4xui8>) -> tensor<1x2x2xui8>
  // CHECK: snn.layer "fits"{{.*}} attributes {current_bits = 16 : i64}
  %a = snn.layer "fits" (%i = %p : tensor<1x2x2xui8>) -> tensor<1x1x1xui8> {
    %c = snn.conv2d %i {weight = dense<1> : tensor<1x1x2x2xi8>, bias = dense<32735> : tensor<1xi32>} : (tensor<1x2x2xui8>) -> tensor<1x1x1xi32>
    %s = snn.if %c {v_threshold = dense<1> : tensor<1xi32>} : (tensor<1x1x1xi32>) -> tensor<1x1x1xui8>
    snn.yield %s : tensor<1x1x1xui8>
  }
  // CHECK: snn.layer "wide"{{.*}} attributes {current_bits = 32 : i64}
  %b = snn.layer "wide" (%i = %p : tensor<1x2x2xui8>) -> tensor<1x1x1xui8> {
    %c = snn.conv2d %i {weight = dense<1> : tensor<1x1x2x2xi8>, bias = dense<32736> : tensor<1xi32>} : (tensor<1x2x2xui8>) -> tensor<1x1x1xi32>
    %s = snn.if %c {v_threshold = dense<1> : tensor<1xi32>} : (tensor<1x1x1xi32>) -> tensor<1x1x1xui8>
    snn.yield %s : tensor<1x1x1xui8>
  }
  // A bias below 0 leaves room above: 4*8*-127 - 1 is far from -32768, and +; the lower end alone breaks here.
  // CHECK: snn.layer "below"{{.*}} attributes {current_bits = 32 : i64}
  %d = snn.layer "below" (%i = %p : tensor<1x2x2xui8>) -> tensor<1x1x1xui8> {
    %c = snn.conv2d %i {weight = dense<-1> : tensor<1x1x2x2xi8>, bias = dense<-32737> : tensor<1xi32>} : (tensor<1x2x2xui8>) -> tensor<1x1x1xi32>
    %s = snn.if %c {v_threshold = dense<1> : tensor<1xi32>} : (tensor<1x1x1xi32>) -> tensor<1x1x1xui8>
    snn.yield %s : tensor<1x1x1xui8>
  }
  // 32736 + 8*4 is compared, although 32736 + 32 - 1000 is what the neuron gets.
  // CHECK: snn.layer "compared"{{.*}} attributes {current_bits = 32 : i64}
  %z = snn.layer "compared" (%i = %p : tensor<1x2x2xui8>) -> tensor<1x1x1xui8> {
    %c = snn.conv2d %i {weight = dense<1> : tensor<1x1x2x2xi8>, bias = dense<32736> : tensor<1xi32>} : (tensor<1x2x2xui8>) -> tensor<1x1x1xi32>
    %m = snn.max_pool %c {kernel = array<i64: 1, 1>} : (tensor<1x1x1xi32>) -> tensor<1x1x1xi32>
    %k = snn.conv2d %i {weight = dense<0> : tensor<1x1x2x2xi8>, bias = dense<-1000> : tensor<1xi32>} : (tensor<1x2x2xui8>) -> tensor<1x1x1xi32>
    %n = snn.add %m, %k : (tensor<1x1x1xi32>, tensor<1x1x1xi32>) -> tensor<1x1x1xi32>
    %s = snn.if %n {v_threshold = dense<1> : tensor<1xi32>} : (tensor<1x1x1xi32>) -> tensor<1x1x1xui8>
    snn.yield %s : tensor<1x1x1xui8>
  }
  %e = snn.add %a, %b : (tensor<1x1x1xui8>, tensor<1x1x1xui8>) -> tensor<1x1x1xui8>
  // CHECK: snn.layer "out"{{.*}} attributes {current_bits = 16 : i64}
  %o = snn.layer "out" (%i = %e : tensor<1x1x1xui8>, %j = %d : tensor<1x1x1xui8>) -> tensor<2xi32> {
    %f = snn.flatten %i : (tensor<1x1x1xui8>) -> tensor<1xui8>
    %g = snn.flatten %j : (tensor<1x1x1xui8>) -> tensor<1xui8>
    %l = snn.linear %f {weight = dense<127> : tensor<2x1xi8>} : (tensor<1xui8>) -> tensor<2xi32>
    %m = snn.linear %g {weight = dense<127> : tensor<2x1xi8>} : (tensor<1xui8>) -> tensor<2xi32>
    %n = snn.add %l, %m : (tensor<2xi32>, tensor<2xi32>) -> tensor<2xi32>
    %r = snn.readout %n sum {scale = 1.0 : f32} : (tensor<2xi32>) -> tensor<2xi32>
    snn.yield %r : tensor<2xi32>
  }
  snn.output "out" %o : tensor<2xi32>
}

// Bounds through a loop (K3, D3): two delayed steps of a count up to 3 added are up to 6: 32005 + 6*127 = 32767 fits 16 bits, 32006 + 6*127 = 32768 does not.
// CHECK-LABEL: @loop
snn.network @loop timesteps = 4 {
  %d = snn.delay %c : (tensor<1xui8>) -> tensor<1xui8>
  %c = snn.delay %a : (tensor<1xui8>) -> tensor<1xui8>
  %t = snn.add %c, %d : (tensor<1xui8>, tensor<1xui8>) -> tensor<1xui8>
  %in = snn.input "in" : tensor<1xui8>
  %x = snn.encode %in events : (tensor<1xui8>) -> tensor<1xui8>
  // CHECK: snn.layer "fits"{{.*}} attributes {current_bits = 16 : i64}
  %a = snn.layer "fits" (%i = %t : tensor<1xui8>, %j = %x : tensor<1xui8>) -> tensor<1xui8> {
    %l = snn.linear %i {weight = dense<127> : tensor<1x1xi8>, bias = dense<32005> : tensor<1xi32>} : (tensor<1xui8>) -> tensor<1xi32>
    %m = snn.linear %j {weight = dense<0> : tensor<1x1xi8>} : (tensor<1xui8>) -> tensor<1xi32>
    %n = snn.add %l, %m : (tensor<1xi32>, tensor<1xi32>) -> tensor<1xi32>
    %s = snn.if %n {v_threshold = dense<1> : tensor<1xi32>, reset = #snn<reset<subtract>>, rho = dense<1> : tensor<1xi32>, s_max = 3 : i64} : (tensor<1xi32>) -> tensor<1xui8>
    snn.yield %s : tensor<1xui8>
  }
  // CHECK: snn.layer "wide"{{.*}} attributes {current_bits = 32 : i64}
  %o = snn.layer "wide" (%i = %t : tensor<1xui8>) -> tensor<1xi32> {
    %l = snn.linear %i {weight = dense<127> : tensor<1x1xi8>, bias = dense<32006> : tensor<1xi32>} : (tensor<1xui8>) -> tensor<1xi32>
    %r = snn.readout %l sum {scale = 1.0 : f32} : (tensor<1xi32>) -> tensor<1xi32>
    snn.yield %r : tensor<1xi32>
  }
  snn.output "out" %o : tensor<1xi32>
}
