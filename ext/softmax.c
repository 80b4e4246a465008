/* softmax.c - softmax and its logarithm over any one dimension, forward and backward.
 *
 * The array is outer x n x inner and the dimension is the middle one:
 *
 *     softmax      e = exp(x - max x), out = e / sum e          dx = out * (g - sum g * out)
 *     log_softmax  out = (x - max x) - log sum e                dx = g - exp(out) * sum g
 *
 * Subtracting the largest element changes nothing in exact arithmetic and keeps exp from
 * overflowing (Goodfellow et al., Deep Learning, section 4.1). A block is some rows of n
 * neighbours, or COLUMNS columns of n rows if inner > 1: it passes through the L1 or L2 cache a few
 * times, so that main memory is read and written once. A row's exponentials are added while they
 * are in registers: RUN of them as they come, and the runs as reduce.c adds. The results for a
 * whole row (its largest element, a logarithm) are computed for several rows in turn, since one has
 * to be waited for. */
#define COLUMNS 128
#define RUN ((size_t)512)
#define ROWS ((size_t)2048) /* elements of such rows: they stay in the L1 cache */
#define EXPENSIVE ((size_t)1 << 13) /* elements that are worth a thread, where each takes an exp */

/* stride > 1: `width` columns; stride 1: `width` rows, one after the other */
typedef void NAME(block)(const real *restrict a, const real *restrict b, size_t n, size_t stride,
                         size_t width, real *restrict result);

/* ---- rows ------------------------------------------------------------------------------------ */
/* The largest of n neighbours; any number if there is a NaN, since the sum will be NaN. */
static inline real NAME(top)(const real *restrict x, size_t n)
{
    if (STEP == 1) {
        real best;
        NAME(largest)(x, n, 1, 1, &best, NULL);
        return best;
    }
    NAME(numbers) a = NAME(get_or)(x, n, x[0]), b = a, c = a, d = a;
    size_t i = STEP;
    for (; i + 4 * STEP <= n; i += 4 * STEP) {
        a = NAME(larger)(NAME(get)(x + i, STEP), a);
        b = NAME(larger)(NAME(get)(x + i + STEP, STEP), b);
        c = NAME(larger)(NAME(get)(x + i + 2 * STEP, STEP), c);
        d = NAME(larger)(NAME(get)(x + i + 3 * STEP, STEP), d);
    }
    for (; i < n; i += STEP)
        a = NAME(larger)(NAME(get_or)(x + i, n - i, x[0]), a);
    return NAME(largest_of)(NAME(larger)(NAME(larger)(a, b), NAME(larger)(c, d)));
}

/* The sum of exp(x - top) for one run. The exponentials are stored in out, unless that is NULL. */
static inline real NAME(exp_run)(const real *restrict x, size_t n, real top, real *restrict out)
{
    if (STEP == 1) { /* then the compiler vectorises the exponentials, but not a sum */
        real own[RUN], *restrict e = out != NULL ? out : own;
        for (size_t i = 0; i < n; i++)
            e[i] = FN(exp_of_negative)(x[i] - top);
        return NAME(rounded)(NAME(run)(e, n));
    }
    NAME(numbers) a = {0}, b = {0};
    size_t i = 0;
    for (; i + 2 * STEP <= n; i += 2 * STEP) {
        const NAME(numbers) first = ALL(exp_of_negative)(NAME(get)(x + i, STEP) - top);
        const NAME(numbers) second = ALL(exp_of_negative)(NAME(get)(x + i + STEP, STEP) - top);
        if (out != NULL) {
            NAME(put)(out + i, STEP, first);
            NAME(put)(out + i + STEP, STEP, second);
        }
        a += first, b += second;
    }
    for (; i < n; i += STEP) {
        const NAME(numbers) rest = NAME(get_or)(x + i, n - i, -(real)INFINITY);
        const NAME(numbers) last = ALL(exp_of_negative)(rest - top);
        if (out != NULL)
            NAME(put)(out + i, n - i, last);
        a += last;
    }
    return NAME(added)(a + b);
}

/* The same for a row. */
static inline real NAME(exp_row)(const real *restrict x, size_t n, real top, real *restrict out)
{
    struct NAME(total) total = {0, 0};
    for (size_t i = 0; i < n; i += RUN)
        total = NAME(plus)(total, NAME(exp_run)(x + i, smaller(RUN, n - i), top,
                                                out != NULL ? out + i : NULL));
    return NAME(rounded)(total);
}

static inline void NAME(softmax_rows)(const real *restrict x, size_t rows, size_t n,
                                      real *restrict out)
{
    ON_A_LINE real top[COLUMNS], total[COLUMNS];
    for (size_t r = 0; r < rows; r++)
        top[r] = NAME(top)(x + r * n, n);
    for (size_t r = 0; r < rows; r++)
        total[r] = NAME(exp_row)(x + r * n, n, top[r], out + r * n);
    for (size_t r = 0; r < rows; r++, out += n) {
        const real scale = 1 / total[r]; /* of a sum that is at least 1 */
        for (size_t i = 0; i < n; i += STEP)
            NAME(put)(out + i, n - i, NAME(get)(out + i, n - i) * scale);
    }
}

static inline void NAME(log_softmax_rows)(const real *restrict x, size_t rows, size_t n,
                                          real *restrict out)
{
    ON_A_LINE real top[COLUMNS], total[COLUMNS];
    for (size_t r = 0; r < rows; r++)
        top[r] = NAME(top)(x + r * n, n);
    for (size_t r = 0; r < rows; r++)
        total[r] = NAME(exp_row)(x + r * n, n, top[r], NULL);
    for (size_t r = 0; r < rows; r++)
        total[r] = FN(log)(total[r]);
    for (size_t r = 0; r < rows; r++, x += n, out += n)
        for (size_t i = 0; i < n; i += STEP)
            NAME(put)(out + i, n - i, (NAME(get)(x + i, n - i) - top[r]) - total[r]);
}

static inline void NAME(softmax_vjp_row)(const real *restrict g, const real *restrict out, size_t n,
                                         real *restrict dx)
{
    struct NAME(total) total = {0, 0};
    for (size_t i = 0; i < n; i += RUN) {
        const size_t end = i + smaller(RUN, n - i);
        NAME(vector) a = {0}, b = {0};
        size_t k = i;
        for (; k + 2 * LANES <= end; k += 2 * LANES)
            a += LOAD(g + k) * LOAD(out + k), b += LOAD(g + k + LANES) * LOAD(out + k + LANES);
        ON_A_LINE real lanes[LANES];
        real sum = 0;
        STORE(lanes, a + b);
        for (size_t l = 0; l < LANES; l++)
            sum += lanes[l];
        for (; k < end; k++)
            sum += g[k] * out[k];
        total = NAME(plus)(total, sum);
    }
    const real sum = NAME(rounded)(total);
    for (size_t i = 0; i < n; i++)
        dx[i] = out[i] * (g[i] - sum);
}

static inline real NAME(sum_run)(const real *restrict g, size_t n)
{
    if (STEP == 1)
        return NAME(rounded)(NAME(run)(g, n));
    NAME(numbers) a = {0}, b = {0};
    size_t i = 0;
    for (; i + 2 * STEP <= n; i += 2 * STEP)
        a += NAME(get)(g + i, STEP), b += NAME(get)(g + i + STEP, STEP);
    for (; i < n; i += STEP)
        a += NAME(get)(g + i, n - i);
    return NAME(added)(a + b);
}

static inline void NAME(log_softmax_vjp_row)(const real *restrict g, const real *restrict out,
                                             size_t n, real *restrict dx)
{
    struct NAME(total) total = {0, 0};
    for (size_t i = 0; i < n; i += RUN)
        total = NAME(plus)(total, NAME(sum_run)(g + i, smaller(RUN, n - i)));
    const real sum = NAME(rounded)(total);
    size_t i = 0;
    for (; STEP > 1 && i + 2 * STEP <= n; i += 2 * STEP) {
        const NAME(numbers) first = ALL(exp_of_negative)(NAME(get)(out + i, STEP));
        const NAME(numbers) second = ALL(exp_of_negative)(NAME(get)(out + i + STEP, STEP));
        NAME(put)(dx + i, STEP, NAME(get)(g + i, STEP) - first * sum);
        NAME(put)(dx + i + STEP, STEP, NAME(get)(g + i + STEP, STEP) - second * sum);
    }
    for (; i < n; i += STEP)
        NAME(put)(dx + i, n - i,
                  NAME(get)(g + i, n - i) - ALL(exp_of_negative)(NAME(get)(out + i, n - i)) * sum);
}

/* ---- columns --------------------------------------------------------------------------------- */
/* Run `statement` for every element, `at`, of column `j` of the block. */
#define EACH(statement) \
    for (size_t i = 0; i < n; i++) \
        for (size_t j = 0, at = i * stride; j < width; j++, at++) \
            statement;

static inline void NAME(block_sums)(const real *x, size_t n, size_t stride, size_t width,
                                    real *total)
{
    ON_A_LINE real lo[COLUMNS];
    NAME(sums)(x, n, stride, width, total, lo);
    for (size_t j = 0; j < width; j++)
        total[j] = NAME(rounded)((struct NAME(total)){total[j], lo[j]});
}

/* out = exp(x - top) */
static inline void NAME(exps)(const real *restrict x, size_t n, size_t stride, size_t width,
                              const real *restrict top, real *restrict out)
{
    for (size_t i = 0; i < n; i++, x += stride, out += stride)
        for (size_t j = 0; j < width; j += STEP) {
            const NAME(numbers) d = NAME(get)(x + j, width - j) - NAME(get)(top + j, width - j);
            NAME(put)(out + j, width - j, ALL(exp_of_negative)(d));
        }
}

static void NAME(softmax_block)(const real *restrict x, const real *restrict unused, size_t n,
                                size_t stride, size_t width, real *restrict out)
{
    (void)unused;
    ON_A_LINE real top[COLUMNS], total[COLUMNS];
    if (stride == 1) {
        NAME(softmax_rows)(x, width, n, out);
        return;
    }
    NAME(largest)(x, n, stride, width, top, NULL);
    NAME(exps)(x, n, stride, width, top, out);
    NAME(block_sums)(out, n, stride, width, total);
    for (size_t j = 0; j < width; j++)
        total[j] = 1 / total[j];
    EACH(out[at] *= total[j])
}

static void NAME(softmax_vjp_block)(const real *restrict g, const real *restrict out, size_t n,
                                    size_t stride, size_t width, real *restrict dx)
{
    ON_A_LINE real total[COLUMNS];
    if (stride == 1) {
        for (size_t r = 0; r < width; r++)
            NAME(softmax_vjp_row)(g + r * n, out + r * n, n, dx + r * n);
        return;
    }
    EACH(dx[at] = g[at] * out[at])
    NAME(block_sums)(dx, n, stride, width, total);
    EACH(dx[at] = out[at] * (g[at] - total[j]))
}

static void NAME(log_softmax_block)(const real *restrict x, const real *restrict unused, size_t n,
                                    size_t stride, size_t width, real *restrict out)
{
    (void)unused;
    ON_A_LINE real top[COLUMNS], total[COLUMNS];
    if (stride == 1) {
        NAME(log_softmax_rows)(x, width, n, out);
        return;
    }
    NAME(largest)(x, n, stride, width, top, NULL);
    NAME(exps)(x, n, stride, width, top, out);
    NAME(block_sums)(out, n, stride, width, total);
    for (size_t j = 0; j < width; j++)
        total[j] = FN(log)(total[j]);
    EACH(out[at] = (x[at] - top[j]) - total[j])
}

static void NAME(log_softmax_vjp_block)(const real *restrict g, const real *restrict out, size_t n,
                                        size_t stride, size_t width, real *restrict dx)
{
    const real zero[COLUMNS] = {0};
    ON_A_LINE real total[COLUMNS];
    if (stride == 1) {
        for (size_t r = 0; r < width; r++)
            NAME(log_softmax_vjp_row)(g + r * n, out + r * n, n, dx + r * n);
        return;
    }
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
    const size_t together = t->inner > 1 ? 1 : smaller(larger(ROWS / t->n, 1), COLUMNS);
    for (size_t u = begin; u < end; u += together) {
        const size_t chunk = u % t->chunks;
        const size_t first = u / t->chunks * t->n * t->inner + chunk * COLUMNS;
        const size_t width = t->inner > 1 ? smaller(COLUMNS, t->inner - chunk * COLUMNS)
                                          : smaller(together, end - u);
        t->block(t->a + first, t->b + first, t->n, t->inner, width, t->result + first);
    }
}

static void NAME(over_blocks)(NAME(block) * block, size_t outer, size_t n, size_t inner,
                              const real *a, const real *b, real *result)
{
    const size_t chunks = (inner + COLUMNS - 1) / COLUMNS, work = n * smaller(inner, COLUMNS);
    const struct NAME(blocks) task = {block, a, b, result, n, inner, chunks};
    if (work > 0)
        parallel_for(outer * chunks, grain_of(EXPENSIVE, (double)work), NAME(blocks_body), &task);
}

KERNEL(softmax)(size_t outer, size_t n, size_t inner, ARRAY(const real, x, outer * n * inner),
                ARRAY(real, out, outer * n * inner))
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

KERNEL(log_softmax_vjp0)(size_t outer, size_t n, size_t inner,
                         ARRAY(const real, g, outer * n * inner),
                         ARRAY(const real, out, outer * n * inner),
                         ARRAY(real, dx, outer * n * inner))
{
    NAME(over_blocks)(NAME(log_softmax_vjp_block), outer, n, inner, g, out, dx);
}
