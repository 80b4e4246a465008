/* scan.c - running sums, products and extremes along a dimension, products over one, and the order
 * of keys.
 *
 * An array is seen as `outer` blocks of `n` rows of `inner` numbers, as in reduce.c. A running sum
 * waits for the one before it, so a row takes the time of n additions, one after the other; where
 * inner > 1, `SCAN` columns go side by side, and else `ABREAST` rows, whose sums are in registers.
 * Sums and products are kept in double, as PyTorch keeps them. */
#define SCAN 64
#define ABREAST 8

struct NAME(scan) {
    const real *g, *x;
    real *out;
    size_t n, inner, outer;
};

/* Columns of a block. */
#define RUNNING(begin, step)                                               \
    for (size_t column = 0; column < inner; column += SCAN) {              \
        const size_t width = smaller(SCAN, inner - column);                \
        double total[SCAN];                                                \
        for (size_t i = 0; i < width; i++)                                 \
            total[i] = begin;                                              \
        for (size_t j = 0; j < n; j++) {                                   \
            const size_t at = (o * n + j) * inner + column;                \
            for (size_t i = 0; i < width; i++) {                           \
                total[i] step x[at + i];                                   \
                out[at + i] = (real)total[i];                              \
            }                                                              \
        }                                                                  \
    }

/* `count` rows, from row o on. */
#define RUNNING_ROWS(count, begin, step)                                   \
    {                                                                      \
        double total[count];                                               \
        UNROLL for (size_t i = 0; i < count; i++)                          \
            total[i] = begin;                                              \
        for (size_t j = 0; j < n; j++)                                     \
            UNROLL for (size_t i = 0; i < count; i++) {                    \
                total[i] step x[(o + i) * n + j];                          \
                out[(o + i) * n + j] = (real)total[i];                     \
            }                                                              \
    }

/* A unit is a block or, where inner is 1, ABREAST of them. */
#define SCAN_OF(name, begin_, step)                                        \
    static void NAME(name)(const void *task, size_t begin, size_t end)     \
    {                                                                      \
        const struct NAME(scan) *t = task;                                 \
        const size_t n = t->n, inner = t->inner;                           \
        const real *restrict x = t->x;                                     \
        real *restrict out = t->out;                                       \
        if (inner != 1)                                                    \
            for (size_t o = begin; o < end; o++)                           \
                RUNNING(begin_, step)                                      \
        for (size_t u = begin; u < end && inner == 1; u++) {               \
            size_t o = u * ABREAST;                                        \
            if (o + ABREAST <= t->outer)                                   \
                RUNNING_ROWS(ABREAST, begin_, step)                        \
            else                                                           \
                for (; o < t->outer; o++)                                  \
                    RUNNING_ROWS(1, begin_, step)                          \
        }                                                                  \
    }
SCAN_OF(cumsum_body, 0, +=)
SCAN_OF(cumprod_body, 1, *=)
#undef RUNNING
#undef RUNNING_ROWS
#undef SCAN_OF

/* Run `body` for all units. */
static void NAME(scanned)(struct NAME(scan) t,
                          void (*body)(const void *task, size_t begin, size_t end))
{
    const size_t unit = t.inner == 1 ? ABREAST : 1;
    parallel_for(pieces(t.outer, unit),
                 grain_of(PIECE / 4, (double)t.n * (double)t.inner * (double)unit), body, &t);
}

KERNEL(cumsum)(size_t outer, size_t n, size_t inner, ARRAY(const real, x, outer * n * inner),
               ARRAY(real, out, outer * n * inner))
{
    NAME(scanned)((struct NAME(scan)){NULL, x, out, n, inner, outer}, NAME(cumsum_body));
}

KERNEL(cumprod)(size_t outer, size_t n, size_t inner, ARRAY(const real, x, outer * n * inner),
                ARRAY(real, out, outer * n * inner))
{
    NAME(scanned)((struct NAME(scan)){NULL, x, out, n, inner, outer}, NAME(cumprod_body));
}

/* Where the largest (with `smallest`, the smallest) element up to each place lies: of equal ones
 * the last; after a NaN only another NaN takes its place. */
KERNEL(running_extreme)(size_t outer, size_t n, size_t inner, int smallest,
                        ARRAY(const real, x, outer * n * inner),
                        ARRAY(int64_t, index, outer * n * inner))
{
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < inner; i++) {
            size_t best = 0;
            real extreme = 0;
            for (size_t j = 0; j < n; j++) {
                const size_t at = (o * n + j) * inner + i;
                const real v = x[at];
                if (j == 0 || v != v || (smallest ? v <= extreme : v >= extreme))
                    best = j, extreme = v;
                index[at] = (int64_t)best;
            }
        }
}

/* Products over the rows of each block. Single columns are multiplied in 16 parts. */
KERNEL(prod)(size_t outer, size_t n, size_t inner, ARRAY(const real, x, outer * n * inner),
             ARRAY(real, out, outer * inner))
{
    for (size_t o = 0; o < outer; o++) {
        const real *from = x + o * n * inner;
        real *restrict to = out + o * inner;
        if (inner == 1) {
            real part[16];
            for (size_t l = 0; l < 16; l++)
                part[l] = 1;
            size_t j = 0;
            for (; j + 16 <= n; j += 16)
                for (size_t l = 0; l < 16; l++)
                    part[l] *= from[j + l];
            for (; j < n; j++)
                part[0] *= from[j];
            for (size_t l = 8; l > 0; l /= 2)
                for (size_t i = 0; i < l; i++)
                    part[i] *= part[i + l];
            to[0] = part[0];
        } else {
            for (size_t i = 0; i < inner; i++)
                to[i] = 1;
            for (size_t j = 0; j < n; j++)
                for (size_t i = 0; i < inner; i++)
                    to[i] *= from[j * inner + i];
        }
    }
}

/* Its derivative, g times the product of all others: those before, and then those after. */
#define OTHERS(unroll, width, most, g_at, x_at)                            \
    {                                                                      \
        double before[most], after[most];                                  \
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
static void NAME(prod_vjp0_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(scan) *t = task;
    const size_t n = t->n, inner = t->inner;
    const real *restrict x = t->x;
    real *restrict out = t->out;
    if (inner != 1)
        for (size_t o = begin; o < end; o++)
            for (size_t column = 0; column < inner; column += SCAN) {
                const size_t width = smaller(SCAN, inner - column);
                OTHERS(, width, SCAN, o * inner + column + i, (o * n + j) * inner + column + i)
            }
    for (size_t u = begin; u < end && inner == 1; u++) {
        size_t o = u * ABREAST;
        if (o + ABREAST <= t->outer)
            OTHERS(UNROLL, ABREAST, ABREAST, o + i, (o + i) * n + j)
        else
            for (; o < t->outer; o++)
                OTHERS(UNROLL, 1, 1, o + i, (o + i) * n + j)
    }
}
#undef OTHERS

KERNEL(prod_vjp0)(size_t outer, size_t n, size_t inner, ARRAY(const real, g, outer * inner),
                  ARRAY(const real, x, outer * n * inner), ARRAY(real, out, outer * n * inner))
{
    NAME(scanned)((struct NAME(scan)){g, x, out, n, inner, outer}, NAME(prod_vjp0_body));
}

/* The places of the k largest (smallest) numbers of each row, the best first and equal ones in
 * their order. NaN is the largest. At most MOST_BEST, which are kept in order on the way. */
#define MOST_BEST 64
KERNEL(best)(size_t rows, size_t n, size_t k, int largest, ARRAY(const real, x, rows * n),
             ARRAY(int64_t, index, rows * k))
{
    for (size_t r = 0; r < rows; r++) {
        const real *row = x + r * n;
        int64_t *place = index + r * k;
        real value[MOST_BEST];
        for (size_t i = 0, count = 0; i < n; i++) {
            const real v = row[i];
            size_t at = count;
            for (; at > 0; at--) {
                const real w = value[at - 1];
                const int better = largest ? v > w || (v != v && w == w)
                                           : v < w || (w != w && v == v);
                if (!better)
                    break;
                if (at < k)
                    value[at] = w, place[at] = place[at - 1];
            }
            if (at < k) {
                value[at] = v, place[at] = (int64_t)i;
                count += count < k;
            }
        }
    }
}

/* The order of short rows, of at most MOST_RANKED numbers: equal ones keep theirs, NaN is the
 * largest. The rank of a number is how many come before it, and to count them takes comparisons of
 * each with each, but no branch: 16 at a time, which is faster than to sort up to some 50. */
#define MOST_RANKED 64
static void NAME(rank)(const NAME(integer) *restrict key, const size_t n,
                       NAME(integer) *restrict rank)
{
    for (size_t j = 0; j < n; j++)
        rank[j] = 0;
    for (size_t i = 0; i < n; i++) {
        const NAME(integer) own = key[i];
        for (size_t j = 0; j < n; j++) {
            const NAME(integer) later = (NAME(integer))j > (NAME(integer))i;
            rank[j] += (own < key[j]) | ((own == key[j]) & later);
        }
    }
}

struct NAME(ranking) {
    const real *x;
    int64_t *index;
    size_t n;
    bool descending;
};

static void NAME(ranked_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(ranking) *t = task;
    const NAME(integer) most = (NAME(integer))(sizeof(real) == 4 ? INT32_MAX : INT64_MAX);
    const size_t n = t->n, padded = n <= 16 ? 16 : n <= 32 ? 32 : MOST_RANKED;
    NAME(integer) key[MOST_RANKED], rank[MOST_RANKED];
    for (size_t j = n; j < padded; j++)
        key[j] = most;
    for (size_t r = begin; r < end; r++) {
        const real *row = t->x + r * n;
        int64_t *index = t->index + r * n;
        /* bits of positive numbers are in their order; those of negative ones are turned around */
        for (size_t j = 0; j < n; j++) {
            const real v = row[j] + 0; /* -0 is 0 */
            NAME(integer) bits;
            memcpy(&bits, &v, sizeof bits);
            bits = bits < 0 ? bits ^ most : bits;
            bits = v != v ? most : bits;
            key[j] = t->descending ? ~bits : bits;
        }
        if (padded == 16)
            NAME(rank)(key, 16, rank);
        else if (padded == 32)
            NAME(rank)(key, 32, rank);
        else
            NAME(rank)(key, MOST_RANKED, rank);
        for (size_t j = 0; j < n; j++)
            index[rank[j]] = (int64_t)j;
    }
}

KERNEL(ranked)(size_t rows, size_t n, int descending, ARRAY(const real, x, rows * n),
               ARRAY(int64_t, index, rows * n))
{
    const struct NAME(ranking) task = {x, index, n, descending};
    if (n > 0 && n <= MOST_RANKED)
        parallel_for(rows, grain_of(PIECE, (double)n * (double)n), NAME(ranked_body), &task);
}
#undef MOST_RANKED

/* For each row, the places of its keys in ascending order; equal keys keep theirs. Byte by byte
 * from the lowest, by counting (radix sort: Knuth, The Art of Computer Programming 3, section
 * 5.2.5); bytes in which all keys agree are left out. */
KERNEL(key_order)(size_t rows, size_t n, ARRAY(const int64_t, keys, rows * n),
                  ARRAY(int64_t, work, 3 * n), ARRAY(int64_t, order, rows * n))
{
    for (size_t r = 0; r < rows; r++) {
        const int64_t *row = keys + r * n;
        int64_t *key = work, *next_key = work + n, *next_place = work + 2 * n;
        int64_t *place = order + r * n;
        uint64_t different = 0;
        for (size_t i = 0; i < n; i++) {
            key[i] = row[i], place[i] = (int64_t)i;
            different |= (uint64_t)(row[i] ^ row[0]);
        }
        for (int shift = 0; shift < 64; shift += 8) {
            if ((different >> shift & 255) == 0)
                continue;
            const uint64_t sign = shift == 56 ? 128 : 0; /* negative keys come first */
            size_t begin[256] = {0}, before = 0;
            for (size_t i = 0; i < n; i++)
                begin[((uint64_t)key[i] >> shift & 255) ^ sign]++;
            for (size_t b = 0; b < 256; b++) {
                const size_t count = begin[b];
                begin[b] = before, before += count;
            }
            for (size_t i = 0; i < n; i++) {
                const size_t to = begin[((uint64_t)key[i] >> shift & 255) ^ sign]++;
                next_key[to] = key[i], next_place[to] = place[i];
            }
            int64_t *other = key;
            key = next_key, next_key = other;
            other = place, place = next_place, next_place = other;
        }
        if (place != order + r * n)
            memcpy(order + r * n, place, n * sizeof(int64_t));
    }
}

/* n numbers from `first` on, `step` apart; the second half is counted from `last` backwards. Each
 * is rounded once. */
KERNEL(spaced)(size_t n, real first, real step, real last, ARRAY(real, out, n))
{
    const size_t half = n / 2;
    for (size_t i = 0; i < half; i++)
        out[i] = (real)(sizeof(real) == 4 ? fmaf((float)i, (float)step, (float)first)
                                          : fma((double)i, step, first));
    for (size_t i = half; i < n; i++)
        out[i] = (real)(sizeof(real) == 4 ? fmaf((float)(n - 1 - i), -(float)step, (float)last)
                                          : fma((double)(n - 1 - i), -step, last));
}

/* first + i * by, as PyTorch's arange takes it: 32 bytes at a time, of which the first number is
 * rounded and the others add a multiple of `by` to it; what does not fill two such vectors, one by
 * one. All in double, rounded once to it and once to the result. */
KERNEL(stepped)(size_t n, double first, double by, ARRAY(real, out, n))
{
    enum { EACH = 32 / sizeof(real) };
    const size_t whole = n - n % (2 * EACH);
    for (size_t i = 0; i < whole; i += EACH) {
        const real base = (real)fma((double)i, by, first);
        out[i] = base;
        for (size_t k = 1; k < EACH; k++)
            out[i + k] = (real)fma((double)k, by, (double)base);
    }
    for (size_t i = whole; i < n; i++)
        out[i] = (real)fma((double)i, by, first);
}
#undef MOST_BEST
#undef SCAN
#undef ABREAST
