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
