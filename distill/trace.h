// What a student does, step by step, on disk: the reference that other executors of its file are compared with.
#pragma once

#include "distill/model_file.h"
#include "frontend/data/data.h"

namespace lasnn::distill {

/// Writes PATH.json {"tensors": [{"name", "shape"}]} and PATH.bin, those tensors as little-endian float32 in that order:
/// "input" [N,C,H,W] (events: [T,N,C,H,W]), each layer's spikes NAME.lif [T,N,...], "logits" [T,N,classes];
/// of a student in integers also "logits.int", the read-out's whole numbers (exact below 2^24).
void traceStudent(const Model &, const data::Dataset &, const std::string &path);

} // namespace lasnn::distill
