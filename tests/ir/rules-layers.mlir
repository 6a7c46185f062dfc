// One failing case a rule of ir/spec.md.
// RUN: lasnn-opt %s -split-input-file -verify-diagnostics

// rule Y2: no neuron
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in events : (tensor<2xui8>) -> tensor<2xui8>
  // expected-error@+1 {{rule Y2: the body has 0 neurons and read-outs, expected one, yielded last}}
  %h = snn.layer "h" (%a = %x : tensor<2xui8>) -> tensor<3xi32> {
    %l = snn.linear %a {weight = dense<1> : tensor<3x2xi8>} : (tensor<2xui8>) -> tensor<3xi32>
    snn.yield %l : tensor<3xi32>
  }
  %o = snn.layer "out" (%a = %h : tensor<3xi32>) -> tensor<3xi32> {
    %r = snn.readout %a sum {scale = 1.0 : f32} : (tensor<3xi32>) -> tensor<3xi32>
    snn.yield %r : tensor<3xi32>
  }
  snn.output "out" %o : tensor<3xi32>
}

// -----

// rule Y1: number of arguments
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in events : (tensor<2xui8>) -> tensor<2xui8>
  // expected-error@+1 {{rule Y1: the body has 2 arguments, expected 1}}
  %o = "snn.layer"(%x) <{name = "out"}> ({
  ^bb0(%a: tensor<2xui8>, %b: tensor<2xui8>):
    %l = snn.linear %a {weight = dense<1> : tensor<1x2xi8>} : (tensor<2xui8>) -> tensor<1xi32>
    %r = snn.readout %l sum {scale = 1.0 : f32} : (tensor<1xi32>) -> tensor<1xi32>
    snn.yield %r : tensor<1xi32>
  }) : (tensor<2xui8>) -> tensor<1xi32>
  snn.output "out" %o : tensor<1xi32>
}

// -----

// rule Y1: type of an argument
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in events : (tensor<2xui8>) -> tensor<2xui8>
  // expected-error@+1 {{rule Y1: argument 0 is 'tensor<3xui8>', expected 'tensor<2xui8>'}}
  %o = "snn.layer"(%x) <{name = "out"}> ({
  ^bb0(%a: tensor<3xui8>):
    %l = snn.linear %a {weight = dense<1> : tensor<1x3xi8>} : (tensor<3xui8>) -> tensor<1xi32>
    %r = snn.readout %l sum {scale = 1.0 : f32} : (tensor<1xi32>) -> tensor<1xi32>
    snn.yield %r : tensor<1xi32>
  }) : (tensor<2xui8>) -> tensor<1xi32>
  snn.output "out" %o : tensor<1xi32>
}

// -----

// rule Y1: type of the result
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in events : (tensor<2xui8>) -> tensor<2xui8>
  // expected-error@+1 {{rule Y1: the result is 'tensor<2xi32>', expected 'tensor<1xi32>'}}
  %o = "snn.layer"(%x) <{name = "out"}> ({
  ^bb0(%a: tensor<2xui8>):
    %l = snn.linear %a {weight = dense<1> : tensor<1x2xi8>} : (tensor<2xui8>) -> tensor<1xi32>
    %r = snn.readout %l sum {scale = 1.0 : f32} : (tensor<1xi32>) -> tensor<1xi32>
    snn.yield %r : tensor<1xi32>
  }) : (tensor<2xui8>) -> tensor<2xi32>
  snn.output "out" %o : tensor<2xi32>
}

// -----

// rule Y2: no yield
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in events : (tensor<2xui8>) -> tensor<2xui8>
  // expected-error@+1 {{rule Y2: the body has 1 neurons and read-outs and no yield at its end}}
  %h = snn.layer "h" (%a = %x : tensor<2xui8>) -> tensor<3xui8> {
    %l = snn.linear %a {weight = dense<1> : tensor<3x2xi8>} : (tensor<2xui8>) -> tensor<3xi32>
    %s = snn.if %l {v_threshold = dense<1> : tensor<1xi32>} : (tensor<3xi32>) -> tensor<3xui8>
  }
  %o = snn.layer "out" (%a = %h : tensor<3xui8>) -> tensor<1xi32> {
    %l = snn.linear %a {weight = dense<1> : tensor<1x3xi8>} : (tensor<3xui8>) -> tensor<1xi32>
    %r = snn.readout %l sum {scale = 1.0 : f32} : (tensor<1xi32>) -> tensor<1xi32>
    snn.yield %r : tensor<1xi32>
  }
  snn.output "out" %o : tensor<1xi32>
}

// -----

// rule Y2: two neurons
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in events : (tensor<2xui8>) -> tensor<2xui8>
  // expected-error@+1 {{rule Y2: the body has 2 neurons}}
  %h = snn.layer "h" (%a = %x : tensor<2xui8>) -> tensor<3xui8> {
    %l = snn.linear %a {weight = dense<1> : tensor<3x2xi8>} : (tensor<2xui8>) -> tensor<3xi32>
    %s = snn.if %l {v_threshold = dense<1> : tensor<1xi32>} : (tensor<3xi32>) -> tensor<3xui8>
    %t = snn.if %l {v_threshold = dense<1> : tensor<1xi32>} : (tensor<3xi32>) -> tensor<3xui8>
    snn.yield %s : tensor<3xui8>
  }
  %o = snn.layer "out" (%a = %h : tensor<3xui8>) -> tensor<1xi32> {
    %l = snn.linear %a {weight = dense<1> : tensor<1x3xi8>} : (tensor<3xui8>) -> tensor<1xi32>
    %r = snn.readout %l sum {scale = 1.0 : f32} : (tensor<1xi32>) -> tensor<1xi32>
    snn.yield %r : tensor<1xi32>
  }
  snn.output "out" %o : tensor<1xi32>
}

// -----

// rule Y2: a pool
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in events : (tensor<2xui8>) -> tensor<2xui8>
  // expected-error@+1 {{rule Y2: the body holds 'snn.relu'}}
  %h = snn.layer "h" (%a = %x : tensor<2xui8>) -> tensor<3xui8> {
    %l = snn.linear %a {weight = dense<1> : tensor<3x2xi8>} : (tensor<2xui8>) -> tensor<3xi32>
    %s = snn.if %l {v_threshold = dense<1> : tensor<1xi32>} : (tensor<3xi32>) -> tensor<3xui8>
    %q = snn.relu %l : (tensor<3xi32>) -> tensor<3xi32>
    snn.yield %s : tensor<3xui8>
  }
  %o = snn.layer "out" (%a = %h : tensor<3xui8>) -> tensor<1xi32> {
    %l = snn.linear %a {weight = dense<1> : tensor<1x3xi8>} : (tensor<3xui8>) -> tensor<1xi32>
    %r = snn.readout %l sum {scale = 1.0 : f32} : (tensor<1xi32>) -> tensor<1xi32>
    snn.yield %r : tensor<1xi32>
  }
  snn.output "out" %o : tensor<1xi32>
}

// -----

// rule Y3
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in events : (tensor<2xui8>) -> tensor<2xui8>
  // expected-error@+1 {{rule Y3: 'snn.linear' uses a value from outside, expected arguments of the layer only}}
  %h = snn.layer "h" (%a = %x : tensor<2xui8>) -> tensor<3xui8> {
    %l = snn.linear %x {weight = dense<1> : tensor<3x2xi8>} : (tensor<2xui8>) -> tensor<3xi32>
    %s = snn.if %l {v_threshold = dense<1> : tensor<1xi32>} : (tensor<3xi32>) -> tensor<3xui8>
    snn.yield %s : tensor<3xui8>
  }
  %o = snn.layer "out" (%a = %h : tensor<3xui8>) -> tensor<1xi32> {
    %l = snn.linear %a {weight = dense<1> : tensor<1x3xi8>} : (tensor<3xui8>) -> tensor<1xi32>
    %r = snn.readout %l sum {scale = 1.0 : f32} : (tensor<1xi32>) -> tensor<1xi32>
    snn.yield %r : tensor<1xi32>
  }
  snn.output "out" %o : tensor<1xi32>
}

// -----

// rule K5
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in events : (tensor<2xui8>) -> tensor<2xui8>
  // expected-error@+1 {{rule K5: current_bits is 8, expected 16 or 32}}
  %h = snn.layer "h" (%a = %x : tensor<2xui8>) -> tensor<3xui8> attributes {current_bits = 8 : i64} {
    %l = snn.linear %a {weight = dense<1> : tensor<3x2xi8>} : (tensor<2xui8>) -> tensor<3xi32>
    %s = snn.if %l {v_threshold = dense<1> : tensor<1xi32>} : (tensor<3xi32>) -> tensor<3xui8>
    snn.yield %s : tensor<3xui8>
  }
  %o = snn.layer "out" (%a = %h : tensor<3xui8>) -> tensor<1xi32> {
    %l = snn.linear %a {weight = dense<1> : tensor<1x3xi8>} : (tensor<3xui8>) -> tensor<1xi32>
    %r = snn.readout %l sum {scale = 1.0 : f32} : (tensor<1xi32>) -> tensor<1xi32>
    snn.yield %r : tensor<1xi32>
  }
  snn.output "out" %o : tensor<1xi32>
}

// -----

// rule Y4: taken
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in events : (tensor<2xui8>) -> tensor<2xui8>
  %h = snn.layer "out" (%a = %x : tensor<2xui8>) -> tensor<3xui8> {
    %l = snn.linear %a {weight = dense<1> : tensor<3x2xi8>} : (tensor<2xui8>) -> tensor<3xi32>
    %s = snn.if %l {v_threshold = dense<1> : tensor<1xi32>} : (tensor<3xi32>) -> tensor<3xui8>
    snn.yield %s : tensor<3xui8>
  }
  // expected-error@+1 {{rule Y4: the name "out" is taken}}
  %o = snn.layer "out" (%a = %h : tensor<3xui8>) -> tensor<1xi32> {
    %l = snn.linear %a {weight = dense<1> : tensor<1x3xi8>} : (tensor<3xui8>) -> tensor<1xi32>
    %r = snn.readout %l sum {scale = 1.0 : f32} : (tensor<1xi32>) -> tensor<1xi32>
    snn.yield %r : tensor<1xi32>
  }
  snn.output "out" %o : tensor<1xi32>
}

// -----

// rule Y4: empty
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2xui8>
  %x = snn.encode %in events : (tensor<2xui8>) -> tensor<2xui8>
  // expected-error@+1 {{rule Y4: the name "" is empty}}
  %h = snn.layer "" (%a = %x : tensor<2xui8>) -> tensor<3xui8> {
    %l = snn.linear %a {weight = dense<1> : tensor<3x2xi8>} : (tensor<2xui8>) -> tensor<3xi32>
    %s = snn.if %l {v_threshold = dense<1> : tensor<1xi32>} : (tensor<3xi32>) -> tensor<3xui8>
    snn.yield %s : tensor<3xui8>
  }
  %o = snn.layer "out" (%a = %h : tensor<3xui8>) -> tensor<1xi32> {
    %l = snn.linear %a {weight = dense<1> : tensor<1x3xi8>} : (tensor<3xui8>) -> tensor<1xi32>
    %r = snn.readout %l sum {scale = 1.0 : f32} : (tensor<1xi32>) -> tensor<1xi32>
    snn.yield %r : tensor<1xi32>
  }
  snn.output "out" %o : tensor<1xi32>
}

// -----

// rule Y2: a maximum of what is no current
snn.network @n timesteps = 2 {
  %in = snn.input "in" : tensor<2x2x2xui8>
  %x = snn.encode %in events : (tensor<2x2x2xui8>) -> tensor<2x2x2xui8>
  // expected-error@+1 {{rule Y2: the body's max_pool takes an argument, expected a current; put pools of spikes between the layers}}
  %o = snn.layer "out" (%a = %x : tensor<2x2x2xui8>) -> tensor<1x1x1xi32> {
    %p = snn.max_pool %a {kernel = array<i64: 2, 2>} : (tensor<2x2x2xui8>) -> tensor<2x1x1xui8>
    %c = snn.conv2d %p {weight = dense<1> : tensor<1x2x1x1xi8>} : (tensor<2x1x1xui8>) -> tensor<1x1x1xi32>
    %r = snn.readout %c sum {scale = 1.0 : f32} : (tensor<1x1x1xi32>) -> tensor<1x1x1xi32>
    snn.yield %r : tensor<1x1x1xi32>
  }
  snn.output "out" %o : tensor<1x1x1xi32>
}
