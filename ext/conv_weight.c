/* conv_weight.c - the gradient of a convolution's weight, in each of the three ways.
 *
 *     weight[o][k] = sum over images and positions of
 *                    windows[o][position] * source[position + offset(k)]
 *
 * The plans, the lists of offsets and the layouts are those of conv_lanes.c, conv_panels.c and
 * conv_planes.c. Sums are added up in an order that depends on the sizes only. */

#if VECTOR_BYTES == 64
#define HIGH 4
#define WIDE 6
#else
#define HIGH 3
#define WIDE 3
#endif

/* ---- lanes ----
 * weight[o][k] = sum over images and positions of windows[o][position] * source[position +
 * offset(k)]: dot products of vectors of lanes. A tile of HIGH outputs and WIDE taps stays in
 * registers for all positions of a block; then its lanes are added up. Blocks are divided among
 * `parts` sums of the weight, which are added in their order, so that the result does not depend on
 * the number of threads. */
struct NAME(weighing) {
    struct NAME(plan) plan;
    int64_t parts;
    real *sums; /* [part][o][tap] */
};

INLINE void NAME(weight_tile)(const int high, const int wide, const struct NAME(phase) *f,
                              const ptrdiff_t *offset, const real *windows, int64_t plane,
                              const real *source, int64_t known, real *out, int64_t out_row)
{
    NAME(vector) sums[(HIGH * WIDE + LANES - 1) / LANES * LANES];
    UNROLL for (int s = 0; s < (int)(sizeof sums / sizeof sums[0]); s++)
        sums[s] = (NAME(vector)){0};
    for (int64_t p = 0; p < f->positions; p++) {
        const real *from = source + f->source[p];
        NAME(vector) values[HIGH];
        UNROLL for (int m = 0; m < high; m++)
            values[m] = LOAD(windows + m * plane + p * (int64_t)LANES);
        UNROLL for (int k = 0; k < wide; k++) {
            const NAME(vector) seen = LOAD(from + offset[k]);
            UNROLL for (int m = 0; m < high; m++)
                sums[m * wide + k] += values[m] * seen;
        }
    }
    ON_A_LINE real totals[(HIGH * WIDE + LANES - 1) / LANES * LANES];
    for (int s = 0; s < high * wide; s += (int)LANES) {
        NAME(vector) total = {0};
        NAME(transpose_square)(sums + s);
        UNROLL for (size_t l = 0; l < LANES; l++)
            total += sums[s + (int)l];
        STORE(totals + s, total);
    }
    for (int m = 0; m < high; m++)
        for (int64_t k = known; k < wide; k++)
            out[m * out_row + k] += totals[m * wide + k];
}

/* All taps, for `high` outputs. The last tile overlaps with the one before, whose sums are
 * known. */
#define DOTS(high) \
    case high: \
        for (int64_t k = 0; k < f->taps; k += f->taps < WIDE ? 1 : WIDE) { \
            const int64_t first = f->taps < WIDE || k + WIDE <= f->taps ? k : f->taps - WIDE; \
            if (f->taps < WIDE) \
                NAME(weight_tile)(high, 1, f, f->offset + k, windows, plane, source, 0, out + k, \
                                  f->taps); \
            else \
                NAME(weight_tile)(high, WIDE, f, f->offset + first, windows, plane, source, \
                                  k - first, out + first, f->taps); \
        } \
        return;
static void NAME(all_taps)(int64_t high, const struct NAME(phase) *f, const real *windows,
                           int64_t plane, const real *source, real *out)
{
    switch (high) {
        DOTS(1) DOTS(2) DOTS(3)
#if HIGH == 4
        DOTS(4)
#endif
    }
}
#undef DOTS

static void NAME(weight_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(weighing) *w = task;
    const struct NAME(plan) *t = &w->plan;
    const int64_t band = t->rows * t->x.result, plane = NAME(result_plane)(t);
    const int64_t c_each = t->channels / t->groups, o_each = t->outputs / t->groups;
    const int64_t taps = t->phase->taps;
    real *source = take_scratch((size_t)(NAME(source_size)(t) + NAME(result_size)(t)) *
                                sizeof(real));
    for (size_t part = begin; part < end; part++) {
        const int64_t first = (int64_t)part * t->blocks / w->parts;
        const int64_t last = ((int64_t)part + 1) * t->blocks / w->parts;
        real *sums = w->sums + (int64_t)part * t->outputs * taps;
        memset(sums, 0, (size_t)(t->outputs * taps) * sizeof(real));
        for (int64_t block = first; block < last; block++) {
            t->failed[block] = source == NULL;
            if (source == NULL)
                continue;
            real *windows = source + NAME(source_size)(t);
            NAME(load_block)(t, block, source);
            for (int64_t o = 0; o < t->outputs; o++) {
                const real *from[LANES];
                for (int64_t l = 0; l < (int64_t)LANES; l++) {
                    const int64_t at = NAME(band_at)(t, block * (int64_t)LANES + l, o);
                    from[l] = at >= 0 ? t->windows + at : NULL;
                }
                NAME(interleave)(from, band, band, 0, band, 0, windows + o * plane);
            }
            for (int64_t group = 0; group < t->groups; group++)
                for (int64_t m = 0, n; m < o_each; m += n) {
                    n = o_each - m < HIGH ? o_each - m : HIGH;
                    const int64_t o = group * o_each + m;
                    NAME(all_taps)(n, t->phase, windows + o * plane, plane,
                                   source + group * c_each * NAME(source_plane)(t),
                                   sums + o * taps);
                }
        }
    }
    give_scratch(source);
}

static bool NAME(weigh_lanes)(const struct NAME(convolution) *c)
{
    struct NAME(weighing) weighing = {.plan = {SAME_AS(c)}};
    struct NAME(plan) *t = &weighing.plan;
    const size_t each = (size_t)(t->channels / t->groups * t->y.kernel * t->x.kernel);
    const size_t size = (size_t)t->outputs * each;
    if (!NAME(make_plan)(t))
        return false;
    weighing.parts = (int64_t)smaller((size_t)t->blocks,
                                      larger(1, smaller(16, ((size_t)1 << 24) / size)));
    weighing.sums = take_scratch((size_t)weighing.parts * size * sizeof(real));
    bool failed = weighing.sums == NULL;
    if (!failed)
        parallel_for((size_t)weighing.parts, grain_of(1e5, NAME(block_work)(t)), NAME(weight_body),
                     &weighing);
    failed |= NAME(any_failed)(t->failed, t->blocks);
    memset(t->out, 0, size * sizeof(real));
    for (int64_t i = 0; i < weighing.parts * t->outputs && !failed; i++) {
        real *out = t->out + i % t->outputs * (int64_t)each;
        for (size_t k = 0; k < each; k++)
            out[t->phase->element[k]] += weighing.sums[(size_t)i * each + k];
    }
    give_scratch(weighing.sums);
    NAME(free_plan)(t);
    return !failed;
}

/* ---- panels ----
 * HEIGHT taps at a time are added up over all positions. Taps of one place in the kernel, of
 * several channels, see padding at the same positions, which are then left out (`cut_y`). Of few
 * channels, the taps are taken in their order, and all positions of a padded copy. */
static void NAME(pack_windows_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(panels) *t = task;
    const int64_t plane = t->y.result * t->x.result, o_each = NAME(o_each)(t);
    const int64_t each = t->high * t->x.result, positions = t->count * each;
    for (int64_t q = (int64_t)begin; q < (int64_t)end; q++) {
        const int64_t panel = q / t->count, image = q % t->count;
        const int64_t in_group = panel % t->wide * (int64_t)NR;
        const int64_t o = panel / t->wide * o_each + in_group;
        const int64_t high = o_each - in_group < (int64_t)NR ? o_each - in_group : (int64_t)NR;
        NAME(transpose)(t->windows + ((t->first + image) * t->outputs + o) * plane +
                            t->row * t->x.result,
                        plane, (size_t)high, (size_t)each,
                        t->packed + (panel * positions + image * each) * (int64_t)NR, NR);
    }
}

/* Tiles of a panel: of each place in the kernel, or of all taps. */
static inline int64_t NAME(tiles_of_taps)(const struct NAME(panels) *t)
{
    const int64_t kernel = t->y.kernel * t->x.kernel;
    return t->cut_y ? kernel * (int64_t)pieces((size_t)NAME(c_each)(t), HEIGHT)
                    : (int64_t)pieces((size_t)t->taps, HEIGHT);
}

/* Of a tile, the windows' sums are added to the weight's. */
static void NAME(weigh_tile)(const struct NAME(panels) *t, int64_t tile, int64_t tiles,
                             int64_t columns, const real *seen, const real *packed, real *sums)
{
    const int64_t kernel = t->y.kernel * t->x.kernel, c_each = NAME(c_each)(t);
    const int64_t taps = t->cut_y ? c_each : t->taps, per = t->cut_y ? tiles / kernel : tiles;
    const int64_t k = tile % per * taps / per, rows = (tile % per + 1) * taps / per - k;
    const int64_t start = NAME(rows_seen)(t, t->row) + t->y.first;
    const int64_t top = t->padded ? 0 : start, left = t->padded ? 0 : t->x.first;
    ptrdiff_t row[HEIGHT];
    struct nest nest = {
        .count = {t->count, t->high, t->x.result},
        .a = {t->image, t->y.stride * t->pitch, t->x.stride},
        .b = {t->high * t->x.result * (int64_t)NR, t->x.result * (int64_t)NR, NR}};
    if (t->cut_y) {
        const int64_t place = tile / per, i = place / t->x.kernel, j = place % t->x.kernel;
        const int64_t y = i * t->y.dilation, x = j * t->x.dilation;
        int64_t y_from, y_to, x_from, x_to;
        inside(start + y, t->y.stride, t->y.source, t->high, &y_from, &y_to);
        inside(t->x.first + x, t->x.stride, t->x.source, t->x.result, &x_from, &x_to);
        nest.count[1] = y_to - y_from, nest.count[2] = x_to - x_from;
        seen += k * t->plane + (top + y + y_from * t->y.stride) * t->pitch + left + x +
                x_from * t->x.stride;
        packed += (y_from * t->x.result + x_from) * (int64_t)NR;
        sums += (k * kernel + place) * (int64_t)NR;
        for (int64_t c = 0; c < rows; c++)
            row[c] = c * t->plane;
    } else {
        seen += top * t->pitch + left;
        sums += k * (int64_t)NR;
        for (int64_t r = 0; r < rows; r++) {
            const int64_t c = (k + r) / kernel, place = (k + r) % kernel;
            row[r] = c * t->plane + place / t->x.kernel * t->y.dilation * t->pitch +
                     place % t->x.kernel * t->x.dilation;
        }
    }
    (columns > (int64_t)LANES ? NAME(list_tile_2) : NAME(list_tile_1))(
        rows, &nest, seen, row, packed, NULL, sums, (t->cut_y ? kernel : 1) * (ptrdiff_t)NR,
        t->first > 0 || t->row > 0);
}

static void NAME(panel_weight_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(panels) *t = task;
    const int64_t positions = t->count * t->high * t->x.result, o_each = NAME(o_each)(t);
    for (int64_t q = (int64_t)begin; q < (int64_t)end; q++) {
        const int64_t chunk = q % t->pieces, panel = q / t->pieces;
        const int64_t columns = o_each - panel % t->wide * (int64_t)NR;
        const int64_t tiles = NAME(tiles_of_taps)(t);
        const int64_t stop = (chunk + 1) * tiles / t->pieces;
        const real *seen = (t->padded ? t->seen : t->source + t->first * t->image) +
                           panel / t->wide * NAME(c_each)(t) * t->plane;
        for (int64_t tile = chunk * tiles / t->pieces; tile < stop; tile++)
            NAME(weigh_tile)(t, tile, tiles, columns, seen,
                             t->packed + panel * positions * (int64_t)NR,
                             t->sums + panel * t->taps * (int64_t)NR);
    }
}

static bool NAME(weigh_panels)(const struct NAME(convolution) *c)
{
    struct NAME(panels) plan = {SAME_AS(c)}, *const t = &plan;
    NAME(choose_blocks)(t, true);
    /* Planes that are read together must not lie in the same few sets of the first-level cache. If
     * they do, there is the padded copy, whose rows are longer. */
    const bool several = NAME(c_each)(t) >= HEIGHT - 4;
    const bool apart = (size_t)(t->y.source * t->x.source) * sizeof(real) % 2048 != 0;
    NAME(lay_planes)(t, several && apart, several && apart);
    t->cut_y = t->cut_x = several && (apart || t->padded);
    const int64_t blocks = (int64_t)pieces((size_t)t->n, (size_t)t->images) * t->bands;
    const int64_t panels = t->panels, taps = t->taps, o_each = NAME(o_each)(t);
    const size_t positions = (size_t)(t->images * t->rows * t->x.result);
    const size_t seen = t->padded ? (size_t)(t->images * t->image) : 0;
    t->sums = take_scratch(((size_t)panels * NR * ((size_t)taps + positions) + seen) *
                           sizeof(real));
    if (t->sums == NULL)
        return false;
    t->packed = t->sums + panels * taps * (int64_t)NR;
    t->seen = t->packed + panels * (int64_t)(positions * NR);
    t->pieces = (int64_t)pieces((size_t)NAME(tiles_of_taps)(t), TILES);
    for (int64_t block = 0; block < blocks; block++) {
        NAME(next_block)(t, block);
        const double each = (double)(t->high * t->x.result);
        if (t->padded)
            parallel_for((size_t)(t->count * t->channels), grain_of(32768, (double)t->plane),
                         NAME(pad_body), t);
        parallel_for((size_t)(panels * t->count), grain_of(32768, each * NR),
                     NAME(pack_windows_body), t);
        const double work = each * (double)t->count * (double)(HEIGHT * TILES * NR);
        parallel_for((size_t)(t->pieces * panels), grain_of(WORK, work), NAME(panel_weight_body),
                     t);
    }
    for (int64_t panel = 0; panel < panels; panel++) {
        const int64_t in_group = panel % t->wide * (int64_t)NR;
        const int64_t o = panel / t->wide * o_each + in_group;
        const int64_t high = o_each - in_group < (int64_t)NR ? o_each - in_group : (int64_t)NR;
        const real *from = t->sums + panel * taps * (int64_t)NR;
        const size_t whole = (size_t)taps / LANES * LANES;
        NAME(transpose)(from, NR, whole, (size_t)high, t->out + o * taps, taps);
        for (size_t k = whole; k < (size_t)taps; k++)
            for (int64_t m = 0; m < high; m++)
                t->out[(o + m) * taps + (int64_t)k] = from[k * NR + (size_t)m];
    }
    give_scratch(t->sums);
    return true;
}

/* ---- planes ---------------------------------------------------------------------------------- */
/* sums[k] += a vector of dot products of the windows' numbers with those that tap k sees. */
INLINE void NAME(dot_tile)(const int wide, int64_t count, const real *windows, const real *source,
                           const ptrdiff_t *offset, real *sums)
{
    NAME(vector) sum[DOTS];
    UNROLL for (int k = 0; k < wide; k++)
        sum[k] = LOAD(sums + k * LANES);
    for (int64_t p = 0; p < count; p += (int64_t)LANES) {
        const NAME(vector) value = LOAD(windows + p);
        UNROLL for (int k = 0; k < wide; k++)
            sum[k] += value * LOAD(source + p + offset[k]);
    }
    UNROLL for (int k = 0; k < wide; k++)
        STORE(sums + k * LANES, sum[k]);
}

#define CASE(wide) \
    case wide: \
        NAME(dot_tile)(wide, count, windows, source, offset, sums); \
        return;
static void NAME(dots)(int64_t wide, int64_t count, const real *windows, const real *source,
                       const ptrdiff_t *offset, real *sums)
{
    switch (wide) {
        CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) CASE(10)
    }
}
#undef CASE

/* One group, all images: windows are laid out with the pitch of the planes, and zeros between their
 * rows. */
static void NAME(weigh_planes_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(planes) *t = task;
    const int64_t o_each = t->outputs / t->groups, one = (int64_t)LANES;
    /* the numbers of a plane, in whole vectors */
    const int64_t long_row = (t->y.result - 1) * t->pitch + t->x.result;
    const int64_t flat = (int64_t)pieces((size_t)long_row, LANES) * one;
    const int64_t sums_size = o_each * t->taps * one;
    const int64_t source_size = (int64_t)pieces((size_t)NAME(flat_size)(t), LANES) * one;
    real *source = take_scratch((size_t)(source_size + flat + sums_size) * sizeof(real));
    if (source)
        memset(source, 0, (size_t)source_size * sizeof(real));
    for (int64_t group = (int64_t)begin; group < (int64_t)end; group++) {
        t->failed[group] = source == NULL;
        if (source == NULL)
            continue;
        real *windows = source + source_size, *sums = windows + flat;
        memset(windows, 0, (size_t)(flat + sums_size) * sizeof(real));
        for (int64_t image = 0; image < t->n; image++) {
            NAME(deal)(t, image, group, source);
            for (int64_t m = 0; m < o_each; m++) {
                const real *from = t->windows + (image * t->outputs + group * o_each + m) *
                                                    t->y.result * t->x.result;
                for (int64_t y = 0; y < t->y.result; y++)
                    NAME(copy_row)(windows + y * t->pitch, from + y * t->x.result, t->x.result);
                real *to = sums + m * t->taps * one;
                const int64_t tiles = (int64_t)pieces((size_t)t->taps, DOTS);
                for (int64_t i = 0; i < tiles; i++) {
                    const int64_t k = i * t->taps / tiles, wide = (i + 1) * t->taps / tiles - k;
                    NAME(dots)(wide, flat, windows, source, t->offset + k, to + k * one);
                }
            }
        }
        for (int64_t k = 0; k < o_each * t->taps; k++) {
            real total = 0;
            for (int64_t l = 0; l < one; l++)
                total += sums[k * one + l];
            t->out[group * o_each * t->taps + k] = total;
            /* Zeros between rows have met the planes' numbers. If one of these was infinite, the
             * sum is not what it should be. */
            t->failed[group] |= !(total - total == 0);
        }
    }
    give_scratch(source);
}

static bool NAME(weigh_planes)(const struct NAME(convolution) *c)
{
    struct NAME(planes) plan = {SAME_AS(c)}, *const t = &plan;
    if (!NAME(plan_planes)(t, t->groups, false))
        return false;
    const double work = (double)(t->taps * (t->outputs / t->groups) + t->down * t->across) *
                        (double)(t->n * t->y.result * t->pitch);
    parallel_for((size_t)t->groups, grain_of(WORK, work), NAME(weigh_planes_body), t);
    const bool failed = NAME(any_failed)(t->failed, t->groups);
    give_scratch(t->count);
    return !failed;
}
#undef HIGH
#undef WIDE
