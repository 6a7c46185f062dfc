#include "core/isa.h"

#include "kernels/kernels.h"

#include <cstdlib>
#include <cstring>
#if LASNN_X86_KERNELS
#include <cpuid.h>
#endif

namespace lasnn::runtime {
namespace {

#if LASNN_X86_KERNELS
enum Register : uint8_t { Ebx, Ecx };

/// A CPU feature that a kernel family is compiled with: bit of CPUID leaf 1 or 7 (Intel SDM, vol. 2A, CPUID).
struct Feature {
  const char *name;
  lasnn_isa first; // needed from this ISA on
  uint32_t leaf;
  Register reg;
  uint8_t bit;
};
const Feature kFeatures[] = {
    {"POPCNT", LASNN_ISA_AVX2, 1, Ecx, 23},        {"AVX", LASNN_ISA_AVX2, 1, Ecx, 28},
    {"BMI1", LASNN_ISA_AVX2, 7, Ebx, 3},           {"AVX2", LASNN_ISA_AVX2, 7, Ebx, 5},
    {"BMI2", LASNN_ISA_AVX2, 7, Ebx, 8},           {"AVX512F", LASNN_ISA_AVX512, 7, Ebx, 16},
    {"AVX512DQ", LASNN_ISA_AVX512, 7, Ebx, 17},    {"AVX512BW", LASNN_ISA_AVX512, 7, Ebx, 30},
    {"AVX512VL", LASNN_ISA_AVX512, 7, Ebx, 31},    {"AVX512_VBMI", LASNN_ISA_AVX512, 7, Ecx, 1},
    {"AVX512_VBMI2", LASNN_ISA_AVX512, 7, Ecx, 6},
    {"AVX512_VNNI", LASNN_ISA_AVX512, 7, Ecx, 11},
};

/// What the operating system saves on a context switch (XCR0): bits 1, 2 for ymm; 5, 6, 7 for zmm and mask registers.
uint32_t enabledState() {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

const char *missingFeature(lasnn_isa isa) {
  uint32_t a, b, c, d, leaf[8][2] = {};
  if (!__get_cpuid(1, &a, &b, &c, &d)) return "CPUID";
  leaf[1][Ecx] = c;
  if ((c & (1u << 27)) == 0) return "OSXSAVE";
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
    leaf[7][Ebx] = b;
    leaf[7][Ecx] = c;
  }
  for (const Feature &f : kFeatures)
    if (isa >= f.first && ((leaf[f.leaf][f.reg] >> f.bit) & 1) == 0) return f.name;
  const uint32_t needed = isa == LASNN_ISA_AVX512 ? 0xe6 : 0x06;
  return (enabledState() & needed) == needed ? nullptr : "operating system support for its registers";
}
#endif

} // namespace

const char *missingFor(lasnn_isa isa) {
  switch (isa) {
  case LASNN_ISA_AUTO:
  case LASNN_ISA_SCALAR: return nullptr;
  case LASNN_ISA_AVX2:
  case LASNN_ISA_AVX512:
#if LASNN_X86_KERNELS
    return missingFeature(isa);
#else
    return "kernels of this ISA in this build";
#endif
  }
  return "an ISA of this number";
}

lasnn_status chooseIsa(lasnn_isa wanted, lasnn_isa &isa, ErrorText &error) {
  isa = wanted;
  const char *name = getenv("LASNN_ISA");
  if (isa == LASNN_ISA_AUTO && name != nullptr && name[0] != 0 && strcmp(name, "auto") != 0) {
    const lasnn_isa all[] = {LASNN_ISA_SCALAR, LASNN_ISA_AVX2, LASNN_ISA_AVX512};
    for (lasnn_isa each : all)
      if (strcmp(name, lasnn_isa_name(each)) == 0) isa = each;
    if (isa == LASNN_ISA_AUTO) {
      error.set("LASNN_ISA='%.32s' is unknown; use auto, scalar, avx2 or avx512", name);
      return LASNN_INVALID_ARGUMENT;
    }
  }
  if (isa == LASNN_ISA_AUTO) {
    isa = missingFor(LASNN_ISA_AVX512) == nullptr ? LASNN_ISA_AVX512
          : missingFor(LASNN_ISA_AVX2) == nullptr ? LASNN_ISA_AVX2
                                                  : LASNN_ISA_SCALAR;
    return LASNN_OK;
  }
  if (const char *missing = missingFor(isa)) {
    error.set("ISA %s cannot run here: the machine lacks %s", lasnn_isa_name(isa), missing);
    return LASNN_UNSUPPORTED;
  }
  return LASNN_OK;
}

const KernelTable &kernelsOf(lasnn_isa isa) {
#if LASNN_X86_KERNELS
  if (isa == LASNN_ISA_AVX512) return kAvx512Kernels;
  if (isa == LASNN_ISA_AVX2) return kAvx2Kernels;
#endif
  (void)isa;
  return kScalarKernels;
}

} // namespace lasnn::runtime
