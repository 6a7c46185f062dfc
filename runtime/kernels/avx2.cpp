// Compiled with -mavx2 -mbmi2 -mpopcnt …; entered only when the CPU has them (core/isa.cpp).
#define LASNN_ISA avx2
#define LASNN_TABLE kAvx2Kernels
#include "kernels/isa/lanes_avx2.h"
#include "kernels/table.h"
