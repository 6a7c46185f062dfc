// RUN: lasnn-opt %s --snn-verify-contract -split-input-file -verify-diagnostics

// rule K1: 1073741570 + 255 > 2^30; a partial sum counts even when the whole comes back
snn.network @K1 timesteps = 1 {
  %in = snn.input "in" : tensor<1xui8>
  %x = snn.encode %in events {max_count = 255 : i64} : (tensor<1xui8>) -> tensor<1xui8>
  // expected-error@+2 {{rule K1: the current of channel 1 can reach 1073741825, expected at most 1073741824; use fewer weight bits, or a smaller bias}}
  // expected-error@+1 {{rule K1: membrane and current of channel 0 can reach 1082130432, expected at most 1073741824}}
  %s = snn.layer "sum" (%i = %x : tensor<1xui8>) -> tensor<3xui8> {
    %l = snn.linear %i {weight = dense<[[0], [1], [1]]> : tensor<3x1xi8>, bias = dense<[1073741824, 1073741570, 0]> : tensor<3xi32>} : (tensor<1xui8>) -> tensor<3xi32>
    %n = snn.if %l {v_threshold = dense<1> : tensor<1xi32>} : (tensor<3xi32>) -> tensor<3xui8>
    snn.yield %n : tensor<3xui8>
  }
  %o = snn.layer "out" (%i = %s : tensor<3xui8>) -> tensor<1xi32> {
    %l = snn.linear %i {weight = dense<1> : tensor<1x3xi8>} : (tensor<3xui8>) -> tensor<1xi32>
    %r = snn.readout %l sum {scale = 1.0 : f32} : (tensor<1xi32>) -> tensor<1xi32>
    snn.yield %r : tensor<1xi32>
  }
  snn.output "out" %o : tensor<1xi32>
}

// -----

// rule K2, and that `last` does not add up
snn.network @K2 timesteps = 1000 {
  %in = snn.input "in" : tensor<1xui8>
  %x = snn.encode %in events : (tensor<1xui8>) -> tensor<1xui8>
  // expected-error@+1 {{rule K2: the read-out of channel 0 can reach 2147484000 in 1000 steps, expected at most 2147483647; use fewer time-steps or fewer weight bits}}
  %o = snn.layer "out" (%i = %x : tensor<1xui8>) -> tensor<1xi32> {
    %l = snn.linear %i {weight = dense<1> : tensor<1x1xi8>, bias = dense<2147483> : tensor<1xi32>} : (tensor<1xui8>) -> tensor<1xi32>
    %r = snn.readout %l sum {scale = 1.0 : f32} : (tensor<1xi32>) -> tensor<1xi32>
    snn.yield %r : tensor<1xi32>
  }
  %p = snn.layer "last" (%i = %x : tensor<1xui8>) -> tensor<1xi32> {
    %l = snn.linear %i {weight = dense<1> : tensor<1x1xi8>, bias = dense<2147483> : tensor<1xi32>} : (tensor<1xui8>) -> tensor<1xi32>
    %r = snn.readout %l last {scale = 1.0 : f32} : (tensor<1xi32>) -> tensor<1xi32>
    snn.yield %r : tensor<1xi32>
  }
  snn.output "out" %o : tensor<1xi32>
  snn.output "last" %p : tensor<1xi32>
}

// -----

// rule K3: 4*63 = 252 fits, 4*64 = 256 and 252 + 64 do not
snn.network @K3 timesteps = 1 {
  %in = snn.input "in" : tensor<1x2x2xui8>
  %x = snn.encode %in events {max_count = 64 : i64} : (tensor<1x2x2xui8>) -> tensor<1x2x2xui8>
  // expected-error@+1 {{rule K3: a spike count of channel 0 can reach 256, expected at most 255; use a smaller window, fewer spikes a step, or a neuron in between}}
  %p = snn.sum_pool %x {kernel = array<i64: 2, 2>} : (tensor<1x2x2xui8>) -> tensor<1x1x1xui8>
  %q = snn.max_pool %x {kernel = array<i64: 2, 2>} : (tensor<1x2x2xui8>) -> tensor<1x1x1xui8>
  // expected-error@+1 {{rule K3: a spike count of channel 0 can reach 319}}
  %a = snn.add %p, %q : (tensor<1x1x1xui8>, tensor<1x1x1xui8>) -> tensor<1x1x1xui8>
  %o = snn.layer "out" (%i = %a : tensor<1x1x1xui8>) -> tensor<1x1x1xi32> {
    %c = snn.conv2d %i {weight = dense<1> : tensor<1x1x1x1xi8>} : (tensor<1x1x1xui8>) -> tensor<1x1x1xi32>
    %r = snn.readout %c sum {scale = 1.0 : f32} : (tensor<1x1x1xi32>) -> tensor<1x1x1xi32>
    snn.yield %r : tensor<1x1x1xi32>
  }
  snn.output "out" %o : tensor<1x1x1xi32>
}

// -----

// rule K4
snn.network @K4 timesteps = 1 {
  %in = snn.input "in" : tensor<2xui8>
  // expected-error@+1 {{rule K4: the result is f32, expected integer form; run snn-quantize}}
  %x = snn.encode %in direct : (tensor<2xui8>) -> tensor<2xf32>
  // expected-error@+2 {{rule K4: relu is left in the network, expected none; run the float pipeline before}}
  // expected-error@+1 {{rule K4: the result is f32}}
  %u = snn.relu %x : (tensor<2xf32>) -> tensor<2xf32>
  // expected-error@+2 {{rule K4: readout stands outside a layer, expected fused layers; run snn-fuse-layers}}
  // expected-error@+1 {{rule K4: the result is f32}}
  %r = snn.readout %u sum : (tensor<2xf32>) -> tensor<2xf32>
  snn.output "out" %r : tensor<2xf32>
}

// -----

// rule K3: analog values have no sums in 8 bits
snn.network @analog timesteps = 1 {
  %in = snn.input "in" : tensor<1x2x2xui8>
  %x = snn.encode %in direct {scale = 1.0 : f32, table = dense<1> : tensor<1x256xi8>} : (tensor<1x2x2xui8>) -> tensor<1x2x2xi8>
  // expected-error@+1 {{rule K3: sums analog values in 8 bits, expected spike counts; make the pool a convolution}}
  %p = snn.sum_pool %x {kernel = array<i64: 2, 2>} : (tensor<1x2x2xi8>) -> tensor<1x1x1xi8>
  %o = snn.layer "out" (%i = %p : tensor<1x1x1xi8>) -> tensor<1x1x1xi32> {
    %c = snn.conv2d %i {weight = dense<1> : tensor<1x1x1x1xi8>} : (tensor<1x1x1xi8>) -> tensor<1x1x1xi32>
    %r = snn.readout %c sum {scale = 1.0 : f32} : (tensor<1x1x1xi32>) -> tensor<1x1x1xi32>
    snn.yield %r : tensor<1x1x1xi32>
  }
  snn.output "out" %o : tensor<1x1x1xi32>
}

// -----

// rule K3: in a loop, whose delay stands before the sum
snn.network @K3_loop timesteps = 2 {
  %b = snn.delay %p : (tensor<1x1x1xui8>) -> tensor<1x1x1xui8>
  %in = snn.input "in" : tensor<1x2x2xui8>
  %x = snn.encode %in events : (tensor<1x2x2xui8>) -> tensor<1x2x2xui8>
  %s = snn.layer "s" (%i = %x : tensor<1x2x2xui8>, %j = %b : tensor<1x1x1xui8>) -> tensor<1x2x2xui8> {
    %c = snn.conv2d %i {weight = dense<1> : tensor<1x1x1x1xi8>} : (tensor<1x2x2xui8>) -> tensor<1x2x2xi32>
    %d = snn.conv2d %j {weight = dense<1> : tensor<1x1x2x2xi8>, pads = array<i64: 1, 1, 1, 1>} : (tensor<1x1x1xui8>) -> tensor<1x2x2xi32>
    %a = snn.add %c, %d : (tensor<1x2x2xi32>, tensor<1x2x2xi32>) -> tensor<1x2x2xi32>
    %t = snn.if %a {v_threshold = dense<1> : tensor<1xi32>, reset = #snn<reset<subtract>>, rho = dense<1> : tensor<1xi32>, s_max = 64 : i64} : (tensor<1x2x2xi32>) -> tensor<1x2x2xui8>
    snn.yield %t : tensor<1x2x2xui8>
  }
  // expected-error@+1 {{rule K3: a spike count of channel 0 can reach 256, expected at most 255}}
  %p = snn.sum_pool %s {kernel = array<i64: 2, 2>} : (tensor<1x2x2xui8>) -> tensor<1x1x1xui8>
  %o = snn.layer "out" (%i = %p : tensor<1x1x1xui8>) -> tensor<1x1x1xi32> {
    %c = snn.conv2d %i {weight = dense<1> : tensor<1x1x1x1xi8>} : (tensor<1x1x1xui8>) -> tensor<1x1x1xi32>
    %r = snn.readout %c sum {scale = 1.0 : f32} : (tensor<1x1x1xi32>) -> tensor<1x1x1xi32>
    snn.yield %r : tensor<1x1x1xi32>
  }
  snn.output "out" %o : tensor<1x1x1xi32>
}
