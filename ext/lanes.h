/* lanes.h - squares of numbers transposed in registers, and arrays interleaved by them, so that one
 * load gives the same element of each array: to[i][lane] = from[lane][i]. Included for each type.
 *
 * A square of LANES x LANES numbers takes LANES log2(LANES) shuffles for its LANES vectors
 * (Eklundh, "A Fast Computer Method for Matrix Transposing", 1972). Each number is read once and
 * written once. */

/* Rows become columns. Each round interleaves the upper half of the rows with the lower half; after
 * log2(LANES) rounds, the bits of the row's number and those of the column's have changed
 * places. */
#ifdef SHUFFLE
#if VECTOR_BYTES == 64 && defined(REAL_IS_FLOAT)
#define LOWER(a, b) SHUFFLE(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define UPPER(a, b) SHUFFLE(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#elif VECTOR_BYTES == 64 || (VECTOR_BYTES == 32 && defined(REAL_IS_FLOAT))
#define LOWER(a, b) SHUFFLE(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define UPPER(a, b) SHUFFLE(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#elif VECTOR_BYTES == 32 || defined(REAL_IS_FLOAT)
#define LOWER(a, b) SHUFFLE(a, b, 0, 4, 1, 5)
#define UPPER(a, b) SHUFFLE(a, b, 2, 6, 3, 7)
#else
#define LOWER(a, b) SHUFFLE(a, b, 0, 2)
#define UPPER(a, b) SHUFFLE(a, b, 1, 3)
#endif
INLINE void NAME(transpose_square)(NAME(vector) *rows)
{
    NAME(vector) next[LANES];
    UNROLL for (size_t round = 1; round < LANES; round *= 2) {
        UNROLL for (size_t i = 0; i < LANES / 2; i++) {
            next[2 * i] = LOWER(rows[i], rows[i + LANES / 2]);
            next[2 * i + 1] = UPPER(rows[i], rows[i + LANES / 2]);
        }
        UNROLL for (size_t i = 0; i < LANES; i++)
            rows[i] = next[i];
    }
}
#undef LOWER
#undef UPPER
#else
INLINE void NAME(transpose_square)(NAME(vector) *rows)
{
    real square[LANES][LANES], other[LANES][LANES];
    memcpy(square, rows, sizeof square);
    for (size_t i = 0; i < LANES; i++)
        for (size_t j = 0; j < LANES; j++)
            other[i][j] = square[j][i];
    memcpy(rows, other, sizeof other);
}
#endif

/* `count` numbers of each lane (0 where its pointer is NULL), interleaved. They are rows of
 * `width`. The columns [first, last) of each row are stored: the first row's at `to`, each later
 * row's `pitch` vectors after the one before. */
static void NAME(interleave)(const real *const *from, int64_t count, int64_t width, int64_t first,
                             int64_t last, int64_t pitch, real *to)
{
    int64_t column = 0;
    for (int64_t f = 0; f < count; f += (int64_t)LANES) {
        const size_t n = smaller(LANES, (size_t)(count - f));
        NAME(vector) square[LANES];
        if (n == LANES)
            UNROLL for (size_t l = 0; l < LANES; l++) {
                square[l] = (NAME(vector)){0};
                if (from[l])
                    square[l] = LOAD(from[l] + f);
            }
        else {
            real rest[LANES][LANES] = {{0}};
            for (size_t l = 0; l < LANES; l++)
                for (size_t i = 0; i < n && from[l]; i++)
                    rest[l][i] = from[l][f + (int64_t)i];
            memcpy(square, rest, sizeof rest);
        }
        NAME(transpose_square)(square);
        for (size_t i = 0; i < n; i++) {
            if (column >= first && column < last)
                STORE(to + (column - first) * (int64_t)LANES, square[i]);
            if (++column == width)
                column = 0, to += pitch * (int64_t)LANES;
        }
    }
}

/* The inverse: `count` numbers to each lane that exists. */
static void NAME(separate)(const real *from, int64_t count, real *const *to)
{
    for (int64_t f = 0; f < count; f += (int64_t)LANES) {
        const size_t n = smaller(LANES, (size_t)(count - f));
        NAME(vector) square[LANES];
        UNROLL for (size_t i = 0; i < LANES; i++)
            square[i] = LOAD(from + (f + (int64_t)(i < n ? i : 0)) * (int64_t)LANES);
        NAME(transpose_square)(square);
        if (n == LANES)
            UNROLL for (size_t l = 0; l < LANES; l++) {
                if (to[l])
                    STORE(to[l] + f, square[l]);
            }
        else
            for (size_t l = 0; l < LANES; l++)
                if (to[l])
                    memcpy(to[l] + f, &square[l], n * sizeof(real));
    }
}

/* Numbers 0, 2, 4, ... of a row of n, and numbers 1, 3, 5, ...; and the inverse. As above, the last
 * vector overlaps with the one before, and so it may begin with an odd one. */
#if defined(SHUFFLE) && (VECTOR_BYTES > 16 || defined(REAL_IS_FLOAT))
#if VECTOR_BYTES == 64 && defined(REAL_IS_FLOAT)
#define DEAL(v) SHUFFLE(v, v, 0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15)
#define WEAVE(v) SHUFFLE(v, v, 0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15)
#elif VECTOR_BYTES == 64 || (VECTOR_BYTES == 32 && defined(REAL_IS_FLOAT))
#define DEAL(v) SHUFFLE(v, v, 0, 2, 4, 6, 1, 3, 5, 7)
#define WEAVE(v) SHUFFLE(v, v, 0, 4, 1, 5, 2, 6, 3, 7)
#else
#define DEAL(v) SHUFFLE(v, v, 0, 2, 1, 3)
#define WEAVE(v) SHUFFLE(v, v, 0, 2, 1, 3)
#endif
#endif
static void NAME(deal_pairs)(const real *from, int64_t n, real *even, real *odd)
{
    int64_t i = 0;
#ifdef DEAL
    for (const int64_t one = (int64_t)LANES; i < n && n >= one;) {
        const int64_t at = i + one <= n ? i : n - one;
        const NAME(vector) v = LOAD(from + at), dealt = DEAL(v);
        memcpy((at % 2 == 0 ? even : odd) + at / 2, &dealt, sizeof v / 2);
        memcpy(at % 2 == 0 ? odd + at / 2 : even + at / 2 + 1, (const real *)&dealt + LANES / 2,
               sizeof v / 2);
        i = at + one;
    }
#endif
    for (; i < n; i++)
        (i % 2 == 0 ? even : odd)[i / 2] = from[i];
}
static void NAME(weave_pairs)(const real *even, const real *odd, int64_t n, real *to)
{
    int64_t i = 0;
#ifdef WEAVE
    for (const int64_t one = (int64_t)LANES; i < n && n >= one;) {
        const int64_t at = i + one <= n ? i : n - one;
        NAME(vector) v;
        memcpy(&v, (at % 2 == 0 ? even : odd) + at / 2, sizeof v / 2);
        memcpy((real *)&v + LANES / 2, at % 2 == 0 ? odd + at / 2 : even + at / 2 + 1,
               sizeof v / 2);
        STORE(to + at, WEAVE(v));
        i = at + one;
    }
#endif
    for (; i < n; i++)
        to[i] = (i % 2 == 0 ? even : odd)[i / 2];
}
#undef DEAL
#undef WEAVE
