/* bytes.c - bytes and masks as numbers, and numbers as masks. Other conversions are in cast.c. */
struct NAME(casting) {
    const void *x;
    void *out;
};

static void NAME(of_bytes_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(casting) *t = task;
    const uint8_t *restrict x = t->x;
    real *restrict out = t->out;
    for (size_t i = begin; i < end; i++)
        out[i] = x[i];
}

KERNEL(of_bytes)(size_t n, ARRAY(const uint8_t, x, n), ARRAY(real, out, n))
{
    const struct NAME(casting) task = {x, out};
    parallel_for(n, PIECE, NAME(of_bytes_body), &task);
}

static void NAME(to_mask_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(casting) *t = task;
    const real *restrict x = t->x;
    uint8_t *restrict out = t->out;
    for (size_t i = begin; i < end; i++)
        out[i] = x[i] != 0;
}

/* 1 where x is not 0 */
KERNEL(to_mask)(size_t n, ARRAY(const real, x, n), ARRAY(uint8_t, out, n))
{
    const struct NAME(casting) task = {x, out};
    parallel_for(n, PIECE, NAME(to_mask_body), &task);
}
