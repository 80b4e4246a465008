/* extremes.c - running extremes: where the largest (with `smallest`, the smallest) element up to
 * each place lies; of equal ones the last; after a NaN only another NaN takes its place.
 *
 * An array is seen as `outer` blocks of `n` rows of `inner` numbers. Each place waits for the one
 * before it. SCAN columns go side by side; of a row, TOGETHER numbers are compared with the extreme
 * so far at a time, and mostly none of them takes its place. */
#define SCAN 64
#define TOGETHER 32

struct NAME(extremes) {
    const real *x;
    int64_t *index;
    size_t n, inner;
};

/* Does any of TOGETHER numbers take the place of an extreme? */
INLINE bool NAME(any_extreme)(const real *x, real extreme, bool smallest)
{
    NAME(integer) any = 0;
    for (size_t i = 0; i < TOGETHER; i++)
        any |= smallest ? !(ORDERED(x[i]) > ORDERED(extreme)) : !(ORDERED(x[i]) < ORDERED(extreme));
    return any;
}

INLINE void NAME(row_of_extremes)(const real *restrict x, int64_t *restrict index, size_t n,
                                  const bool smallest)
{
    real extreme = smallest ? HIGHEST : LOWEST;
    int64_t best = 0;
    for (size_t j = 0; j < n;) {
        const size_t count = smaller(TOGETHER, n - j), end = j + count;
        if (count == TOGETHER && !NAME(any_extreme)(x + j, extreme, smallest)) {
            for (size_t i = 0; i < TOGETHER; i++)
                index[j + i] = best;
            j = end;
            continue;
        }
        for (; j < end; j++) {
            /* a branch: a choice would make each number wait for the one before */
            if (smallest ? !(ORDERED(x[j]) > ORDERED(extreme))
                         : !(ORDERED(x[j]) < ORDERED(extreme)))
                extreme = x[j], best = (int64_t)j;
            index[j] = best;
        }
    }
}

INLINE void NAME(columns_of_extremes)(const real *restrict x, int64_t *restrict index, size_t n,
                                      size_t inner, size_t width, const bool smallest)
{
    ON_A_LINE real extreme[SCAN];
    int64_t best[SCAN];
    for (size_t i = 0; i < width; i++)
        extreme[i] = smallest ? HIGHEST : LOWEST, best[i] = 0;
    for (size_t j = 0; j < n; j++, x += inner, index += inner)
        for (size_t i = 0; i < width; i++) {
            const real v = x[i];
            const bool kept = smallest ? ORDERED(v) > ORDERED(extreme[i])
                                       : ORDERED(v) < ORDERED(extreme[i]);
            extreme[i] = kept ? extreme[i] : v;
            best[i] = kept ? best[i] : (int64_t)j;
            index[i] = best[i];
        }
}

/* What is not less than the extreme takes its place, a NaN, too; but beside a NaN, everything does:
 * so rows with one are done again from there on. */
#define EXTREMES_OF(name, smallest)                                        \
    static void NAME(name)(const void *task, size_t begin, size_t end)     \
    {                                                                      \
        const struct NAME(extremes) *t = task;                             \
        const size_t n = t->n, inner = t->inner, strips = pieces(inner, SCAN); \
        for (size_t u = begin; u < end; u++) {                             \
            const size_t i = u % strips * SCAN, at = u / strips * n * inner + i; \
            if (inner == 1)                                                \
                NAME(row_of_extremes)(t->x + at, t->index + at, n, smallest); \
            else                                                           \
                NAME(columns_of_extremes)(t->x + at, t->index + at, n, inner, \
                                          smaller(SCAN, inner - i), smallest); \
        }                                                                  \
    }
EXTREMES_OF(largest_so_far, false)
EXTREMES_OF(smallest_so_far, true)
#undef EXTREMES_OF

struct NAME(search) {
    const real *x;
    uint8_t *found;
};
static void NAME(find_nan)(const void *task, size_t begin, size_t end)
{
    const struct NAME(search) *t = task;
    int any = 0;
    for (size_t i = begin; i < end; i++)
        any |= IS_NAN(t->x[i]);
    if (any)
        SET_FLAG(t->found);
}

static void NAME(after_nan)(const void *task, size_t begin, size_t end)
{
    const struct NAME(extremes) *t = task;
    const size_t n = t->n, inner = t->inner;
    for (size_t row = begin; row < end; row++) {
        const size_t first = row / inner * n * inner + row % inner;
        int64_t last = -1;
        for (size_t j = 0; j < n; j++) {
            const size_t at = first + j * inner;
            if (IS_NAN(t->x[at]))
                last = (int64_t)j;
            if (last >= 0)
                t->index[at] = last;
        }
    }
}

KERNEL(running_extreme)(size_t outer, size_t n, size_t inner, int smallest,
                        ARRAY(const real, x, outer * n * inner),
                        ARRAY(int64_t, index, outer * n * inner))
{
    const struct NAME(extremes) task = {x, index, n, inner};
    uint8_t unknown = 0;
    parallel_for(outer * pieces(inner, SCAN),
                 grain_of(PIECE / 4, (double)n * (double)smaller(inner, SCAN)),
                 smallest ? NAME(smallest_so_far) : NAME(largest_so_far), &task);
    const struct NAME(search) search = {x, &unknown};
    parallel_for(outer * n * inner, PIECE, NAME(find_nan), &search);
    if (unknown)
        parallel_for(outer * inner, grain_of(PIECE / 4, (double)n), NAME(after_nan), &task);
}
#undef SCAN
#undef TOGETHER
