// Families of networks in a line each, and the table of those with a name.
#pragma once

#include "distill/options.h"

#include <nlohmann/json.hpp>

namespace lasnn::distill {

/// The table: name -> list of nodes, or a recipe {"vgg": ...} or {"resnet": ...}.
const nlohmann::json &archTable();

/// `recipe` with the options written into it: widths multiplied, choices replaced. Throws std::invalid_argument.
nlohmann::json withOptions(nlohmann::json recipe, const ArchOptions &);

/// The list of nodes that a recipe stands for; a list stays as it is.
nlohmann::json recipeNodes(const nlohmann::json &recipe);

/// c * width, to the nearest multiple of 32 from 64 channels on, of 8 below: whole registers and whole bytes of spikes.
int64_t scaledWidth(int64_t channels, double width);

} // namespace lasnn::distill
