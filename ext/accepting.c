/* accepting.c - random numbers by rejection: the numbers of arrays/accepting.py, which names the
 * sources. Each takes as many draws as it needs, one after the other. As in random.c, whose twister
 * makes them, nothing may be contracted. */
#if defined(__clang__)
#pragma clang fp contract(off)
#elif defined(__GNUC__)
#pragma GCC push_options
#pragma GCC optimize("fp-contract=off")
#endif

INLINE double NAME(one)(uint32_t *state)
{
    const size_t used = state[WORDS];
    if (used == 0 || used > WORDS - 2) {
        double u;
        NAME(uniforms53)(state, 1, &u);
        return u;
    }
    const uint64_t high = NAME(tempered)(state[used]), low = NAME(tempered)(state[used + 1]);
    state[WORDS] = (uint32_t)(used + 2);
    return (double)(int64_t)((high << 32 | low) & 0x1fffffffffffffu) * 0x1p-53;
}

static double NAME(one_normal)(uint32_t *state, double *spare)
{
    if (spare[1] != 0) {
        spare[1] = 0;
        return spare[0];
    }
    const double angle = 6.283185307179586 * NAME(one)(state);
    const double radius = sqrt(-2.0 * log1p(-NAME(one)(state)));
    spare[0] = radius * sin(angle), spare[1] = 1;
    return radius * cos(angle);
}

/* columns: the concentrations a; a, or a + 1 where it is below 1, less 1/3; 1/a. */
KERNEL(random_gammas)(size_t n, ARRAY(const double, columns, 3 * n), ARRAY(double, spare, 2),
                      ARRAY(uint32_t, state, 625), ARRAY(double, out, n))
{
    const double squeeze = (double)0.0331f;
    for (size_t i = 0; i < n; i++) {
        const double a = columns[i], d = columns[n + i], power = columns[2 * n + i];
        if (a == 0 || a != a) {
            out[i] = a;
            continue;
        }
        const double scale = a < 1 ? pow(1.0 - NAME(one)(state), power) : 1.0;
        const double c = 1.0 / sqrt(9.0 * d);
        for (;;) {
            double x, y;
            do {
                x = NAME(one_normal)(state, spare);
                y = 1.0 + c * x;
            } while (y <= 0);
            const double v = y * y * y, u = 1.0 - NAME(one)(state), square = x * x;
            if (u < 1.0 - squeeze * square * square
                || log(u) < 0.5 * square + d * (1.0 - v + log(v))) {
                out[i] = scale * d * v;
                break;
            }
        }
    }
}

static double NAME(small_poisson)(double rate, uint32_t *state)
{
    const double limit = exp(-rate);
    double product = 1.0, count = 0;
    if (rate == 0)
        return 0;
    for (;; count++) {
        product *= NAME(one)(state);
        if (product <= limit)
            return count;
    }
}

static double NAME(large_poisson)(double rate, uint32_t *state)
{
    const double root = sqrt(rate), log_rate = log(rate);
    const double b = 0.931 + 2.53 * root, a = -0.059 + 0.02483 * b;
    const double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4), tight = 0.9277 - 3.6224 / (b - 2);
    for (;;) {
        const double u = NAME(one)(state) - 0.5, v = NAME(one)(state), us = 0.5 - fabs(u);
        if (us == 0)
            continue;
        const double k = floor((2 * a / us + b) * u + rate + 0.43);
        if (us >= 0.07 && v <= tight)
            return k;
        if (k < 0 || (us < 0.013 && v > us))
            continue;
        if (log(v) + log(inverse_alpha) - log(a / (us * us) + b)
            <= -rate + k * log_rate - lgamma(k + 1.0))
            return k;
    }
}

KERNEL(random_poisson)(size_t n, ARRAY(const double, rate, n), ARRAY(uint32_t, state, 625),
                       ARRAY(double, out, n))
{
    for (size_t i = 0; i < n; i++)
        out[i] = rate[i] >= 10 ? NAME(large_poisson)(rate[i], state)
                               : NAME(small_poisson)(rate[i], state);
}

static double NAME(by_geometric)(double n, double log_q, uint32_t *state)
{
    double total = 0, found = 0;
    for (;; found++) {
        total += ceil(log(NAME(one)(state)) / log_q); /* log(0) / log_q is infinite */
        if (total > n)
            return found;
    }
}

static double NAME(stirling_tail)(double k)
{
    static const double tails[] = {
        0.0810614667953272, 0.0413406959554092, 0.0276779256849983, 0.02079067210376509,
        0.0166446911898211, 0.0138761288230707, 0.0118967099458917, 0.0104112652619720,
        0.00925546218271273, 0.00833056343336287,
    };
    if (k < 10)
        return tails[(size_t)k];
    const double square = (k + 1) * (k + 1);
    return (1.0 / 12 - (1.0 / 360 - 1.0 / 1260 / square) / square) / (k + 1);
}

static double NAME(btrs)(double n, double p, double mean, double deviation, double odds,
                         double mode, uint32_t *state)
{
    const double center = mean + 0.5, b = 1.15 + 2.53 * deviation;
    const double a = -0.0873 + 0.0248 * b + 0.01 * p, tight = 0.92 - 4.2 / b;
    const double alpha = (2.83 + 5.1 / b) * deviation;
    for (;;) {
        const double u = NAME(one)(state) - 0.5, v = NAME(one)(state), us = 0.5 - fabs(u);
        if (us == 0)
            continue;
        const double k = floor((2 * a / us + b) * u + center);
        if (k < 0 || k > n)
            continue;
        if (us >= 0.07 && v <= tight)
            return k;
        const double bound = (mode + 0.5) * log((mode + 1) / (odds * (n - mode + 1)))
                             + (n + 1) * log((n - mode + 1) / (n - k + 1))
                             + (k + 0.5) * log(odds * (n - k + 1) / (k + 1))
                             + NAME(stirling_tail)(mode) + NAME(stirling_tail)(n - mode)
                             - NAME(stirling_tail)(k) - NAME(stirling_tail)(n - k);
        if (log(v * alpha / (a / (us * us) + b)) <= bound)
            return k;
    }
}

/* columns: how many trials; the probability p; the smaller of p and 1 - p, and of it the mean, the
 * standard deviation, the odds, the mode and log(1 - it). */
KERNEL(random_binomial)(size_t n, ARRAY(const double, columns, 8 * n), ARRAY(uint32_t, state, 625),
                        ARRAY(double, out, n))
{
    for (size_t i = 0; i < n; i++) {
        const double *x = columns + i;
        const double trials = x[0], p = x[n];
        if (trials <= 0 || p <= 0)
            out[i] = 0;
        else if (p >= 1 || trials != trials)
            out[i] = trials;
        else if (p != p)
            out[i] = p;
        else {
            const double found =
                x[3 * n] >= 10 ? NAME(btrs)(trials, x[2 * n], x[3 * n], x[4 * n], x[5 * n],
                                            x[6 * n], state)
                               : NAME(by_geometric)(trials, x[7 * n], state);
            out[i] = p > 0.5 ? trials - found : found;
        }
    }
}

#undef WORDS
#if defined(__clang__)
#pragma clang fp contract(fast)
#elif defined(__GNUC__)
#pragma GCC pop_options
#endif
