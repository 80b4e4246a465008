/* pieces.c - how an elementwise loop goes over its arrays: in pieces for the threads, and past the
 * caches if the result is large.
 *
 * A store to a line of memory that is in no cache first reads that line, and sooner or later throws
 * something out of the caches to make room for it. For x + y that is a quarter of the traffic, and
 * useless: the whole line is overwritten. A non-temporal store collects a line and sends it to
 * memory directly. This pays where the result would not stay in the last cache anyway; for smaller
 * results, whoever reads them next would have to fetch them. So a large result is computed in
 * windows within the L1 cache, by the same loop, and each window is streamed out. (Intel,
 * Optimization Reference Manual, "Non-temporal stores"; Drepper, What Every Programmer Should Know
 * About Memory, 6.1.) */
#define LINE 64
/* Bytes of a window: fewer for loops that wait for memory, where reads and writes should alternate
 * often; more for loops that compute, since each window's beginning and end cost time. */
#define SHORT_WINDOW 1024
#define LONG_WINDOW 4096
/* Bytes: a good part of the last cache, which today has 8 to 64 MiB. */
#define LARGE_RESULT ((size_t)12 << 20)

/* Copy past the caches all whole lines of `to`, and what comes before the first one. Returns how
 * many elements were copied. */
static inline size_t NAME(stream)(real *restrict to, const real *restrict from, size_t n)
{
    size_t i = 0;
    for (; i < n && (uintptr_t)(to + i) % LINE != 0; i++)
        to[i] = from[i];
    for (; i + LINE / sizeof(real) <= n; i += LINE / sizeof(real))
        UNROLL for (size_t k = 0; k < LINE / sizeof(real); k += LANES)
            STREAM(to + i + k, LOAD(from + i + k));
    return i;
}

/* n elements from `begin` on; result[0] is the first of them. */
typedef void NAME(loop)(const void *task, size_t begin, size_t n, real *result);

struct NAME(pieces) {
    NAME(loop) * loop;
    const void *task;
    real *result;
    size_t window; /* 0: the result is not large */
};

static void NAME(piece)(const void *task, size_t begin, size_t end)
{
    const struct NAME(pieces) *t = task;
    if (t->window == 0) {
        t->loop(t->task, begin, end - begin, t->result + begin);
        return;
    }
    ON_A_LINE real window[(LONG_WINDOW + LINE) / sizeof(real)];
    size_t waiting = 0; /* elements at the window's beginning that fill no line yet */
    for (size_t n; begin < end; begin += n) {
        n = smaller(t->window / sizeof(real), end - begin);
        t->loop(t->task, begin, n, window + waiting);
        const size_t written = NAME(stream)(t->result + begin - waiting, window, waiting + n);
        waiting += n - written;
        memmove(window, window + written, waiting * sizeof(real));
    }
    memcpy(t->result + end - waiting, window, waiting * sizeof(real));
    AFTER_STREAMS();
}

/* Run `loop` for all n elements: on one thread up to the size that takes about as long as waking
 * another. Pieces may depend on the number of threads: few, so that neighbours stay with one
 * thread, but more than threads, since some threads begin late. Pieces and windows are multiples of
 * a line. So whichever thread computes them, only the last elements of the array are computed
 * outside vectors, and the result has the same bits (compilers may fuse a product and a sum in
 * vectors and not outside). */
static void NAME(in_pieces)(size_t n, bool cheap, NAME(loop) * loop, const void *task, real *result)
{
    const size_t alone = (size_t)1 << (cheap ? 16 : 14);
    const size_t window = cheap ? SHORT_WINDOW : LONG_WINDOW;
    const struct NAME(pieces) pieces = {loop, task, result,
                                        n * sizeof(real) >= LARGE_RESULT ? window : 0};
    const size_t each = larger(alone / 4, n / 8 / (size_t)get_threads());
    parallel_for(n, n <= alone ? alone : (each + LINE - 1) / LINE * LINE, NAME(piece), &pieces);
}

/* One number everywhere. Nothing is read, and so plain stores are faster than those past the
 * caches. */
struct NAME(filling) {
    real *out, value;
};
static void NAME(fill_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(filling) *t = task;
    real *restrict out = t->out;
    const real value = t->value;
    for (size_t i = begin; i < end; i++)
        out[i] = value;
}

KERNEL(fill)(size_t n, real value, ARRAY(real, out, n))
{
    const struct NAME(filling) task = {out, value};
    parallel_for(n, (size_t)1 << 16, NAME(fill_body), &task);
}
