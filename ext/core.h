/* core.h - what the loops of microtorch's C core share.
 *
 * The core holds loops and nothing else: no allocation, no Python objects, no graph. Every function takes sizes first,
 * then inputs, then outputs. Arrays are C-contiguous float32; outputs never overlap inputs. Python checks both before
 * it calls (microtorch/backends/core.py).
 *
 * The prototypes between the two `cffi` marks are also what Python sees: ext/build_core.py hands them to cffi, so that
 * a function is declared once. The elementwise loops are generated and add theirs. */
#ifndef MICROTORCH_CORE_H
#define MICROTORCH_CORE_H

#include <math.h>
#include <stddef.h>

#ifdef _MSC_VER
#define restrict __restrict
#endif

/* The formulas' functions that C does not have, or has with another meaning. As in numpy and PyTorch, the larger and the
 * smaller of a number and NaN is NaN (fmaxf would return the number), and the remainder has the divisor's sign (C's
 * remainderf rounds the quotient to the nearest integer). | and not ||: without a branch the loop around becomes vectors. */
static inline float maximumf(float x, float y) { return (x >= y) | (x != x) ? x : y; }
static inline float minimumf(float x, float y) { return (x <= y) | (x != x) ? x : y; }
static inline float signf(float x) { return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x; }
static inline float sigmoidf(float x) { return 1.0f / (1.0f + expf(-x)); }
static inline float softplusf(float x) { return maximumf(x, 0.0f) + log1pf(expf(-fabsf(x))); }
static inline float floor_remainderf(float x, float y)
{
    const float r = fmodf(x, y);
    return r != 0.0f && (r < 0.0f) != (y < 0.0f) ? r + y : r;
}
#define remainderf floor_remainderf

/* cffi: begin */
void matmul_naive_f32(size_t m, size_t k, size_t n, const float *restrict x, const float *restrict y,
                      float *restrict out);
/* cffi: end */

#endif
