/* distance.c - Euclidean distances of all pairs of rows, and their derivative.
 *
 *     out[i, j] = |a[i] - b[j]|
 *
 * Differences are squared as they are: |a|^2 + |b|^2 - 2 a b would take a product of matrices, and
 * lose the digits of close points. b comes transposed, so that numbers side by side belong to
 * distances side by side, and no sum runs across a vector. */
#define SIDE_BY_SIDE 64

/* The distances of a point, whose k numbers are `step` apart, to `count` columns of k rows, which
 * are `row` apart. */
static inline void NAME(distances_to)(size_t k, const real *point, size_t step, const real *columns,
                                      size_t row, size_t count, real *restrict out)
{
    for (size_t column = 0; column < count; column += SIDE_BY_SIDE) {
        const size_t width = smaller(SIDE_BY_SIDE, count - column);
        real total[SIDE_BY_SIDE] = {0};
        for (size_t p = 0; p < k; p++) {
            const real *restrict b = columns + p * row + column;
            const real x = point[p * step];
            if (width == SIDE_BY_SIDE)
                for (size_t j = 0; j < SIDE_BY_SIDE; j++)
                    total[j] += (x - b[j]) * (x - b[j]);
            else
                for (size_t j = 0; j < width; j++)
                    total[j] += (x - b[j]) * (x - b[j]);
        }
        for (size_t j = 0; j < width; j++)
            out[column + j] = FN(sqrt)(total[j]);
    }
}

struct NAME(distances) {
    const real *a, *b, *share;
    real *out;
    size_t n, m, k;
};
static void NAME(distances_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(distances) *t = task;
    for (size_t i = begin; i < end; i++)
        NAME(distances_to)(t->k, t->a + i * t->k, 1, t->b, t->m, t->m, t->out + i * t->m);
}

KERNEL(distances)(size_t n, size_t m, size_t k, ARRAY(const real, a, n * k),
                  ARRAY(const real, transposed_b, k * m), ARRAY(real, out, n * m))
{
    const struct NAME(distances) task = {a, transposed_b, NULL, out, n, m, k};
    parallel_for(n, grain_of(PIECE, (double)m * (double)k), NAME(distances_body), &task);
}

/* The same for the pairs i < j of the rows of one matrix, which comes transposed. */
KERNEL(pair_distances)(size_t n, size_t k, ARRAY(const real, transposed, k * n),
                       ARRAY(real, out, n * (n - 1) / 2))
{
    for (size_t i = 0; i + 1 < n; i++) {
        NAME(distances_to)(k, transposed + i, n, transposed + i + 1, n, n - 1 - i, out);
        out += n - 1 - i;
    }
}

/* The derivative for the rows of a: out[i] = sum over j of share[i, j] (a[i] - b[j]), for as many
 * numbers of a row at a time as registers hold. */
static void NAME(distances_vjp0_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(distances) *t = task;
    const size_t m = t->m, k = t->k;
    for (size_t i = begin; i < end; i++)
        for (size_t p = 0; p < k; p += SIDE_BY_SIDE) {
            const size_t width = smaller(SIDE_BY_SIDE, k - p);
            const real *restrict x = t->a + i * k + p;
            real total[SIDE_BY_SIDE] = {0};
            for (size_t j = 0; j < m; j++) {
                const real s = t->share[i * m + j];
                const real *restrict y = t->b + j * k + p;
                if (width == SIDE_BY_SIDE)
                    for (size_t q = 0; q < SIDE_BY_SIDE; q++)
                        total[q] += s * (x[q] - y[q]);
                else
                    for (size_t q = 0; q < width; q++)
                        total[q] += s * (x[q] - y[q]);
            }
            memcpy(t->out + i * k + p, total, width * sizeof(real));
        }
}

KERNEL(distances_vjp0)(size_t n, size_t m, size_t k, ARRAY(const real, share, n * m),
                       ARRAY(const real, a, n * k), ARRAY(const real, b, m * k),
                       ARRAY(real, out, n * k))
{
    const struct NAME(distances) task = {a, b, share, out, n, m, k};
    parallel_for(n, grain_of(PIECE, (double)m * (double)k), NAME(distances_vjp0_body), &task);
}

KERNEL(pair_distances_vjp0)(size_t n, size_t k, ARRAY(const real, share, n * (n - 1) / 2),
                            ARRAY(const real, x, n * k), ARRAY(real, out, n * k))
{
    memset(out, 0, n * k * sizeof(real));
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n; j++) {
            const real s = *share++;
            for (size_t p = 0; p < k; p++) {
                const real d = s * (x[i * k + p] - x[j * k + p]);
                out[i * k + p] += d;
                out[j * k + p] -= d;
            }
        }
}
#undef SIDE_BY_SIDE
