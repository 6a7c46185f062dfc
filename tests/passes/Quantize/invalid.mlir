// RUN: not lasnn-opt %s --snn-quantize=weight-bits=9 2>&1 | FileCheck %s --check-prefix=BITS
// RUN: not lasnn-opt %s --snn-quantize=state-bits=20 2>&1 | FileCheck %s --check-prefix=STATE
// RUN: lasnn-opt %s --snn-quantize -split-input-file -verify-diagnostics

// BITS: weight-bits is 9, expected 2 to 8
// STATE: state-bits is 20, expected 16, 24, or 0 for a choice
snn.network @unfused timesteps = 1 {
  // expected-error@+1 {{the input is f32, expected bytes (ui8)}}
  %in = snn.input "in" : tensor<2xf32>
  %x = snn.encode %in direct : (tensor<2xf32>) -> tensor<2xf32>
  // expected-error@+1 {{linear stands outside a layer, expected fused layers; run the float pipeline (snn-float) before}}
  %l = snn.linear %x {weight = dense<1.0> : tensor<2x2xf32>} : (tensor<2xf32>) -> tensor<2xf32>
  // expected-error@+1 {{readout stands outside a layer}}
  %r = snn.readout %l sum : (tensor<2xf32>) -> tensor<2xf32>
  snn.output "out" %r : tensor<2xf32>
}

// -----

// expected-error@+1 {{the network is in integer form already, expected float}}
snn.network @integer timesteps = 1 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in events : (tensor<2xui8>) -> tensor<2xui8>
  %o = snn.layer "out" (%i = %x : tensor<2xui8>) -> tensor<2xi32> {
    %l = snn.linear %i {weight = dense<1> : tensor<2x2xi8>} : (tensor<2xui8>) -> tensor<2xi32>
    %r = snn.readout %l sum {scale = 1.0 : f32} : (tensor<2xi32>) -> tensor<2xi32>
    snn.yield %r : tensor<2xi32>
  }
  snn.output "out" %o : tensor<2xi32>
}

// -----

snn.network @units timesteps = 1 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in events : (tensor<2xui8>) -> tensor<2xf32>
  %o = snn.layer "out" (%i = %x : tensor<2xf32>) -> tensor<2xf32> {
    %l = snn.linear %i {weight = dense<1.0> : tensor<2x2xf32>} : (tensor<2xf32>) -> tensor<2xf32>
    // expected-error@+1 {{snn.quantized: channel 1 has unit 2.500000e-01, channel 0 5.000000e-01, expected one for all channels of this layer}}
    %r = snn.readout %l sum {snn.quantized = {weight_bits = 3 : i64, unit = array<f32: 0.5, 0.25>}} : (tensor<2xf32>) -> tensor<2xf32>
    snn.yield %r : tensor<2xf32>
  }
  snn.output "out" %o : tensor<2xf32>
}

// -----

snn.network @malformed timesteps = 1 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in events : (tensor<2xui8>) -> tensor<2xf32>
  %o = snn.layer "out" (%i = %x : tensor<2xf32>) -> tensor<2xf32> {
    %l = snn.linear %i {weight = dense<1.0> : tensor<2x2xf32>} : (tensor<2xf32>) -> tensor<2xf32>
    // expected-error@+1 {{snn.quantized is not understood, expected {weight_bits = 2 to 8}}
    %r = snn.readout %l sum {snn.quantized = {weight_bits = 9 : i64}} : (tensor<2xf32>) -> tensor<2xf32>
    snn.yield %r : tensor<2xf32>
  }
  snn.output "out" %o : tensor<2xf32>
}

// -----

snn.network @too_small timesteps = 1 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in events : (tensor<2xui8>) -> tensor<2xf32>
  %a = snn.layer "a" (%i = %x : tensor<2xf32>) -> tensor<2xf32> {
    %l = snn.linear %i {weight = dense<1.0> : tensor<2x2xf32>} : (tensor<2xf32>) -> tensor<2xf32>
    // expected-error@+2 {{snn.quantized: the unit of channel 0 is 1.000000e-08, and its constants need at least 2.384186e-07 to fit 24 bits}}
    // expected-note@+1 {{leave --state-bits out}}
    %s = snn.if %l {v_threshold = dense<1.0> : tensor<1xf32>, snn.quantized = {weight_bits = 3 : i64, unit = array<f32: 1.0e-8>}} : (tensor<2xf32>) -> tensor<2xf32>
    snn.yield %s : tensor<2xf32>
  }
  %o = snn.layer "out" (%i = %a : tensor<2xf32>) -> tensor<2xf32> {
    %l = snn.linear %i {weight = dense<1.0> : tensor<2x2xf32>} : (tensor<2xf32>) -> tensor<2xf32>
    %r = snn.readout %l sum : (tensor<2xf32>) -> tensor<2xf32>
    snn.yield %r : tensor<2xf32>
  }
  snn.output "out" %o : tensor<2xf32>
}

// -----

snn.network @delayed_image timesteps = 2 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in direct : (tensor<2xui8>) -> tensor<2xf32>
  // expected-error@+1 {{rule D2: delays something other than spikes}}
  %d = snn.delay %x : (tensor<2xf32>) -> tensor<2xf32>
  %o = snn.layer "out" (%i = %d : tensor<2xf32>) -> tensor<2xf32> {
    %l = snn.linear %i {weight = dense<1.0> : tensor<2x2xf32>} : (tensor<2xf32>) -> tensor<2xf32>
    %r = snn.readout %l sum : (tensor<2xf32>) -> tensor<2xf32>
    snn.yield %r : tensor<2xf32>
  }
  snn.output "out" %o : tensor<2xf32>
}
