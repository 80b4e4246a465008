/* avx2.c - the kernels for processors with AVX2 and FMA (x86-64 since 2013): 16 registers of 32
 * bytes. */
#include "core.h"
#include "table.h"

#ifdef SEVERAL_ISAS
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,bmi,bmi2"))), apply_to = function)
#else
#pragma GCC target("avx2,fma,bmi,bmi2")
#endif
#define ISA avx2
#define VECTOR_BYTES 32
#include "kernels.c"
#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
