/* taps.c - weighted sums of a few elements along one dimension:
 *
 *     out[o, j, i] = sum over t of weight[t, j] x[o, index[t, j], i]
 *
 * and the way back, which adds each number of g where it was read. And the largest of a few. */

struct NAME(taps) {
    const real *x, *weight;
    const int64_t *index;
    real *out;
    size_t n, k, inner, count;
};
static inline int NAME(outside)(const int64_t *index, size_t count, size_t n)
{
    int any = 0;
    for (size_t j = 0; j < count; j++)
        any |= (uint64_t)index[j] >= n;
    return any;
}

static void NAME(taps_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(taps) *task_ = task;
    const size_t n = task_->n, k = task_->k, inner = task_->inner, count = task_->count;
    for (size_t o = begin; o < end; o++)
        for (size_t t = 0; t < count; t++) {
            const int64_t *restrict at = task_->index + t * k;
            const real *restrict w = task_->weight + t * k;
            const real *restrict from = task_->x + o * n * inner;
            real *restrict to = task_->out + o * k * inner;
            if (inner == 1 && t == 0)
                for (size_t j = 0; j < k; j++)
                    to[j] = w[j] * from[at[j]];
            else if (inner == 1)
                for (size_t j = 0; j < k; j++)
                    to[j] += w[j] * from[at[j]];
            else
                for (size_t j = 0; j < k; j++) {
                    const real *restrict row = from + (size_t)at[j] * inner;
                    if (t == 0)
                        for (size_t i = 0; i < inner; i++)
                            to[j * inner + i] = w[j] * row[i];
                    else
                        for (size_t i = 0; i < inner; i++)
                            to[j * inner + i] += w[j] * row[i];
                }
        }
}

KERNEL(taps)(size_t outer, size_t n, size_t k, size_t inner, size_t count,
             ARRAY(const real, x, outer * n * inner), ARRAY(const int64_t, index, count * k),
             ARRAY(const real, weight, count * k), ARRAY(uint8_t, wrong, 1),
             ARRAY(real, out, outer * k * inner))
{
    const struct NAME(taps) task = {x, weight, index, out, n, k, inner, count};
    if ((wrong[0] = (uint8_t)NAME(outside)(index, count * k, n)))
        return;
    parallel_for(outer, grain_of(PIECE, (double)(k * count) * (double)inner), NAME(taps_body),
                 &task);
}

static void NAME(taps_vjp0_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(taps) *t = task;
    const size_t n = t->n, k = t->k, inner = t->inner;
    for (size_t o = begin; o < end; o++) {
        memset(t->out + o * n * inner, 0, n * inner * sizeof(real));
        for (size_t place = 0; place < t->count * k; place++) {
            const real w = t->weight[place];
            const real *restrict from = t->x + (o * k + place % k) * inner;
            real *restrict to = t->out + (o * n + (size_t)t->index[place]) * inner;
            for (size_t i = 0; i < inner; i++)
                to[i] += w * from[i];
        }
    }
}

KERNEL(taps_vjp0)(size_t outer, size_t n, size_t k, size_t inner, size_t count,
                  ARRAY(const real, g, outer * k * inner), ARRAY(const int64_t, index, count * k),
                  ARRAY(const real, weight, count * k), ARRAY(uint8_t, wrong, 1),
                  ARRAY(real, out, outer * n * inner))
{
    const struct NAME(taps) task = {g, weight, index, out, n, k, inner, count};
    if ((wrong[0] = (uint8_t)NAME(outside)(index, count * k, n)))
        return;
    parallel_for(outer, grain_of(PIECE, (double)(k * count) * (double)inner),
                 NAME(taps_vjp0_body), &task);
}

struct NAME(choice) {
    const real *x;
    const int64_t *index, *name;
    real *best;
    int64_t *chosen;
    size_t n, k, inner, count, period;
};
static void NAME(choose_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(choice) *t = task;
    const size_t n = t->n, k = t->k, inner = t->inner, count = t->count;
    for (size_t o = begin; o < end; o++) {
        const real *restrict from = t->x + o * n * inner;
        const int64_t *restrict name = t->name + o % t->period * n * inner;
        for (size_t j = 0; j < k; j++) {
            const int64_t *taps = t->index + j * count;
            real *restrict best = t->best + (o * k + j) * inner;
            int64_t *restrict chosen = t->chosen + (o * k + j) * inner;
            if (inner == 1) {
                size_t at = (size_t)taps[0];
                for (size_t p = 1; p < count; p++) {
                    const real seen = from[taps[p]];
                    const size_t better = (size_t)((seen > from[at]) | IS_NAN(seen));
                    at ^= (at ^ (size_t)taps[p]) & (0 - better); /* a branch would be guessed */
                }
                best[0] = from[at], chosen[0] = name[at];
                continue;
            }
            memcpy(best, from + (size_t)taps[0] * inner, inner * sizeof(real));
            memcpy(chosen, name + (size_t)taps[0] * inner, inner * sizeof(int64_t));
            for (size_t p = 1; p < count; p++) {
                const real *restrict seen = from + (size_t)taps[p] * inner;
                const int64_t *restrict named = name + (size_t)taps[p] * inner;
                for (size_t i = 0; i < inner; i++) {
                    const bool better = (seen[i] > best[i]) | IS_NAN(seen[i]);
                    best[i] = better ? seen[i] : best[i];
                    chosen[i] = better ? named[i] : chosen[i];
                }
            }
        }
    }
}

/* best[o, j, i] = the largest over t of x[o, index[j, t], i], and the name of the chosen one: of
 * equal ones the first, of NaNs the last. The names are the same after each `period` blocks. */
KERNEL(choose_largest)(size_t outer, size_t n, size_t k, size_t inner, size_t count, size_t period,
                       ARRAY(const real, x, outer * n * inner),
                       ARRAY(const int64_t, index, k * count),
                       ARRAY(const int64_t, name, period * n * inner), ARRAY(uint8_t, wrong, 1),
                       ARRAY(real, best, outer * k * inner),
                       ARRAY(int64_t, chosen, outer * k * inner))
{
    const struct NAME(choice) task = {x, index, name, best, chosen, n, k, inner, count, period};
    if ((wrong[0] = (uint8_t)(NAME(outside)(index, k * count, n) | !count | !period)))
        return;
    parallel_for(outer, grain_of(PIECE, (double)(k * count) * (double)inner), NAME(choose_body),
                 &task);
}
