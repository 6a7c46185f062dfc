// Compiled with -mavx512…; entered only when the CPU has them (core/isa.cpp).
#define LASNN_ISA avx512
#define LASNN_TABLE kAvx512Kernels
#include "kernels/isa/lanes_avx512.h"
#include "kernels/table.h"
