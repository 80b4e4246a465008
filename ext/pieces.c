/* pieces.c - how an elementwise loop goes over its arrays: in pieces for the threads, and past the caches if the result is large.
 *
 * A store to a line of memory that is in no cache first reads that line (and what the caches hold is thrown out, at once or
 * later, to make room for it). For x + y that is a fourth of the traffic, and useless: the whole line is overwritten. A
 * non-temporal store collects a line and sends it to memory directly. It pays where the result would not stay in the last
 * cache anyway; below, whoever reads the result next would have to fetch it. So a large result is computed window by window in
 * the L1 cache, by the same loop, and each window is streamed out.
 * (Intel, Optimization Reference Manual, "Non-temporal stores"; Drepper, What Every Programmer Should Know About Memory, 6.1.) */
#define LINE 64
#define SHORT_WINDOW 1024               /* bytes, for loops that wait for memory: reads and writes should alternate often ... */
#define LONG_WINDOW 4096                /* ... and for loops that compute, since each window's beginning and end cost time */
#define LARGE_RESULT ((size_t)12 << 20) /* bytes: a good part of the last cache of its time, which has 8 to 64 MiB */

/* A copy past the caches, of whole lines of `to`, and of what comes before the first one. Returns how many elements were copied. */
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
typedef void NAME(loop)(const void *task, size_t begin, size_t n, real *restrict result);

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
    real window[(LONG_WINDOW + LINE) / sizeof(real)];
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

/* `loop` for all n elements, on one thread up to as many as take about as long as it costs to wake another. Pieces may depend on
 * the number of threads: few, so that neighbours are with one thread, but more than threads, since some begin late. They, and
 * windows, are multiples of a line: only the last elements of the array are computed outside vectors, by whichever thread, and
 * so have the same bits (compilers may fuse a product and a sum in vectors and not outside). */
static void NAME(in_pieces)(size_t n, bool cheap, NAME(loop) * loop, const void *task, real *result)
{
    const size_t alone = (size_t)1 << (cheap ? 16 : 14), window = cheap ? SHORT_WINDOW : LONG_WINDOW;
    const struct NAME(pieces) pieces = {loop, task, result, n * sizeof(real) >= LARGE_RESULT ? window : 0};
    const size_t each = larger(alone / 4, n / 8 / (size_t)get_threads());
    parallel_for(n, n <= alone ? alone : (each + LINE - 1) / LINE * LINE, NAME(piece), &pieces);
}
