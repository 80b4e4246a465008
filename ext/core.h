/* core.h - what all kernels of the C core share: how a kernel is declared, and the types and
 * instruction sets it is compiled for.
 *
 * A kernel is a loop over arrays and nothing else: it keeps no memory, and sees no Python objects
 * and no graph. It is written once,
 *
 *     KERNEL(softmax)(size_t rows, size_t n, ARRAY(const real, x, rows * n),
 *                     ARRAY(real, out, rows * n))
 *     { ... }
 *
 * and ext/build_core.py reads this declaration. From it come the two functions softmax_f32 and
 * softmax_f64, each compiled for every instruction set (kernels.c); an entry in the table from
 * which the processor's best version is taken (dispatch.c); and the function that Python calls.
 * That function first checks each array: it must be C-contiguous, aligned, of the declared type and
 * with the declared number of elements, and an array that is written must not overlap any other. If
 * a check fails, the function returns 0 and does nothing, and Python takes numpy's way. So a kernel
 * may rely on its declaration.
 *
 *     real                       float or double
 *     ARRAY(const real, x, n)    an array that is read: n elements (any expression of the sizes
 *                                before it)
 *     ARRAY(real, out, n)        an array that is written
 *     OPTIONAL(const real, b, n) the same, or NULL for Python's None
 *     MATRIX(const real, x, outer, inner, rows, columns)
 *                                an array that is read and may have any strides: a matrix, or up to
 *                                outer * inner of them. The strides are in `x_strides`; a batch
 *                                dimension that is missing, or 1, has the stride 0
 *     WALK walk                  of elementwise kernels alone: NULL, or how the operands lie, where
 *                                they are not all contiguous and of one shape (walk.c). Such a
 *                                kernel takes operands that broadcast to the last array's shape
 *     LIST(real, params, count)  a tuple of `count` arrays; their sizes are in `sizes_of_params`
 *     LIST_OF(const real, grads, count, sizes_of_params[i])
 *                                the same, where the size of the i-th array is given
 *
 * In kernels with several lists, the i-th arrays do not overlap if one of them is written. But one
 * array may be in a list twice: a kernel goes through its lists in order, and uses threads only
 * within an array. */
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
#include "scratch.h"

#ifdef _MSC_VER
#define restrict __restrict
#endif

#define ARRAY(type, name, size) type *restrict name
#define OPTIONAL(type, name, size) type *restrict name
#define MATRIX(type, name, outer, inner, rows, columns) \
    type *restrict name, const struct strides name##_strides
#define WALK const struct walk *
#define LIST(type, name, count) type *const *name, const size_t *sizes_of_##name
#define LIST_OF(type, name, count, size) type *const *name

struct strides { /* in elements */
    ptrdiff_t outer, inner, row, column;
};

/* What kernels are told about the processor, beside its instructions (dispatch.c). `copies`: is a
 * matrix that is read a few times better copied before? On Intel's processors it is, where its
 * vectors cross the ends of lines or its rows are 2 or 4 KiB apart; Zen reads it at full speed.
 * `pairs`: does it multiply pairs of bfloat16 (bfloat.c)? */
struct processor {
    size_t l2; /* bytes of the second-level cache */
    bool copies, pairs;
};
extern struct processor processor;

/* How the operands of an elementwise kernel lie: the dimensions of the result, the outermost first,
 * and how many bytes each operand goes on with them, 0 where it repeats. Dimensions that all
 * operands go through as if they were one, are one. The result is behind the last operand. */
#define MOST_DIMS 8
#define MOST_OPERANDS 5
enum storage { AS_DECLARED, AS_FLOAT16, AS_BFLOAT16 }; /* of numbers that are computed in float */
struct walk {
    int ndim;
    bool over, plain; /* the result takes an operand's place; all are contiguous, of one shape */
    enum storage storage[MOST_OPERANDS];
    size_t shape[MOST_DIMS], bytes[MOST_OPERANDS]; /* of an element */
    ptrdiff_t strides[MOST_OPERANDS][MOST_DIMS];
};

#define PIECE ((size_t)1 << 15) /* elements that are worth a thread */

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

/* A byte that several threads may set at once. */
#if defined(__GNUC__)
#define SET_FLAG(flag) __atomic_store_n(flag, 1, __ATOMIC_RELAXED)
#else
#define SET_FLAG(flag) ((void)(*(flag) = 1))
#endif

/* Before a buffer whose vectors are to lie on one line each; of its own accord the stack begins on
 * any multiple of 16, another one in each run. */
#define ON_A_LINE _Alignas(64)

static inline size_t smaller(size_t a, size_t b) { return a < b ? a : b; }
static inline size_t larger(size_t a, size_t b) { return a > b ? a : b; }
/* How many pieces of at most `size` make up n. */
static inline size_t pieces(size_t n, size_t size) { return n / size + (n % size != 0); }
/* The size of the pieces if n is cut into as few as possible of at most `most` each, as equal as
 * possible. */
static inline size_t equal_piece(size_t n, size_t most)
{
    return n == 0 ? 1 : pieces(n, pieces(n, most));
}

/* The grain of a parallel loop: how many units of `each` operations make a piece of `enough`
 * operations. It is at least 1 for units of any size. The sizes are double, so that a product of
 * them neither overflows nor becomes 0. */
static inline size_t grain_of(double enough, double each)
{
    return each >= enough ? 1 : (size_t)(each < 1 ? enough : enough / each);
}

#endif
