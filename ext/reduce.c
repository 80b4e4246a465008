/* reduce.c - sums, means, products, and the largest and smallest elements.
 *
 * Whatever the shape of a contiguous array, reducing one run of neighbouring dimensions makes it
 * outer x n x inner:
 *
 *     out[o][j] = sum over i of x[o][i][j]
 *
 * inner == 1 is a sum of neighbours (the last dimensions, or all), outer == 1 a sum of rows (the
 * gradient of a bias).
 *
 * Traffic: x is read once, in the order of memory. Additions are faster than memory, so there is
 * time to do them with care. A few numbers are added as they come (32 vectors of neighbours, or 8
 * rows). These short sums are added without any rounding error that counts, as hi + lo, where lo
 * collects what each addition to hi rounds away (the two-sum of Knuth, The Art of Computer
 * Programming 2, section 4.2.2, theorem B; Neumaier 1974). The error is then that of adding some
 * ten numbers. It does not grow with n, as the error of a running sum does (n) or that of pairwise
 * sums (log n).
 *
 * Pieces for the threads depend on the sizes alone; their sums are added in the order of memory. */
#define WIDTH 1024 /* columns whose sums are kept at a time: they stay in the L1 cache */
#define NARROW 128 /* columns that are enough for vectors; several narrower rows are read as one */

struct NAME(total) {
    real hi, lo;
};

static inline struct NAME(total) NAME(plus)(struct NAME(total) t, real v)
{
    const real s = t.hi + v, b = s - t.hi;
    return (struct NAME(total)){s, t.lo + ((t.hi - (s - b)) + (v - b))};
}

/* After an overflow, or with a NaN in x, hi is what a plain sum is, and lo is NaN. */
static inline real NAME(rounded)(struct NAME(total) t)
{
    return t.hi - t.hi == 0 ? t.hi + t.lo : t.hi;
}

static inline void NAME(plus_vector)(NAME(vector) *hi, NAME(vector) *lo, NAME(vector) v)
{
    const NAME(vector) s = *hi + v, b = s - *hi;
    *lo += (*hi - (s - b)) + (v - b);
    *hi = s;
}

/* An unfinished sum of neighbours. */
struct NAME(sum) {
    NAME(vector) hi, lo;
    struct NAME(total) rest; /* the sum of what was too short for a vector */
    size_t vectors;          /* how many short sums of vectors hi and lo hold */
};

static inline void NAME(add_vector)(struct NAME(sum) *sum, NAME(vector) v)
{
    if (sum->vectors++ == 0) /* nothing to round */
        sum->hi = v;
    else
        NAME(plus_vector)(&sum->hi, &sum->lo, v);
}

static inline void NAME(add_run)(struct NAME(sum) *sum, const real *x, size_t n)
{
    size_t i = 0;
    while (i + LANES <= n) {
        const size_t end = i + smaller(32 * LANES, (n - i) / LANES * LANES);
        NAME(vector) a = {0}, b = {0}, c = {0}, d = {0};
        for (; i + 4 * LANES <= end; i += 4 * LANES) {
            a += LOAD(x + i), b += LOAD(x + i + LANES);
            c += LOAD(x + i + 2 * LANES), d += LOAD(x + i + 3 * LANES);
        }
        for (; i < end; i += LANES)
            a += LOAD(x + i);
        NAME(add_vector)(sum, (a + b) + (c + d));
    }
    real rest = 0;
    for (; i < n; i++)
        rest += x[i];
    sum->rest = NAME(plus)(sum->rest, rest);
}

/* The sum of a vector's numbers, by parts that are taken out of the register. If the vector were
 * stored and loaded in parts, these loads would wait for the store, at the end of every row. */
static inline real NAME(across)(NAME(vector) v)
{
#if defined(__GNUC__)
    typedef real part __attribute__((vector_size(16), may_alias));
    const part *parts = (const part *)&v;
    part sums = parts[0];
    UNROLL
    for (size_t k = 1; k < sizeof(v) / sizeof(part); k++)
        sums += parts[k];
    real sum = sums[0];
    UNROLL
    for (size_t l = 1; l < sizeof(part) / sizeof(real); l++)
        sum += sums[l];
    return sum;
#else
    return v;
#endif
}

static inline struct NAME(total) NAME(folded)(const struct NAME(sum) *sum)
{
    struct NAME(total) total = sum->rest;
    if (sum->vectors)
        total = NAME(plus)(total, NAME(across)(sum->hi));
    if (sum->vectors > 1)
        total.lo += NAME(across)(sum->lo);
    return total;
}

/* The sum of n neighbours. */
static inline struct NAME(total) NAME(run)(const real *x, size_t n)
{
    struct NAME(sum) sum = {{0}, {0}, {0, 0}, 0};
    NAME(add_run)(&sum, x, n);
    return NAME(folded)(&sum);
}

/* Add to hi + lo each column of `wide` vectors, or of the first `lanes` numbers of one, over n rows
 * that begin `stride` apart. Both stay in registers. In memory they would be loaded and stored for
 * every 8 rows; and where rows are a multiple of 4096 bytes apart, 8 of them fill all places that a
 * cache has for such addresses, so that each of these loads would throw one of their lines out. */
#define SUMS_ABREAST (VECTOR_BYTES == 64 ? 8 : 3) /* for two of them, and the sum of 8 rows */
#define OF(p) (lanes == LANES ? LOAD(p) : NAME(load_first)(p, (int64_t)lanes))
INLINE void NAME(add_vectors)(const real *x, size_t n, size_t stride, real *hi, real *lo,
                              const size_t wide, size_t lanes)
{
    NAME(vector) high[SUMS_ABREAST], low[SUMS_ABREAST];
    UNROLL for (size_t w = 0; w < wide; w++)
        high[w] = OF(hi + w * LANES), low[w] = OF(lo + w * LANES);
    for (; n >= 8; n -= 8, x += 8 * stride)
        UNROLL for (size_t w = 0; w < wide; w++) {
            const real *a = x + w * LANES, *b = a + 4 * stride;
            const NAME(vector) first =
                (OF(a) + OF(a + stride)) + (OF(a + 2 * stride) + OF(a + 3 * stride));
            const NAME(vector) second =
                (OF(b) + OF(b + stride)) + (OF(b + 2 * stride) + OF(b + 3 * stride));
            NAME(plus_vector)(high + w, low + w, first + second);
        }
    for (; n > 0; n--, x += stride)
        UNROLL for (size_t w = 0; w < wide; w++)
            NAME(plus_vector)(high + w, low + w, OF(x + w * LANES));
    UNROLL for (size_t w = 0; w < wide; w++)
        if (lanes == LANES) {
            STORE(hi + w * LANES, high[w]);
            STORE(lo + w * LANES, low[w]);
        } else {
            NAME(store_first)(hi, high[w], (int64_t)lanes);
            NAME(store_first)(lo, low[w], (int64_t)lanes);
        }
}

/* The same for `width` columns. */
static void NAME(add_columns)(const real *restrict x, size_t n, size_t stride, size_t width,
                              real *restrict hi, real *restrict lo)
{
    size_t j = 0;
    for (; j + SUMS_ABREAST * LANES <= width; j += SUMS_ABREAST * LANES)
        NAME(add_vectors)(x + j, n, stride, hi + j, lo + j, SUMS_ABREAST, LANES);
    for (; j + LANES <= width; j += LANES)
        NAME(add_vectors)(x + j, n, stride, hi + j, lo + j, 1, LANES);
    if (j < width)
        NAME(add_vectors)(x + j, n, stride, hi + j, lo + j, 1, width - j);
}
#undef SUMS_ABREAST
#undef OF

/* hi + lo: the sum of each of `width` columns over n rows that begin `stride` apart; or, if
 * `stride` is 1, the sum of each of `width` rows of n neighbours. */
static void NAME(sums)(const real *x, size_t n, size_t stride, size_t width, real *hi, real *lo)
{
    if (stride == 1) {
        for (size_t k = 0; k < width; k++) {
            const struct NAME(total) t = NAME(run)(x + k * n, n);
            hi[k] = t.hi, lo[k] = t.lo;
        }
        return;
    }
    memset(hi, 0, width * sizeof(real));
    memset(lo, 0, width * sizeof(real));
    if (stride == width && width <= NARROW / 2) {
        ON_A_LINE real his[NARROW] = {0}, los[NARROW] = {0};
        size_t together = NARROW / width;
        while (together > 1 && n < 64 * together && together * width >= 2 * LANES)
            together /= 2; /* few rows: what is added up in the end would take longer than they */
        const size_t wide = together * width;
        NAME(add_columns)(x, n / together, wide, wide, his, los);
        for (size_t k = 0; k < wide; k++) {
            const size_t j = k % width;
            const struct NAME(total) t = NAME(plus)((struct NAME(total)){hi[j], lo[j]}, his[k]);
            hi[j] = t.hi, lo[j] = t.lo + los[k];
        }
        x += n / together * wide, n %= together;
    }
    NAME(add_columns)(x, n, stride, width, hi, lo);
}

/* ---- the loop over all blocks of the outer dimension, columns and pieces ---- */
struct NAME(reduction) {
    void (*reduce)(const real *x, size_t n, size_t stride, size_t width, real *hi, real *lo);
    const real *x;
    real *out;
    size_t n, inner, chunks, pieces, rows; /* chunks of WIDTH columns; pieces of `rows` rows */
    real *hi, *lo;                         /* the results of pieces */
    real divisor;                          /* of sums; 0 for other reductions */
};

static void NAME(store)(const struct NAME(reduction) *r, real *restrict out,
                        const real *restrict hi, const real *restrict lo, size_t width)
{
    const real divisor = r->divisor;
    if (divisor == 0) {
        memcpy(out, hi, width * sizeof(real));
        return;
    }
    for (size_t j = 0; j < width; j++)
        out[j] = NAME(rounded)((struct NAME(total)){hi[j], lo[j]});
    if (divisor != 1)
        for (size_t j = 0; j < width; j++)
            out[j] /= divisor;
}

static void NAME(reduction_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(reduction) *r = task;
    /* not 4096 bytes apart, where a load of one would wait for each store to the other */
    ON_A_LINE real hi[WIDTH + 64], lo[WIDTH + 64];
    if (r->pieces == 1 && r->inner == 1) {
        for (size_t o = begin, count; o < end; o += count) {
            count = smaller(WIDTH, end - o);
            r->reduce(r->x + o * r->n, r->n, 1, count, hi, lo);
            NAME(store)(r, r->out + o, hi, lo, count);
        }
        return;
    }
    size_t piece = begin % r->pieces, chunk = begin / r->pieces % r->chunks;
    size_t o = begin / r->pieces / r->chunks;
    for (size_t u = begin; u < end; u++) {
        const size_t row = piece * r->rows, column = chunk * WIDTH;
        const size_t width = smaller(WIDTH, r->inner - column);
        const real *x = r->x + (o * r->n + row) * r->inner + column;
        if (r->pieces > 1) {
            r->reduce(x, smaller(r->rows, r->n - row), r->inner, width, r->hi + piece * width,
                      r->lo + piece * width);
        } else {
            r->reduce(x, r->n, r->inner, width, hi, lo);
            NAME(store)(r, r->out + o * r->inner + column, hi, lo, width);
        }
        if (++piece == r->pieces && (piece = 0, ++chunk == r->chunks))
            chunk = 0, o++;
    }
}

static void NAME(reduce)(struct NAME(reduction) r, size_t outer)
{
    ON_A_LINE real hi[4 * WIDTH], lo[4 * WIDTH];
    r.hi = hi, r.lo = lo;
    r.chunks = (r.inner + WIDTH - 1) / WIDTH;
    r.pieces = 1, r.rows = r.n;
    if (outer * r.chunks == 1 && r.n * r.inner >= 2 * PIECE) {
        r.rows = larger(PIECE / r.inner, r.n / (4 * WIDTH / larger(r.inner, 64)) + 1);
        r.pieces = (r.n + r.rows - 1) / r.rows;
    }
    const double work = (double)larger(r.rows, 1) * (double)smaller(r.inner, WIDTH);
    parallel_for(outer * r.chunks * r.pieces, grain_of(PIECE, work), NAME(reduction_body), &r);
    if (r.pieces == 1)
        return;
    if (r.divisor == 0) {
        r.reduce(hi, r.pieces, r.inner, r.inner, r.out, NULL);
        return;
    }
    for (size_t piece = 1; piece < r.pieces; piece++) {
        const real *restrict high = hi + piece * r.inner, *restrict low = lo + piece * r.inner;
        for (size_t j = 0; j < r.inner; j++) {
            const struct NAME(total) t = NAME(plus)((struct NAME(total)){hi[j], lo[j]}, high[j]);
            hi[j] = t.hi, lo[j] = t.lo + low[j];
        }
    }
    NAME(store)(&r, r.out, hi, lo, r.inner);
}

/* Divided by `divisor`: 1 for a sum, n for a mean. */
KERNEL(sum)(size_t outer, size_t n, size_t inner, real divisor,
            ARRAY(const real, x, outer * n * inner), ARRAY(real, out, outer * inner))
{
    const struct NAME(reduction) r = {
        .reduce = NAME(sums), .x = x, .out = out, .n = n, .inner = inner, .divisor = divisor};
    NAME(reduce)(r, outer);
}

/* n > 0 */
KERNEL(amax)(size_t outer, size_t n, size_t inner, ARRAY(const real, x, outer * n * inner),
             ARRAY(real, out, outer * inner))
{
    const struct NAME(reduction) r = {
        .reduce = NAME(largest), .x = x, .out = out, .n = n, .inner = inner};
    NAME(reduce)(r, outer);
}

KERNEL(amin)(size_t outer, size_t n, size_t inner, ARRAY(const real, x, outer * n * inner),
             ARRAY(real, out, outer * inner))
{
    const struct NAME(reduction) r = {
        .reduce = NAME(smallest), .x = x, .out = out, .n = n, .inner = inner};
    NAME(reduce)(r, outer);
}

/* 1 where n is 0 */
KERNEL(prod)(size_t outer, size_t n, size_t inner, ARRAY(const real, x, outer * n * inner),
             ARRAY(real, out, outer * inner))
{
    const struct NAME(reduction) r = {
        .reduce = NAME(products), .x = x, .out = out, .n = n, .inner = inner};
    NAME(reduce)(r, outer);
}

/* ---- the derivative of a sum ---- */
struct NAME(spreading) {
    const real *g;
    real *out, divisor;
    size_t n, inner;
};

static void NAME(sum_vjp0_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(spreading) *t = task;
    real *restrict out = t->out;
    const real divisor = t->divisor;
    for (size_t at = begin, stop; at < end; at = stop) {
        if (t->inner == 1) { /* one number for n neighbours */
            const size_t o = at / t->n;
            const real value = t->g[o] / divisor;
            stop = smaller(end, (o + 1) * t->n);
            for (size_t i = at; i < stop; i++)
                out[i] = value;
        } else { /* one row for n rows */
            const size_t row = at / t->inner, column = at % t->inner;
            const real *restrict g = t->g + row / t->n * t->inner + column;
            stop = smaller(end, (row + 1) * t->inner);
            if (divisor == 1)
                memcpy(out + at, g, (stop - at) * sizeof(real));
            else
                for (size_t i = at; i < stop; i++)
                    out[i] = g[i - at] / divisor;
        }
    }
}

/* out[o][i][j] = g[o][j] / divisor. Traffic: out is written once; a piece is some of its elements,
 * wherever rows begin. */
KERNEL(sum_vjp0)(size_t outer, size_t n, size_t inner, real divisor,
                 ARRAY(const real, g, outer * inner), ARRAY(real, out, outer * n * inner))
{
    const struct NAME(spreading) task = {g, out, divisor, n, inner};
    parallel_for(outer * n * inner, 2 * PIECE, NAME(sum_vjp0_body), &task);
}
