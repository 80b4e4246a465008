/* walk.c - how an elementwise loop goes over operands that broadcast, or are views with gaps.
 *
 * The loop itself only knows runs of numbers that lie side by side. So the result is computed in
 * stretches: an operand that lies side by side there is read where it is, and of any other the
 * stretch is laid out in a buffer within the L1 cache. That costs a store and a load of what is in
 * the cache anyway, and each formula still has one loop. What is the same in the next stretch, a
 * number or a bias, is laid out once. Of short rows several make a stretch.
 *
 * Numbers of 16 bits, which are computed with in float, are converted on the same way: an operand
 * into its buffer, the result out of one. By way of a buffer, too, goes a result that takes an
 * operand's place (x += y), if the loop reads that twice.
 *
 * No operand is ever copied as a whole, as numpy would have to for a formula of several operations,
 * which takes it a call and an array each. */
#define STRETCH (8192 / sizeof(real)) /* elements */
#define SHORT_ROW 96                  /* elements; rows below are put together */
#define MOST_TASK 96 /* bytes of a loop's task: its pointers, and its numbers */

#define LAY_OUT(type) \
    for (size_t r = 0; r < rows; r++, from += between) { \
        type *restrict t = (type *)to + r * n; \
        if (stride == 0) { /* whole vectors: there is room behind */ \
            const type value = *(const type *)from; \
            for (size_t i = 0; i < n; i += 16) \
                for (size_t j = 0; j < 16; j++) \
                    t[i + j] = value; \
        } else if (stride == (ptrdiff_t)sizeof(type)) { \
            for (size_t i = 0; i < n; i++) \
                t[i] = ((const type *)from)[i]; \
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
    }

/* `rows` rows of n > 0 elements, side by side; from one element to the next are `stride` bytes,
 * from one row to the next `between`. */
static void NAME(lay_out)(void *to, const char *from, ptrdiff_t between, size_t rows,
                          ptrdiff_t stride, size_t n, size_t bytes)
{
    if (bytes == 1)
        LAY_OUT(uint8_t)
    else if (bytes == 2)
        LAY_OUT(uint16_t)
    else if (stride == 0 && n <= 16)
        for (size_t r = 0; r < rows; r++, from += between) {
            const real value = *(const real *)from;
            for (size_t j = 0; j < 16; j++)
                ((real *)to + r * n)[j] = value;
        }
    else
        LAY_OUT(real)
}
#undef LAY_OUT

/* Where an operand's element lies, given the number of its row and its place there. */
static inline const char *NAME(address)(const struct walk *w, int k, const char *base, size_t row,
                                        size_t column)
{
    const int last = w->ndim - 1;
    base += (ptrdiff_t)column * w->strides[k][last];
    for (int d = last - 1; d > 0; row /= w->shape[d--])
        base += (ptrdiff_t)(row % w->shape[d]) * w->strides[k][d];
    return last > 0 ? base + (ptrdiff_t)row * w->strides[k][0] : base;
}

/* `count` elements from a place on: parts of rows, and blocks of whole rows. */
static void NAME(lay_out_from)(const struct walk *w, int k, const char *base, size_t row,
                               size_t column, size_t count, char *to)
{
    const int last = w->ndim - 1;
    const size_t length = w->shape[last], bytes = w->bytes[k];
    const ptrdiff_t between = last > 0 ? w->strides[k][last - 1] : 0;
    for (size_t m; count > 0; count -= m, to += m * bytes) {
        size_t rows = 1;
        m = smaller(length - column, count);
        if (m == length && last > 0 && count >= 2 * length) {
            const size_t below = w->shape[last - 1] - (last > 1 ? row % w->shape[last - 1] : row);
            rows = smaller(below, count / length);
        }
        NAME(lay_out)(to, NAME(address)(w, k, base, row, column), between, rows,
                      w->strides[k][last], m, bytes);
        row += rows, column = 0; /* unless this was the last part */
        m *= rows;
    }
}

struct NAME(walked) {
    NAME(loop) * loop;
    const void *task; /* `size` bytes that begin with the pointers of `count` operands */
    size_t size;
    int count;
    const struct walk *walk;
    uint16_t *out; /* the result, if it has 16 bits */
    bool apart;    /* compute the result in a buffer first */
};

static void NAME(walk)(const void *task, size_t begin, size_t n, real *result)
{
    const struct NAME(walked) *t = task;
    const struct walk *w = t->walk;
    const int count = t->count, last = w->ndim - 1;
    const size_t row = w->shape[last], end = begin + n;
    const char *base[MOST_OPERANDS], *from[MOST_OPERANDS];
    bool side_by_side[MOST_OPERANDS], converted[MOST_OPERANDS];
    bool across = row <= STRETCH && last > 0, buffers = t->apart;
    size_t period[MOST_OPERANDS], unit = 1; /* elements after which an operand begins anew */
    ON_A_LINE char buffer[MOST_OPERANDS][(STRETCH + 16) * sizeof(real)];
    ON_A_LINE char own[MOST_TASK];
    memcpy(own, t->task, t->size);
    memcpy(base, own, (size_t)count * sizeof *base);
    for (int k = 0; k < count; k++) {
        const ptrdiff_t *stride = w->strides[k];
        bool whole = stride[last] == (ptrdiff_t)w->bytes[k];
        period[k] = 1;
        for (size_t d = (size_t)last + 1, size = 1; d-- > 0;) {
            size *= w->shape[d];
            if (stride[d] != 0)
                period[k] = size;
            if (d > 0)
                whole = whole && stride[d - 1] == stride[d] * (ptrdiff_t)w->shape[d];
        }
        side_by_side[k] = whole;
        /* rows that would be copied, each once, where they could be read as they lie */
        if (row >= SHORT_ROW && stride[last] == (ptrdiff_t)w->bytes[k] && !whole &&
            period[k] > STRETCH)
            across = false;
    }
    for (int k = 0; k < count; k++) {
        if (!across)
            side_by_side[k] = w->strides[k][last] == (ptrdiff_t)w->bytes[k];
        else if (!side_by_side[k] && period[k] <= STRETCH)
            unit = larger(unit, period[k]); /* of which all smaller periods are parts */
        converted[k] = w->storage[k] != AS_DECLARED;
        buffers |= !side_by_side[k] || converted[k];
    }
    ON_A_LINE uint16_t raw[STRETCH + 16];
    ON_A_LINE real window[STRETCH];
    const char *laid[MOST_OPERANDS] = {NULL}; /* what is in the buffer, and how much of it */
    size_t length[MOST_OPERANDS] = {0};
    const size_t most = STRETCH / unit * unit;
    for (size_t m, done = begin; done < end; done += m) {
        const size_t r = last > 0 ? done / row : 0, column = done - r * row;
        const size_t place = !across ? column : unit > 1 ? done % unit : 0;
        m = !across ? row - place : place ? unit - place : most;
        m = smaller(end - done, buffers ? smaller(m, STRETCH) : m);
        for (int k = 0; k < count; k++) {
            const char *at = NAME(address)(w, k, base[k], r, column);
            from[k] = side_by_side[k] && !converted[k] ? at : buffer[k];
            /* the same elements again? */
            const bool again = across ? period[k] <= STRETCH : w->strides[k][last] == 0;
            if (from[k] == at || (again && at == laid[k] && m <= length[k]))
                continue;
            if (!side_by_side[k])
                NAME(lay_out_from)(w, k, base[k], r, column, m,
                                   converted[k] ? (char *)raw : buffer[k]);
            if (converted[k])
                NAME(widen_run)(side_by_side[k] ? (const uint16_t *)at : raw, m,
                                w->storage[k] == AS_BFLOAT16, (real *)buffer[k]);
            laid[k] = across && place ? NULL : at, length[k] = m;
        }
        memcpy(own, from, (size_t)count * sizeof *from);
        t->loop(own, 0, m, t->apart ? window : result + (done - begin));
        if (t->out)
            NAME(narrow_run)(window, m, w->storage[count] == AS_BFLOAT16, t->out + done);
        else if (t->apart)
            memcpy(result + (done - begin), window, m * sizeof(real));
    }
}

static void NAME(walk_16_bits)(const void *task, size_t begin, size_t end)
{
    NAME(walk)(task, begin, end - begin, NULL);
}

/* Run `loop` for all n elements of a result, as in_pieces() does, over operands of any layout.
 * `twice`: it reads operands again after it wrote. */
static void NAME(elementwise)(size_t n, const struct walk *walk, bool cheap, bool twice,
                              NAME(loop) * loop, const void *task, size_t size, int count,
                              real *result)
{
    const bool narrow = walk && walk->storage[count] != AS_DECLARED;
    const struct NAME(walked) walked = {
        loop, task, size, count, walk, narrow ? (uint16_t *)(void *)result : NULL,
        narrow || (walk && walk->over && twice)};
    if (walk == NULL || (walk->plain && !twice))
        NAME(in_pieces)(n, cheap, loop, task, result);
    else if (narrow)
        parallel_for(n, (size_t)1 << (cheap ? 15 : 13), NAME(walk_16_bits), &walked);
    else
        NAME(in_pieces)(n, cheap, NAME(walk), &walked, result);
}
#undef STRETCH
#undef SHORT_ROW
#undef MOST_TASK
