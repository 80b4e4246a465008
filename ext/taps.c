/* taps.c - weighted sums of a few elements along one dimension:
 *
 *     out[o, j, i] = sum over t of weight[t, j] x[o, index[t, j], i]
 *
 * and the way back, which adds each number of g where it was read. */

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
