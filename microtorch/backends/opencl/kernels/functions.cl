// Functions of one float for devices of type CPU, in place of the driver's (the list at the end).
//
// A CPU's driver makes a vector instruction of eight or sixteen elements, if the text for one element is a straight line: no
// call, no branch, no table. PoCL's own functions are calls, and 5 to 70 times slower. So all cases are computed, and one is
// chosen (a ? b : c). The method is the same each time: reduce the argument to a short interval, evaluate a polynomial there,
// undo the reduction (Muller, Elementary Functions, 3rd ed., chapters 3, 10, 11); the coefficients are by Remez exchange
// (ext/minimax.py). Errors are at most 3 units in the last place (tests/test_opencl_functions.py), as OpenCL C promises or better.
// A GPU has instructions for most of this, and keeps the functions of its driver.

FUNCTION float power_of_two(int n) { return as_float((n + 127) << 23); } // n from -126 to 127

// ---- exponentials (exp.cl) -------------------------------------------------------------------------------------------
// e^r - 1 for |r| <= ln 2 / 2
FUNCTION float small_expm1(float r)
{
    const float s = r * r;
    return r + s * ((0.5f + r * 0.166666672f) + s * ((0.041666355f + r * 0.00833327323f)
                                                     + s * (0.00139409979f + r * 0.000199141563f)));
}

FUNCTION float fast_exp2(float x)
{
    x = x > 129 ? 129 : x;
    x = x < -151 ? -151 : x;
    const float sum = x + (SHIFT + 254), r = x - (sum - (SHIFT + 254));
    const float q = 0.693147182f + r * (0.240226507f + r * (0.055503279f + r * (0.00961800385f + r * (0.00134002697f
                  + r * 0.000154763009f))));
    return scaled(1 + r * q, sum);
}

// (e^x - 1) / 2 for x from -20 to 89.6: 2^n (e^r - 1) + (2^n - 1), as a quarter on the way because 2^129 is no float
FUNCTION float half_expm1(float x)
{
    float sum;
    const float p = small_expm1(reduced_exp(x, SHIFT + 125, &sum)), quarter = power_in(sum);
    return 2 * (quarter * p + (quarter - 0.25f));
}

FUNCTION float fast_expm1(float x)
{
    const float y = x > 89 ? 89 : x;
    return x == 0 ? x : 2 * half_expm1(y < -20 ? -20 : y); // the sum loses the sign of -0
}

// sinh a = (t + t / (t + 1)) / 2 with t = e^a - 1, cosh a = (e^a + 1 / e^a) / 2
FUNCTION float fast_sinh(float x)
{
    const float a = fabs(x), h = half_expm1(a > 89.6f ? 89.6f : a);
    return copysign(h + h / (2 * h + 1), x);
}
FUNCTION float fast_cosh(float x)
{
    float sum, a = fabs(x);
    a = a > 89.6f ? 89.6f : a;
    const float p = small_exp(reduced_exp(a, SHIFT + 125, &sum)), h = 2 * (power_in(sum) * p);
    return h + 0.25f / h;
}

// tanh |x| = -t / (t + 2) with t = e^(-2|x|) - 1, where neither sum cancels
FUNCTION float fast_tanh(float x)
{
    float sum, a = fabs(x);
    a = a > 10 ? 10 : a;
    const float p = small_expm1(reduced_exp(-2 * a, SHIFT + 127, &sum)), s = power_in(sum);
    return copysign((s * p + (s - 1)) / (s * p + (s + 1)), x);
}

// ---- logarithms: x = 2^e (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)) ------------------------------------------------------
#define SQRT_HALF 0x3f3504f3 // its bits
FUNCTION float mantissa(float x, int *e) // f; x is not subnormal
{
    const uint u = as_uint(x) - SQRT_HALF;
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
    const float s = f * f, low = (0.333333164f - f * 0.250008106f) + s * (0.200022861f - f * 0.166245535f);
    const float high = (0.141811922f - f * 0.13128753f) + s * (0.1288165f - f * 0.0785961822f);
    return s * (f * (low + s * s * high) - 0.5f);
}

// `result` for positive numbers; what a logarithm is for all others
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
    return log_cases(x, e * 0x1.344p-2f + (f * 0x1.bcp-2f + (tail * 0x1.bcb7b2p-2f + f * 0x1.6f62a4p-11f + e * 0x1.3509f8p-18f)));
}

// log u for u = 1 + x, plus what the sum u has lost (c), which is c / u of a logarithm (Muller, section 11.5). From 2^127 on,
// where 2^-e is no normal number, it is nothing.
FUNCTION float fast_log1p(float x)
{
    int e;
    const float u = 1 + x, f = mantissa(u, &e), c = (x - (u - 1)) * power_of_two(e < 127 ? -e : -127);
    const float y = e * 0x1.62e4p-1f + (f + (log_tail(f) + (c - c * f + e * 0x1.7f7d1cp-20f)));
    return x == 0 ? x : log_cases(u, y);
}

// ---- sine, cosine, tangent: x = n pi/2 + r with |r| <= pi/4 --------------------------------------------------------------
// n is found in float; r, where all leading digits cancel, in double. That is good up to FAR. Beyond, n has too few digits, and
// the driver's function is right, if slow: `far` says so, once for a whole block of elements (elementwise.py), so that the
// compiler takes the question out of the loop.
#define FAR(x) !(fabs(x) <= 1e5f)
FUNCTION float quarter_turns(float x, uint *n)
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
FUNCTION float turned_sin(float r, uint n) // sin(r + n pi/2)
{
    return as_float(as_uint(n & 1 ? small_cos(r) : small_sin(r)) ^ (n & 2) << 30);
}

FUNCTION float fast_sin(float x, int far)
{
    uint n;
    if (far) return sin(x);
    const float r = quarter_turns(x, &n), y = turned_sin(r, n);
    return x == 0 ? x : y; // r + 0 loses the sign of -0
}
FUNCTION float fast_cos(float x, int far)
{
    uint n;
    if (far) return cos(x);
    const float r = quarter_turns(x, &n);
    return turned_sin(r, n + 1);
}
FUNCTION float fast_tan(float x, int far)
{
    uint n;
    if (far) return tan(x);
    const float r = quarter_turns(x, &n), s = small_sin(r), c = small_cos(r), y = (n & 1 ? -c : s) / (n & 1 ? s : c);
    return x == 0 ? x : y;
}

// ---- the error function: x + x p(x^2) up to 1; from there 1 - q(|x|)^4, since the fourth root of erfc is nearly a line.
// From 3.92 on it rounds to 1. (Hastings had the idea for 1 / erfc: Abramowitz and Stegun 7.1.27.)
FUNCTION float fast_erf(float x)
{
    const float z = x * x;
    float a = fabs(x);
    a = a > 4.2f ? 4.2f : a;
    const float t = a - 1.375f;
    const float small = x + x * (0.128379121f + z * (-0.37612325f + z * (0.112801798f + z * (-0.0267113112f + z * (0.0049175513f
                      - z * 0.000563142239f)))));
    const float root = 0.477139205f + t * (-0.392077357f + t * (0.0558410995f + t * (0.0389078036f + t * (-0.0112514645f
                     + t * (-0.0025415658f + t * (0.00141591777f + t * -0.00015709248f))))));
    return a < 1 ? small : copysign(1 - (root * root) * (root * root), x);
}

// ---- from here on, these names mean the functions above (the driver's may be macros) -------------------------------------
#undef exp
#define exp fast_exp
#undef exp2
#define exp2 fast_exp2
#undef expm1
#define expm1 fast_expm1
#undef sinh
#define sinh fast_sinh
#undef cosh
#define cosh fast_cosh
#undef tanh
#define tanh fast_tanh
#undef log
#define log fast_log
#undef log2
#define log2 fast_log2
#undef log10
#define log10 fast_log10
#undef log1p
#define log1p fast_log1p
#undef erf
#define erf fast_erf
#undef sin
#define sin(x) fast_sin(x, far)
#undef cos
#define cos(x) fast_cos(x, far)
#undef tan
#define tan(x) fast_tan(x, far)
