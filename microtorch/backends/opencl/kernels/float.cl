// Functions of one float, in text that is both C and OpenCL C. The C core compiles them
// (ext/functions.h), and so do OpenCL devices of type CPU (functions.cl).
//
// Compilers can turn a loop over elements into vector code if its body is one straight line: no
// call, no branch, no table. So every function computes all of its cases and then chooses one
// (a ? b : c becomes a blend). Where possible, special values come out of the arithmetic: a bound
// written `x > 89 ? 89 : x` lets NaN pass. The method is always the same: reduce the argument to a
// short interval, evaluate a polynomial there, undo the reduction (Muller, Elementary Functions,
// 3rd ed., chapters 3, 10, 11).
//
// The polynomials are minimax approximations for the relative error of the result, found by Remez
// exchange and rounded to float (ext/minimax.py prints them). Errors are at most 2 units in the
// last place over all floats (tests/test_core_functions.py). Products and sums may be fused or not;
// nothing here relies on either, since a constant in two parts (Cody and Waite) has a first part
// short enough for exact products.

// 2^n for n from -126 to 127
FUNCTION float power_of_two(int n) { return as_float((unsigned)(n + 127) << 23); }

// ---- exponentials (exp.cl has e^x) -------------------------------------------------------------
// e^r - 1 for |r| <= ln 2 / 2
FUNCTION float small_expm1(float r)
{
    const float s = r * r, highest = MAD(r, 0.000199141563f, 0.00139409979f);
    const float high = MAD(s, highest, MAD(r, 0.00833327323f, 0.041666355f));
    return MAD(s, MAD(s, high, MAD(r, 0.166666672f, 0.5f)), r);
}

// 2^r for |r| <= 1/2
FUNCTION float small_exp2(float r)
{
    return 1 + r * (0.693147182f + r * (0.240226507f + r * (0.055503279f
             + r * (0.00961800385f + r * (0.00134002697f + r * 0.000154763009f)))));
}

FUNCTION float fast_exp2(float x)
{
    x = x > 129 ? 129 : x;
    x = x < -151 ? -151 : x;
    const float sum = x + (SHIFT + 254);
    return scaled(small_exp2(x - (sum - (SHIFT + 254))), sum);
}

// 2^n (e^r - 1) + (2^n - 1), at half its size until the end because 2^128 is no float
FUNCTION float fast_expm1(float x)
{
    float sum, y = x > 89 ? 89 : x;
    y = y < -20 ? -20 : y;
    const float p = small_expm1(reduced_exp(y, SHIFT + 126, &sum)), scale = power_in(sum);
    y = 2 * (scale * p + (scale - 0.5f));
    return x == 0 ? x : y; // the sum loses the sign of -0
}

// tanh |x| = -t / (t + 2) with t = e^y - 1 and y = -2|x|; neither sum cancels. What n ln 2 and e^r
// lack counts 2^n times, so that one constant does, and one coefficient less than above.
FUNCTION float fast_tanh(float x)
{
    const float a = -fabs(x + x), y = a < -20 ? -20 : a;
    const float sum = MAD(y, 0x1.715476p+0f, SHIFT + 127), n = sum - (SHIFT + 127);
    const float r = MAD(n, -0x1.62e43p-1f, y), s = power_in(sum);
    const float high = MAD(r, MAD(r, 0.00139464391f, 0.00836657733f), 0.0416662805f);
    const float p = MAD(r * r, MAD(r, MAD(r, high, 0.166665435f), 0.5f), r);
    return copysign(MAD(s, p, s - 1) / MAD(s, p, s + 1), x);
}

// ---- logarithms: x = 2^e (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)) ----------------------------
#define SQRT_HALF 0x3f3504f3 // its bits
FUNCTION float mantissa(float x, int *e) // f; x is not subnormal
{
    const unsigned u = as_uint(x) - SQRT_HALF;
    *e = (int)u >> 23;
    return as_float((u & 0x7fffff) + SQRT_HALF) - 1;
}

FUNCTION float any_mantissa(float x, float *e)
{
    int n;
    const float f = mantissa(x < FLT_MIN ? x * 0x1p23f : x, &n);
    *e = (float)n - (x < FLT_MIN ? 23 : 0);
    return f;
}

// log(1 + f) - f on that interval
FUNCTION float log_tail(float f)
{
    const float s = f * f;
    const float low = (0.333333164f - f * 0.250008106f) + s * (0.200022861f - f * 0.166245535f);
    const float high = (0.141811922f - f * 0.13128753f) + s * (0.1288165f - f * 0.0785961822f);
    return s * (f * (low + s * s * high) - 0.5f);
}

// `result` where x is positive and finite; elsewhere the special value of a logarithm
FUNCTION float log_cases(float x, float result)
{
    const float other = x == 0 ? -INFINITY : NAN, positive = x < INFINITY ? result : x;
    return x > 0 ? positive : other;
}

FUNCTION float fast_log(float x)
{
    float e;
    const float f = any_mantissa(x, &e);
    return log_cases(x, e * 0x1.62e4p-1f + (f + (log_tail(f) + e * 0x1.7f7d1cp-20f)));
}

FUNCTION float fast_log2(float x)
{
    float e;
    const float f = any_mantissa(x, &e), tail = log_tail(f);
    return log_cases(x, e + (f + (tail + (f + tail) * 0.442695041f))); // log2(e) - 1
}

FUNCTION float fast_log10(float x) // log10(2) and log10(e) in two parts each
{
    float e;
    const float f = any_mantissa(x, &e), tail = log_tail(f);
    const float low = tail * 0x1.bcb7b2p-2f + f * 0x1.6f62a4p-11f + e * 0x1.3509f8p-18f;
    return log_cases(x, e * 0x1.344p-2f + (f * 0x1.bcp-2f + low));
}

// log u for u = 1 + x, plus a correction for what the sum u has lost: c adds c / u to the logarithm
// (Muller, section 11.5). From 2^127 on, where 2^-e is no normal number, c counts for nothing.
FUNCTION float fast_log1p(float x)
{
    int e;
    const float u = 1 + x, f = mantissa(u, &e);
    const float c = (x - (u - 1)) * power_of_two(e < 127 ? -e : -127);
    const float y = e * 0x1.62e4p-1f + (f + (log_tail(f) + (c - c * f + e * 0x1.7f7d1cp-20f)));
    return x == 0 ? x : log_cases(u, y);
}

// ---- sine and cosine: x = n pi/2 + r with |r| <= pi/4 ------------------------------------------
// n is found in float; r, where all leading digits cancel, in double. This is good as far as FAR.
// Beyond, n has too few digits, and whoever calls these functions has to take others.
#define FAR(x) !(fabs(x) <= 1e5f)
FUNCTION float quarter_turns(float x, unsigned *n)
{
    const float shifted = x * 0x1.45f306p-1f + SHIFT;
    const double k = shifted - SHIFT;
    *n = as_uint(shifted);
    return (float)((x - k * 0x1.921fb544p+0) - k * 0x1.0b4611a626331p-34);
}

FUNCTION float small_sin(float r)
{
    const float z = r * r;
    return r + r * z * (-0.166666538f + z * (0.00833209045f + z * -0.000195052402f));
}

FUNCTION float small_cos(float r)
{
    const float z = r * r;
    return (1 - 0.5f * z) + z * z * (0.0416666456f + z * (-0.00138872513f + z * 2.4424924e-05f));
}

FUNCTION float turned_sin(float r, unsigned n) // sin(r + n pi/2)
{
    const float s = small_sin(r), c = small_cos(r);
    return as_float(as_uint(n & 1 ? c : s) ^ (n & 2) << 30);
}

FUNCTION float near_sin(float x)
{
    unsigned n;
    const float r = quarter_turns(x, &n), y = turned_sin(r, n);
    return x == 0 ? x : y; // r + 0 loses the sign of -0
}

FUNCTION float near_cos(float x)
{
    unsigned n;
    const float r = quarter_turns(x, &n);
    return turned_sin(r, n + 1);
}

// ---- the error function ------------------------------------------------------------------------
// x + x p(x^2) up to 1; beyond, 1 - q(|x|)^4, since the fourth root of erfc is nearly a line. From
// 3.92 on this rounds to 1. (Hastings had the idea for 1 / erfc: Abramowitz and Stegun 7.1.27.)
FUNCTION float fast_erf(float x)
{
    const float z = x * x;
    float a = fabs(x);
    a = a > 4.2f ? 4.2f : a;
    const float t = a - 1.375f;
    const float small = x + x * (0.128379121f + z * (-0.37612325f + z * (0.112801798f
                      + z * (-0.0267113112f + z * (0.0049175513f - z * 0.000563142239f)))));
    const float root = 0.477139205f + t * (-0.392077357f + t * (0.0558410995f + t * (0.0389078036f
                     + t * (-0.0112514645f + t * (-0.0025415658f + t * (0.00141591777f
                     + t * -0.00015709248f))))));
    return a < 1 ? small : copysign(1 - (root * root) * (root * root), x);
}
