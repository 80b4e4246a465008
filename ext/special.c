/* special.c - special functions of one number: modified Bessel functions, the quantiles of the
 * normal distribution, and the second derivative of log gamma.
 *
 * As in functions.h, all cases are computed and one is chosen, so that compilers make vectors of
 * the loops; only what is rare waits for a second pass. Errors are a few units in the last place.
 *
 * Chebyshev series converge fast where the function is smooth. e^-x I(x) is on [0, 8], and beyond
 * it is 1 / sqrt(x) times a smooth function of 1/x (Clenshaw, Chebyshev Series for Mathematical
 * Functions, 1962). The coefficients below are those of
 *
 *     NEAR   e^-x I0(x) and e^-x I1(x) / x     in y = x / 4 - 1,    0 <= x <= 8
 *     FAR    e^-x sqrt(x) I(x)                 in y = 16 / x - 1,   8 <= x
 *
 * computed with 50 digits, and half of the first one. float takes as many as count there. */
#ifdef REAL_IS_FLOAT
#define NEAR_TERMS 19
#define FAR_TERMS 8
#else
#define NEAR_TERMS 28
#define FAR_TERMS 23
#endif

/* The sum of c[k] T_k(y), by Clenshaw's recurrence. It cancels digits, which float has not. */
#define CHEBYSHEV(name, terms, ...)                       \
    INLINE real NAME(name)(double y)                      \
    {                                                     \
        static const double c[] = {__VA_ARGS__};          \
        double b = 0, after = 0;                          \
        UNROLL for (size_t k = terms - 1; k > 0; k--)     \
        {                                                 \
            const double next = 2 * y * b - after + c[k]; \
            after = b, b = next;                          \
        }                                                 \
        return (real)(y * b - after + c[0]);              \
    }

CHEBYSHEV(sum_of_I0_NEAR, NEAR_TERMS,
    0.33839763720473804, -0.3046826723431984, 0.17162090152220878, -0.094901097048047644,
    0.049305284239670708, -0.023737414805899469, 0.010546460394594998, -0.0043243099950505759,
    0.0016394756169413358, -0.00057637557453858237, 0.00018850288509584166,
    -5.7541950100821037e-5, 1.6448448070728897e-5, -4.4167383584587506e-6,
    1.1173875391201037e-6, -2.6707938539406117e-7, 6.0469950225419189e-8, -1.300025009986248e-8,
    2.6598237246823867e-9, -5.1897956016352629e-10, 9.6758090353732369e-11,
    -1.7268262914415557e-11, 2.9550526631296398e-12, -4.8564467831119295e-13,
    7.6761854986049356e-14, -1.1685332877993452e-14, 1.715391285555133e-15,
    -2.4312798465479547e-16, 3.3307945188222381e-17)

CHEBYSHEV(sum_of_I0_FAR, FAR_TERMS,
    0.40224520550705442, 0.0033691164782556941, 6.889758346916824e-5, 2.8913705208347565e-6,
    2.0489185894690637e-7, 2.2666689904981781e-8, 3.3962320257083863e-9, 4.9406023882249696e-10,
    1.1889147107846438e-11, -3.1499165279632414e-11, -1.3215811840447713e-11,
    -1.7941785315068061e-12, 7.1801244513836662e-13, 3.8527783827421427e-13,
    1.5400862175214098e-14, -4.1505693472872221e-14, -9.5548466988283076e-15,
    3.8116806693526224e-15, 1.7725601330565264e-15, -3.4254856196772191e-16,
    -2.8276239805165835e-16, 3.4612228676974611e-17, 4.46562142029676e-17)

CHEBYSHEV(sum_of_I1_NEAR, NEAR_TERMS,
    0.12629359322181683, -0.17641651835783406, 0.1026436586898471, -0.052945981208094991,
    0.024726449030626517, -0.010564084894626198, 0.0041564229443128882, -0.0015135724506312531,
    0.00051228595616857577, -0.00016176081582589675, 4.7815651075500542e-5,
    -1.3273163656039436e-5, 3.4702513081376785e-6, -8.5687202646954547e-7,
    2.0032947535521353e-7, -4.4450591287963281e-8, 9.3815373864957718e-9,
    -1.8872497517228293e-9, 3.625590281552117e-10, -6.6634897235020277e-11,
    1.1736186298890902e-11, -1.9839743977649437e-12, 3.2237933659455747e-13,
    -5.0421855047279117e-14, 7.6006842947354069e-15, -1.1055969477353863e-15,
    1.5536319577362005e-16, -2.1114212143581661e-17)

CHEBYSHEV(sum_of_I1_FAR, FAR_TERMS,
    0.38928811750914006, -0.0097610974913614684, -0.00011058893876262372,
    -3.8825648088776904e-6, -2.5122362378702089e-7, -2.6314688468895195e-8,
    -3.835380385964237e-9, -5.5897434621965838e-10, -1.8974958123505412e-11,
    3.2526035830154882e-11, 1.4125807436613781e-11, 2.0356285441470895e-12,
    -7.1985517762459085e-13, -4.0835511110921973e-13, -2.1015418427726643e-14,
    4.2724400167119514e-14, 1.0420276984128803e-14, -3.8144030724370078e-15,
    -1.8803547755107824e-15, 3.3082023109209283e-16, 2.9626289976459501e-16,
    -3.209525921993424e-17, -4.6503053684893583e-17)

INLINE real FN(i0e)(real x)
{
    const real a = FN(abs)(x), far = FN(maximum)(a, 8);
    const real beyond = NAME(sum_of_I0_FAR)(16 / (double)far - 1) / FN(sqrt)(far);
    const real within = NAME(sum_of_I0_NEAR)((double)a / 4 - 1);
    return a <= 8 ? within : beyond;
}

INLINE real FN(i1e)(real x)
{
    const real a = FN(abs)(x), far = FN(maximum)(a, 8);
    const real beyond = NAME(sum_of_I1_FAR)(16 / (double)far - 1) / FN(sqrt)(far);
    const real within = NAME(sum_of_I1_NEAR)((double)a / 4 - 1) * x;
    return a <= 8 ? within : x < 0 ? -beyond : beyond;
}

/* In two steps: I may be a number where e^|x| is none. Infinity gives NaN, as in PyTorch. */
INLINE real FN(i0)(real x)
{
    const real half = FN(exp)(FN(abs)(x) / 2);
    return half * FN(i0e)(x) * half;
}

INLINE real FN(i1)(real x)
{
    const real half = FN(exp)(FN(abs)(x) / 2);
    return half * FN(i1e)(x) * half;
}

/* ---- quantiles of the normal distribution ----
 * Wichura, Algorithm AS 241, Applied Statistics 37 (1988): PPND16, three quotients of polynomials.
 * `q` is p - 1/2, and `tail` the smaller of p and 1 - p. */
#define QUOTIENT(r, a0, a1, a2, a3, a4, a5, a6, a7, b1, b2, b3, b4, b5, b6, b7)                    \
    (((((((((real)a7 * r + (real)a6) * r + (real)a5) * r + (real)a4) * r + (real)a3) * r +         \
         (real)a2) * r + (real)a1) * r + (real)a0) /                                               \
     ((((((((real)b7 * r + (real)b6) * r + (real)b5) * r + (real)b4) * r + (real)b3) * r +         \
         (real)b2) * r + (real)b1) * r + 1))
INLINE real NAME(quantile)(real q, real tail)
{
    const real s = (real)0.180625 - q * q, r = FN(sqrt)(-FN(log)(tail));
    const real middle =
        q * QUOTIENT(s, 3.3871328727963666080, 133.14166789178437745, 1971.5909503065514427,
                     13731.693765509461125, 45921.953931549871457, 67265.770927008700853,
                     33430.575583588128105, 2509.0809287301226727, 42.313330701600911252,
                     687.18700749205790830, 5394.1960214247511077, 21213.794301586595867,
                     39307.895800092710610, 28729.085735721942674, 5226.4952788528545610);
    const real u = r - (real)1.6;
    const real near =
        QUOTIENT(u, 1.42343711074968357734, 4.63033784615654529590, 5.76949722146069140550,
                 3.64784832476320460504, 1.27045825245236838258, 0.241780725177450611770,
                 0.0227238449892691845833, 7.74545014278341407640e-4, 2.05319162663775882187,
                 1.67638483018380384940, 0.689767334985100004550, 0.148103976427480074590,
                 0.0151986665636164571966, 5.47593808499534494600e-4, 1.05075007164441684324e-9);
    const real v = r - 5;
    const real far =
        QUOTIENT(v, 6.65790464350110377720, 5.46378491116411436990, 1.78482653991729133580,
                 0.296560571828504891230, 0.0265321895265761230930, 1.24266094738807843860e-3,
                 2.71155556874348757815e-5, 2.01033439929228813265e-7, 0.599832206555887937690,
                 0.136929880922735805310, 0.0148753612908506148525, 7.86869131145613259100e-4,
                 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15);
    const real outside = r <= 5 ? near : r == INFINITY ? r : far;
    return FN(abs)(q) <= (real)0.425 ? middle : q < 0 ? -outside : outside;
}

INLINE real FN(erfinv)(real x)
{
    return NAME(quantile)(x / 2, (1 - FN(abs)(x)) / 2) * (real)0.70710678118654752440;
}

INLINE real FN(ndtri)(real p)
{
    return NAME(quantile)(p - (real)0.5, FN(minimum)(p, 1 - p));
}

/* ---- trigamma: the sum of 1 / (x + k)^2 over k = 0, 1, 2, ... ----
 * Ten terms, and the rest by the asymptotic series (Abramowitz and Stegun 6.4.11, 6.4.12). */
INLINE real FN(trigamma)(real x)
{
    const real near = FN(minimum)(x, 10);
    real sum = 0;
    UNROLL for (int k = 9; k >= 0; k--)
        sum += 1 / ((near + (real)k) * (near + (real)k));
    const real z = 1 / (x < 10 ? x + 10 : x), s = z * z;
    const real series =
        (real)(1 / 6.0) -
        s * ((real)(1 / 30.0) -
             s * ((real)(1 / 42.0) -
                  s * ((real)(1 / 30.0) -
                       s * ((real)(5 / 66.0) - s * ((real)(691 / 2730.0) - s * (real)(7 / 6.0))))));
    const real rest = z + s / 2 + z * s * series;
    return x < 10 ? sum + rest : rest;
}

#define PI 3.14159265358979323846
/* By reflection (6.4.7) below 0, where the poles are infinite. */
INLINE real NAME(reflected_trigamma)(real x)
{
    if (!(x <= 0))
        return x;
    const double r = x - rint((double)x), s = sin(PI * r);
    return r == 0 ? (real)INFINITY : (real)(PI * PI / (s * s)) - FN(trigamma)(1 - x);
}

/* The next number from x towards y, as numpy's. In their bits, positive numbers are in order, and
 * negative ones in the reverse. */
INLINE real FN(nextafter)(real x, real y)
{
#ifdef REAL_IS_FLOAT
    uint32_t bits; /* so that they may wrap */
#else
    uint64_t bits;
#endif
    memcpy(&bits, &x, sizeof bits);
    bits = (x < y) == (x > 0) ? bits + 1 : bits - 1;
    real next, least = (real)(sizeof(real) == 4 ? 0x1p-149 : 0x1p-1074);
    memcpy(&next, &bits, sizeof bits);
    next = x == 0 ? y > 0 ? least : -least : next;
    return x == y ? y : x != x || y != y ? x + y : next;
}

/* ---- the loops ---- */
#define LOOP(name, function)                                                             \
    static void NAME(name)(const void *task, size_t begin, size_t n, real *restrict out) \
    {                                                                                    \
        const real *restrict x = (const real *)task + begin;                             \
        for (size_t i = 0; i < n; i++)                                                   \
            out[i] = function(x[i]);                                                     \
    }

static void NAME(trigamma_loop)(const void *task, size_t begin, size_t n, real *restrict out)
{
    const real *restrict x = (const real *)task + begin;
    int any = 0;
    for (size_t i = 0; i < n; i++) {
        out[i] = FN(trigamma)(x[i]);
        any |= !(x[i] > 0);
    }
    for (size_t i = 0; any && i < n; i++)
        if (!(x[i] > 0))
            out[i] = NAME(reflected_trigamma)(x[i]);
}

LOOP(i0_loop, FN(i0))
KERNEL(i0)(size_t n, ARRAY(const real, x, n), ARRAY(real, out, n))
{
    NAME(in_pieces)(n, false, NAME(i0_loop), x, out);
}

LOOP(i0e_loop, FN(i0e))
KERNEL(i0e)(size_t n, ARRAY(const real, x, n), ARRAY(real, out, n))
{
    NAME(in_pieces)(n, false, NAME(i0e_loop), x, out);
}

LOOP(i1_loop, FN(i1))
KERNEL(i1)(size_t n, ARRAY(const real, x, n), ARRAY(real, out, n))
{
    NAME(in_pieces)(n, false, NAME(i1_loop), x, out);
}

LOOP(i1e_loop, FN(i1e))
KERNEL(i1e)(size_t n, ARRAY(const real, x, n), ARRAY(real, out, n))
{
    NAME(in_pieces)(n, false, NAME(i1e_loop), x, out);
}

LOOP(erfinv_loop, FN(erfinv))
KERNEL(erfinv)(size_t n, ARRAY(const real, x, n), ARRAY(real, out, n))
{
    NAME(in_pieces)(n, false, NAME(erfinv_loop), x, out);
}

LOOP(ndtri_loop, FN(ndtri))
KERNEL(ndtri)(size_t n, ARRAY(const real, x, n), ARRAY(real, out, n))
{
    NAME(in_pieces)(n, false, NAME(ndtri_loop), x, out);
}

KERNEL(trigamma)(size_t n, ARRAY(const real, x, n), ARRAY(real, out, n))
{
    NAME(in_pieces)(n, false, NAME(trigamma_loop), x, out);
}

struct NAME(two) {
    const real *x, *y;
};

static void NAME(nextafter_loop)(const void *task, size_t begin, size_t n, real *restrict out)
{
    const struct NAME(two) *t = task;
    for (size_t i = 0; i < n; i++)
        out[i] = FN(nextafter)(t->x[begin + i], t->y[begin + i]);
}

KERNEL(nextafter)(size_t n, ARRAY(const real, x, n), ARRAY(const real, y, n), ARRAY(real, out, n))
{
    const struct NAME(two) both = {x, y};
    NAME(in_pieces)(n, true, NAME(nextafter_loop), &both, out);
}

#undef NEAR_TERMS
#undef FAR_TERMS
#undef CHEBYSHEV
#undef QUOTIENT
#undef PI
#undef LOOP
