/* vector.h - as many numbers as one register of the instruction set holds, for loops that a compiler does not turn into
 * vector code by itself (products of matrices, sums). GCC's and clang's vector extension: + - * / work on vectors as on
 * numbers, and the same text serves AVX-512 (64 bytes), AVX2 (32), SSE2 and NEON (16). Another compiler gets a "vector"
 * of one number. */
#ifndef MICROTORCH_VECTOR_H
#define MICROTORCH_VECTOR_H

#if defined(__GNUC__)
typedef float vector_f32 __attribute__((vector_size(VECTOR_BYTES)));
typedef double vector_f64 __attribute__((vector_size(VECTOR_BYTES)));
/* the same at any address */
typedef float unaligned_f32 __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias));
typedef double unaligned_f64 __attribute__((vector_size(VECTOR_BYTES), aligned(8), may_alias));
#else
typedef float vector_f32, unaligned_f32;
typedef double vector_f64, unaligned_f64;
#endif

#define LANES (sizeof(NAME(vector)) / sizeof(real))
#define LOAD(p) (*(const NAME(unaligned) *)(p))
#define STORE(p, v) (*(NAME(unaligned) *)(p) = (v))

#endif
