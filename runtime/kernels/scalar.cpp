// The plain kernels, for any CPU.
#define LASNN_ISA scalar
#define LASNN_TABLE kScalarKernels
#include "kernels/isa/lanes_scalar.h"
#include "kernels/table.h"
