/* rows.h - rows that end within a vector. Included for each type. */

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
