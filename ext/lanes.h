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

/* The first n numbers of a vector, 0 < n <= LANES, in few instructions. AVX-512 has them; elsewhere
 * two parts of a half or a quarter overlap. What is not loaded is 0. */
#undef STORE_ALTERNATE
#if VECTOR_BYTES == 64 && defined(REAL_IS_FLOAT)
#define FIRST(n) ((__mmask16)(0xffff >> (16 - (n))))
static inline NAME(vector) NAME(load_first)(const real *from, int64_t n)
{
    return (NAME(vector))_mm512_maskz_loadu_ps(FIRST(n), from);
}
static inline void NAME(store_first)(real *to, NAME(vector) v, int64_t n)
{
    _mm512_mask_storeu_ps(to, FIRST(n), (__m512)v);
}
#undef FIRST
#ifdef SHUFFLE
/* to[2 i] = v[i] for i < n */
#define STORE_ALTERNATE
static inline void NAME(store_alternate)(real *to, NAME(vector) v, int64_t n)
{
    const uint32_t places = (uint32_t)(0x55555555 >> (32 - 2 * n));
    const NAME(vector) low = SHUFFLE(v, v, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
    const NAME(vector) high = SHUFFLE(v, v, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13, 14, 14, 15,
                                      15);
    _mm512_mask_storeu_ps(to, (__mmask16)places, (__m512)low);
    _mm512_mask_storeu_ps(to + LANES, (__mmask16)(places >> 16), (__m512)high);
}
#endif
#elif VECTOR_BYTES == 64
#define FIRST(n) ((__mmask8)(0xff >> (8 - (n))))
static inline NAME(vector) NAME(load_first)(const real *from, int64_t n)
{
    return (NAME(vector))_mm512_maskz_loadu_pd(FIRST(n), from);
}
static inline void NAME(store_first)(real *to, NAME(vector) v, int64_t n)
{
    _mm512_mask_storeu_pd(to, FIRST(n), (__m512d)v);
}
#undef FIRST
#else
INLINE void NAME(copy_both_ends)(const size_t part, real *to, const real *from, int64_t n)
{
    memcpy(to, from, part * sizeof(real));
    memcpy(to + n - part, from + n - part, part * sizeof(real));
}
static inline void NAME(copy_first)(real *to, const real *from, int64_t n)
{
    if (LANES >= 4 && n >= (int64_t)LANES / 2)
        NAME(copy_both_ends)(LANES / 2, to, from, n);
    else if (LANES >= 8 && n >= (int64_t)LANES / 4)
        NAME(copy_both_ends)(LANES / 4, to, from, n);
    else
        for (int64_t i = 0; i < n; i++)
            to[i] = from[i];
}
static inline NAME(vector) NAME(load_first)(const real *from, int64_t n)
{
    NAME(vector) v = {0};
    NAME(copy_first)((real *)&v, from, n);
    return v;
}
static inline void NAME(store_first)(real *to, NAME(vector) v, int64_t n)
{
    NAME(copy_first)(to, (const real *)&v, n);
}
#endif

/* A row of n numbers. */
static inline void NAME(copy_row)(real *to, const real *from, int64_t n)
{
    for (; n >= (int64_t)LANES; n -= (int64_t)LANES, to += LANES, from += LANES)
        STORE(to, LOAD(from));
    if (n > 0)
        NAME(store_first)(to, NAME(load_first)(from, n), n);
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
