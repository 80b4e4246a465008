/* distance.c - Euclidean distances of all pairs of rows, and their derivative.
 *
 *     out[i, j] = |a[i] - b[j]|
 *
 * Differences are squared as they are: |a|^2 + |b|^2 - 2 a b would take a product of matrices, and
 * lose the digits of close points. b comes transposed, so that numbers side by side belong to
 * distances side by side, and no sum runs across a vector. */
#define SIDE_BY_SIDE 64

KERNEL(distances)(size_t n, size_t m, size_t k, ARRAY(const real, a, n * k),
                  ARRAY(const real, transposed_b, k * m), ARRAY(real, out, n * m))
{
    for (size_t i = 0; i < n; i++)
        for (size_t column = 0; column < m; column += SIDE_BY_SIDE) {
            const size_t width = smaller(SIDE_BY_SIDE, m - column);
            real total[SIDE_BY_SIDE] = {0};
            for (size_t p = 0; p < k; p++) {
                const real *restrict b = transposed_b + p * m + column;
                const real x = a[i * k + p];
                if (width == SIDE_BY_SIDE)
                    for (size_t j = 0; j < SIDE_BY_SIDE; j++)
                        total[j] += (x - b[j]) * (x - b[j]);
                else
                    for (size_t j = 0; j < width; j++)
                        total[j] += (x - b[j]) * (x - b[j]);
            }
            for (size_t j = 0; j < width; j++)
                out[i * m + column + j] = sqrt(total[j]);
        }
}

/* The derivative for the rows of a: out[i] = sum over j of share[i, j] (a[i] - b[j]). */
KERNEL(distances_vjp0)(size_t n, size_t m, size_t k, ARRAY(const real, share, n * m),
                       ARRAY(const real, a, n * k), ARRAY(const real, b, m * k),
                       ARRAY(real, out, n * k))
{
    for (size_t i = 0; i < n; i++) {
        const real *restrict x = a + i * k;
        real *restrict to = out + i * k;
        memset(to, 0, k * sizeof(real));
        for (size_t j = 0; j < m; j++) {
            const real s = share[i * m + j];
            const real *restrict y = b + j * k;
            for (size_t p = 0; p < k; p++)
                to[p] += s * (x[p] - y[p]);
        }
    }
}
#undef SIDE_BY_SIDE
