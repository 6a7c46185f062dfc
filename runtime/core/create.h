// Creation shared by lasnn_create and lasnn_create_from_file.
#pragma once

#include "core/error.h"
#include "lasnn/lasnn.h"

namespace lasnn::runtime {

lasnn_status createNetwork(const void *bytes, size_t size, const lasnn_options *options, lasnn_network **network, ErrorText &error);

} // namespace lasnn::runtime
