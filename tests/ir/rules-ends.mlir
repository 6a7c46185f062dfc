// One failing case a rule of ir/spec.md.
// RUN: lasnn-opt %s -split-input-file -verify-diagnostics

// rule E1: mean
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2x8x8xui8>
  // expected-error@+1 {{rule E1: mean has 3 entries, expected 2}}
  %x = snn.encode %in direct {mean = array<f32: 0.0, 0.0, 0.0>} : (tensor<2x8x8xui8>) -> tensor<2x8x8xf32>
  %f = snn.flatten %x : (tensor<2x8x8xf32>) -> tensor<128xf32>
  %l = snn.linear %f {weight = dense<1.0> : tensor<1x128xf32>} : (tensor<128xf32>) -> tensor<1xf32>
  %r = snn.readout %l sum : (tensor<1xf32>) -> tensor<1xf32>
  snn.output "out" %r : tensor<1xf32>
}

// -----

// rule E1: std
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2x8x8xui8>
  // expected-error@+1 {{rule E1: std holds 0}}
  %x = snn.encode %in direct {std = array<f32: 1.0, 0.0>} : (tensor<2x8x8xui8>) -> tensor<2x8x8xf32>
  %f = snn.flatten %x : (tensor<2x8x8xf32>) -> tensor<128xf32>
  %l = snn.linear %f {weight = dense<1.0> : tensor<1x128xf32>} : (tensor<128xf32>) -> tensor<1xf32>
  %r = snn.readout %l sum : (tensor<1xf32>) -> tensor<1xf32>
  snn.output "out" %r : tensor<1xf32>
}

// -----

// rule E1: float input
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2x8x8xf32>
  // expected-error@+1 {{rule E1: mean or std is given for a float input}}
  %x = snn.encode %in direct {mean = array<f32: 0.0, 0.0>} : (tensor<2x8x8xf32>) -> tensor<2x8x8xf32>
  %f = snn.flatten %x : (tensor<2x8x8xf32>) -> tensor<128xf32>
  %l = snn.linear %f {weight = dense<1.0> : tensor<1x128xf32>} : (tensor<128xf32>) -> tensor<1xf32>
  %r = snn.readout %l sum : (tensor<1xf32>) -> tensor<1xf32>
  snn.output "out" %r : tensor<1xf32>
}

// -----

// rule E1: table
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2x8x8xui8>
  // expected-error@+1 {{rule E1: table is given with an f32 result}}
  %x = snn.encode %in direct {table = dense<0> : tensor<2x256xi8>} : (tensor<2x8x8xui8>) -> tensor<2x8x8xf32>
  %f = snn.flatten %x : (tensor<2x8x8xf32>) -> tensor<128xf32>
  %l = snn.linear %f {weight = dense<1.0> : tensor<1x128xf32>} : (tensor<128xf32>) -> tensor<1xf32>
  %r = snn.readout %l sum : (tensor<1xf32>) -> tensor<1xf32>
  snn.output "out" %r : tensor<1xf32>
}

// -----

// rule E2: no table
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2x8x8xui8>
  // expected-error@+1 {{rule E2: table is absent, expected i8 [2,256]}}
  %x = snn.encode %in direct {scale = 1.0 : f32} : (tensor<2x8x8xui8>) -> tensor<2x8x8xi8>
  %f = snn.flatten %x : (tensor<2x8x8xi8>) -> tensor<128xi8>
  %l = snn.linear %f {weight = dense<1> : tensor<1x128xi8>} : (tensor<128xi8>) -> tensor<1xi32>
  %r = snn.readout %l sum {scale = 1.0 : f32} : (tensor<1xi32>) -> tensor<1xi32>
  snn.output "out" %r : tensor<1xi32>
}

// -----

// rule E2: shape of the table
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2x8x8xui8>
  // expected-error@+1 {{rule E2: table is of another type, expected i8 [2,256]}}
  %x = snn.encode %in direct {scale = 1.0 : f32, table = dense<0> : tensor<2x255xi8>} : (tensor<2x8x8xui8>) -> tensor<2x8x8xi8>
  %f = snn.flatten %x : (tensor<2x8x8xi8>) -> tensor<128xi8>
  %l = snn.linear %f {weight = dense<1> : tensor<1x128xi8>} : (tensor<128xi8>) -> tensor<1xi32>
  %r = snn.readout %l sum {scale = 1.0 : f32} : (tensor<1xi32>) -> tensor<1xi32>
  snn.output "out" %r : tensor<1xi32>
}

// -----

// rule E2: scale
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2x8x8xui8>
  // expected-error@+1 {{rule E2: scale is absent or not positive}}
  %x = snn.encode %in direct {table = dense<0> : tensor<2x256xi8>} : (tensor<2x8x8xui8>) -> tensor<2x8x8xi8>
  %f = snn.flatten %x : (tensor<2x8x8xi8>) -> tensor<128xi8>
  %l = snn.linear %f {weight = dense<1> : tensor<1x128xi8>} : (tensor<128xi8>) -> tensor<1xi32>
  %r = snn.readout %l sum {scale = 1.0 : f32} : (tensor<1xi32>) -> tensor<1xi32>
  snn.output "out" %r : tensor<1xi32>
}

// -----

// rule E3
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2x8x8xui8>
  // expected-error@+1 {{rule E3: max_count is 256, expected 1 to 255}}
  %x = snn.encode %in events {max_count = 256 : i64} : (tensor<2x8x8xui8>) -> tensor<2x8x8xf32>
  %f = snn.flatten %x : (tensor<2x8x8xf32>) -> tensor<128xf32>
  %l = snn.linear %f {weight = dense<1.0> : tensor<1x128xf32>} : (tensor<128xf32>) -> tensor<1xf32>
  %r = snn.readout %l sum : (tensor<1xf32>) -> tensor<1xf32>
  snn.output "out" %r : tensor<1xf32>
}

// -----

// rule E3: mean
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2x8x8xui8>
  // expected-error@+1 {{rule E3: mean, std or table is given, expected none with events}}
  %x = snn.encode %in events {mean = array<f32: 0.0, 0.0>} : (tensor<2x8x8xui8>) -> tensor<2x8x8xf32>
  %f = snn.flatten %x : (tensor<2x8x8xf32>) -> tensor<128xf32>
  %l = snn.linear %f {weight = dense<1.0> : tensor<1x128xf32>} : (tensor<128xf32>) -> tensor<1xf32>
  %r = snn.readout %l sum : (tensor<1xf32>) -> tensor<1xf32>
  snn.output "out" %r : tensor<1xf32>
}

// -----

// rule E3: types
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2x8x8xf32>
  // expected-error@+1 {{rule E3: types (input, result) are}}
  %x = snn.encode %in events : (tensor<2x8x8xf32>) -> tensor<2x8x8xf32>
  %f = snn.flatten %x : (tensor<2x8x8xf32>) -> tensor<128xf32>
  %l = snn.linear %f {weight = dense<1.0> : tensor<1x128xf32>} : (tensor<128xf32>) -> tensor<1xf32>
  %r = snn.readout %l sum : (tensor<1xf32>) -> tensor<1xf32>
  snn.output "out" %r : tensor<1xf32>
}

// -----

// rule S1
// expected-error@+1 {{rule S1: timesteps is 0, expected 1 to 65535}}
snn.network @n timesteps = 0 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in direct : (tensor<2xui8>) -> tensor<2xf32>
  %l = snn.linear %x {weight = dense<1.0> : tensor<1x2xf32>} : (tensor<2xf32>) -> tensor<1xf32>
  %r = snn.readout %l sum : (tensor<1xf32>) -> tensor<1xf32>
  snn.output "out" %r : tensor<1xf32>
}

// -----

// rule S1: upper end
// expected-error@+1 {{rule S1: timesteps is 65536}}
snn.network @n timesteps = 65536 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in direct : (tensor<2xui8>) -> tensor<2xf32>
  %l = snn.linear %x {weight = dense<1.0> : tensor<1x2xf32>} : (tensor<2xf32>) -> tensor<1xf32>
  %r = snn.readout %l sum : (tensor<1xf32>) -> tensor<1xf32>
  snn.output "out" %r : tensor<1xf32>
}

// -----

// rule S2: two inputs
// expected-error@+1 {{rule S2: the network has 2 inputs, expected 1}}
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2xui8>
  %in2 = snn.input "more" : tensor<2xui8>
  %x = snn.encode %in direct : (tensor<2xui8>) -> tensor<2xf32>
  %l = snn.linear %x {weight = dense<1.0> : tensor<1x2xf32>} : (tensor<2xf32>) -> tensor<1xf32>
  %r = snn.readout %l sum : (tensor<1xf32>) -> tensor<1xf32>
  snn.output "out" %r : tensor<1xf32>
}

// -----

// rule S2: no output
// expected-error@+1 {{rule S2: the network has no output, expected at least 1}}
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in direct : (tensor<2xui8>) -> tensor<2xf32>
  %l = snn.linear %x {weight = dense<1.0> : tensor<1x2xf32>} : (tensor<2xf32>) -> tensor<1xf32>
  %r = snn.readout %l sum : (tensor<1xf32>) -> tensor<1xf32>
}

// -----

// rule S2: the operand of encode
// expected-error@+7 {{rule S2: the operand is not an input}}
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in direct : (tensor<2xui8>) -> tensor<2xf32>
  %l = snn.linear %x {weight = dense<1.0> : tensor<1x2xf32>} : (tensor<2xf32>) -> tensor<1xf32>
  %r = snn.readout %l sum : (tensor<1xf32>) -> tensor<1xf32>
  snn.output "out" %r : tensor<1xf32>
  %z = snn.encode %x direct : (tensor<2xf32>) -> tensor<2xf32>
}

// -----

// rule S2: users of the input
// expected-error@+2 {{rule S2: the input has 2 uses, expected one snn.encode}}
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in direct : (tensor<2xui8>) -> tensor<2xf32>
  %e = snn.encode %in direct : (tensor<2xui8>) -> tensor<2xf32>
  %l = snn.linear %x {weight = dense<1.0> : tensor<1x2xf32>} : (tensor<2xf32>) -> tensor<1xf32>
  %r = snn.readout %l sum : (tensor<1xf32>) -> tensor<1xf32>
  snn.output "out" %r : tensor<1xf32>
}

// -----

// rule S3: empty
// expected-error@+6 {{rule S3: the name "" is empty}}
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in direct : (tensor<2xui8>) -> tensor<2xf32>
  %l = snn.linear %x {weight = dense<1.0> : tensor<1x2xf32>} : (tensor<2xf32>) -> tensor<1xf32>
  %r = snn.readout %l sum : (tensor<1xf32>) -> tensor<1xf32>
  snn.output "" %r : tensor<1xf32>
}

// -----

// rule S3: taken
// expected-error@+6 {{rule S3: the name "in" is taken}}
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in direct : (tensor<2xui8>) -> tensor<2xf32>
  %l = snn.linear %x {weight = dense<1.0> : tensor<1x2xf32>} : (tensor<2xf32>) -> tensor<1xf32>
  %r = snn.readout %l sum : (tensor<1xf32>) -> tensor<1xf32>
  snn.output "in" %r : tensor<1xf32>
}

// -----

// rule S4
// expected-error@+4 {{rule S4: the operation depends on its own result}}
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in direct : (tensor<2xui8>) -> tensor<2xf32>
  %a = snn.add %x, %b : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %b = snn.relu %a : (tensor<2xf32>) -> tensor<2xf32>
  %l = snn.linear %x {weight = dense<1.0> : tensor<1x2xf32>} : (tensor<2xf32>) -> tensor<1xf32>
  %r = snn.readout %l sum : (tensor<1xf32>) -> tensor<1xf32>
  snn.output "out" %r : tensor<1xf32>
}

// -----

// rule S5
// expected-error@+7 {{rule S5: the operation is not of dialect snn}}
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in direct : (tensor<2xui8>) -> tensor<2xf32>
  %l = snn.linear %x {weight = dense<1.0> : tensor<1x2xf32>} : (tensor<2xf32>) -> tensor<1xf32>
  %r = snn.readout %l sum : (tensor<1xf32>) -> tensor<1xf32>
  snn.output "out" %r : tensor<1xf32>
  %m = builtin.unrealized_conversion_cast %l : tensor<1xf32> to tensor<1xi32>
}

// -----

// rule S6
// expected-error@+5 {{rule S6: the output takes the result of 'snn.linear', expected a read-out}}
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in direct : (tensor<2xui8>) -> tensor<2xf32>
  %l = snn.linear %x {weight = dense<1.0> : tensor<1x2xf32>} : (tensor<2xf32>) -> tensor<1xf32>
  snn.output "out" %l : tensor<1xf32>
}

// -----

// rule T2
// expected-error@+3 {{rule T2: operand is 'tensor<2x8xui8>', expected a static tensor of 1 or 3 axes, none of size 0}}
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2x8xui8>
  %x = snn.encode %in direct : (tensor<2x8xui8>) -> tensor<2x8xf32>
  %r = snn.readout %x sum : (tensor<2x8xf32>) -> tensor<2x8xf32>
  snn.output "out" %r : tensor<2x8xf32>
}

// -----

// rule T2: dynamic
// expected-error@+3 {{rule T2: operand is 'tensor<?xui8>'}}
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<?xui8>
  %x = snn.encode %in direct : (tensor<?xui8>) -> tensor<?xf32>
  %r = snn.readout %x sum : (tensor<?xf32>) -> tensor<?xf32>
  snn.output "out" %r : tensor<?xf32>
}

// -----

// rule T2: empty
// expected-error@+3 {{rule T2: operand is 'tensor<0xui8>'}}
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<0xui8>
  %x = snn.encode %in direct : (tensor<0xui8>) -> tensor<0xf32>
  %r = snn.readout %x sum : (tensor<0xf32>) -> tensor<0xf32>
  snn.output "out" %r : tensor<0xf32>
}
