// What a teacher and a student each minimise: the learners that the training loop runs.
#pragma once

#include "distill/adapter.h"
#include "distill/learner.h"
#include "distill/options.h"

namespace lasnn::distill {

Learner teacherLearner(const std::shared_ptr<Network> &network, const TrainOptions &);

/// The student of docs/distill.md: L = L_ce + alpha * sum_l lambda_l D_l + options. `teacher` may be null (no distillation);
/// it is only read, in evaluation mode and without gradients, and may be shared between learners.
Learner studentLearner(const std::shared_ptr<Network> &student, const std::shared_ptr<Teacher> &teacher, const TrainOptions &,
                       const StudentOptions &);

/// A student's input over its steps: the image itself (direct), Poisson spikes, or an event set's frames.
Steps encode(const Batch &, const std::string &encoding, int64_t steps, uint64_t stream);

} // namespace lasnn::distill
