/* functions.h - the functions of formulas.py for one number, written so that the loop around them becomes vector code.
 * Included once for float and once for double. */
#ifdef REAL_IS_FLOAT
#define LIBM(name) name##f
#else
#define LIBM(name) name
#endif

#define CALLS_LIBM(name) static inline real FN(name)(real x) { return LIBM(name)(x); }
CALLS_LIBM(exp)
CALLS_LIBM(exp2)
CALLS_LIBM(expm1)
CALLS_LIBM(log)
CALLS_LIBM(log2)
CALLS_LIBM(log10)
CALLS_LIBM(log1p)
CALLS_LIBM(sin)
CALLS_LIBM(cos)
CALLS_LIBM(tan)
CALLS_LIBM(asin)
CALLS_LIBM(acos)
CALLS_LIBM(atan)
CALLS_LIBM(sinh)
CALLS_LIBM(cosh)
CALLS_LIBM(tanh)
CALLS_LIBM(asinh)
CALLS_LIBM(acosh)
CALLS_LIBM(atanh)
CALLS_LIBM(erf)
CALLS_LIBM(erfc)
CALLS_LIBM(sqrt)
CALLS_LIBM(floor)
CALLS_LIBM(ceil)
CALLS_LIBM(trunc)
static inline real FN(round)(real x) { return LIBM(rint)(x); }
static inline real FN(abs)(real x) { return LIBM(fabs)(x); }
static inline real FN(pow)(real x, real y) { return LIBM(pow)(x, y); }
static inline real FN(atan2)(real x, real y) { return LIBM(atan2)(x, y); }
static inline real FN(fmod)(real x, real y) { return LIBM(fmod)(x, y); }

/* As in numpy and PyTorch, the larger and the smaller of a number and NaN is NaN (fmax would return the number), and the
 * remainder has the divisor's sign. | and not ||: without a branch the loop around becomes vectors. */
static inline real FN(maximum)(real x, real y) { return (x >= y) | (x != x) ? x : y; }
static inline real FN(minimum)(real x, real y) { return (x <= y) | (x != x) ? x : y; }
static inline real FN(sign)(real x) { return x > 0 ? 1 : x < 0 ? -1 : x; }
static inline real FN(remainder)(real x, real y)
{
    const real r = LIBM(fmod)(x, y);
    return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}
static inline real FN(sigmoid)(real x) { return 1 / (1 + FN(exp)(-x)); }
static inline real FN(softplus)(real x) { return FN(maximum)(x, 0) + FN(log1p)(FN(exp)(-FN(abs)(x))); }

#undef LIBM
#undef CALLS_LIBM
