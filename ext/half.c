/* half.c - numbers of 16 bits, which are stored as such and computed with in float.
 *
 *     float16    1 sign, 5 of exponent, 10 of fraction: exponents are counted from 15
 *     bfloat16   1 sign, 8 of exponent, 7 of fraction: the upper half of a float
 *
 * Both ways are arithmetic on whole vectors of bits, without a branch. A product by a power of 2
 * moves the exponent, and makes normal floats of float16's subnormal numbers. Rounding is to
 * nearest, ties to even. Source: Giesen, float->half variants, 2012.
 *
 * Traffic: x is read once, out is written once. */

static inline real NAME(of_half)(uint32_t half)
{
    const uint32_t size = (half & 0x7fff) << 13, sign = (half & 0x8000) << 16;
    const uint32_t finite = as_uint(as_float(size) * 0x1p112f);
    const uint32_t bits = size < 0x0f800000 ? finite : size | 0x7f800000; /* else inf or NaN */
    return (real)as_float(bits | sign);
}

/* a where `choose` is all ones, b where it is 0. With `?:` GCC would move the sums into
 * branches. */
static inline uint32_t NAME(chosen)(uint32_t choose, uint32_t a, uint32_t b)
{
    return (a & choose) | (b & ~choose);
}

static inline uint16_t NAME(to_half)(float x)
{
    const uint32_t bits = as_uint(x), size = bits & 0x7fffffff, sign = bits >> 16 & 0x8000;
    /* the exponent is counted from 15, not 127; half a unit of the last place, and 1 if that is
     * odd */
    const uint32_t normal = (size - (112u << 23) + 0xfff + (size >> 13 & 1)) >> 13;
    /* beside 0.5, the last place of a float is that of the smallest halves: the sum rounds */
    const uint32_t small = as_uint(as_float(size) + 0.5f) - 0x3f000000;
    const uint32_t finite = NAME(chosen)(0u - (size < 113u << 23), small, normal);
    const uint32_t other = 0x7c00 | ((0u - (size > 0x7f800000)) & 0x200); /* inf, or NaN */
    return (uint16_t)(NAME(chosen)(0u - (size < 143u << 23), finite, other) | sign);
}

static inline real NAME(of_bfloat)(uint32_t bfloat)
{
    return (real)as_float(bfloat << 16);
}

static inline uint16_t NAME(to_bfloat)(float x)
{
    const uint32_t bits = as_uint(x);
    const uint32_t finite = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    /* a NaN stays one: a bit of its fraction that is kept is set */
    return (uint16_t)((bits & 0x7fffffff) <= 0x7f800000 ? finite : bits >> 16 | 0x40);
}

/* Sixteen float16 at a time, where the processor has instructions for it. Returns the first element
 * that is left. */
#if VECTOR_BYTES == 64 && defined(REAL_IS_FLOAT) && defined(__AVX512F__)
static inline size_t NAME(widen_halves)(const uint16_t *x, size_t i, size_t end, float *out)
{
    for (; i + 16 <= end; i += 16)
        _mm512_storeu_ps(out + i, _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(x + i))));
    return i;
}
static inline size_t NAME(narrow_halves)(const float *x, size_t i, size_t end, uint16_t *out)
{
    enum { NEAREST = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }; /* for clang a constant */
    for (; i + 16 <= end; i += 16)
        _mm256_storeu_si256((__m256i *)(out + i),
                            _mm512_cvtps_ph(_mm512_loadu_ps(x + i), NEAREST));
    return i;
}
#else
static inline size_t NAME(widen_halves)(const uint16_t *x, size_t i, size_t end, real *out)
{
    return (void)x, (void)end, (void)out, i;
}
static inline size_t NAME(narrow_halves)(const real *x, size_t i, size_t end, uint16_t *out)
{
    return (void)x, (void)end, (void)out, i;
}
#endif

static void NAME(widen_run)(const uint16_t *restrict x, size_t n, bool bfloat, real *restrict out)
{
    if (bfloat)
        for (size_t i = 0; i < n; i++)
            out[i] = NAME(of_bfloat)(x[i]);
    else
        for (size_t i = NAME(widen_halves)(x, 0, n, out); i < n; i++)
            out[i] = NAME(of_half)(x[i]);
}

static void NAME(narrow_run)(const real *restrict x, size_t n, bool bfloat, uint16_t *restrict out)
{
    if (bfloat)
        for (size_t i = 0; i < n; i++)
            out[i] = NAME(to_bfloat)((float)x[i]);
    else
        for (size_t i = NAME(narrow_halves)(x, 0, n, out); i < n; i++)
            out[i] = NAME(to_half)((float)x[i]);
}

/* What a loop converts; x and out are those of the kernel. */
struct NAME(conversion) {
    const void *x;
    void *out;
    bool bfloat;
};

static void NAME(widen_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(conversion) *t = task;
    NAME(widen_run)((const uint16_t *)t->x + begin, end - begin, t->bfloat, (real *)t->out + begin);
}

static void NAME(narrow_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(conversion) *t = task;
    NAME(narrow_run)((const real *)t->x + begin, end - begin, t->bfloat,
                     (uint16_t *)t->out + begin);
}

/* out = x, of which x is given as its bits. */
KERNEL(widen)(size_t n, int bfloat, ARRAY(const uint16_t, x, n), ARRAY(real, out, n))
{
    const struct NAME(conversion) task = {x, out, bfloat != 0};
    parallel_for(n, PIECE, NAME(widen_body), &task);
}

/* out = x, rounded; out is given as its bits. */
KERNEL(narrow)(size_t n, int bfloat, ARRAY(const real, x, n), ARRAY(uint16_t, out, n))
{
    const struct NAME(conversion) task = {x, out, bfloat != 0};
    parallel_for(n, PIECE, NAME(narrow_body), &task);
}
