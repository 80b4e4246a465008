/* matmul_steps.c - the steps between a textbook's three loops and the product in matmul.c, one idea
 * a function, to read and to time: docs/c-core.md tells the story, python -m
 * benchmarks.matmul_steps prints the speeds. All compute out = x @ y, x: (m, k), y: (k, n), out:
 * (m, n), row-major. */

/* Step 1, the definition: an element of out is a row of x times a column of y. Down a column, each
 * number lies in a cache line of its own. The sum is one chain of additions, each of which waits
 * for the one before; no compiler may reorder them, because the result would round differently.
 * Traffic: a line of 64 bytes per product. */
KERNEL(matmul_ijp)(size_t m, size_t k, size_t n, ARRAY(const real, x, m * k),
                   ARRAY(const real, y, k * n), ARRAY(real, out, m * n))
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            real sum = 0;
            for (size_t p = 0; p < k; p++)
                sum += x[i * k + p] * y[p * n + j];
            out[i * n + j] = sum;
        }
}

/* Step 2, the loops in the order i, p, j, is matmul_naive in matmul.c. */

/* Step 3, blocks (Lam, Rothberg and Wolf, "The Cache Performance and Optimizations of Blocked
 * Algorithms", 1991): the same loops, but on a part of y that fits the second-level cache, for all
 * rows of x, before the next part. Traffic: y is read from memory once and not m times; out is read
 * and written once per product, but near the processor. What remains is the way to the first-level
 * cache: two loads and a store for every vector of products. */
KERNEL(matmul_blocked)(size_t m, size_t k, size_t n, ARRAY(const real, x, m * k),
                       ARRAY(const real, y, k * n), ARRAY(real, out, m * n))
{
    enum { rows = 128, columns = 1024 }; /* of a part of y */
    memset(out, 0, m * n * sizeof(real));
    for (size_t j0 = 0; j0 < n; j0 += columns)
        for (size_t p0 = 0; p0 < k; p0 += rows)
            for (size_t i = 0; i < m; i++)
                for (size_t p = p0; p < smaller(k, p0 + rows); p++) {
                    const real factor = x[i * k + p];
                    for (size_t j = j0; j < smaller(n, j0 + columns); j++)
                        out[i * n + j] += factor * y[p * n + j];
                }
}

/* Step 4, a tile in registers: the micro-kernel of matmul.c keeps MR x NR sums in registers while p
 * runs, so out is neither read nor written in between; x and y are read where they lie. Traffic: MR
 * + NR numbers are loaded for MR * NR products. What remains: rows of y and x lie far apart, at
 * worst a power of 2 apart, and then compete for the same few places of the caches and for entries
 * of the TLB. Packing ends that. */
KERNEL(matmul_tiled)(size_t m, size_t k, size_t n, ARRAY(const real, x, m * k),
                     ARRAY(const real, y, k * n), ARRAY(real, out, m * n))
{
    const size_t whole = n / NR * NR;
    for (size_t p = 0; p < k || p == 0; p += KC)
        for (size_t j = 0; j < whole; j += NR)
            for (size_t i = 0; i < m; i += MR)
                NAME(tile_2)(smaller(MR, m - i), false, smaller(KC, k - p), x + i * k + p,
                             (ptrdiff_t)k, 1, y + p * n + j, (ptrdiff_t)n, out + i * n + j,
                             (ptrdiff_t)n, p > 0);
    for (size_t i = 0; i < m; i++) /* the columns that fill no vector */
        for (size_t j = whole; j < n; j++) {
            real sum = 0;
            for (size_t p = 0; p < k; p++)
                sum += x[i * k + p] * y[p * n + j];
            out[i * n + j] = sum;
        }
}

/* Steps 5 and 6, packed copies and threads, are matmul in matmul.c. */
