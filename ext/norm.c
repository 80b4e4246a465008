/* norm.c - normalisation: (x - mean) / sqrt(var + eps) * weight + bias, and its derivatives.
 *
 * layer_norm takes the mean and the variance of each row of n neighbours (Ba et al. 2016),
 * group_norm those of some channels of an example (Wu and He 2018), which are neighbours, too, and
 * batch_norm those of each channel of x (batch, channels, places) over batch and places (Ioffe and
 * Szegedy 2015). With h = g * weight and x^ the normalised x,
 *
 *     dx = (h - mean(h) - x^ * mean(h * x^)) / sqrt(var + eps)
 *     dweight = sum g * x^
 *     dbias = sum g
 *
 * Variances are computed in two passes, first the mean and then the squares of x - mean. With the
 * sums of reduce.c this is right to the last digits, even if the mean is large beside the
 * deviations, where the usual difference of two sums fails. It also makes vector code, without a
 * division at each element as in Welford's one pass (1962). The second pass finds its row in the L1
 * cache. Numbers that are nearly equal (CLOSE) take two passes more: the mean's own rounding would
 * show in them. So equal numbers become exactly 0, as in PyTorch.
 *
 * All derivatives come from one kernel (`<op>_vjps`), since they share the statistics.
 *
 * Traffic: layer_norm reads x once and writes once; batch_norm goes over x once for each of mean,
 * variance and result. */
#define BLOCK 32 /* rows whose products are added before they are written (layer_norm_vjps) */

/* Add a term to `sum` for each i in [0, n). The term is a macro of AT; AT(x) is first the vector of
 * x at i, then the element. */
#define VECTOR_AT(x) LOAD((x) + i)
#define ELEMENT_AT(x) (x)[i]
#define ADD_TERMS(sum, n, TERM) \
    do { \
        size_t i = 0, end_ = 0; \
        while (i + LANES <= (n)) { \
            NAME(vector) a_ = {0}, b_ = {0}; \
            for (end_ = smaller((n), i + 32 * LANES); i + 2 * LANES <= end_; i += LANES) { \
                a_ += TERM(VECTOR_AT); \
                i += LANES; \
                b_ += TERM(VECTOR_AT); \
            } \
            if (i + LANES <= end_) { \
                a_ += TERM(VECTOR_AT); \
                i += LANES; \
            } \
            NAME(add_vector)(sum, a_ + b_); \
        } \
        for (; i < (n); i++) \
            (sum)->rest = NAME(plus)((sum)->rest, TERM(ELEMENT_AT)); \
    } while (0)
#define NO_SUM {{0}, {0}, {0, 0}, 0}

#define GRADIENT(AT) AT(g)
#define WEIGHED(AT) (AT(g) * AT(w))
#define VALUE(AT) AT(x)
#define DEVIATION(AT) (AT(x) - mean)
#define SQUARE(AT) ((AT(x) - mean) * (AT(x) - mean))
#define PRODUCT(AT) (AT(g) * (AT(x) - mean))
#define WEIGHED_PRODUCT(AT) (AT(g) * AT(w) * (AT(x) - mean))

/* Is the mean's rounding, of some 1e-7 of it, not small beside the deviations? Its error is then
 * the mean of x - mean, where each difference is exact. Not for zeros, whose mean is exact. */
#define CLOSE(var, mean) ((var) < (real)1e-8 * (mean) * (mean))

/* ---- rows ---- */
struct NAME(rows) {
    const real *g, *x, *weight, *bias;
    real *out, *sums, eps;
    size_t n, rows;
};

struct NAME(moments) {
    real mean, rstd;
};

static inline struct NAME(moments) NAME(row_moments)(const real *x, size_t n, real eps)
{
    real mean = NAME(rounded)(NAME(run)(x, n)) / (real)n;
    struct NAME(sum) squares = NO_SUM;
    ADD_TERMS(&squares, n, SQUARE);
    real var = NAME(rounded)(NAME(folded)(&squares)) / (real)n;
    if (CLOSE(var, mean)) {
        struct NAME(sum) error = NO_SUM, again = NO_SUM;
        ADD_TERMS(&error, n, DEVIATION);
        mean += NAME(rounded)(NAME(folded)(&error)) / (real)n;
        ADD_TERMS(&again, n, SQUARE);
        var = NAME(rounded)(NAME(folded)(&again)) / (real)n;
    }
    return (struct NAME(moments)){mean, 1 / FN(sqrt)(var + eps)};
}

static void NAME(layer_norm_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(rows) *t = task;
    const real *restrict w = t->weight, *restrict b = t->bias;
    for (size_t r = begin; r < end; r++) {
        const real *restrict x = t->x + r * t->n;
        real *restrict out = t->out + r * t->n;
        const struct NAME(moments) m = NAME(row_moments)(x, t->n, t->eps);
        const real mean = m.mean, rstd = m.rstd;
        if (w == NULL)
            for (size_t i = 0; i < t->n; i++)
                out[i] = (x[i] - mean) * rstd;
        else if (b == NULL)
            for (size_t i = 0; i < t->n; i++)
                out[i] = (x[i] - mean) * rstd * w[i];
        else
            for (size_t i = 0; i < t->n; i++)
                out[i] = (x[i] - mean) * rstd * w[i] + b[i];
    }
}

/* dx, and the sum of g * x^ over each BLOCK of rows; a sum over the blocks is left to do */
static void NAME(layer_norm_vjps_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(rows) *t = task;
    const size_t n = t->n;
    const real *restrict w = t->weight;
    for (size_t block = begin; block < end; block++) {
        real *restrict sums = t->sums + block * n;
        memset(sums, 0, n * sizeof(real));
        for (size_t r = block * BLOCK; r < smaller((block + 1) * BLOCK, t->rows); r++) {
            const real *restrict x = t->x + r * n, *restrict g = t->g + r * n;
            real *restrict out = t->out + r * n;
            const struct NAME(moments) m = NAME(row_moments)(x, n, t->eps);
            const real mean = m.mean, rstd = m.rstd;
            struct NAME(sum) plain = NO_SUM, product = NO_SUM;
            if (w == NULL) {
                ADD_TERMS(&plain, n, GRADIENT);
                ADD_TERMS(&product, n, PRODUCT);
            } else {
                ADD_TERMS(&plain, n, WEIGHED);
                ADD_TERMS(&product, n, WEIGHED_PRODUCT);
            }
            const real a = NAME(rounded)(NAME(folded)(&plain)) / (real)n;
            const real b = NAME(rounded)(NAME(folded)(&product)) / (real)n * rstd;
            for (size_t i = 0; i < n; i++) {
                const real normal = (x[i] - mean) * rstd;
                sums[i] += g[i] * normal;
                out[i] = rstd * ((w == NULL ? g[i] : g[i] * w[i]) - a - normal * b);
            }
        }
    }
}

KERNEL(layer_norm)(size_t rows, size_t n, real eps, ARRAY(const real, x, rows * n),
                   OPTIONAL(const real, weight, n), OPTIONAL(const real, bias, n),
                   ARRAY(real, out, rows * n))
{
    const struct NAME(rows) task = {
        .x = x, .weight = weight, .bias = bias, .out = out, .eps = eps, .n = n, .rows = rows};
    if (n > 0)
        parallel_for(rows, grain_of(PIECE / 2, (double)n), NAME(layer_norm_body), &task);
}

KERNEL(layer_norm_vjps)(size_t rows, size_t n, real eps, ARRAY(const real, g, rows * n),
                        ARRAY(const real, x, rows * n), OPTIONAL(const real, weight, n),
                        ARRAY(real, dx, rows * n), ARRAY(real, sums, (rows + 31) / 32 * n))
{
    const struct NAME(rows) task = {.g = g, .x = x, .weight = weight, .out = dx, .sums = sums,
                                    .eps = eps, .n = n, .rows = rows};
    if (n > 0)
        parallel_for(pieces(rows, BLOCK), grain_of(PIECE / 2, (double)n * BLOCK),
                     NAME(layer_norm_vjps_body), &task);
}

/* ---- groups of channels ---- */
struct NAME(groups) {
    const real *g, *x, *weight, *bias;
    real *out, *dweight, *dbias, eps;
    size_t groups, channels, places; /* of an example, of a group, of a channel */
};

/* A row is a group. Its first channel is (r % groups) * channels of its example. */
static void NAME(group_norm_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(groups) *t = task;
    const size_t n = t->channels * t->places;
    for (size_t r = begin; r < end; r++) {
        const real *restrict x = t->x + r * n;
        real *restrict out = t->out + r * n;
        const struct NAME(moments) m = NAME(row_moments)(x, n, t->eps);
        const real mean = m.mean, rstd = m.rstd;
        size_t c = r % t->groups * t->channels;
        for (size_t at = 0; at < n; c++) {
            const real w = t->weight == NULL ? 1 : t->weight[c];
            const real b = t->bias == NULL ? 0 : t->bias[c];
            for (const size_t last = at + t->places; at < last; at++)
                out[at] = (x[at] - mean) * rstd * w + b;
        }
    }
}

/* the sum of g * w; without w of g */
static inline real NAME(weighed)(const real *g, const real *w, size_t n)
{
    struct NAME(sum) sum = NO_SUM;
    if (w == NULL)
        ADD_TERMS(&sum, n, GRADIENT);
    else
        ADD_TERMS(&sum, n, WEIGHED);
    return NAME(rounded)(NAME(folded)(&sum));
}

/* dx, and of each channel of each example the sums of g * x^ and of g, from which those of the
 * group come */
static void NAME(group_norm_vjps_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(groups) *t = task;
    const size_t n = t->channels * t->places;
    for (size_t r = begin; r < end; r++) {
        const real *restrict x = t->x + r * n, *restrict g = t->g + r * n;
        const real *weight = t->weight == NULL ? NULL : t->weight + r % t->groups * t->channels;
        real *restrict out = t->out + r * n;
        real *restrict dweight = t->dweight + r * t->channels;
        real *restrict dbias = t->dbias + r * t->channels;
        const struct NAME(moments) m = NAME(row_moments)(x, n, t->eps);
        const real mean = m.mean, rstd = m.rstd;
        for (size_t c = 0; c < t->channels; c++, x += t->places, g += t->places)
            if (t->places < 2 * LANES) { /* so few need no compensation */
                real sum = 0, with_x = 0;
                for (size_t i = 0; i < t->places; i++)
                    sum += g[i], with_x += g[i] * (x[i] - mean);
                dbias[c] = sum, dweight[c] = with_x * rstd;
            } else {
                struct NAME(sum) sum = NO_SUM, with_x = NO_SUM;
                ADD_TERMS(&sum, t->places, GRADIENT);
                ADD_TERMS(&with_x, t->places, PRODUCT);
                dbias[c] = NAME(rounded)(NAME(folded)(&sum));
                dweight[c] = NAME(rounded)(NAME(folded)(&with_x)) * rstd;
            }
        x -= n, g -= n;
        const real a = NAME(weighed)(dbias, weight, t->channels) / (real)n;
        const real b = NAME(weighed)(dweight, weight, t->channels) / (real)n;
        for (size_t c = 0, at = 0; c < t->channels; c++) {
            const real w = weight == NULL ? 1 : weight[c];
            for (const size_t last = at + t->places; at < last; at++)
                out[at] = rstd * (g[at] * w - a - (x[at] - mean) * rstd * b);
        }
    }
}

KERNEL(group_norm)(size_t batch, size_t groups, size_t channels, size_t places, real eps,
                   ARRAY(const real, x, batch * groups * channels * places),
                   OPTIONAL(const real, weight, groups * channels),
                   OPTIONAL(const real, bias, groups * channels),
                   ARRAY(real, out, batch * groups * channels * places))
{
    const struct NAME(groups) task = {.x = x, .weight = weight, .bias = bias, .out = out,
                                      .eps = eps, .groups = groups, .channels = channels,
                                      .places = places};
    parallel_for(batch * groups, grain_of(PIECE / 2, (double)channels * (double)places),
                 NAME(group_norm_body), &task);
}

KERNEL(group_norm_vjps)(size_t batch, size_t groups, size_t channels, size_t places, real eps,
                        ARRAY(const real, g, batch * groups * channels * places),
                        ARRAY(const real, x, batch * groups * channels * places),
                        OPTIONAL(const real, weight, groups * channels),
                        ARRAY(real, dx, batch * groups * channels * places),
                        ARRAY(real, dweight, batch * groups * channels),
                        ARRAY(real, dbias, batch * groups * channels))
{
    const struct NAME(groups) task = {.g = g, .x = x, .weight = weight, .out = dx,
                                      .dweight = dweight, .dbias = dbias, .eps = eps,
                                      .groups = groups, .channels = channels, .places = places};
    parallel_for(batch * groups, grain_of(PIECE / 2, (double)channels * (double)places),
                 NAME(group_norm_vjps_body), &task);
}

/* ---- channels ---- */
/* Rows of a tile of TILE_WIDTH columns: where a channel has one place, its elements are a
 * column. */
#define TILE 8
#define TILE_WIDTH 128

struct NAME(channels) {
    const real *g, *x, *weight, *mean, *scale, *bias;
    real *out, *other, *constants, eps;
    size_t batch, channels, places;
};

/* Run `statement` in a unit of work, for every element `at`, of channel `c`. A unit is one channel
 * of one example or, where a channel has one place, one example. */
#define EACH_OF_CHANNELS(statement) \
    for (size_t u = begin; u < end; u++) \
        if (t->places == 1) \
            for (size_t c = 0, at = u * t->channels; c < t->channels; c++, at++) \
                statement; \
        else { \
            const size_t c = u % t->channels; \
            for (size_t at = u * t->places; at < (u + 1) * t->places; at++) \
                statement; \
        }

/* The sum of a term, in which `mean` is means[c], over all elements of each channel c, passed on by
 * store(c, sum). A unit is a channel or, where a channel has one place, TILE_WIDTH channels. */
#define EACH_CHANNELS_SUM(store, TERM) \
    for (size_t u = begin; u < end; u++) \
        if (t->places != 1) { \
            struct NAME(sum) sum = NO_SUM; \
            const real mean = means[u]; \
            (void)mean; \
            for (size_t example = 0; t->places > 0 && example < t->batch; example++) { \
                const size_t first = (example * t->channels + u) * t->places; \
                const real *x = t->x + first, *g = t->g + first; \
                (void)x, (void)g; \
                ADD_TERMS(&sum, t->places, TERM); \
            } \
            store(u, NAME(rounded)(NAME(folded)(&sum))); \
        } else { \
            const size_t first = u * TILE_WIDTH, width = smaller(TILE_WIDTH, t->channels - first); \
            ON_A_LINE real hi[TILE_WIDTH] = {0}, lo[TILE_WIDTH] = {0}; \
            size_t example = 0; \
            for (; example + TILE <= t->batch; example += TILE) \
                ADD_ROWS(TILE, TERM) \
            for (; example < t->batch; example++) \
                ADD_ROWS(1, TERM) \
            for (size_t j = 0; j < width; j++) \
                store(first + j, NAME(rounded)((struct NAME(total)){hi[j], lo[j]})); \
        }
#define ADD_ROWS(count, TERM) \
    for (size_t i = 0; i < width; i++) { \
        const real mean = means[first + i]; \
        real sum = 0; \
        (void)mean; \
        for (size_t row = 0; row < count; row++) { \
            const real *x = t->x + (example + row) * t->channels + first; \
            const real *g = t->g + (example + row) * t->channels + first; \
            (void)x, (void)g; \
            sum += TERM(ELEMENT_AT); \
        } \
        const struct NAME(total) total = NAME(plus)((struct NAME(total)){hi[i], lo[i]}, sum); \
        hi[i] = total.hi, lo[i] = total.lo; \
    }

static size_t NAME(units)(size_t channels, size_t places)
{
    return places != 1 ? channels : pieces(channels, TILE_WIDTH);
}
static double NAME(unit_size)(size_t batch, size_t places) /* elements of a unit */
{
    return (double)batch * (double)(places != 1 ? places : TILE_WIDTH);
}

/* Run a body of EACH_OF_CHANNELS. */
static void NAME(for_channels)(void (*body)(const void *, size_t, size_t),
                               const struct NAME(channels) *t)
{
    if (t->places == 1)
        parallel_for(t->batch, grain_of(PIECE, (double)t->channels), body, t);
    else if (t->places > 1)
        parallel_for(t->batch * t->channels, grain_of(PIECE, (double)t->places), body, t);
}

static void NAME(channel_moments)(const struct NAME(channels) *t, real *means, real *var,
                                  size_t begin, size_t end)
{
    const real n = (real)(t->batch * t->places);
    bool close = false;
#define STORE_MEAN(c, sum) means[c] = (sum) / n
#define STORE_VAR(c, sum) var[c] = (sum) / n, close |= CLOSE(var[c], means[c])
#define ADD_ERROR(c, sum) means[c] += (sum) / n
    EACH_CHANNELS_SUM(STORE_MEAN, VALUE)
    EACH_CHANNELS_SUM(STORE_VAR, SQUARE)
    if (!close)
        return;
    EACH_CHANNELS_SUM(ADD_ERROR, DEVIATION)
    EACH_CHANNELS_SUM(STORE_VAR, SQUARE)
}

static void NAME(moments_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(channels) *t = task;
    NAME(channel_moments)(t, t->out, t->other, begin, end);
}

/* Mean and variance (divided by n) of each channel. */
KERNEL(moments)(size_t batch, size_t channels, size_t places,
                ARRAY(const real, x, batch * channels * places), ARRAY(real, mean, channels),
                ARRAY(real, var, channels))
{
    const struct NAME(channels) task = {.g = x, .x = x, .out = mean, .other = var, .batch = batch,
                                        .channels = channels, .places = places};
    parallel_for(NAME(units)(channels, places), grain_of(PIECE, NAME(unit_size)(batch, places)),
                 NAME(moments_body), &task);
}

/* What the derivatives of batch_norm need to know of each channel: the sums of g and of g * x^, and
 * from them mean, scale, a and k, with which dx = scale * (g - a - (x - mean) * k). */
static void NAME(channel_sums_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(channels) *t = task;
    const real n = (real)(t->batch * t->places);
    real *means = t->constants, *scale = means + t->channels, *a = scale + t->channels;
    real *k = a + t->channels;
    real *plain = t->other, *product = t->out;
#define STORE_PLAIN(c, sum) \
    plain[c] = (sum), a[c] = plain[c] / n, scale[c] = 1 / FN(sqrt)(scale[c] + t->eps)
#define STORE_PRODUCT(c, sum) \
    product[c] = (sum) * scale[c], k[c] = product[c] * scale[c] / n, \
    scale[c] *= t->weight == NULL ? 1 : t->weight[c]
    NAME(channel_moments)(t, means, scale, begin, end);
    EACH_CHANNELS_SUM(STORE_PLAIN, GRADIENT)
    EACH_CHANNELS_SUM(STORE_PRODUCT, PRODUCT)
}

static void NAME(channel_affine_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(channels) *t = task;
    const real *restrict x = t->x, *restrict mean = t->mean, *restrict scale = t->scale;
    const real *restrict bias = t->bias;
    real *restrict out = t->out;
    EACH_OF_CHANNELS(out[at] = (x[at] - mean[c]) * scale[c] + bias[c])
}

/* (x - mean) * scale + bias, of each channel */
KERNEL(channel_affine)(size_t batch, size_t channels, size_t places,
                       ARRAY(const real, x, batch * channels * places),
                       ARRAY(const real, mean, channels), ARRAY(const real, scale, channels),
                       ARRAY(const real, bias, channels),
                       ARRAY(real, out, batch * channels * places))
{
    const struct NAME(channels) task = {.x = x, .mean = mean, .scale = scale, .bias = bias,
                                        .out = out, .batch = batch, .channels = channels,
                                        .places = places};
    NAME(for_channels)(NAME(channel_affine_body), &task);
}

static void NAME(batch_norm_vjp_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(channels) *t = task;
    const real *restrict x = t->x, *restrict g = t->g, *restrict mean = t->constants;
    const real *restrict scale = mean + t->channels, *restrict a = scale + t->channels;
    const real *restrict k = a + t->channels;
    real *restrict dx = t->out;
    EACH_OF_CHANNELS(dx[at] = scale[c] * (g[at] - a[c] - (x[at] - mean[c]) * k[c]))
}

/* All derivatives of batch_norm. Traffic: x is read three times (mean, variance, products), g
 * twice, then each once more for dx. While a channel fits the cache, only the first and the last
 * reading come from memory. */
KERNEL(batch_norm_vjps)(size_t batch, size_t channels, size_t places, real eps,
                        ARRAY(const real, g, batch * channels * places),
                        ARRAY(const real, x, batch * channels * places),
                        OPTIONAL(const real, weight, channels),
                        ARRAY(real, constants, 4 * channels),
                        ARRAY(real, dx, batch * channels * places), ARRAY(real, dweight, channels),
                        ARRAY(real, dbias, channels))
{
    struct NAME(channels) task = {.g = g, .x = x, .weight = weight, .constants = constants,
                                  .out = dweight, .other = dbias, .eps = eps, .batch = batch,
                                  .channels = channels, .places = places};
    parallel_for(NAME(units)(channels, places), grain_of(PIECE, NAME(unit_size)(batch, places)),
                 NAME(channel_sums_body), &task);
    task.out = dx;
    NAME(for_channels)(NAME(batch_norm_vjp_body), &task);
}
