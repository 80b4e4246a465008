/* norm.c - normalisation: (x - mean) / sqrt(var + eps) * weight + bias, and its derivatives.
 *
 * layer_norm takes the mean and the variance of each row of n neighbours (Ba et al. 2016), batch_norm those of each channel of
 * x (batch, channels, places) over batch and places (Ioffe and Szegedy 2015). With h = g * weight and x^ the normalised x,
 *
 *     dx = (h - mean(h) - x^ * mean(h * x^)) / sqrt(var + eps)        dweight = sum g * x^        dbias = sum g
 *
 * Variances are computed in two passes, the mean first and then the squares of x - mean: with the sums of reduce.c that is
 * right to the last digits, also where the mean is large beside the deviations (the usual sum of squares minus square of the sum
 * fails there), and it makes vectors, without the division at each element of Welford's one pass (1962). The second pass
 * finds its row in the L1 cache. Terms are computed into a buffer, BUFFER at a time, and added up there.
 *
 * Traffic: layer_norm reads x once and writes once; batch_norm goes over x once for each of mean, variance and result. */
#define BUFFER 1024

/* The sum of the terms (an expression of i) for i in [0, n), added to `sum`; uses `buffer`. */
#define ADD_TERMS(sum, n, term)                                                                                                  \
    for (size_t first_ = 0; first_ < (n); first_ += BUFFER) {                                                                    \
        const size_t count_ = smaller(BUFFER, (n) - first_);                                                                     \
        for (size_t k_ = 0; k_ < count_; k_++) {                                                                                 \
            const size_t i = first_ + k_;                                                                                        \
            buffer[k_] = (term);                                                                                                 \
        }                                                                                                                        \
        NAME(add_run)(sum, buffer, count_);                                                                                      \
    }
#define NO_SUM {{0}, {0}, {0, 0}, false}

/* ---- rows ---- */
struct NAME(rows) {
    const real *g, *x, *weight, *bias;
    real *out, eps;
    size_t n;
};

struct NAME(moments) {
    real mean, rstd;
};

static inline struct NAME(moments) NAME(row_moments)(const real *x, size_t n, real eps, real *restrict buffer)
{
    const real mean = NAME(rounded)(NAME(run)(x, n)) / (real)n;
    struct NAME(sum) squares = NO_SUM;
    ADD_TERMS(&squares, n, (x[i] - mean) * (x[i] - mean))
    return (struct NAME(moments)){mean, 1 / FN(sqrt)(NAME(rounded)(NAME(folded)(&squares)) / (real)n + eps)};
}

static void NAME(layer_norm_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(rows) *t = task;
    const real *restrict w = t->weight, *restrict b = t->bias;
    real buffer[BUFFER];
    for (size_t r = begin; r < end; r++) {
        const real *restrict x = t->x + r * t->n;
        real *restrict out = t->out + r * t->n;
        const struct NAME(moments) m = NAME(row_moments)(x, t->n, t->eps, buffer);
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

static void NAME(layer_norm_vjp0_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(rows) *t = task;
    const real *restrict w = t->weight;
    real buffer[BUFFER];
    for (size_t r = begin; r < end; r++) {
        const real *restrict x = t->x + r * t->n, *restrict g = t->g + r * t->n;
        real *restrict out = t->out + r * t->n;
        const struct NAME(moments) m = NAME(row_moments)(x, t->n, t->eps, buffer);
        const real mean = m.mean, rstd = m.rstd;
        struct NAME(sum) plain = NO_SUM, product = NO_SUM;
        if (w == NULL) {
            NAME(add_run)(&plain, g, t->n);
            ADD_TERMS(&product, t->n, g[i] * ((x[i] - mean) * rstd))
        } else {
            ADD_TERMS(&plain, t->n, g[i] * w[i])
            ADD_TERMS(&product, t->n, g[i] * w[i] * ((x[i] - mean) * rstd))
        }
        const real a = NAME(rounded)(NAME(folded)(&plain)) / (real)t->n, b = NAME(rounded)(NAME(folded)(&product)) / (real)t->n;
        if (w == NULL)
            for (size_t i = 0; i < t->n; i++)
                out[i] = rstd * (g[i] - a - (x[i] - mean) * rstd * b);
        else
            for (size_t i = 0; i < t->n; i++)
                out[i] = rstd * (g[i] * w[i] - a - (x[i] - mean) * rstd * b);
    }
}

/* g * x^: what is to be summed over the rows */
static void NAME(layer_norm_vjp1_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(rows) *t = task;
    real buffer[BUFFER];
    for (size_t r = begin; r < end; r++) {
        const real *restrict x = t->x + r * t->n, *restrict g = t->g + r * t->n;
        real *restrict out = t->out + r * t->n;
        const struct NAME(moments) m = NAME(row_moments)(x, t->n, t->eps, buffer);
        for (size_t i = 0; i < t->n; i++)
            out[i] = g[i] * ((x[i] - m.mean) * m.rstd);
    }
}

static inline size_t NAME(rows_a_thread)(size_t n) { return larger(PIECE / 2 / larger(n, 1), 1); }

KERNEL(layer_norm)(size_t rows, size_t n, real eps, ARRAY(const real, x, rows * n), OPTIONAL(const real, weight, n),
                   OPTIONAL(const real, bias, n), ARRAY(real, out, rows * n))
{
    const struct NAME(rows) task = {NULL, x, weight, bias, out, eps, n};
    parallel_for(rows, NAME(rows_a_thread)(n), NAME(layer_norm_body), &task);
}

KERNEL(layer_norm_vjp0)(size_t rows, size_t n, real eps, ARRAY(const real, g, rows * n), ARRAY(const real, x, rows * n),
                        OPTIONAL(const real, weight, n), ARRAY(real, dx, rows * n))
{
    const struct NAME(rows) task = {g, x, weight, NULL, dx, eps, n};
    parallel_for(rows, NAME(rows_a_thread)(n), NAME(layer_norm_vjp0_body), &task);
}

KERNEL(layer_norm_vjp1)(size_t rows, size_t n, real eps, ARRAY(const real, g, rows * n), ARRAY(const real, x, rows * n),
                        ARRAY(real, product, rows * n))
{
    const struct NAME(rows) task = {g, x, NULL, NULL, product, eps, n};
    parallel_for(rows, NAME(rows_a_thread)(n), NAME(layer_norm_vjp1_body), &task);
}

/* ---- channels ---- */
#define TILE 8 /* rows of BUFFER / TILE columns: where a channel has one place, its elements lie in a column of x */

struct NAME(channels) {
    const real *g, *x, *mean, *scale, *bias, *a, *k;
    real *out, *other;
    size_t batch, channels, places;
};

/* In a unit of work: `statement` for every element `at`, of channel `c`. A unit is one channel of one example or, where a channel
 * has one place, one example. */
#define EACH_OF_CHANNELS(statement)                                                                                              \
    for (size_t u = begin; u < end; u++)                                                                                         \
        if (t->places == 1)                                                                                                      \
            for (size_t c = 0, at = u * t->channels; c < t->channels; c++, at++)                                                 \
                statement;                                                                                                       \
        else {                                                                                                                   \
            const size_t c = u % t->channels;                                                                                    \
            for (size_t at = u * t->places; at < (u + 1) * t->places; at++)                                                      \
                statement;                                                                                                       \
        }

/* The sums of a term, an expression of element `i` of x in channel `c`, over batch and places: store(c, sum). A unit is a channel,
 * or, where a channel has one place, BUFFER / TILE channels. */
#define EACH_CHANNELS_SUM(store, term)                                                                                           \
    for (size_t u = begin; u < end; u++)                                                                                         \
        if (t->places != 1) {                                                                                                    \
            const size_t c = u;                                                                                                  \
            struct NAME(sum) sum = NO_SUM;                                                                                       \
            for (size_t example = 0; example < t->batch; example++) {                                                            \
                const size_t start = (example * t->channels + c) * t->places;                                                    \
                for (size_t first = 0; first < t->places; first += BUFFER) {                                                     \
                    const size_t count = smaller(BUFFER, t->places - first);                                                     \
                    for (size_t k = 0; k < count; k++) {                                                                         \
                        const size_t i = start + first + k;                                                                      \
                        buffer[k] = (term);                                                                                      \
                    }                                                                                                            \
                    NAME(add_run)(&sum, buffer, count);                                                                          \
                }                                                                                                                \
            }                                                                                                                    \
            store(c, NAME(rounded)(NAME(folded)(&sum)));                                                                         \
        } else {                                                                                                                 \
            const size_t start = u * (BUFFER / TILE), width = smaller(BUFFER / TILE, t->channels - start);                       \
            real hi[BUFFER / TILE] = {0}, lo[BUFFER / TILE] = {0};                                                               \
            for (size_t example = 0; example < t->batch; example += TILE) {                                                      \
                const size_t count = smaller(TILE, t->batch - example);                                                          \
                for (size_t row = 0; row < count; row++)                                                                         \
                    for (size_t j = 0; j < width; j++) {                                                                         \
                        const size_t c = start + j, i = (example + row) * t->channels + c;                                       \
                        buffer[row * width + j] = (term);                                                                        \
                    }                                                                                                            \
                NAME(add_columns)(buffer, count, width, width, hi, lo);                                                          \
            }                                                                                                                    \
            for (size_t j = 0; j < width; j++)                                                                                   \
                store(start + j, NAME(rounded)((struct NAME(total)){hi[j], lo[j]}));                                             \
        }

static size_t NAME(units)(size_t channels, size_t places)
{
    return places != 1 ? channels : (channels + BUFFER / TILE - 1) / (BUFFER / TILE);
}

static void NAME(moments_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(channels) *t = task;
    const real *restrict x = t->x, n = (real)(t->batch * t->places);
    real *restrict mean = t->out, *restrict var = t->other, buffer[BUFFER];
#define STORE_MEAN(c, sum) mean[c] = (sum) / n
#define STORE_VAR(c, sum) var[c] = (sum) / n
    EACH_CHANNELS_SUM(STORE_MEAN, x[i])
    EACH_CHANNELS_SUM(STORE_VAR, (x[i] - mean[c]) * (x[i] - mean[c]))
}

/* Mean and variance (divided by n) of each channel. */
KERNEL(moments)(size_t batch, size_t channels, size_t places, ARRAY(const real, x, batch * channels * places),
                ARRAY(real, mean, channels), ARRAY(real, var, channels))
{
    const struct NAME(channels) task = {.x = x, .out = mean, .other = var, .batch = batch, .channels = channels, .places = places};
    const size_t work = batch * places * (places != 1 ? 1 : BUFFER / TILE);
    parallel_for(NAME(units)(channels, places), larger(PIECE / larger(work, 1), 1), NAME(moments_body), &task);
}

static void NAME(channel_sums_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(channels) *t = task;
    const real *restrict x = t->x, *restrict g = t->g, *restrict mean = t->mean;
    real *restrict plain = t->out, *restrict product = t->other, buffer[BUFFER];
#define STORE_PLAIN(c, sum) plain[c] = (sum)
#define STORE_PRODUCT(c, sum) product[c] = (sum)
    EACH_CHANNELS_SUM(STORE_PLAIN, g[i])
    EACH_CHANNELS_SUM(STORE_PRODUCT, g[i] * (x[i] - mean[c]))
}

/* Sums of g and of g * (x - mean) over each channel. */
KERNEL(channel_sums)(size_t batch, size_t channels, size_t places, ARRAY(const real, g, batch * channels * places),
                     ARRAY(const real, x, batch * channels * places), ARRAY(const real, mean, channels),
                     ARRAY(real, plain, channels), ARRAY(real, product, channels))
{
    const struct NAME(channels) task = {
        .g = g, .x = x, .mean = mean, .out = plain, .other = product, .batch = batch, .channels = channels, .places = places};
    const size_t work = batch * places * (places != 1 ? 1 : BUFFER / TILE);
    parallel_for(NAME(units)(channels, places), larger(PIECE / larger(work, 1), 1), NAME(channel_sums_body), &task);
}

static void NAME(channel_affine_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(channels) *t = task;
    const real *restrict x = t->x, *restrict mean = t->mean, *restrict scale = t->scale, *restrict bias = t->bias;
    real *restrict out = t->out;
    EACH_OF_CHANNELS(out[at] = (x[at] - mean[c]) * scale[c] + bias[c])
}

/* (x - mean) * scale + bias, of each channel */
KERNEL(channel_affine)(size_t batch, size_t channels, size_t places, ARRAY(const real, x, batch * channels * places),
                       ARRAY(const real, mean, channels), ARRAY(const real, scale, channels), ARRAY(const real, bias, channels),
                       ARRAY(real, out, batch * channels * places))
{
    const struct NAME(channels) task = {
        .x = x, .mean = mean, .scale = scale, .bias = bias, .out = out, .batch = batch, .channels = channels, .places = places};
    const size_t units = places == 1 ? batch : batch * channels, work = places == 1 ? channels : places;
    parallel_for(units, larger(PIECE / larger(work, 1), 1), NAME(channel_affine_body), &task);
}

static void NAME(batch_norm_vjp_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(channels) *t = task;
    const real *restrict x = t->x, *restrict g = t->g, *restrict mean = t->mean, *restrict scale = t->scale, *restrict a = t->a,
               *restrict k = t->k;
    real *restrict dx = t->out;
    EACH_OF_CHANNELS(dx[at] = scale[c] * (g[at] - a[c] - (x[at] - mean[c]) * k[c]))
}

/* scale * (g - a - (x - mean) * k), of each channel: the derivative of batch_norm for x, with a = mean(g) and
 * k = mean(g * x^) / sqrt(var + eps) */
KERNEL(batch_norm_vjp)(size_t batch, size_t channels, size_t places, ARRAY(const real, g, batch * channels * places),
                       ARRAY(const real, x, batch * channels * places), ARRAY(const real, mean, channels),
                       ARRAY(const real, scale, channels), ARRAY(const real, a, channels), ARRAY(const real, k, channels),
                       ARRAY(real, dx, batch * channels * places))
{
    const struct NAME(channels) task = {.g = g, .x = x, .mean = mean, .scale = scale, .a = a, .k = k, .out = dx,
                                        .batch = batch, .channels = channels, .places = places};
    const size_t units = places == 1 ? batch : batch * channels, work = places == 1 ? channels : places;
    parallel_for(units, larger(PIECE / larger(work, 1), 1), NAME(batch_norm_vjp_body), &task);
}
