/* avx512.c - the kernels for processors with AVX-512: 32 registers of 64 bytes. */
#include "core.h"
#include "table.h"

#ifdef SEVERAL_ISAS
#if defined(__clang__)
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi,bmi2"))), \
    apply_to = function)
#else
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,bmi,bmi2,prefer-vector-width=512")
#endif
#define ISA avx512
#define VECTOR_BYTES 64
#include "kernels.c"
#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
