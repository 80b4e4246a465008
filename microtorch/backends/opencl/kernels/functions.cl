// Functions of one float for devices of type CPU, in place of the driver's (the list at the end).
//
// A CPU's driver makes a vector instruction of eight or sixteen elements, if the text for one element is a straight line: no
// call, no branch, no table. Most of PoCL's own are calls, and up to 75 times slower. So all cases are computed, and one is
// chosen (a ? b : c). The method is the same each time: reduce the argument to a short interval, evaluate a polynomial there,
// undo the reduction (Muller, Elementary Functions, 3rd ed., chapters 3, 10, 11); the coefficients are by Remez exchange
// (ext/minimax.py). The errors, in units in the last place, are what OpenCL C allows or less: up to 2 for most, 3.5 for tan,
// 5.2 for erfc (tests/test_opencl_functions.py).
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

// 2^r for |r| <= 1/2
FUNCTION float small_exp2(float r)
{
    return 1 + r * (0.693147182f + r * (0.240226507f + r * (0.055503279f + r * (0.00961800385f + r * (0.00134002697f
             + r * 0.000154763009f)))));
}

FUNCTION float fast_exp2(float x)
{
    x = x > 129 ? 129 : x;
    x = x < -151 ? -151 : x;
    const float sum = x + (SHIFT + 254);
    return scaled(small_exp2(x - (sum - (SHIFT + 254))), sum);
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
    return copysign(h + (h < 0x1p30f ? h / (2 * h + 1) : 0.5f), x);
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
FUNCTION float fast_cospi(float x) // cos(pi x)
{
    const float shifted = x * 2 + SHIFT, r = (x - (shifted - SHIFT) * 0.5f) * 3.14159274f;
    return turned_sin(r, as_uint(shifted) + 1);
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

// erfc a = t p(t) e^(-a^2) with t = 2 / (2 + a); e to the power of the square's two halves, since its error would be a^2 times as large
FUNCTION float fast_erfc(float x)
{
    float a = fabs(x);
    a = a > 11 ? 11 : a;
    const double square = (double)a * a;
    const float high = (float)square, low = (float)(square - high), t = 2 / (2 + a);
    const float p = 0.282067806f + t * (0.282787114f + t * (0.239269108f + t * (0.22244288f + t * (-0.0888672397f + t * (0.402857959f
                  + t * (-0.647014618f + t * (0.411102265f + t * (-0.115458786f + t * 0.010813497f))))))));
    const float y = fast_exp(-high) * (t * p * (1 - low));
    return x < 0 ? 2 - y : y;
}

// to the nearest integer, of two the even one: what is added and subtracted leaves no room for a fraction
FUNCTION float fast_rint(float x)
{
    const float a = fabs(x), shift = 0x1p23f;
    return copysign(a < shift ? (a + shift) - shift : a, x);
}

// ---- inverse functions -----------------------------------------------------------------------------------------------
// atan, at most tan(pi/8) away from a point whose arc tangent is known: 0, 1 or infinity
FUNCTION float fast_atan(float x)
{
    const float a = fabs(x), over = a > 2.41421366f ? -1 : a > 0.414213568f ? a - 1 : a,
                under = a > 2.41421366f ? a : a > 0.414213568f ? a + 1 : 1, r = over / under, z = r * r;
    const float known = a > 2.41421366f ? 1.57079637f : a > 0.414213568f ? 0.785398185f : 0, lost = known * -2.7827534e-8f;
    const float p = r * z * (-0.333329558f + z * (0.199779168f + z * (-0.138797402f + z * 0.080599241f)));
    return copysign(known + (r + (p + lost)), x);
}

// asin r - r for |r| <= 1/2; above, asin a = pi/2 - 2 asin sqrt((1 - a) / 2)
FUNCTION float asin_tail(float r, float z)
{
    return r * z * (0.166667536f + z * (0.0749524161f + z * (0.0454770997f + z * (0.0241475999f + z * 0.0422185697f))));
}
FUNCTION float fast_asin(float x)
{
    const float a = fabs(x), z = a > 0.5f ? (1 - a) * 0.5f : a * a, r = a > 0.5f ? sqrt(z) : a, tail = asin_tail(r, z);
    return copysign(a > 0.5f ? 1.57079637f - (2 * r + (2 * tail + 4.37113883e-8f)) : r + tail, x);
}
FUNCTION float fast_acos(float x)
{
    const float a = fabs(x), z = a > 0.5f ? (1 - a) * 0.5f : a * a, r = a > 0.5f ? sqrt(z) : x, tail = asin_tail(r, z);
    const float edge = x > 0 ? 2 * (r + tail) : 3.14159274f - (2 * r + (2 * tail + 8.74227766e-8f));
    return a > 0.5f ? edge : 1.57079637f - (r + (tail + 4.37113883e-8f));
}

// log(x + sqrt(x^2 + 1)), with log1p; where 1 no longer counts it is log(2 x)
FUNCTION float fast_asinh(float x)
{
    const float a = fabs(x), y = fast_log1p(a + a * a / (1 + sqrt(a * a + 1)));
    return copysign(a > 4096 ? fast_log(a) + 0.693147182f : y, x);
}
FUNCTION float fast_acosh(float x)
{
    const float t = x - 1, y = fast_log1p(t + sqrt(t * (t + 2)));
    return x < 1 ? NAN : x > 4096 ? fast_log(x) + 0.693147182f : y;
}
FUNCTION float fast_atanh(float x)
{
    const float a = fabs(x);
    return copysign(0.5f * fast_log1p(2 * a / (1 - a)), x);
}

// ---- powers: x^y = 2^(y log2 x), the logarithm in double, because y and then 2^ enlarge its error -------------------------
// log2(1 + f) = 2 / ln 2 artanh(f / (2 + f)), a series in odd powers
FUNCTION double exact_log2(float x)
{
    float e;
    const double f = any_mantissa(x, &e), s = f / (2 + f), z = s * s;
    const double p = 1 + z * (1 / 3.0 + z * (1 / 5.0 + z * (1 / 7.0 + z * (1 / 9.0 + z * (1 / 11.0 + z * (1 / 13.0))))));
    const double finite = e + s * p * 2.885390081777927;
    return x > 0 ? (x < INFINITY ? finite : x) : x == 0 ? -INFINITY : NAN;
}
FUNCTION float fast_pow(float x, float y)
{
    const float a = fabs(x), whole_y = fabs(y) < 0x1p24f ? y : 0; // from 2^24 on, every float is an even integer
    const int n = (int)whole_y, odd = n & 1 && (float)n == whole_y, fraction = (float)n != whole_y;
    double t = (a == 1) | (y == 0) ? 0 : y * exact_log2(a);
    t = t > 129 ? 129 : t;
    t = t < -151 ? -151 : t;
    const float sum = (float)t + (SHIFT + 254), r = (float)(t - (sum - (SHIFT + 254))), p = scaled(small_exp2(r), sum);
    const int undefined = ((x < 0) & (a < INFINITY) & fraction) | ((y != y) & (x != 1));
    return undefined ? NAN : odd ? copysign(p, x) : p;
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
#undef cospi
#define cospi fast_cospi // of numbers up to 2^21
#undef erfc
#define erfc fast_erfc
#undef rint
#define rint fast_rint
#undef atan
#define atan fast_atan
#undef asin
#define asin fast_asin
#undef acos
#define acos fast_acos
#undef asinh
#define asinh fast_asinh
#undef acosh
#define acosh fast_acosh
#undef atanh
#define atanh fast_atanh
#undef pow
#define pow fast_pow
