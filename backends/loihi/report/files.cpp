#include "backends/loihi/report/files.h"
#include "backends/loihi/report/csv.h"
#include "backends/loihi/report/html.h"
#include "backends/loihi/report/json.h"
#include "backends/loihi/report/text.h"

namespace lasnn::loihi::report {

std::vector<File> reportFiles(const Data &data) {
  return {{"report.txt", toText(data)}, {"report.json", toJson(data).dump(1) + "\n"}, {"cores.csv", coresCsv(data)}, {"links.csv", linksCsv(data)}, {"report.html", toHtml(data)}};
}

} // namespace lasnn::loihi::report
