/* walk.c - how an elementwise loop goes over operands that broadcast, or are views with gaps.
 *
 * The loop itself only knows runs of numbers that lie side by side. So a row of the result is
 * computed in stretches: an operand that lies side by side there is read where it is, and of any other
 * a piece is laid out in a buffer within the L1 cache. That costs a store and a load of what is in
 * the cache anyway, and each formula still has one loop. A number that is repeated along the row
 * (a column, a scalar) is laid out once for all runs. Of short rows several make a run.
 *
 * No operand is ever copied as a whole, as numpy would have to for a formula of several operations,
 * which takes it a call and an array each. */
#define STRETCH (4096 / sizeof(real)) /* elements */
#define SHORT_ROW 96                  /* elements; rows below are put together */
#define MOST_TASK 96 /* bytes of a loop's task: its pointers, and its numbers */

#define LAY_OUT(type) \
    do { \
        type *restrict t = to; \
        if (stride == 0) { /* whole vectors: there is room behind */ \
            const type value = *(const type *)from; \
            for (size_t i = 0; i < n; i += 16) \
                for (size_t j = 0; j < 16; j++) \
                    t[i + j] = value; \
        } else if (stride == -(ptrdiff_t)sizeof(type)) { \
            const type *f = (const type *)from - (n - 1); \
            for (size_t i = 0; i < n; i++) \
                t[i] = f[n - 1 - i]; \
        } else if (stride == 2 * (ptrdiff_t)sizeof(type)) { \
            for (size_t i = 0; i < n; i++) \
                t[i] = ((const type *)from)[2 * i]; \
        } else \
            for (size_t i = 0; i < n; i++) \
                t[i] = *(const type *)(from + (ptrdiff_t)i * stride); \
    } while (0)

/* n > 0 elements, `stride` bytes from one to the next, side by side. */
static void NAME(lay_out)(void *to, const char *from, ptrdiff_t stride, size_t n, size_t bytes)
{
    if (stride == (ptrdiff_t)bytes)
        memcpy(to, from, n * bytes);
    else if (bytes == 1)
        LAY_OUT(uint8_t);
    else
        LAY_OUT(real);
}
#undef LAY_OUT

struct NAME(walked) {
    NAME(loop) * loop;
    const void *task; /* `size` bytes that begin with the pointers of `count` operands */
    size_t size;
    int count;
    const struct walk *walk;
};

/* Where the walk is: the place in each dimension, and each operand's row. */
struct NAME(position) {
    size_t place[MOST_DIMS];
    const char *row[MOST_OPERANDS];
};

static void NAME(next_row)(const struct walk *w, int count, struct NAME(position) *at)
{
    at->place[w->ndim - 1] = 0;
    for (int d = w->ndim - 2; d >= 0; d--) {
        const bool over = ++at->place[d] == w->shape[d];
        const ptrdiff_t steps = over ? 1 - (ptrdiff_t)w->shape[d] : 1;
        for (int k = 0; k < count; k++)
            at->row[k] += steps * w->strides[k][d];
        if (!over)
            return;
        at->place[d] = 0;
    }
}

static void NAME(walk)(const void *task, size_t begin, size_t n, real *restrict result)
{
    const struct NAME(walked) *t = task;
    const struct walk *w = t->walk;
    const int count = t->count, last = w->ndim - 1;
    const size_t row = w->shape[last];
    bool together = row <= STRETCH && last > 0;
    struct NAME(position) at;
    const char *base[MOST_OPERANDS], *laid[MOST_OPERANDS] = {NULL};
    size_t length[MOST_OPERANDS] = {0}; /* of what is laid out from `laid` on */
    bool side_by_side[MOST_OPERANDS], repeats[MOST_OPERANDS], whole[MOST_OPERANDS];
    bool buffers = false;
    _Alignas(64) char buffer[MOST_OPERANDS][(STRETCH + 16) * sizeof(real)];
    _Alignas(64) char own[MOST_TASK];
    memcpy(own, t->task, t->size);
    memcpy(base, own, (size_t)count * sizeof *base);
    for (int k = 0; k < count; k++) {
        at.row[k] = base[k];
        side_by_side[k] = w->strides[k][last] == (ptrdiff_t)w->bytes[k];
        repeats[k] = true, whole[k] = side_by_side[k];
        for (int d = last - 1; d >= 0; d--) {
            const ptrdiff_t inner = w->strides[k][d + 1] * (ptrdiff_t)w->shape[d + 1];
            whole[k] = whole[k] && w->strides[k][d] == inner;
            repeats[k] = repeats[k] && w->strides[k][d] == 0;
        }
        /* rows that would have to be copied, each once */
        if (row >= SHORT_ROW && side_by_side[k] && !whole[k] && !repeats[k])
            together = false;
    }
    for (int k = 0; k < count; k++) {
        if (together)
            side_by_side[k] = whole[k];
        buffers |= !side_by_side[k];
    }
    for (size_t left = begin, d = (size_t)last + 1; d-- > 0; left /= w->shape[d]) {
        at.place[d] = left % w->shape[d];
        for (int k = 0; k < count && d < (size_t)last; k++)
            at.row[k] += (ptrdiff_t)at.place[d] * w->strides[k][d];
    }
    for (size_t m, done = begin, end = begin + n; done < end; done += m, result += m) {
        const char *from[MOST_OPERANDS];
        size_t column = at.place[last];
        if (!together) {
            m = smaller(end - done, row - column);
            m = buffers ? smaller(m, STRETCH) : m;
            for (int k = 0; k < count; k++) {
                const ptrdiff_t stride = w->strides[k][last];
                from[k] = at.row[k] + (ptrdiff_t)column * stride;
                if (side_by_side[k])
                    continue;
                if (stride != 0 || from[k] != laid[k] || m > length[k]) {
                    NAME(lay_out)(buffer[k], from[k], stride, m, w->bytes[k]);
                    laid[k] = from[k], length[k] = m;
                }
                from[k] = buffer[k];
            }
            if ((at.place[last] += m) == row)
                NAME(next_row)(w, count, &at);
        } else {
            m = smaller(end - done, column == 0 ? STRETCH / row * row : row - column);
            bool kept[MOST_OPERANDS];
            for (int k = 0; k < count; k++) {
                /* the same rows again */
                kept[k] = repeats[k] && column == 0 && laid[k] == base[k] && m <= length[k];
                from[k] = side_by_side[k] ? base[k] + done * w->bytes[k] : buffer[k];
            }
            for (size_t i = 0, some; i < m; i += some) {
                some = smaller(m - i, row - at.place[last]);
                for (int k = 0; k < count; k++)
                    if (!side_by_side[k] && !kept[k])
                        NAME(lay_out)(buffer[k] + i * w->bytes[k],
                                      at.row[k] + (ptrdiff_t)at.place[last] * w->strides[k][last],
                                      w->strides[k][last], some, w->bytes[k]);
                if ((at.place[last] += some) == row)
                    NAME(next_row)(w, count, &at);
            }
            for (int k = 0; k < count; k++)
                if (!kept[k])
                    laid[k] = column == 0 ? base[k] : NULL, length[k] = m;
        }
        memcpy(own, from, (size_t)count * sizeof *from);
        t->loop(own, 0, m, result);
    }
}

/* Run `loop` for all n elements of a result, as in_pieces() does, over operands of any layout. */
static void NAME(elementwise)(size_t n, const struct walk *walk, bool cheap, NAME(loop) * loop,
                              const void *task, size_t size, int count, real *result)
{
    const struct NAME(walked) walked = {loop, task, size, count, walk};
    if (walk == NULL)
        NAME(in_pieces)(n, cheap, loop, task, result);
    else
        NAME(in_pieces)(n, cheap, NAME(walk), &walked, result);
}
#undef STRETCH
#undef SHORT_ROW
#undef MOST_TASK
