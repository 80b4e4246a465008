/* whole.c - whole numbers and masks, where numpy's loops take one number at a time: limits, shifts,
 * absolute values, the opposite of a mask. What numpy's loops do with vectors is left to them
 * (ufuncs.h). The kernels have no `real`; they are compiled for both types, and Python calls one of
 * them. */
struct NAME(whole) {
    const void *x;
    void *out;
    int64_t least, most;
};

#define WHOLE(name, type, value)                                           \
    static void NAME(name)(const void *task, size_t begin, size_t end)     \
    {                                                                      \
        const struct NAME(whole) *t = task;                                \
        const type *restrict x = t->x;                                     \
        type *restrict out = t->out;                                       \
        const int64_t least = t->least, most = t->most;                    \
        (void)least, (void)most;                                           \
        for (size_t i = begin; i < end; i++)                               \
            out[i] = (type)(value);                                        \
    }

/* The upper limit wins, as in numpy and PyTorch. */
WHOLE(clamp_body, int64_t, (x[i] < least ? least : x[i]) > most ? most
                                                               : (x[i] < least ? least : x[i]))
WHOLE(left_body, int64_t, (uint64_t)x[i] << least)
WHOLE(right_body, int64_t, x[i] >> least)
WHOLE(abs_body, int64_t, x[i] < 0 ? 0 - (uint64_t)x[i] : (uint64_t)x[i])
WHOLE(not_body, uint8_t, x[i] ^ 1)
#undef WHOLE

KERNEL(clamp_whole)(size_t n, int64_t least, int64_t most, ARRAY(const int64_t, x, n),
                    ARRAY(int64_t, out, n))
{
    const struct NAME(whole) task = {x, out, least, most};
    parallel_for(n, PIECE, NAME(clamp_body), &task);
}

/* By up to 63 places to the left, or (`by` is negative) to the right. */
KERNEL(shift_whole)(size_t n, int64_t by, ARRAY(const int64_t, x, n), ARRAY(int64_t, out, n))
{
    const struct NAME(whole) task = {x, out, by < 0 ? -by : by, 0};
    if (task.least < 64)
        parallel_for(n, PIECE, by < 0 ? NAME(right_body) : NAME(left_body), &task);
}

KERNEL(abs_whole)(size_t n, ARRAY(const int64_t, x, n), ARRAY(int64_t, out, n))
{
    const struct NAME(whole) task = {x, out, 0, 0};
    parallel_for(n, PIECE, NAME(abs_body), &task);
}

/* Of bools, which are 0 or 1. */
KERNEL(not_bool)(size_t n, ARRAY(const uint8_t, x, n), ARRAY(uint8_t, out, n))
{
    const struct NAME(whole) task = {x, out, 0, 0};
    parallel_for(n, 4 * PIECE, NAME(not_body), &task);
}
