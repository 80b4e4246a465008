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
    bool smallest;
    uint8_t *unordered; /* is there a NaN? */
    size_t part;        /* of a long row */
    int64_t *before;    /* where the extreme of all parts before each of them lies; -1: none is */
};

/* Does any of TOGETHER numbers take the place of an extreme? */
INLINE bool NAME(any_extreme)(const real *x, real extreme, bool smallest)
{
    NAME(integer) any = 0;
    for (size_t i = 0; i < TOGETHER; i++)
        any |= smallest ? !(ORDERED(x[i]) > ORDERED(extreme)) : !(ORDERED(x[i]) < ORDERED(extreme));
    return any;
}

/* Does any of them take it that is not equal? */
INLINE bool NAME(any_beyond)(const real *x, real extreme, bool smallest)
{
    NAME(integer) any = 0;
    for (size_t i = 0; i < TOGETHER; i++)
        any |= smallest ? !(ORDERED(x[i]) >= ORDERED(extreme))
                        : !(ORDERED(x[i]) <= ORDERED(extreme));
    return any;
}

/* Places [j, end) of a row; `best` is the extreme's before them, or -1. */
INLINE bool NAME(row_of_extremes)(const real *restrict x, int64_t *restrict index, size_t j,
                                  size_t end, int64_t best, const bool smallest)
{
    real extreme = best < 0 ? (smallest ? HIGHEST : LOWEST) : x[best];
    bool unordered = false;
    while (j < end) {
        const size_t count = smaller(TOGETHER, end - j), next = j + count;
        if (count == TOGETHER && !NAME(any_extreme)(x + j, extreme, smallest)) {
            for (size_t i = 0; i < TOGETHER; i++)
                index[j + i] = best;
            j = next;
            continue;
        }
        if (best >= 0 && count == TOGETHER && !NAME(any_beyond)(x + j, extreme, smallest)) {
            for (; j < next; j++) { /* equal ones alone take its place, and often */
                best = x[j] == extreme ? (int64_t)j : best;
                index[j] = best;
            }
            continue;
        }
        for (; j < next; j++) {
            /* a branch: a choice would make each number wait for the one before */
            if (smallest ? !(ORDERED(x[j]) > ORDERED(extreme))
                         : !(ORDERED(x[j]) < ORDERED(extreme)))
                extreme = x[j], best = (int64_t)j, unordered |= IS_NAN(extreme);
            index[j] = best;
        }
    }
    return unordered;
}

INLINE bool NAME(columns_of_extremes)(const real *restrict x, int64_t *restrict index, size_t n,
                                      size_t inner, size_t width, const bool smallest)
{
    ON_A_LINE real extreme[SCAN];
    int64_t best[SCAN];
    NAME(integer) unordered = 0;
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
            unordered |= IS_NAN(v);
        }
    return unordered;
}

/* What is not less than the extreme takes its place, a NaN, too; but beside a NaN, everything does:
 * so where there is one, rows are done again from there on. */
INLINE void NAME(extremes_of)(const struct NAME(extremes) *t, size_t begin, size_t end,
                              const bool smallest)
{
    const size_t n = t->n, inner = t->inner, strips = pieces(inner, SCAN);
    bool unordered = false;
    for (size_t u = begin; u < end; u++) {
        const size_t i = u % strips * SCAN, at = u / strips * n * inner + i;
        if (t->before != NULL)
            unordered |= NAME(row_of_extremes)(t->x, t->index, u * t->part,
                                               smaller((u + 1) * t->part, n), t->before[u],
                                               smallest);
        else if (inner == 1)
            unordered |= NAME(row_of_extremes)(t->x + at, t->index + at, 0, n, -1, smallest);
        else
            unordered |= NAME(columns_of_extremes)(t->x + at, t->index + at, n, inner,
                                                   smaller(SCAN, inner - i), smallest);
    }
    if (unordered)
        SET_FLAG(t->unordered);
}

static void NAME(extremes_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(extremes) *t = task;
    if (t->smallest)
        NAME(extremes_of)(t, begin, end, true);
    else
        NAME(extremes_of)(t, begin, end, false);
}

/* The last place of the extreme of [begin, end); any place where there are NaN. */
INLINE size_t NAME(last_extreme)(const real *x, size_t begin, size_t end, const bool smallest)
{
    real best[TOGETHER], extreme = x[begin];
    size_t j = begin;
    for (size_t i = 0; i < TOGETHER; i++)
        best[i] = extreme;
    for (; j + TOGETHER <= end; j += TOGETHER)
        for (size_t i = 0; i < TOGETHER; i++) {
            const real v = x[j + i];
            const bool better = smallest ? ORDERED(v) < ORDERED(best[i])
                                         : ORDERED(v) > ORDERED(best[i]);
            best[i] = better ? v : best[i];
        }
    for (size_t i = 0; i < TOGETHER + end - j; i++) {
        const real v = i < TOGETHER ? best[i] : x[j + i - TOGETHER];
        if (smallest ? ORDERED(v) < ORDERED(extreme) : ORDERED(v) > ORDERED(extreme))
            extreme = v;
    }
    for (j = end - 1; j > begin && x[j] != extreme;)
        j--;
    return j;
}

static void NAME(extremes_of_parts)(const void *task, size_t begin, size_t end)
{
    const struct NAME(extremes) *t = task;
    for (size_t u = begin; u < end; u++) {
        const size_t first = u * t->part, last = smaller(first + t->part, t->n);
        t->before[u] = (int64_t)(t->smallest ? NAME(last_extreme)(t->x, first, last, true)
                                             : NAME(last_extreme)(t->x, first, last, false));
    }
}

/* A long row in `count` parts, on several threads: first the extreme of each. */
static void NAME(extremes_in_parts)(const struct NAME(extremes) *t, size_t count)
{
    int64_t best = -1;
    parallel_for(count, 1, NAME(extremes_of_parts), t);
    for (size_t u = 0; u < count; u++) {
        const int64_t own = t->before[u];
        t->before[u] = best;
        if (best < 0 || !(t->smallest ? ORDERED(t->x[own]) > ORDERED(t->x[best])
                                      : ORDERED(t->x[own]) < ORDERED(t->x[best])))
            best = own;
    }
    parallel_for(count, 1, NAME(extremes_body), t);
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
    const size_t parts = 4 * (size_t)get_threads();
    uint8_t unordered = 0;
    struct NAME(extremes) task = {x, index, n, inner, smallest, &unordered, 0, NULL};
    if (outer * inner == 1 && parts > 4 && n > 2 * PIECE)
        task.before = take_scratch(parts * sizeof *task.before);
    if (task.before != NULL) {
        task.part = pieces(n, parts);
        NAME(extremes_in_parts)(&task, pieces(n, task.part));
        give_scratch(task.before);
    } else
        parallel_for(outer * pieces(inner, SCAN),
                     grain_of(PIECE / 4, (double)n * (double)smaller(inner, SCAN)),
                     NAME(extremes_body), &task);
    if (unordered)
        parallel_for(outer * inner, grain_of(PIECE / 4, (double)n), NAME(after_nan), &task);
}
#undef SCAN
#undef TOGETHER
