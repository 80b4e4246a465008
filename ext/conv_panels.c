/* conv_panels.c - convolution of many channels: products with panels of NR outputs.
 *
 * conv_lanes.c keeps an image in each lane of a vector; many channels of them fit no cache. Here a
 * vector holds neighbouring outputs. With the weight packed as matmul.c packs a matrix b, NR
 * outputs wide, each tap of a window adds
 *
 *     out[position][o .. o + NR] += source[position + offset(tap)] * weight[tap][o .. o + NR]
 *
 * for HEIGHT positions at a time: the micro-kernel of a product in which a's element (position,
 * tap) is read from the image itself. Both of its indices are lists of offsets, so that any stride
 * and dilation is served, and no window is ever copied. Only padding costs a copy of the images.
 * The gradient of the weight (conv_weight.c) is the same loop with positions and taps exchanged:
 * HEIGHT taps at a time, positions added up, and the windows' numbers in panels of NR outputs,
 *
 *     weight[tap][o .. o + NR] += source[position + offset(tap)] * windows[position][o .. o + NR]
 *
 * Traffic: a step reads 2 vectors and HEIGHT numbers for 2 * HEIGHT multiply-adds. The panel comes
 * from the second-level cache, once for each tile. Packing is a pass over the weight and, where
 * there is padding, one over the images; each tile is transposed on its way out.
 *
 *     Zhang, Franchetti and Low, "High Performance Zero-Memory Overhead Direct Convolutions", ICML
 *     2018 */

#if VECTOR_BYTES == 64 /* 32 registers: 28 sums, 2 vectors of the panel, a number */
#define HEIGHT 14
#define HEIGHT_OF(columns) ((columns) > (int64_t)LANES ? HEIGHT : 10) /* else addresses are many */
#else
#define HEIGHT MR
#define HEIGHT_OF(columns) HEIGHT
#endif
#ifdef REAL_IS_FLOAT /* once */
/* Bytes of a panel of weights, which is read from the second-level cache for each tile, and of the
 * images that are read with it. */
enum { PANEL_BYTES = 192 << 10, SEEN_BYTES = 448 << 10 };
enum { POSITIONS_ENOUGH = 1024 }; /* of a block */
enum { TILES = 16 };              /* of a piece of work */
#endif

/* Positions whose sums have the same taps. */
struct NAME(taps) {
    int64_t each, in_row, top, taps; /* taps of a channel, positions of a row, the first row */
    const ptrdiff_t *source, *result;      /* of each position: its window's beginning, its sum */
    const ptrdiff_t *offset;               /* of each tap, from `source`: channel by channel */
    const int64_t *element;                /* of each tap of a channel: its place in the kernel */
    const real *weights;                   /* [group][panel][channel][tap][NR] */
};

struct NAME(panels) {
    CONVOLUTION;
    int64_t images, rows, bands; /* of a block: several images, or some rows of one */
    int64_t pitch, plane, image; /* of the source as it is read: a row, a channel, an image */
    bool padded;
    int64_t deep;                  /* channels that are added up at a time */
    int64_t wide;                  /* panels of a group */
    const struct NAME(taps) * phase;
    real *seen;                  /* padded images */
    /* the block at work */
    int64_t first, count, row, high; /* images, rows of the result */
    int64_t channel, channels_now;
    const struct NAME(taps) * now;
    real *packed, *sums; /* of the weight's gradient: windows and results, in panels */
};

/* out[rows][vectors * LANES] = (or +=) sum over k of a[row[i] + step[k]] * b[k][...] */
INLINE void NAME(list_kernel)(const int rows, const int vectors, int64_t steps, const real *a,
                              const ptrdiff_t *row, const ptrdiff_t *step, const real *b, real *out,
                              bool add)
{
    NAME(vector) sum[HEIGHT][2];
    ptrdiff_t at[HEIGHT];
    UNROLL for (int i = 0; i < rows; i++) {
        at[i] = row[i];
        UNROLL for (int v = 0; v < vectors; v++)
            sum[i][v] = (NAME(vector)){0};
    }
    for (int64_t k = 0; k < steps; k++, b += NR) {
        const real *from = a + step[k];
        NAME(vector) line[2];
        UNROLL for (int v = 0; v < vectors; v++)
            line[v] = LOAD(b + v * LANES);
        UNROLL for (int i = 0; i < rows; i++)
            UNROLL for (int v = 0; v < vectors; v++)
                sum[i][v] += from[at[i]] * line[v];
    }
    UNROLL for (int i = 0; i < rows; i++, out += NR)
        UNROLL for (int v = 0; v < vectors; v++)
            STORE(out + v * LANES, add ? LOAD(out + v * LANES) + sum[i][v] : sum[i][v]);
}

#define CASE(rows) \
    case rows: \
        NAME(list_kernel)(rows, vectors, steps, a, row, step, b, out, add); \
        return;
#define CASES(vectors_) \
    { \
        enum { vectors = vectors_ }; \
        switch (rows) { \
            CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) MORE_CASES \
        } \
    }
#if VECTOR_BYTES == 64
#define MORE_CASES \
    CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12) CASE(13) CASE(14)
#else
#define MORE_CASES
#endif
static void NAME(list_tile_2)(int64_t rows, int64_t steps, const real *a, const ptrdiff_t *row,
                              const ptrdiff_t *step, const real *b, real *out, bool add)
    CASES(2)
static void NAME(list_tile_1)(int64_t rows, int64_t steps, const real *a, const ptrdiff_t *row,
                              const ptrdiff_t *step, const real *b, real *out, bool add)
    CASES(1)
#undef CASE
#undef CASES
#undef MORE_CASES

/* ---- the plan -------------------------------------------------------------------------------- */
static inline int64_t NAME(c_each)(const struct NAME(panels) *t) { return t->channels / t->groups; }
static inline int64_t NAME(o_each)(const struct NAME(panels) *t) { return t->outputs / t->groups; }

/* Positions of the block at work: its images and rows come first in the lists. */
static inline int64_t NAME(positions_now)(const struct NAME(panels) *t,
                                          const struct NAME(taps) *f)
{
    const int64_t rows = t->high > f->top ? (t->high - f->top - 1) / phases_of(&t->y) + 1 : 0;
    return t->count * rows * f->in_row;
}

/* How far apart in the source the windows of two rows are that are `rows` apart in the result. */
static inline int64_t NAME(rows_seen)(const struct NAME(panels) *t, int64_t rows)
{
    return t->y.transposed ? rows / t->y.stride : rows * t->y.stride;
}

/* Channels are added up, and rows or images taken, as many at a time as the caches hold. `weight`:
 * all channels are at work together. */
static void NAME(choose_blocks)(struct NAME(panels) *t, bool weight)
{
    const size_t c_each = (size_t)NAME(c_each)(t), size = sizeof(real);
    const size_t tap = NR * size * (size_t)(t->y.kernel * t->x.kernel);
    const int64_t step = phases_of(&t->y), rows = t->y.result;
    t->wide = (int64_t)pieces((size_t)NAME(o_each)(t), NR);
    t->deep = (int64_t)equal_piece(c_each, larger(1, PANEL_BYTES / tap));
    t->images = t->bands = 1;
    t->rows = rows;
    place_source(&t->x, t->x.result);
    place_source(&t->y, rows);
    t->padded = t->x.first < 0 || t->y.first < 0 || t->x.extent + t->x.first > t->x.source ||
                t->y.extent + t->y.first > t->y.source;
    const size_t line = (size_t)t->x.extent * size * (size_t)(weight ? t->channels : t->deep);
    const int64_t most = (int64_t)(SEEN_BYTES / larger(1, line)); /* rows of the source */
    if (t->y.extent <= most) {
        const size_t images = (size_t)(most / t->y.extent);
        const size_t enough = larger(1, POSITIONS_ENOUGH / (size_t)(rows * t->x.result));
        t->images = (int64_t)equal_piece((size_t)t->n, smaller(images, enough));
    } else {
        const int64_t shared = t->y.extent - NAME(rows_seen)(t, rows - 1);
        const int64_t high = (most - shared) * rows / larger(1, (size_t)NAME(rows_seen)(t, rows));
        const size_t band = equal_piece((size_t)rows, larger(4, high > 0 ? (size_t)high : 0));
        t->rows = (int64_t)smaller(pieces(band, (size_t)step) * (size_t)step, (size_t)rows);
        t->bands = (int64_t)pieces((size_t)rows, (size_t)t->rows);
        place_source(&t->y, t->rows);
    }
    t->pitch = t->padded ? t->x.extent : t->x.source;
    t->plane = t->padded ? t->y.extent * t->pitch : t->y.source * t->x.source;
    t->image = t->plane * t->channels;
}

/* The weights of one panel and phase: to[tap][NR]. */
static void NAME(pack_weights)(const struct NAME(panels) *t, const struct NAME(taps) *f,
                               int64_t group, int64_t panel, real *to)
{
    const int64_t c_each = NAME(c_each)(t), o_each = NAME(o_each)(t);
    const int64_t kernel = t->y.kernel * t->x.kernel, o = panel * (int64_t)NR;
    const int64_t high = o_each - o < (int64_t)NR ? o_each - o : (int64_t)NR;
    if (!t->y.transposed) {
        const real *from = t->w + (group * o_each + o) * c_each * kernel;
        NAME(transpose)(from, c_each * kernel, (size_t)high, (size_t)f->taps, to, NR);
        return;
    }
    const real *end = t->w + t->channels * o_each * kernel;
    for (int64_t c = 0; c < c_each; c++, to += f->each * (int64_t)NR)
        for (int64_t r = 0; r < high; r += (int64_t)LANES) {
            const real *from = t->w + ((group * c_each + c) * o_each + o + r) * kernel;
            if (kernel <= (int64_t)LANES && r + (int64_t)LANES <= high &&
                end - from >= ((int64_t)LANES - 1) * kernel + (int64_t)LANES) {
                NAME(vector) square[LANES];
                UNROLL for (size_t i = 0; i < LANES; i++)
                    square[i] = LOAD(from + (int64_t)i * kernel);
                NAME(transpose_square)(square);
                for (int64_t k = 0; k < f->each; k++)
                    STORE(to + k * (int64_t)NR + r, square[f->element[k]]);
            } else
                for (int64_t k = 0; k < f->each; k++)
                    for (int64_t i = 0; i < (int64_t)LANES; i++)
                        to[k * (int64_t)NR + r + i] =
                            r + i < high ? from[i * kernel + f->element[k]] : 0;
        }
}

static void NAME(pack_weights_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(panels) *t = task;
    const int64_t phases = phases_of(&t->y) * phases_of(&t->x);
    for (int64_t q = (int64_t)begin; q < (int64_t)end; q++)
        for (const struct NAME(taps) *f = t->phase; f < t->phase + phases; f++)
            NAME(pack_weights)(t, f, q / t->wide, q % t->wide,
                               (real *)f->weights + q * f->taps * (int64_t)NR);
}

static bool NAME(plan_panels)(struct NAME(panels) *t, bool weight)
{
    NAME(choose_blocks)(t, weight);
    const int64_t c_each = NAME(c_each)(t), positions = t->images * t->rows * t->x.result;
    const int64_t kernel = t->y.kernel * t->x.kernel, taps = c_each * kernel;
    const int64_t phases = phases_of(&t->y) * phases_of(&t->x);
    const size_t panels = (size_t)(t->groups * t->wide * (int64_t)NR);
    const size_t lists = (size_t)phases * sizeof(struct NAME(taps)) +
                         (size_t)(2 * positions + taps + kernel) * sizeof(int64_t);
    const size_t head = (lists + 63) / 64 * 64;
    const size_t seen = t->padded ? (size_t)(t->images * t->image) : 0;
    const size_t aligned = pieces(seen, 16) * 16, packed = weight ? (size_t)positions : 0;
    const size_t numbers = aligned + panels * ((size_t)taps + packed);
    char *memory = take_scratch(head + numbers * sizeof(real));
    if (memory == NULL)
        return false;
    struct NAME(taps) *f = (struct NAME(taps) *)memory;
    ptrdiff_t *source = (ptrdiff_t *)(f + phases), *result = source + positions;
    ptrdiff_t *offset = result + positions;
    int64_t *element = (int64_t *)(offset + taps);
    real *weights = (real *)(memory + head);
    t->phase = f;
    t->seen = weights;
    weights += aligned;
    t->sums = weights;
    t->packed = weights + panels * (size_t)taps;
    for (int64_t a = 0; a < phases_of(&t->y); a++)
        for (int64_t e = 0; e < phases_of(&t->x); e++, f++) {
            int64_t p = 0, k = 0, each = 0;
            for (int64_t i = 0; i < t->y.kernel; i++)
                for (int64_t j = 0; j < t->x.kernel; j++)
                    if (phase_of_tap(&t->y, i) == a && phase_of_tap(&t->x, j) == e)
                        element[each++] = i * t->x.kernel + j;
            for (int64_t c = 0; c < c_each; c++)
                for (int64_t j = 0; j < each; j++)
                    offset[k++] = c * t->plane +
                                  place_of_tap(&t->y, element[j] / t->x.kernel) * t->pitch +
                                  place_of_tap(&t->x, element[j] % t->x.kernel);
            int64_t in_row = 0;
            for (int64_t x = first_of_phase(&t->x, e); x < t->x.result; x += phases_of(&t->x))
                in_row++;
            for (int64_t i = 0; i < t->images; i++)
                for (int64_t y = first_of_phase(&t->y, a); y < t->rows; y += phases_of(&t->y))
                    for (int64_t x = first_of_phase(&t->x, e); x < t->x.result;
                         x += phases_of(&t->x), p++) {
                        source[p] = i * t->image + place_of_result(&t->y, y) * t->pitch +
                                    place_of_result(&t->x, x);
                        result[p] = (i * t->outputs * t->y.result + y) * t->x.result + x;
                    }
            *f = (struct NAME(taps)){each, in_row, first_of_phase(&t->y, a), k, source, result,
                                     offset, element, weights};
            source += p, result += p, offset += k, element += each;
            weights += panels * (size_t)k;
        }
    return true;
}

/* ---- a block --------------------------------------------------------------------------------- */
/* Image by image and channel by channel: the rows that the block sees, with their padding. */
static void NAME(pad_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(panels) *t = task;
    const int64_t start = NAME(rows_seen)(t, t->row) + t->y.first;
    const int64_t w = t->x.source, h = t->y.source, left = -t->x.first, pitch = t->pitch;
    /* places of a plane that lie in the image */
    const int64_t first = left > 0 ? (left < pitch ? left : pitch) : 0;
    const int64_t last = left + w < pitch ? left + w : pitch;
    const int64_t top = start < 0 ? -start : 0;
    const int64_t bottom = h - start < t->y.extent ? h - start : t->y.extent;
    for (int64_t q = (int64_t)begin; q < (int64_t)end; q++) {
        const int64_t image = q / t->channels, c = q % t->channels;
        const real *from = t->source + ((t->first + image) * t->channels + c) * h * w;
        real *to = t->seen + image * t->image + c * t->plane;
        memset(to, 0, (size_t)t->plane * sizeof(real));
        if (w == pitch && left == 0 && top < bottom)
            NAME(copy_row)(to + top * pitch, from + (start + top) * w, (bottom - top) * w);
        else
            for (int64_t y = top; y < bottom && first < last; y++)
                NAME(copy_row)(to + y * pitch + first, from + (start + y) * w + first - left,
                               last - first);
    }
}

/* Where the block at work begins in the images as they are read. */
static const real *NAME(seen_now)(const struct NAME(panels) *t)
{
    if (t->padded)
        return t->seen;
    const int64_t row = NAME(rows_seen)(t, t->row) + t->y.first;
    return t->source + t->first * t->image + row * t->pitch + t->x.first;
}

/* Write a tile, out[o][result[i]] = (or +=) tile[i][o] + bias[o]. `left`: positions up to the end
 * of the piece. Before that, whole vectors may be written: what is too much of them is 0, and is
 * added to what the next tile adds to, or overwritten by it. */
static void NAME(store_tile)(const real *tile, int64_t rows, int64_t columns,
                             const ptrdiff_t *result, int64_t left, const real *bias, bool add,
                             real *out, int64_t plane)
{
    real turned[NR * SLIVER], none[NR] = {0};
    const real *from = turned;
    NAME(transpose)(tile, NR, (size_t)rows, (size_t)columns, turned, SLIVER);
    out += result[0];
    bias = bias ? bias : none;
    int64_t m = 0;
    if (left >= SLIVER && result[SLIVER - 1] - result[0] == SLIVER - 1) {
        for (; m < columns; m++, from += SLIVER, out += plane)
            for (int64_t i = 0; i < rows; i += (int64_t)LANES)
                STORE(out + i, LOAD(from + i) + bias[m] +
                                   (add ? LOAD(out + i) : (NAME(vector)){0}));
        return;
    }
    for (; m + 4 <= columns; m += 4, from += 4 * SLIVER, out += 4 * plane)
        for (int64_t i = 0; i < rows; i++) {
            real *to = out + (result[i] - result[0]);
            UNROLL for (int64_t j = 0; j < 4; j++, to += plane)
                *to = (add ? *to : 0) + from[j * SLIVER + i] + bias[m + j];
        }
    for (; m < columns; m++, from += SLIVER, out += plane)
        for (int64_t i = 0; i < rows; i++) {
            real *to = out + (result[i] - result[0]);
            *to = (add ? *to : 0) + from[i] + bias[m];
        }
}

/* A piece is a panel of outputs times some tiles of positions. */
static void NAME(panel_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(panels) *t = task;
    const struct NAME(taps) *f = t->now;
    const int64_t positions = NAME(positions_now)(t, f), o_each = NAME(o_each)(t);
    const int64_t chunks = (int64_t)pieces(pieces((size_t)positions, HEIGHT), TILES);
    const int64_t plane = t->y.result * t->x.result;
    const real *seen = NAME(seen_now)(t);
    real tile[HEIGHT * NR];
    for (int64_t q = (int64_t)begin; q < (int64_t)end; q++) {
        const int64_t chunk = q % chunks, panel = q / chunks, group = panel / t->wide;
        const int64_t in_group = panel % t->wide * (int64_t)NR, o = group * o_each + in_group;
        const int64_t columns = o_each - in_group < (int64_t)NR ? o_each - in_group : (int64_t)NR;
        const real *b = f->weights + (panel * f->taps + t->channel * f->each) * (int64_t)NR;
        const real *a = seen + group * NAME(c_each)(t) * t->plane;
        const real *bias = t->bias && t->channel == 0 ? t->bias + o : NULL;
        real *out = t->out + (t->first * t->outputs + o) * plane + t->row * t->x.result;
        const int64_t tiles = (int64_t)pieces((size_t)positions, HEIGHT_OF(columns));
        const int64_t stop = (chunk + 1) * tiles / chunks;
        const int64_t end_of_piece = stop * positions / tiles;
        for (int64_t s = chunk * tiles / chunks; s < stop; s++) {
            const int64_t p = s * positions / tiles, rows = (s + 1) * positions / tiles - p;
            (columns > (int64_t)LANES ? NAME(list_tile_2) : NAME(list_tile_1))(
                rows, t->channels_now * f->each, a, f->source + p,
                f->offset + t->channel * f->each, b, tile, false);
            NAME(store_tile)(tile, rows, columns, f->result + p, end_of_piece - p, bias,
                             t->channel > 0, out, plane);
        }
    }
}

static void NAME(next_block)(struct NAME(panels) *t, int64_t block)
{
    t->first = block / t->bands * t->images;
    t->count = t->n - t->first < t->images ? t->n - t->first : t->images;
    t->row = block % t->bands * t->rows;
    t->high = t->y.result - t->row < t->rows ? t->y.result - t->row : t->rows;
}

static bool NAME(convolve_panels)(const struct NAME(convolution) *c)
{
    struct NAME(panels) plan = {SAME_AS(c)}, *const t = &plan;
    if (!NAME(plan_panels)(t, false))
        return false;
    const int64_t c_each = NAME(c_each)(t), phases = phases_of(&t->y) * phases_of(&t->x);
    const int64_t blocks = (int64_t)pieces((size_t)t->n, (size_t)t->images) * t->bands;
    parallel_for((size_t)(t->groups * t->wide),
                 grain_of(32768, (double)(t->phase->taps * (int64_t)NR)), NAME(pack_weights_body),
                 t);
    for (int64_t block = 0; block < blocks; block++) {
        NAME(next_block)(t, block);
        if (t->padded)
            parallel_for((size_t)(t->count * t->channels), grain_of(32768, (double)t->plane),
                         NAME(pad_body), t);
        for (t->channel = 0; t->channel == 0 || t->channel < c_each; t->channel += t->deep) {
            t->channels_now = smaller((size_t)t->deep, (size_t)(c_each - t->channel));
            for (t->now = t->phase; t->now < t->phase + phases; t->now++) {
                const size_t positions = (size_t)NAME(positions_now)(t, t->now);
                const size_t chunks = pieces(pieces(positions, HEIGHT), TILES);
                const double taps = (double)(t->channels_now * t->now->each);
                const double work = taps * (double)(HEIGHT * TILES * NR);
                parallel_for(chunks * (size_t)(t->groups * t->wide), grain_of(WORK, work),
                             NAME(panel_body), t);
            }
        }
    }
    give_scratch((void *)t->phase);
    return true;
}
