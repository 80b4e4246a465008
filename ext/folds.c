/* folds.c - the largest, the smallest and the product of neighbours, and of the numbers of columns:
 * what reduce.c does to many rows at a time. Any order gives the same extreme; products are taken
 * in an order that depends on the sizes alone. */
#ifdef REAL_IS_FLOAT
typedef int32_t integer_f32;
#else
typedef int64_t integer_f64;
#endif
#if defined(__GNUC__)
typedef NAME(integer) NAME(integers) __attribute__((vector_size(VECTOR_BYTES)));
#endif

/* The largest (or smallest) of n > 0 neighbours, or of each column. Neighbours go through
 * LANES_OF_EXTREMES comparisons that ignore NaN, one instruction each. Whether there is one tells a
 * sum of zeros, to which a NaN adds itself, as an infinite number does. */
#define LANES_OF_EXTREMES 64

INLINE bool NAME(beats)(real a, real b, bool largest) { return largest ? a > b : a < b; }

INLINE real NAME(extreme)(const real *restrict x, size_t n, bool largest)
{
    ON_A_LINE real lanes[LANES_OF_EXTREMES];
    ON_A_LINE real unknown[LANES_OF_EXTREMES] = {0};
    memcpy(lanes, x, sizeof lanes);
    for (size_t i = 0; i < n; i += LANES_OF_EXTREMES) { /* the last ones may come twice */
        const real *at = x + smaller(i, n - LANES_OF_EXTREMES);
        for (size_t l = 0; l < LANES_OF_EXTREMES; l++) {
            lanes[l] = NAME(beats)(at[l], lanes[l], largest) ? at[l] : lanes[l];
            unknown[l] += at[l] * 0;
        }
    }
    for (size_t half = LANES_OF_EXTREMES / 2; half > 0; half /= 2)
        for (size_t l = 0; l < half; l++) {
            lanes[l] = NAME(beats)(lanes[l + half], lanes[l], largest) ? lanes[l + half] : lanes[l];
            unknown[l] += unknown[l + half];
        }
    if (unknown[0] == 0)
        return lanes[0];
    int any = 0; /* or is a number infinite? */
    for (size_t i = 0; i < n; i++)
        any |= x[i] != x[i];
    return any ? (real)NAN : lanes[0];
}

/* The same for short rows, in one vector, so that less is left to do at the end. A row's last
 * numbers may be compared twice. */
#if defined(__GNUC__)
INLINE NAME(vector) NAME(better)(NAME(vector) a, NAME(vector) b, bool largest)
{
    const NAME(integers) first = largest ? a > b : a < b;
    return (NAME(vector))(((NAME(integers))a & first) | ((NAME(integers))b & ~first));
}
#endif

INLINE real NAME(short_extreme)(const real *restrict x, size_t n, bool largest)
{
    real out = x[0];
    int any = x[0] != x[0];
#if defined(__GNUC__)
    if (n >= LANES) {
        typedef real part __attribute__((vector_size(16), may_alias));
        typedef NAME(integer) mask __attribute__((vector_size(16), may_alias));
        NAME(vector) best = LOAD(x);
        NAME(integers) nan = best != best;
        for (size_t i = LANES; i < n; i += LANES) {
            const NAME(vector) v = LOAD(x + smaller(i, n - LANES));
            best = NAME(better)(v, best, largest);
            nan |= v != v;
        }
        /* by parts, as in across() */
        const part *parts = (const part *)&best;
        const mask *nans = (const mask *)&nan;
        part left = parts[0];
        mask found = nans[0];
        UNROLL for (size_t k = 1; k < sizeof best / sizeof left; k++) {
            const mask first = largest ? parts[k] > left : parts[k] < left;
            left = (part)(((mask)parts[k] & first) | ((mask)left & ~first));
            found |= nans[k];
        }
        out = left[0], any = found[0] != 0;
        UNROLL for (size_t l = 1; l < sizeof left / sizeof out; l++) {
            out = NAME(beats)(left[l], out, largest) ? left[l] : out;
            any |= found[l] != 0;
        }
        return any ? (real)NAN : out;
    }
#endif
    for (size_t i = 1; i < n; i++) {
        out = NAME(beats)(x[i], out, largest) ? x[i] : out;
        any |= x[i] != x[i];
    }
    return any ? (real)NAN : out;
}

/* Rows or columns, as for NAME(sums). */
INLINE void NAME(extremes)(const real *restrict x, size_t n, size_t stride, size_t width,
                                  real *restrict best, bool largest)
{
    if (stride == 1) {
        for (size_t k = 0; k < width; k++)
            best[k] = n < 2 * LANES_OF_EXTREMES ? NAME(short_extreme)(x + k * n, n, largest)
                                                : NAME(extreme)(x + k * n, n, largest);
    } else {
        memcpy(best, x, width * sizeof(real));
        for (size_t i = 1; i < n; i++)
            for (size_t j = 0; j < width; j++) {
                const real v = x[i * stride + j];
                best[j] = (NAME(beats)(v, best[j], largest) | (v != v)) ? v : best[j];
            }
    }
}

static void NAME(largest)(const real *x, size_t n, size_t stride, size_t width, real *best,
                          real *unused)
{
    (void)unused;
    NAME(extremes)(x, n, stride, width, best, true);
}

static void NAME(smallest)(const real *x, size_t n, size_t stride, size_t width, real *best,
                           real *unused)
{
    (void)unused;
    NAME(extremes)(x, n, stride, width, best, false);
}

/* The product of n neighbours, by as many vectors as a multiplication takes cycles. */
static inline real NAME(product)(const real *restrict x, size_t n)
{
    ON_A_LINE real lanes[LANES_OF_EXTREMES];
    real out = 1;
    size_t i = 0;
    if (n >= LANES_OF_EXTREMES) {
        memcpy(lanes, x, sizeof lanes);
        for (i = LANES_OF_EXTREMES; i + LANES_OF_EXTREMES <= n; i += LANES_OF_EXTREMES)
            for (size_t l = 0; l < LANES_OF_EXTREMES; l++)
                lanes[l] *= x[i + l];
        for (; i + LANES_OF_EXTREMES / 4 <= n; i += LANES_OF_EXTREMES / 4)
            for (size_t l = 0; l < LANES_OF_EXTREMES / 4; l++)
                lanes[l] *= x[i + l];
        for (size_t half = LANES_OF_EXTREMES / 2; half > 0; half /= 2)
            for (size_t l = 0; l < half; l++)
                lanes[l] *= lanes[l + half];
        out = lanes[0];
    }
    for (; i < n; i++)
        out *= x[i];
    return out;
}

static void NAME(products)(const real *x, size_t n, size_t stride, size_t width,
                           real *restrict out, real *unused)
{
    (void)unused;
    if (stride == 1) {
        for (size_t k = 0; k < width; k++)
            out[k] = NAME(product)(x + k * n, n);
        return;
    }
    for (size_t j = 0; j < width; j++)
        out[j] = 1;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < width; j++)
            out[j] *= x[i * stride + j];
}
