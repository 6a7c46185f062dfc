#include "format/reader.h"

#include "format/verify.h"

namespace lasnn::format {

static std::string_view viewOf(const flatbuffers::String *s) {
  return s ? std::string_view(s->c_str(), s->size()) : std::string_view();
}

lasnn_status readContents(const void *model, size_t model_size, FileContents &contents, char *error, size_t error_size) {
  runtime::ErrorText text(error, error_size);
  const Model *checked;
  uint64_t content_hash;
  const lasnn_status status = verifyFile(model, model_size, checked, content_hash, text);
  if (status != LASNN_OK) return status;
  if (checked->x86() != nullptr && !verifyPlan(*checked->x86(), text)) return LASNN_BAD_MODEL;
  if (checked->cuda() != nullptr && !verifyCudaProgram(*checked->cuda(), text)) return LASNN_BAD_MODEL;
  contents = {};
  contents.content_hash = content_hash;
  contents.x86 = checked->x86() != nullptr;
  contents.cuda = checked->cuda() != nullptr;
  if (const auto *ir = checked->ir()) {
    contents.ir = ir->data();
    contents.ir_size = ir->size();
  }
  if (const Provenance *p = checked->provenance()) {
    contents.tool = viewOf(p->tool());
    contents.options = viewOf(p->options());
    contents.source_name = viewOf(p->source_name());
    contents.source_sha256 = viewOf(p->source_sha256());
    contents.calibration = viewOf(p->calibration());
  }
  return LASNN_OK;
}

} // namespace lasnn::format
