/* integers.h - the kernels of whole numbers of one width, of which `ordered` is the type that the
 * user sees. Sums and products that overflow have the same last bits with and without a sign. */
#define FN(name) NAME(fn_##name)
#define ORDERED(x) ((ordered)(x))
#define IS_NAN(x) ((void)(x), false)
#define HIGHEST ((real)((ordered)-1 < 0 ? (real)-1 >> 1 : (real)-1))
#define LOWEST ((real)~HIGHEST)
typedef ordered NAME(integer);
/* Compiled to a branch, a choice of numbers at random places would be guessed wrong half the
 * time. */
INLINE real FN(maximum)(real x, real y)
{
    return x ^ ((x ^ y) & (0 - (real)(ORDERED(x) < ORDERED(y))));
}
INLINE real FN(minimum)(real x, real y)
{
    return x ^ ((x ^ y) & (0 - (real)(ORDERED(y) < ORDERED(x))));
}
/* of neighbours, for vectors */
INLINE real FN(larger)(real x, real y) { return ORDERED(x) < ORDERED(y) ? y : x; }
INLINE real FN(smaller)(real x, real y) { return ORDERED(y) < ORDERED(x) ? y : x; }
INLINE void NAME(copy_row)(real *to, const real *from, int64_t n)
{
    memcpy(to, from, (size_t)n * sizeof(real));
}
#include "along.c"
#include "bytes.c"
#include "extremes.c"
#include "search.c"
#include "limits.c"
#undef FN
#undef ORDERED
#undef IS_NAN
#undef LOWEST
#undef HIGHEST
