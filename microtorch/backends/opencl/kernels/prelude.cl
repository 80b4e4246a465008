// EACH(i, n) { ... } runs once for each i below n. On a GPU every work-item has one i. On a CPU a
// work-item has BLOCK of them, and the loop becomes vector code, by 16 numbers (the widest
// register), two at a time: its passes are independent of each other, since nothing is written that
// another one reads.
#if BLOCK > 1
#define EACH(i, n)                                                                                 \
    _Pragma("clang loop vectorize(assume_safety) vectorize_width(16) interleave_count(2)")         \
    for (int i = get_global_id(0) * BLOCK, end_##i = n - i < BLOCK ? n : i + BLOCK;                \
         i < end_##i; i++)
#else
#define EACH(i, n)                                                                                 \
    const int i = get_global_id(0);                                                                \
    if (i < n)
#endif

// Functions of formulas.py that OpenCL C lacks, or has under the same name with another meaning.
// T is the type of the computation. A NaN comes through maximum and minimum, as in numpy and
// PyTorch.
static inline T maximum(T x, T y) { return x >= y || x != x ? x : y; }
static inline T minimum(T x, T y) { return x <= y || x != x ? x : y; }
static inline T signum(T x) { return x > 0 ? (T)1 : x < 0 ? (T)-1 : (T)0; }
#ifdef FLOATING
static inline T squared(T x) { return x * x; }
static inline T sigmoid(T x) { return 1 / (1 + exp(-x)); }
static inline T softplus(T x) { return maximum(x, 0) + log1p(exp(-fabs(x))); }
// x - floor(x / y) * y from fmod, which is exact; the sign is y's, and that of a 0 is x's
static inline T modulo(T x, T y) {
    T r = fmod(x, y);
    return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}
// x = fraction * 2 ** exponent
static inline T fraction_of(T x) {
    int e;
    return frexp(x, &e);
}
static inline T exponent_of(T x) {
    int e;
    frexp(x, &e);
    return isfinite(x) ? e : 0;
}
static inline T floor_quotient(T x, T y) { return y == 0 ? x / y : round((x - modulo(x, y)) / y); }
#else
static inline T absolute(T x) { return x < 0 ? -x : x; }
static inline T modulo(T x, T y) {
    T r = x % y;
    return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}
static inline T floor_quotient(T x, T y) { return (x - modulo(x, y)) / y; }
static inline T power(T x, T y) { // by squaring; y >= 0
    T r = 1;
    for (; y > 0; y /= 2, x *= x) r *= y % 2 ? x : 1;
    return r;
}
#endif
