// The baseline that LaSNN is measured against: the teacher's own weights run as integrate-and-fire neurons, nothing trained.
//
//   u[t] = v[t-1] + I[t]      v[0] = theta/2 or 0      s[t] = 1 if u[t] > theta      v[t] = u[t] - s[t] theta
//
// A spike carries theta, so that the mean over the steps approaches ReLU cut at theta:  (1/T) sum_t theta s[t] -> min(ReLU(I), theta).
// This is weight normalisation (Diehl et al. 2015) without touching weights: dividing a layer's weights by its theta and multiplying
// the next layer's by it gives the same spikes. theta is a percentile of the teacher's activations on training images (Rueckauer et
// al. 2017), of the whole layer or of each channel (Kim et al. 2020); v[0] = theta/2 halves the rounding error (Deng, Gu 2021).
// Normalisation runs as its eval-mode affine, which is the folded network up to rounding.
#pragma once

#include "distill/convert_options.h"
#include "distill/evaluate.h"

namespace lasnn::distill {

using Thresholds = std::map<std::string, torch::Tensor>; // of each layer: one value, or one a channel

/// Throws when the teacher is none, or has a layer that cannot be converted.
Thresholds balanceThresholds(const Model &teacher, const data::Dataset &training, const ConvertOptions &);

struct Conversion {
  size_t images = 0;
  double annTop1 = 0, seconds = 0;
  std::vector<double> top1;   // after 1, 2, ... steps, as far as it ran
  std::vector<double> rates;  // spikes a neuron and step up to there
  std::string stopped;        // why it ended before `timesteps`; empty: it did not

  /// The smallest T at which top-1 is at least `share`; 0: none.
  int64_t reaches(double share) const;
};

Conversion runConverted(const Model &teacher, const Thresholds &, const data::Dataset &set, const ConvertOptions &);

nlohmann::json conversionToJson(const Conversion &);

} // namespace lasnn::distill
