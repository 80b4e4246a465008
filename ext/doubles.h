/* doubles.h - functions of double as vector code, by the methods of kernels/float.cl with as many
 * terms as double needs: no branch, no table, all cases computed and one chosen. What is not here
 * calls the C library, which takes one number at a time. Errors are below 1.2 ulp with fused
 * products, below 1.5 without. */
INLINE uint64_t bits_of(double x)
{
    uint64_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}
INLINE double double_of(uint64_t u)
{
    double x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* Added to a double and subtracted again, it rounds it to a whole number, which then stands in the
 * last bits of the sum. */
#define WHOLE_NUMBER 0x1.8p52
/* 2^n for -1023 < n < 1024 */
INLINE double double_power(double n)
{
    return double_of(bits_of(n + (WHOLE_NUMBER + 1023)) << 52);
}

/* e^r - 1 for |r| <= ln 2 / 2, a Taylor series: r^14 / 14! is below 2^-57 of it. */
INLINE double double_small_expm1(double r)
{
    const double high = 1.0 / 40320 + r * (1.0 / 362880 + r * (1.0 / 3628800 + r * (1.0 / 39916800
                      + r * (1.0 / 479001600 + r * (1.0 / 6227020800)))));
    const double low = 1.0 / 6 + r * (1.0 / 24 + r * (1.0 / 120 + r * (1.0 / 720 + r * (1.0 / 5040
                     + r * high))));
    return r + r * r * (0.5 + r * low);
}

/* x = n ln 2 + r; returns e^r - 1 */
INLINE double double_reduced(double x, double *n)
{
    *n = x * 0x1.71547652b82fep+0 + WHOLE_NUMBER - WHOLE_NUMBER;
    /* ln 2 in two parts; n times the first is exact */
    return double_small_expm1(x - *n * 0x1.62e42fee00000p-1 - *n * 0x1.a39ef35793c76p-33);
}

INLINE double fn_exp_f64(double x)
{
    double n;
    const double limited = x > 710 ? 710 : x < -746 ? -746 : x;
    const double p = double_reduced(limited, &n);
    const double half = n * 0.5 + WHOLE_NUMBER - WHOLE_NUMBER; /* 2^n in two steps */
    return (1 + p) * double_power(half) * double_power(n - half);
}

INLINE double fn_exp2_f64(double x)
{
    const double limited = x > 1030 ? 1030 : x < -1080 ? -1080 : x;
    const double n = limited + WHOLE_NUMBER - WHOLE_NUMBER;
    const double p = double_small_expm1((limited - n) * 0x1.62e42fefa39efp-1);
    const double half = n * 0.5 + WHOLE_NUMBER - WHOLE_NUMBER;
    return (1 + p) * double_power(half) * double_power(n - half);
}

INLINE double fn_expm1_f64(double x)
{
    double n;
    const double limited = x > 710 ? 710 : x < -50 ? -50 : x;
    const double p = double_reduced(limited, &n);
    const double half = n * 0.5 + WHOLE_NUMBER - WHOLE_NUMBER;
    /* 2^n (p + 1) - 1 */
    const double rest = n > 60 ? 1 : 1 - double_power(n > 60 ? 0 : -n);
    const double y = (p + rest) * double_power(half) * double_power(n - half);
    return x == 0 ? x : y;
}

/* x = 2^k m with m between the roots of 1/2 and 2; with s = (m - 1) / (m + 1), log m is
 * 2 s (1 + s^2 / 3 + s^4 / 5 + ...). `added` is small beside m, and the logarithm is that of
 * x + added. */
INLINE double double_log(double x, double added)
{
    const double normal = x < 0x1p-1022 ? x * 0x1p54 : x;
    const uint64_t u = bits_of(normal);
    /* the exponent of x times the root of 2, counted from the one that the root of 1/2 has */
    const uint64_t whole = (u + 0x00095f6197a36e2c) >> 52;
    const double k = double_of(whole | bits_of(0x1p52)) - 0x1p52 - (x < 0x1p-1022 ? 1077 : 1023);
    const double m = double_of(u - ((whole - 1023) << 52));
    const double f = m - 1, s = f / (2 + f), z = s * s;
    const double series = z * (2.0 / 3 + z * (2.0 / 5 + z * (2.0 / 7 + z * (2.0 / 9 + z * (2.0 / 11
                        + z * (2.0 / 13 + z * (2.0 / 15 + z * (2.0 / 17 + z * (2.0 / 19
                        + z * (2.0 / 21 + z * (2.0 / 23)))))))))));
    /* 2 s = f - s f, and s f = f^2 / 2 - s f^2 / 2: what is large comes last */
    const double square = 0.5 * f * f;
    const double y = k * 0x1.62e42fee00000p-1 -
                     (square - (s * (square + series) + (k * 0x1.a39ef35793c76p-33 + added)) - f);
    return x > 0 ? (x == INFINITY ? x : y) : x == 0 ? -INFINITY : NAN;
}
INLINE double fn_log_f64(double x) { return double_log(x, 0); }
INLINE double fn_log1p_f64(double x)
{
    const double u = 1 + x, lost = x - (u - 1);
    const double y = double_log(u, lost / u);
    return (fabs(x) < 0x1p-54) ? x : y;
}

/* As fn_sigmoid_f32: what the sum has lost is made up for. */
INLINE double fn_sigmoid_f64(double x)
{
    const double e = fn_exp_f64(-fabs(x)), sum = 1 + e, lost = e - (sum - 1);
    const double q = (x < 0 ? e : 1) / sum;
    return q - q * lost;
}

/* Beside a larger number that overflows or a smaller one that is lost, both are multiplied by a
 * power of 2. */
INLINE double fn_hypot_f64(double x, double y)
{
    const double a = fabs(x), b = fabs(y), most = a < b ? b : a;
    const double up = most > 0x1p500 ? 0x1p-600 : most < 0x1p-450 ? 0x1p600 : 1;
    const double down = most > 0x1p500 ? 0x1p600 : most < 0x1p-450 ? 0x1p-600 : 1;
    const double length = sqrt((a * up) * (a * up) + (b * up) * (b * up)) * down;
    return ((a == INFINITY) | (b == INFINITY)) ? INFINITY : length;
}

/* ---- sine and cosine: x = n pi/2 + r with |r| <= pi/4 ----
 * pi/2 is in four parts, of which the first three have at most 33 bits, so that their products with
 * n < 2^20 are exact. Nothing is lost of x less the first product either. Of the two other
 * differences `rest` has what is lost, beside the last product: next to a multiple of pi/2, all of
 * the result is in them. Beyond FAR_DOUBLE loops call libm in a second pass. */
#define FAR_DOUBLE(x) !(fabs(x) <= 1e6)
INLINE double double_difference(double a, double b, double *lost)
{
    const double d = a - b, back = d - a;
    *lost = (a - (d - back)) - (b + back);
    return d;
}
INLINE double double_quarter_turns(double x, uint64_t *n, double *rest)
{
    const double sum = x * 0x1.45f306dc9c883p-1 + WHOLE_NUMBER, k = sum - WHOLE_NUMBER;
    double second, third;
    const double most = x - k * 0x1.921fb544p+0;
    const double more = double_difference(most, k * 0x1.0b4611a6p-34, &second);
    const double r = double_difference(more, k * 0x1.3198a2ep-69, &third);
    *n = bits_of(sum);
    *rest = second + (third - k * 0x1.b839a252049c1p-104);
    return r;
}

/* sin(r + rest + n pi/2), by Taylor series: r^18 / 19! is below 2^-62. */
INLINE double double_turned_sin(double r, double rest, uint64_t n)
{
    const double z = r * r, half = 0.5 * z, most = 1 - half;
    const double odd = -1.0 / 6 + z * (1.0 / 120 + z * (-1.0 / 5040 + z * (1.0 / 362880
                     + z * (-1.0 / 39916800 + z * (1.0 / 6227020800 + z * (-1.0 / 1307674368000
                     + z * (1.0 / 355687428096000)))))));
    const double even = 1.0 / 24 + z * (-1.0 / 720 + z * (1.0 / 40320 + z * (-1.0 / 3628800
                      + z * (1.0 / 479001600 + z * (-1.0 / 87178291200
                      + z * (1.0 / 20922789888000))))));
    const double s = r + (r * z * odd + rest * most);
    const double c = most + (((1 - most) - half) + (z * z * even - r * rest));
    /* chosen by bits: not every instruction set compares numbers of 64 bits */
    const uint64_t cosine = 0 - (n & 1);
    return double_of(((bits_of(c) & cosine) | (bits_of(s) & ~cosine)) ^ (n & 2) << 62);
}
INLINE double fn_sin_f64(double x)
{
    uint64_t n;
    double rest;
    const double r = double_quarter_turns(x, &n, &rest), y = double_turned_sin(r, rest, n);
    return x == 0 ? x : y; /* r + rest loses the sign of -0 */
}
INLINE double fn_cos_f64(double x)
{
    uint64_t n;
    double rest;
    const double r = double_quarter_turns(x, &n, &rest);
    return double_turned_sin(r, rest, n + 1);
}
