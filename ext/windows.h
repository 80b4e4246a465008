/* windows.h - where the windows of a convolution or a pooling lie in their image.
 *
 * There are oh x ow windows. Element (i, k) of window (r, c) lies at the image's place (r * sh + i
 * * dh - top, c * sw + k * dw - left); a place outside the h x w image is padding. Python passes
 * these numbers as one array of int64, made once for each geometry
 * (backends/core/convolution.py). */
#ifndef MICROTORCH_WINDOWS_H
#define MICROTORCH_WINDOWS_H

#include "core.h"

struct windows {
    int64_t h, w, kh, kw, sh, sw, top, left, dh, dw, oh, ow;
};
_Static_assert(sizeof(struct windows) == 12 * sizeof(int64_t),
               "kernels declare their geometry as an array of 12 int64");

/* Of the `count` places at, at + step, ..., those numbered [from, to) lie in [0, n). It divides
 * only if some lie outside. */
static inline void inside(int64_t at, int64_t step, int64_t n, int64_t count, int64_t *from,
                          int64_t *to)
{
    *from = 0, *to = count;
    if (count > 0 && at < 0)
        *from = (-at + step - 1) / step < count ? (-at + step - 1) / step : count;
    if (count > 0 && at + (count - 1) * step >= n)
        *to = at < n ? (n - at - 1) / step + 1 : 0;
    if (*to < *from)
        *to = *from;
}

/* The rows of a convolution, or its columns. The part of the source that a band reads begins at
 * `first`, relative to the band, and has `extent` places. In the transposed convolution, a place of
 * the result meets only those elements of the kernel that a multiple of the stride reaches. So
 * there are as many phases as the stride, each with its own taps. */
struct axis {
    int64_t source, result, kernel, stride, dilation, pad, first, extent;
    bool transposed;
};
static inline int64_t floor_div(int64_t a, int64_t b)
{
    return a >= 0 ? a / b : -((-a + b - 1) / b);
}
static inline int64_t phases_of(const struct axis *d) { return d->transposed ? d->stride : 1; }
static inline int64_t phase_of_tap(const struct axis *d, int64_t i)
{
    return d->transposed ? i * d->dilation % d->stride : 0;
}
/* The first result of a phase; the next ones come phases_of() later. */
static inline int64_t first_of_phase(const struct axis *d, int64_t phase)
{
    return d->transposed ? ((phase - d->pad) % d->stride + d->stride) % d->stride : 0;
}
/* Tap i sees, for result y, the source's place place_of_result + place_of_tap, counted from
 * `first`. */
static inline int64_t place_of_result(const struct axis *d, int64_t y)
{
    return d->transposed ? (y + d->pad) / d->stride - d->first : y * d->stride;
}
static inline int64_t place_of_tap(const struct axis *d, int64_t i)
{
    return d->transposed ? -(i * d->dilation / d->stride) : i * d->dilation;
}
/* For `n` results of a band, which begins at a multiple of the stride. */
static inline void place_source(struct axis *d, int64_t n)
{
    const int64_t reach = (d->kernel - 1) * d->dilation;
    d->first = d->transposed ? floor_div(d->pad - reach, d->stride) : -d->pad;
    d->extent = d->transposed ? (n - 1 + d->pad) / d->stride - d->first + 1
                              : (n - 1) * d->stride + reach + 1;
}

/* Taps of an axis that are at work together: all, or those of a phase. */
struct phase {
    int64_t first, step, taps; /* the first tap, and how far apart they are */
    int64_t result;            /* the first result; the next ones come phases_of() later */
};
static inline struct phase phase_of(const struct axis *d, int64_t number)
{
    struct phase f = {0, 1, 0, first_of_phase(d, number)};
    for (int64_t i = 0; i < d->kernel; i++)
        if (phase_of_tap(d, i) == number) {
            if (f.taps == 0)
                f.first = i;
            if (f.taps++ == 1)
                f.step = i - f.first;
        }
    return f;
}

/* Results of a phase, one after the other, whose windows see the same taps. */
struct span {
    int64_t result, count, tap, taps; /* the first result; the first of these taps in the phase */
};

/* Cut the first `n` results of a band into spans, and return how many there are. `start`: where the
 * band begins in the source. Unless `cut`, padding is seen like all else, by all taps. */
static inline int64_t spans_of(const struct axis *d, const struct phase *f, int64_t start,
                               int64_t n, bool cut, struct span *to)
{
    int64_t count = 0;
    for (int64_t y = f->result; y < n; y += phases_of(d)) {
        int64_t from = 0, end = f->taps;
        for (int64_t place; cut && from < end; from++) {
            place = start + place_of_result(d, y) + place_of_tap(d, f->first + from * f->step);
            if (place >= 0 && place < d->source)
                break;
        }
        for (int64_t place; cut && from < end; end--) {
            place = start + place_of_result(d, y) +
                    place_of_tap(d, f->first + (end - 1) * f->step);
            if (place >= 0 && place < d->source)
                break;
        }
        if (count > 0 && to[count - 1].tap == from && to[count - 1].taps == end - from)
            to[count - 1].count++;
        else
            to[count++] = (struct span){y, 1, from, end - from};
    }
    return count;
}

#endif
