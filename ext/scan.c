/* scan.c - running sums and products along a dimension, and numbers at equal distances.
 *
 * An array is seen as `outer` blocks of `n` rows of `inner` numbers, as in reduce.c. A running sum
 * waits for the one before it, so a row takes the time of n additions, one after the other; where
 * inner > 1, `SCAN` columns go side by side, and else `ABREAST` rows, whose sums are in registers.
 * Sums and products are kept in double, as PyTorch keeps them. */
#define SCAN 64
#define ABREAST 8

struct NAME(scan) {
    const real *x;
    real *out;
    size_t n, inner, outer;
};

/* SCAN columns of a block, or as many as are left; or two, which are complex numbers. */
#define RUNNING(begin, NEXT, most, columns)                                \
    {                                                                      \
        const size_t o = u / strips, column = u % strips * SCAN;           \
        const size_t width = columns;                                      \
        ON_A_LINE double total[most];                                      \
        for (size_t i = 0; i < width; i++)                                 \
            total[i] = begin;                                              \
        for (size_t j = 0; j < n; j++) {                                   \
            const size_t at = (o * n + j) * inner + column;                \
            for (size_t i = 0; i < width; i++) {                           \
                NEXT(total[i], x[at + i]);                                 \
                out[at + i] = (real)total[i];                              \
            }                                                              \
        }                                                                  \
    }

/* ABREAST rows go through blocks: read and written directly, rows that are a multiple of 4096 bytes
 * apart would throw each other out of the cache at every number, which takes ten times as long. */
#define STAGE 64
typedef real NAME(blocks)[ABREAST][STAGE + 16];

static inline void NAME(take_block)(NAME(blocks) block, const real *from, size_t n, size_t count)
{
    for (size_t i = 0; i < ABREAST; i++, from += n)
        if (count == STAGE)
            memcpy(block[i], from, STAGE * sizeof(real));
        else
            memcpy(block[i], from, count * sizeof(real));
}

static inline void NAME(give_block)(real *to, NAME(blocks) block, size_t n, size_t count)
{
    for (size_t i = 0; i < ABREAST; i++, to += n)
        if (count == STAGE)
            memcpy(to, block[i], STAGE * sizeof(real));
        else
            memcpy(to, block[i], count * sizeof(real));
}

#define RUNNING_ROWS(begin, NEXT)                                          \
    {                                                                      \
        ON_A_LINE NAME(blocks) block;                                      \
        double total[ABREAST];                                             \
        UNROLL for (size_t i = 0; i < ABREAST; i++)                        \
            total[i] = begin;                                              \
        for (size_t j = 0, m; j < n; j += m) {                             \
            m = smaller(STAGE, n - j);                                     \
            NAME(take_block)(block, x + o * n + j, n, m);                  \
            for (size_t k = 0; k < m; k++)                                 \
                UNROLL for (size_t i = 0; i < ABREAST; i++) {              \
                    NEXT(total[i], block[i][k]);                           \
                    block[i][k] = (real)total[i];                          \
                }                                                          \
            NAME(give_block)(out + o * n + j, block, n, m);                \
        }                                                                  \
    }

/* A single row. */
#define RUNNING_ROW(begin, NEXT)                                           \
    {                                                                      \
        double total = begin;                                              \
        for (size_t j = 0; j < n; j++)                                     \
            out[o * n + j] = (real)(NEXT(total, x[o * n + j]));            \
    }

/* A unit is SCAN columns of a block or, where inner is 1, ABREAST blocks. */
#define SCAN_OF(name, begin_, NEXT)                                        \
    static void NAME(name)(const void *task, size_t begin, size_t end)     \
    {                                                                      \
        const struct NAME(scan) *t = task;                                 \
        const size_t n = t->n, inner = t->inner, strips = pieces(inner, SCAN); \
        const real *restrict x = t->x;                                     \
        real *restrict out = t->out;                                       \
        for (size_t u = begin; u < end && inner == 2; u++)                 \
            RUNNING(begin_, NEXT, 2, 2)                                    \
        for (size_t u = begin; u < end && inner > 2; u++)                  \
            RUNNING(begin_, NEXT, SCAN, smaller(SCAN, inner - column))     \
        for (size_t u = begin; u < end && inner == 1; u++) {               \
            size_t o = u * ABREAST;                                        \
            if (o + ABREAST <= t->outer)                                   \
                RUNNING_ROWS(begin_, NEXT)                                 \
            else                                                           \
                for (; o < t->outer; o++)                                  \
                    RUNNING_ROW(begin_, NEXT)                              \
        }                                                                  \
    }
/* log(e^a + e^b); of equal infinities, that one. */
INLINE double NAME(log_sum)(double a, double b)
{
    const double top = ((a < b) | (b != b)) ? b : a;
    return a == b ? a + 0.6931471805599453 : top + fn_log1p_f64(fn_exp_f64(-fabs(a - b)));
}
#define PLUS(total, x) total += x
#define TIMES(total, x) total *= x
#define LOG_SUM(total, x) total = NAME(log_sum)(total, x)
SCAN_OF(cumsum_body, 0, PLUS)
SCAN_OF(cumprod_body, 1, TIMES)
SCAN_OF(logcumsumexp_body, -INFINITY, LOG_SUM)
#undef PLUS
#undef TIMES
#undef LOG_SUM
#undef RUNNING
#undef RUNNING_ROWS
#undef RUNNING_ROW
#undef SCAN_OF

/* Run `body` for all units. */
static void NAME(scan_units)(size_t outer, size_t n, size_t inner,
                             void (*body)(const void *task, size_t begin, size_t end),
                             const void *task)
{
    const size_t units = inner == 1 ? pieces(outer, ABREAST) : outer * pieces(inner, SCAN);
    const double each = (double)n * (double)(inner == 1 ? ABREAST : smaller(inner, SCAN));
    parallel_for(units, grain_of(PIECE / 4, each), body, task);
}

/* A long row of floats is cut into segments, of which ABREAST go side by side. Their sums come
 * first, then each segment begins with the sum of those before: two passes, neither of which waits
 * for every addition. `backwards`: from the row's end, and of the products g x. */
#define SEGMENT 2000 /* and not 2048, for the reason above */
struct NAME(long_row) {
    const real *g, *x, *divisor;
    real *out;
    double *total;
    size_t n;
    bool backwards;
};

static void NAME(segment_sums)(const void *task, size_t begin, size_t end)
{
    const struct NAME(long_row) *t = task;
    for (size_t s = begin; s < end; s++) {
        const size_t first = s * SEGMENT, last = smaller(first + SEGMENT, t->n);
        double part[8] = {0};
        for (size_t j = first; j + 8 <= last; j += 8)
            for (size_t k = 0; k < 8; k++)
                part[k] += t->g == NULL ? (double)t->x[j + k] : (double)(t->g[j + k] * t->x[j + k]);
        for (size_t j = last - (last - first) % 8; j < last; j++)
            part[0] += t->g == NULL ? (double)t->x[j] : (double)(t->g[j] * t->x[j]);
        t->total[s] = ((part[0] + part[1]) + (part[2] + part[3])) +
                      ((part[4] + part[5]) + (part[6] + part[7]));
    }
}

/* Units of ABREAST segments; those of the last unit one after the other. */
static void NAME(segments_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(long_row) *t = task;
    const size_t n = t->n;
    for (size_t u = begin; u < end; u++) {
        const size_t first = u * ABREAST * SEGMENT;
        double total[ABREAST];
        for (size_t i = 0; i < ABREAST && first + i * SEGMENT < n; i++)
            total[i] = t->total[u * ABREAST + i];
        if (first + ABREAST * SEGMENT <= n && !t->backwards)
            for (size_t j = 0; j < SEGMENT; j++)
                UNROLL for (size_t i = 0; i < ABREAST; i++) {
                    const size_t at = first + i * SEGMENT + j;
                    t->out[at] = (real)(total[i] += t->x[at]);
                }
        else if (first + ABREAST * SEGMENT <= n)
            for (size_t j = SEGMENT; j-- > 0;)
                UNROLL for (size_t i = 0; i < ABREAST; i++) {
                    const size_t at = first + i * SEGMENT + j;
                    total[i] += t->g[at] * t->x[at];
                    t->out[at] = (real)total[i] / t->divisor[at];
                }
        else
            for (size_t i = 0; i < ABREAST && first + i * SEGMENT < n; i++) {
                const size_t from = first + i * SEGMENT, to = smaller(from + SEGMENT, n);
                for (size_t j = from; j < to; j++) {
                    const size_t at = t->backwards ? from + to - 1 - j : j;
                    total[i] += t->g == NULL ? t->x[at] : t->g[at] * t->x[at];
                    t->out[at] = (real)total[i];
                    if (t->backwards)
                        t->out[at] /= t->divisor[at];
                }
            }
    }
}

/* False where there is no memory for the sums: then nothing is done. */
static bool NAME(long_row)(struct NAME(long_row) t)
{
    const size_t count = pieces(t.n, SEGMENT);
    t.total = take_scratch(count * sizeof(double));
    if (t.total == NULL)
        return false;
    parallel_for(count, grain_of(PIECE, SEGMENT), NAME(segment_sums), &t);
    double before = 0;
    for (size_t k = 0; k < count; k++) {
        const size_t s = t.backwards ? count - 1 - k : k;
        const double own = t.total[s];
        t.total[s] = before, before += own;
    }
    parallel_for(pieces(count, ABREAST), grain_of(PIECE, SEGMENT * ABREAST), NAME(segments_body),
                 &t);
    give_scratch(t.total);
    return true;
}

KERNEL(cumsum)(size_t outer, size_t n, size_t inner, ARRAY(const real, x, outer * n * inner),
               ARRAY(real, out, outer * n * inner))
{
    if (sizeof(real) == sizeof(float) && outer * inner == 1 && n > 4 * SEGMENT &&
        NAME(long_row)((struct NAME(long_row)){NULL, x, NULL, out, NULL, n, false}))
        return;
    const struct NAME(scan) task = {x, out, n, inner, outer};
    NAME(scan_units)(outer, n, inner, NAME(cumsum_body), &task);
}

KERNEL(cumprod)(size_t outer, size_t n, size_t inner, ARRAY(const real, x, outer * n * inner),
                ARRAY(real, out, outer * n * inner))
{
    const struct NAME(scan) task = {x, out, n, inner, outer};
    NAME(scan_units)(outer, n, inner, NAME(cumprod_body), &task);
}

KERNEL(logcumsumexp)(size_t outer, size_t n, size_t inner,
                     ARRAY(const real, x, outer * n * inner),
                     ARRAY(real, out, outer * n * inner))
{
    const struct NAME(scan) task = {x, out, n, inner, outer};
    NAME(scan_units)(outer, 16 * n, inner, NAME(logcumsumexp_body), &task);
}

/* cumprod's derivative where no product is 0: the sum of g out from each place on, over x. */
#define FROM_THE_END(unroll, width, most, at)                              \
    {                                                                      \
        ON_A_LINE double total[most] = {0};                                \
        for (size_t j = n; j-- > 0;)                                       \
            unroll for (size_t i = 0; i < width; i++) {                    \
                total[i] += t->g[at] * value[at];                          \
                out[at] = (real)total[i] / t->x[at];                       \
            }                                                              \
    }
struct NAME(from_the_end) {
    const real *g, *value, *x;
    real *out;
    size_t n, inner, outer;
};
/* ABREAST rows, by blocks. */
static void NAME(rows_from_the_end)(const struct NAME(from_the_end) *t, size_t o)
{
    ON_A_LINE NAME(blocks) g, value, x;
    const size_t n = t->n;
    double total[ABREAST] = {0};
    for (size_t left = n, m; left > 0; left -= m) {
        const size_t at = o * n + left - (m = left % STAGE ? left % STAGE : STAGE);
        NAME(take_block)(g, t->g + at, n, m);
        NAME(take_block)(value, t->value + at, n, m);
        NAME(take_block)(x, t->x + at, n, m);
        for (size_t k = m; k-- > 0;)
            UNROLL for (size_t i = 0; i < ABREAST; i++) {
                total[i] += g[i][k] * value[i][k];
                g[i][k] = (real)total[i] / x[i][k];
            }
        NAME(give_block)(t->out + at, g, n, m);
    }
}

static void NAME(cumprod_vjp0_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(from_the_end) *t = task;
    const size_t n = t->n, inner = t->inner;
    const real *restrict value = t->value;
    real *restrict out = t->out;
    for (size_t u = begin, strips = pieces(inner, SCAN); u < end && inner != 1; u++) {
        const size_t o = u / strips, column = u % strips * SCAN;
        const size_t width = smaller(SCAN, inner - column);
        FROM_THE_END(, width, SCAN, (o * n + j) * inner + column + i)
    }
    for (size_t u = begin; u < end && inner == 1; u++) {
        size_t o = u * ABREAST;
        if (o + ABREAST <= t->outer)
            NAME(rows_from_the_end)(t, o);
        else
            for (; o < t->outer; o++)
                FROM_THE_END(, 1, 1, o * n + j + i)
    }
}
#undef FROM_THE_END

/* `zero` becomes 1, and nothing else is done, where a product is 0. */
KERNEL(cumprod_vjp0)(size_t outer, size_t n, size_t inner,
                     ARRAY(const real, g, outer * n * inner),
                     ARRAY(const real, value, outer * n * inner),
                     ARRAY(const real, x, outer * n * inner), ARRAY(uint8_t, zero, 1),
                     ARRAY(real, out, outer * n * inner))
{
    int any = 0;
    for (size_t i = 0; i < outer * n * inner; i++)
        any |= value[i] == 0;
    if ((zero[0] = (uint8_t)any))
        return;
    if (sizeof(real) == sizeof(float) && outer * inner == 1 && n > 4 * SEGMENT &&
        NAME(long_row)((struct NAME(long_row)){g, value, x, out, NULL, n, true}))
        return;
    const struct NAME(from_the_end) task = {g, value, x, out, n, inner, outer};
    NAME(scan_units)(outer, n, inner, NAME(cumprod_vjp0_body), &task);
}

struct NAME(spacing) {
    double first, step, last;
    real *out;
    size_t n;
};

static void NAME(spaced_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(spacing) *t = task;
    const size_t n = t->n, half = n / 2;
    real *restrict out = t->out;
    const real first = (real)t->first, step = (real)t->step, last = (real)t->last;
    for (size_t i = begin; i < smaller(end, half); i++)
        out[i] = (real)(sizeof(real) == 4 ? fmaf((float)i, (float)step, (float)first)
                                             : fma((double)i, step, first));
    for (size_t i = larger(begin, half); i < end; i++)
        out[i] = (real)(sizeof(real) == 4 ? fmaf((float)(n - 1 - i), -(float)step, (float)last)
                                             : fma((double)(n - 1 - i), -step, last));
}

/* n numbers from `first` on, `step` apart; the second half is counted from `last` backwards. Each
 * is rounded once. */
KERNEL(spaced)(size_t n, real first, real step, real last, ARRAY(real, out, n))
{
    const struct NAME(spacing) task = {first, step, last, out, n};
    parallel_for(n, PIECE, NAME(spaced_body), &task);
}

static void NAME(stepped_body)(const void *task, size_t begin, size_t end)
{
    enum { EACH = 32 / sizeof(real) }; /* two of which divide PIECE */
    const struct NAME(spacing) *t = task;
    const size_t whole = t->n - t->n % (2 * EACH);
    const double first = t->first, by = t->step;
    real *restrict out = t->out;
    for (size_t i = begin; i < smaller(end, whole); i += EACH) {
        const real base = (real)fma((double)i, by, first);
        out[i] = base;
        for (size_t k = 1; k < EACH; k++)
            out[i + k] = (real)fma((double)k, by, (double)base);
    }
    for (size_t i = larger(begin, whole); i < end; i++)
        out[i] = (real)fma((double)i, by, first);
}

/* first + i * by, as PyTorch's arange takes it: 32 bytes at a time, of which the first number is
 * rounded and the others add a multiple of `by` to it; what does not fill two such vectors, one by
 * one. All in double, rounded once to it and once to the result. */
KERNEL(stepped)(size_t n, double first, double by, ARRAY(real, out, n))
{
    const struct NAME(spacing) task = {first, by, 0, out, n};
    parallel_for(n, PIECE, NAME(stepped_body), &task);
}
#undef SEGMENT
#undef STAGE
#undef SCAN
#undef ABREAST
