/* along.c - elements read and added up along one dimension, and recurrences along it.
 *
 * An array is seen as `outer` blocks of `n` rows of `inner` numbers: the dimensions before the one
 * in question, it, and those after it. An index has `k` rows in each block. Where one is not in
 * [0, n), `wrong` becomes 1 and the result is unfinished: then Python takes numpy's way, which
 * knows negative indices and raises for those out of range. */

/* out[o, j, i] = x[o, index[o, j, i], i] */
KERNEL(gather)(size_t outer, size_t n, size_t k, size_t inner,
               ARRAY(const real, x, outer * n * inner),
               ARRAY(const int64_t, index, outer * k * inner), ARRAY(uint8_t, wrong, 1),
               ARRAY(real, out, outer * k * inner))
{
    wrong[0] = 0;
    for (size_t o = 0; o < outer; o++)
        for (size_t j = 0; j < k; j++) {
            const real *from = x + o * n * inner;
            const int64_t *at = index + (o * k + j) * inner;
            real *restrict to = out + (o * k + j) * inner;
            for (size_t i = 0; i < inner; i++) {
                if ((uint64_t)at[i] >= n) {
                    wrong[0] = 1;
                    return;
                }
                to[i] = from[(size_t)at[i] * inner + i];
            }
        }
}

/* out = 0, and out[o, index[o, j, i], i] += g[o, j, i], in this order */
KERNEL(scatter_sum)(size_t outer, size_t n, size_t k, size_t inner,
                    ARRAY(const real, g, outer * k * inner),
                    ARRAY(const int64_t, index, outer * k * inner), ARRAY(uint8_t, wrong, 1),
                    ARRAY(real, out, outer * n * inner))
{
    wrong[0] = 0;
    memset(out, 0, outer * n * inner * sizeof(real));
    for (size_t o = 0; o < outer; o++)
        for (size_t j = 0; j < k; j++) {
            const real *from = g + (o * k + j) * inner;
            const int64_t *at = index + (o * k + j) * inner;
            real *restrict to = out + o * n * inner;
            for (size_t i = 0; i < inner; i++) {
                if ((uint64_t)at[i] >= n) {
                    wrong[0] = 1;
                    return;
                }
                to[(size_t)at[i] * inner + i] += from[i];
            }
        }
}

/* out[o, index[j], i] += g[o, j, i], onto what is there */
KERNEL(add_rows)(size_t outer, size_t n, size_t k, size_t inner,
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
            for (size_t i = 0; i < inner; i++)
                to[i] += from[i];
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

/* out[o, index[o, j, i], i] = src[o, j, i], in this order; `kind` 1: times it, 2: the larger of
 * both, 3: the smaller (NaN wins). */
KERNEL(scatter)(size_t outer, size_t n, size_t k, size_t inner, int kind,
                ARRAY(const int64_t, index, outer * k * inner),
                ARRAY(const real, src, outer * k * inner), ARRAY(uint8_t, wrong, 1),
                ARRAY(real, out, outer * n * inner))
{
    wrong[0] = 0;
    for (size_t o = 0; o < outer; o++)
        for (size_t j = 0; j < k; j++) {
            const real *from = src + (o * k + j) * inner;
            const int64_t *at = index + (o * k + j) * inner;
            for (size_t i = 0; i < inner; i++) {
                if ((uint64_t)at[i] >= n) {
                    wrong[0] = 1;
                    return;
                }
                real *restrict to = out + (o * n + (size_t)at[i]) * inner + i;
                const real b = from[i];
                if (kind == 0)
                    *to = b;
                else if (kind == 1)
                    *to *= b;
                else if (kind == 2)
                    *to = b > *to || b != b ? b : *to;
                else
                    *to = b < *to || b != b ? b : *to;
            }
        }
}
