// Networks for benchmarks: real shapes, random weights, thresholds set so that every layer spikes at about the rate asked for. No MLIR.
#pragma once

#include "backends/plan/plan.h"

#include <cstdint>
#include <string>
#include <vector>

namespace lasnn::bench {

struct ResNet18 {
  uint32_t width = 64, size = 32, classes = 10, stem_stride = 1;
};

/// He et al. 2016 with the CIFAR stem, as the trainer exports it: direct encoding, a block's currents added before its second neuron, an identity
/// shortcut as a 1x1 convolution, the mean over positions as a sum of spikes.
plan::Network resnet18(const ResNet18 &shape, uint32_t timesteps, uint32_t seed);

/// One 3x3 convolution from spikes to spikes, and a read-out of one value.
plan::Network oneLayer(uint32_t channels, uint32_t size, uint32_t out_channels, uint32_t stride, uint32_t timesteps, uint32_t seed);

/// Random samples, one after another: bytes for a direct input, else spikes of the given rate.
std::vector<uint8_t> randomSamples(const plan::Network &network, uint32_t count, double rate, uint32_t seed);

/// One threshold a layer, first layer first, so that on a random sample the layer spikes at `rate`; returns the rates reached, layer by layer.
std::vector<double> calibrate(plan::Network &network, double rate, uint32_t seed);

/// Multiplications of one sample over all time-steps if no spike were missing, of one layer.
double denseMacs(const plan::Network &network, const plan::Layer &layer);

} // namespace lasnn::bench
