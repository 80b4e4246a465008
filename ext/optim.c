/* optim.c - the steps of SGD and Adam, and the clipping of gradients, for all parameters in one
 * call.
 *
 * Spelt out in array operations, a step goes through memory once for each operation: Adam reads and
 * writes some 25 arrays of the parameters' size. Here each number of the parameter, of its gradient
 * and of its state is read once and written once, 28 bytes an element for Adam in float32. The
 * parameters of a small network cost no more than this one call.
 *
 * The formulas, in numpy and in the same order, are in microtorch/optim/sgd.py and adam.py, with
 * their sources. What does not depend on the element is computed in double. Choices are the same
 * for all elements, and the compiler makes a loop for each. The arrays are `restrict` parameters of
 * the loops, so that the compiler need not test at run time whether they overlap. */

struct NAME(sgd_task) {
    real *p, *v;
    const real *g;
    real lr, momentum, fresh, decay, sign;
    bool nesterov, first;
};

/* The direction in which the function rises: `sign` is -1 to maximize, `decay` is the strength of
 * the penalty decay / 2 * p². */
static inline real NAME(ascent)(real g, real p, real sign, real decay)
{
    return decay != 0 ? sign * g + decay * p : sign * g;
}

static inline void NAME(sgd_loop)(const struct NAME(sgd_task) *t, size_t begin, size_t end,
                                  real *restrict p, const real *restrict g)
{
    const real lr = t->lr, decay = t->decay, sign = t->sign;
    for (size_t i = begin; i < end; i++)
        p[i] -= lr * NAME(ascent)(g[i], p[i], sign, decay);
}

static inline void NAME(sgd_momentum_loop)(const struct NAME(sgd_task) *t, size_t begin,
                                           size_t end, real *restrict p, const real *restrict g,
                                           real *restrict v)
{
    const real lr = t->lr, momentum = t->momentum, fresh = t->fresh, decay = t->decay;
    const real sign = t->sign;
    const bool nesterov = t->nesterov, first = t->first;
    for (size_t i = begin; i < end; i++) {
        const real up = NAME(ascent)(g[i], p[i], sign, decay);
        v[i] = first ? up : momentum * v[i] + fresh * up;
        p[i] -= lr * (nesterov ? up + momentum * v[i] : v[i]);
    }
}

static void NAME(sgd_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(sgd_task) *t = task;
    NAME(sgd_loop)(t, begin, end, t->p, t->g);
}

static void NAME(sgd_momentum_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(sgd_task) *t = task;
    NAME(sgd_momentum_loop)(t, begin, end, t->p, t->g, t->v);
}

KERNEL(sgd)(size_t count, double lr, double decay, bool maximize, LIST(real, params, count),
            LIST_OF(const real, grads, count, sizes_of_params[i]))
{
    for (size_t i = 0; i < count; i++) {
        const struct NAME(sgd_task) task = {.p = params[i], .g = grads[i], .lr = (real)lr,
                                            .decay = (real)decay, .sign = maximize ? -1 : 1};
        parallel_for(sizes_of_params[i], 1 << 15, NAME(sgd_body), &task);
    }
}

KERNEL(sgd_momentum)(size_t count, double lr, double momentum, double dampening, double decay,
                     bool maximize, bool nesterov, bool first, LIST(real, params, count),
                     LIST_OF(const real, grads, count, sizes_of_params[i]),
                     LIST_OF(real, buffers, count, sizes_of_params[i]))
{
    for (size_t i = 0; i < count; i++) {
        const struct NAME(sgd_task) task = {.p = params[i], .v = buffers[i], .g = grads[i],
                                            .lr = (real)lr, .momentum = (real)momentum,
                                            .fresh = (real)(1 - dampening), .decay = (real)decay,
                                            .sign = maximize ? -1 : 1, .nesterov = nesterov,
                                            .first = first};
        parallel_for(sizes_of_params[i], 1 << 15, NAME(sgd_momentum_body), &task);
    }
}

struct NAME(adam_task) {
    real *p, *m, *v, *largest;
    const real *g;
    real rate, scale, eps, beta1, fresh1, beta2, fresh2, decay, keep, sign;
};

/* m and v are the running means of g and g²; `rate` is lr / (1 - beta1^t), `scale` is 1 / sqrt(1 -
 * beta2^t), and `keep` is what AdamW's decay leaves of p. */
static inline void NAME(adam_loop)(const struct NAME(adam_task) *t, size_t begin, size_t end,
                                   bool amsgrad, real *restrict p, const real *restrict g,
                                   real *restrict m, real *restrict v, real *restrict largest)
{
    const real rate = t->rate, scale = t->scale, eps = t->eps, beta1 = t->beta1, fresh1 = t->fresh1;
    const real beta2 = t->beta2, fresh2 = t->fresh2, decay = t->decay, keep = t->keep;
    const real sign = t->sign;
    const bool near_m = fresh1 < (real)0.5; /* from which end to interpolate, as PyTorch does */
    for (size_t i = begin; i < end; i++) {
        const real up = NAME(ascent)(g[i], p[i], sign, decay), change = up - m[i];
        const real mean = near_m ? m[i] + fresh1 * change : up - beta1 * change;
        real square = beta2 * v[i] + fresh2 * up * up;
        m[i] = mean;
        v[i] = square;
        if (amsgrad)
            largest[i] = square = FN(maximum)(largest[i], square);
        p[i] = keep * p[i] - rate * mean / (FN(sqrt)(square) * scale + eps);
    }
}

static void NAME(adam_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(adam_task) *t = task;
    NAME(adam_loop)(t, begin, end, false, t->p, t->g, t->m, t->v, NULL);
}

static void NAME(amsgrad_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(adam_task) *t = task;
    NAME(adam_loop)(t, begin, end, true, t->p, t->g, t->m, t->v, t->largest);
}

/* One array of n elements; `largest` is NULL without amsgrad. */
static void NAME(adam_array)(size_t n, double lr, double beta1, double beta2, double eps,
                             double decay, bool decoupled, bool maximize, real *p, const real *g,
                             real *m, real *v, real *largest, float *step)
{
    const double t = *step += 1;
    const struct NAME(adam_task) task = {.p = p, .g = g, .m = m, .v = v, .largest = largest,
                                         .rate = (real)(lr / (1 - pow(beta1, t))),
                                         .scale = (real)(1 / sqrt(1 - pow(beta2, t))),
                                         .eps = (real)eps, .beta1 = (real)beta1,
                                         .fresh1 = (real)(1 - beta1), .beta2 = (real)beta2,
                                         .fresh2 = (real)(1 - beta2),
                                         .decay = decoupled ? 0 : (real)decay,
                                         .keep = decoupled ? (real)(1 - lr * decay) : 1,
                                         .sign = maximize ? -1 : 1};
    parallel_for(n, 1 << 14, largest ? NAME(amsgrad_body) : NAME(adam_body), &task);
}

KERNEL(adam)(size_t count, double lr, double beta1, double beta2, double eps, double decay,
             bool decoupled, bool maximize, LIST(real, params, count),
             LIST_OF(const real, grads, count, sizes_of_params[i]),
             LIST_OF(real, means, count, sizes_of_params[i]),
             LIST_OF(real, squares, count, sizes_of_params[i]), LIST_OF(float, steps, count, 1))
{
    for (size_t i = 0; i < count; i++)
        NAME(adam_array)(sizes_of_params[i], lr, beta1, beta2, eps, decay, decoupled, maximize,
                         params[i], grads[i], means[i], squares[i], NULL, steps[i]);
}

KERNEL(amsgrad)(size_t count, double lr, double beta1, double beta2, double eps, double decay,
                bool decoupled, bool maximize, LIST(real, params, count),
                LIST_OF(const real, grads, count, sizes_of_params[i]),
                LIST_OF(real, means, count, sizes_of_params[i]),
                LIST_OF(real, squares, count, sizes_of_params[i]),
                LIST_OF(real, largest, count, sizes_of_params[i]), LIST_OF(float, steps, count, 1))
{
    for (size_t i = 0; i < count; i++)
        NAME(adam_array)(sizes_of_params[i], lr, beta1, beta2, eps, decay, decoupled, maximize,
                         params[i], grads[i], means[i], squares[i], largest[i], steps[i]);
}

/* The root of the sum of all squares. They are added in double, in SUMS sums side by side, which
 * are vectors. No float overflows or drowns, and the order depends on nothing but the sizes. */
#define SUMS 32
KERNEL(total_norm)(size_t count, LIST(const real, xs, count), ARRAY(real, out, 1))
{
    double total = 0;
    for (size_t k = 0; k < count; k++) {
        const real *restrict x = xs[k];
        const size_t n = sizes_of_xs[k], whole = n - n % SUMS;
        ON_A_LINE double sums[SUMS] = {0};
        for (size_t i = 0; i < whole; i += SUMS)
            for (size_t j = 0; j < SUMS; j++)
                sums[j] += (double)x[i + j] * x[i + j];
        for (size_t i = whole; i < n; i++)
            sums[i - whole] += (double)x[i] * x[i];
        for (size_t j = 0; j < SUMS; j++)
            total += sums[j];
    }
    *out = (real)sqrt(total);
}
#undef SUMS

struct NAME(scale_task) {
    real *x, factor;
};

static void NAME(scale_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(scale_task) *t = task;
    real *x = t->x;
    const real factor = t->factor;
    for (size_t i = begin; i < end; i++)
        x[i] *= factor;
}

KERNEL(scale)(size_t count, double factor, LIST(real, xs, count))
{
    for (size_t k = 0; k < count; k++)
        parallel_for(sizes_of_xs[k], 1 << 15, NAME(scale_body),
                     &(struct NAME(scale_task)){xs[k], (real)factor});
}
