/* search.c - where numbers lie among others: in a sorted row, in a set. NaN is the largest. */

INLINE bool NAME(precedes)(real a, real b)
{
    return ORDERED(a) < ORDERED(b) || (IS_NAN(b) && !IS_NAN(a));
}

/* The places in sorted rows of n numbers at which x belong: before the numbers that equal them, or
 * (`right`) behind these. */
KERNEL(searchsorted)(size_t rows, size_t n, size_t m, int right,
                     ARRAY(const real, sorted, rows * n), ARRAY(const real, x, rows * m),
                     ARRAY(int64_t, places, rows * m))
{
    for (size_t i = 0; i < rows * m; i++) {
        const real *row = sorted + i / m * n, v = x[i];
        size_t low = 0;
        for (size_t high = n; low < high;) { /* without a branch, which would be guessed wrong */
            const size_t middle = low + (high - low) / 2;
            const bool beyond = right ? !NAME(precedes)(v, row[middle])
                                      : NAME(precedes)(row[middle], v);
            low = beyond ? middle + 1 : low;
            high = beyond ? high : middle;
        }
        places[i] = (int64_t)low;
    }
}

/* Is each of x one of `among`? They should be few: each is compared with each. */
KERNEL(isin)(size_t n, size_t m, int inverted, ARRAY(const real, x, n),
             ARRAY(const real, among, m), ARRAY(uint8_t, found, n))
{
    for (size_t i = 0; i < n; i++) {
        int any = 0;
        for (size_t j = 0; j < m; j++)
            any |= x[i] == among[j];
        found[i] = (uint8_t)(any ^ (inverted != 0));
    }
}
