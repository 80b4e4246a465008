/* core.h - what all kernels of the C core share: how one is declared, and for which types and instruction sets it is compiled.
 *
 * A kernel is a loop over arrays and nothing else: no allocation that it keeps, no Python objects, no graph. It is written once,
 *
 *     KERNEL(softmax)(size_t rows, size_t n, ARRAY(const real, x, rows * n), ARRAY(real, out, rows * n))
 *     { ... }
 *
 * and ext/build_core.py reads this line. From it come the two functions softmax_f32 and softmax_f64, each compiled for every
 * instruction set (kernels.c), a place in the table from which the processor's best one is taken (dispatch.c), and the
 * function that Python calls. That one looks at each array first: C-contiguous, aligned, of the type and the number of
 * elements named here, and the written ones apart from all others. Where that does not hold it returns 0 and does
 * nothing, and Python takes numpy's way. So a kernel may rely on what its declaration says.
 *
 *     real                       float or double
 *     ARRAY(const real, x, n)    an array that is read: n elements (any expression of the sizes before it)
 *     ARRAY(real, out, n)        an array that is written
 *     OPTIONAL(const real, b, n) the same, or NULL for Python's None
 *     LIST(real, params, count)  a tuple of `count` arrays; their sizes are in `sizes_of_params`
 */
#ifndef MICROTORCH_CORE_H
#define MICROTORCH_CORE_H

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "parallel.h"

#ifdef _MSC_VER
#define restrict __restrict
#endif

#define ARRAY(type, name, size) type *restrict name
#define OPTIONAL(type, name, size) type *restrict name
#define LIST(type, name, count) type *const *restrict name, const size_t *restrict sizes_of_##name

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

static inline size_t smaller(size_t a, size_t b) { return a < b ? a : b; }
static inline size_t larger(size_t a, size_t b) { return a > b ? a : b; }

#endif
