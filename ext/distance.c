/* distance.c - Euclidean distances of all pairs of rows, and their derivative.
 *
 *     out[i, j] = |a[i] - b[j]|
 *
 * Differences are squared as they are: |a|^2 + |b|^2 - 2 a b would take a product of matrices, and
 * lose the digits of close points. b comes transposed, so that numbers side by side belong to
 * distances side by side, and no sum runs across a vector. */
#define POINTS 4 /* rows of a, and ... */
#define WIDE_TILE 4   /* ... vectors of columns, whose sums are in registers */

/* The distances of some points, whose k numbers are `step` apart, to `wide` vectors of columns of k
 * rows; of a single vector perhaps only to the first `lanes` columns. Each vector that is loaded
 * serves all points. */
INLINE void NAME(distance_tile)(size_t k, const real *a, size_t next, size_t step,
                                const real *columns, size_t row, real *out, size_t out_row,
                                const size_t points, const size_t wide, size_t lanes)
{
    NAME(vector) total[POINTS][WIDE_TILE] = {{{0}}};
    for (size_t p = 0; p < k; p++, columns += row) {
        NAME(vector) b[WIDE_TILE];
        UNROLL for (size_t w = 0; w < wide; w++)
            b[w] = lanes == LANES ? LOAD(columns + w * LANES)
                                  : NAME(load_first)(columns, (int64_t)lanes);
        UNROLL for (size_t r = 0; r < points; r++)
            UNROLL for (size_t w = 0; w < wide; w++) {
                const NAME(vector) apart = a[r * next + p * step] - b[w];
                total[r][w] += apart * apart;
            }
    }
    UNROLL for (size_t r = 0; r < points; r++) {
        ON_A_LINE real roots[WIDE_TILE * LANES];
        UNROLL for (size_t w = 0; w < wide; w++)
            STORE(roots + w * LANES, total[r][w]);
        for (size_t j = 0; j < wide * LANES; j++)
            roots[j] = FN(sqrt)(roots[j]);
        memcpy(out + r * out_row, roots, (lanes == LANES ? wide * LANES : lanes) * sizeof(real));
    }
}

/* The distances of some points to `count` columns. */
INLINE void NAME(distances_of)(size_t k, const real *a, size_t next, size_t step,
                               const real *columns, size_t row, size_t count, real *out,
                               size_t out_row, const size_t points)
{
    size_t j = 0;
    for (; j + WIDE_TILE * LANES <= count; j += WIDE_TILE * LANES)
        NAME(distance_tile)(k, a, next, step, columns + j, row, out + j, out_row, points, WIDE_TILE,
                            LANES);
    for (; j + LANES <= count; j += LANES)
        NAME(distance_tile)(k, a, next, step, columns + j, row, out + j, out_row, points, 1, LANES);
    if (j < count)
        NAME(distance_tile)(k, a, next, step, columns + j, row, out + j, out_row, points, 1,
                            count - j);
}

struct NAME(distances) {
    const real *a, *b, *share;
    real *out;
    size_t n, m, k;
};

/* Units of POINTS rows. */
static void NAME(distances_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(distances) *t = task;
    const size_t k = t->k, m = t->m, last = smaller(end * POINTS, t->n);
    for (size_t i = begin * POINTS; i < last;) {
        const real *a = t->a + i * k;
        if (i + POINTS <= last) {
            NAME(distances_of)(k, a, k, 1, t->b, m, m, t->out + i * m, m, POINTS);
            i += POINTS;
        } else {
            NAME(distances_of)(k, a, k, 1, t->b, m, m, t->out + i * m, m, 1);
            i++;
        }
    }
}

KERNEL(distances)(size_t n, size_t m, size_t k, ARRAY(const real, a, n * k),
                  ARRAY(const real, transposed_b, k * m), ARRAY(real, out, n * m))
{
    const struct NAME(distances) task = {a, transposed_b, NULL, out, n, m, k};
    parallel_for(pieces(n, POINTS), grain_of(PIECE, POINTS * (double)m * (double)k),
                 NAME(distances_body), &task);
}

/* The same for the pairs i < j of the rows of one matrix, which comes transposed. */
static void NAME(pair_distances_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(distances) *t = task;
    const size_t n = t->n;
    for (size_t i = begin; i < end; i++)
        NAME(distances_of)(t->k, t->a + i, 0, n, t->a + i + 1, n, n - 1 - i,
                           t->out + i * (2 * n - 1 - i) / 2, 0, 1);
}

KERNEL(pair_distances)(size_t n, size_t k, ARRAY(const real, transposed, k * n),
                       ARRAY(real, out, n * (n - 1) / 2))
{
    const struct NAME(distances) task = {transposed, NULL, NULL, out, n, 0, k};
    if (n > 1)
        parallel_for(n - 1, grain_of(PIECE, (double)n * (double)k / 2), NAME(pair_distances_body),
                     &task);
}

/* The derivative for some rows of a, in some of their columns: out[i] = sum over j of share[i, j]
 * (a[i] - b[j]). */
INLINE void NAME(pull_tile)(const struct NAME(distances) *t, size_t i, size_t p,
                            const size_t points, const size_t wide, size_t lanes)
{
    const size_t m = t->m, k = t->k;
    const real *b = t->b + p, *share = t->share + i * m;
    NAME(vector) total[POINTS][2] = {{{0}}}, x[POINTS][2];
    UNROLL for (size_t r = 0; r < points; r++)
        UNROLL for (size_t w = 0; w < wide; w++) {
            const real *from = t->a + (i + r) * k + p + w * LANES;
            x[r][w] = lanes == LANES ? LOAD(from) : NAME(load_first)(from, (int64_t)lanes);
        }
    for (size_t j = 0; j < m; j++, b += k)
        UNROLL for (size_t w = 0; w < wide; w++) {
            const real *from = b + w * LANES;
            const NAME(vector) y =
                lanes == LANES ? LOAD(from) : NAME(load_first)(from, (int64_t)lanes);
            UNROLL for (size_t r = 0; r < points; r++)
                total[r][w] += share[r * m + j] * (x[r][w] - y);
        }
    UNROLL for (size_t r = 0; r < points; r++)
        UNROLL for (size_t w = 0; w < wide; w++) {
            real *to = t->out + (i + r) * k + p + w * LANES;
            if (lanes == LANES)
                STORE(to, total[r][w]);
            else
                NAME(store_first)(to, total[r][w], (int64_t)lanes);
        }
}

INLINE void NAME(pull)(const struct NAME(distances) *t, size_t i, const size_t points)
{
    size_t p = 0;
    for (; p + 2 * LANES <= t->k; p += 2 * LANES)
        NAME(pull_tile)(t, i, p, points, 2, LANES);
    if (p + LANES <= t->k) {
        NAME(pull_tile)(t, i, p, points, 1, LANES);
        p += LANES;
    }
    if (p < t->k)
        NAME(pull_tile)(t, i, p, points, 1, t->k - p);
}

static void NAME(distances_vjp0_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(distances) *t = task;
    const size_t last = smaller(end * POINTS, t->n);
    size_t i = begin * POINTS;
    for (; i + POINTS <= last; i += POINTS)
        NAME(pull)(t, i, POINTS);
    for (; i < last; i++)
        NAME(pull)(t, i, 1);
}

KERNEL(distances_vjp0)(size_t n, size_t m, size_t k, ARRAY(const real, share, n * m),
                       ARRAY(const real, a, n * k), ARRAY(const real, b, m * k),
                       ARRAY(real, out, n * k))
{
    const struct NAME(distances) task = {a, b, share, out, n, m, k};
    parallel_for(pieces(n, POINTS), grain_of(PIECE, POINTS * (double)m * (double)k),
                 NAME(distances_vjp0_body), &task);
}

/* Of the pairs of one matrix, each row is pulled by those before it, whose shares lie in the rows
 * before, and by those after it. Each pair is looked at twice, but nothing is added in memory, and
 * rows may go to different threads. */
static void NAME(pair_pull_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(distances) *t = task;
    const size_t n = t->n, k = t->k;
    for (size_t i = begin; i < end; i++)
        for (size_t p = 0; p < k; p += LANES) {
            const int64_t width = (int64_t)smaller(LANES, k - p);
            const real *b = t->b + p, *share = t->share + i - 1; /* of the pair 0, i */
            const NAME(vector) x = NAME(load_first)(b + i * k, width);
            NAME(vector) before = {0}, after = {0};
            for (size_t j = 0; j < i; share += n - 2 - j, j++)
                before += *share * (x - NAME(load_first)(b + j * k, width));
            share = t->share + i * (2 * n - 1 - i) / 2;
            for (size_t j = i + 1; j < n; j++)
                after += *share++ * (x - NAME(load_first)(b + j * k, width));
            NAME(store_first)(t->out + i * k + p, before + after, width);
        }
}

KERNEL(pair_distances_vjp0)(size_t n, size_t k, ARRAY(const real, share, n * (n - 1) / 2),
                            ARRAY(const real, x, n * k), ARRAY(real, out, n * k))
{
    const struct NAME(distances) task = {NULL, x, share, out, n, 0, k};
    parallel_for(n, grain_of(PIECE, (double)n * (double)k), NAME(pair_pull_body), &task);
}
#undef POINTS
#undef WIDE_TILE
