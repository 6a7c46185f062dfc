// A small float network for 1x8x8 images: convolution, pool, linear. Weights are patterns, so that classes differ.
snn.network @tiny timesteps = 4 {
  %0 = snn.input "image" : tensor<1x8x8xui8>
  %1 = snn.encode %0 direct {mean = array<f32: 0.5>, std = array<f32: 0.25>} : (tensor<1x8x8xui8>) -> tensor<1x8x8xf32>
  %2 = snn.conv2d %1 {pads = array<i64: 1, 1, 1, 1>, bias = dense<[0.1, -0.1]> : tensor<2xf32>,
    weight = dense<[[[[0.1, 0.2, 0.1], [0.0, 0.3, 0.0], [-0.1, -0.2, -0.1]]],
                    [[[0.3, 0.0, -0.3], [0.2, 0.1, -0.2], [0.3, 0.0, -0.3]]]]> : tensor<2x1x3x3xf32>}
    : (tensor<1x8x8xf32>) -> tensor<2x8x8xf32>
  %3 = snn.lif %2 {beta = 0.5 : f32, v_threshold = dense<0.5> : tensor<1xf32>} : (tensor<2x8x8xf32>) -> tensor<2x8x8xf32> loc("conv.lif")
  %4 = snn.max_pool %3 {kernel = array<i64: 4, 4>, strides = array<i64: 4, 4>} : (tensor<2x8x8xf32>) -> tensor<2x2x2xf32> loc("pool")
  %5 = snn.flatten %4 : (tensor<2x2x2xf32>) -> tensor<8xf32>
  %6 = snn.linear %5 {weight = dense<[[0.5, -0.2, 0.1, 0.3, -0.4, 0.2, 0.0, 0.1], [-0.3, 0.4, 0.2, -0.1, 0.3, 0.1, -0.2, 0.2],
    [0.1, 0.1, -0.3, 0.2, 0.2, -0.5, 0.4, 0.0]]> : tensor<3x8xf32>} : (tensor<8xf32>) -> tensor<3xf32> loc("fc")
  %7 = snn.readout %6 mean : (tensor<3xf32>) -> tensor<3xf32> loc("fc")
  snn.output "logits" %7 : tensor<3xf32>
}
