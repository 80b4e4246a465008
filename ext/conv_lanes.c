/* conv_lanes.c - convolution of few channels: an image in each lane of a vector.
 *
 * A convolution is a product of matrices in which one operand, the windows, repeats each number of
 * the image kh * kw times. Here that operand is never laid out. As many images as a vector has
 * LANES are interleaved, [channel][row][column][lane], so that one load gives the same place of
 * each of them. Then a window at any stride and dilation is a list of offsets,
 *
 *     out[o][y][x] = bias[o] + sum over taps k of
 *                    weight[o][k] * source[position(y, x) + offset(k)]        (lane by lane)
 *
 * and a tile of some outputs o times some positions stays in registers for all taps. A batch that
 * is too small, or too large for the second-level cache, is cut into bands; a lane then holds some
 * rows of an image.
 *
 * Traffic: images are read and results written once, in squares that are transposed in registers.
 * In between, a tile of m x p sums reads m + p numbers for m * p multiply-adds, from the first- and
 * second-level caches.
 *
 *     Interleaved images: A. Krizhevsky, cuda-convnet (2012), whose images are
 *     [channel][row][column][image]
 *     Tiles in registers: Georganas et al., "Anatomy of High-Performance Deep Learning
 *     Convolutions on SIMD Architectures" (2018) */

/* ---- the plan -------------------------------------------------------------------------------- */
#if VECTOR_BYTES == 64 /* 32 registers */
#define OUTPUTS 8
#define POSITIONS(outputs) ((outputs) > 6 ? 3 : (outputs) > 4 ? 4 : (outputs) > 2 ? 6 : 8)
#else /* 16 */
#define OUTPUTS 4
#define POSITIONS(outputs) ((outputs) > 2 ? 3 : 4)
#endif

/* Positions whose sums have the same taps. */
struct NAME(phase) {
    int64_t positions, taps;
    const ptrdiff_t *source, *result; /* of each position: where its window begins, its sum goes */
    const int64_t *begin, *end;       /* and which taps meet more than padding there */
    const ptrdiff_t *offset;          /* of each tap, from `source` */
    const int64_t *element;           /* and its place in the weight of one output */
    const real *weights;              /* [group][tile of outputs][tap][output in the tile] */
};

struct NAME(plan) {
    CONVOLUTION;
    int64_t bands, rows;   /* bands of an image, rows of the result in each */
    int64_t lanes, blocks; /* bands of all images; blocks of LANES bands */
    int64_t phases;
    const struct NAME(phase) *phase;
    bool *failed; /* by block: there was no memory */
};

/* How many numbers a block has, and one of its channels. */
static inline int64_t NAME(source_plane)(const struct NAME(plan) *t)
{
    return t->y.extent * t->x.extent * (int64_t)LANES;
}
static inline int64_t NAME(result_plane)(const struct NAME(plan) *t)
{
    return t->rows * t->x.result * (int64_t)LANES;
}
static inline int64_t NAME(source_size)(const struct NAME(plan) *t)
{
    return t->channels * NAME(source_plane)(t);
}
static inline int64_t NAME(result_size)(const struct NAME(plan) *t)
{
    return t->outputs * NAME(result_plane)(t);
}

static void NAME(cut_bands)(struct NAME(plan) *t, int64_t bands)
{
    t->bands = bands;
    t->rows = t->y.result / bands;
    t->lanes = t->n * bands;
    t->blocks = (t->lanes + (int64_t)LANES - 1) / (int64_t)LANES;
    place_source(&t->y, t->rows);
    place_source(&t->x, t->x.result);
}

/* Multiply-adds of a block, in vectors. To interleave or separate a vector takes as long as 8 of
 * them, or 16 where bands begin and end at different rows; to add up the lanes of a sum, 6. */
static double NAME(block_work)(const struct NAME(plan) *t)
{
    const double sums = (double)(NAME(result_size)(t) / (int64_t)LANES);
    const double seen = (double)(NAME(source_size)(t) / (int64_t)LANES);
    const double all_taps = (double)(t->channels / t->groups * t->y.kernel * t->x.kernel);
    const double taps = all_taps / (double)(phases_of(&t->y) * phases_of(&t->x));
    return sums * (taps + 8) + seen * (t->bands > 1 ? 16 : 8) +
           (t->w ? 0 : 6 * taps * (double)t->outputs);
}

/* Choose the number of bands with the least work: lanes filled, few rows twice in memory. Blocks
 * beyond the second-level cache count a third more. A quarter of a block is added because threads
 * share whole blocks, and two are better than one. */
static double NAME(choose_bands)(struct NAME(plan) *t)
{
    double least = DBL_MAX;
    int64_t best = 1;
    for (int64_t bands = 1; bands <= t->y.result && bands <= 64; bands++) {
        if (t->y.result % bands != 0 || (bands > 1 && t->y.result / bands % phases_of(&t->y) != 0))
            continue;
        NAME(cut_bands)(t, bands);
        const int64_t numbers = NAME(source_size)(t) + NAME(result_size)(t);
        const bool fits = numbers * (int64_t)sizeof(real) <= 768 * 1024;
        const double work = ((double)t->blocks + 0.25) * NAME(block_work)(t) * (fits ? 1 : 1.33);
        if (work < least)
            least = work, best = bands;
    }
    NAME(cut_bands)(t, best);
    return least;
}

/* For the choice among the ways: how many multiply-adds of vectors this one takes. */
static double NAME(lanes_work)(const struct NAME(convolution) *c)
{
    struct NAME(plan) plan = {SAME_AS(c)};
    return NAME(choose_bands)(&plan);
}

/* Tiles of outputs, of nearly equal height: how many, and the first output of tile i. */
static inline int64_t NAME(output_tiles)(int64_t outputs)
{
    return (outputs + OUTPUTS - 1) / OUTPUTS;
}
static inline int64_t NAME(output_tile_at)(int64_t outputs, int64_t i)
{
    return i * outputs / NAME(output_tiles)(outputs);
}

/* The weights in the order in which tiles read them. The transposed convolution has the weight
 * (channels, outputs / groups, kh, kw): the same array, with the roles of the first two indices
 * exchanged. */
static void NAME(order_weights)(const struct NAME(plan) *t, const struct NAME(phase) *f, real *to)
{
    const int64_t c_each = t->channels / t->groups, o_each = t->outputs / t->groups;
    const int64_t kernel = t->y.kernel * t->x.kernel;
    for (int64_t group = 0; group < t->groups; group++)
        for (int64_t i = 0; o_each > 0 && i < NAME(output_tiles)(o_each); i++)
            for (int64_t k = 0; k < f->taps; k++)
                for (int64_t m = NAME(output_tile_at)(o_each, i);
                     m < NAME(output_tile_at)(o_each, i + 1); m++) {
                    const int64_t c = f->element[k] / kernel, ij = f->element[k] % kernel;
                    *to++ = t->w[t->y.transposed
                                     ? ((group * c_each + c) * o_each + m) * kernel + ij
                                     : ((group * o_each + m) * c_each + c) * kernel + ij];
                }
}

/* Make the lists of all positions and taps, phase by phase, in memory that free_plan() gives back.
 * False if there is none. */
static bool NAME(make_plan)(struct NAME(plan) *t)
{
    NAME(choose_bands)(t);
    const int64_t c_each = t->channels / t->groups, positions = t->rows * t->x.result;
    const int64_t taps = c_each * t->y.kernel * t->x.kernel;
    t->phases = phases_of(&t->y) * phases_of(&t->x);
    const size_t lists = (size_t)t->phases * sizeof(struct NAME(phase)) +
                         (size_t)(4 * positions + 2 * taps) * sizeof(int64_t);
    char *memory = take_scratch(lists + (size_t)(t->w ? taps * t->outputs : 0) * sizeof(real) +
                                (size_t)t->blocks);
    if (memory == NULL)
        return false;
    struct NAME(phase) *f = (struct NAME(phase) *)memory;
    ptrdiff_t *source = (ptrdiff_t *)(f + t->phases), *result = source + positions;
    ptrdiff_t *offset = result + positions;
    int64_t *begin = (int64_t *)(offset + taps), *end = begin + positions;
    int64_t *element = end + positions;
    real *weights = (real *)(element + taps);
    t->phase = f;
    t->failed = (bool *)(weights + (t->w ? taps * t->outputs : 0));
    memset(t->failed, 0, (size_t)t->blocks);
    for (int64_t a = 0; a < phases_of(&t->y); a++)
        for (int64_t e = 0; e < phases_of(&t->x); e++, f++) {
            int64_t p = 0, k = 0, in_row = 0; /* taps of a row of the kernel */
            for (int64_t j = 0; j < t->x.kernel; j++)
                in_row += phase_of_tap(&t->x, j) == e ? c_each : 0;
            *f = (struct NAME(phase)){0, 0, source, result, begin, end, offset, element, weights};
            for (int64_t i = 0; i < t->y.kernel; i++)
                for (int64_t c = 0; c < c_each && phase_of_tap(&t->y, i) == a; c++)
                    for (int64_t j = 0; j < t->x.kernel; j++)
                        if (phase_of_tap(&t->x, j) == e) {
                            const int64_t row = c * t->y.extent + place_of_tap(&t->y, i);
                            const int64_t place = row * t->x.extent + place_of_tap(&t->x, j);
                            offset[k] = place * (ptrdiff_t)LANES;
                            element[k++] = (c * t->y.kernel + i) * t->x.kernel + j;
                        }
            for (int64_t y = first_of_phase(&t->y, a); y < t->rows; y += phases_of(&t->y)) {
                /* rows of the kernel in the padding are left out if they are in the padding for all
                 * lanes */
                int64_t row = 0, first = k, last = 0;
                for (int64_t i = 0; i < t->y.kernel; i++) {
                    if (phase_of_tap(&t->y, i) != a)
                        continue;
                    const int64_t place = t->y.first + place_of_result(&t->y, y) +
                                          place_of_tap(&t->y, i);
                    if (t->bands > 1 || (place >= 0 && place < t->y.source)) {
                        first = first < row ? first : row;
                        last = row + in_row;
                    }
                    row += in_row;
                }
                for (int64_t x = first_of_phase(&t->x, e); x < t->x.result; x += phases_of(&t->x)) {
                    const int64_t above = place_of_result(&t->y, y) * t->x.extent;
                    source[p] = (above + place_of_result(&t->x, x)) * (ptrdiff_t)LANES;
                    result[p] = (y * t->x.result + x) * (ptrdiff_t)LANES;
                    begin[p] = first;
                    end[p++] = last;
                }
            }
            f->positions = p, f->taps = k;
            if (t->w)
                NAME(order_weights)(t, f, weights);
            source += p, result += p, begin += p, end += p, offset += k, element += k;
            weights += t->w ? k * t->outputs : 0;
        }
    return true;
}
static void NAME(free_plan)(const struct NAME(plan) *t) { give_scratch((void *)t->phase); }

/* ---- a block --------------------------------------------------------------------------------- */
/* Interleave LANES bands of the source, with their padding. */
static void NAME(load_block)(const struct NAME(plan) *t, int64_t block, real *to)
{
    const int64_t tall = t->y.extent, wide = t->x.extent, w = t->x.source, left = -t->x.first;
    const int64_t band_step = t->y.transposed ? t->rows / t->y.stride : t->rows * t->y.stride;
    int64_t start[LANES], image[LANES]; /* of each lane, its first row; -1 where there is none */
    int64_t top = 0, bottom = tall;     /* rows that all lanes have */
    for (int64_t l = 0; l < (int64_t)LANES; l++) {
        const int64_t lane = block * (int64_t)LANES + l;
        image[l] = lane < t->lanes ? lane / t->bands : -1;
        start[l] = lane % t->bands * band_step + t->y.first;
        if (image[l] >= 0) {
            top = top > -start[l] ? top : -start[l];
            bottom = bottom < t->y.source - start[l] ? bottom : t->y.source - start[l];
        }
    }
    const bool padded = top > 0 || bottom < tall || left > 0 || left + w < wide;
    for (int64_t c = 0; c < t->channels; c++, to += tall * wide * (int64_t)LANES) {
        const real *from[LANES];
        if (padded)
            memset(to, 0, (size_t)(tall * wide) * LANES * sizeof(real));
        for (int64_t y = 0, n; y < tall; y += n) {
            const bool all = y >= top && y < bottom;
            n = all ? bottom - y : 1;
            bool any = false;
            for (size_t l = 0; l < LANES; l++) {
                const int64_t row = start[l] + y;
                const bool there = image[l] >= 0 && row >= 0 && row < t->y.source;
                from[l] = there ? t->source + ((image[l] * t->channels + c) * t->y.source + row) * w
                                : NULL;
                any |= there;
            }
            /* the image's column 0 is the block's column `left`, perhaps before its first one */
            if (any)
                NAME(interleave)(from, n * w, w, -left, wide - left, wide,
                                 to + y * wide * (int64_t)LANES);
        }
    }
}

/* Where a lane's rows of output o begin in the array of results; they are neighbours in memory. -1
 * if there is no such lane. */
static inline int64_t NAME(band_at)(const struct NAME(plan) *t, int64_t lane, int64_t o)
{
    const int64_t band = (lane / t->bands * t->outputs + o) * t->bands + lane % t->bands;
    return lane < t->lanes ? band * t->rows * t->x.result : -1;
}

/* Separate LANES bands of the result. */
static void NAME(store_block)(const struct NAME(plan) *t, int64_t block, const real *from)
{
    const int64_t band = t->rows * t->x.result;
    for (int64_t o = 0; o < t->outputs; o++, from += band * (int64_t)LANES) {
        real *to[LANES];
        for (int64_t l = 0; l < (int64_t)LANES; l++) {
            const int64_t at = NAME(band_at)(t, block * (int64_t)LANES + l, o);
            to[l] = at >= 0 ? t->out + at : NULL;
        }
        NAME(separate)(from, band, to);
    }
}

/* Sums of `outputs` neighbouring outputs at `positions` neighbours of the list. Both are constants
 * wherever this is inlined: the sums are registers, and the loops over them straight code. */
INLINE void NAME(conv_tile)(const int outputs, const int positions, const struct NAME(phase) *f,
                            int64_t p, const real *weights, const real *bias, const real *source,
                            real *result, int64_t plane)
{
    NAME(vector) sums[OUTPUTS][8];
    const real *from[8];
    int64_t begin = f->taps, end = 0;
    UNROLL for (int v = 0; v < positions; v++) {
        from[v] = source + f->source[p + v];
        begin = begin < f->begin[p + v] ? begin : f->begin[p + v];
        end = end > f->end[p + v] ? end : f->end[p + v];
        UNROLL for (int m = 0; m < outputs; m++)
            sums[m][v] = (NAME(vector)){0} + (bias ? bias[m] : 0);
    }
    for (int64_t k = begin; k < end; k++) {
        NAME(vector) seen[8];
        const ptrdiff_t offset = f->offset[k];
        UNROLL for (int v = 0; v < positions; v++)
            seen[v] = LOAD(from[v] + offset);
        UNROLL for (int m = 0; m < outputs; m++)
            UNROLL for (int v = 0; v < positions; v++)
                sums[m][v] += weights[k * outputs + m] * seen[v];
    }
    UNROLL for (int m = 0; m < outputs; m++)
        UNROLL for (int v = 0; v < positions; v++)
            STORE(result + m * plane + f->result[p + v], sums[m][v]);
}

/* All positions, with tiles of one height. The last tile overlaps with the one before. */
#define TILES(outputs) \
    case outputs: \
        if (f->positions >= POSITIONS(outputs)) \
            for (int64_t p = 0; p < f->positions; p += POSITIONS(outputs)) { \
                const int64_t first = p + POSITIONS(outputs) <= f->positions \
                                          ? p \
                                          : f->positions - POSITIONS(outputs); \
                NAME(conv_tile)(outputs, POSITIONS(outputs), f, first, weights, bias, source, \
                                result, plane); \
            } \
        else \
            for (int64_t p = 0; p < f->positions; p++) \
                NAME(conv_tile)(outputs, 1, f, p, weights, bias, source, result, plane); \
        return;
static void NAME(all_positions)(int64_t outputs, const struct NAME(phase) *f, const real *weights,
                                const real *bias, const real *source, real *result, int64_t plane)
{
    switch (outputs) {
        TILES(1) TILES(2) TILES(3) TILES(4)
#if OUTPUTS == 8
        TILES(5) TILES(6) TILES(7) TILES(8)
#endif
    }
}
#undef TILES

static void NAME(conv_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(plan) *t = task;
    const int64_t plane = NAME(result_plane)(t);
    const int64_t c_each = t->channels / t->groups, o_each = t->outputs / t->groups;
    real *source = take_scratch((size_t)(NAME(source_size)(t) + NAME(result_size)(t)) *
                                sizeof(real));
    for (size_t block = begin; block < end; block++) {
        t->failed[block] = source == NULL;
        if (source == NULL)
            continue;
        real *result = source + NAME(source_size)(t);
        NAME(load_block)(t, (int64_t)block, source);
        for (int64_t group = 0; group < t->groups; group++)
            for (int64_t i = 0; o_each > 0 && i < NAME(output_tiles)(o_each); i++) {
                const int64_t first = NAME(output_tile_at)(o_each, i);
                const int64_t n = NAME(output_tile_at)(o_each, i + 1) - first;
                const int64_t o = group * o_each + first;
                for (const struct NAME(phase) *f = t->phase; f < t->phase + t->phases; f++)
                    NAME(all_positions)(
                        n, f, f->weights + o * f->taps, t->bias ? t->bias + o : NULL,
                        source + group * c_each * NAME(source_plane)(t), result + o * plane, plane);
            }
        NAME(store_block)(t, (int64_t)block, result);
    }
    give_scratch(source);
}

/* Whether any of the pieces of work found no memory. */
static bool NAME(any_failed)(const bool *failed, int64_t pieces_of_work)
{
    bool any = false;
    for (int64_t i = 0; i < pieces_of_work; i++)
        any |= failed[i];
    return any;
}

/* A convolution, or a transposed one; false where there was no memory for it. */
static bool NAME(convolve_lanes)(const struct NAME(convolution) *c)
{
    struct NAME(plan) plan = {SAME_AS(c)}, *const t = &plan;
    if (!NAME(make_plan)(t))
        return false;
    parallel_for((size_t)t->blocks, grain_of(1e5, NAME(block_work)(t)), NAME(conv_body), t);
    const bool failed = NAME(any_failed)(t->failed, t->blocks);
    NAME(free_plan)(t);
    return !failed;
}
#undef POSITIONS
#undef OUTPUTS
