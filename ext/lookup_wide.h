/* lookup_wide.h - log, log1p, tanh, sin and cos of 16 numbers at once, by tables in two registers.
 * Part of lookup.h, which has the others and the method.
 *
 * vpermi2ps picks from 32 numbers by the five low bits of an integer. So there are 32 intervals. */
#define TABLE32(name, ...) static const float name[32] = {__VA_ARGS__};
#define PICK32(table, sum) \
    ((vector_f32)_mm512_permutex2var_ps(LOAD(table), (__m512i)(sum), LOAD((table) + 16)))
/* b c - 1, rounded once */
#define PRODUCT_LESS_1(b, c) ((vector_f32)_mm512_fmsub_ps(b, c, _mm512_set1_ps(1)))

/* ---- logarithms: x = 2^k m with 0.75 <= m < 1.5, and m = (1 + r) / C ----
 * The C are 31 numbers near 40/30, 40/31 ... 40/60, and the table's index is the denominator's last
 * five bits. Each is a float whose logarithm -L is almost a float. One of them is 1, so that around
 * 1, where a logarithm is small, k and L are 0 and nothing cancels.
 *
 * vgetexpps and vgetmantps take k and m out of a number, subnormal ones too. Of 0 and infinity they
 * make k = -infinity and infinity, and of negative numbers m = NaN, so nothing is a special
 * case. */
TABLE32(LOG_C, 1.25004196f, 1.21212101f, 1.1764704f, 1.14290488f, 1.11108661f, 1.08108103f,
        1.05265534f, 1.02565658f, 1, 0.975585997f, 0.952365994f, 0.930208862f, 0.909079075f,
        0.888888836f, 0.869545758f, 0.851045609f, 0.833357096f, 0.816324651f, 0.800000012f,
        0.78433758f, 0.769230902f, 0.754694045f, 0.740740478f, 0.727272749f, 0.71426338f,
        0.701736987f, 0.689673364f, 0.677949071f, 0.666666627f, 1, 1.33333337f, 1.29027534f)
TABLE32(LOG_L, -0.22317712f, -0.192371726f, -0.16251877f, -0.13357316f, -0.105338462f,
        -0.077961497f, -0.0513158664f, -0.0253329743f, 0, 0.0247169659f, 0.0488058701f,
        0.072346136f, 0.0953231975f, 0.117783092f, 0.139784321f, 0.161289558f, 0.182293043f,
        0.202943146f, 0.223143533f, 0.242915764f, 0.262364089f, 0.281442851f, 0.300104946f,
        0.318453699f, 0.336503506f, 0.354196608f, 0.371537179f, 0.38868311f, 0.405465156f, 0,
        -0.287682116f, -0.254855633f)

/* log of 2^k (m + lost), where `lost` is at most a rounding error of m */
INLINE vector_f32 log_of_parts(vector_f32 k, vector_f32 m, vector_f32 lost)
{
    const vector_f32 sum = m * 40 + SHIFT, c = PICK32(LOG_C, sum);
    const vector_f32 r = PRODUCT_LESS_1(m, c) + lost * c;
    const vector_f32 p = -0.5f + r * (0.333380491f + r * -0.250067085f);
    return k * 0x1.62e43p-1f + PICK32(LOG_L, sum) + (r + r * r * p);
}
#define MANTISSA(x) (vector_f32)_mm512_getmant_ps(x, _MM_MANT_NORM_p75_1p5, _MM_MANT_SIGN_nan)
#define EXPONENT(x, m) ((vector_f32)_mm512_getexp_ps(x) - (vector_f32)_mm512_getexp_ps(m))
INLINE vector_f32 all_log(vector_f32 x)
{
    const vector_f32 m = MANTISSA(x);
    return log_of_parts(EXPONENT(x, m), m, (vector_f32)_mm512_setzero_ps());
}

/* log u for u = 1 + x, and what that sum has lost (Muller, Elementary Functions, section 11.5).
 * Where k is infinite, nothing is lost. */
INLINE vector_f32 all_log1p(vector_f32 x)
{
    const vector_f32 u = 1 + x, m = MANTISSA(u), k = EXPONENT(u, m);
    const __mmask16 finite = _mm512_cmp_ps_mask(_mm512_abs_ps(k), _mm512_set1_ps(200), _CMP_LT_OQ);
    const vector_f32 lost = (vector_f32)_mm512_maskz_scalef_ps(finite, x - (u - 1), -k);
    const __mmask16 zero = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_EQ_OQ); /* -0, too */
    return (vector_f32)_mm512_mask_mov_ps(log_of_parts(k, m, lost), zero, x);
}

/* ---- the hyperbolic tangent: |x| = k WIDTH + t, and each k has a polynomial in t ----
 * For k = 0 it is added to t, as for erf. From 9.06 on the function rounds to 1. (With this width
 * tanh of it and of its double, and the slopes there, are almost floats.) */
#define WIDTH (2424 / 8192.0f)
TABLE32(TANH_0, 0, 0.287554651f, 0.5311867f, 0.710253537f, 0.828581452f, 0.90137279f,
        0.944197237f, 0.968732893f, 0.982577205f, 0.990321755f, 0.994633138f, 0.997026742f,
        0.99835372f, 0.999088705f, 0.999495685f, 0.999720931f, 0.999845564f, 0.999914527f,
        0.999952734f, 0.999973834f, 0.999985516f, 0.999992013f, 0.999995589f, 0.999997556f,
        0.999998629f, 0.999999225f, 0.999999583f, 0.999999762f, 0.999999881f, 0.99999994f,
        0.99999994f, 1)
TABLE32(TANH_1, 3.80052378e-10f, 0.917312324f, 0.717840731f, 0.495539933f, 0.31345278f,
        0.187527061f, 0.108491555f, 0.0615566187f, 0.0345419832f, 0.0192628056f, 0.010704956f,
        0.005937621f, 0.00328984414f, 0.00182171573f, 0.00100842433f, 0.000558119267f,
        0.000308863819f, 0.000170916072f, 9.45769571e-05f, 5.23335766e-05f, 2.89581876e-05f,
        1.60235977e-05f, 8.86640373e-06f, 4.90607545e-06f, 2.7146923e-06f, 1.50212736e-06f,
        8.31175555e-07f, 4.59916237e-07f, 2.54486451e-07f, 1.4081553e-07f, 7.79177611e-08f, 0)
TABLE32(TANH_2, -1.42480317e-07f, -0.263777256f, -0.381307572f, -0.35195905f, -0.25972116f,
        -0.169031799f, -0.102437429f, -0.0596319214f, -0.0339401662f, -0.0190763753f,
        -0.0106475037f, -0.00591996731f, -0.00328442804f, -0.00182005565f, -0.00100791571f,
        -0.000557963504f, -0.000308816117f, -0.000170901461f, -9.45724896e-05f,
        -5.23322051e-05f, -2.89577674e-05f, -1.60234704e-05f, -8.86636371e-06f,
        -4.90606362e-06f, -2.71468843e-06f, -1.50212611e-06f, -8.31175214e-07f,
        -4.59916123e-07f, -2.54486423e-07f, -1.4081553e-07f, -7.7917754e-08f, 0)
TABLE32(TANH_3, -0.333322704f, -0.229918942f, -0.0367474668f, 0.0847959146f, 0.110717483f,
        0.0898533687f, 0.0605580322f, 0.0372487158f, 0.0218348354f, 0.0124707706f,
        0.00702200271f, 0.00392313302f, 0.00218239054f, 0.00121114939f, 0.000671260699f,
        0.000371765083f, 0.00020581219f, 0.00011391392f, 6.30418581e-05f, 3.4886034e-05f,
        1.93044652e-05f, 1.06820571e-05f, 5.9108097e-06f, 3.27066687e-06f, 1.80977293e-06f,
        1.0014079e-06f, 5.54111921e-07f, 3.06608143e-07f, 1.69656204e-07f, 9.38762525e-08f,
        5.19447525e-08f, 0)
TABLE32(TANH_4, -0.000300318876f, 0.154012874f, 0.146631777f, 0.057100255f, -0.00516228378f,
        -0.0246469509f, -0.0230325591f, -0.0162067078f, -0.0101410653f, -0.0059913299f,
        -0.00343518169f, -0.00193816691f, -0.00108400069f, -0.000603367458f, -0.000334954238f,
        -0.000185675701f, -0.000102842918f, -5.69377189e-05f, -3.15150937e-05f,
        -1.74412598e-05f, -9.65171148e-06f, -5.34087849e-06f, -2.95536438e-06f,
        -1.63532388e-06f, -9.04885155e-07f, -5.00704459e-07f, -2.77056614e-07f,
        -1.53304541e-07f, -8.48284003e-08f, -4.69383004e-08f, -2.59724757e-08f, 0)
TABLE32(TANH_5, 0.137224242f, 0.0525883771f, -0.0485201739f, -0.0574175455f, -0.0258087385f,
        -0.00372602628f, 0.00390423788f, 0.00463468349f, 0.00345417764f, 0.00220849481f,
        0.00131746964f, 0.000758996699f, 0.00042929608f, 0.000240419453f, 0.000133916314f,
        7.4371681e-05f, 4.12354711e-05f, 2.28424142e-05f, 1.26472532e-05f, 7.00052396e-06f,
        3.87434739e-06f, 2.14402507e-06f, 1.18642663e-06f, 6.5650903e-07f, 3.63273955e-07f,
        2.01013123e-07f, 1.11227621e-07f, 6.15460038e-08f, 3.40554358e-08f, 1.88439842e-08f,
        1.04269873e-08f, 0)
TABLE32(TANH_6, -0.0234793089f, -0.0707829595f, -0.0314955637f, 0.0136430841f, 0.017125031f,
        0.00773205794f, 0.00168204994f, -0.000416320952f, -0.000763995748f, -0.000609703711f,
        -0.00039892082f, -0.000240342881f, -0.000139124706f, -7.88832913e-05f, -4.42346063e-05f,
        -2.46564887e-05f, -1.36984681e-05f, -7.59673549e-06f, -4.20870538e-06f,
        -2.33040055e-06f, -1.28997215e-06f, -7.13931968e-07f, -3.95087113e-07f,
        -2.18628372e-07f, -1.2097837e-07f, -6.69425333e-08f, -3.7041854e-08f, -2.04965698e-08f,
        -1.13414478e-08f, -6.27559915e-09f, -3.47249407e-09f, 0)

INLINE vector_f32 all_tanh(vector_f32 x)
{
    /* NaN if x is */
    const vector_f32 a = _mm512_min_ps(_mm512_set1_ps(9.07f), _mm512_andnot_ps(SIGN_BIT, x));
    const vector_f32 sum = a * (1 / WIDTH) + SHIFT, t = a - (sum - SHIFT) * WIDTH;
    const vector_f32 highest = PICK32(TANH_5, sum) + t * PICK32(TANH_6, sum);
    const vector_f32 high = PICK32(TANH_3, sum) + t * (PICK32(TANH_4, sum) + t * highest);
    const vector_f32 begin = _mm512_mask_mov_ps(
        PICK32(TANH_0, sum), _mm512_cmp_ps_mask(sum, _mm512_set1_ps(SHIFT), _CMP_EQ_OQ), t);
    const vector_f32 y = begin + t * (PICK32(TANH_1, sum) + t * (PICK32(TANH_2, sum) + t * high));
    return _mm512_or_ps(y, _mm512_and_ps(SIGN_BIT, x));
}

/* ---- sine and cosine: x = n pi/2 + r with |r| <= pi/4, for |x| <= FAR (float.cl) ----
 * pi/2 is A + B + C. A has 24 bits and r is below 1, so x - n A is a multiple of A's last bit below
 * 1, which is a float: the fused product leaves no error. The second product is rounded once, the
 * third counts only where r is tiny. The last two bits of n say which of sin r, cos r, -sin r and
 * -cos r it is. */
INLINE vector_f32 turned(vector_f32 x, int turns)
{
    const vector_f32 sum = x * 0x1.45f306p-1f + SHIFT, n = sum - SHIFT;
    const vector_f32 most = LESS_PRODUCT(x, n, _mm512_set1_ps(0x1.921fb6p+0f));
    const vector_f32 more = LESS_PRODUCT(most, n, _mm512_set1_ps(-0x1.777a5cp-25f));
    const vector_f32 r = LESS_PRODUCT(more, n, _mm512_set1_ps(-0x1.ee59dap-50f)), z = r * r;
    const vector_f32 s = r + r * z * (-0.166666538f + z * (0.00833209045f + z * -0.000195052402f));
    const vector_f32 p = 0.0416666456f + z * (-0.00138872513f + z * 2.4424924e-05f);
    const vector_f32 c = (1 - 0.5f * z) + z * z * p;
    const __m512i quarters = _mm512_add_epi32((__m512i)sum, _mm512_set1_epi32(turns));
    const __mmask16 odd = _mm512_test_epi32_mask(quarters, _mm512_set1_epi32(1));
    const __m512i sign = _mm512_slli_epi32(_mm512_srli_epi32(quarters, 1), 31);
    return (vector_f32)_mm512_xor_si512((__m512i)_mm512_mask_mov_ps(s, odd, c), sign);
}
INLINE vector_f32 all_sin(vector_f32 x)
{
    const __mmask16 zero = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_EQ_OQ); /* -0, too */
    return (vector_f32)_mm512_mask_mov_ps(turned(x, 0), zero, x);
}
INLINE vector_f32 all_cos(vector_f32 x) { return turned(x, 1); }

#undef TABLE32
#undef PICK32
#undef PRODUCT_LESS_1
#undef MANTISSA
#undef EXPONENT
#undef WIDTH
