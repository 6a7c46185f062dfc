// Which kernel computes a layer: a forced one, the fastest measured one, or the cheapest by the cost model.
#pragma once

#include "backends/cuda/forms.h"

namespace lasnn::cuda {

/// Whether the cost model has an architecture's figures.
bool knowsGpu(const std::string &architecture);

/// What the choice for a launch depends on, as text: measured.inc's key.
std::string featuresOf(const Launch &launch, uint32_t batch);

/// The model's time of a launch with its kernel and tiles, in microseconds.
double estimateOf_us(const Launch &launch, const Options &options, const std::vector<double> &rates);

/// Sets kernel and tiles of a launch whose shape and steps are known. rates: of its inputs. False with `error` set where a forced kernel is
/// unknown or cannot compute it.
bool choose(Launch &launch, const Options &options, const std::vector<double> &rates, std::string &error);

} // namespace lasnn::cuda
