/* search.c - where numbers lie among others: in a sorted row, in a set. NaN is the largest. */

/* A number and not a bool, without && and ||: no branch, which would be guessed wrong. */
INLINE size_t NAME(precedes)(real a, real b)
{
    return (size_t)((ORDERED(a) < ORDERED(b)) | (IS_NAN(b) & !IS_NAN(a)));
}

/* Does x belong behind `seen`? */
INLINE size_t NAME(beyond)(real seen, real x, int right)
{
    return right ? !NAME(precedes)(x, seen) : NAME(precedes)(seen, x);
}

struct NAME(search) {
    const real *sorted, *x;
    int64_t *places;
    size_t n, m;
    int right;
};

#ifndef SEARCHES
#define SEARCHES 16 /* side by side, since each waits for what it reads */
#endif

/* Where `count` numbers belong in a row, which takes the same steps for all of them: a number's
 * place is in the `left` after `low`. */
INLINE void NAME(search_row)(const real *row, size_t n, const int right, const real *x,
                             int64_t *places, const size_t count)
{
    size_t low[SEARCHES] = {0}, left = n;
    for (size_t half; left > 1; left -= half) {
        half = left / 2;
        UNROLL for (size_t l = 0; l < count; l++)
            low[l] += half & (0 - NAME(beyond)(row[low[l] + half - 1], x[l], right));
    }
    UNROLL for (size_t l = 0; l < count; l++)
        places[l] = (int64_t)(low[l] + (left ? NAME(beyond)(row[low[l]], x[l], right) : 0));
}

INLINE void NAME(search_numbers)(const real *row, size_t n, const int right, const real *x,
                                 int64_t *places, size_t count)
{
    size_t i = 0;
    for (; i + SEARCHES <= count; i += SEARCHES)
        NAME(search_row)(row, n, right, x + i, places + i, SEARCHES);
    for (; i < count; i++)
        NAME(search_row)(row, n, right, x + i, places + i, 1);
}

static void NAME(search_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(search) *t = task;
    for (size_t i = begin, stop; i < end; i = stop) {
        const real *row = t->sorted + i / t->m * t->n;
        stop = smaller(end, (i / t->m + 1) * t->m);
        if (t->right)
            NAME(search_numbers)(row, t->n, 1, t->x + i, t->places + i, stop - i);
        else
            NAME(search_numbers)(row, t->n, 0, t->x + i, t->places + i, stop - i);
    }
}

/* The places in sorted rows of n numbers at which x belong: before the numbers that equal them, or
 * (`right`) behind these. */
KERNEL(searchsorted)(size_t rows, size_t n, size_t m, int right,
                     ARRAY(const real, sorted, rows * n), ARRAY(const real, x, rows * m),
                     ARRAY(int64_t, places, rows * m))
{
    const struct NAME(search) task = {sorted, x, places, n, m, right};
    double steps = 1;
    for (size_t left = n; left > 0; left /= 2)
        steps++;
    parallel_for(rows * m, grain_of(PIECE / 2, steps), NAME(search_body), &task);
}

struct NAME(membership) {
    const real *x, *among;
    uint8_t *found;
    size_t m;
    uint8_t inverted;
};

static void NAME(isin_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(membership) *t = task;
    for (size_t i = begin; i < end; i++) {
        int any = 0;
        for (size_t j = 0; j < t->m; j++)
            any |= t->x[i] == t->among[j];
        t->found[i] = (uint8_t)(any ^ t->inverted);
    }
}

/* Is each of x one of `among`? They should be few: each is compared with each. */
KERNEL(isin)(size_t n, size_t m, int inverted, ARRAY(const real, x, n),
             ARRAY(const real, among, m), ARRAY(uint8_t, found, n))
{
    const struct NAME(membership) task = {x, among, found, m, inverted != 0};
    parallel_for(n, grain_of(PIECE * 4, (double)m), NAME(isin_body), &task);
}
