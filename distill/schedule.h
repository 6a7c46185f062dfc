// What changes over a run: the learning rate by step, the number of time-steps by epoch.
#pragma once

#include "distill/options.h"

#include <string>
#include <utility>
#include <vector>

namespace lasnn::distill {

/// Learning rate at `step` of `steps`: a linear warm-up from a tenth of it, then, with r from 0 to 1 over what remains,
///   cosine: lr (1 + cos(pi r)) / 2      linear, onecycle: lr (1 - r)      constant: lr
double learningRate(const TrainOptions &, int64_t step, int64_t steps);

/// SGD's momentum at that step. onecycle moves it against the rate, m - 0.1 lr(step)/lr (Smith, arXiv 1803.09820); else m.
double momentumAt(const TrainOptions &, int64_t step, int64_t steps);

/// A curriculum over time-steps: (T, share of the epochs), the shares adding up to 1.
using Curriculum = std::vector<std::pair<int64_t, double>>;

/// "1:0.3,2:0.3,4": T:SHARE, comma-separated; the last takes what is left, and is T of the model (`timesteps`).
/// Throws std::invalid_argument with the rule broken. An empty text is `timesteps` throughout.
Curriculum curriculumFromText(const std::string &text, int64_t timesteps);

/// T in epoch `epoch` (from 0) of `epochs`: stage i ends after round(epochs * (share_0 + ... + share_i)) epochs.
int64_t timestepsAt(const Curriculum &, int64_t epoch, int64_t epochs);

} // namespace lasnn::distill
