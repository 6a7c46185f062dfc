// One failing case a rule of ir/spec.md.
// RUN: lasnn-opt %s -split-input-file -verify-diagnostics

// rule D2: a current is not delayed
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in events : (tensor<2xui8>) -> tensor<2xui8>
  %c = snn.linear %x {weight = dense<1> : tensor<2x2xi8>} : (tensor<2xui8>) -> tensor<2xi32>
  // expected-error@+1 {{rule D2: types (operand, result) are ('tensor<2xi32>', 'tensor<2xi32>'), expected one type of f32 or ui8 elements: spikes}}
  %d = snn.delay %c : (tensor<2xi32>) -> tensor<2xi32>
  %r = snn.readout %d sum {scale = 1.0 : f32} : (tensor<2xi32>) -> tensor<2xi32>
  snn.output "out" %r : tensor<2xi32>
}

// -----

// rule D2: nor is the analog image
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<1xui8>
  %x = snn.encode %in direct {table = dense<1> : tensor<1x256xi8>, scale = 1.0 : f32} : (tensor<1xui8>) -> tensor<1xi8>
  // expected-error@+1 {{rule D2: types (operand, result) are ('tensor<1xi8>', 'tensor<1xi8>')}}
  %d = snn.delay %x : (tensor<1xi8>) -> tensor<1xi8>
  %c = snn.linear %d {weight = dense<1> : tensor<1x1xi8>} : (tensor<1xi8>) -> tensor<1xi32>
  %r = snn.readout %c sum {scale = 1.0 : f32} : (tensor<1xi32>) -> tensor<1xi32>
  snn.output "out" %r : tensor<1xi32>
}

// -----

// rule D2: one type
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2x1x1xui8>
  %x = snn.encode %in events : (tensor<2x1x1xui8>) -> tensor<2x1x1xui8>
  // expected-error@+1 {{rule D2: types (operand, result) are ('tensor<2x1x1xui8>', 'tensor<2xui8>')}}
  %d = snn.delay %x : (tensor<2x1x1xui8>) -> tensor<2xui8>
  %c = snn.linear %d {weight = dense<1> : tensor<1x2xi8>} : (tensor<2xui8>) -> tensor<1xi32>
  %r = snn.readout %c sum {scale = 1.0 : f32} : (tensor<1xi32>) -> tensor<1xi32>
  snn.output "out" %r : tensor<1xi32>
}

// -----

// rule D3: counts that grow from step to step
// expected-error@+4 {{rule D3: the operation feeds back to itself without a neuron, expected one on every cycle: nothing else bounds its counts}}
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in events : (tensor<2xui8>) -> tensor<2xui8>
  %d = snn.delay %a : (tensor<2xui8>) -> tensor<2xui8>
  %a = snn.add %x, %d : (tensor<2xui8>, tensor<2xui8>) -> tensor<2xui8>
  %c = snn.linear %a {weight = dense<1> : tensor<1x2xi8>} : (tensor<2xui8>) -> tensor<1xi32>
  %r = snn.readout %c sum {scale = 1.0 : f32} : (tensor<1xi32>) -> tensor<1xi32>
  snn.output "out" %r : tensor<1xi32>
}

// -----

// rule D3: of itself
// expected-error@+4 {{rule D3: the operation feeds back to itself without a neuron}}
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in events : (tensor<2xui8>) -> tensor<2xui8>
  %d = snn.delay %d : (tensor<2xui8>) -> tensor<2xui8>
  %c = snn.linear %x {weight = dense<1> : tensor<1x2xi8>} : (tensor<2xui8>) -> tensor<1xi32>
  %r = snn.readout %c sum {scale = 1.0 : f32} : (tensor<1xi32>) -> tensor<1xi32>
  snn.output "out" %r : tensor<1xi32>
}

// -----

// rule D3: a read-out is no neuron
// expected-error@+4 {{rule D3: the operation feeds back to itself without a neuron}}
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in events : (tensor<2xui8>) -> tensor<2xf32>
  %d = snn.delay %r : (tensor<2xf32>) -> tensor<2xf32>
  %a = snn.add %x, %d : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %r = snn.readout %a sum : (tensor<2xf32>) -> tensor<2xf32>
  snn.output "out" %r : tensor<2xf32>
}

// -----

// rule D4
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in events : (tensor<2xui8>) -> tensor<2xui8>
  // expected-error@+1 {{rule D4: the body holds a delay, expected it in the network, its result an input of the layer}}
  %o = snn.layer "out" (%a = %x : tensor<2xui8>) -> tensor<1xi32> {
    %d = snn.delay %a : (tensor<2xui8>) -> tensor<2xui8>
    %c = snn.linear %d {weight = dense<1> : tensor<1x2xi8>} : (tensor<2xui8>) -> tensor<1xi32>
    %r = snn.readout %c sum {scale = 1.0 : f32} : (tensor<1xi32>) -> tensor<1xi32>
    snn.yield %r : tensor<1xi32>
  }
  snn.output "out" %o : tensor<1xi32>
}

// -----

// rule S4: a neuron on the cycle, but no delay
// expected-error@+4 {{rule S4: the operation depends on its own result of the same step, expected a snn.delay on every cycle}}
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in events : (tensor<2xui8>) -> tensor<2xui8>
  %a = snn.add %x, %s : (tensor<2xui8>, tensor<2xui8>) -> tensor<2xui8>
  %c = snn.linear %a {weight = dense<1> : tensor<2x2xi8>} : (tensor<2xui8>) -> tensor<2xi32>
  %s = snn.if %c {v_threshold = dense<1> : tensor<1xi32>} : (tensor<2xi32>) -> tensor<2xui8>
  %r = snn.readout %c sum {scale = 1.0 : f32} : (tensor<2xi32>) -> tensor<2xi32>
  snn.output "out" %r : tensor<2xi32>
}
