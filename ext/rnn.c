/* rnn.c - the cells of recurrent layers: what is left of a time step when the matrix products are
 * done, forward and backward.
 *
 * As array operations a cell of an LSTM is 15 calls forward and 25 backward, on arrays so small
 * that the calls take most of the time. Here it is one loop over the hidden units: forward reads 9
 * numbers a unit and writes 6, backward reads 7 and writes 5. The formulas are in
 * microtorch/nn/rnn.py and recurrence.py [Hochreiter and Schmidhuber 1997; Cho et al. 2014].
 *
 * A row is one sequence of the batch. Its gates lie one after the other, n numbers each, and each
 * is a `restrict` parameter of the loop over the row, so that the compiler can vectorise it.
 * Threads take rows, about 4096 units at a time. */

struct NAME(cell_task) {
    size_t n;
    real *gates, *part, *h, *state, *da, *dx;
    const real *a, *before, *after, *kept, *dh;
};

static inline void NAME(lstm_row)(size_t n, real *restrict i, real *restrict f, real *restrict g,
                                  real *restrict o, const real *restrict a,
                                  const real *restrict before, real *restrict h,
                                  real *restrict after)
{
    for (size_t j = 0; j < n; j++) {
        i[j] = FN(sigmoid)(i[j] + a[j]);
        f[j] = FN(sigmoid)(f[j] + a[n + j]);
        g[j] = FN(tanh)(g[j] + a[2 * n + j]);
        o[j] = FN(sigmoid)(o[j] + a[3 * n + j]);
        after[j] = f[j] * before[j] + i[j] * g[j];
        h[j] = o[j] * FN(tanh)(after[j]);
    }
}

static void NAME(lstm_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(cell_task) *t = task;
    const size_t n = t->n;
    for (size_t r = begin; r < end; r++) {
        real *gates = t->gates + 4 * n * r;
        NAME(lstm_row)(n, gates, gates + n, gates + 2 * n, gates + 3 * n, t->a + 4 * n * r,
                       t->before + n * r, t->h + n * r, t->state + n * r);
    }
}

KERNEL(lstm_cell)(size_t rows, size_t n, ARRAY(real, gates, rows * 4 * n),
                  ARRAY(const real, a, rows * 4 * n), ARRAY(const real, before, rows * n),
                  ARRAY(real, h, rows * n), ARRAY(real, after, rows * n))
{
    const struct NAME(cell_task) task = {.n = n, .gates = gates, .a = a, .before = before, .h = h,
                                         .state = after};
    parallel_for(rows, grain_of(4096, (double)n), NAME(lstm_body), &task);
}

static inline void NAME(lstm_vjp_row)(size_t n, const real *restrict dh, real *restrict dstate,
                                      const real *restrict before, const real *restrict gates,
                                      const real *restrict after, real *restrict di,
                                      real *restrict df, real *restrict dg, real *restrict do_)
{
    for (size_t j = 0; j < n; j++) {
        const real i = gates[j], f = gates[n + j], g = gates[2 * n + j], o = gates[3 * n + j];
        const real t = FN(tanh)(after[j]);
        const real d = dstate[j] + dh[j] * o * (1 - t * t); /* the gradient of the state after */
        di[j] = d * g * i * (1 - i);
        df[j] = d * before[j] * f * (1 - f);
        dg[j] = d * i * (1 - g * g);
        do_[j] = dh[j] * t * o * (1 - o);
        dstate[j] = d * f;
    }
}

static void NAME(lstm_vjp_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(cell_task) *t = task;
    const size_t n = t->n;
    for (size_t r = begin; r < end; r++) {
        real *da = t->da + 4 * n * r;
        NAME(lstm_vjp_row)(n, t->dh + n * r, t->state + n * r, t->before + n * r,
                           t->kept + 4 * n * r, t->after + n * r, da, da + n, da + 2 * n,
                           da + 3 * n);
    }
}

KERNEL(lstm_cell_vjp)(size_t rows, size_t n, ARRAY(const real, dh, rows * n),
                      ARRAY(real, dstate, rows * n), ARRAY(const real, before, rows * n),
                      ARRAY(const real, gates, rows * 4 * n), ARRAY(const real, after, rows * n),
                      ARRAY(real, da, rows * 4 * n))
{
    const struct NAME(cell_task) task = {.n = n, .dh = dh, .state = dstate, .before = before,
                                         .kept = gates, .after = after, .da = da};
    parallel_for(rows, grain_of(4096, (double)n), NAME(lstm_vjp_body), &task);
}

static inline void NAME(gru_row)(size_t n, real *restrict r, real *restrict z, real *restrict c,
                                 const real *restrict a, real *restrict part,
                                 const real *restrict before, real *restrict h)
{
    for (size_t j = 0; j < n; j++) {
        r[j] = FN(sigmoid)(r[j] + a[j]);
        z[j] = FN(sigmoid)(z[j] + a[n + j]);
        part[j] = a[2 * n + j];
        c[j] = FN(tanh)(c[j] + r[j] * part[j]);
        h[j] = c[j] + z[j] * (before[j] - c[j]);
    }
}

static void NAME(gru_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(cell_task) *t = task;
    const size_t n = t->n;
    for (size_t r = begin; r < end; r++) {
        real *gates = t->gates + 3 * n * r;
        NAME(gru_row)(n, gates, gates + n, gates + 2 * n, t->a + 3 * n * r, t->part + n * r,
                      t->before + n * r, t->h + n * r);
    }
}

KERNEL(gru_cell)(size_t rows, size_t n, ARRAY(real, gates, rows * 3 * n),
                 ARRAY(const real, a, rows * 3 * n), ARRAY(real, part, rows * n),
                 ARRAY(const real, before, rows * n), ARRAY(real, h, rows * n))
{
    const struct NAME(cell_task) task = {.n = n, .gates = gates, .a = a, .part = part,
                                         .before = before, .h = h};
    parallel_for(rows, grain_of(4096, (double)n), NAME(gru_body), &task);
}

static inline void NAME(gru_vjp_row)(size_t n, real *restrict dh, const real *restrict before,
                                     const real *restrict gates, const real *restrict part,
                                     real *restrict xr, real *restrict xz, real *restrict xc,
                                     real *restrict ar, real *restrict az, real *restrict ac)
{
    for (size_t j = 0; j < n; j++) {
        const real r = gates[j], z = gates[n + j], c = gates[2 * n + j];
        const real dc = dh[j] * (1 - z) * (1 - c * c);
        xr[j] = ar[j] = dc * part[j] * r * (1 - r);
        xz[j] = az[j] = dh[j] * (before[j] - c) * z * (1 - z);
        xc[j] = dc;
        ac[j] = dc * r;
        dh[j] *= z;
    }
}

static void NAME(gru_vjp_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(cell_task) *t = task;
    const size_t n = t->n;
    for (size_t r = begin; r < end; r++) {
        real *dx = t->dx + 3 * n * r, *da = t->da + 3 * n * r;
        NAME(gru_vjp_row)(n, t->state + n * r, t->before + n * r, t->kept + 3 * n * r,
                          t->after + n * r, dx, dx + n, dx + 2 * n, da, da + n, da + 2 * n);
    }
}

KERNEL(gru_cell_vjp)(size_t rows, size_t n, ARRAY(real, dh, rows * n),
                     ARRAY(const real, before, rows * n), ARRAY(const real, gates, rows * 3 * n),
                     ARRAY(const real, part, rows * n), ARRAY(real, dx, rows * 3 * n),
                     ARRAY(real, da, rows * 3 * n))
{
    const struct NAME(cell_task) task = {
        .n = n, .state = dh, .before = before, .kept = gates, .after = part, .dx = dx, .da = da};
    parallel_for(rows, grain_of(4096, (double)n), NAME(gru_vjp_body), &task);
}
