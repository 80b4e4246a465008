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
    size_t chunks; /* into which the columns of a block are cut: with few blocks, for the threads */
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

/* A unit of work: columns [first, first + width) of block o. */
struct NAME(columns) {
    size_t o, first, width;
};
#define FEWEST_COLUMNS 256
static struct NAME(columns) NAME(columns)(const struct NAME(along) *t, size_t unit)
{
    const size_t chunk = unit % t->chunks;
    const size_t first = t->inner * chunk / t->chunks, end = t->inner * (chunk + 1) / t->chunks;
    return (struct NAME(columns)){unit / t->chunks, first, end - first};
}

/* Run `body` for all units. */
static void NAME(each_block)(struct NAME(along) t, size_t outer,
                             void (*body)(const void *task, size_t begin, size_t end))
{
    t.wrong[0] = 0;
    t.chunks = outer < 16 ? larger(smaller(t.inner / FEWEST_COLUMNS, 16), 1) : 1;
    parallel_for(outer * t.chunks,
                 grain_of(PIECE / 4, (double)t.k * (double)(t.inner / t.chunks)), body, &t);
}

static void NAME(gather_along)(const void *task, size_t begin, size_t end)
{
    const struct NAME(along) *t = task;
    const size_t n = t->n, k = t->k, inner = t->inner;
    for (size_t u = begin; u < end; u++) {
        const struct NAME(columns) c = NAME(columns)(t, u);
        const real *from = t->x + c.o * n * inner + c.first;
        const int64_t *at = t->index + c.o * k * inner + c.first;
        real *restrict to = t->out + c.o * k * inner + c.first;
        if (inner == 1 && n > 0) { /* checked on the way: in the place of a wrong one, 0 is read */
            int beyond = 0;
            for (size_t j = 0; j < k; j++) {
                const size_t place = (size_t)at[j];
                to[j] = from[place < n ? place : 0];
                beyond |= place >= n;
            }
            if (beyond)
                SET_FLAG(t->wrong);
            continue;
        }
        for (size_t j = 0; j < k; j++, at += inner, to += inner) {
            if (!NAME(within)(at, c.width, n, t->wrong))
                return;
            for (size_t i = 0; i < c.width; i++)
                to[i] = from[(size_t)at[i] * inner + i];
        }
    }
}

/* out[o, j, i] = x[o, index[o, j, i], i] */
KERNEL(gather)(size_t outer, size_t n, size_t k, size_t inner,
               ARRAY(const real, x, outer * n * inner),
               ARRAY(const int64_t, index, outer * k * inner), ARRAY(uint8_t, wrong, 1),
               ARRAY(real, out, outer * k * inner))
{
    const struct NAME(along) task = {x, index, wrong, out, n, k, inner, 0, 1};
    NAME(each_block)(task, outer, NAME(gather_along));
}

/* Numbers added at their places in rows of n, in the order of the index. The places of a row are
 * divided into ranges for the threads, each of which goes through the whole index: what lies
 * outside its range is added to a number that nobody reads, which takes no branch. So each sum is
 * one thread's, and the same with any number of ranges. */
struct NAME(adding) {
    const real *from;
    const int64_t *index;
    uint8_t *wrong;
    real *out;
    size_t n, k, ranges;
    size_t next;  /* from one row's index to the next one's: k, or 0 if they share it */
    bool anew;    /* onto zeros, not onto what is there */
};
#define ASIDE 8 /* numbers that nobody reads, since each addition waits for the one before it */

/* A number has one part, or two if it is complex. */
INLINE void NAME(add_parts)(const struct NAME(adding) *t, size_t begin, size_t end,
                            const size_t parts)
{
    for (size_t u = begin; u < end; u++) {
        const size_t row = u / t->ranges, range = u % t->ranges, k = t->k;
        const size_t first = t->n * range / t->ranges;
        const size_t width = t->n * (range + 1) / t->ranges - first;
        const int64_t *at = t->index + row * t->next;
        const real *from = t->from + row * k * parts;
        real *restrict to = t->out + (row * t->n + first) * parts;
        if (t->anew)
            memset(to, 0, width * parts * sizeof(real));
        if (t->ranges == 1) {
            if (NAME(within)(at, k, t->n, t->wrong))
                for (size_t j = 0; j < k; j++)
                    for (size_t p = 0; p < parts; p++)
                        to[(size_t)at[j] * parts + p] += from[j * parts + p];
            continue;
        }
        real aside[ASIDE] = {0};
        int beyond = 0;
        for (size_t j = 0; j < k; j++) {
            const size_t place = (size_t)at[j];
            real *number = place - first < width ? to + (place - first) * parts
                                                 : aside + j * parts % ASIDE;
            for (size_t p = 0; p < parts; p++)
                number[p] += from[j * parts + p];
            beyond |= place >= t->n;
        }
        if (beyond)
            SET_FLAG(t->wrong);
    }
}
#undef ASIDE

static void NAME(add_in_range)(const void *task, size_t begin, size_t end)
{
    NAME(add_parts)(task, begin, end, 1);
}
static void NAME(add_pairs_in_range)(const void *task, size_t begin, size_t end)
{
    NAME(add_parts)(task, begin, end, 2);
}

static void NAME(add_numbers)(struct NAME(adding) t, size_t rows, bool pairs)
{
    const size_t threads = (size_t)get_threads();
    t.wrong[0] = 0;
    t.ranges = rows < threads && t.k > PIECE ? threads : 1;
    parallel_for(rows * t.ranges, grain_of(PIECE / 4, (double)(t.k / t.ranges)),
                 pairs ? NAME(add_pairs_in_range) : NAME(add_in_range), &t);
}

static void NAME(scatter_sum_along)(const void *task, size_t begin, size_t end)
{
    const struct NAME(along) *t = task;
    const size_t n = t->n, k = t->k, inner = t->inner;
    for (size_t u = begin; u < end; u++) {
        const struct NAME(columns) c = NAME(columns)(t, u);
        const real *from = t->x + c.o * k * inner + c.first;
        const int64_t *at = t->index + c.o * k * inner + c.first;
        real *restrict to = t->out + c.o * n * inner + c.first;
        if (c.width == inner)
            memset(to, 0, n * inner * sizeof(real));
        else
            for (size_t j = 0; j < n; j++)
                memset(to + j * inner, 0, c.width * sizeof(real));
        for (size_t j = 0; j < k; j++, at += inner, from += inner) {
            if (!NAME(within)(at, c.width, n, t->wrong))
                return;
            for (size_t i = 0; i < c.width; i++)
                to[(size_t)at[i] * inner + i] += from[i];
        }
    }
}

/* out = 0, and out[o, index[o, j, i], i] += g[o, j, i], in this order */
KERNEL(scatter_sum)(size_t outer, size_t n, size_t k, size_t inner,
                    ARRAY(const real, g, outer * k * inner),
                    ARRAY(const int64_t, index, outer * k * inner), ARRAY(uint8_t, wrong, 1),
                    ARRAY(real, out, outer * n * inner))
{
    const struct NAME(along) task = {g, index, wrong, out, n, k, inner, 0, 1};
    if (inner == 1)
        NAME(add_numbers)((struct NAME(adding)){g, index, wrong, out, n, k, 1, k, true}, outer,
                          false);
    else
        NAME(each_block)(task, outer, NAME(scatter_sum_along));
}

/* The same of complex numbers along the last dimension. */
KERNEL(scatter_sum_pairs)(size_t outer, size_t n, size_t k, ARRAY(const real, g, outer * k * 2),
                          ARRAY(const int64_t, index, outer * k), ARRAY(uint8_t, wrong, 1),
                          ARRAY(real, out, outer * n * 2))
{
    NAME(add_numbers)((struct NAME(adding)){g, index, wrong, out, n, k, 1, k, true}, outer, true);
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
    const struct NAME(along) task = {x, index, wrong, out, n, k, inner, 0, 1};
    wrong[0] = 0;
    if (!NAME(within)(index, k, n, wrong) || inner == 0)
        return;
    if (inner == 1)
        parallel_for(outer, grain_of(PIECE / 2, (double)k), NAME(take_numbers_along), &task);
    else
        parallel_for(outer * k, grain_of(PIECE, (double)inner), NAME(take_along), &task);
}

static void NAME(combine_along)(const void *task, size_t begin, size_t end)
{
    const struct NAME(along) *t = task;
    for (size_t u = begin; u < end; u++) {
        const struct NAME(columns) c = NAME(columns)(t, u);
        for (size_t j = 0; j < t->k; j++) {
            const real *restrict from = t->x + (c.o * t->k + j) * t->inner + c.first;
            real *restrict to = t->out + (c.o * t->n + (size_t)t->index[j]) * t->inner + c.first;
            if (t->kind == 0)
                for (size_t i = 0; i < c.width; i++)
                    to[i] += from[i];
            else if (t->kind == 1)
                for (size_t i = 0; i < c.width; i++)
                    to[i] *= from[i];
            else if (t->kind == 2)
                for (size_t i = 0; i < c.width; i++)
                    to[i] = FN(larger)(from[i], to[i]);
            else
                for (size_t i = 0; i < c.width; i++)
                    to[i] = FN(smaller)(from[i], to[i]);
        }
    }
}

/* out[o, index[j], i] += g[o, j, i], onto what is there; `kind` as in scatter */
KERNEL(combine_rows)(size_t outer, size_t n, size_t k, size_t inner, int kind,
                     ARRAY(const real, g, outer * k * inner), ARRAY(const int64_t, index, k),
                     ARRAY(uint8_t, wrong, 1), ARRAY(real, out, outer * n * inner))
{
    const struct NAME(along) task = {g, index, wrong, out, n, k, inner, kind, 1};
    wrong[0] = 0;
    if (inner == 1 && kind == 0)
        NAME(add_numbers)((struct NAME(adding)){g, index, wrong, out, n, k, 1, 0, false}, outer,
                          false);
    else if (NAME(within)(index, k, n, wrong))
        NAME(each_block)(task, outer, NAME(combine_along));
}

struct NAME(recurrence) {
    const real *a, *b;
    real *s;
    size_t n, inner;
};
static void NAME(recurrence_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(recurrence) *t = task;
    const size_t n = t->n, inner = t->inner;
    for (size_t o = begin; o < end; o++) {
        const size_t first = o * n * inner;
        memcpy(t->s + first, t->b + first, inner * sizeof(real));
        for (size_t p = first + inner; p < first + n * inner; p++)
            t->s[p] = t->b[p] + t->a[p] * t->s[p - inner];
    }
}

/* s[o, j, i] = b[o, j, i] + a[o, j, i] s[o, j - 1, i]; a plays no part in the first row. */
KERNEL(recurrence)(size_t outer, size_t n, size_t inner, ARRAY(const real, a, outer * n * inner),
                   ARRAY(const real, b, outer * n * inner), ARRAY(real, s, outer * n * inner))
{
    const struct NAME(recurrence) task = {a, b, s, n, inner};
    parallel_for(outer, grain_of(PIECE / 4, (double)n * (double)inner), NAME(recurrence_body),
                 &task);
}

/* Indices are checked just before they are used, while they are in the nearest cache. */
#define CHECKED 1024
#define WRITE(statement)                                                   \
    if (inner == 1)                                                        \
        for (size_t j = 0, end; j < k; j = end) {                          \
            end = j + smaller(CHECKED, k - j);                             \
            if (!NAME(within)(at + j, end - j, n, t->wrong))               \
                return;                                                    \
            for (size_t i = j; i < end; i++) {                             \
                real *restrict to = block + at[i];                         \
                const real b = from[i];                                    \
                statement;                                                 \
            }                                                              \
        }                                                                  \
    else                                                                   \
        for (size_t j = 0; j < k; j++, at += inner, from += inner) {       \
            if (!NAME(within)(at, c.width, n, t->wrong))                   \
                return;                                                    \
            for (size_t i = 0; i < c.width; i++) {                         \
                real *restrict to = block + (size_t)at[i] * inner + i;     \
                const real b = from[i];                                    \
                statement;                                                 \
            }                                                              \
        }
static void NAME(scatter_along)(const void *task, size_t begin, size_t end)
{
    const struct NAME(along) *t = task;
    const size_t n = t->n, k = t->k, inner = t->inner;
    for (size_t u = begin; u < end; u++) {
        const struct NAME(columns) c = NAME(columns)(t, u);
        const real *from = t->x + c.o * k * inner + c.first;
        const int64_t *at = t->index + c.o * k * inner + c.first;
        real *block = t->out + c.o * n * inner + c.first;
        if (t->kind == 0)
            WRITE(*to = b)
        else if (t->kind == 1)
            WRITE(*to *= b)
        else if (t->kind == 2)
            WRITE(*to = FN(maximum)(*to, b))
        else
            WRITE(*to = FN(minimum)(*to, b))
    }
}
#undef WRITE
#undef CHECKED

/* out[o, index[o, j, i], i] = src[o, j, i], in this order; `kind` 1: times it, 2: the larger of
 * both, 3: the smaller (NaN wins). */
KERNEL(scatter)(size_t outer, size_t n, size_t k, size_t inner, int kind,
                ARRAY(const int64_t, index, outer * k * inner),
                ARRAY(const real, src, outer * k * inner), ARRAY(uint8_t, wrong, 1),
                ARRAY(real, out, outer * n * inner))
{
    const struct NAME(along) task = {src, index, wrong, out, n, k, inner, kind, 1};
    NAME(each_block)(task, outer, NAME(scatter_along));
}

struct NAME(triangle) {
    const real *x;
    real *out;
    size_t n, m;
    int64_t diagonal;
    bool lower;
};
static void NAME(triangle_body)(const void *task, size_t begin, size_t end_)
{
    const struct NAME(triangle) *t = task;
    for (size_t row = begin; row < end_; row++) {
        const int64_t edge = (int64_t)(row % t->n) + t->diagonal + t->lower;
        const size_t m = t->m, at = edge < 0 ? 0 : smaller((size_t)edge, m);
        const size_t first = t->lower ? 0 : at, end = t->lower ? at : m;
        real *out = t->out + row * m;
        memset(out, 0, first * sizeof(real));
        memcpy(out + first, t->x + row * m + first, (end - first) * sizeof(real));
        memset(out + end, 0, (m - end) * sizeof(real));
    }
}

/* Matrices of n rows and m columns, with 0 above the diagonal (`lower`) or below it. It begins at
 * column `diagonal` of the first row. */
KERNEL(triangle)(size_t outer, size_t n, size_t m, int lower, int64_t diagonal,
                 ARRAY(const real, x, outer * n * m), ARRAY(real, out, outer * n * m))
{
    const struct NAME(triangle) task = {x, out, n, m, diagonal, lower != 0};
    parallel_for(outer * n, grain_of(PIECE, (double)m), NAME(triangle_body), &task);
}
#undef FEWEST_COLUMNS
