/* prod.c - the derivative of a product over the rows of each block: g times the product of all
 * other numbers.
 *
 * Of a row without a 0, that is the whole product, divided by each number, and it is kept as a
 * fraction and an exponent, since it may leave the range of double while none of the results does.
 * A long row is cut into segments, which the threads multiply and divide. Otherwise, and for
 * columns, the numbers before each place are multiplied, and then those after it. */
#define ACROSS 64  /* columns that go side by side */
#define TOGETHER 8 /* rows that do, as in scan.c */
#define FACTORS 8192
#define FEW_FACTORS 64 /* numbers of a row that are not worth a division */

struct NAME(others) {
    const real *g, *x;
    real *out;
    size_t n, inner, outer;
    size_t segments;          /* of a row */
    double *fraction, *power; /* the product of each segment: a fraction of a power of 2 */
    double *whole;            /* the product of each row and its g */
};

#define OTHERS(unroll, width, most, g_at, x_at)                            \
    {                                                                      \
        ON_A_LINE double before[most], after[most];                        \
        unroll for (size_t i = 0; i < width; i++)                          \
            before[i] = 1, after[i] = t->g[g_at];                          \
        for (size_t j = 0; j < n; j++)                                     \
            unroll for (size_t i = 0; i < width; i++) {                    \
                out[x_at] = (real)before[i];                               \
                before[i] *= x[x_at];                                      \
            }                                                              \
        for (size_t j = n; j-- > 0;)                                       \
            unroll for (size_t i = 0; i < width; i++) {                    \
                out[x_at] = (real)(out[x_at] * after[i]);                  \
                after[i] *= x[x_at];                                       \
            }                                                              \
    }

static void NAME(others_of_columns)(const void *task, size_t begin, size_t end)
{
    const struct NAME(others) *t = task;
    const size_t n = t->n, inner = t->inner;
    const real *restrict x = t->x;
    real *restrict out = t->out;
    for (size_t o = begin; o < end; o++)
        for (size_t column = 0; column < inner; column += ACROSS) {
            const size_t width = smaller(ACROSS, inner - column);
            OTHERS(, width, ACROSS, o * inner + column + i, (o * n + j) * inner + column + i)
        }
}

/* Units of TOGETHER rows. */
static void NAME(others_of_rows)(const void *task, size_t begin, size_t end)
{
    const struct NAME(others) *t = task;
    const size_t n = t->n;
    const real *restrict x = t->x;
    real *restrict out = t->out;
    for (size_t u = begin; u < end; u++) {
        size_t o = u * TOGETHER;
        if (o + TOGETHER <= t->outer)
            OTHERS(UNROLL, TOGETHER, TOGETHER, o + i, (o + i) * n + j)
        else
            for (; o < t->outer; o++)
                OTHERS(UNROLL, 1, 1, o + i, (o + i) * n + j)
    }
}
#undef OTHERS

/* ---- rows, by division ---- */
#define SIDE_BY_SIDE 32
#define AT_ONCE (sizeof(real) == 4 ? 8 : 1) /* whose product stays in the range of double */

/* Of each number, leave the fraction, in [1, 2), and add the exponent to its power. Not 0 if one is
 * 0, infinite, NaN, or too small for that. */
static inline int64_t NAME(fractions)(double *restrict part, int64_t *restrict power)
{
    int64_t strange = 0;
    for (size_t l = 0; l < SIDE_BY_SIDE; l++) {
        int64_t bits;
        memcpy(&bits, part + l, sizeof bits);
        const int64_t field = bits >> 52 & 2047;
        strange |= (field == 0) | (field == 2047);
        power[l] += field - 1023;
        bits = (bits & ~((int64_t)2047 << 52)) | (int64_t)1023 << 52;
        memcpy(part + l, &bits, sizeof bits);
    }
    return strange;
}

static void NAME(segment_products)(const void *task, size_t begin, size_t end)
{
    const struct NAME(others) *t = task;
    for (size_t u = begin; u < end; u++) {
        const size_t first = u % t->segments * FACTORS, count = smaller(FACTORS, t->n - first);
        const real *restrict x = t->x + u / t->segments * t->n + first;
        ON_A_LINE double part[SIDE_BY_SIDE];
        ON_A_LINE int64_t power[SIDE_BY_SIDE] = {0};
        int64_t strange = 0;
        for (size_t l = 0; l < SIDE_BY_SIDE; l++)
            part[l] = 1;
        for (size_t j = 0; j < count;) {
            const size_t stop = smaller(j + SIDE_BY_SIDE * AT_ONCE, count);
            for (; j + SIDE_BY_SIDE <= stop; j += SIDE_BY_SIDE)
                for (size_t l = 0; l < SIDE_BY_SIDE; l++)
                    part[l] *= (double)x[j + l];
            for (; j < stop; j++)
                part[j % SIDE_BY_SIDE] *= (double)x[j];
            strange |= NAME(fractions)(part, power);
        }
        double fraction = 1, all = 0;
        int exponent;
        for (size_t l = 0; l < SIDE_BY_SIDE; l++)
            fraction *= part[l], all += (double)power[l];
        t->fraction[u] = strange ? 0 : frexp(fraction, &exponent);
        t->power[u] = strange ? 0 : all + exponent;
    }
}

static void NAME(quotients)(const void *task, size_t begin, size_t end)
{
    const struct NAME(others) *t = task;
    const double least = sizeof(real) == 4 ? FLT_MIN : DBL_MIN;
    const double most = sizeof(real) == 4 ? FLT_MAX : DBL_MAX;
    for (size_t u = begin; u < end; u++) {
        const size_t o = u / t->segments, first = u % t->segments * FACTORS;
        const size_t count = smaller(FACTORS, t->n - first);
        const real *restrict x = t->x + o * t->n + first;
        real *restrict out = t->out + o * t->n + first;
        const double whole = t->whole[o];
        if (fabs(whole) >= least && fabs(whole) <= most)
            for (size_t j = 0; j < count; j++)
                out[j] = (real)whole / x[j];
        else
            for (size_t j = 0; j < count; j++)
                out[j] = (real)(whole / (double)x[j]);
    }
}

/* False where a number is 0 or infinite, or the product of doubles out of range, or there is no
 * memory: then `out` is left as it is. */
static bool NAME(divided)(struct NAME(others) t)
{
    const size_t units = t.outer * (t.segments = pieces(t.n, FACTORS));
    bool in_range = true;
    t.fraction = take_scratch((2 * units + t.outer) * sizeof(double));
    if (t.fraction == NULL)
        return false;
    t.power = t.fraction + units, t.whole = t.power + units;
    const size_t grain = grain_of(PIECE, (double)smaller(t.n, FACTORS));
    parallel_for(units, grain, NAME(segment_products), &t);
    for (size_t o = 0; o < t.outer && in_range; o++) {
        double fraction = (double)t.g[o], power = 0;
        for (size_t s = o * t.segments; s < (o + 1) * t.segments; s++) {
            int exponent;
            in_range = in_range && t.fraction[s] != 0;
            fraction = frexp(fraction * t.fraction[s], &exponent);
            power += t.power[s] + exponent;
        }
        /* of floats, such quotients are 0 or infinite */
        in_range = in_range && (fabs(power) < 1000 || sizeof(real) == 4);
        t.whole[o] = ldexp(fraction, (int)fmax(fmin(power, 1100), -1100));
    }
    if (in_range)
        parallel_for(units, grain, NAME(quotients), &t);
    give_scratch(t.fraction);
    return in_range;
}

KERNEL(prod_vjp0)(size_t outer, size_t n, size_t inner, ARRAY(const real, g, outer * inner),
                  ARRAY(const real, x, outer * n * inner), ARRAY(real, out, outer * n * inner))
{
    const struct NAME(others) task = {g, x, out, n, inner, outer, 0, NULL, NULL, NULL};
    const size_t grain = grain_of(PIECE / 4, (double)n * (double)inner);
    if (inner != 1)
        parallel_for(outer, grain, NAME(others_of_columns), &task);
    else if (n < FEW_FACTORS || !NAME(divided)(task))
        parallel_for(pieces(outer, TOGETHER), pieces(grain, TOGETHER), NAME(others_of_rows), &task);
}
#undef ACROSS
#undef TOGETHER
#undef FACTORS
#undef FEW_FACTORS
#undef SIDE_BY_SIDE
#undef AT_ONCE
