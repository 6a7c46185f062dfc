// Writes a student as the one-step ONNX graph of docs/student-onnx.md; normalisation, adapters and teacher vanish here.
#pragma once

#include "distill/model_file.h"

namespace lasnn::distill {

/// The file's bytes: the same model always gives the same bytes. Throws when the model is a teacher.
std::string studentOnnx(const Model &);

void exportStudent(const Model &, const std::string &path);

} // namespace lasnn::distill
