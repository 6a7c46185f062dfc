// What every writer of a `.lasnn` shares: provenance, aligned bytes, the header. No MLIR type appears here.
#pragma once

#include "backends/provenance.h"
#include "lasnn_generated.h"

#include <cstdint>
#include <vector>

namespace lasnn {

/// A FlatBuffer ends at 2 GiB; this much of weights and IR leaves room for the rest.
constexpr uint64_t kMostFileBytes = uint64_t(1) << 30;

flatbuffers::Offset<format::Provenance> writeProvenance(flatbuffers::FlatBufferBuilder &fbb, const Provenance &provenance);
flatbuffers::Offset<flatbuffers::Vector<uint8_t>> writeAligned(flatbuffers::FlatBufferBuilder &fbb, const std::vector<uint8_t> &bytes, size_t alignment);
/// Header and content.
std::vector<uint8_t> finishFile(flatbuffers::FlatBufferBuilder &fbb, flatbuffers::Offset<format::Model> model);

} // namespace lasnn
