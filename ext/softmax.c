/* softmax.c - softmax and its logarithm over any one dimension, forward and backward.
 *
 * The array is outer x n x inner and the dimension is the middle one:
 *
 *     softmax      e = exp(x - max x), out = e / sum e          dx = out * (g - sum g * out)
 *     log_softmax  out = (x - max x) - log sum e                dx = g - exp(out) * sum g
 *
 * Subtracting the largest element changes nothing in exact arithmetic and keeps exp from overflowing (Goodfellow et al., Deep
 * Learning, section 4.1). A block is one row of n neighbours, or COLUMNS columns of n rows if inner > 1: it goes through
 * the L1 or L2 cache a few times, so that main memory is read and written once. */
#define COLUMNS 128
#define EXPENSIVE ((size_t)1 << 13) /* elements that are worth a thread, where each takes an exp */

/* `statement` for every element, `at`, of column `j` of the block. */
#define EACH(statement)                                                                                                          \
    if (stride == 1)                                                                                                             \
        for (size_t at = 0, j = 0; at < n; at++) {                                                                               \
            (void)j;                                                                                                             \
            statement;                                                                                                           \
        }                                                                                                                        \
    else                                                                                                                         \
        for (size_t i = 0; i < n; i++)                                                                                           \
            for (size_t j = 0, at = i * stride; j < width; j++, at++)                                                            \
                statement;

typedef void NAME(block)(const real *restrict a, const real *restrict b, size_t n, size_t stride, size_t width,
                         real *restrict result);

static inline void NAME(block_sums)(const real *x, size_t n, size_t stride, size_t width, real *total)
{
    real lo[COLUMNS];
    NAME(sums)(x, n, stride, width, total, lo);
    for (size_t j = 0; j < width; j++)
        total[j] = NAME(rounded)((struct NAME(total)){total[j], lo[j]});
}

/* The largest element of each column; where there is a NaN any, since the sum will be NaN. */
static inline void NAME(tops)(const real *restrict x, size_t n, size_t stride, size_t width, real *restrict top)
{
    if (stride > 1) {
        NAME(largest)(x, n, stride, width, top, NULL);
        return;
    }
    real lanes[64];
    *top = x[0];
    if (n < 64) {
        for (size_t i = 1; i < n; i++)
            *top = x[i] > *top ? x[i] : *top;
        return;
    }
    memcpy(lanes, x, sizeof(lanes));
    for (size_t i = 64; i < n; i += 64) {
        const real *block = x + smaller(i, n - 64); /* the last one may overlap: no harm to a maximum */
        for (size_t l = 0; l < 64; l++)
            lanes[l] = block[l] > lanes[l] ? block[l] : lanes[l];
    }
    for (size_t half = 32; half > 0; half /= 2)
        for (size_t l = 0; l < half; l++)
            lanes[l] = lanes[l + half] > lanes[l] ? lanes[l + half] : lanes[l];
    *top = lanes[0];
}

/* exp(x - top) of each column. */
static inline void NAME(exps)(const real *restrict x, size_t n, size_t stride, size_t width, const real *restrict top,
                              real *restrict out)
{
    if (stride == 1)
        for (size_t i = 0; i < n; i += STEP)
            NAME(put)(out + i, n - i, ALL(exp_of_negative)(NAME(get)(x + i, n - i) - *top));
    else
        for (size_t i = 0; i < n; i++, x += stride, out += stride)
            for (size_t j = 0; j < width; j += STEP) {
                const NAME(numbers) d = NAME(get)(x + j, width - j) - NAME(get)(top + j, width - j);
                NAME(put)(out + j, width - j, ALL(exp_of_negative)(d));
            }
}

static void NAME(softmax_block)(const real *restrict x, const real *restrict unused, size_t n, size_t stride, size_t width,
                                real *restrict out)
{
    (void)unused;
    real top[COLUMNS], total[COLUMNS];
    NAME(tops)(x, n, stride, width, top);
    NAME(exps)(x, n, stride, width, top, out);
    NAME(block_sums)(out, n, stride, width, total);
    for (size_t j = 0; j < width; j++)
        total[j] = 1 / total[j]; /* the sum is at least 1 */
    EACH(out[at] *= total[j])
}

static void NAME(softmax_vjp_block)(const real *restrict g, const real *restrict out, size_t n, size_t stride, size_t width,
                                    real *restrict dx)
{
    real total[COLUMNS];
    EACH(dx[at] = g[at] * out[at])
    NAME(block_sums)(dx, n, stride, width, total);
    EACH(dx[at] = out[at] * (g[at] - total[j]))
}

static void NAME(log_softmax_block)(const real *restrict x, const real *restrict unused, size_t n, size_t stride, size_t width,
                                    real *restrict out)
{
    (void)unused;
    real top[COLUMNS], total[COLUMNS];
    NAME(tops)(x, n, stride, width, top);
    NAME(exps)(x, n, stride, width, top, out);
    NAME(block_sums)(out, n, stride, width, total);
    for (size_t j = 0; j < width; j++)
        total[j] = FN(log)(total[j]);
    EACH(out[at] = (x[at] - top[j]) - total[j])
}

static void NAME(log_softmax_vjp_block)(const real *restrict g, const real *restrict out, size_t n, size_t stride, size_t width,
                                        real *restrict dx)
{
    const real zero[COLUMNS] = {0};
    real total[COLUMNS];
    NAME(block_sums)(g, n, stride, width, total);
    NAME(exps)(out, n, stride, width, zero, dx);
    EACH(dx[at] = g[at] - dx[at] * total[j])
}

/* ---- all blocks ---- */
struct NAME(blocks) {
    NAME(block) * block;
    const real *a, *b;
    real *result;
    size_t n, inner, chunks;
};

static void NAME(blocks_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(blocks) *t = task;
    size_t o = begin / t->chunks, chunk = begin % t->chunks;
    for (size_t u = begin; u < end; u++) {
        const size_t first = o * t->n * t->inner + chunk * COLUMNS;
        t->block(t->a + first, t->b + first, t->n, t->inner, smaller(COLUMNS, t->inner - chunk * COLUMNS), t->result + first);
        if (++chunk == t->chunks)
            chunk = 0, o++;
    }
}

static void NAME(over_blocks)(NAME(block) * block, size_t outer, size_t n, size_t inner, const real *a, const real *b, real *result)
{
    const size_t chunks = (inner + COLUMNS - 1) / COLUMNS, work = n * smaller(inner, COLUMNS);
    const struct NAME(blocks) task = {block, a, b, result, n, inner, chunks};
    if (work > 0)
        parallel_for(outer * chunks, larger(EXPENSIVE / work, 1), NAME(blocks_body), &task);
}

KERNEL(softmax)(size_t outer, size_t n, size_t inner, ARRAY(const real, x, outer * n * inner), ARRAY(real, out, outer * n * inner))
{
    NAME(over_blocks)(NAME(softmax_block), outer, n, inner, x, x, out);
}

KERNEL(softmax_vjp0)(size_t outer, size_t n, size_t inner, ARRAY(const real, g, outer * n * inner),
                     ARRAY(const real, out, outer * n * inner), ARRAY(real, dx, outer * n * inner))
{
    NAME(over_blocks)(NAME(softmax_vjp_block), outer, n, inner, g, out, dx);
}

KERNEL(log_softmax)(size_t outer, size_t n, size_t inner, ARRAY(const real, x, outer * n * inner),
                    ARRAY(real, out, outer * n * inner))
{
    NAME(over_blocks)(NAME(log_softmax_block), outer, n, inner, x, x, out);
}

KERNEL(log_softmax_vjp0)(size_t outer, size_t n, size_t inner, ARRAY(const real, g, outer * n * inner),
                         ARRAY(const real, out, outer * n * inner), ARRAY(real, dx, outer * n * inner))
{
    NAME(over_blocks)(NAME(log_softmax_vjp_block), outer, n, inner, g, out, dx);
}
