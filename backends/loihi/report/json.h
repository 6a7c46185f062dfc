// The report as JSON; schema: docs/loihi-report.schema.json.
#pragma once

#include "backends/loihi/report/data.h"

#include <nlohmann/json.hpp>

namespace lasnn::loihi::report {

nlohmann::ordered_json toJson(const Data &);

} // namespace lasnn::loihi::report
