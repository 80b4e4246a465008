/* kernels.c - every kernel, for float and for double, and some for whole numbers. Compiled once for
 * each instruction set:
 * avx512.c, avx2.c and baseline.c include this file after naming theirs. All functions are static;
 * dispatch.c sees the table at the end.
 *
 *     real          float, then double, then whole numbers: uint64_t, uint32_t, uint16_t, uint8_t
 *     NAME(f)       the kernel or helper f for that type: f_f32, f_f64, f_i64, f_i32, f_i16, f_u8
 *     FN(f)         the function f of one number, as formulas.py names it (functions.h)
 *     ALL(f)        the same for NAME(numbers), which are 16 with AVX-512 (lookup.h)
 *     ORDERED(x)    x as it is compared: most whole numbers have a sign for the user (`ordered`),
 *                   and none here, since sums of those may overflow
 *     IS_NAN(x), LOWEST, HIGHEST */
#include "pairs.h"
#include "vector.h"

/* Where one choice depends on another (a bound at the start, a special case at the end), GCC would
 * make separate paths. Then it finds no vector code, or vector code with a tangle of masks that is
 * twice as slow. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-thread-jumps")
#endif

#define KERNEL(name) static void NAME(name)
#define ORDERED(x) (x)
#define IS_NAN(x) ((x) != (x))
#define LOWEST (-(real)INFINITY)
#define HIGHEST ((real)INFINITY)

#include "doubles.h"

#define real float
#define REAL_IS_FLOAT
#define NAME(name) name##_f32
#define FN(name) fn_##name##_f32
#include "functions.h"
#include "lookup.h"
#include "rows.h"
#include "lanes.h"
#include "half.c"
#include "pieces.c"
#include "walk.c"
#include "folds.c"
#include "reduce.c"
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC push_options
/* Independent instructions shall alternate. */
#pragma GCC optimize("schedule-insns", "sched-pressure")
#endif
#include "elementwise.h"
#include "softmax.c"
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC pop_options
#endif
#include "matmul.c"
#include "matmul_steps.c"
#include "loss.c"
#include "norm.c"
#include "embedding.c"
#include "bytes.c"
#include "cast.c"
#include "bfloat.c"
#include "conv_naive.c"
#include "conv_lanes.c"
#include "conv_tile.c"
#include "conv_panels.c"
#include "conv_planes.c"
#include "conv_weight.c"
#include "conv.c"
#include "pool.c"
#include "optim.c"
#include "rnn.c"
#include "random.c"
#include "accepting.c"
#include "along.c"
#include "taps.c"
#include "scan.c"
#include "extremes.c"
#include "search.c"
#include "prod.c"
#include "order.c"
#include "distance.c"
#include "special.c"
#include "complex.c"
#include "gamma.c"
#undef real
#undef REAL_IS_FLOAT
#undef NAME
#undef FN
#undef ALL
#undef WHERE
#undef EVERY
#undef STEP

#define real double
#define NAME(name) name##_f64
#define FN(name) fn_##name##_f64
#include "functions.h"
#include "lookup.h"
#include "rows.h"
#include "lanes.h"
#include "half.c"
#include "pieces.c"
#include "walk.c"
#include "folds.c"
#include "reduce.c"
#include "elementwise.h"
#include "softmax.c"
#include "matmul.c"
#include "matmul_steps.c"
#include "loss.c"
#include "norm.c"
#include "embedding.c"
#include "bytes.c"
#include "cast.c"
#include "conv_naive.c"
#include "conv_lanes.c"
#include "conv_tile.c"
#include "conv_panels.c"
#include "conv_planes.c"
#include "conv_weight.c"
#include "conv.c"
#include "pool.c"
#include "optim.c"
#include "rnn.c"
#include "random.c"
#include "accepting.c"
#include "along.c"
#include "taps.c"
#include "scan.c"
#include "extremes.c"
#include "search.c"
#include "prod.c"
#include "order.c"
#include "distance.c"
#include "special.c"
#include "complex.c"
#undef real
#undef NAME
#undef FN
#undef ORDERED
#undef IS_NAN
#undef LOWEST
#undef HIGHEST

/* whole numbers: all widths that programs have */
#define real uint64_t
#define ordered int64_t
#define NAME(name) name##_i64
#include "integers.h"
#include "whole.c"
#undef real
#undef ordered
#undef NAME

#define real uint32_t
#define ordered int32_t
#define NAME(name) name##_i32
#include "integers.h"
#undef real
#undef ordered
#undef NAME

#define real uint16_t
#define ordered int16_t
#define NAME(name) name##_i16
#include "integers.h"
#undef real
#undef ordered
#undef NAME

#define real uint8_t
#define ordered uint8_t
#define NAME(name) name##_u8
#include "integers.h"
#undef real
#undef ordered
#undef NAME

const struct kernels JOIN(kernels_, ISA) = KERNELS;
