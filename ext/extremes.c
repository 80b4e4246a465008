/* extremes.c - running extremes: where the largest (with `smallest`, the smallest) element up to
 * each place lies; of equal ones the last; after a NaN only another NaN takes its place.
 *
 * An array is seen as `outer` blocks of `n` rows of `inner` numbers. Each place waits for the one
 * before it, so SCAN columns or ABREAST rows go side by side, and a long row as ABREAST parts of
 * it. */
#define SCAN 64
#define ABREAST 8

struct NAME(extremes) {
    const real *x;
    int64_t *index;
    size_t n, inner, outer;
};
#define EXTREMES(unroll, width, most, worst, better, place)                \
    {                                                                      \
        ON_A_LINE real extreme[most];                                      \
        int64_t best[most];                                                \
        unroll for (size_t i = 0; i < width; i++)                          \
            extreme[i] = worst, best[i] = 0;                               \
        for (size_t j = 0; j < n; j++)                                     \
            unroll for (size_t i = 0; i < width; i++) {                    \
                const size_t at = place;                                   \
                const real v = x[at];                                      \
                const int taken = !(ORDERED(v) better ORDERED(extreme[i]));                  \
                extreme[i] = taken ? v : extreme[i];                       \
                best[i] = taken ? (int64_t)j : best[i];                    \
                index[at] = best[i];                                       \
            }                                                              \
    }
/* !(v < extreme) is true of a NaN, too, but also where `extreme` is one: so rows with a NaN are
 * done again from there on. */
#define EXTREMES_OF(name, worst, better)                                   \
    static void NAME(name)(const void *task, size_t begin, size_t end)     \
    {                                                                      \
        const struct NAME(extremes) *t = task;                             \
        const size_t n = t->n, inner = t->inner;                           \
        const real *restrict x = t->x;                                     \
        int64_t *restrict index = t->index;                                \
        if (inner != 1)                                                    \
            for (size_t o = begin; o < end; o++)                           \
                for (size_t column = 0; column < inner; column += SCAN) {  \
                    const size_t width = smaller(SCAN, inner - column);    \
                    EXTREMES(, width, SCAN, worst, better,                 \
                             (o * n + j) * inner + column + i)             \
                }                                                          \
        for (size_t u = begin; u < end && inner == 1; u++) {               \
            size_t o = u * ABREAST;                                        \
            if (o + ABREAST <= t->outer)                                   \
                EXTREMES(UNROLL, ABREAST, ABREAST, worst, better,          \
                         (o + i) * n + j)                                  \
            else                                                           \
                for (; o < t->outer; o++)                                  \
                    EXTREMES(UNROLL, 1, 1, worst, better, (o + i) * n + j) \
        }                                                                  \
    }
EXTREMES_OF(largest_so_far, LOWEST, <)
EXTREMES_OF(smallest_so_far, HIGHEST, >)
#undef EXTREMES
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

/* A long row without NaN, as ABREAST rows side by side. In each of them what comes first may be
 * less than the extreme of those before, and gives way to it. */
static void NAME(long_row_of_extremes)(const real *x, int64_t *index, size_t n, bool smallest)
{
    const size_t length = ((n / ABREAST / 64 - 1) | 1) * 64; /* not a multiple of 4096 bytes */
    const struct NAME(extremes) rows = {x, index, length, 1, ABREAST};
    (smallest ? NAME(smallest_so_far) : NAME(largest_so_far))(&rows, 0, 1);
    for (size_t begin = length; begin < ABREAST * length; begin += length) {
        const int64_t before = index[begin - 1];
        const real extreme = x[before];
        size_t low = 0, high = length; /* the first that is no less */
        while (low < high) {
            const size_t middle = (low + high) / 2;
            const real v = x[begin + (size_t)index[begin + middle]];
            const bool less = smallest ? ORDERED(v) > ORDERED(extreme)
                                       : ORDERED(v) < ORDERED(extreme);
            low = less ? middle + 1 : low, high = less ? high : middle;
        }
        for (size_t j = 0; j < low; j++)
            index[begin + j] = before;
        for (size_t j = low; j < length; j++)
            index[begin + j] += (int64_t)begin;
    }
    int64_t best = index[ABREAST * length - 1];
    for (size_t j = ABREAST * length; j < n; j++) {
        const bool less = smallest ? ORDERED(x[j]) > ORDERED(x[best])
                                   : ORDERED(x[j]) < ORDERED(x[best]);
        index[j] = best = less ? best : (int64_t)j;
    }
}
#define LONG_EXTREMES 2048

KERNEL(running_extreme)(size_t outer, size_t n, size_t inner, int smallest,
                        ARRAY(const real, x, outer * n * inner),
                        ARRAY(int64_t, index, outer * n * inner))
{
    const struct NAME(extremes) task = {x, index, n, inner, outer};
    const size_t unit = inner == 1 ? ABREAST : 1;
    uint8_t unknown = 0;
    const struct NAME(search) search = {x, &unknown};
    parallel_for(outer * n * inner, PIECE, NAME(find_nan), &search);
    if (inner == 1 && outer < ABREAST && n >= LONG_EXTREMES && !unknown) {
        for (size_t o = 0; o < outer; o++)
            NAME(long_row_of_extremes)(x + o * n, index + o * n, n, smallest);
        return;
    }
    parallel_for(pieces(outer, unit), grain_of(PIECE / 4, (double)n * (double)(inner * unit)),
                 smallest ? NAME(smallest_so_far) : NAME(largest_so_far), &task);
    if (unknown)
        parallel_for(outer * inner, grain_of(PIECE / 4, (double)n), NAME(after_nan), &task);
}
#undef SCAN
#undef ABREAST
#undef LONG_EXTREMES
