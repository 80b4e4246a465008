/* limits.c - whole numbers between two limits, of which numpy's loops take one number at a time. */
struct NAME(limits) {
    const real *x;
    real *out;
    NAME(integer) least, most;
};

/* The upper limit wins, as in numpy and PyTorch. */
static void NAME(clamp_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(limits) *t = task;
    const NAME(integer) least = t->least, most = t->most;
    const real *restrict x = t->x;
    real *restrict out = t->out;
    for (size_t i = begin; i < end; i++) {
        const NAME(integer) v = ORDERED(x[i]) < least ? least : ORDERED(x[i]);
        out[i] = (real)(v > most ? most : v);
    }
}

/* Both limits are numbers of this type. */
KERNEL(clamp_whole)(size_t n, int64_t least, int64_t most, ARRAY(const real, x, n),
                    ARRAY(real, out, n))
{
    const struct NAME(limits) task = {x, out, (NAME(integer))least, (NAME(integer))most};
    parallel_for(n, PIECE, NAME(clamp_body), &task);
}
