// One failing case a rule of ir/spec.md.
// RUN: lasnn-opt %s -split-input-file -verify-diagnostics

// rule C2
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2x8x8xui8>
  %x = snn.encode %in direct : (tensor<2x8x8xui8>) -> tensor<2x8x8xf32>
  // expected-error@+1 {{rule C2: weight has shape [4,3,3,3], expected [4,2,KH,KW]}}
  %y = snn.conv2d %x {weight = dense<1.0> : tensor<4x3x3x3xf32>, pads = array<i64: 1, 1, 1, 1>} : (tensor<2x8x8xf32>) -> tensor<4x8x8xf32>
  %r = snn.readout %y sum : (tensor<4x8x8xf32>) -> tensor<4x8x8xf32>
  snn.output "out" %r : tensor<4x8x8xf32>
}

// -----

// rule C2: bias
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2x8x8xui8>
  %x = snn.encode %in direct : (tensor<2x8x8xui8>) -> tensor<2x8x8xf32>
  // expected-error@+1 {{rule C2: bias has shape [3], expected [4]}}
  %y = snn.conv2d %x {weight = dense<1.0> : tensor<4x2x3x3xf32>, pads = array<i64: 1, 1, 1, 1>, bias = dense<0.0> : tensor<3xf32>} : (tensor<2x8x8xf32>) -> tensor<4x8x8xf32>
  %r = snn.readout %y sum : (tensor<4x8x8xf32>) -> tensor<4x8x8xf32>
  snn.output "out" %r : tensor<4x8x8xf32>
}

// -----

// rule C3: strides
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2x8x8xui8>
  %x = snn.encode %in direct : (tensor<2x8x8xui8>) -> tensor<2x8x8xf32>
  // expected-error@+1 {{rule C3: strides is [0,1], expected 2 values from 1 to 65535}}
  %y = snn.conv2d %x {weight = dense<1.0> : tensor<4x2x3x3xf32>, pads = array<i64: 1, 1, 1, 1>, strides = array<i64: 0, 1>} : (tensor<2x8x8xf32>) -> tensor<4x8x8xf32>
  %r = snn.readout %y sum : (tensor<4x8x8xf32>) -> tensor<4x8x8xf32>
  snn.output "out" %r : tensor<4x8x8xf32>
}

// -----

// rule C3: pads
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2x8x8xui8>
  %x = snn.encode %in direct : (tensor<2x8x8xui8>) -> tensor<2x8x8xf32>
  // expected-error@+1 {{rule C3: pads is [1,1], expected 4 values from 0 to 65535}}
  %y = snn.conv2d %x {weight = dense<1.0> : tensor<4x2x3x3xf32>, pads = array<i64: 1, 1>} : (tensor<2x8x8xf32>) -> tensor<4x8x8xf32>
  %r = snn.readout %y sum : (tensor<4x8x8xf32>) -> tensor<4x8x8xf32>
  snn.output "out" %r : tensor<4x8x8xf32>
}

// -----

// rule C3: dilations
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2x8x8xui8>
  %x = snn.encode %in direct : (tensor<2x8x8xui8>) -> tensor<2x8x8xf32>
  // expected-error@+1 {{rule C3: dilations is [-1,1], expected 2 values from 1 to 65535}}
  %y = snn.conv2d %x {weight = dense<1.0> : tensor<4x2x3x3xf32>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: -1, 1>} : (tensor<2x8x8xf32>) -> tensor<4x8x8xf32>
  %r = snn.readout %y sum : (tensor<4x8x8xf32>) -> tensor<4x8x8xf32>
  snn.output "out" %r : tensor<4x8x8xf32>
}

// -----

// rule C3: groups
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2x8x8xui8>
  %x = snn.encode %in direct : (tensor<2x8x8xui8>) -> tensor<2x8x8xf32>
  // expected-error@+1 {{rule C3: groups is 3}}
  %y = snn.conv2d %x {weight = dense<1.0> : tensor<4x2x3x3xf32>, pads = array<i64: 1, 1, 1, 1>, groups = 3 : i64} : (tensor<2x8x8xf32>) -> tensor<4x8x8xf32>
  %r = snn.readout %y sum : (tensor<4x8x8xf32>) -> tensor<4x8x8xf32>
  snn.output "out" %r : tensor<4x8x8xf32>
}

// -----

// rule C4
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2x8x8xui8>
  %x = snn.encode %in direct : (tensor<2x8x8xui8>) -> tensor<2x8x8xf32>
  // expected-error@+1 {{rule C4: result height is 8, expected 6}}
  %y = snn.conv2d %x {weight = dense<1.0> : tensor<4x2x3x3xf32>} : (tensor<2x8x8xf32>) -> tensor<4x8x8xf32>
  %r = snn.readout %y sum : (tensor<4x8x8xf32>) -> tensor<4x8x8xf32>
  snn.output "out" %r : tensor<4x8x8xf32>
}

// -----

// rule C4: window
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2x8x8xui8>
  %x = snn.encode %in direct : (tensor<2x8x8xui8>) -> tensor<2x8x8xf32>
  // expected-error@+1 {{rule C4: the window (height 9) is larger than the padded input (8)}}
  %y = snn.conv2d %x {weight = dense<1.0> : tensor<4x2x9x9xf32>} : (tensor<2x8x8xf32>) -> tensor<4x8x8xf32>
  %r = snn.readout %y sum : (tensor<4x8x8xf32>) -> tensor<4x8x8xf32>
  snn.output "out" %r : tensor<4x8x8xf32>
}

// -----

// rule C5
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2x8x8xui8>
  %x = snn.encode %in direct : (tensor<2x8x8xui8>) -> tensor<2x8x8xf32>
  // expected-error@+1 {{rule C5: element types (input, weight, result) are ('f32', 'i8', 'f32'), expected (f32, f32, f32), (ui8, i8, i32) or (i8, i8, i32)}}
  %y = snn.conv2d %x {weight = dense<1> : tensor<4x2x3x3xi8>, pads = array<i64: 1, 1, 1, 1>} : (tensor<2x8x8xf32>) -> tensor<4x8x8xf32>
  %r = snn.readout %y sum : (tensor<4x8x8xf32>) -> tensor<4x8x8xf32>
  snn.output "out" %r : tensor<4x8x8xf32>
}

// -----

// rule C5: a 32-bit weight
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2x8x8xui8>
  %x = snn.encode %in events : (tensor<2x8x8xui8>) -> tensor<2x8x8xui8>
  // expected-error@+1 {{rule C5: element types (input, weight, result) are ('ui8', 'i32', 'i32')}}
  %y = snn.conv2d %x {weight = dense<1> : tensor<4x2x3x3xi32>, pads = array<i64: 1, 1, 1, 1>} : (tensor<2x8x8xui8>) -> tensor<4x8x8xi32>
  %r = snn.readout %y sum {scale = 1.0 : f32} : (tensor<4x8x8xi32>) -> tensor<4x8x8xi32>
  snn.output "out" %r : tensor<4x8x8xi32>
}

// -----

// rule C2: rank
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<4xui8>
  %x = snn.encode %in direct : (tensor<4xui8>) -> tensor<4xf32>
  // expected-error@+1 {{rule C2: input has shape [4], expected 3 axes [C,H,W]}}
  %y = snn.conv2d %x {weight = dense<1.0> : tensor<4x4x1x1xf32>} : (tensor<4xf32>) -> tensor<4x1x1xf32>
  %r = snn.readout %y sum : (tensor<4x1x1xf32>) -> tensor<4x1x1xf32>
  snn.output "out" %r : tensor<4x1x1xf32>
}

// -----

// rule T3
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in direct : (tensor<2xui8>) -> tensor<2xf32>
  // expected-error@+1 {{rule T3: weight holds NaN at flat index 1, expected finite values}}
  %y = snn.linear %x {weight = dense<[[1.0, 0x7FC00000]]> : tensor<1x2xf32>} : (tensor<2xf32>) -> tensor<1xf32>
  %r = snn.readout %y sum : (tensor<1xf32>) -> tensor<1xf32>
  snn.output "out" %r : tensor<1xf32>
}

// -----

// rule T3: bias
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in direct : (tensor<2xui8>) -> tensor<2xf32>
  // expected-error@+1 {{rule T3: bias holds infinity at flat index 0}}
  %y = snn.linear %x {weight = dense<1.0> : tensor<1x2xf32>, bias = dense<0x7F800000> : tensor<1xf32>} : (tensor<2xf32>) -> tensor<1xf32>
  %r = snn.readout %y sum : (tensor<1xf32>) -> tensor<1xf32>
  snn.output "out" %r : tensor<1xf32>
}

// -----

// rule L2
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<4xui8>
  %x = snn.encode %in direct : (tensor<4xui8>) -> tensor<4xf32>
  // expected-error@+1 {{rule L2: weight has shape [3,5], expected [3,4]}}
  %y = snn.linear %x {weight = dense<1.0> : tensor<3x5xf32>} : (tensor<4xf32>) -> tensor<3xf32>
  %r = snn.readout %y sum : (tensor<3xf32>) -> tensor<3xf32>
  snn.output "out" %r : tensor<3xf32>
}

// -----

// rule L2: rank
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2x8x8xui8>
  %x = snn.encode %in direct : (tensor<2x8x8xui8>) -> tensor<2x8x8xf32>
  // expected-error@+1 {{rule L2: input has shape [2,8,8], expected 1 axis [N]}}
  %y = snn.linear %x {weight = dense<1.0> : tensor<3x2xf32>} : (tensor<2x8x8xf32>) -> tensor<3xf32>
  %r = snn.readout %y sum : (tensor<3xf32>) -> tensor<3xf32>
  snn.output "out" %r : tensor<3xf32>
}

// -----

// rule L3
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<4xui8>
  %x = snn.encode %in direct : (tensor<4xui8>) -> tensor<4xf32>
  // expected-error@+1 {{rule L3: element types}}
  %y = snn.linear %x {weight = dense<1> : tensor<3x4xi8>} : (tensor<4xf32>) -> tensor<3xf32>
  %r = snn.readout %y sum : (tensor<3xf32>) -> tensor<3xf32>
  snn.output "out" %r : tensor<3xf32>
}

// -----

// rule P3
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2x8x8xui8>
  %x = snn.encode %in events : (tensor<2x8x8xui8>) -> tensor<2x8x8xui8>
  // expected-error@+1 {{rule P3: input is 'tensor<2x8x8xui8>', expected f32 elements}}
  %p = snn.avg_pool %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>} : (tensor<2x8x8xui8>) -> tensor<2x4x4xui8>
  %y = snn.conv2d %p {weight = dense<1> : tensor<1x2x1x1xi8>} : (tensor<2x4x4xui8>) -> tensor<1x4x4xi32>
  %r = snn.readout %y sum {scale = 1.0 : f32} : (tensor<1x4x4xi32>) -> tensor<1x4x4xi32>
  snn.output "out" %r : tensor<1x4x4xi32>
}

// -----

// rule P4: kernel
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2x8x8xui8>
  %x = snn.encode %in direct : (tensor<2x8x8xui8>) -> tensor<2x8x8xf32>
  // expected-error@+1 {{rule P4: kernel is [0,2], expected 2 values from 1 to 65535}}
  %y = snn.max_pool %x {kernel = array<i64: 0, 2>} : (tensor<2x8x8xf32>) -> tensor<2x4x4xf32>
  %r = snn.readout %y sum : (tensor<2x4x4xf32>) -> tensor<2x4x4xf32>
  snn.output "out" %r : tensor<2x4x4xf32>
}

// -----

// rule P4: size
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2x8x8xui8>
  %x = snn.encode %in direct : (tensor<2x8x8xui8>) -> tensor<2x8x8xf32>
  // expected-error@+1 {{rule P4: result width is 5, expected 4}}
  %y = snn.sum_pool %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>} : (tensor<2x8x8xf32>) -> tensor<2x4x5xf32>
  %r = snn.readout %y sum : (tensor<2x4x5xf32>) -> tensor<2x4x5xf32>
  snn.output "out" %r : tensor<2x4x5xf32>
}

// -----

// rule P4: pads
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2x8x8xui8>
  %x = snn.encode %in direct : (tensor<2x8x8xui8>) -> tensor<2x8x8xf32>
  // expected-error@+1 {{rule P4: pads are [2,0,2,0], expected each below the kernel [2,2]}}
  %y = snn.sum_pool %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 2, 0, 2, 0>} : (tensor<2x8x8xf32>) -> tensor<2x6x4xf32>
  %r = snn.readout %y sum : (tensor<2x6x4xf32>) -> tensor<2x6x4xf32>
  snn.output "out" %r : tensor<2x6x4xf32>
}

// -----

// rule P4: channels
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2x8x8xui8>
  %x = snn.encode %in direct : (tensor<2x8x8xui8>) -> tensor<2x8x8xf32>
  // expected-error@+1 {{rule P4: result has 3 channels, expected 2}}
  %y = snn.sum_pool %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>} : (tensor<2x8x8xf32>) -> tensor<3x4x4xf32>
  %r = snn.readout %y sum : (tensor<3x4x4xf32>) -> tensor<3x4x4xf32>
  snn.output "out" %r : tensor<3x4x4xf32>
}

// -----

// rule P4: element type
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2x8x8xui8>
  %x = snn.encode %in events : (tensor<2x8x8xui8>) -> tensor<2x8x8xui8>
  // expected-error@+1 {{rule P4: result element type is 'i32', expected the input's 'ui8'}}
  %y = snn.sum_pool %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>} : (tensor<2x8x8xui8>) -> tensor<2x4x4xi32>
  %r = snn.readout %y sum {scale = 1.0 : f32} : (tensor<2x4x4xi32>) -> tensor<2x4x4xi32>
  snn.output "out" %r : tensor<2x4x4xi32>
}

// -----

// rule A1
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in direct : (tensor<2xui8>) -> tensor<2xf32>
  // expected-error@+1 {{rule A1: types (lhs, rhs, result) are}}
  %y = snn.add %x, %x : (tensor<2xf32>, tensor<2xf32>) -> tensor<3xf32>
  %r = snn.readout %y sum : (tensor<3xf32>) -> tensor<3xf32>
  snn.output "out" %r : tensor<3xf32>
}

// -----

// rule F1
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2x8x8xui8>
  %x = snn.encode %in direct : (tensor<2x8x8xui8>) -> tensor<2x8x8xf32>
  // expected-error@+1 {{rule F1: result is 'tensor<100xf32>', expected 128 elements of 'f32'}}
  %y = snn.flatten %x : (tensor<2x8x8xf32>) -> tensor<100xf32>
  %r = snn.readout %y sum : (tensor<100xf32>) -> tensor<100xf32>
  snn.output "out" %r : tensor<100xf32>
}

// -----

// rule F1: rank
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2x8x8xui8>
  %x = snn.encode %in direct : (tensor<2x8x8xui8>) -> tensor<2x8x8xf32>
  // expected-error@+1 {{rule F1: result has shape [2,8,8], expected 1 axis [N]}}
  %y = snn.flatten %x : (tensor<2x8x8xf32>) -> tensor<2x8x8xf32>
  %r = snn.readout %y sum : (tensor<2x8x8xf32>) -> tensor<2x8x8xf32>
  snn.output "out" %r : tensor<2x8x8xf32>
}

// -----

// rule B1
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2x8x8xui8>
  %x = snn.encode %in direct : (tensor<2x8x8xui8>) -> tensor<2x8x8xf32>
  // expected-error@+1 {{rule B1: gamma has shape [3], expected [2]}}
  %y = snn.batch_norm %x {gamma = dense<1.0> : tensor<3xf32>, beta = dense<0.0> : tensor<2xf32>, mean = dense<0.0> : tensor<2xf32>, variance = dense<1.0> : tensor<2xf32>, epsilon = 0.0 : f32} : (tensor<2x8x8xf32>) -> tensor<2x8x8xf32>
  %r = snn.readout %y sum : (tensor<2x8x8xf32>) -> tensor<2x8x8xf32>
  snn.output "out" %r : tensor<2x8x8xf32>
}

// -----

// rule B1: variance
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2x8x8xui8>
  %x = snn.encode %in direct : (tensor<2x8x8xui8>) -> tensor<2x8x8xf32>
  // expected-error@+1 {{rule B1: variance is -1.00 at channel 0 with epsilon 0.00}}
  %y = snn.batch_norm %x {gamma = dense<1.0> : tensor<2xf32>, beta = dense<0.0> : tensor<2xf32>, mean = dense<0.0> : tensor<2xf32>, variance = dense<-1.0> : tensor<2xf32>, epsilon = 0.0 : f32} : (tensor<2x8x8xf32>) -> tensor<2x8x8xf32>
  %r = snn.readout %y sum : (tensor<2x8x8xf32>) -> tensor<2x8x8xf32>
  snn.output "out" %r : tensor<2x8x8xf32>
}

// -----

// rule B1: division by 0
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2x8x8xui8>
  %x = snn.encode %in direct : (tensor<2x8x8xui8>) -> tensor<2x8x8xf32>
  // expected-error@+1 {{rule B1: variance is 0.00 at channel 0 with epsilon 0.00, expected both at least 0 and their sum above 0}}
  %y = snn.batch_norm %x {gamma = dense<1.0> : tensor<2xf32>, beta = dense<0.0> : tensor<2xf32>, mean = dense<0.0> : tensor<2xf32>, variance = dense<0.0> : tensor<2xf32>, epsilon = 0.0 : f32} : (tensor<2x8x8xf32>) -> tensor<2x8x8xf32>
  %r = snn.readout %y sum : (tensor<2x8x8xf32>) -> tensor<2x8x8xf32>
  snn.output "out" %r : tensor<2x8x8xf32>
}

// -----

// rule U1
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in direct : (tensor<2xui8>) -> tensor<2xf32>
  // expected-error@+1 {{rule U1: types (input, result) are}}
  %y = snn.relu %x : (tensor<2xf32>) -> tensor<3xf32>
  %r = snn.readout %y sum : (tensor<3xf32>) -> tensor<3xf32>
  snn.output "out" %r : tensor<3xf32>
}

// -----

// rule T4
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in direct : (tensor<2xui8>) -> tensor<2xf32>
  // expected-error@+1 {{attribute 'weight' failed to satisfy constraint: rule T4: dense<...> numbers}}
  %y = snn.linear %x {weight = dense_resource<blob> : tensor<1x2xf32>} : (tensor<2xf32>) -> tensor<1xf32>
  %r = snn.readout %y sum : (tensor<1xf32>) -> tensor<1xf32>
  snn.output "out" %r : tensor<1xf32>
}
