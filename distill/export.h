// Writes a student as the one-step ONNX graph of docs/student-onnx.md; normalisation, adapters and teacher vanish here.
#pragma once

#include "distill/model_file.h"

namespace lasnn::distill {

/// The file's bytes: the same model always gives the same bytes. Throws when the model is a teacher.
/// `keepNormalisation`: batch normalisation as nodes of its own instead of in the weights.
std::string studentOnnx(const Model &, bool keepNormalisation = false);

void exportStudent(const Model &, const std::string &path, bool keepNormalisation = false);

} // namespace lasnn::distill
