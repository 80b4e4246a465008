/* along.c - elements read and added up along one dimension, and recurrences along it.
 *
 * An array is seen as `outer` blocks of `n` rows of `inner` numbers: the dimensions before the one
 * in question, it, and those after it. An index has `k` rows in each block. Where one is not in
 * [0, n), `wrong` becomes 1 and the result is unfinished: then Python takes numpy's way, which
 * knows negative indices and raises for those out of range. */

/* What a loop over blocks reads and writes; x is read at the index, or the source of what is
 * written there. */
struct NAME(along) {
    const real *x;
    const int64_t *index;
    uint8_t *wrong;
    real *out;
    size_t n, k, inner;
    int kind;
};

/* Is none of these indices beyond n? If one is, `wrong` is set, by whichever thread finds it. */
static bool NAME(within)(const int64_t *index, size_t count, size_t n, uint8_t *wrong)
{
    int any = 0;
    for (size_t i = 0; i < count; i++)
        any |= (uint64_t)index[i] >= n;
    if (any)
        SET_FLAG(wrong);
    return !any;
}

/* Run `body` for all blocks. */
static void NAME(each_block)(struct NAME(along) t, size_t outer,
                             void (*body)(const void *task, size_t begin, size_t end))
{
    t.wrong[0] = 0;
    parallel_for(outer, grain_of(PIECE / 4, (double)t.k * (double)t.inner), body, &t);
}

static void NAME(gather_along)(const void *task, size_t begin, size_t end)
{
    const struct NAME(along) *t = task;
    const size_t n = t->n, k = t->k, inner = t->inner;
    for (size_t o = begin; o < end; o++) {
        const real *from = t->x + o * n * inner;
        const int64_t *at = t->index + o * k * inner;
        real *restrict to = t->out + o * k * inner;
        if (!NAME(within)(at, k * inner, n, t->wrong))
            return;
        if (inner == 1)
            for (size_t j = 0; j < k; j++)
                to[j] = from[at[j]];
        else
            for (size_t j = 0; j < k; j++, at += inner, to += inner)
                for (size_t i = 0; i < inner; i++)
                    to[i] = from[(size_t)at[i] * inner + i];
    }
}

/* out[o, j, i] = x[o, index[o, j, i], i] */
KERNEL(gather)(size_t outer, size_t n, size_t k, size_t inner,
               ARRAY(const real, x, outer * n * inner),
               ARRAY(const int64_t, index, outer * k * inner), ARRAY(uint8_t, wrong, 1),
               ARRAY(real, out, outer * k * inner))
{
    const struct NAME(along) task = {x, index, wrong, out, n, k, inner, 0};
    NAME(each_block)(task, outer, NAME(gather_along));
}

static void NAME(scatter_sum_along)(const void *task, size_t begin, size_t end)
{
    const struct NAME(along) *t = task;
    const size_t n = t->n, k = t->k, inner = t->inner;
    for (size_t o = begin; o < end; o++) {
        const real *from = t->x + o * k * inner;
        const int64_t *at = t->index + o * k * inner;
        real *restrict to = t->out + o * n * inner;
        if (!NAME(within)(at, k * inner, n, t->wrong))
            return;
        memset(to, 0, n * inner * sizeof(real));
        if (inner == 1)
            for (size_t j = 0; j < k; j++)
                to[at[j]] += from[j];
        else
            for (size_t j = 0; j < k; j++, at += inner, from += inner)
                for (size_t i = 0; i < inner; i++)
                    to[(size_t)at[i] * inner + i] += from[i];
    }
}

/* out = 0, and out[o, index[o, j, i], i] += g[o, j, i], in this order */
KERNEL(scatter_sum)(size_t outer, size_t n, size_t k, size_t inner,
                    ARRAY(const real, g, outer * k * inner),
                    ARRAY(const int64_t, index, outer * k * inner), ARRAY(uint8_t, wrong, 1),
                    ARRAY(real, out, outer * n * inner))
{
    const struct NAME(along) task = {g, index, wrong, out, n, k, inner, 0};
    NAME(each_block)(task, outer, NAME(scatter_sum_along));
}

static void NAME(take_along)(const void *task, size_t begin, size_t end)
{
    const struct NAME(along) *t = task;
    const size_t k = t->k, inner = t->inner;
    for (size_t row = begin; row < end; row++) {
        const size_t o = row / k;
        const int64_t at = t->index[row % k];
        NAME(copy_row)(t->out + row * inner, t->x + (o * t->n + (size_t)at) * inner,
                       (int64_t)inner);
    }
}

static void NAME(take_numbers_along)(const void *task, size_t begin, size_t end)
{
    const struct NAME(along) *t = task;
    const size_t k = t->k;
    for (size_t o = begin; o < end; o++) {
        const real *from = t->x + o * t->n;
        real *restrict to = t->out + o * k;
        for (size_t j = 0; j < k; j++)
            to[j] = from[t->index[j]];
    }
}

/* out[o, j, i] = x[o, index[j], i] */
KERNEL(take)(size_t outer, size_t n, size_t k, size_t inner,
             ARRAY(const real, x, outer * n * inner), ARRAY(const int64_t, index, k),
             ARRAY(uint8_t, wrong, 1), ARRAY(real, out, outer * k * inner))
{
    const struct NAME(along) task = {x, index, wrong, out, n, k, inner, 0};
    wrong[0] = 0;
    if (!NAME(within)(index, k, n, wrong) || inner == 0)
        return;
    if (inner == 1)
        parallel_for(outer, grain_of(PIECE / 2, (double)k), NAME(take_numbers_along), &task);
    else
        parallel_for(outer * k, grain_of(PIECE, (double)inner), NAME(take_along), &task);
}

/* out[o, index[j], i] += g[o, j, i], onto what is there; `kind` as in scatter */
KERNEL(combine_rows)(size_t outer, size_t n, size_t k, size_t inner, int kind,
                     ARRAY(const real, g, outer * k * inner), ARRAY(const int64_t, index, k),
                     ARRAY(uint8_t, wrong, 1), ARRAY(real, out, outer * n * inner))
{
    wrong[0] = 0;
    for (size_t j = 0; j < k; j++)
        if ((uint64_t)index[j] >= n) {
            wrong[0] = 1;
            return;
        }
    for (size_t o = 0; o < outer; o++)
        for (size_t j = 0; j < k; j++) {
            const real *restrict from = g + (o * k + j) * inner;
            real *restrict to = out + (o * n + (size_t)index[j]) * inner;
            if (kind == 0)
                for (size_t i = 0; i < inner; i++)
                    to[i] += from[i];
            else if (kind == 1)
                for (size_t i = 0; i < inner; i++)
                    to[i] *= from[i];
            else if (kind == 2)
                for (size_t i = 0; i < inner; i++)
                    to[i] = FN(maximum)(from[i], to[i]);
            else
                for (size_t i = 0; i < inner; i++)
                    to[i] = FN(minimum)(from[i], to[i]);
        }
}

/* s[o, j, i] = b[o, j, i] + a[o, j, i] s[o, j - 1, i]; a plays no part in the first row. */
KERNEL(recurrence)(size_t outer, size_t n, size_t inner, ARRAY(const real, a, outer * n * inner),
                   ARRAY(const real, b, outer * n * inner), ARRAY(real, s, outer * n * inner))
{
    for (size_t o = 0; o < outer; o++) {
        const size_t first = o * n * inner;
        memcpy(s + first, b + first, inner * sizeof(real));
        for (size_t p = first + inner; p < first + n * inner; p++)
            s[p] = b[p] + a[p] * s[p - inner];
    }
}

#define WRITE(statement)                                                   \
    if (inner == 1)                                                        \
        for (size_t j = 0; j < k; j++) {                                   \
            real *restrict to = block + at[j];                             \
            const real b = from[j];                                        \
            statement;                                                     \
        }                                                                  \
    else                                                                   \
        for (size_t j = 0; j < k; j++, at += inner, from += inner)         \
            for (size_t i = 0; i < inner; i++) {                           \
                real *restrict to = block + (size_t)at[i] * inner + i;     \
                const real b = from[i];                                    \
                statement;                                                 \
            }
static void NAME(scatter_along)(const void *task, size_t begin, size_t end)
{
    const struct NAME(along) *t = task;
    const size_t n = t->n, k = t->k, inner = t->inner;
    for (size_t o = begin; o < end; o++) {
        const real *from = t->x + o * k * inner;
        const int64_t *at = t->index + o * k * inner;
        real *block = t->out + o * n * inner;
        if (!NAME(within)(at, k * inner, n, t->wrong))
            return;
        if (t->kind == 0)
            WRITE(*to = b)
        else if (t->kind == 1)
            WRITE(*to *= b)
        else if (t->kind == 2)
            WRITE(*to = b > *to || b != b ? b : *to)
        else
            WRITE(*to = b < *to || b != b ? b : *to)
    }
}
#undef WRITE

/* out[o, index[o, j, i], i] = src[o, j, i], in this order; `kind` 1: times it, 2: the larger of
 * both, 3: the smaller (NaN wins). */
KERNEL(scatter)(size_t outer, size_t n, size_t k, size_t inner, int kind,
                ARRAY(const int64_t, index, outer * k * inner),
                ARRAY(const real, src, outer * k * inner), ARRAY(uint8_t, wrong, 1),
                ARRAY(real, out, outer * n * inner))
{
    const struct NAME(along) task = {src, index, wrong, out, n, k, inner, kind};
    NAME(each_block)(task, outer, NAME(scatter_along));
}

/* Weighted sums of a few elements along one dimension:
 *
 *     out[o, j, i] = sum over t of weight[t, j] x[o, index[t, j], i]
 *
 * and the way back, which adds each number of g where it was read. */
static inline int NAME(outside)(const int64_t *index, size_t count, size_t n)
{
    int any = 0;
    for (size_t j = 0; j < count; j++)
        any |= (uint64_t)index[j] >= n;
    return any;
}

KERNEL(taps)(size_t outer, size_t n, size_t k, size_t inner, size_t count,
             ARRAY(const real, x, outer * n * inner), ARRAY(const int64_t, index, count * k),
             ARRAY(const real, weight, count * k), ARRAY(uint8_t, wrong, 1),
             ARRAY(real, out, outer * k * inner))
{
    if ((wrong[0] = (uint8_t)NAME(outside)(index, count * k, n)))
        return;
    for (size_t o = 0; o < outer; o++)
        for (size_t t = 0; t < count; t++) {
            const int64_t *restrict at = index + t * k;
            const real *restrict w = weight + t * k;
            const real *restrict from = x + o * n * inner;
            real *restrict to = out + o * k * inner;
            if (inner == 1 && t == 0)
                for (size_t j = 0; j < k; j++)
                    to[j] = w[j] * from[at[j]];
            else if (inner == 1)
                for (size_t j = 0; j < k; j++)
                    to[j] += w[j] * from[at[j]];
            else
                for (size_t j = 0; j < k; j++) {
                    const real *restrict row = from + (size_t)at[j] * inner;
                    if (t == 0)
                        for (size_t i = 0; i < inner; i++)
                            to[j * inner + i] = w[j] * row[i];
                    else
                        for (size_t i = 0; i < inner; i++)
                            to[j * inner + i] += w[j] * row[i];
                }
        }
}

KERNEL(taps_vjp0)(size_t outer, size_t n, size_t k, size_t inner, size_t count,
                  ARRAY(const real, g, outer * k * inner), ARRAY(const int64_t, index, count * k),
                  ARRAY(const real, weight, count * k), ARRAY(uint8_t, wrong, 1),
                  ARRAY(real, out, outer * n * inner))
{
    if ((wrong[0] = (uint8_t)NAME(outside)(index, count * k, n)))
        return;
    memset(out, 0, outer * n * inner * sizeof(real));
    for (size_t o = 0; o < outer; o++)
        for (size_t t = 0; t < count; t++)
            for (size_t j = 0; j < k; j++) {
                const real w = weight[t * k + j];
                const real *restrict from = g + (o * k + j) * inner;
                real *restrict to = out + (o * n + (size_t)index[t * k + j]) * inner;
                for (size_t i = 0; i < inner; i++)
                    to[i] += w * from[i];
            }
}

/* Matrices of n rows and m columns, with 0 above the diagonal (`lower`) or below it. It begins at
 * column `diagonal` of the first row. */
KERNEL(triangle)(size_t outer, size_t n, size_t m, int lower, int64_t diagonal,
                 ARRAY(const real, x, outer * n * m), ARRAY(real, out, outer * n * m))
{
    for (size_t row = 0; row < outer * n; row++) {
        const int64_t edge = (int64_t)(row % n) + diagonal + lower;
        const size_t at = edge < 0 ? 0 : smaller((size_t)edge, m);
        const size_t begin = lower ? 0 : at, end = lower ? at : m;
        memset(out + row * m, 0, m * sizeof(real));
        memcpy(out + row * m + begin, x + row * m + begin, (end - begin) * sizeof(real));
    }
}
