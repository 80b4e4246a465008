/* conv_planes.c - convolution of few channels in many groups (depthwise): plane by plane.
 *
 * A group of one channel has too few numbers for conv_lanes.c and no outputs to share what
 * conv_panels.c reads. So a vector holds neighbours of a row. A plane is copied with its padding,
 * and then a window's tap is one offset for all positions, if rows of the result are as far apart
 * as the plane's: the sums
 *
 *     result[p] += weight[tap] * plane[p + offset(tap)]           for p = 0, 1, 2, ...
 *
 * run over the whole plane as over one long row. What comes out between the end of a row and the
 * beginning of the next means nothing and is left out of the copy to the result. For this to hold
 * at any stride, the plane is dealt into stride * stride planes, by the remainders of the places.
 * In the transposed convolution the result is dealt instead, phase by phase. */

#ifdef REAL_IS_FLOAT /* once */
enum { DOTS = 10 };
#endif

/* One group of one image: everything that its loops need. */
struct NAME(planes) {
    CONVOLUTION;
    int64_t down, across;      /* planes that a plane is dealt into: their rows, their columns */
    int64_t rows, pitch;       /* of each of them */
    int64_t beside;            /* images whose planes lie side by side, where two fit a vector */
    int64_t channel;           /* numbers of a channel, dealt */
    int64_t taps;              /* of all phases */
    int64_t *count;            /* by phase: taps */
    ptrdiff_t *offset;         /* of each tap, phase by phase */
    int64_t *element;          /* and its place in the weight, from the output's first */
    bool *failed;              /* by piece: there was no memory */
};

static inline int64_t NAME(flat_size)(const struct NAME(planes) *t)
{
    return t->channels / t->groups * t->channel + 16 * (int64_t)LANES;
}

/* Is there a loop for kernels of this shape, below? */
static inline bool NAME(is_square)(const struct NAME(planes) *t)
{
    const int64_t size = t->y.kernel;
    return t->y.stride == 1 && t->x.stride == 1 && t->y.dilation == 1 && t->x.dilation == 1 &&
           size == t->x.kernel && (size == 3 || size == 5 || size == 7);
}

/* For at most `units` units; two images may lie side by side if they are `together`. */
static bool NAME(plan_planes)(struct NAME(planes) *t, int64_t units, bool together)
{
    const int64_t c_each = t->channels / t->groups, kernel = t->y.kernel * t->x.kernel;
    const int64_t phases = phases_of(&t->y) * phases_of(&t->x);
    place_source(&t->y, t->y.result);
    place_source(&t->x, t->x.result);
    t->down = t->y.transposed ? 1 : t->y.stride;
    t->across = t->x.transposed ? 1 : t->x.stride;
    t->rows = (int64_t)pieces((size_t)t->y.extent, (size_t)t->down);
    t->pitch = (int64_t)pieces((size_t)t->x.extent, (size_t)t->across);
    const bool fit = t->x.extent + t->x.result <= (int64_t)LANES;
    t->beside = together && fit && NAME(is_square)(t) && t->n > 1 ? 2 : 1;
    t->pitch *= t->beside;
    const int64_t plane = t->rows * t->pitch;
    t->channel = plane * t->down * t->across;
    t->taps = c_each * kernel;
    char *memory = take_scratch((size_t)(phases + 2 * t->taps) * sizeof(int64_t) + (size_t)units);
    if (memory == NULL)
        return false;
    t->count = (int64_t *)memory;
    t->offset = (ptrdiff_t *)(t->count + phases);
    t->element = (int64_t *)(t->offset + t->taps);
    t->failed = (bool *)(t->element + t->taps);
    memset(t->failed, 0, (size_t)units);
    /* in the weight, from a channel to the next */
    const int64_t step = t->y.transposed ? t->outputs / t->groups * kernel : kernel;
    int64_t k = 0, phase = 0;
    for (int64_t a = 0; a < phases_of(&t->y); a++)
        for (int64_t e = 0; e < phases_of(&t->x); e++) {
            const int64_t before = k;
            /* where the first window of the phase begins */
            const int64_t top = place_of_result(&t->y, first_of_phase(&t->y, a));
            const int64_t left = place_of_result(&t->x, first_of_phase(&t->x, e));
            for (int64_t c = 0; c < c_each; c++)
                for (int64_t q = 0; q < kernel; q++) { /* in the order of their places */
                    const int64_t n = t->y.transposed ? kernel - 1 - q : q;
                    const int64_t i = n / t->x.kernel, j = n % t->x.kernel;
                    if (phase_of_tap(&t->y, i) != a || phase_of_tap(&t->x, j) != e)
                        continue;
                    const int64_t row = top + place_of_tap(&t->y, i);
                    const int64_t column = left + place_of_tap(&t->x, j);
                    t->offset[k] = c * t->channel +
                                   (row % t->down * t->across + column % t->across) * plane +
                                   row / t->down * t->pitch + column / t->across;
                    t->element[k++] = c * step + i * t->x.kernel + j;
                }
            t->count[phase++] = k - before;
        }
    return true;
}

/* The channels of a group of an image, dealt. The padding around them is there already. */
static void NAME(deal)(const struct NAME(planes) *t, int64_t image, int64_t group, real *to)
{
    const int64_t c_each = t->channels / t->groups, h = t->y.source, w = t->x.source;
    const int64_t top = -t->y.first, left = -t->x.first;
    const real *from = t->source + (image * t->channels + group * c_each) * h * w;
    for (int64_t c = 0; c < c_each; c++, from += h * w)
        for (int64_t d = 0; d < t->down; d++)
            for (int64_t e = 0; e < t->across; e++, to += t->rows * t->pitch) {
                /* the first row and column of the image whose place has the remainders d and e */
                int64_t y = d - top, x = e - left;
                y += y < 0 ? (-y + t->down - 1) / t->down * t->down : 0;
                x += x < 0 ? (-x + t->across - 1) / t->across * t->across : 0;
                const int64_t last = t->x.extent - left < w ? t->x.extent - left : w;
                const int64_t bottom = t->y.extent - top < h ? t->y.extent - top : h;
                real *line = to + (y + top) / t->down * t->pitch + (x + left) / t->across;
                if (t->across == 2) { /* both planes of these rows together */
                    const int64_t begin = left < 0 ? -left : 0, place = begin + left;
                    real *even = to + (y + top) / t->down * t->pitch + place / 2;
                    real *odd = even + t->rows * t->pitch;
                    if (place % 2 == 1) {
                        real *const swapped = odd;
                        odd = even + 1, even = swapped;
                    }
                    for (; e == 0 && y < bottom; y += t->down, even += t->pitch, odd += t->pitch)
                        NAME(deal_pairs)(from + y * w + begin, last - begin, even, odd);
                    continue;
                }
                if (t->down == 1 && t->pitch == w && left == 0 && y < bottom) { /* whole rows */
                    NAME(copy_row)(line, from + y * w, (bottom - y) * w);
                    continue;
                }
                for (; y < bottom && x < last; y += t->down, line += t->pitch) {
                    const real *in = from + y * w + x;
                    const int64_t n = last - x;
                    if (t->across == 1)
                        NAME(copy_row)(line, in, n);
                    else
                        for (int64_t i = 0; i * t->across < n; i++)
                            line[i] = in[i * t->across];
                }
            }
}

INLINE void NAME(flat_tile)(const int vectors, int64_t taps, const real *source,
                            const ptrdiff_t *offset, const real *weights, real bias, real *to)
{
    NAME(vector) sums[8];
    UNROLL for (int v = 0; v < vectors; v++)
        sums[v] = (NAME(vector)){0} + bias;
    for (int64_t k = 0; k < taps; k++) {
        const real *from = source + offset[k], weight = weights[k];
        UNROLL for (int v = 0; v < vectors; v++)
            sums[v] += weight * LOAD(from + v * LANES);
    }
    UNROLL for (int v = 0; v < vectors; v++)
        STORE(to + v * LANES, sums[v]);
}

/* `count` sums, rounded up to vectors. */
static void NAME(flat_sums)(int64_t count, int64_t taps, const real *source,
                            const ptrdiff_t *offset, const real *weights, real bias, real *to)
{
    int64_t p = 0;
    const int64_t one = (int64_t)LANES;
    for (; p + 7 * one < count; p += 8 * one)
        NAME(flat_tile)(8, taps, source + p, offset, weights, bias, to + p);
    if (p + 3 * one < count) {
        NAME(flat_tile)(4, taps, source + p, offset, weights, bias, to + p);
        p += 4 * one;
    }
    for (; p + one < count; p += 2 * one)
        NAME(flat_tile)(2, taps, source + p, offset, weights, bias, to + p);
    if (p < count)
        NAME(flat_tile)(1, taps, source + p, offset, weights, bias, to + p);
}

/* ---- square kernels at stride 1 ----
 * There a row of the plane is seen by as many rows of the result as the kernel is high. So a tile
 * is some rows of the result, a vector wide: each vector of the plane is loaded once for all of
 * them, and sums go straight to where they belong. */
#if VECTOR_BYTES == 64
#define TALL 8
#else
#define TALL 4
#endif

MANY_REGISTERS
/* `size`: of the kernel. `n`: sums of a row. */
INLINE void NAME(square_tile)(const int size, const int rows, int64_t channels, int64_t channel,
                              const real *source, int64_t pitch, const real *weights, real bias,
                              real *out, int64_t width, int64_t n)
{
    NAME(vector) sums[TALL];
    UNROLL for (int r = 0; r < rows; r++)
        sums[r] = (NAME(vector)){0} + bias;
    for (int64_t c = 0; c < channels; c++, source += channel, weights += size * size) {
        NAME(vector) weight[7 * 7];
        UNROLL for (int k = 0; k < size * size; k++)
            weight[k] = weights[k] - (NAME(vector)){0};
        const real *line = source;
        UNROLL for (int y = 0; y < rows + size - 1; y++, line += pitch)
            UNROLL for (int j = 0; j < size; j++) {
                NAME(vector) seen = LOAD(line + j);
                IN_REGISTER(seen);
                UNROLL for (int r = 0; r < rows; r++)
                    if (y >= r && y < r + size)
                        sums[r] += weight[(y - r) * size + j] * seen;
            }
    }
    UNROLL for (int r = 0; r < rows; r++, out += width)
        NAME(store_first)(out, sums[r], n);
}

#define CASE(rows) \
    case rows: \
        NAME(square_tile)(size, rows, channels, channel, source, pitch, weights, bias, out, width, \
                          n); \
        break;
#if VECTOR_BYTES == 64
#define MORE_CASES CASE(5) CASE(6) CASE(7) CASE(8)
#else
#define MORE_CASES
#endif
/* A plane of the result. The last vector of a row overlaps with the one before. */
#define SQUARE_SUMS(name, size_) \
    static void NAME(name)(int64_t channels, int64_t channel, const real *plane, int64_t pitch, \
                           const real *weights, real bias, real *result, int64_t height, \
                           int64_t width) \
    { \
        enum { size = size_ }; \
        const int64_t tiles = (int64_t)pieces((size_t)height, TALL), one = (int64_t)LANES; \
        const int64_t n = width < one ? width : one; \
        for (int64_t i = 0; i < tiles; i++) { \
            const int64_t y = i * height / tiles, rows = (i + 1) * height / tiles - y; \
            for (int64_t left = 0; left < width; left += one) { \
                const int64_t x = left + n <= width ? left : width - n; \
                const real *source = plane + y * pitch + x; \
                real *out = result + y * width + x; \
                switch (rows) { \
                    CASE(1) CASE(2) CASE(3) CASE(4) MORE_CASES \
                } \
            } \
        } \
    }
SQUARE_SUMS(square_3, 3)
SQUARE_SUMS(square_5, 5)
SQUARE_SUMS(square_7, 7)
END_MANY_REGISTERS
#undef CASE
#undef MORE_CASES
#undef SQUARE_SUMS
#undef TALL

static void NAME(planes_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(planes) *t = task;
    const int64_t c_each = t->channels / t->groups, o_each = t->outputs / t->groups;
    const int64_t kernel = t->y.kernel * t->x.kernel, result = t->y.result * t->x.result;
    const int64_t flat = (t->y.result + 1) * t->pitch + 16 * (int64_t)LANES;
    const bool square = NAME(is_square)(t);
    const bool pairs = phases_of(&t->x) == 2 && t->x.result > 1; /* of phases, woven together */
    real *source = take_scratch((size_t)(NAME(flat_size)(t) + 2 * flat + t->taps) * sizeof(real));
    if (source)
        memset(source, 0, (size_t)NAME(flat_size)(t) * sizeof(real));
    for (int64_t unit = (int64_t)begin; unit < (int64_t)end; unit++) {
        t->failed[unit] = source == NULL;
        if (source == NULL)
            continue;
        real *sums = source + NAME(flat_size)(t), *weights = sums + 2 * flat;
        const int64_t image = unit / t->groups * t->beside, group = unit % t->groups;
        const int64_t images = t->beside < t->n - image ? t->beside : t->n - image;
        for (int64_t i = 0; i < images; i++)
            NAME(deal)(t, image + i, group, source + i * t->x.extent);
        for (int64_t m = 0; m < o_each; m++) {
            const int64_t o = group * o_each + m;
            real *out = t->out + (image * t->outputs + o) * result;
            const real *w = t->w + (t->y.transposed ? group * c_each * o_each + m : o * c_each) *
                                       kernel;
            for (int64_t k = 0; k < t->taps; k++)
                weights[k] = w[t->element[k]];
            if (square) { /* of two images, both at once, and their rows apart afterwards */
                const int64_t size = t->y.kernel, apart = t->x.extent;
                const int64_t width = images == 1 ? t->x.result : apart + t->x.result;
                (size == 3 ? NAME(square_3) : size == 5 ? NAME(square_5) : NAME(square_7))(
                    c_each, t->channel, source, t->pitch, weights, t->bias ? t->bias[o] : 0,
                    images == 1 ? out : sums, t->y.result, width);
                for (int64_t i = 0; i < images && images > 1; i++, out += t->outputs * result)
                    for (int64_t y = 0; y < t->y.result; y++)
                        NAME(copy_row)(out + y * t->x.result, sums + y * width + i * apart,
                                       t->x.result);
                continue;
            }
            const int64_t *count = t->count;
            const ptrdiff_t *offset = t->offset;
            const real *weight = weights;
            for (int64_t a = 0; a < phases_of(&t->y); a++)
                for (int64_t e = 0; e < phases_of(&t->x);
                     e++, offset += *count, weight += *count, count++) {
                    const int64_t top = first_of_phase(&t->y, a), down = phases_of(&t->y);
                    const int64_t left = first_of_phase(&t->x, e), across = phases_of(&t->x);
                    if (top >= t->y.result || left >= t->x.result)
                        continue;
                    const int64_t rows = (t->y.result - top - 1) / down + 1;
                    const int64_t columns = (t->x.result - left - 1) / across + 1;
                    NAME(flat_sums)((rows - 1) * t->pitch + columns, *count, source, offset,
                                    weight, t->bias ? t->bias[o] : 0,
                                    sums + (pairs ? left * flat : 0));
                    if (pairs) {
                        for (int64_t y = 0; y < rows && e == 1; y++)
                            NAME(weave_pairs)(sums + y * t->pitch, sums + flat + y * t->pitch,
                                              t->x.result, out + (top + y * down) * t->x.result);
                        continue;
                    }
                    if (down == 1 && columns == t->pitch && columns == t->x.result) {
                        NAME(copy_row)(out, sums, rows * columns);
                        continue;
                    }
                    for (int64_t y = 0; y < rows; y++) {
                        const real *from = sums + y * t->pitch;
                        real *to = out + (top + y * down) * t->x.result + left;
                        if (across == 1)
                            NAME(copy_row)(to, from, columns);
                        else
                            for (int64_t x = 0; x < columns; x++)
                                to[x * across] = from[x];
                    }
                }
        }
    }
    give_scratch(source);
}

static bool NAME(convolve_planes)(const struct NAME(convolution) *c)
{
    struct NAME(planes) plan = {SAME_AS(c)}, *const t = &plan;
    if (!NAME(plan_planes)(t, t->n * t->groups, true))
        return false;
    const int64_t units = (int64_t)pieces((size_t)t->n, (size_t)t->beside) * t->groups;
    const double work = (double)(t->taps * (t->outputs / t->groups) + t->down * t->across) *
                        (double)(t->y.result * t->pitch);
    parallel_for((size_t)units, grain_of(WORK, work), NAME(planes_body), t);
    const bool failed = NAME(any_failed)(t->failed, units);
    give_scratch(t->count);
    return !failed;
}
