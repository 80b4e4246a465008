/* lookup.h - functions of 16 numbers at once with AVX-512, by tables that fit registers: here exp,
 * expm1, sigmoid and erf, and in lookup_wide.h the rest. Included for each type.
 *
 * The functions of functions.h reduce the argument to a short interval and evaluate a polynomial
 * there. With more and shorter intervals the polynomial is shorter, but each interval needs its own
 * constants, which a compiler must fetch from memory, number by number. AVX-512 has an instruction
 * (vpermps) by which each of 16 numbers picks one of the 16 in another register, by the low bits of
 * an integer. So here there are 16 intervals (Tang, "Table-Driven Implementation of the Exponential
 * Function in IEEE Floating-Point Arithmetic", ACM TOMS 15, 1989).
 *
 * Compilers do not find two other instructions used here: vscalefps computes x 2^floor(n), rounded
 * only once even if the result is subnormal, and vrcp14ps computes 1/x to 14 bits. docs/c-core.md
 * has the times. minimax.py prints the tables; errors are as in functions.h.
 *
 * A loop that calls these functions is written for NAME(numbers), STEP of them: 16, or 1 where
 * there is no such register, and then ALL(exp) is FN(exp). NAME(get) and NAME(put) read and write
 * STEP numbers, or only `left` at an array's end; the numbers that are missing are read as 0, or as
 * any other value. */
#if defined(REAL_IS_FLOAT) && VECTOR_BYTES == 64
typedef vector_f32 numbers_f32;
#define TABLE(name, ...) static const float name[16] = {__VA_ARGS__};
#define PICK(table, sum) ((vector_f32)_mm512_permutexvar_ps((__m512i)(sum), LOAD(table)))
#define SIGN_BIT _mm512_set1_ps(-0.0f)
/* a - b c where the product must not be rounded */
#define LESS_PRODUCT(a, b, c) _mm512_fnmadd_ps(b, c, a)

/* ---- x = (n + i/16) ln 2 + r with |r| <= ln 2 / 32, so e^x = 2^n 2^(i/16) e^r ----
 * Added to a SHIFT whose last bit counts 1/16, x / ln 2 is rounded to n + i/16, and the sum's four
 * low bits are i. */
/* 2^(i/16) */
TABLE(POWERS, 1, 1.04427373f, 1.09050775f, 1.13878858f, 1.18920708f, 1.24185777f, 1.29683959f,
      1.35425556f, 1.41421354f, 1.47682619f, 1.54221082f, 1.61049032f, 1.68179286f, 1.75625217f,
      1.8340081f, 1.91520655f)
/* what rounding took from them, relative to them */
TABLE(LOST, 0, 4.62854715e-08f, -1.19921566e-08f, 4.72978243e-08f, 3.19341815e-08f, 3.62105723e-08f,
      -3.09907193e-08f, -7.47521334e-09f, 1.71142709e-08f, -3.04768335e-08f, 5.23333421e-09f,
      6.10759177e-09f, -1.47196051e-08f, -5.25879518e-09f, -6.12825968e-09f,
      5.14060927e-09f)

/* An infinite x makes n infinite, too, and r NaN. vrangeps takes from r and a bound, which r never
 * reaches, the one that is smaller in magnitude or, if r is NaN, the bound. The result is then what
 * n makes of it: infinity, 0, or NaN if x is NaN. */
INLINE vector_f32 all_exp(vector_f32 x)
{
    const vector_f32 sum = x * 0x1.715476p+0f + SHIFT / 16, n = sum - SHIFT / 16;
    const vector_f32 p = PICK(POWERS, sum);
    const vector_f32 most = LESS_PRODUCT(x, n, _mm512_set1_ps(0x1.62e4p-1f));
    const vector_f32 rest = LESS_PRODUCT(most, n, _mm512_set1_ps(0x1.7f7d1cp-20f));
    const vector_f32 r = _mm512_range_ps(rest, _mm512_set1_ps(0x1p-5f), 2);
    const vector_f32 q = PICK(LOST, sum) + r * (1 + r * (0.500016212f + r * 0.166670576f));
    return _mm512_scalef_ps(p + p * q, n);
}
INLINE vector_f32 all_exp_of_negative(vector_f32 x) { return all_exp(x); }

/* e^x - 1 = (2^n p - 1) + 2^n p q: the difference is exact where it cancels, and what rounding took
 * from p is in q. All is halved, since 2^128 is no number. Around 0 the result is that of e^r - 1,
 * so q has one more term. */
INLINE vector_f32 all_expm1(vector_f32 x)
{
    const vector_f32 a = _mm512_min_ps(_mm512_set1_ps(89), x); /* NaN if x is */
    const vector_f32 sum = a * 0x1.715476p+0f + SHIFT / 16, n = sum - SHIFT / 16;
    const vector_f32 most = LESS_PRODUCT(a, n, _mm512_set1_ps(0x1.62e4p-1f));
    const vector_f32 rest = LESS_PRODUCT(most, n, _mm512_set1_ps(0x1.7f7d1cp-20f));
    const vector_f32 r = _mm512_range_ps(rest, _mm512_set1_ps(0x1p-5f), 2);
    const vector_f32 high = 0.5f + r * (0.166666667f + r * 0.0416666667f);
    const vector_f32 q = PICK(LOST, sum) + r * (1 + r * high);
    const vector_f32 half = _mm512_scalef_ps(PICK(POWERS, sum), n - 1);
    const vector_f32 y = 2 * ((half - 0.5f) + half * q);
    return _mm512_or_ps(y, _mm512_and_ps(SIGN_BIT, x));
}

/* With e = e^-|x|, 1 / (1 + e) or e / (1 + e), as in functions.h. y is 1 / (1 + e) to 14 bits. Its
 * relative error is what y + e y lacks to 1; that is computed without rounding a sum, and one step
 * of Newton's method removes it. */
INLINE vector_f32 all_sigmoid(vector_f32 x)
{
    const vector_f32 e = all_exp(_mm512_or_ps(x, SIGN_BIT)), y = _mm512_rcp14_ps(1 + e);
    const vector_f32 missing = LESS_PRODUCT(1 - y, e, y);
    const vector_f32 q = _mm512_mask_mul_ps(y, _mm512_movepi32_mask((__m512i)x), y, e);
    return q + q * missing;
}

/* ---- the error function ----
 * |x| = k SPACING + t, and each k has a polynomial in t. For k = 0 it is added to t, which is
 * nearly erf t. From 3.92 on the function rounds to 1. (With this spacing erf k SPACING is almost a
 * float for k = 1 and 2.) */
#define SPACING (1075 / 4096.0f)
TABLE(ERF_0, 0, 0.28948313f, 0.542108953f, 0.734500229f, 0.862362921f, 0.936519384f, 0.974050879f,
      0.990626812f, 0.997015178f, 0.999163568f, 0.999794066f, 0.999955475f, 0.999991596f,
      0.999998629f, 0.999999821f, 1)
TABLE(ERF_1, 0.128379166f, 1.05327225f, 0.856637716f, 0.607050538f, 0.37482065f, 0.201647684f,
      0.0945222452f, 0.0386052057f, 0.0137381665f, 0.00425973721f, 0.0011508218f, 0.000270897319f,
      5.5561366e-05f, 9.92917012e-06f, 1.54605584e-06f, 0)
TABLE(ERF_2, 2.83911305e-07f, -0.276425689f, -0.449643016f, -0.477959692f, -0.393490046f,
      -0.264617056f, -0.14884761f, -0.0709247962f, -0.0288445521f, -0.0100612398f, -0.00301996875f,
      -0.000781885639f, -0.000174916393f, -3.38561367e-05f, -5.6755498e-06f, 0)
TABLE(ERF_3, -0.376142293f, -0.302748561f, -0.128214374f, 0.0485238694f, 0.150446653f, 0.164278284f,
      0.124752946f, 0.0739990994f, 0.0357965566f, 0.0144243883f, 0.00490077259f, 0.00141472265f,
      0.000348793081f, 7.37145965e-05f, 1.33908688e-05f, 0)
TABLE(ERF_4, 0.000297576742f, 0.130800366f, 0.182271793f, 0.139647856f, 0.0524346568f,
      -0.019009674f, -0.0481814034f, -0.0441891886f, -0.0280006491f, -0.013762055f, -0.00548267225f,
      -0.00181008619f, -0.000501663308f, -0.000117689582f, -2.35047264e-05f, 0)
TABLE(ERF_5, 0.110912509f, 0.0778376013f, 0.000851636869f, -0.057911925f, -0.0666368753f,
      -0.0390126407f, -0.00702105183f, 0.0101926969f, 0.0126722278f, 0.00860140845f, 0.00424780557f,
      0.00165075425f, 0.000522421382f, 0.000137170791f, 3.02256449e-05f, 0)

INLINE vector_f32 all_erf(vector_f32 x)
{
    /* NaN if x is */
    const vector_f32 a = _mm512_min_ps(_mm512_set1_ps(4), _mm512_andnot_ps(SIGN_BIT, x));
    const vector_f32 sum = a * (1 / SPACING) + SHIFT, t = a - (sum - SHIFT) * SPACING;
    const vector_f32 high = PICK(ERF_3, sum) + t * (PICK(ERF_4, sum) + t * PICK(ERF_5, sum));
    const vector_f32 begin = _mm512_mask_mov_ps(
        PICK(ERF_0, sum), _mm512_cmp_ps_mask(sum, _mm512_set1_ps(SHIFT), _CMP_EQ_OQ), t);
    const vector_f32 y = begin + t * (PICK(ERF_1, sum) + t * (PICK(ERF_2, sum) + t * high));
    return _mm512_or_ps(y, _mm512_and_ps(SIGN_BIT, x));
}

#include "lookup_wide.h"
INLINE vector_f32 all_squared(vector_f32 x) { return x * x; }

#define ALL(name) all_##name
#define WHERE(mask, a, b) \
    ((vector_f32)_mm512_mask_mov_ps(b, _mm512_movepi32_mask((__m512i)(mask)), a))
#define EVERY(mask) (_mm512_movepi32_mask((__m512i)(mask)) == 0xffff)
#define FIRST(left) ((__mmask16)((1u << (left)) - 1))
INLINE vector_f32 get_or_f32(const float *p, size_t left, float other)
{
    return left >= LANES ? LOAD(p)
                         : (vector_f32)_mm512_mask_loadu_ps(_mm512_set1_ps(other), FIRST(left), p);
}
INLINE void put_f32(float *p, size_t left, vector_f32 v)
{
    if (left >= LANES)
        STORE(p, v);
    else
        _mm512_mask_storeu_ps(p, FIRST(left), v);
}
INLINE vector_f32 larger_f32(vector_f32 a, vector_f32 b) { return _mm512_max_ps(a, b); }
INLINE float largest_of_f32(vector_f32 v) { return _mm512_reduce_max_ps(v); }
INLINE float added_f32(vector_f32 v) { return _mm512_reduce_add_ps(v); }

#undef FIRST
#undef TABLE
#undef PICK
#undef SIGN_BIT
#undef LESS_PRODUCT
#undef SPACING
#else
typedef real NAME(numbers);
#define ALL(name) FN(name)
#define WHERE(condition, a, b) ((condition) ? (a) : (b))
#define EVERY(condition) 0 /* a branch for each number would cost more than it saves */
INLINE real NAME(get_or)(const real *p, size_t left, real other) { return left > 0 ? *p : other; }
INLINE void NAME(put)(real *p, size_t left, real v) { (void)left, (void)(*p = v); }
INLINE real NAME(larger)(real a, real b) { return a > b ? a : b; }
INLINE real NAME(largest_of)(real v) { return v; }
INLINE real NAME(added)(real v) { return v; }
#endif
INLINE NAME(numbers) NAME(get)(const real *p, size_t left) { return NAME(get_or)(p, left, 0); }
#define STEP (sizeof(NAME(numbers)) / sizeof(real))
