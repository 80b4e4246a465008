/* random.c - PyTorch's random numbers: a Mersenne Twister, and what is made of its draws.
 *
 * A number must have the last bit that microtorch/arrays/fills.py gives it, which is the definition
 * of all that follows, and tells where each formula comes from. So no sum may be contracted to a
 * fused multiply-add here, except where one is asked for by name (fma rounds once, on every
 * processor). Loops over float have no branches, so that compilers turn them into vectors.
 *
 * `state` is the twister's 624 words and, as its last element, how many of them have been used;
 * 0 is said of a twister that was seeded and not used yet.
 *
 * Sources: Matsumoto and Nishimura, "Mersenne Twister", ACM TOMACS 8, 1998; Cephes (log, sin,
 * cos). */
#if defined(__clang__)
#pragma clang fp contract(off)
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC optimize("fp-contract=off")
#endif

#define WORDS 624
#define APART 397 /* a new word is made of an old one that lies so far from it */
#define CHUNK 512 /* numbers made at a time: the work arrays stay in the nearest cache */

INLINE uint32_t NAME(twisted)(uint32_t word, uint32_t next)
{
    const uint32_t mixed = (word & 0x80000000u) | (next & 0x7fffffffu);
    return (mixed >> 1) ^ (-(mixed & 1) & 0x9908b0dfu);
}

static void NAME(renew)(uint32_t *key)
{
    for (size_t i = 0; i < WORDS - APART; i++)
        key[i] = key[i + APART] ^ NAME(twisted)(key[i], key[i + 1]);
    for (size_t i = WORDS - APART; i < WORDS - 1; i++)
        key[i] = key[i + APART - WORDS] ^ NAME(twisted)(key[i], key[i + 1]);
    key[WORDS - 1] = key[APART - 1] ^ NAME(twisted)(key[WORDS - 1], key[0]);
}

INLINE uint32_t NAME(tempered)(uint32_t y)
{
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    return y ^ (y >> 18);
}

/* The next n draws of 32 bits. */
static void NAME(draws)(uint32_t *restrict state, size_t n, uint32_t *restrict out)
{
    size_t used = state[WORDS];
    while (n > 0) {
        if (used == 0 || used >= WORDS) {
            NAME(renew)(state);
            used = 0;
        }
        const size_t count = smaller(n, WORDS - used);
        for (size_t i = 0; i < count; i++)
            out[i] = NAME(tempered)(state[used + i]);
        used += count, out += count, n -= count;
    }
    state[WORDS] = (uint32_t)used;
}

/* 53 bits of two draws, the first one in the high word; n <= CHUNK. */
static void NAME(draws53)(uint32_t *state, size_t n, int64_t *restrict out)
{
    uint32_t bits[2 * CHUNK];
    NAME(draws)(state, 2 * n, bits);
    for (size_t i = 0; i < n; i++)
        out[i] = (int64_t)((((uint64_t)bits[2 * i] << 32) | bits[2 * i + 1]) & 0x1fffffffffffffu);
}

/* n <= CHUNK uniforms on [0, 1): 53 bits of two draws, or for float 24 bits of one. */
static void NAME(uniforms53)(uint32_t *state, size_t n, double *restrict out)
{
    int64_t bits[CHUNK];
    NAME(draws53)(state, n, bits);
    for (size_t i = 0; i < n; i++)
        out[i] = (double)bits[i] * 0x1p-53;
}

static void NAME(uniforms)(uint32_t *state, size_t n, real *restrict out)
{
#ifdef REAL_IS_FLOAT
    uint32_t bits[CHUNK];
    NAME(draws)(state, n, bits);
    for (size_t i = 0; i < n; i++)
        out[i] = (float)(int32_t)(bits[i] & 0xffffffu) * 0x1p-24f;
#else
    NAME(uniforms53)(state, n, out);
#endif
}

#ifdef REAL_IS_FLOAT
#define FUSED(a, b, c) fmaf(a, b, c)
#else
#define FUSED(a, b, c) fma(a, b, c)
#endif

KERNEL(random_seed)(uint32_t seed, ARRAY(uint32_t, state, 625))
{
    state[0] = seed;
    for (uint32_t i = 1; i < WORDS; i++)
        state[i] = 1812433253u * (state[i - 1] ^ (state[i - 1] >> 30)) + i;
    state[WORDS] = 0;
}

KERNEL(random_draws)(size_t n, ARRAY(uint32_t, state, 625), ARRAY(uint32_t, out, n))
{
    NAME(draws)(state, n, out);
}

KERNEL(random_uniform)(size_t n, real low, real high, ARRAY(uint32_t, state, 625),
                       ARRAY(real, out, n))
{
    const real span = high - low;
    for (size_t begin = 0; begin < n; begin += CHUNK) {
        const size_t count = smaller(CHUNK, n - begin);
        real *restrict x = out + begin;
        NAME(uniforms)(state, count, x);
        for (size_t i = 0; i < count; i++) {
            const real value = FUSED(x[i], span, low);
            x[i] = value == high ? low : value; /* rounding may reach the open end */
        }
    }
}

/* ---- normals ---- */
/* radius[i] = sqrt(-2 log(1 - u[i])), and sine and cosine of 2 pi v[i]; n <= CHUNK / 2. */
static void NAME(polar)(size_t n, const real *restrict u, const real *restrict v,
                        real *restrict radius, real *restrict sine, real *restrict cosine)
{
#ifdef REAL_IS_FLOAT
    for (size_t i = 0; i < n; i++) {
        const float from = 1 - u[i];
        int32_t bits;
        memcpy(&bits, &from, sizeof bits);
        const int32_t fraction_bits = (bits & 0x7fffff) | 0x3f000000;
        float fraction;
        memcpy(&fraction, &fraction_bits, sizeof fraction);
        const bool below = fraction < 0.707106781186547524f;
        const float e = (float)((bits >> 23) - 126 - (below ? 1 : 0));
        const float x = (below ? fraction + fraction : fraction) - 1;
        const float z = x * x;
        float y = 7.0376836292e-2f;
        y = fmaf(y, x, -1.1514610310e-1f);
        y = fmaf(y, x, 1.1676998740e-1f);
        y = fmaf(y, x, -1.2420140846e-1f);
        y = fmaf(y, x, 1.4249322787e-1f);
        y = fmaf(y, x, -1.6668057665e-1f);
        y = fmaf(y, x, 2.0000714765e-1f);
        y = fmaf(y, x, -2.4999993993e-1f);
        y = fmaf(y, x, 3.3333331174e-1f);
        y = fmaf(y * x, z, e * -2.12194440e-4f);
        y = fmaf(z, -0.5f, y);
        radius[i] = sqrtf(-2.0f * fmaf(e, 0.693359375f, x + y));
    }
    for (size_t i = 0; i < n; i++) {
        float x = (float)6.283185307179586 * v[i];
        const int32_t octant = ((int32_t)(x * 1.27323954473516f) + 1) & ~1;
        const float k = (float)octant;
        x = fmaf(k, -0.78515625f, x);
        x = fmaf(k, -2.4187564849853515625e-4f, x);
        x = fmaf(k, -3.77489497744594108e-8f, x);
        const float z = x * x;
        float c = 2.443315711809948e-5f;
        c = fmaf(c, z, -1.388731625493765e-3f);
        c = fmaf(c, z, 4.166664568298827e-2f) * z;
        c = fmaf(c, z, -(z * 0.5f)) + 1;
        float s = -1.9515295891e-4f;
        s = fmaf(s, z, 8.3321608736e-3f);
        s = fmaf(s, z, -1.6666654611e-1f) * z;
        s = fmaf(s, x, x);
        const float a = octant & 2 ? c : s, b = octant & 2 ? s : c;
        sine[i] = octant & 4 ? -a : a;
        cosine[i] = (octant + 2) & 4 ? -b : b;
    }
#else
    for (size_t i = 0; i < n; i++) {
        const double angle = 6.283185307179586 * v[i];
        radius[i] = sqrt(-2.0 * log(1 - u[i]));
        sine[i] = sin(angle), cosine[i] = cos(angle);
    }
#endif
}

/* Box and Muller's transform of n <= CHUNK uniforms, in blocks of 16: eight radii and eight angles
 * give eight cosines and eight sines. */
static void NAME(box_muller)(size_t n, real *restrict x, real mean, real std)
{
    ON_A_LINE real u[CHUNK / 2], v[CHUNK / 2], radius[CHUNK / 2];
    ON_A_LINE real sine[CHUNK / 2], cosine[CHUNK / 2];
    for (size_t i = 0; i < n / 2; i += 8)
        for (size_t j = 0; j < 8; j++)
            u[i + j] = x[2 * i + j], v[i + j] = x[2 * i + 8 + j];
    NAME(polar)(n / 2, u, v, radius, sine, cosine);
    for (size_t i = 0; i < n / 2; i += 8)
        for (size_t j = 0; j < 8; j++) {
            x[2 * i + j] = FUSED(radius[i + j] * cosine[i + j], std, mean);
            x[2 * i + 8 + j] = FUSED(radius[i + j] * sine[i + j], std, mean);
        }
}

/* n >= 16 normals. If n is no multiple of 16, the last 16 are drawn anew. */
KERNEL(random_normal)(size_t n, real mean, real std, ARRAY(uint32_t, state, 625),
                      ARRAY(real, out, n))
{
    const size_t whole = n - n % 16;
    for (size_t begin = 0; begin < whole; begin += CHUNK) {
        const size_t count = smaller(CHUNK, whole - begin);
        NAME(uniforms)(state, count, out + begin);
        NAME(box_muller)(count, out + begin, mean, std);
    }
    if (whole < n && n > 16) {
        NAME(uniforms)(state, n - whole, out + whole); /* drawn, and overwritten at once */
        NAME(uniforms)(state, 16, out + n - 16);
        NAME(box_muller)(16, out + n - 16, mean, std);
    }
}

/* Normals in pairs, one pair after the other, in double. The second of a pair that is not asked for
 * waits in `spare`: its value, and 1 if there is one. With `power`, e to these numbers. */
KERNEL(random_serial_normal)(size_t n, double mean, double std, int power, ARRAY(double, spare, 2),
                             ARRAY(uint32_t, state, 625), ARRAY(real, out, n))
{
    for (size_t i = 0; i < n; i++) {
        double x = spare[0];
        if (spare[1] == 0) {
            double u[2];
            NAME(uniforms53)(state, 2, u);
            const double radius = sqrt(-2.0 * log1p(-u[1])), angle = 6.283185307179586 * u[0];
            x = radius * cos(angle);
            spare[0] = radius * sin(angle);
        }
        spare[1] = 1 - spare[1];
        x = fma(x, std, mean);
        out[i] = (real)(power ? exp(x) : x);
    }
}

/* ---- other distributions, computed in double ---- */
#define OF_UNITS(formula)                                            \
    for (size_t begin = 0; begin < n; begin += CHUNK) {              \
        ON_A_LINE double units[CHUNK];                            \
        const size_t count = smaller(CHUNK, n - begin);              \
        NAME(uniforms53)(state, count, units);                          \
        for (size_t i = 0; i < count; i++) {                         \
            const double u = units[i];                               \
            out[begin + i] = (real)(formula);                        \
        }                                                            \
    }

KERNEL(random_exponential)(size_t n, double scale, ARRAY(uint32_t, state, 625), ARRAY(real, out, n))
{
    OF_UNITS(scale * log1p(-u))
}

KERNEL(random_cauchy)(size_t n, double median, double sigma, ARRAY(uint32_t, state, 625),
                      ARRAY(real, out, n))
{
    OF_UNITS(fma(tan(3.141592653589793 * (u - 0.5)), sigma, median))
}

KERNEL(random_geometric)(size_t n, double log_failure, ARRAY(uint32_t, state, 625),
                         ARRAY(real, out, n))
{
    OF_UNITS(ceil(log(u) / log_failure))
}

/* `value` where 53 bits are below `bound`, else 0. */
KERNEL(random_bernoulli)(size_t n, int64_t bound, real value, ARRAY(uint32_t, state, 625),
                         ARRAY(real, out, n))
{
    for (size_t begin = 0; begin < n; begin += CHUNK) {
        int64_t bits[CHUNK];
        const size_t count = smaller(CHUNK, n - begin);
        NAME(draws53)(state, count, bits);
        for (size_t i = 0; i < count; i++)
            out[begin + i] = bits[i] < bound ? value : 0;
    }
}

/* 1 where a uniform number is below the chance of it, else 0. If one is no chance, from 0 to 1,
 * `wrong` becomes 1, and nothing is drawn. */
KERNEL(random_hits)(size_t n, ARRAY(const real, chance, n), ARRAY(uint32_t, state, 625),
                    ARRAY(uint8_t, wrong, 1), ARRAY(real, out, n))
{
    int fine = 1;
    for (size_t i = 0; i < n; i++)
        fine &= (chance[i] >= 0) & (chance[i] <= 1);
    wrong[0] = !fine;
    for (size_t begin = 0; begin < n && fine; begin += CHUNK) {
        real units[CHUNK];
        const size_t count = smaller(CHUNK, n - begin);
        NAME(uniforms)(state, count, units);
        for (size_t i = 0; i < count; i++)
            out[begin + i] = units[i] < chance[begin + i] ? 1 : 0;
    }
}

/* low + draw % span, of which 0 < span < 2^28; the rounded quotient is right, or 1 off. */
KERNEL(random_integers)(size_t n, int64_t low, uint32_t span, ARRAY(uint32_t, state, 625),
                        ARRAY(int64_t, out, n))
{
    const double inverse = 1.0 / span;
    for (size_t begin = 0; begin < n; begin += CHUNK) {
        uint32_t bits[CHUNK];
        const size_t count = smaller(CHUNK, n - begin);
        NAME(draws)(state, count, bits);
        for (size_t i = 0; i < count; i++) {
            const int64_t rest = bits[i] - (int64_t)(bits[i] * inverse) * span;
            out[begin + i] = low + (rest < 0 ? rest + span : rest >= span ? rest - span : rest);
        }
    }
}

/* 0, 1 ... n - 1, shuffled: place i is exchanged with one of those from i on (Fisher and Yates).
 * n < 2^32: larger ones take numbers of 64 bits (arrays/generator.py). */
KERNEL(random_permutation)(size_t n, ARRAY(uint32_t, state, 625), ARRAY(int64_t, out, n))
{
    for (size_t i = 0; i < n; i++)
        out[i] = (int64_t)i;
    for (size_t begin = 0; begin + 1 < n; begin += CHUNK) {
        uint32_t bits[CHUNK];
        const size_t count = smaller(CHUNK, n - 1 - begin);
        NAME(draws)(state, count, bits);
        for (size_t k = 0; k < count; k++) {
            const size_t i = begin + k, j = i + bits[k] % (uint32_t)(n - i);
            const int64_t kept = out[i];
            out[i] = out[j], out[j] = kept;
        }
    }
}

#undef APART
#undef CHUNK
#undef FUSED
#undef OF_UNITS
#if defined(__clang__)
#pragma clang fp contract(fast)
#elif defined(__GNUC__)
#pragma GCC pop_options
#endif
