// Functions of one float for devices of type CPU, in place of the driver's (the list at the end).
// Those that the C core has too are in float.cl, whose head tells the method.
//
// A CPU's driver makes vector instructions, for eight or sixteen elements, from text that is one
// straight line. Most of PoCL's own functions are calls, and up to 75 times slower. The errors, in
// units in the last place, are what OpenCL C allows or less: up to 2 for most functions, 3.5 for
// tan, 5.2 for erfc (tests/backends/opencl/test_opencl_functions.py).
// A GPU has instructions for most of this, and keeps the functions of its driver.

// ---- hyperbolic functions ----------------------------------------------------------------------
// (e^x - 1) / 2 for x from -20 to 89.6: 2^n (e^r - 1) + (2^n - 1), at a quarter of its size until
// the end because 2^129 is no float
FUNCTION float half_expm1(float x)
{
    float sum;
    const float p = small_expm1(reduced_exp(x, SHIFT + 125, &sum)), quarter = power_in(sum);
    return 2 * (quarter * p + (quarter - 0.25f));
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

// ---- sine, cosine, tangent ---------------------------------------------------------------------
// Beyond FAR the driver's function is right, if slow. `far` says so, once for a whole block of
// elements (elementwise.py), so that the compiler takes the question out of the loop.
FUNCTION float fast_sin(float x, int far) { return far ? sin(x) : near_sin(x); }
FUNCTION float fast_cos(float x, int far) { return far ? cos(x) : near_cos(x); }
FUNCTION float fast_cospi(float x) // cos(pi x)
{
    const float shifted = x * 2 + SHIFT, r = (x - (shifted - SHIFT) * 0.5f) * 3.14159274f;
    return turned_sin(r, as_uint(shifted) + 1);
}
FUNCTION float fast_tan(float x, int far)
{
    unsigned n;
    if (far) return tan(x);
    const float r = quarter_turns(x, &n), s = small_sin(r), c = small_cos(r);
    const float y = (n & 1 ? -c : s) / (n & 1 ? s : c);
    return x == 0 ? x : y;
}

// ---- the error function ------------------------------------------------------------------------
// erfc a = t p(t) e^(-a^2) with t = 2 / (2 + a). The square enters the exponential in two parts: if
// it were rounded to one float, the result's error would be a^2 times as large.
FUNCTION float fast_erfc(float x)
{
    float a = fabs(x);
    a = a > 11 ? 11 : a;
    const double square = (double)a * a;
    const float high = (float)square, low = (float)(square - high), t = 2 / (2 + a);
    const float p = 0.282067806f + t * (0.282787114f + t * (0.239269108f + t * (0.22244288f
                  + t * (-0.0888672397f + t * (0.402857959f + t * (-0.647014618f
                  + t * (0.411102265f + t * (-0.115458786f + t * 0.010813497f))))))));
    const float y = fast_exp(-high) * (t * p * (1 - low));
    return x < 0 ? 2 - y : y;
}

// to the nearest integer, and to the even one of two: a number of 2^23 and more has no room for a
// fraction
FUNCTION float fast_rint(float x)
{
    const float a = fabs(x), shift = 0x1p23f;
    return copysign(a < shift ? (a + shift) - shift : a, x);
}

// ---- inverse functions -------------------------------------------------------------------------
// atan, at most tan(pi/8) away from a point whose arc tangent is known: 0, 1 or infinity
FUNCTION float fast_atan(float x)
{
    const float a = fabs(x);
    const float over = a > 2.41421366f ? -1 : a > 0.414213568f ? a - 1 : a;
    const float under = a > 2.41421366f ? a : a > 0.414213568f ? a + 1 : 1;
    const float known = a > 2.41421366f ? 1.57079637f : a > 0.414213568f ? 0.785398185f : 0;
    const float r = over / under, z = r * r, lost = known * -2.7827534e-8f;
    const float p = r * z * (-0.333329558f + z * (0.199779168f + z * (-0.138797402f
                  + z * 0.080599241f)));
    return copysign(known + (r + (p + lost)), x);
}

// asin r - r for |r| <= 1/2; above, asin a = pi/2 - 2 asin sqrt((1 - a) / 2)
FUNCTION float asin_tail(float r, float z)
{
    return r * z * (0.166667536f + z * (0.0749524161f + z * (0.0454770997f + z * (0.0241475999f
                  + z * 0.0422185697f))));
}
FUNCTION float fast_asin(float x)
{
    const float a = fabs(x), z = a > 0.5f ? (1 - a) * 0.5f : a * a;
    const float r = a > 0.5f ? sqrt(z) : a, tail = asin_tail(r, z);
    return copysign(a > 0.5f ? 1.57079637f - (2 * r + (2 * tail + 4.37113883e-8f)) : r + tail, x);
}
FUNCTION float fast_acos(float x)
{
    const float a = fabs(x), z = a > 0.5f ? (1 - a) * 0.5f : a * a;
    const float r = a > 0.5f ? sqrt(z) : x, tail = asin_tail(r, z);
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

// ---- powers ------------------------------------------------------------------------------------
// x^y = 2^(y log2 x). The logarithm is double, because the product and then 2^ enlarge its error.
// log2(1 + f) = 2 / ln 2 artanh(f / (2 + f)), a series in odd powers
FUNCTION double exact_log2(float x)
{
    float e;
    const double f = any_mantissa(x, &e), s = f / (2 + f), z = s * s;
    const double p = 1 + z * (1 / 3.0 + z * (1 / 5.0 + z * (1 / 7.0 + z * (1 / 9.0
                   + z * (1 / 11.0 + z * (1 / 13.0))))));
    const double finite = e + s * p * 2.885390081777927;
    return x > 0 ? (x < INFINITY ? finite : x) : x == 0 ? -INFINITY : NAN;
}
FUNCTION float fast_pow(float x, float y)
{
    // from 2^24 on, every float is an even integer
    const float a = fabs(x), whole_y = fabs(y) < 0x1p24f ? y : 0;
    const int n = (int)whole_y, odd = n & 1 && (float)n == whole_y, fraction = (float)n != whole_y;
    double t = (a == 1) | (y == 0) ? 0 : y * exact_log2(a);
    t = t > 129 ? 129 : t;
    t = t < -151 ? -151 : t;
    const float sum = (float)t + (SHIFT + 254), r = (float)(t - (sum - (SHIFT + 254)));
    const float p = scaled(small_exp2(r), sum);
    const int undefined = ((x < 0) & (a < INFINITY) & fraction) | ((y != y) & (x != 1));
    return undefined ? NAN : odd ? copysign(p, x) : p;
}

// ---- from here on, these names mean the functions above (the driver's may be macros) -----------
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
