/* conv.c - convolution of images (2-d), and the two ways back, to the images and to the weight.
 *
 * Which way is fast depends on the sizes: products of matrices where the windows are matrices as
 * they lie (here); few channels, many images (conv_lanes.c); many channels (conv_panels.c); many
 * groups (conv_planes.c). None of them lays windows out in memory. Without memory to work in, there
 * are the seven loops (conv_naive.c).
 *
 * The padding is 0. Where a weight is infinite or NaN, 0 times it is NaN: the fast ways have that
 * product at the border or leave it out, as it suits them, and so does PyTorch. */

/* ---- windows that are matrices ----
 * A kernel of one element sees every place of the image: windows are the image, a matrix (channels,
 * places), and out[image] = w @ x[image]. A kernel as large as the image sees it once: windows are
 * rows, a matrix (images, channels * places), and out = x @ w^T. */
#ifdef REAL_IS_FLOAT /* once */
enum way { LANE_BY_LANE, PANEL_BY_PANEL, PLANE_BY_PLANE, EVERY_PLACE, ONE_WINDOW };
#endif

struct NAME(places) {
    struct NAME(product) one; /* of the first group of the first image */
    ptrdiff_t a_group, b_image, b_group, out_image, out_group, bias_group;
    int64_t groups;
};

static void NAME(places_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(places) *t = task;
    for (size_t q = begin; q < end; q++) {
        const ptrdiff_t image = (ptrdiff_t)q / t->groups, group = (ptrdiff_t)q % t->groups;
        struct NAME(product) one = t->one;
        one.a.data += group * t->a_group;
        one.b.data += image * t->b_image + group * t->b_group;
        one.out += image * t->out_image + group * t->out_group;
        if (one.bias)
            one.bias += group * t->bias_group;
        NAME(gemm)(&one);
    }
}

/* Of a kernel of one element: out[image] = w @ source[image]. */
static void NAME(convolve_places)(const struct NAME(convolution) *t)
{
    const int64_t c_each = t->channels / t->groups, o_each = t->outputs / t->groups;
    const int64_t places = t->y.result * t->x.result;
    const struct NAME(places) all = {
        .one = {.m = (size_t)o_each, .k = (size_t)c_each, .n = (size_t)places,
                .a = {t->w, t->y.transposed ? 1 : c_each, t->y.transposed ? o_each : 1},
                .b = {t->source, places, 1}, .out = t->out, .out_row = places, .out_column = 1,
                .bias = t->bias, .bias_row = 1},
        .a_group = o_each * c_each, .b_image = t->channels * places, .b_group = c_each * places,
        .out_image = t->outputs * places, .out_group = o_each * places, .bias_group = o_each,
        .groups = t->groups};
    const size_t count = (size_t)(t->n * t->groups);
    const double work = (double)(o_each * c_each) * (double)places;
    parallel_for(count, count < 8 ? 8 : grain_of(WORK, work), NAME(places_body), &all);
}

/* Its gradient: w = sum over images of windows[image] @ source[image]^T. */
static void NAME(weigh_places)(const struct NAME(convolution) *t)
{
    const int64_t c_each = t->channels / t->groups, o_each = t->outputs / t->groups;
    const int64_t places = t->y.result * t->x.result;
    for (int64_t group = 0; group < t->groups; group++)
        for (int64_t image = 0; image < t->n; image++) {
            const real *windows = t->windows + (image * t->outputs + group * o_each) * places;
            const real *source = t->source + (image * t->channels + group * c_each) * places;
            NAME(gemm)(&(struct NAME(product)){
                .m = (size_t)o_each, .k = (size_t)places, .n = (size_t)c_each,
                .a = {windows, places, 1}, .b = {source, 1, places},
                .out = t->out + group * o_each * c_each, .out_row = c_each, .out_column = 1,
                .accumulate = image > 0});
        }
}

/* Of a kernel as large as the image, for each group. `seen`: numbers that a window sees. */
static void NAME(convolve_window)(const struct NAME(convolution) *t)
{
    const bool back = t->y.transposed;
    const int64_t seen = t->y.kernel * t->x.kernel;
    const int64_t c_each = t->channels / t->groups, o_each = t->outputs / t->groups;
    const int64_t k = back ? c_each : c_each * seen, n = back ? o_each * seen : o_each;
    if (t->bias)
        NAME(fill_planes)(t->out, t->n, t->outputs, back ? seen : 1, t->bias);
    for (int64_t group = 0; group < t->groups; group++)
        NAME(gemm)(&(struct NAME(product)){
            .m = (size_t)t->n, .k = (size_t)k, .n = (size_t)n,
            .a = {t->source + group * k, t->groups * k, 1},
            .b = {t->w + group * k * n, back ? n : 1, back ? 1 : k}, .out = t->out + group * n,
            .out_row = t->groups * n, .out_column = 1, .accumulate = t->bias != NULL});
}

static void NAME(weigh_window)(const struct NAME(convolution) *t)
{
    const int64_t o_each = t->outputs / t->groups;
    const int64_t seen = t->channels / t->groups * t->y.kernel * t->x.kernel;
    for (int64_t group = 0; group < t->groups; group++)
        NAME(gemm)(&(struct NAME(product)){
            .m = (size_t)o_each, .k = (size_t)t->n, .n = (size_t)seen,
            .a = {t->windows + group * o_each, 1, t->outputs},
            .b = {t->source + group * seen, t->groups * seen, 1},
            .out = t->out + group * o_each * seen, .out_row = seen, .out_column = 1});
}

/* ---- the choice ------------------------------------------------------------------------------ */
/* Is a padded plane of a size to work with? Huge dilations may have padding that nothing sees. */
static bool NAME(fits)(const struct NAME(convolution) *t)
{
    struct axis y = t->y, x = t->x;
    place_source(&y, y.result);
    place_source(&x, x.result);
    const double planes = (double)y.source * (double)x.source + (double)y.result * (double)x.result;
    return (double)y.extent * (double)x.extent <= 16 * planes + (1 << 20);
}

static enum way NAME(way_of)(const struct NAME(convolution) *t)
{
    const struct axis *y = &t->y, *x = &t->x;
    const bool unpadded = y->pad == 0 && x->pad == 0;
    if (unpadded && y->kernel == 1 && x->kernel == 1 && y->source == y->result &&
        x->source == x->result && (y->stride == 1 || y->source == 1) &&
        (x->stride == 1 || x->source == 1))
        return EVERY_PLACE;
    if (unpadded && y->dilation == 1 && x->dilation == 1) {
        const bool back = y->transposed;
        if (y->kernel == (back ? y->result : y->source) &&
            x->kernel == (back ? x->result : x->source) &&
            (back ? y->source * x->source : y->result * x->result) == 1)
            return ONE_WINDOW;
    }
    const int64_t c_each = t->channels / t->groups, o_each = t->outputs / t->groups;
    if (t->groups > 1 && c_each <= 4 && o_each <= 4)
        return PLANE_BY_PLANE;
    /* Multiply-adds of vectors: to finish a tile takes as long as some more taps. */
    const int64_t phases = phases_of(y) * phases_of(x);
    const int64_t vectors = (int64_t)pieces((size_t)o_each, LANES);
    const double taps = (double)(c_each * y->kernel * x->kernel) / (double)phases;
    const double tiles = (double)(t->n * y->result * x->result) * (double)(t->groups * vectors);
    const double panels = tiles * (taps + (!t->w ? 0 : phases > 1 ? 40 : 20));
    return panels < NAME(lanes_work)(t) ? PANEL_BY_PANEL : LANE_BY_LANE;
}

/* A convolution, or a transposed one; false where there was no memory for it. */
static bool NAME(convolve)(const struct NAME(convolution) *t)
{
    if (t->n == 0 || t->outputs == 0 || t->y.result == 0 || t->x.result == 0)
        return true;
    if (!NAME(fits)(t))
        return false;
    switch (NAME(way_of)(t)) {
    case EVERY_PLACE:
        NAME(convolve_places)(t);
        return true;
    case ONE_WINDOW:
        NAME(convolve_window)(t);
        return true;
    case PANEL_BY_PANEL:
        return NAME(convolve_panels)(t);
    case PLANE_BY_PLANE:
        return NAME(convolve_planes)(t);
    default:
        return NAME(convolve_lanes)(t);
    }
}

/* The gradient of its weight. */
static bool NAME(weigh)(const struct NAME(convolution) *t)
{
    if (!NAME(fits)(t))
        return false;
    switch (NAME(way_of)(t)) {
    case EVERY_PLACE:
        NAME(weigh_places)(t);
        return true;
    case ONE_WINDOW:
        NAME(weigh_window)(t);
        return true;
    case PANEL_BY_PANEL:
        return NAME(weigh_panels)(t);
    case PLANE_BY_PLANE: /* which cannot do with infinities */
        return NAME(weigh_planes)(t) || NAME(weigh_lanes)(t);
    default:
        return NAME(weigh_lanes)(t);
    }
}

/* ---- the ops --------------------------------------------------------------------------------- */
#define AXIS(source, result, k, s, d, p, transposed) {source, result, k, s, d, p, 0, 0, transposed}

/* out = x * w + b: images (n, c, h, w) and a weight (o, c / groups, kh, kw) make windows (n, o, oh,
 * ow). */
KERNEL(conv2d)(size_t n, size_t c, size_t o, size_t groups, size_t image, size_t windows,
               size_t kernel, ARRAY(const int64_t, geometry, 12),
               ARRAY(const real, x, n * c * image), ARRAY(const real, w, o * (c / groups) * kernel),
               OPTIONAL(const real, b, o), ARRAY(real, out, n * o * windows))
{
    const struct windows g = *(const struct windows *)geometry;
    const struct NAME(convolution) t = {
        .n = (int64_t)n, .groups = (int64_t)groups, .channels = (int64_t)c, .outputs = (int64_t)o,
        .y = AXIS(g.h, g.oh, g.kh, g.sh, g.dh, g.top, false),
        .x = AXIS(g.w, g.ow, g.kw, g.sw, g.dw, g.left, false), .source = x, .w = w, .bias = b,
        .out = out};
    if (!NAME(convolve)(&t))
        NAME(conv2d_naive)(n, c, o, groups, image, windows, kernel, geometry, x, w, b, out);
}

/* Its transpose: each window's number, times the weight, is added to what the window saw; windows
 * (n, o, oh, ow) make images. Every number of the result is computed as one sum, so that nothing is
 * added up in memory: this is a convolution again, with one phase for each remainder of the
 * stride. */
KERNEL(conv_transpose2d)(size_t n, size_t c, size_t o, size_t groups, size_t image, size_t windows,
                         size_t kernel, ARRAY(const int64_t, geometry, 12),
                         ARRAY(const real, y, n * o * windows),
                         ARRAY(const real, w, o * (c / groups) * kernel),
                         OPTIONAL(const real, b, c), ARRAY(real, out, n * c * image))
{
    const struct windows g = *(const struct windows *)geometry;
    const struct NAME(convolution) t = {
        .n = (int64_t)n, .groups = (int64_t)groups, .channels = (int64_t)o, .outputs = (int64_t)c,
        .y = AXIS(g.oh, g.h, g.kh, g.sh, g.dh, g.top, true),
        .x = AXIS(g.ow, g.w, g.kw, g.sw, g.dw, g.left, true), .source = y, .w = w, .bias = b,
        .out = out};
    if (!NAME(convolve)(&t))
        NAME(conv_transpose2d_naive)(n, c, o, groups, image, windows, kernel, geometry, y, w, b,
                                     out);
}

/* The gradient (o, c / groups, kh, kw) from windows (n, o, oh, ow) and images (n, c, h, w). */
KERNEL(conv2d_weight)(size_t n, size_t c, size_t o, size_t groups, size_t image, size_t windows,
                      size_t kernel, ARRAY(const int64_t, geometry, 12),
                      ARRAY(const real, x, n * c * image), ARRAY(const real, y, n * o * windows),
                      ARRAY(real, out, o * (c / groups) * kernel))
{
    const struct windows g = *(const struct windows *)geometry;
    const struct NAME(convolution) t = {
        .n = (int64_t)n, .groups = (int64_t)groups, .channels = (int64_t)c, .outputs = (int64_t)o,
        .y = AXIS(g.h, g.oh, g.kh, g.sh, g.dh, g.top, false),
        .x = AXIS(g.w, g.ow, g.kw, g.sw, g.dw, g.left, false), .source = x, .windows = y,
        .out = out};
    const size_t size = o * (c / groups) * kernel;
    if (n == 0 || windows == 0 || size == 0)
        memset(out, 0, size * sizeof(real));
    else if (!NAME(weigh)(&t))
        NAME(conv2d_weight_naive)(n, c, o, groups, image, windows, kernel, geometry, x, y, out);
}
#undef AXIS
