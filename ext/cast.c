/* cast.c - numbers of one type as numbers of another.
 *
 * A loop for each pair of types that programs have: masks, bytes and whole numbers as floats,
 * floats as whole numbers, float and double. C's conversion is numpy's. Pairs without `real` are
 * compiled for both types, and Python calls one of them. */
#define CAST(name, from_type, to_type)                                     \
    static void NAME(name)(const void *task, size_t begin, size_t end)     \
    {                                                                      \
        const struct NAME(casting) *t = task;                              \
        const from_type *restrict x = t->x;                                \
        to_type *restrict out = t->out;                                    \
        for (size_t i = begin; i < end; i++)                               \
            out[i] = (to_type)x[i];                                        \
    }

struct NAME(casting) {
    const void *x;
    void *out;
};
CAST(of_bytes_body, uint8_t, real)
CAST(of_whole_body, int64_t, real)
CAST(of_float_body, float, real)
CAST(of_double_body, double, real)
CAST(to_whole_body, real, int64_t)
CAST(bytes_to_whole_body, uint8_t, int64_t)
#undef CAST

KERNEL(of_bytes)(size_t n, ARRAY(const uint8_t, x, n), ARRAY(real, out, n))
{
    const struct NAME(casting) task = {x, out};
    parallel_for(n, PIECE, NAME(of_bytes_body), &task);
}

KERNEL(of_whole)(size_t n, ARRAY(const int64_t, x, n), ARRAY(real, out, n))
{
    const struct NAME(casting) task = {x, out};
    parallel_for(n, PIECE, NAME(of_whole_body), &task);
}

KERNEL(of_float)(size_t n, ARRAY(const float, x, n), ARRAY(real, out, n))
{
    const struct NAME(casting) task = {x, out};
    parallel_for(n, PIECE, NAME(of_float_body), &task);
}

KERNEL(of_double)(size_t n, ARRAY(const double, x, n), ARRAY(real, out, n))
{
    const struct NAME(casting) task = {x, out};
    parallel_for(n, PIECE, NAME(of_double_body), &task);
}

KERNEL(to_whole)(size_t n, ARRAY(const real, x, n), ARRAY(int64_t, out, n))
{
    const struct NAME(casting) task = {x, out};
    parallel_for(n, PIECE, NAME(to_whole_body), &task);
}

KERNEL(bytes_to_whole)(size_t n, ARRAY(const uint8_t, x, n), ARRAY(int64_t, out, n))
{
    const struct NAME(casting) task = {x, out};
    parallel_for(n, PIECE, NAME(bytes_to_whole_body), &task);
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
