/* pool.c - one number for each window of an image: its largest element, its sum, its mean; and the
 * ways back.
 *
 * Windows that are neighbours in a row are done together, as many as fill a vector: what they see
 * at one element of the kernel are numbers of one row of the image, `sw` apart. A plane (image,
 * channel) and its windows stay in the first-level cache meanwhile, so each array crosses memory
 * once. Planes are independent: they are the pieces for threads. The way back finds the largest
 * element again, by comparing; that is cheaper than to write an index beside each maximum and to
 * read it. Source: microtorch/ops/pool.py, whose ops these are. */
#include "windows.h"

#define PLACES 256 /* a place is a byte; Python takes numpy for larger kernels */
#ifdef REAL_IS_FLOAT /* once */
enum { LARGEST, SUM, PLACE, SCATTER, GATHER };
#endif

struct NAME(pooling) {
    const struct windows *g;
    const real *x, *largest; /* images; the windows' maxima */
    const uint8_t *place;    /* of the maxima, if it is known */
    const real *carried;     /* from the windows (scatter) or from the images (gather) */
    real *out;
    uint8_t *found;
    real divisor; /* of the windows' sums */
};

/* How many planes are worth a thread. */
static inline size_t NAME(planes_each)(size_t image, size_t windows)
{
    return grain_of(16384, (double)image + (double)windows + 1);
}

/* Neighbouring windows. The first one begins at (y, x); of each, the elements [i0, i1) x [k0, k1)
 * lie in the image. */
struct NAME(group) {
    int64_t y, x, i0, i1, k0, k1;
};

/* The largest element of one window, its sum, or the first place of the maximum, counted row by
 * row. */
static inline real NAME(window_reduce)(const struct windows *g, const struct NAME(group) *at,
                                       const real *image, const int what, const real *largest)
{
    real result = what == LARGEST ? -(real)INFINITY : what == SUM ? 0 : (real)(g->kh * g->kw - 1);
    for (int64_t i = at->i0; i < at->i1; i++)
        for (int64_t k = at->k0; k < at->k1; k++) {
            const real seen = image[(at->y + i * g->dh) * g->w + at->x + k * g->dw];
            if (what == LARGEST)
                result = FN(maximum)(result, seen);
            else if (what == SUM)
                result += seen;
            else if (seen == *largest)
                return (real)(i * g->kw + k);
            else if (seen != seen) /* a maximum of NaN equals nothing; PyTorch takes the last NaN */
                result = (real)(i * g->kw + k);
        }
    return result;
}

/* The same for FEW windows, in a register. They are 4 and not more because rows become short after
 * some poolings. */
#ifdef SHUFFLE
#define FEW 4
/* of 7 numbers; not a number more is read */
#define EVERY_SECOND(p) SHUFFLE(LOAD_FEW(p), LOAD_FEW((p) + 3), 0, 2, 5, 7)
typedef real NAME(few) __attribute__((vector_size(FEW * sizeof(real))));
typedef real NAME(unaligned_few)
    __attribute__((vector_size(FEW * sizeof(real)), aligned(sizeof(real)), may_alias));
#define LOAD_FEW(p) (*(const NAME(unaligned_few) *)(p))
#define STORE_FEW(p, v) (*(NAME(unaligned_few) *)(p) = (v))
#define CHOOSE(mask, a, b) \
    ((NAME(few))(((mask) & (__typeof__(mask))(a)) | (~(mask) & (__typeof__(mask))(b))))

INLINE void NAME(reduce_few)(const struct windows *g, const struct NAME(group) *at,
                             const real *image, const int64_t step, const int what,
                             const real *largest, real *results)
{
    const NAME(few) zero = {0};
    /* -1: no element equals the maximum, so it is NaN */
    const real start = what == LARGEST ? -(real)INFINITY : what == SUM ? 0 : -1;
    NAME(few) wanted = zero, seen, result = zero + start;
    if (what == PLACE)
        wanted = LOAD_FEW(largest);
    for (int64_t p = 0; p < at->i1 - at->i0; p++)
        for (int64_t q = 0; q < at->k1 - at->k0; q++) {
            /* from the last place to the first, so that the first one remains */
            const int64_t i = what == PLACE ? at->i1 - 1 - p : at->i0 + p;
            const int64_t k = what == PLACE ? at->k1 - 1 - q : at->k0 + q;
            const real *first = image + (at->y + i * g->dh) * g->w + at->x + k * g->dw;
            if (step == 1)
                seen = LOAD_FEW(first);
            else
                seen = EVERY_SECOND(first);
            if (what == LARGEST)
                result = CHOOSE((result >= seen) | (result != result), result, seen);
            else if (what == SUM)
                result += seen;
            else
                result = CHOOSE(seen == wanted, zero + (real)(i * g->kw + k), result);
        }
    STORE_FEW(results, result);
}

/* The gradient of FEW windows two columns wide that do not overlap, the pooling of most networks.
 * Each window sends its gradient to one element and 0 to the others, so all that it sees is
 * written, in whole vectors, without asking where. */
INLINE void NAME(scatter_few)(const struct NAME(pooling) *t, const struct NAME(group) *at,
                              size_t image, size_t window)
{
    const struct windows *g = t->g;
    const real *largest = t->largest + window, *carried = t->carried + window;
    const NAME(few) wanted = LOAD_FEW(largest), value = LOAD_FEW(carried), zero = {0};
    __typeof__(wanted == wanted) searched = wanted == wanted, not_found = searched;
    for (int64_t i = at->i0; i < at->i1; i++) {
        const size_t row = image + (size_t)((at->y + i * g->dh) * g->w + at->x);
        const __typeof__(not_found) even = not_found & (EVERY_SECOND(t->x + row) == wanted);
        not_found &= ~even;
        const __typeof__(not_found) odd = not_found & (EVERY_SECOND(t->x + row + 1) == wanted);
        not_found &= ~odd;
        const NAME(few) left = CHOOSE(even, value, zero), right = CHOOSE(odd, value, zero);
        STORE_FEW(t->out + row, SHUFFLE(left, right, 0, 4, 1, 5));
        STORE_FEW(t->out + row + 4, SHUFFLE(left, right, 2, 6, 3, 7));
    }
    for (int j = 0; j < FEW; j++)
        if (!searched[j]) { /* NaN equals nothing */
            struct NAME(group) one = *at;
            one.x += 2 * j;
            const real place = NAME(window_reduce)(g, &one, t->x + image, PLACE, largest + j);
            const int64_t i = (int64_t)place / g->kw, k = (int64_t)place % g->kw;
            if (i < at->i1)
                t->out[image + (size_t)((one.y + i * g->dh) * g->w + one.x + k)] = carried[j];
        }
}
#else
#define FEW 1
#endif

/* The same for `n` windows of a row, for the compiler to vectorise: a wide image's row has many. */
#define LONG_ROW 32
INLINE void NAME(reduce_row)(const struct windows *g, const struct NAME(group) *at,
                             const real *image, const int64_t step, const int what, int64_t n,
                             real *restrict results)
{
    for (int64_t i = at->i0; i < at->i1; i++)
        for (int64_t k = at->k0; k < at->k1; k++) {
            const real *first = image + (at->y + i * g->dh) * g->w + at->x + k * g->dw;
            const bool begin = i == at->i0 && k == at->k0;
            for (int64_t j = 0; j < n && begin; j++)
                results[j] = first[j * step];
            for (int64_t j = 0; j < n && !begin; j++) {
                const real seen = first[j * step], held = results[j];
                results[j] = what == SUM ? held + seen
                                         : ((held >= seen) | (held != held)) ? held : seen;
            }
        }
}

INLINE void NAME(visit)(const struct NAME(pooling) *t, size_t begin, size_t end, const int what)
{
    const struct windows g = *t->g;
    const int reduction = what == LARGEST || what == SUM ? what : PLACE;
    /* of an element in its window; those past the kernel are nowhere */
    int64_t rows[PLACES], columns[PLACES];
    for (int64_t e = 0; e < PLACES && what > PLACE; e++)
        rows[e] = INT64_MIN / 2, columns[e] = 0;
    for (int64_t e = 0; e < PLACES && e < g.kh * g.kw && what > PLACE; e++)
        rows[e] = e / g.kw * g.dh, columns[e] = e % g.kw * g.dw;
    /* windows [first, last) of a row need no padding: they can be done together */
    int64_t first, last;
    inside(-g.left, g.sw, g.w - (g.kw - 1) * g.dw, g.ow, &first, &last);
    const int64_t together = g.sw <= 2 && last - first >= FEW ? FEW : 1;
    const bool pairs = what == SCATTER && t->place == NULL && g.kw == 2 && g.sw == 2 && g.dw == 1 &&
                       g.sh > (g.kh - 1) * g.dh;
    for (size_t plane = begin; plane < end; plane++) {
        const size_t image = plane * (size_t)(g.h * g.w);
        if (what == SCATTER)
            memset(t->out + image, 0, (size_t)(g.h * g.w) * sizeof(real));
        for (int64_t r = 0; r < g.oh; r++) {
            struct NAME(group) at = {.y = r * g.sh - g.top};
            inside(at.y, g.dh, g.h, g.kh, &at.i0, &at.i1);
            for (int64_t c = 0, done = 0; done < g.ow; done = c) {
                const int64_t n = c < first || c >= last ? 1 : together;
                /* the last ones overlap with those before, so that none is left over */
                c = c + n > last && n > 1 ? last - n : c;
                at.x = c * g.sw - g.left;
                inside(at.x, g.dw, g.w, g.kw, &at.k0, &at.k1);
                const size_t window = plane * (size_t)(g.oh * g.ow) + (size_t)(r * g.ow + c);
                if ((what == LARGEST || what == SUM) && c == first && last - c >= LONG_ROW &&
                    at.i0 < at.i1) {
                    if (g.sw == 1)
                        NAME(reduce_row)(&g, &at, t->x + image, 1, what, last - c, t->out + window);
                    else if (g.sw == 2)
                        NAME(reduce_row)(&g, &at, t->x + image, 2, what, last - c, t->out + window);
                    else
                        NAME(reduce_row)(&g, &at, t->x + image, g.sw, what, last - c,
                                         t->out + window);
                    c = last;
                    continue;
                }
#ifdef SHUFFLE
                if (pairs && n > 1) {
                    NAME(scatter_few)(t, &at, image, window);
                    c += n;
                    continue;
                }
#else
                (void)pairs;
#endif
                const real *largest = t->largest ? t->largest + window : NULL;
                ON_A_LINE real result[FEW];
                if (t->place)
                    for (int64_t j = 0; j < n; j++)
                        result[j] = t->place[window + (size_t)j];
                else if (n == 1)
                    result[0] = NAME(window_reduce)(&g, &at, t->x + image, reduction, largest);
#ifdef SHUFFLE
                else if (g.sw == 1)
                    NAME(reduce_few)(&g, &at, t->x + image, 1, reduction, largest, result);
                else
                    NAME(reduce_few)(&g, &at, t->x + image, 2, reduction, largest, result);
#endif
                for (int64_t j = done - c; j < n; j++) {
                    if (what == LARGEST || what == SUM) {
                        t->out[window + (size_t)j] = result[j];
                        continue;
                    }
                    at.x = (c + j) * g.sw - g.left;
                    if (result[j] < 0)
                        result[j] = NAME(window_reduce)(&g, &at, t->x + image, PLACE, largest + j);
                    const int e = (int)result[j];
                    if (what == PLACE) {
                        t->found[window + (size_t)j] = (uint8_t)e;
                        continue;
                    }
                    /* a place in the padding, or past the kernel, is skipped */
                    const int64_t y = at.y + rows[e], x = at.x + columns[e];
                    const bool there = y >= 0 && y < g.h && x >= 0 && x < g.w;
                    const size_t from = image + (size_t)(y * g.w + x);
                    if (what == GATHER)
                        t->out[window + (size_t)j] = there ? t->carried[from] : 0;
                    else if (there)
                        t->out[from] += t->carried[window + (size_t)j];
                }
                c += n;
            }
        }
    }
}
#define BODY(name, what) \
    static void NAME(name)(const void *task, size_t begin, size_t end) \
    { \
        NAME(visit)(task, begin, end, what); \
    }
BODY(largest_body, LARGEST)
BODY(place_body, PLACE)
BODY(scatter_body, SCATTER)
BODY(gather_body, GATHER)
#undef BODY
#undef FEW
#undef LONG_ROW
#undef EVERY_SECOND
#undef LOAD_FEW
#undef STORE_FEW
#undef CHOOSE

/* The largest element of each window, NaN where it sees one; padding counts as -inf. */
KERNEL(max_pool2d)(size_t planes, size_t image, size_t windows, ARRAY(const int64_t, geometry, 12),
                   ARRAY(const real, x, planes * image), ARRAY(real, out, planes * windows))
{
    const struct NAME(pooling) t = {.g = (const struct windows *)geometry, .x = x, .out = out};
    parallel_for(planes, NAME(planes_each)(image, windows), NAME(largest_body), &t);
}

/* The place of the maximum in each window. */
KERNEL(pool_place)(size_t planes, size_t image, size_t windows, ARRAY(const int64_t, geometry, 12),
                   ARRAY(const real, x, planes * image),
                   ARRAY(const real, largest, planes * windows),
                   ARRAY(uint8_t, found, planes * windows))
{
    const struct NAME(pooling) t = {.g = (const struct windows *)geometry, .x = x,
                                    .largest = largest, .found = found};
    parallel_for(planes, NAME(planes_each)(image, windows), NAME(place_body), &t);
}

/* Images of zeros, to which each window's number is added at its place. */
KERNEL(pool_scatter)(size_t planes, size_t image, size_t windows,
                     ARRAY(const int64_t, geometry, 12), ARRAY(const real, x, planes * windows),
                     ARRAY(const uint8_t, place, planes * windows),
                     ARRAY(real, out, planes * image))
{
    const struct NAME(pooling) t = {.g = (const struct windows *)geometry, .place = place,
                                    .carried = x, .out = out};
    parallel_for(planes, NAME(planes_each)(image, windows), NAME(scatter_body), &t);
}

/* For each window, the image's number at the window's place. */
KERNEL(pool_gather)(size_t planes, size_t image, size_t windows, ARRAY(const int64_t, geometry, 12),
                    ARRAY(const real, x, planes * image),
                    ARRAY(const uint8_t, place, planes * windows),
                    ARRAY(real, out, planes * windows))
{
    const struct NAME(pooling) t = {.g = (const struct windows *)geometry, .place = place,
                                    .carried = x, .out = out};
    parallel_for(planes, NAME(planes_each)(image, windows), NAME(gather_body), &t);
}

/* pool_place and pool_scatter at once: the gradient of max_pool2d, without an array of places
 * between. */
KERNEL(max_pool2d_vjp0)(size_t planes, size_t image, size_t windows,
                        ARRAY(const int64_t, geometry, 12), ARRAY(const real, g, planes * windows),
                        ARRAY(const real, largest, planes * windows),
                        ARRAY(const real, x, planes * image), ARRAY(real, out, planes * image))
{
    const struct NAME(pooling) t = {.g = (const struct windows *)geometry, .x = x,
                                    .largest = largest, .carried = g, .out = out};
    parallel_for(planes, NAME(planes_each)(image, windows), NAME(scatter_body), &t);
}

/* ---- means of windows ------------------------------------------------------------------------ */
static void NAME(mean_of_windows_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(pooling) *t = task;
    const size_t windows = (size_t)(t->g->oh * t->g->ow);
    for (size_t plane = begin; plane < end; plane++) {
        real *restrict out = t->out + plane * windows;
        NAME(visit)(t, plane, plane + 1, SUM);
        for (size_t i = 0; i < windows; i++)
            out[i] /= t->divisor;
    }
}

/* The sum of each window, divided by a number; padding counts as 0. */
KERNEL(avg_pool2d)(size_t planes, size_t image, size_t windows, ARRAY(const int64_t, geometry, 12),
                   real divisor, ARRAY(const real, x, planes * image),
                   ARRAY(real, out, planes * windows))
{
    const struct NAME(pooling) t = {.g = (const struct windows *)geometry, .x = x, .out = out,
                                    .divisor = divisor};
    parallel_for(planes, NAME(planes_each)(image, windows), NAME(mean_of_windows_body), &t);
}

/* The transpose of the sums: each window's number is added to everything that the window sees. */
static void NAME(spread_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(pooling) *t = task;
    const struct windows g = *t->g;
    for (size_t plane = begin; plane < end; plane++) {
        const real *x = t->carried + plane * (size_t)(g.oh * g.ow);
        real *out = t->out + plane * (size_t)(g.h * g.w);
        memset(out, 0, (size_t)(g.h * g.w) * sizeof(real));
        for (int64_t k = 0; k < g.kw; k++) {
            int64_t from, to;
            inside(k * g.dw - g.left, g.sw, g.w, g.ow, &from, &to);
            for (int64_t r = 0; r < g.oh; r++)
                for (int64_t i = 0; i < g.kh; i++) {
                    const int64_t y = r * g.sh + i * g.dh - g.top;
                    if (y < 0 || y >= g.h)
                        continue;
                    const real *restrict row = x + r * g.ow;
                    real *restrict seen = out + y * g.w + k * g.dw - g.left;
                    for (int64_t j = from; j < to; j++)
                        seen[j * g.sw] += row[j];
                }
        }
    }
}
KERNEL(pool_spread)(size_t planes, size_t image, size_t windows, ARRAY(const int64_t, geometry, 12),
                    ARRAY(const real, x, planes * windows), ARRAY(real, out, planes * image))
{
    const struct NAME(pooling) t = {.g = (const struct windows *)geometry, .carried = x,
                                    .out = out};
    parallel_for(planes, NAME(planes_each)(image, windows), NAME(spread_body), &t);
}

/* ---- means over bins ----
 * Bin i of `count` over n places is [i * n / count, (i + 1) * n / count), rounded outwards: bins of
 * nearly equal sizes, where neighbours share a place if `count` does not divide n. Each image is
 * read (or written) once, bin by bin. */
struct NAME(binning) {
    size_t h, w, oh, ow;
    const real *x;
    real *out;
};

/* The sum of n neighbours: LANES sums side by side, added at the end. */
static inline real NAME(sum_of)(const real *x, size_t n)
{
    NAME(vector) sums = {0};
    ON_A_LINE real lanes[LANES];
    real total = 0;
    size_t j = 0;
    for (; j + LANES <= n; j += LANES)
        sums += LOAD(x + j);
    STORE(lanes, sums);
    for (size_t l = 0; l < LANES; l++)
        total += lanes[l];
    for (; j < n; j++)
        total += x[j];
    return total;
}

INLINE void NAME(bins)(const struct NAME(binning) *t, size_t begin, size_t end, const bool back)
{
    for (size_t plane = begin; plane < end; plane++) {
        const size_t image = plane * t->h * t->w, windows = plane * t->oh * t->ow;
        if (back)
            memset(t->out + image, 0, t->h * t->w * sizeof(real));
        for (size_t i = 0; i < t->oh; i++)
            for (size_t j = 0; j < t->ow; j++) {
                const size_t top = i * t->h / t->oh, bottom = ((i + 1) * t->h + t->oh - 1) / t->oh;
                const size_t left = j * t->w / t->ow, right = ((j + 1) * t->w + t->ow - 1) / t->ow;
                const real count = (real)((bottom - top) * (right - left));
                const size_t window = windows + i * t->ow + j;
                real sum = 0;
                const real each = back ? t->x[window] / count : 0;
                for (size_t y = top; y < bottom; y++) {
                    const size_t row = image + y * t->w;
                    if (!back)
                        sum += NAME(sum_of)(t->x + row + left, right - left);
                    for (size_t k = left; back && k < right; k++)
                        t->out[row + k] += each;
                }
                if (!back)
                    t->out[window] = sum / count;
            }
    }
}
static void NAME(mean_body)(const void *t, size_t begin, size_t end)
{
    NAME(bins)(t, begin, end, false);
}
static void NAME(mean_back_body)(const void *t, size_t begin, size_t end)
{
    NAME(bins)(t, begin, end, true);
}

/* The mean of each of oh x ow bins. */
KERNEL(adaptive_avg_pool2d)(size_t planes, size_t h, size_t w, size_t oh, size_t ow,
                            ARRAY(const real, x, planes * h * w),
                            ARRAY(real, out, planes * oh * ow))
{
    const struct NAME(binning) t = {h, w, oh, ow, x, out};
    parallel_for(planes, NAME(planes_each)(h * w, oh * ow), NAME(mean_body), &t);
}

/* Its transpose: each bin's number, divided by the bin's size, is added to all elements of the
 * bin. */
KERNEL(adaptive_spread)(size_t planes, size_t h, size_t w, size_t oh, size_t ow,
                        ARRAY(const real, x, planes * oh * ow), ARRAY(real, out, planes * h * w))
{
    const struct NAME(binning) t = {h, w, oh, ow, x, out};
    parallel_for(planes, NAME(planes_each)(h * w, oh * ow), NAME(mean_back_body), &t);
}
