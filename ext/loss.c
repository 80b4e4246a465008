/* loss.c - the two losses of every tutorial: negative log-likelihood (of log_softmax:
 * cross-entropy) and squared error.
 *
 *     nll_loss  each = -weight[target] * x[target],  mean = sum each / sum weight[target]
 *               dx = -g * weight at the target
 *     mse_loss  each = (x - y)^2,                    mean = sum each / n
 *               dx = g * 2 (x - y)
 *
 * `reduction` is 0 for each sample's loss, 1 for the mean, 2 for the sum, as PyTorch numbers them.
 * nll_loss reads one number of each sample. Its derivative writes zeros to all the rest of x's
 * gradient: the traffic is that of one memset. Squares are added as they are made, in buffers that
 * stay in the L1 cache; x and y are read once. */
#define BUFFER 1024

/* Where the element of sample i, place j, lies in x (n, classes, inner); SIZE_MAX if it is ignored
 * or out of range. */
static inline size_t NAME(place)(size_t i, size_t j, size_t classes, size_t inner, int64_t target,
                                 int64_t ignore_index)
{
    const bool counts = target != ignore_index && target >= 0 && (size_t)target < classes;
    return counts ? (i * classes + (size_t)target) * inner + j : SIZE_MAX;
}

/* The sum of the weights of all targets that count. */
static real NAME(counted)(size_t count, size_t classes, int64_t ignore_index, const int64_t *target,
                          const real *weight)
{
    struct NAME(total) sum = {0, 0};
    size_t plain = 0;
    for (size_t i = 0; i < count; i++)
        if (NAME(place)(0, 0, classes, 1, target[i], ignore_index) != SIZE_MAX) {
            plain++;
            if (weight != NULL)
                sum = NAME(plus)(sum, weight[target[i]]);
        }
    return weight != NULL ? NAME(rounded)(sum) : (real)plain;
}

/* wrong[0] becomes the number of targets that are no class; if there are any, the result must not
 * be used. */
KERNEL(nll_loss)(size_t n, size_t classes, size_t inner, int reduction, int64_t ignore_index,
                 ARRAY(const real, x, n * classes * inner), ARRAY(const int64_t, target, n * inner),
                 OPTIONAL(const real, weight, classes),
                 ARRAY(real, out, reduction == 0 ? n * inner : 1), ARRAY(int64_t, wrong, 1))
{
    struct NAME(total) sum = {0, 0};
    *wrong = 0;
    for (size_t i = 0; inner > 0 && i < n; i++)
        for (size_t j = 0; j < inner; j++) {
            const int64_t t = target[i * inner + j];
            const size_t at = NAME(place)(i, j, classes, inner, t, ignore_index);
            const real each = at == SIZE_MAX ? 0 : -x[at] * (weight != NULL ? weight[t] : 1);
            *wrong += at == SIZE_MAX && t != ignore_index;
            if (reduction == 0)
                out[i * inner + j] = each;
            else
                sum = NAME(plus)(sum, each);
        }
    if (reduction != 0)
        *out = NAME(rounded)(sum) /
               (reduction == 1
                    ? NAME(counted)(n * inner, classes, ignore_index, target, weight)
                    : 1);
}

struct NAME(nll_task) {
    const real *g, *weight;
    const int64_t *target;
    real *dx, divisor;
    size_t classes, inner;
    int64_t ignore_index;
    bool each;
};

static void NAME(nll_vjp_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(nll_task) *t = task;
    const size_t classes = t->classes, inner = t->inner;
    memset(t->dx + begin * classes * inner, 0, (end - begin) * classes * inner * sizeof(real));
    for (size_t i = begin; i < end; i++)
        for (size_t j = 0; j < inner; j++) {
            const size_t sample = i * inner + j;
            const size_t at = NAME(place)(i, j, classes, inner, t->target[sample], t->ignore_index);
            if (at != SIZE_MAX)
                t->dx[at] = t->g[t->each ? sample : 0] *
                            (-(t->weight != NULL ? t->weight[t->target[sample]] : 1) / t->divisor);
        }
}

KERNEL(nll_loss_vjp0)(size_t n, size_t classes, size_t inner, int reduction, int64_t ignore_index,
                      ARRAY(const real, g, reduction == 0 ? n * inner : 1),
                      ARRAY(const int64_t, target, n * inner),
                      OPTIONAL(const real, weight, classes), ARRAY(real, dx, n * classes * inner))
{
    const real divisor = reduction == 1
                             ? NAME(counted)(n * inner, classes, ignore_index, target, weight)
                             : 1;
    const struct NAME(nll_task) task = {g, weight, target, dx, divisor, classes, inner,
                                        ignore_index, reduction == 0};
    if (inner > 0)
        parallel_for(n, grain_of(PIECE, (double)classes * (double)inner), NAME(nll_vjp_body),
                     &task);
}

/* ---- squared error ---- */
struct NAME(mse_task) {
    const real *x, *y, *g;
    real *out, factor;
    struct NAME(total) *sums;
    size_t piece;
    int reduction;
};

static void NAME(mse_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(mse_task) *t = task;
    ON_A_LINE real buffer[BUFFER];
    struct NAME(total) sum = {0, 0};
    for (size_t first = begin; first < end; first += BUFFER) {
        const size_t n = smaller(BUFFER, end - first);
        const real *x = t->x + first, *y = t->y + first;
        real *restrict squares = t->reduction == 0 ? t->out + first : buffer;
        for (size_t i = 0; i < n; i++)
            squares[i] = (x[i] - y[i]) * (x[i] - y[i]);
        if (t->reduction == 0)
            continue;
        const struct NAME(total) part = NAME(run)(squares, n);
        sum = NAME(plus)(sum, part.hi);
        sum.lo += part.lo;
    }
    if (t->reduction != 0)
        t->sums[begin / t->piece] = sum;
}

KERNEL(mse_loss)(size_t n, int reduction, ARRAY(const real, x, n), ARRAY(const real, y, n),
                 ARRAY(real, out, reduction == 0 ? n : 1))
{
    struct NAME(total) sums[64] = {{0, 0}};
    const size_t piece = larger(PIECE, n / 64 + 1);
    parallel_for(n, piece, NAME(mse_body),
                 &(struct NAME(mse_task)){x, y, NULL, out, 0, sums, piece, reduction});
    if (reduction == 0)
        return;
    for (size_t k = 1; k * piece < n; k++) {
        sums[0] = NAME(plus)(sums[0], sums[k].hi);
        sums[0].lo += sums[k].lo;
    }
    *out = NAME(rounded)(sums[0]) / (reduction == 1 ? n > 0 ? (real)n : (real)NAN : 1);
}

static void NAME(mse_vjp_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(mse_task) *t = task;
    const real *restrict x = t->x, *restrict y = t->y, *restrict g = t->g;
    real *restrict dx = t->out;
    const real factor = t->factor, scale = t->reduction == 0 ? 0 : *g * factor;
    if (t->reduction == 0)
        for (size_t i = begin; i < end; i++)
            dx[i] = g[i] * (factor * (x[i] - y[i]));
    else
        for (size_t i = begin; i < end; i++)
            dx[i] = scale * (x[i] - y[i]);
}

/* `factor`: 2, or 2 / n for the mean; negative for the derivative of y. */
KERNEL(mse_loss_vjp)(size_t n, int reduction, real factor,
                     ARRAY(const real, g, reduction == 0 ? n : 1), ARRAY(const real, x, n),
                     ARRAY(const real, y, n), ARRAY(real, dx, n))
{
    parallel_for(n, PIECE, NAME(mse_vjp_body),
                 &(struct NAME(mse_task)){x, y, g, dx, factor, NULL, 1, reduction});
}
