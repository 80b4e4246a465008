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

#endif
