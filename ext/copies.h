/* copies.h - elements of one size from one layout to another, on several threads.
 *
 * The dimensions are taken in the order in which the result lies in memory. If the source goes on
 * with small steps in another dimension than the result (a transposed matrix), neither can be read
 * and written along its lines at once: then blocks are copied of which the lines of both stay in
 * the first-level cache. */
#ifndef MICROTORCH_COPIES_H
#define MICROTORCH_COPIES_H

#include "arrays.h"

struct copying {
    char *to;
    const char *from;
    size_t bytes; /* of an element */
    int ndim;
    size_t shape[MOST_WALKED];
    ptrdiff_t into[MOST_WALKED], out_of[MOST_WALKED]; /* strides */
};

/* n elements, the last one first. */
#define TURN_AS(type)                                                      \
    {                                                                      \
        type *restrict t = (type *)to;                                     \
        const type *restrict last = (const type *)from - (n - 1);          \
        for (size_t i = 0; i < n; i++)                                     \
            t[i] = last[n - 1 - i];                                        \
    }
static void turn_row(char *to, const char *from, size_t n, size_t bytes)
{
    if (bytes == 8)
        TURN_AS(uint64_t)
    else if (bytes == 4)
        TURN_AS(uint32_t)
    else if (bytes == 2)
        TURN_AS(uint16_t)
    else {
        size_t i = 0;
#ifdef __GNUC__
        for (; i + 8 <= n; i += 8) {
            uint64_t eight;
            memcpy(&eight, from - i - 7, 8);
            eight = __builtin_bswap64(eight);
            memcpy(to + i, &eight, 8);
        }
#endif
        for (; i < n; i++)
            to[i] = from[-(ptrdiff_t)i];
    }
}
#undef TURN_AS

struct sixteen { /* bytes, of a complex number */
    uint64_t parts[2];
};
#define COPY_AS(type)                                                      \
    for (size_t i = 0; i < n; i++, to += into, from += out_of)             \
        memcpy(to, from, sizeof(type))

static void copy_row(char *to, ptrdiff_t into, const char *from, ptrdiff_t out_of, size_t n,
                     size_t bytes)
{
    if (into == (ptrdiff_t)bytes && out_of == into)
        memcpy(to, from, n * bytes);
    else if (into == (ptrdiff_t)bytes && out_of == -into && bytes <= 8)
        turn_row(to, from, n, bytes);
    else if (bytes == 4)
        COPY_AS(uint32_t);
    else if (bytes == 8)
        COPY_AS(uint64_t);
    else if (bytes == 1)
        COPY_AS(uint8_t);
    else if (bytes == 2)
        COPY_AS(uint16_t);
    else if (bytes == 16)
        COPY_AS(struct sixteen);
    else
        for (size_t i = 0; i < n; i++, to += into, from += out_of)
            memcpy(to, from, bytes);
}
#undef COPY_AS

enum { SHORT = 8, FAR = 512 }; /* a short row; how many of them stay in the cache */

/* Elements [begin, end) in the result's order, row by row. Of short rows all first elements are
 * copied, then all second ones: a long loop for each place in a row. */
static void copy_rows(const void *task, size_t begin, size_t end)
{
    const struct copying *t = task;
    const int last = t->ndim - 1, across = last > 0 ? last - 1 : 0;
    const size_t row = t->shape[last], high = last > 0 ? t->shape[across] : 1;
    for (size_t n; begin < end; begin += n) {
        const size_t column = begin % row;
        char *to = t->to + (ptrdiff_t)column * t->into[last];
        const char *from = t->from + (ptrdiff_t)column * t->out_of[last];
        size_t left = begin / row;
        for (int d = last - 1; d >= 0; left /= t->shape[d--]) {
            const ptrdiff_t at = (ptrdiff_t)(left % t->shape[d]);
            to += at * t->into[d], from += at * t->out_of[d];
        }
        const size_t rows = smaller(smaller(high - begin / row % high, (end - begin) / row), FAR);
        if (row < SHORT && column == 0 && rows > 1) {
            for (size_t c = 0; c < row; c++, to += t->into[last], from += t->out_of[last])
                copy_row(to, t->into[across], from, t->out_of[across], rows, t->bytes);
            n = rows * row;
            continue;
        }
        n = smaller(row - column, end - begin);
        copy_row(to, t->into[last], from, t->out_of[last], n, t->bytes);
    }
}

enum { TILE = 32 }; /* rows and columns of a block */

/* Strips of TILE rows of the last two dimensions, which are turned around. */
static void copy_turned(const void *task, size_t begin, size_t end)
{
    const struct copying *t = task;
    const int across = t->ndim - 2, last = t->ndim - 1;
    const size_t height = t->shape[across], width = t->shape[last], strips = pieces(height, TILE);
    for (size_t u = begin; u < end; u++) {
        const size_t first = u % strips * TILE, rows = smaller(TILE, height - first);
        char *to = t->to + (ptrdiff_t)first * t->into[across];
        const char *from = t->from + (ptrdiff_t)first * t->out_of[across];
        size_t left = u / strips;
        for (int d = across - 1; d >= 0; left /= t->shape[d--]) {
            const ptrdiff_t at = (ptrdiff_t)(left % t->shape[d]);
            to += at * t->into[d], from += at * t->out_of[d];
        }
        for (size_t column = 0; column < width; column += TILE)
            for (size_t r = 0; r < rows; r++)
                copy_row(to + (ptrdiff_t)r * t->into[across] + (ptrdiff_t)column * t->into[last],
                         t->into[last],
                         from + (ptrdiff_t)r * t->out_of[across] +
                             (ptrdiff_t)column * t->out_of[last],
                         t->out_of[last], smaller(TILE, width - column), t->bytes);
    }
}

static inline size_t magnitude(ptrdiff_t stride)
{
    return (size_t)(stride < 0 ? -stride : stride);
}

/* Copy one array into another of the same shape and element size. 0, and nothing is done, where
 * they are of other shapes or overlap. */
static int copy_array(uintptr_t to_object, uintptr_t from_object, size_t bytes)
{
    if (type_of(to_object) != layout.array_type || type_of(from_object) != layout.array_type)
        return 0;
    const struct array *to = (const struct array *)(to_object + layout.header);
    const struct array *from = (const struct array *)(from_object + layout.header);
    const int needed = ALIGNED | WRITEABLE;
    if ((to->flags & needed) != needed || !(from->flags & ALIGNED) || !same_shape(to, from) ||
        to->ndim > MOST_WALKED || !apart(lowest(to), extent(to, bytes), lowest(from),
                                         extent(from, bytes)))
        return 0;
    const size_t n = elements(to);
    if (n == 0)
        return 1;
    struct copying t = {to->data, from->data, bytes, 0, {0}, {0}, {0}};
    int order[MOST_WALKED], count = 0;
    for (int d = 0; d < to->ndim; d++)
        if (to->shape[d] != 1)
            order[count++] = d;
    for (int i = 1; i < count; i++) /* what lies further apart in the result comes first */
        for (int j = i; j > 0 && magnitude(to->strides[order[j - 1]]) <
                                     magnitude(to->strides[order[j]]); j--) {
            const int d = order[j];
            order[j] = order[j - 1], order[j - 1] = d;
        }
    for (int i = 0; i < count || i == 0; i++) {
        const size_t size = count ? (size_t)to->shape[order[i]] : 1;
        const ptrdiff_t into = count ? to->strides[order[i]] : 0;
        const ptrdiff_t out_of = count ? from->strides[order[i]] : 0;
        const int last = t.ndim - 1;
        if (last >= 0 && t.into[last] == into * (ptrdiff_t)size &&
            t.out_of[last] == out_of * (ptrdiff_t)size) {
            t.shape[last] *= size, t.into[last] = into, t.out_of[last] = out_of;
            continue;
        }
        t.shape[t.ndim] = size, t.into[t.ndim] = into, t.out_of[t.ndim++] = out_of;
    }
    const int last = t.ndim - 1;
    int inner = last; /* the dimension in which the source goes on with the smallest steps */
    for (int d = 0; d < last; d++)
        if (t.out_of[d] != 0 && magnitude(t.out_of[d]) < magnitude(t.out_of[inner]))
            inner = d;
    if (inner == last || t.shape[inner] < 4 || t.shape[last] < 4) {
        parallel_for(n, grain_of(1 << 15, 1), copy_rows, &t);
        return 1;
    }
    for (int d = inner; d + 1 < last; d++) { /* it comes second but last */
        const size_t size = t.shape[d];
        const ptrdiff_t into = t.into[d], out_of = t.out_of[d];
        t.shape[d] = t.shape[d + 1], t.into[d] = t.into[d + 1], t.out_of[d] = t.out_of[d + 1];
        t.shape[d + 1] = size, t.into[d + 1] = into, t.out_of[d + 1] = out_of;
    }
    const size_t strips = pieces(t.shape[last - 1], TILE);
    const size_t units = n / t.shape[last] / t.shape[last - 1] * strips;
    parallel_for(units, grain_of(1 << 15, (double)TILE * (double)t.shape[last]), copy_turned, &t);
    return 1;
}

#endif
