#include "backends/lasnn_file.h"

#include "format/header.h"

#include <cstring>

namespace lasnn {

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;

Offset<format::Provenance> writeProvenance(FlatBufferBuilder &fbb, const Provenance &p) {
  return format::CreateProvenance(fbb, fbb.CreateString(p.tool), fbb.CreateString(p.options), fbb.CreateString(p.sourceName),
                                  fbb.CreateString(p.sourceSha256), fbb.CreateString(p.calibration));
}

Offset<flatbuffers::Vector<uint8_t>> writeAligned(FlatBufferBuilder &fbb, const std::vector<uint8_t> &bytes, size_t alignment) {
  fbb.ForceVectorAlignment(bytes.size(), 1, alignment);
  return fbb.CreateVector(bytes);
}

std::vector<uint8_t> finishFile(FlatBufferBuilder &fbb, Offset<format::Model> model) {
  format::FinishModelBuffer(fbb, model);
  const format::Header header = format::makeHeader(fbb.GetBufferPointer(), fbb.GetSize());
  std::vector<uint8_t> bytes(format::kHeaderSize + fbb.GetSize());
  memcpy(bytes.data(), &header, format::kHeaderSize);
  memcpy(bytes.data() + format::kHeaderSize, fbb.GetBufferPointer(), fbb.GetSize());
  return bytes;
}

} // namespace lasnn
