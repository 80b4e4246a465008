/* gamma.c - the logarithm of the gamma function, and its derivative, of floats.
 *
 * All is double, so that what cancels next to a zero of the functions is still there for a float.
 * Stirling's series (Abramowitz and Stegun 6.1.41, 6.3.18) is good to 2^-49 from 8 on. Below, with
 * P = x (x + 1) ... (x + 7),
 *
 *     log gamma(x) = log gamma(x + 8) - log P,    digamma(x) = digamma(x + 8) - P' / P
 *
 * Negative numbers are reflected (6.1.17, 6.3.7), in a second pass where there are any. */
#define PI 3.14159265358979323846

/* P, and its derivative, or 1 and 0 from 8 on */
INLINE double NAME(rising)(double x, double *slope)
{
    double p = x, d = 1;
    UNROLL for (int k = 1; k < 8; k++) {
        d = d * (x + k) + p;
        p *= x + k;
    }
    *slope = x < 8 ? d : 0;
    return x < 8 ? p : 1;
}

INLINE double NAME(positive_lgamma)(double x)
{
    double slope;
    const double p = NAME(rising)(x, &slope), y = x < 8 ? x + 8 : x, z = 1 / y, s = z * z;
    const double series = z * (1 / 12.0 - s * (1 / 360.0 - s * (1 / 1260.0 - s * (1 / 1680.0
                        - s * (1 / 1188.0 - s * (691 / 360360.0 - s * (1 / 156.0)))))));
    const double sum =
        (y - 0.5) * fn_log_f64(y) - y + 0.91893853320467274178 + series - fn_log_f64(p);
    const double zero = ((x == 1) | (x == 2)) ? 0 : sum;
    return x == INFINITY ? x : zero;
}

INLINE double NAME(positive_digamma)(double x)
{
    double slope;
    const double p = NAME(rising)(x, &slope), y = x < 8 ? x + 8 : x, z = 1 / y, s = z * z;
    const double series = s * (1 / 12.0 - s * (1 / 120.0 - s * (1 / 252.0 - s * (1 / 240.0
                        - s * (1 / 132.0 - s * (691 / 32760.0 - s * (1 / 12.0)))))));
    return fn_log_f64(y) - 0.5 * z - series - slope / p;
}

/* Poles, where x is a whole number, are infinite. */
INLINE double NAME(negative_lgamma)(double x)
{
    const double sine = fn_sin_f64(PI * (x - rint(x)));
    const double y = fn_log_f64(PI / fabs(sine)) - NAME(positive_lgamma)(1 - x);
    return x == -INFINITY ? INFINITY : y;
}

/* The pole at 0 has the sign that its side has, the others none. */
INLINE double NAME(negative_digamma)(double x)
{
    const double r = x - rint(x), angle = PI * r;
    const double y =
        NAME(positive_digamma)(1 - x) - PI * fn_cos_f64(angle) / fn_sin_f64(angle);
    const double pole = x == 0 ? copysign(INFINITY, -x) : NAN;
    return r == 0 ? pole : y;
}

#define TWO_PASSES(name, positive, other)                                                \
    static void NAME(name)(const void *task, size_t begin, size_t n, real *restrict out) \
    {                                                                                    \
        const real *restrict x = (const real *)task + begin;                             \
        int any = 0;                                                                     \
        for (size_t i = 0; i < n; i++) {                                                 \
            out[i] = (real)positive(x[i]);                                               \
            any |= !(x[i] > 0);                                                          \
        }                                                                                \
        for (size_t i = 0; any && i < n; i++) {                                          \
            const real reflected = (real)other(x[i]);                                    \
            out[i] = x[i] > 0 ? out[i] : reflected;                                      \
        }                                                                                \
    }

TWO_PASSES(lgamma_loop, NAME(positive_lgamma), NAME(negative_lgamma))
KERNEL(lgamma)(size_t n, ARRAY(const real, x, n), ARRAY(real, out, n))
{
    NAME(in_pieces)(n, false, NAME(lgamma_loop), x, out);
}

TWO_PASSES(digamma_loop, NAME(positive_digamma), NAME(negative_digamma))
KERNEL(digamma)(size_t n, ARRAY(const real, x, n), ARRAY(real, out, n))
{
    NAME(in_pieces)(n, false, NAME(digamma_loop), x, out);
}
#undef PI
#undef TWO_PASSES
