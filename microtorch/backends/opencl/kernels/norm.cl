// Batch norm: statistics per channel of x (batch, channels, places), the affine map, and all
// derivatives. A channel's statistics and what they are used for come from one kernel: x is read
// from memory once and, while its channel fits into the cache (on a GPU: the L2), not again.
// With h = g w and x^ = (x - mean) rstd,
//     out = x^ w + b              dw = sum(g x^)
//     dx = rstd (h - mean(h) - x^ mean(h x^))              db = sum(g)
//
// Without COLUMNS a work-group has one channel, whose places lie side by side (Ioffe and Szegedy
// 2015, for images). With COLUMNS there is one place: neighbours in memory are channels, so a group
// has `across` * V of them, and a constant of a channel is a vector (STAT). Either way the group's
// work-items are a table: `across` of them read neighbours, the others go down the batch.
//
// Variances are summed in a second pass, from x - mean, since small differences of large numbers
// would lose all digits. Sums are of short sums, added with their rounding errors (Knuth's two-sum,
// The Art of Computer Programming, 4.2.2): the error does not grow with the batch.
#define GROUP __attribute__((reqd_work_group_size(WIDTH, 1, 1)))
#define SHAPE const int batch, const int channels, const int places, const int across
#define SHORT 32 // numbers of a sum without its errors

// sum += x; the rounding error goes to `error`
#define PLUS(NAME, KIND)                                                                           \
    static inline void NAME(KIND *sum, KIND *error, const KIND x)                                  \
    {                                                                                              \
        const KIND s = *sum + x, part = s - *sum;                                                  \
        *error += (*sum - (s - part)) + (x - part);                                                \
        *sum = s;                                                                                  \
    }
PLUS(plus, T)

#ifdef COLUMNS
#define STAT VECTOR
#else
#define STAT T
#endif
#if V > 1
PLUS(plus_vector, VECTOR)
#else
#define plus_vector plus
#endif
#ifdef COLUMNS
#define plus_stat plus_vector
#else
#define plus_stat plus
#endif

// The sum of the work-items that have the same channels; each of them gets it
static inline STAT combined(STAT sum, STAT error, __local STAT *shared, const int item,
                            const int apart)
{
    shared[item] = sum;
    shared[WIDTH + item] = error;
    for (int half_ = WIDTH / 2; half_ >= apart; half_ /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (item < half_) {
            error += shared[WIDTH + item + half_];
            plus_stat(&sum, &error, shared[item + half_]);
            shared[item] = sum;
            shared[WIDTH + item] = error;
        }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    sum = shared[item % apart];
    error = shared[WIDTH + item % apart];
    barrier(CLK_LOCAL_MEM_FENCE);
    return sum + (error == error ? error : (STAT)(0)); // of an infinite sum the error is NaN
}

// Below: SUM(name, TERM) declares `name`, the sum of a term over each channel; MAP(out, TERM)
// writes the term at each element. A TERM is a macro of AT, and AT(x) is x at the place of the
// loop, V numbers or one. OF(w) is a channel's number of w.
#define EXAMPLES for (int e = first_example; e < batch; e += step_down)
#define COMMON                                                                                     \
    __local STAT shared[2 * WIDTH];                                                                \
    const int item = get_local_id(0), down = WIDTH / across;                                       \
    const int step_down = get_num_groups(1) * down;                                                \
    const int first_example = get_group_id(1) * down + item / across;

#ifdef COLUMNS // ----------------------------------------------------------------------------------
// V numbers, of which `count` are there
static inline VECTOR load(__global const T *p, const int count)
{
    if (count >= V) return READ(p);
    T part[V] = {0};
    for (int v = 0; v < count; v++) part[v] = p[v];
    return READ(part);
}

static inline void store(const VECTOR x, __global T *p, const int count)
{
    if (count >= V) {
        WRITE(x, p);
        return;
    }
    T part[V];
    WRITE(x, part);
    for (int v = 0; v < count; v++) p[v] = part[v];
}

#define CHANNEL                                                                                    \
    COMMON                                                                                         \
    const int c = (get_group_id(0) * across + item % across) * V, count = channels - c;
#define OF(w) load((w) + c, count)
#define PUT(value, w) { if (item < across) store(value, (w) + c, count); }
#define COLUMN_AT(x) load((x) + e * channels + c, count)
#define SUM(name, TERM)                                                                            \
    STAT name = 0;                                                                                 \
    {                                                                                              \
        VECTOR sum = 0, error = 0;                                                                 \
        int rows = 0;                                                                              \
        EXAMPLES {                                                                                 \
            name += TERM(COLUMN_AT);                                                               \
            if (++rows % 8 == 0) {                                                                 \
                plus_vector(&sum, &error, name);                                                   \
                name = 0;                                                                          \
            }                                                                                      \
        }                                                                                          \
        plus_vector(&sum, &error, name);                                                           \
        name = combined(sum, error, shared, item, across);                                         \
    }
#define MAP(out, TERM) EXAMPLES store(TERM(COLUMN_AT), out + e * channels + c, count);

#else // -------------------------------------------------------------------------------------------
#define CHANNEL                                                                                    \
    COMMON                                                                                         \
    const int c = get_group_id(0);
#define OF(w) (w)[c]
#define PUT(value, w) { if (item == 0) (w)[c] = value; }
#define VECTOR_AT(x) READ((x) + at)
#define NUMBER_AT(x) (x)[at]
#define RUN /* a channel of an example, and this work-item's first elements of it */               \
    const int step = across * V, end = (e * channels + c + 1) * places;                            \
    int at = end - places + item % across * V;
#define SUM(name, TERM)                                                                            \
    STAT name = 0;                                                                                 \
    {                                                                                              \
        VECTOR sums = 0, errors = 0;                                                               \
        T error = 0;                                                                               \
        EXAMPLES {                                                                                 \
            RUN                                                                                    \
            while (at + V <= end) {                                                                \
                VECTOR a = 0, b = 0; /* two, since an addition waits for the one before it */      \
                for (int stop = min(end, at + SHORT * step); at + step + V <= stop; at += step) {  \
                    a += TERM(VECTOR_AT);                                                          \
                    at += step;                                                                    \
                    b += TERM(VECTOR_AT);                                                          \
                }                                                                                  \
                if (at + V <= end) {                                                               \
                    a += TERM(VECTOR_AT);                                                          \
                    at += step;                                                                    \
                }                                                                                  \
                plus_vector(&sums, &errors, a + b);                                                \
            }                                                                                      \
            T rest = 0; /* what is left where V does not divide the places */                      \
            if (V > 1) for (; at < end; at++) rest += TERM(NUMBER_AT);                             \
            plus(&name, &error, rest);                                                             \
        }                                                                                          \
        T part[V], lost[V];                                                                        \
        WRITE(sums, part);                                                                         \
        WRITE(errors, lost);                                                                       \
        for (int v = 0; v < V; v++) {                                                              \
            plus(&name, &error, part[v]);                                                          \
            error += lost[v];                                                                      \
        }                                                                                          \
        name = combined(name, error, shared, item, 1);                                             \
    }
#define MAP(out, TERM)                                                                             \
    EXAMPLES {                                                                                     \
        RUN                                                                                        \
        for (; at + V <= end; at += step) WRITE(TERM(VECTOR_AT), out + at);                        \
        if (V > 1) for (; at < end; at++) out[at] = TERM(NUMBER_AT);                               \
    }
#endif

// ---- the kernels --------------------------------------------------------------------------------
#define VALUE(AT) AT(x)
#define SQUARE(AT) ((AT(x) - mean) * (AT(x) - mean))
#define GRADIENT(AT) AT(g)
#define PRODUCT(AT) (AT(g) * (AT(x) - mean))
#define NORMAL(AT) ((AT(x) - mean) * scale + shift)
#define TO_INPUT(AT) (scale * (AT(g) - a - (AT(x) - mean) * k))
#define MOMENTS                                                                                    \
    const T n = (T)batch * places;                                                                 \
    SUM(total, VALUE)                                                                              \
    const STAT mean = total / n;                                                                   \
    SUM(squares, SQUARE)                                                                           \
    const STAT var = squares / n;

__kernel GROUP void moments(SHAPE, __global const T *x, __global T *means, __global T *vars)
{
    CHANNEL
    MOMENTS
    PUT(mean, means)
    PUT(var, vars)
}

// affine: 0 without w and b, 1 without b, 2 with both
#define SCALE                                                                                      \
    const STAT scale = 1 / sqrt(var + eps) * (affine > 0 ? OF(w) : (STAT)(1));                     \
    const STAT shift = affine > 1 ? OF(b) : (STAT)(0);

__kernel GROUP void batch_norm(SHAPE, const T eps, __global const T *x, const int affine,
                               __global const T *w, __global const T *b, __global T *out)
{
    CHANNEL
    MOMENTS
    SCALE
    MAP(out, NORMAL)
}

// The same with statistics that are given. Here the second group id cuts up the batch, too.
__kernel GROUP void fixed_norm(SHAPE, const T eps, __global const T *x, __global const T *means,
                               __global const T *vars, const int affine, __global const T *w,
                               __global const T *b, __global T *out)
{
    CHANNEL
    const STAT mean = OF(means), var = OF(vars);
    SCALE
    MAP(out, NORMAL)
}

__kernel GROUP void batch_norm_vjps(SHAPE, const T eps, __global const T *g, __global const T *x,
                                    const int affine, __global const T *w, __global T *dx,
                                    __global T *dw, __global T *db)
{
    CHANNEL
    MOMENTS
    SUM(plain, GRADIENT)
    SUM(product, PRODUCT)
    const STAT rstd = 1 / sqrt(var + eps), normal = product * rstd;
    const STAT a = plain / n, k = normal * rstd / n;
    PUT(normal, dw)
    PUT(plain, db)
    const STAT scale = affine > 0 ? rstd * OF(w) : rstd;
    MAP(dx, TO_INPUT)
}
