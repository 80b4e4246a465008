/* complex.c - complex numbers: pairs of a real and an imaginary part, side by side. Blocks of them
 * are dealt out, so that a vector has the real parts of several numbers, and another one the
 * imaginary parts. */
#define DEALT 128 /* numbers */
typedef real NAME(dealt)[DEALT];

struct NAME(complex) {
    const real *x, *y, *z;
    real *out;
};

/* By the larger part, so that no square overflows (Smith, Algorithm 116, 1962). Both ways of it are
 * one: their parts change places. */
static void NAME(reciprocals_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(complex) *t = task;
    ON_A_LINE NAME(dealt) a, b;
    for (size_t i = begin, n; i < end; i += n) {
        n = smaller(DEALT, end - i);
        NAME(deal_pairs)(t->z + 2 * i, 2 * (int64_t)n, a, b);
        for (size_t k = 0; k < n; k++) {
            const real large = FN(abs)(a[k]) < FN(abs)(b[k]) ? b[k] : a[k];
            const real small = FN(abs)(a[k]) < FN(abs)(b[k]) ? a[k] : b[k];
            const real quotient = small / large, ratio = large == 0 ? 0 : quotient;
            const real whole = large + small * ratio, one = 1 / whole, part = ratio / whole;
            const real first = FN(abs)(a[k]) < FN(abs)(b[k]) ? part : one;
            b[k] = -(FN(abs)(a[k]) < FN(abs)(b[k]) ? one : part);
            a[k] = first;
        }
        NAME(weave_pairs)(a, b, 2 * (int64_t)n, t->out + 2 * i);
    }
}

/* 1 / z of n numbers; of 0, as in PyTorch, inf + nan i. */
KERNEL(reciprocals)(size_t n, ARRAY(const real, z, 2 * n), ARRAY(real, out, 2 * n))
{
    const struct NAME(complex) task = {NULL, NULL, z, out};
    parallel_for(n, PIECE / 4, NAME(reciprocals_body), &task);
}

static void NAME(between_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(complex) *t = task;
    ON_A_LINE NAME(dealt) a, b, c, d, u, v;
    for (size_t i = begin, n; i < end; i += n) {
        n = smaller(DEALT, end - i);
        NAME(deal_pairs)(t->x + 2 * i, 2 * (int64_t)n, a, b);
        NAME(deal_pairs)(t->y + 2 * i, 2 * (int64_t)n, c, d);
        NAME(deal_pairs)(t->z + 2 * i, 2 * (int64_t)n, u, v);
        for (size_t k = 0; k < n; k++) {
            const real size = u[k] * u[k] + v[k] * v[k], p = c[k] - a[k], q = d[k] - b[k];
            /* from x by z, or from y by z - 1 */
            const real by = size < (real)0.25 ? u[k] : u[k] - 1;
            a[k] = (size < (real)0.25 ? a[k] : c[k]) + (by * p - v[k] * q);
            b[k] = (size < (real)0.25 ? b[k] : d[k]) + (by * q + v[k] * p);
        }
        NAME(weave_pairs)(a, b, 2 * (int64_t)n, t->out + 2 * i);
    }
}

/* x + z (y - x) of n numbers, from the end that is nearer */
KERNEL(between)(size_t n, ARRAY(const real, x, 2 * n), ARRAY(const real, y, 2 * n),
                ARRAY(const real, z, 2 * n), ARRAY(real, out, 2 * n))
{
    const struct NAME(complex) task = {x, y, z, out};
    parallel_for(n, PIECE / 4, NAME(between_body), &task);
}
#undef DEALT
