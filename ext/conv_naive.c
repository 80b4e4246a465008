/* conv_naive.c - convolution of images (2-d), and the two ways back, as seven loops.
 *
 * All three ops are these loops and differ in which of the three arrays is written. Each is linear
 * in the other two, and so they are each other's derivatives. They are kept to be read and compared
 * with, and for when there is no memory to work in. conv.c chooses among the fast ways. */
#include "windows.h"

/* How the fast ways (conv_lanes.c, conv_panels.c, conv_planes.c) see a convolution: the members of
 * their structs. A transposed one has a source and a result like any other; its axes differ. For
 * the gradient of the weight there are `windows`, the gradient of the result, in place of `w`. */
#define CONVOLUTION \
    int64_t n, groups, channels, outputs; /* channels of the source, of the result */ \
    struct axis y, x; \
    const real *source, *w, *bias, *windows; \
    real *out
#define SAME_AS(c) \
    .n = (c)->n, .groups = (c)->groups, .channels = (c)->channels, .outputs = (c)->outputs, \
    .y = (c)->y, .x = (c)->x, .source = (c)->source, .w = (c)->w, .bias = (c)->bias, \
    .windows = (c)->windows, .out = (c)->out

#ifdef REAL_IS_FLOAT /* once */
enum { TO_WINDOWS, TO_IMAGES, TO_WEIGHT };
#endif

struct NAME(convolution) {
    CONVOLUTION;
};

struct NAME(sizes) {
    int64_t n, c, o, groups; /* images, channels of the image, channels of the windows */
    struct windows g;
};

INLINE void NAME(seven_loops)(const struct NAME(sizes) *s, real *x, real *w, real *y,
                              const int written)
{
    const struct windows g = s->g;
    const int64_t c_each = s->c / s->groups, o_each = s->o / s->groups;
    for (int64_t n = 0; n < s->n; n++)
        for (int64_t o = 0; o < s->o; o++)
            for (int64_t r = 0; r < g.oh; r++)
                for (int64_t q = 0; q < g.ow; q++)
                    for (int64_t c = 0; c < c_each; c++)
                        for (int64_t i = 0; i < g.kh; i++)
                            for (int64_t j = 0; j < g.kw; j++) {
                                const int64_t row = r * g.sh + i * g.dh - g.top;
                                const int64_t column = q * g.sw + j * g.dw - g.left;
                                if (row < 0 || row >= g.h || column < 0 || column >= g.w)
                                    continue;
                                const int64_t channel = n * s->c + o / o_each * c_each + c;
                                real *in_image = x + (channel * g.h + row) * g.w + column;
                                real *in_weight = w + ((o * c_each + c) * g.kh + i) * g.kw + j;
                                real *in_windows = y + ((n * s->o + o) * g.oh + r) * g.ow + q;
                                if (written == TO_WINDOWS)
                                    *in_windows += *in_image * *in_weight;
                                else if (written == TO_IMAGES)
                                    *in_image += *in_windows * *in_weight;
                                else
                                    *in_weight += *in_windows * *in_image;
                            }
}

/* The loops add to what is there: first the bias, or 0. */
static void NAME(fill_planes)(real *out, int64_t images, int64_t channels, int64_t plane,
                              const real *bias)
{
    for (int64_t p = 0; p < images * channels; p++)
        for (int64_t k = 0; k < plane; k++)
            out[p * plane + k] = bias ? bias[p % channels] : 0;
}

#define SIZES \
    {(int64_t)n, (int64_t)c, (int64_t)o, (int64_t)groups, *(const struct windows *)geometry}
KERNEL(conv2d_naive)(size_t n, size_t c, size_t o, size_t groups, size_t image, size_t windows,
                     size_t kernel, ARRAY(const int64_t, geometry, 12),
                     ARRAY(const real, x, n * c * image),
                     ARRAY(const real, w, o * (c / groups) * kernel), OPTIONAL(const real, b, o),
                     ARRAY(real, out, n * o * windows))
{
    const struct NAME(sizes) s = SIZES;
    (void)image, (void)kernel;
    NAME(fill_planes)(out, s.n, s.o, (int64_t)windows, b);
    NAME(seven_loops)(&s, (real *)x, (real *)w, out, TO_WINDOWS);
}

KERNEL(conv_transpose2d_naive)(size_t n, size_t c, size_t o, size_t groups, size_t image,
                               size_t windows, size_t kernel, ARRAY(const int64_t, geometry, 12),
                               ARRAY(const real, y, n * o * windows),
                               ARRAY(const real, w, o * (c / groups) * kernel),
                               OPTIONAL(const real, b, c), ARRAY(real, out, n * c * image))
{
    const struct NAME(sizes) s = SIZES;
    (void)windows, (void)kernel;
    NAME(fill_planes)(out, s.n, s.c, (int64_t)image, b);
    NAME(seven_loops)(&s, out, (real *)w, (real *)y, TO_IMAGES);
}

KERNEL(conv2d_weight_naive)(size_t n, size_t c, size_t o, size_t groups, size_t image,
                            size_t windows, size_t kernel, ARRAY(const int64_t, geometry, 12),
                            ARRAY(const real, x, n * c * image),
                            ARRAY(const real, y, n * o * windows),
                            ARRAY(real, out, o * (c / groups) * kernel))
{
    const struct NAME(sizes) s = SIZES;
    (void)image, (void)windows;
    NAME(fill_planes)(out, 1, 1, (int64_t)(o * (c / groups) * kernel), NULL);
    NAME(seven_loops)(&s, (real *)x, out, (real *)y, TO_WEIGHT);
}
#undef SIZES
