/* matmul.c - the matrix product as three loops.
 *
 * out[i][j] = sum over p of x[i][p] * y[p][j],   x: (m, k), y: (k, n), out: (m, n), all row-major.
 *
 * The only liberty taken with the textbook is the order of the loops. With i, j, p the inner loop walks down a column
 * of y, touching a new cache line at each step, and adds into one number, so that each addition waits for the one
 * before. With i, p, j it runs along a row of y and a row of out: neighbours in memory, and n independent sums, which
 * the compiler can do several at a time. Each element of out still receives its products in the order p = 0, 1, 2, ...
 *
 * Traffic: 2*m*n*k operations, but y is read m times and out is read and written k times. What a blocked product
 * gains, it gains by bringing this down. */
KERNEL(matmul_naive)(size_t m, size_t k, size_t n, ARRAY(const real, x, m * k), ARRAY(const real, y, k * n),
                     ARRAY(real, out, m * n))
{
    for (size_t i = 0; i < m; i++) {
        real *row = out + i * n;
        for (size_t j = 0; j < n; j++)
            row[j] = 0;
        for (size_t p = 0; p < k; p++) {
            const real factor = x[i * k + p];
            const real *other = y + p * n;
            for (size_t j = 0; j < n; j++)
                row[j] += factor * other[j];
        }
    }
}
