// Several learners that are one network: equal weights in one storage, gradients and running statistics each its own.
#pragma once

#include "distill/learner.h"

namespace lasnn::distill {

/// Every other replica sees replica 0's weights, through the same storage.
void shareWeights(const std::vector<Learner> &);

/// gradient of the whole batch = sum over shards of (shard's share) * (shard's mean gradient), in the replicas' order; in replica 0.
void sumGradients(const std::vector<Learner> &, const std::vector<double> &shares);

/// Running statistics are each replica's own during an epoch; at its end all take the mean.
void meanBuffers(const std::vector<Learner> &);

/// All take replica 0's.
void copyBuffers(const std::vector<Learner> &);

/// Replaces the running statistics by their plain mean over `batches` training batches under the weights as they are; `batch(i)`
/// gives the i-th. Weights that came from elsewhere (a teacher, an average) meet statistics that were not theirs.
void reestimateStatistics(const Learner &, int64_t batches, const std::function<Batch(int64_t)> &batch);

} // namespace lasnn::distill
