// One failing case a rule of ir/spec.md.
// RUN: lasnn-opt %s -split-input-file -verify-diagnostics

// rule N9
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<4xui8>
  %x = snn.encode %in direct : (tensor<4xui8>) -> tensor<4xf32>
  // expected-error@+1 {{rule N9: beta is absent and decay is absent, expected beta in float form}}
  %y = snn.lif %x {v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<4xf32>) -> tensor<4xf32>
  %l = snn.linear %y {weight = dense<1.0> : tensor<1x4xf32>} : (tensor<4xf32>) -> tensor<1xf32>
  %r = snn.readout %l sum : (tensor<1xf32>) -> tensor<1xf32>
  snn.output "out" %r : tensor<1xf32>
}

// -----

// rule N9: decay in float form
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<4xui8>
  %x = snn.encode %in direct : (tensor<4xui8>) -> tensor<4xf32>
  // expected-error@+1 {{rule N9: beta is given and decay is given, expected beta in float form}}
  %y = snn.lif %x {beta = 0.5 : f32, decay = 1 : i32, v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<4xf32>) -> tensor<4xf32>
  %l = snn.linear %y {weight = dense<1.0> : tensor<1x4xf32>} : (tensor<4xf32>) -> tensor<1xf32>
  %r = snn.readout %l sum : (tensor<1xf32>) -> tensor<1xf32>
  snn.output "out" %r : tensor<1xf32>
}

// -----

// rule N9: beta in integer form
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<4xui8>
  %x = snn.encode %in events : (tensor<4xui8>) -> tensor<4xui8>
  %c = snn.linear %x {weight = dense<1> : tensor<4x4xi8>} : (tensor<4xui8>) -> tensor<4xi32>
  // expected-error@+1 {{rule N9: beta is given and decay is absent, expected decay in integer form}}
  %y = snn.lif %c {beta = 0.5 : f32, v_threshold = dense<1> : tensor<1xi32>} : (tensor<4xi32>) -> tensor<4xui8>
  %l = snn.linear %y {weight = dense<1> : tensor<1x4xi8>} : (tensor<4xui8>) -> tensor<1xi32>
  %r = snn.readout %l sum {scale = 1.0 : f32} : (tensor<1xi32>) -> tensor<1xi32>
  snn.output "out" %r : tensor<1xi32>
}

// -----

// rule N9: range of beta
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<4xui8>
  %x = snn.encode %in direct : (tensor<4xui8>) -> tensor<4xf32>
  // expected-error@+1 {{rule N9: beta is 1.5}}
  %y = snn.lif %x {beta = 1.5 : f32, v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<4xf32>) -> tensor<4xf32>
  %l = snn.linear %y {weight = dense<1.0> : tensor<1x4xf32>} : (tensor<4xf32>) -> tensor<1xf32>
  %r = snn.readout %l sum : (tensor<1xf32>) -> tensor<1xf32>
  snn.output "out" %r : tensor<1xf32>
}

// -----

// rule N9: NaN
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<4xui8>
  %x = snn.encode %in direct : (tensor<4xui8>) -> tensor<4xf32>
  // expected-error@+1 {{rule N9: beta is}}
  %y = snn.lif %x {beta = 0x7FC00000 : f32, v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<4xf32>) -> tensor<4xf32>
  %l = snn.linear %y {weight = dense<1.0> : tensor<1x4xf32>} : (tensor<4xf32>) -> tensor<1xf32>
  %r = snn.readout %l sum : (tensor<1xf32>) -> tensor<1xf32>
  snn.output "out" %r : tensor<1xf32>
}

// -----

// rule N9: range of decay
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<4xui8>
  %x = snn.encode %in events : (tensor<4xui8>) -> tensor<4xui8>
  %c = snn.linear %x {weight = dense<1> : tensor<4x4xi8>} : (tensor<4xui8>) -> tensor<4xi32>
  // expected-error@+1 {{rule N9: decay is 4097, expected a value from 0 to 4096}}
  %y = snn.lif %c {decay = 4097 : i32, v_threshold = dense<1> : tensor<1xi32>} : (tensor<4xi32>) -> tensor<4xui8>
  %l = snn.linear %y {weight = dense<1> : tensor<1x4xi8>} : (tensor<4xui8>) -> tensor<1xi32>
  %r = snn.readout %l sum {scale = 1.0 : f32} : (tensor<1xi32>) -> tensor<1xi32>
  snn.output "out" %r : tensor<1xi32>
}

// -----

// rule N10
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<4xui8>
  %x = snn.encode %in direct : (tensor<4xui8>) -> tensor<4xf32>
  // expected-error@+1 {{rule N10: v_threshold has shape [3], expected [4] or [1]}}
  %y = snn.if %x {v_threshold = dense<1.0> : tensor<3xf32>} : (tensor<4xf32>) -> tensor<4xf32>
  %l = snn.linear %y {weight = dense<1.0> : tensor<1x4xf32>} : (tensor<4xf32>) -> tensor<1xf32>
  %r = snn.readout %l sum : (tensor<1xf32>) -> tensor<1xf32>
  snn.output "out" %r : tensor<1xf32>
}

// -----

// rule N10: element type
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<4xui8>
  %x = snn.encode %in direct : (tensor<4xui8>) -> tensor<4xf32>
  // expected-error@+1 {{rule N10: v_threshold has element type 'i32', expected 'f32'}}
  %y = snn.if %x {v_threshold = dense<1> : tensor<1xi32>} : (tensor<4xf32>) -> tensor<4xf32>
  %l = snn.linear %y {weight = dense<1.0> : tensor<1x4xf32>} : (tensor<4xf32>) -> tensor<1xf32>
  %r = snn.readout %l sum : (tensor<1xf32>) -> tensor<1xf32>
  snn.output "out" %r : tensor<1xf32>
}

// -----

// rule T3
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<4xui8>
  %x = snn.encode %in direct : (tensor<4xui8>) -> tensor<4xf32>
  // expected-error@+1 {{rule T3: v_threshold holds NaN}}
  %y = snn.if %x {v_threshold = dense<0x7FC00000> : tensor<1xf32>} : (tensor<4xf32>) -> tensor<4xf32>
  %l = snn.linear %y {weight = dense<1.0> : tensor<1x4xf32>} : (tensor<4xf32>) -> tensor<1xf32>
  %r = snn.readout %l sum : (tensor<1xf32>) -> tensor<1xf32>
  snn.output "out" %r : tensor<1xf32>
}

// -----

// rule N11: v_reset absent
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<4xui8>
  %x = snn.encode %in direct : (tensor<4xui8>) -> tensor<4xf32>
  // expected-error@+1 {{rule N11: v_reset is absent with reset = value}}
  %y = snn.if %x {reset = #snn<reset<value>>, v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<4xf32>) -> tensor<4xf32>
  %l = snn.linear %y {weight = dense<1.0> : tensor<1x4xf32>} : (tensor<4xf32>) -> tensor<1xf32>
  %r = snn.readout %l sum : (tensor<1xf32>) -> tensor<1xf32>
  snn.output "out" %r : tensor<1xf32>
}

// -----

// rule N11: v_reset elsewhere
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<4xui8>
  %x = snn.encode %in direct : (tensor<4xui8>) -> tensor<4xf32>
  // expected-error@+1 {{rule N11: v_reset is given with reset = zero}}
  %y = snn.if %x {v_reset = dense<0.0> : tensor<1xf32>, v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<4xf32>) -> tensor<4xf32>
  %l = snn.linear %y {weight = dense<1.0> : tensor<1x4xf32>} : (tensor<4xf32>) -> tensor<1xf32>
  %r = snn.readout %l sum : (tensor<1xf32>) -> tensor<1xf32>
  snn.output "out" %r : tensor<1xf32>
}

// -----

// rule N11: v_reset out of range
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<4xui8>
  %x = snn.encode %in events : (tensor<4xui8>) -> tensor<4xui8>
  %c = snn.linear %x {weight = dense<1> : tensor<4x4xi8>} : (tensor<4xui8>) -> tensor<4xi32>
  // expected-error@+1 {{rule N11: v_reset is 40000, expected a value from -32768 to 32767}}
  %y = snn.if %c {reset = #snn<reset<value>>, v_reset = dense<40000> : tensor<1xi32>, state_bits = 16 : i64, v_threshold = dense<1> : tensor<1xi32>} : (tensor<4xi32>) -> tensor<4xui8>
  %l = snn.linear %y {weight = dense<1> : tensor<1x4xi8>} : (tensor<4xui8>) -> tensor<1xi32>
  %r = snn.readout %l sum {scale = 1.0 : f32} : (tensor<1xi32>) -> tensor<1xi32>
  snn.output "out" %r : tensor<1xi32>
}

// -----

// rule N11: rho elsewhere
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<4xui8>
  %x = snn.encode %in direct : (tensor<4xui8>) -> tensor<4xf32>
  // expected-error@+1 {{rule N11: rho is given with reset = none, expected it with subtract only}}
  %y = snn.if %x {reset = #snn<reset<none>>, rho = dense<1.0> : tensor<1xf32>, v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<4xf32>) -> tensor<4xf32>
  %l = snn.linear %y {weight = dense<1.0> : tensor<1x4xf32>} : (tensor<4xf32>) -> tensor<1xf32>
  %r = snn.readout %l sum : (tensor<1xf32>) -> tensor<1xf32>
  snn.output "out" %r : tensor<1xf32>
}

// -----

// rule N11: rho absent
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<4xui8>
  %x = snn.encode %in events : (tensor<4xui8>) -> tensor<4xui8>
  %c = snn.linear %x {weight = dense<1> : tensor<4x4xi8>} : (tensor<4xui8>) -> tensor<4xi32>
  // expected-error@+1 {{rule N11: rho is absent, expected it with reset = subtract in integer form}}
  %y = snn.if %c {reset = #snn<reset<subtract>>, v_threshold = dense<1> : tensor<1xi32>} : (tensor<4xi32>) -> tensor<4xui8>
  %l = snn.linear %y {weight = dense<1> : tensor<1x4xi8>} : (tensor<4xui8>) -> tensor<1xi32>
  %r = snn.readout %l sum {scale = 1.0 : f32} : (tensor<1xi32>) -> tensor<1xi32>
  snn.output "out" %r : tensor<1xi32>
}

// -----

// rule N11: rho below 0
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<4xui8>
  %x = snn.encode %in direct : (tensor<4xui8>) -> tensor<4xf32>
  // expected-error@+1 {{rule N11: rho is -1}}
  %y = snn.if %x {reset = #snn<reset<subtract>>, rho = dense<-1.0> : tensor<1xf32>, v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<4xf32>) -> tensor<4xf32>
  %l = snn.linear %y {weight = dense<1.0> : tensor<1x4xf32>} : (tensor<4xf32>) -> tensor<1xf32>
  %r = snn.readout %l sum : (tensor<1xf32>) -> tensor<1xf32>
  snn.output "out" %r : tensor<1xf32>
}

// -----

// rule N12
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<4xui8>
  %x = snn.encode %in direct : (tensor<4xui8>) -> tensor<4xf32>
  // expected-error@+1 {{rule N12: s_max is 256 with reset = subtract}}
  %y = snn.if %x {reset = #snn<reset<subtract>>, s_max = 256 : i64, v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<4xf32>) -> tensor<4xf32>
  %l = snn.linear %y {weight = dense<1.0> : tensor<1x4xf32>} : (tensor<4xf32>) -> tensor<1xf32>
  %r = snn.readout %l sum : (tensor<1xf32>) -> tensor<1xf32>
  snn.output "out" %r : tensor<1xf32>
}

// -----

// rule N12: reset
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<4xui8>
  %x = snn.encode %in direct : (tensor<4xui8>) -> tensor<4xf32>
  // expected-error@+1 {{rule N12: s_max is 2 with reset = zero}}
  %y = snn.if %x {s_max = 2 : i64, v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<4xf32>) -> tensor<4xf32>
  %l = snn.linear %y {weight = dense<1.0> : tensor<1x4xf32>} : (tensor<4xf32>) -> tensor<1xf32>
  %r = snn.readout %l sum : (tensor<1xf32>) -> tensor<1xf32>
  snn.output "out" %r : tensor<1xf32>
}

// -----

// rule N12: rho is 0
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<4xui8>
  %x = snn.encode %in events : (tensor<4xui8>) -> tensor<4xui8>
  %c = snn.linear %x {weight = dense<1> : tensor<4x4xi8>} : (tensor<4xui8>) -> tensor<4xi32>
  // expected-error@+1 {{rule N12: rho is 0, expected at least 1}}
  %y = snn.if %c {reset = #snn<reset<subtract>>, s_max = 2 : i64, rho = dense<0> : tensor<1xi32>, v_threshold = dense<1> : tensor<1xi32>} : (tensor<4xi32>) -> tensor<4xui8>
  %l = snn.linear %y {weight = dense<1> : tensor<1x4xi8>} : (tensor<4xui8>) -> tensor<1xi32>
  %r = snn.readout %l sum {scale = 1.0 : f32} : (tensor<1xi32>) -> tensor<1xi32>
  snn.output "out" %r : tensor<1xi32>
}

// -----

// rule N13
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<4xui8>
  %x = snn.encode %in direct : (tensor<4xui8>) -> tensor<4xf32>
  // expected-error@+1 {{rule N13: state_bits is 32, expected 16 or 24}}
  %y = snn.if %x {state_bits = 32 : i64, v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<4xf32>) -> tensor<4xf32>
  %l = snn.linear %y {weight = dense<1.0> : tensor<1x4xf32>} : (tensor<4xf32>) -> tensor<1xf32>
  %r = snn.readout %l sum : (tensor<1xf32>) -> tensor<1xf32>
  snn.output "out" %r : tensor<1xf32>
}

// -----

// rule N13: v_min above 0
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<4xui8>
  %x = snn.encode %in direct : (tensor<4xui8>) -> tensor<4xf32>
  // expected-error@+1 {{rule N13: v_min is 1}}
  %y = snn.if %x {v_min = 1.0 : f32, v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<4xf32>) -> tensor<4xf32>
  %l = snn.linear %y {weight = dense<1.0> : tensor<1x4xf32>} : (tensor<4xf32>) -> tensor<1xf32>
  %r = snn.readout %l sum : (tensor<1xf32>) -> tensor<1xf32>
  snn.output "out" %r : tensor<1xf32>
}

// -----

// rule N13: v_min below the state
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<4xui8>
  %x = snn.encode %in events : (tensor<4xui8>) -> tensor<4xui8>
  %c = snn.linear %x {weight = dense<1> : tensor<4x4xi8>} : (tensor<4xui8>) -> tensor<4xi32>
  // expected-error@+1 {{rule N13: v_min is -40000 : i32, expected an i32 from -32768 to 0}}
  %y = snn.if %c {v_min = -40000 : i32, state_bits = 16 : i64, v_threshold = dense<1> : tensor<1xi32>} : (tensor<4xi32>) -> tensor<4xui8>
  %l = snn.linear %y {weight = dense<1> : tensor<1x4xi8>} : (tensor<4xui8>) -> tensor<1xi32>
  %r = snn.readout %l sum {scale = 1.0 : f32} : (tensor<1xi32>) -> tensor<1xi32>
  snn.output "out" %r : tensor<1xi32>
}

// -----

// rule N14
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<4xui8>
  %x = snn.encode %in events : (tensor<4xui8>) -> tensor<4xui8>
  %c = snn.linear %x {weight = dense<1> : tensor<4x4xi8>} : (tensor<4xui8>) -> tensor<4xi32>
  // expected-error@+1 {{rule N14: compare is ge, expected gt in integer form: v >= theta is v > theta - 1}}
  %y = snn.if %c {compare = #snn<compare<ge>>, v_threshold = dense<1> : tensor<1xi32>} : (tensor<4xi32>) -> tensor<4xui8>
  %l = snn.linear %y {weight = dense<1> : tensor<1x4xi8>} : (tensor<4xui8>) -> tensor<1xi32>
  %r = snn.readout %l sum {scale = 1.0 : f32} : (tensor<1xi32>) -> tensor<1xi32>
  snn.output "out" %r : tensor<1xi32>
}

// -----

// rule N8
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<4xui8>
  %x = snn.encode %in direct : (tensor<4xui8>) -> tensor<4xf32>
  // expected-error@+1 {{rule N8: types (input, result) are}}
  %y = snn.if %x {v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<4xf32>) -> tensor<4xui8>
  %l = snn.linear %y {weight = dense<1> : tensor<1x4xi8>} : (tensor<4xui8>) -> tensor<1xi32>
  %r = snn.readout %l sum {scale = 1.0 : f32} : (tensor<1xi32>) -> tensor<1xi32>
  snn.output "out" %r : tensor<1xi32>
}

// -----

// rule R2
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<4xui8>
  %x = snn.encode %in events : (tensor<4xui8>) -> tensor<4xui8>
  %c = snn.linear %x {weight = dense<1> : tensor<4x4xi8>} : (tensor<4xui8>) -> tensor<4xi32>
  // expected-error@+1 {{rule R2: mode is mean, expected sum or last in integer form}}
  %r = snn.readout %c mean {scale = 1.0 : f32} : (tensor<4xi32>) -> tensor<4xi32>
  snn.output "out" %r : tensor<4xi32>
}

// -----

// rule R4
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<4xui8>
  %x = snn.encode %in events : (tensor<4xui8>) -> tensor<4xui8>
  %c = snn.linear %x {weight = dense<1> : tensor<4x4xi8>} : (tensor<4xui8>) -> tensor<4xi32>
  // expected-error@+1 {{rule R4: scale is absent, expected a finite value above 0}}
  %r = snn.readout %c sum : (tensor<4xi32>) -> tensor<4xi32>
  snn.output "out" %r : tensor<4xi32>
}

// -----

// rule R4: sign
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<4xui8>
  %x = snn.encode %in events : (tensor<4xui8>) -> tensor<4xui8>
  %c = snn.linear %x {weight = dense<1> : tensor<4x4xi8>} : (tensor<4xui8>) -> tensor<4xi32>
  // expected-error@+1 {{rule R4: scale is not a positive number}}
  %r = snn.readout %c last {scale = -1.0 : f32} : (tensor<4xi32>) -> tensor<4xi32>
  snn.output "out" %r : tensor<4xi32>
}

// -----

// rule R4: types
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<4xui8>
  %x = snn.encode %in direct : (tensor<4xui8>) -> tensor<4xf32>
  // expected-error@+1 {{rule R4: types (input, result) are}}
  %r = snn.readout %x sum : (tensor<4xf32>) -> tensor<4xi32>
  snn.output "out" %r : tensor<4xi32>
}

// -----

// rule N11: v_reset below v_min
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<4xui8>
  %x = snn.encode %in direct : (tensor<4xui8>) -> tensor<4xf32>
  // expected-error@+1 {{rule N11: v_reset is -0.50, expected a value of at least v_min, -0.25}}
  %y = snn.if %x {reset = #snn<reset<value>>, v_reset = dense<-0.5> : tensor<1xf32>, v_min = -0.25 : f32, v_threshold = dense<1.0> : tensor<1xf32>} : (tensor<4xf32>) -> tensor<4xf32>
  %l = snn.linear %y {weight = dense<1.0> : tensor<1x4xf32>} : (tensor<4xf32>) -> tensor<1xf32>
  %r = snn.readout %l sum : (tensor<1xf32>) -> tensor<1xf32>
  snn.output "out" %r : tensor<1xf32>
}
