/* whole.c - whole numbers and masks, where numpy's loops take one number at a time: shifts,
 * absolute values, masks. What numpy's loops do with vectors is left to them
 * (ufuncs.h); but products of matrices it takes number by number, too. */
struct NAME(whole) {
    const void *x;
    void *out;
    int64_t places;
};

#define WHOLE(name, type, value)                                           \
    static void NAME(name)(const void *task, size_t begin, size_t end)     \
    {                                                                      \
        const struct NAME(whole) *t = task;                                \
        const type *restrict x = t->x;                                     \
        type *restrict out = t->out;                                       \
        const int64_t places = t->places;                                  \
        (void)places;                                                      \
        for (size_t i = begin; i < end; i++)                               \
            out[i] = (type)(value);                                        \
    }

WHOLE(left_body, int64_t, (uint64_t)x[i] << places)
WHOLE(right_body, int64_t, x[i] >> places)
WHOLE(abs_body, int64_t, x[i] < 0 ? 0 - (uint64_t)x[i] : (uint64_t)x[i])
WHOLE(not_body, uint8_t, x[i] ^ 1)
#undef WHOLE

/* By up to 63 places to the left, or (`by` is negative) to the right. */
KERNEL(shift_whole)(size_t n, int64_t by, ARRAY(const int64_t, x, n), ARRAY(int64_t, out, n))
{
    const struct NAME(whole) task = {x, out, by < 0 ? -by : by};
    if (task.places < 64)
        parallel_for(n, PIECE, by < 0 ? NAME(right_body) : NAME(left_body), &task);
}

KERNEL(abs_whole)(size_t n, ARRAY(const int64_t, x, n), ARRAY(int64_t, out, n))
{
    const struct NAME(whole) task = {x, out, 0};
    parallel_for(n, PIECE, NAME(abs_body), &task);
}

/* Of bools, which are 0 or 1. */
KERNEL(not_bool)(size_t n, ARRAY(const uint8_t, x, n), ARRAY(uint8_t, out, n))
{
    const struct NAME(whole) task = {x, out, 0};
    parallel_for(n, 4 * PIECE, NAME(not_body), &task);
}

/* ---- running sums: a unit is STRIP columns of a block of rows, or the only one ---- */
#define STRIP 256
struct NAME(adding_up) {
    const real *x;
    real *out;
    size_t n, inner;
};

static void NAME(running_sum_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(adding_up) *t = task;
    const size_t n = t->n, inner = t->inner, strips = pieces(inner, STRIP);
    for (size_t u = begin; u < end; u++) {
        const size_t column = u % strips * STRIP, width = smaller(STRIP, inner - column);
        const real *restrict x = t->x + u / strips * n * inner + column;
        real *restrict out = t->out + u / strips * n * inner + column;
        if (inner == 1) {
            real sum = 0;
            size_t j = 0;
            for (; j + 4 <= n; j += 4) { /* the sums of four wait once for those before */
                const real two = x[j] + x[j + 1], three = two + x[j + 2], four = three + x[j + 3];
                out[j] = sum + x[j];
                out[j + 1] = sum + two;
                out[j + 2] = sum + three;
                out[j + 3] = sum += four;
            }
            for (; j < n; j++)
                out[j] = sum += x[j];
            continue;
        }
        memcpy(out, x, width * sizeof(real));
        for (size_t j = 1; j < n; j++)
            for (size_t i = 0; i < width; i++)
                out[j * inner + i] = out[(j - 1) * inner + i] + x[j * inner + i];
    }
}

/* n > 0 */
KERNEL(running_sum)(size_t outer, size_t n, size_t inner,
                    ARRAY(const real, x, outer * n * inner),
                    ARRAY(real, out, outer * n * inner))
{
    const struct NAME(adding_up) task = {x, out, n, inner};
    parallel_for(outer * pieces(inner, STRIP),
                 grain_of(PIECE / 4, (double)n * (double)smaller(inner, STRIP)),
                 NAME(running_sum_body), &task);
}
#undef STRIP

/* ---- products of matrices ----
 * A tile of TALL rows and BROAD columns of the result is kept in registers, as in matmul.c, and its
 * columns of y are laid out row after row, DEEP rows at a time. What overflows is left out, as in
 * numpy. */
#define TALL 4
#define BROAD (4 * LANES)
#define DEEP 256

struct NAME(multiplying) {
    const real *x, *y;
    real *out;
    struct strides x_strides, y_strides;
    size_t inner, m, k, n;
};

INLINE void NAME(whole_tile)(const size_t high, const real *x, const struct strides s,
                             const real *panel, size_t deep, real *out, size_t n, size_t wide,
                             bool anew)
{
    NAME(vector) sum[TALL][BROAD / LANES] = {{{0}}};
    for (size_t p = 0; p < deep; p++)
        UNROLL for (size_t r = 0; r < high; r++) {
            const real number = x[(ptrdiff_t)r * s.row + (ptrdiff_t)p * s.column];
            UNROLL for (size_t v = 0; v < BROAD / LANES; v++)
                sum[r][v] += number * LOAD(panel + p * BROAD + v * LANES);
        }
    for (size_t r = 0; r < high; r++) {
        const real *from = (const real *)sum[r];
        for (size_t j = 0; j < wide; j++)
            out[r * n + j] = (anew ? 0 : out[r * n + j]) + from[j];
    }
}

static void NAME(product_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(multiplying) *t = task;
    const size_t m = t->m, n = t->n, panels = pieces(n, BROAD);
    const struct strides xs = t->x_strides, ys = t->y_strides;
    ON_A_LINE real panel[DEEP * BROAD];
    for (size_t u = begin; u < end; u++) {
        const size_t b = u / panels, first = u % panels * BROAD, wide = smaller(BROAD, n - first);
        const ptrdiff_t o = (ptrdiff_t)(b / t->inner), i = (ptrdiff_t)(b % t->inner);
        const real *y = t->y + o * ys.outer + i * ys.inner + (ptrdiff_t)first * ys.column;
        for (size_t p = 0, deep; p < t->k; p += deep) {
            deep = smaller(DEEP, t->k - p);
            for (size_t q = 0; q < deep; q++)
                for (size_t j = 0; j < BROAD; j++)
                    panel[q * BROAD + j] =
                        j < wide ? y[(ptrdiff_t)(p + q) * ys.row + (ptrdiff_t)j * ys.column] : 0;
            const real *x = t->x + o * xs.outer + i * xs.inner + (ptrdiff_t)p * xs.column;
            real *out = t->out + b * m * n + first;
            size_t row = 0;
            for (; row + TALL <= m; row += TALL, x += TALL * xs.row, out += TALL * n)
                NAME(whole_tile)(TALL, x, xs, panel, deep, out, n, wide, p == 0);
            for (; row < m; row++, x += xs.row, out += n)
                NAME(whole_tile)(1, x, xs, panel, deep, out, n, wide, p == 0);
        }
    }
}

/* out = x y; k > 0 */
KERNEL(product)(size_t outer, size_t inner, size_t m, size_t k, size_t n,
                MATRIX(const real, x, outer, inner, m, k),
                MATRIX(const real, y, outer, inner, k, n),
                ARRAY(real, out, outer * inner * m * n))
{
    const struct NAME(multiplying) task = {x, y, out, x_strides, y_strides, inner, m, k, n};
    parallel_for(outer * inner * pieces(n, BROAD),
                 grain_of(2 * PIECE, (double)m * (double)(k * BROAD)), NAME(product_body), &task);
}
#undef TALL
#undef BROAD
#undef DEEP
