// Every check between the bytes of a file and their use. What passes here is safe to lay out and to run.
#pragma once

#include "core/error.h"
#include "format/layout.h"
#include "lasnn/lasnn.h"
#include "lasnn_generated.h"

namespace lasnn::format {

/// Header, hash, FlatBuffer structure: what all targets' files have in common. On success `out` points into `model`.
lasnn_status verifyFile(const void *model, size_t model_size, const Model *&out, uint64_t &content_hash, runtime::ErrorText &error);

/// That, and the meaning of the x86 plan, which must be there.
lasnn_status verifyModel(const void *model, size_t model_size, const Model *&out, uint64_t &content_hash,
                         runtime::ErrorText &error);

/// As verifyModel, for the CUDA program.
lasnn_status verifyCudaModel(const void *model, size_t model_size, const Model *&out, uint64_t &content_hash, runtime::ErrorText &error);

/// The meaning of a CUDA program alone. The code in it is not looked into beyond its bounds: like any program, it is trusted.
bool verifyCudaProgram(const CudaProgram &program, runtime::ErrorText &error);

/// "sm_90a" or "compute_90" taken apart. False: neither.
struct Architecture {
  bool ptx = false, exact = false; ///< exact: with an `a`, for this very capability alone
  uint32_t major = 0, minor = 0;
};
bool parseArchitecture(const char *text, Architecture &architecture);

/// The meaning alone: indices, shapes, sizes, limits, order of execution.
bool verifyPlan(const Plan &plan, runtime::ErrorText &error);

/// True when a maximum over windows stands between the synapses and the neuron (or read-out).
inline bool poolsCurrents(const Layer &layer) { return layer.current_height() > 0; }
/// The extent of a layer's currents: the output's, unless they are pooled.
inline uint32_t currentHeight(const Layer &layer) { return poolsCurrents(layer) ? layer.current_height() : layer.out_height(); }
inline uint32_t currentWidth(const Layer &layer) { return poolsCurrents(layer) ? layer.current_width() : layer.out_width(); }

/// The geometry of a synapse of a verified plan.
SynapseShape synapseShape(const Plan &plan, const Layer &layer, const Synapse &synapse);

/// True when the synapse reads the direct-encoded image: analog values, weights in the layout of analogRuns.
inline bool isAnalog(const Plan &plan, const Synapse &synapse) {
  return plan.encoding() == Encoding::Direct && synapse.input() == 0;
}

inline const char *nameOf(const flatbuffers::String *name) { return name ? name->c_str() : ""; }

} // namespace lasnn::format
