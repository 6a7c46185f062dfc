// Where a network looks: attention maps laid over test images, as cards of an HTML page.
#pragma once

#include "distill/evaluate.h"
#include "distill/teacher.h"

namespace lasnn::distill {

/// A card an image: the picture, label and answer, and for some layers the teacher's map A (of its features) beside the student's
/// (of its firing rates), each made by attentionMap() with the options the student was trained with and drawn from its least to
/// its greatest value. `teacher` may be null. Empty where no layer has positions. The last two images are answered wrongly, if any are.
std::string attentionCards(const Model &model, Teacher *teacher, const data::Dataset &set, size_t count);

/// "sneaker" where the set is one whose names we know, else "class 7".
std::string className(const data::Dataset &set, int64_t index);

} // namespace lasnn::distill
