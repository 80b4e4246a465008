/* vector.h - as many numbers as one register of the instruction set holds, for loops that a compiler does not turn into
 * vector code by itself (products of matrices, sums). GCC's and clang's vector extension: + - * / work on vectors as on
 * numbers, and the same text serves AVX-512 (64 bytes), AVX2 (32), SSE2 and NEON (16). Another compiler gets a "vector"
 * of one number. */
#ifndef MICROTORCH_VECTOR_H
#define MICROTORCH_VECTOR_H

#ifdef __SSE2__
#include <immintrin.h>
#endif

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

/* For code in which registers are counted: loops that must become straight code, functions that must be part of their caller. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define UNROLL _Pragma("GCC unroll 32")
#else
#define UNROLL
#endif
#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#define PREFETCH(p) __builtin_prefetch(p)
#else
#define INLINE static inline
#define PREFETCH(p) ((void)(p))
#endif

/* Numbers of two vectors, by position: those of b are counted on from those of a. */
#if defined(__GNUC__) && (defined(__clang__) || __GNUC__ >= 12)
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#endif

#define LANES (sizeof(NAME(vector)) / sizeof(real))
#define LOAD(p) ((NAME(vector)) * (const NAME(unaligned) *)(p))
#define STORE(p, v) (*(NAME(unaligned) *)(p) = (v))

/* A store to an address that is a multiple of VECTOR_BYTES, past the caches. */
#ifdef __SSE2__
#if VECTOR_BYTES == 64
#define STREAM(p, v) _mm512_stream_si512((__m512i *)(p), (__m512i)(v))
#elif VECTOR_BYTES == 32
#define STREAM(p, v) _mm256_stream_si256((__m256i *)(p), (__m256i)(v))
#else
#define STREAM(p, v) _mm_stream_si128((__m128i *)(p), (__m128i)(v))
#endif
#define AFTER_STREAMS() _mm_sfence() /* before another thread is told that all is there */
#else
#define STREAM(p, v) STORE(p, v)
#define AFTER_STREAMS() ((void)0)
#endif

/* The first halves of two vectors, one element of each in turn, and the second halves: what a transpose is made of. */
#if defined(__has_builtin) && defined(__GNUC__)
#if __has_builtin(__builtin_shufflevector)
#define INTERLEAVES
#define LOW_2(a, b) __builtin_shufflevector(a, b, 0, 2)
#define HIGH_2(a, b) __builtin_shufflevector(a, b, 1, 3)
#define LOW_4(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define HIGH_4(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#define LOW_8(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define HIGH_8(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#define LOW_16(a, b) __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define HIGH_16(a, b) __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#if VECTOR_BYTES == 64
#define INTERLEAVE_LOW_f32 LOW_16
#define INTERLEAVE_HIGH_f32 HIGH_16
#define INTERLEAVE_LOW_f64 LOW_8
#define INTERLEAVE_HIGH_f64 HIGH_8
#elif VECTOR_BYTES == 32
#define INTERLEAVE_LOW_f32 LOW_8
#define INTERLEAVE_HIGH_f32 HIGH_8
#define INTERLEAVE_LOW_f64 LOW_4
#define INTERLEAVE_HIGH_f64 HIGH_4
#else
#define INTERLEAVE_LOW_f32 LOW_4
#define INTERLEAVE_HIGH_f32 HIGH_4
#define INTERLEAVE_LOW_f64 LOW_2
#define INTERLEAVE_HIGH_f64 HIGH_2
#endif
#endif
#endif

#endif
