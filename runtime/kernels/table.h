// Compiled once per ISA, after its lanes_<isa>.h: the kernels over that ISA's primitives, and their table.
//
// Everything below lives in namespace LASNN_ISA, and no kernel uses a template or inline function from outside it: the
// linker keeps one copy of such a function, and a copy compiled for AVX-512 must not reach the scalar kernels.
#include "kernels/kernels.h"
#include "kernels/pack/pack_u8.h"
#include "kernels/events/events.h"
#include "kernels/gather/rows.h"
#include "kernels/gather/gather_i16.h"
#include "kernels/gather/gather_i32.h"
#include "kernels/analog/analog_i8.h"
#include "kernels/pool/pool_u8.h"
#include "kernels/pool/pool_current.h"
#include "kernels/add/add_u8.h"
#include "kernels/synops/synops_u8.h"

namespace lasnn::runtime {
const KernelTable LASNN_TABLE = {
#define KERNEL(name, task) LASNN_ISA::name,
#include "kernels/kernels.inc"
#undef KERNEL
};
} // namespace lasnn::runtime
