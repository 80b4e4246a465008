/* functions.h - the functions of formulas.py for one number, written so that the loop around them becomes vector code.
 * Included once for float and once for double.
 *
 * A compiler can turn a loop into vectors if its body is one straight line: no call (hence INLINE), no branch, no table. So
 * every function below computes all of its cases and chooses (a ? b : c becomes a blend), and special numbers come out of the
 * arithmetic where possible: a bound written `x > 89 ? 89 : x` lets NaN pass. The method is the same each time: reduce the
 * argument to a short interval, evaluate a polynomial there, undo the reduction (Muller, Elementary Functions, 3rd ed.,
 * chapters 3, 10, 11).
 *
 * The coefficients are minimax polynomials for the relative error of the result, by Remez exchange, rounded to float
 * (ext/minimax.py prints them). Errors are at most 2 units in the last place (ulp) over all floats, as
 * tests/test_core_functions.py measures. Products and sums may be fused or not: nothing here relies on either, since the
 * constants in two parts (Cody and Waite) have a first part short enough for exact products. */
#ifdef REAL_IS_FLOAT
#define LIBM(name) name##f
#else
#define LIBM(name) name
#endif
#define CALLS_LIBM(name) INLINE real FN(name)(real x) { return LIBM(name)(x); }

INLINE real FN(abs)(real x) { return LIBM(fabs)(x); }
/* As in numpy and PyTorch, the larger and the smaller of a number and NaN is NaN (fmax would return the number).
 * | and not ||: without a branch the loop around becomes vectors. */
INLINE real FN(maximum)(real x, real y) { return ((x < y) | (y != y)) ? y : x; }
INLINE real FN(minimum)(real x, real y) { return ((x > y) | (y != y)) ? y : x; }

#ifdef REAL_IS_FLOAT
INLINE uint32_t bits(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}
INLINE float from_bits(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}
INLINE float power_of_two(int32_t n) { return from_bits((uint32_t)(n + 127) << 23); } /* n from -126 to 127 */

/* ---- exponentials: x = n ln 2 + r with |r| <= ln 2 / 2, so e^x = 2^n e^r (Cody and Waite) ------------------------------
 * Added to SHIFT, a number is rounded to an integer, which then stands in the sum's low bits. So if the sum is SHIFT + n + 127,
 * these bits, shifted to where the exponent is, are 2^n. */
#define SHIFT 0x1.8p23f
INLINE float power_in(float sum) { return from_bits(bits(sum) << 23); }

INLINE float reduced_exp(float x, float shift, float *sum)
{
    *sum = x * 0x1.715476p+0f + shift;
    const float n = *sum - shift;
    return (x - n * 0x1.62e4p-1f) - n * 0x1.7f7d1cp-20f;
}

/* p 2^n for a sum of SHIFT + n + 254. In two steps, for n may be 128 or -150: the second rounds once, to infinity or to a
 * subnormal number. */
INLINE float scaled(float p, float sum)
{
    const uint32_t half = bits(sum) >> 1 << 23;
    return p * from_bits(half) * from_bits((bits(sum) << 23) - half);
}

/* e^r, and e^r - 1, for |r| <= ln 2 / 2 */
INLINE float small_exp(float r)
{
    const float s = r * r, q = (0.5f + r * 0.166665196f) + s * ((0.041666206f + r * 0.00836888235f) + s * 0.00139504788f);
    return 1 + (r + s * q);
}
INLINE float small_expm1(float r)
{
    const float s = r * r;
    return r + s * ((0.5f + r * 0.166666672f) + s * ((0.041666355f + r * 0.00833327323f)
                                                     + s * (0.00139409979f + r * 0.000199141563f)));
}

INLINE float fn_exp_f32(float x)
{
    float sum;
    x = x > 89 ? 89 : x;
    x = x < -105 ? -105 : x;
    const float p = small_exp(reduced_exp(x, SHIFT + 254, &sum));
    return scaled(p, sum);
}

/* For x <= 0 and sums that are at least 1 (softmax): what is below the normal numbers is 0, and 2^n one step. Of n = -127, where
 * x ends, the bits of 2^n are those of 0. */
INLINE float fn_exp_of_negative_f32(float x)
{
    float sum;
    const float p = small_exp(reduced_exp(x < -88 ? -88 : x, SHIFT + 127, &sum));
    return p * power_in(sum);
}

INLINE float fn_exp2_f32(float x)
{
    x = x > 129 ? 129 : x;
    x = x < -151 ? -151 : x;
    const float sum = x + (SHIFT + 254), r = x - (sum - (SHIFT + 254));
    const float q = 0.693147182f + r * (0.240226507f + r * (0.055503279f + r * (0.00961800385f + r * (0.00134002697f
                  + r * 0.000154763009f))));
    return scaled(1 + r * q, sum);
}

/* 2^n (e^r - 1) + (2^n - 1), halved on the way because 2^128 is no float */
INLINE float fn_expm1_f32(float x)
{
    float sum, y = x > 89 ? 89 : x;
    y = y < -20 ? -20 : y;
    const float p = small_expm1(reduced_exp(y, SHIFT + 126, &sum)), half = power_in(sum);
    y = 2 * (half * p + (half - 0.5f));
    return x == 0 ? x : y; /* the sum loses the sign of -0 */
}

/* tanh |x| = -t / (t + 2) with t = e^(-2|x|) - 1, where neither sum cancels */
INLINE float fn_tanh_f32(float x)
{
    float sum, a = fabsf(x);
    a = a > 10 ? 10 : a;
    const float p = small_expm1(reduced_exp(-2 * a, SHIFT + 127, &sum)), s = power_in(sum);
    return copysignf((s * p + (s - 1)) / (s * p + (s + 1)), x);
}

/* With e = e^-|x| it is 1 / (1 + e) or e / (1 + e): the plain 1 / (1 + e^-x) is 0 where the result is subnormal. What the
 * sum 1 + e has lost is taken into account: q / (1 + lost) = q - q lost. */
INLINE float fn_sigmoid_f32(float x)
{
    float shifted, a = fabsf(x);
    a = a > 105 ? 105 : a;
    const float p = small_exp(reduced_exp(-a, SHIFT + 127 + 64, &shifted)), e = p * power_in(shifted) * 0x1p-64f;
    const float sum = 1 + e, lost = e - (sum - 1), q = (x < 0 ? e : 1) / sum;
    return q - q * lost;
}

/* ---- logarithms: x = 2^e (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)) ---------------------------------------------------- */
#define SQRT_HALF 0x3f3504f3 /* its bits */
INLINE float mantissa(float x, int32_t *e) /* f; x is not subnormal */
{
    const uint32_t u = bits(x) - SQRT_HALF;
    *e = (int32_t)u >> 23;
    return from_bits((u & 0x7fffff) + SQRT_HALF) - 1;
}

INLINE float any_mantissa(float x, float *e)
{
    int32_t n;
    const float f = mantissa(x < FLT_MIN ? x * 0x1p23f : x, &n);
    *e = (float)n - (x < FLT_MIN ? 23 : 0);
    return f;
}

/* log(1 + f) - f on that interval */
INLINE float log_tail(float f)
{
    const float s = f * f, low = (0.333333164f - f * 0.250008106f) + s * (0.200022861f - f * 0.166245535f);
    const float high = (0.141811922f - f * 0.13128753f) + s * (0.1288165f - f * 0.0785961822f);
    return s * (f * (low + s * s * high) - 0.5f);
}

/* `result` for positive numbers; what a logarithm is for all others */
INLINE float log_cases(float x, float result)
{
    const float other = x == 0 ? -INFINITY : NAN, positive = x < INFINITY ? result : x;
    return x > 0 ? positive : other;
}

INLINE float fn_log_f32(float x)
{
    float e;
    const float f = any_mantissa(x, &e);
    return log_cases(x, e * 0x1.62e4p-1f + (f + (log_tail(f) + e * 0x1.7f7d1cp-20f)));
}

INLINE float fn_log2_f32(float x)
{
    float e;
    const float f = any_mantissa(x, &e), tail = log_tail(f);
    return log_cases(x, e + (f + (tail + (f + tail) * 0.442695041f))); /* log2(e) - 1 */
}

INLINE float fn_log10_f32(float x)
{
    float e;
    const float f = any_mantissa(x, &e), tail = log_tail(f); /* log10(2) and log10(e) in two parts each */
    return log_cases(x, e * 0x1.344p-2f + (f * 0x1.bcp-2f + (tail * 0x1.bcb7b2p-2f + f * 0x1.6f62a4p-11f + e * 0x1.3509f8p-18f)));
}

/* log u for u = 1 + x, plus what the sum u has lost (c), which is c / u of a logarithm (Muller, section 11.5). From 2^127 on,
 * where 2^-e is no normal number, it is nothing. */
INLINE float fn_log1p_f32(float x)
{
    int32_t e;
    const float u = 1 + x, f = mantissa(u, &e), c = (x - (u - 1)) * power_of_two(e < 127 ? -e : -127);
    const float y = e * 0x1.62e4p-1f + (f + (log_tail(f) + (c - c * f + e * 0x1.7f7d1cp-20f)));
    return x == 0 ? x : log_cases(u, y);
}

/* ---- sine and cosine: x = n pi/2 + r with |r| <= pi/4 ------------------------------------------------------------------
 * n is found in float; r, where all leading digits cancel, in double. That is good up to FAR; from there on n has too few
 * digits, and the loop that calls them gives such elements to libm in a second pass (build_core.py). */
#define FAR 1e5f
INLINE int fn_far_f32(float x) { return !(fabsf(x) <= FAR); }

INLINE float quarter_turns(float x, uint32_t *n)
{
    const float shifted = x * 0x1.45f306p-1f + SHIFT;
    const double k = shifted - SHIFT;
    *n = bits(shifted);
    return (float)((x - k * 0x1.921fb544p+0) - k * 0x1.0b4611a626331p-34);
}

/* sin(r + n pi/2) */
INLINE float turned_sin(float r, uint32_t n)
{
    const float z = r * r;
    const float s = r + r * z * (-0.166666538f + z * (0.00833209045f + z * -0.000195052402f));
    const float c = (1 - 0.5f * z) + z * z * (0.0416666456f + z * (-0.00138872513f + z * 2.4424924e-05f));
    return from_bits(bits(n & 1 ? c : s) ^ (n & 2) << 30);
}

INLINE float fn_sin_f32(float x)
{
    uint32_t n;
    const float r = quarter_turns(x, &n), y = turned_sin(r, n);
    return x == 0 ? x : y; /* r + 0 loses the sign of -0 */
}

INLINE float fn_cos_f32(float x)
{
    uint32_t n;
    const float r = quarter_turns(x, &n);
    return turned_sin(r, n + 1);
}

/* ---- the error function: x + x p(x^2) up to 1; from there 1 - q(|x|)^4, since the fourth root of erfc is nearly a line.
 * From 3.92 on it rounds to 1. (Hastings had the idea for 1 / erfc: Abramowitz and Stegun 7.1.27.) */
INLINE float fn_erf_f32(float x)
{
    const float z = x * x;
    float a = fabsf(x);
    a = a > 4.2f ? 4.2f : a;
    const float t = a - 1.375f;
    const float small = x + x * (0.128379121f + z * (-0.37612325f + z * (0.112801798f + z * (-0.0267113112f + z * (0.0049175513f
                      - z * 0.000563142239f)))));
    const float root = 0.477139205f + t * (-0.392077357f + t * (0.0558410995f + t * (0.0389078036f + t * (-0.0112514645f
                     + t * (-0.0025415658f + t * (0.00141591777f + t * -0.00015709248f))))));
    return a < 1 ? small : copysignf(1 - (root * root) * (root * root), x);
}
#else
CALLS_LIBM(exp)
CALLS_LIBM(exp2)
CALLS_LIBM(expm1)
CALLS_LIBM(log)
CALLS_LIBM(log2)
CALLS_LIBM(log10)
CALLS_LIBM(log1p)
CALLS_LIBM(sin)
CALLS_LIBM(cos)
CALLS_LIBM(tanh)
CALLS_LIBM(erf)
INLINE real FN(exp_of_negative)(real x) { return exp(x); }
INLINE int FN(far)(real x) { return (void)x, 0; }
INLINE real FN(sigmoid)(real x)
{
    const real e = exp(-fabs(x));
    return (x < 0 ? e : 1) / (1 + e);
}
#endif

/* ---- functions that are rare or that the processor has ----------------------------------------------------------------- */
INLINE real FN(libm_sin)(real x) { return LIBM(sin)(x); }
INLINE real FN(libm_cos)(real x) { return LIBM(cos)(x); }
CALLS_LIBM(tan)
CALLS_LIBM(asin)
CALLS_LIBM(acos)
CALLS_LIBM(atan)
CALLS_LIBM(sinh)
CALLS_LIBM(cosh)
CALLS_LIBM(asinh)
CALLS_LIBM(acosh)
CALLS_LIBM(atanh)
CALLS_LIBM(erfc)
CALLS_LIBM(sqrt)
CALLS_LIBM(floor)
CALLS_LIBM(ceil)
CALLS_LIBM(trunc)
INLINE real FN(round)(real x) { return LIBM(rint)(x); }
INLINE real FN(pow)(real x, real y) { return LIBM(pow)(x, y); }
INLINE real FN(atan2)(real x, real y) { return LIBM(atan2)(x, y); }
INLINE real FN(fmod)(real x, real y) { return LIBM(fmod)(x, y); }
INLINE real FN(sign)(real x) { return x > 0 ? 1 : x < 0 ? -1 : x; }
INLINE real FN(softplus)(real x) { return FN(maximum)(x, 0) + FN(log1p)(FN(exp)(-FN(abs)(x))); }
INLINE real FN(remainder)(real x, real y) /* with the divisor's sign */
{
    const real r = LIBM(fmod)(x, y);
    return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}

#undef LIBM
#undef CALLS_LIBM
