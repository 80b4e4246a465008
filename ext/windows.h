/* windows.h - where the windows of a convolution or a pooling lie in their image.
 *
 * Window (r, c) of oh x ow sees at its element (i, k) the image's place (r * sh + i * dh - top, c * sw + k * dw - left); a place
 * outside the h x w image is padding. Python hands these numbers over as one array of int64, made once for each geometry
 * (backends/core/convolution.py). */
#ifndef MICROTORCH_WINDOWS_H
#define MICROTORCH_WINDOWS_H

#include "core.h"

struct windows {
    int64_t h, w, kh, kw, sh, sw, top, left, dh, dw, oh, ow;
};
_Static_assert(sizeof(struct windows) == 12 * sizeof(int64_t), "kernels declare their geometry as an array of 12 int64");

/* Of the `count` places at, at + step, ... those numbered [from, to) lie in [0, n). No division where all do. */
static inline void inside(int64_t at, int64_t step, int64_t n, int64_t count, int64_t *from, int64_t *to)
{
    *from = 0, *to = count;
    if (count > 0 && at < 0)
        *from = (-at + step - 1) / step < count ? (-at + step - 1) / step : count;
    if (count > 0 && at + (count - 1) * step >= n)
        *to = at < n ? (n - at - 1) / step + 1 : 0;
    if (*to < *from)
        *to = *from;
}

#endif
