/* cast.c - numbers of one type as numbers of another.
 *
 * A loop for each pair of types that programs have: whole numbers as floats, floats as whole
 * numbers, float and double. (bytes.c has masks and bytes.) C's conversion is numpy's. */
#define CAST(name, from_type, to_type)                                     \
    static void NAME(name)(const void *task, size_t begin, size_t end)     \
    {                                                                      \
        const struct NAME(casting) *t = task;                              \
        const from_type *restrict x = t->x;                                \
        to_type *restrict out = t->out;                                    \
        for (size_t i = begin; i < end; i++)                               \
            out[i] = (to_type)x[i];                                        \
    }

CAST(of_whole_body, int64_t, real)
CAST(of_float_body, float, real)
CAST(of_double_body, double, real)
CAST(to_whole_body, real, int64_t)
#undef CAST

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
