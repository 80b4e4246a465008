/* conv_panels.c - convolution of many channels: products with panels of NR outputs.
 *
 * conv_lanes.c keeps an image in each lane of a vector; many channels of them fit no cache. Here a
 * vector holds neighbouring outputs. With the weight packed as matmul.c packs a matrix b, NR
 * outputs wide, each tap of a window adds
 *
 *     out[position][o .. o + NR] += source[position + offset(tap)] * weight[tap][o .. o + NR]
 *
 * for HEIGHT positions at a time (conv_tile.c). The images are read where they are: no window is
 * ever copied, and for most sizes no padding either (see "parts" below). The gradient of the weight
 * (conv_weight.c) is the same loop with positions and taps exchanged: HEIGHT taps at a time,
 * positions added up, and the windows' numbers in panels of NR outputs,
 *
 *     weight[tap][o .. o + NR] += source[position + offset(tap)] * windows[position][o .. o + NR]
 *
 * Traffic: the panel comes from the second-level cache, once for each tile, and the images from
 * there or from further away once for each panel. Packing is a pass over the weight.
 *
 *     Zhang, Franchetti and Low, "High Performance Zero-Memory Overhead Direct Convolutions", ICML
 *     2018 */

#ifdef REAL_IS_FLOAT /* once */
/* Bytes of a panel of weights, which is read from the second-level cache for each tile, and of the
 * images that are read with it. */
enum { PANEL_BYTES = 192 << 10, SEEN_BYTES = 448 << 10 };
enum { POSITIONS_ENOUGH = 1024 }; /* of a block */
enum { TILES = 16 };              /* of a piece of work */
#endif

/* Positions of the block at work whose windows see the same taps: rows times columns of each
 * image. */
struct NAME(part) {
    struct span y, x;
    struct nest nest;         /* channels, rows of the window, columns */
    ptrdiff_t source, result; /* where the first window begins, and its sum */
    ptrdiff_t down, across, result_down, result_across; /* to those of the next row, column */
    const real *weights;      /* [group][panel][channel][tap][NR] of the phase */
    int64_t each, tap;        /* taps of a channel in the phase; the part's first */
    int64_t tiles, in_row;    /* in_row: tiles of a row, 0 if they go on from row to row */
    int64_t first_piece;
};

struct NAME(panels) {
    CONVOLUTION;
    int64_t images, rows, bands; /* of a block: several images, or some rows of one */
    int64_t pitch, plane, image; /* of the source as it is read: a row, a channel, an image */
    bool over_y, over_x;         /* does any window see padding? */
    bool cut_y, cut_x;           /* into spans that see the same taps */
    bool padded;                 /* else the source is read where it is */
    int64_t deep;                /* channels that are added up at a time */
    int64_t wide, panels;        /* panels of a group, of all */
    int64_t phases, taps;        /* taps of all phases */
    real *seen;                  /* padded images */
    real *weights, *bias_panels; /* in panels, phase by phase */
    real *packed, *sums;         /* of the weight's gradient: windows and results, in panels */
    /* the block at work */
    int64_t first, count, row, high; /* images, rows of the result */
    int64_t channel, channels_now, parts, pieces;
    struct NAME(part) *part;
    struct span *y_spans, *x_spans; /* room for those of a phase */
};

/* ---- the plan -------------------------------------------------------------------------------- */
static inline int64_t NAME(c_each)(const struct NAME(panels) *t) { return t->channels / t->groups; }
static inline int64_t NAME(o_each)(const struct NAME(panels) *t) { return t->outputs / t->groups; }

/* How far apart in the source the windows of two rows are that are `rows` apart in the result. */
static inline int64_t NAME(rows_seen)(const struct NAME(panels) *t, int64_t rows)
{
    return t->y.transposed ? rows / t->y.stride : rows * t->y.stride;
}

/* Whether any of the places that an axis sees is padding. */
static inline bool NAME(overhangs)(const struct axis *d)
{
    return d->first < 0 || d->first + d->extent > d->source;
}

/* Channels are added up, and rows or images taken, as many at a time as the caches hold. `weight`:
 * all channels are at work together. */
static void NAME(choose_blocks)(struct NAME(panels) *t, bool weight)
{
    const size_t c_each = (size_t)NAME(c_each)(t), size = sizeof(real);
    const size_t tap = NR * size * (size_t)(t->y.kernel * t->x.kernel);
    const int64_t step = phases_of(&t->y), rows = t->y.result;
    t->wide = (int64_t)pieces((size_t)NAME(o_each)(t), NR);
    t->panels = t->groups * t->wide;
    t->phases = phases_of(&t->y) * phases_of(&t->x);
    t->taps = (int64_t)c_each * t->y.kernel * t->x.kernel;
    t->deep = (int64_t)equal_piece(c_each, larger(1, PANEL_BYTES / tap));
    t->images = t->bands = 1;
    t->rows = rows;
    place_source(&t->x, t->x.result);
    place_source(&t->y, rows);
    t->over_x = NAME(overhangs)(&t->x);
    t->over_y = NAME(overhangs)(&t->y);
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
}

/* ---- parts ----
 * Where a window hangs over the edge of the image, some of its taps meet padding. Positions that
 * have the same taps in the image are a part: of a 3 x 3 kernel with padding 1 there are nine, the
 * inner ones, four edges and four corners. Each part is computed with its own taps. So nothing is
 * multiplied by the padding's zeros, which at 14 x 14 are a tenth of all products, and the padding
 * needs no copy of the images. Where parts would be too small for good tiles, the images are copied
 * with their padding after all, and rows or columns are one part. */
static void NAME(plan_tiles)(const struct NAME(panels) *t, struct NAME(part) *part)
{
    const int64_t columns = part->x.count, lines = t->count * part->y.count;
    const int64_t in_row = (int64_t)pieces((size_t)columns, HEIGHT);
    part->in_row = 5 * columns >= 4 * in_row * HEIGHT ? in_row : 0;
    part->tiles = part->in_row ? lines * in_row
                               : (int64_t)pieces((size_t)(lines * columns), HEIGHT);
}

static struct NAME(part) NAME(part_of)(const struct NAME(panels) *t, const struct phase *fy,
                                       const struct phase *fx, struct span y, struct span x)
{
    const struct axis *ay = &t->y, *ax = &t->x;
    const ptrdiff_t down = ay->transposed ? 1 : ay->stride;
    const ptrdiff_t across = ax->transposed ? 1 : ax->stride;
    const int64_t top = place_of_tap(ay, fy->first + y.tap * fy->step) +
                        place_of_result(ay, y.result) +
                        (t->padded ? 0 : NAME(rows_seen)(t, t->row) + ay->first);
    const int64_t left = place_of_tap(ax, fx->first + x.tap * fx->step) +
                         place_of_result(ax, x.result) + (t->padded ? 0 : ax->first);
    const int64_t y_tap = place_of_tap(ay, fy->first + fy->step) - place_of_tap(ay, fy->first);
    const int64_t x_tap = place_of_tap(ax, fx->first + fx->step) - place_of_tap(ax, fx->first);
    struct NAME(part) part = {
        .y = y, .x = x, .each = fy->taps * fx->taps, .tap = y.tap * fx->taps + x.tap,
        .source = top * t->pitch + left, .down = down * t->pitch, .across = across,
        .result = y.result * ax->result + x.result, .result_down = phases_of(ay) * ax->result,
        .result_across = phases_of(ax),
        .nest = {.count = {0, y.taps, x.taps}, .a = {t->plane, y_tap * t->pitch, x_tap},
                 .b = {fy->taps * fx->taps * (int64_t)NR, fx->taps * (int64_t)NR, NR}}};
    NAME(plan_tiles)(t, &part);
    return part;
}

/* The parts of the block at work, and how many pieces of work of a panel they are. */
static void NAME(find_parts)(struct NAME(panels) *t)
{
    const real *weights = t->weights;
    t->parts = t->pieces = 0;
    for (int64_t a = 0; a < phases_of(&t->y); a++) {
        const struct phase fy = phase_of(&t->y, a);
        const int64_t start = NAME(rows_seen)(t, t->row) + t->y.first;
        const int64_t ny = spans_of(&t->y, &fy, start, t->high, t->cut_y, t->y_spans);
        for (int64_t e = 0; e < phases_of(&t->x); e++) {
            const struct phase fx = phase_of(&t->x, e);
            const int64_t nx = spans_of(&t->x, &fx, t->x.first, t->x.result, t->cut_x, t->x_spans);
            for (int64_t i = 0; i < ny * nx; i++) {
                struct NAME(part) *part = &t->part[t->parts++];
                *part = NAME(part_of)(t, &fy, &fx, t->y_spans[i / nx], t->x_spans[i % nx]);
                part->weights = weights;
                part->first_piece = t->pieces;
                t->pieces += (int64_t)pieces((size_t)part->tiles, TILES);
            }
            weights += t->panels * NAME(c_each)(t) * fy.taps * fx.taps * (int64_t)NR;
        }
    }
}

/* What a block takes, in multiply-adds of vectors: to add up, to store tiles, to copy images. */
static double NAME(block_takes)(struct NAME(panels) *t)
{
    const double vectors = NAME(o_each)(t) > (int64_t)LANES ? 2 : 1;
    double work = 0;
    NAME(find_parts)(t);
    for (const struct NAME(part) *part = t->part; part < t->part + t->parts; part++) {
        const double positions = (double)(t->count * part->y.count * part->x.count);
        const double tiles = (double)part->tiles, taps = (double)(part->y.taps * part->x.taps);
        const double sums = vectors * positions, least = 4 * tiles; /* each waits for the last */
        work += taps * (double)NAME(c_each)(t) * (sums < least ? least : sums) +
                tiles * vectors * 150;
    }
    return work * (double)t->panels +
           (t->padded ? (double)(t->count * t->channels * t->y.extent * t->x.extent) / 4 : 0);
}

static void NAME(lay_planes)(struct NAME(panels) *t, bool cut_y, bool cut_x)
{
    t->cut_y = cut_y && t->over_y, t->cut_x = cut_x && t->over_x;
    t->padded = t->over_y > t->cut_y || t->over_x > t->cut_x;
    t->pitch = t->padded ? t->x.extent : t->x.source;
    t->plane = t->padded ? t->y.extent * t->pitch : t->y.source * t->x.source;
    t->image = t->plane * t->channels;
}

static void NAME(next_block)(struct NAME(panels) *t, int64_t block)
{
    t->first = block / t->bands * t->images;
    t->count = t->n - t->first < t->images ? t->n - t->first : t->images;
    t->row = block % t->bands * t->rows;
    t->high = t->y.result - t->row < t->rows ? t->y.result - t->row : t->rows;
}

/* Choose the axes that are cut, and take memory. */
static bool NAME(plan_panels)(struct NAME(panels) *t)
{
    NAME(choose_blocks)(t, false);
    const bool overhang = t->over_y || t->over_x;
    const size_t rows = (size_t)t->rows, columns = (size_t)t->x.result;
    const size_t parts = smaller(rows, 4 * (size_t)(t->y.kernel + phases_of(&t->y))) *
                         smaller(columns, 4 * (size_t)(t->x.kernel + phases_of(&t->x)));
    const size_t lists = parts * sizeof(struct NAME(part)) + (rows + columns) * sizeof(struct span);
    const size_t head = (lists + 63) / 64 * 64, weights = (size_t)(t->panels * (t->taps + 1)) * NR;
    const size_t planes = (size_t)(t->images * t->channels);
    const size_t seen = overhang ? planes * (size_t)(t->y.extent * t->x.extent) : 0;
    char *memory = take_scratch(head + (weights + seen) * sizeof(real));
    if (memory == NULL)
        return false;
    t->part = (struct NAME(part) *)memory;
    t->y_spans = (struct span *)(t->part + parts);
    t->x_spans = t->y_spans + rows;
    t->bias_panels = (real *)(memory + head);
    t->weights = t->bias_panels + t->panels * (int64_t)NR;
    t->seen = t->weights + t->panels * t->taps * (int64_t)NR;
    double least = DBL_MAX;
    int best = 0;
    NAME(next_block)(t, 0);
    for (int way = overhang ? 3 : 0; way >= 0; way--) {
        NAME(lay_planes)(t, way / 2, way % 2);
        const double work = overhang ? NAME(block_takes)(t) : 0;
        if (work < least)
            least = work, best = way;
    }
    NAME(lay_planes)(t, best / 2, best % 2);
    return true;
}

/* The weights of one panel and phase: to[tap][NR]. */
static void NAME(pack_weights)(const struct NAME(panels) *t, const struct phase *fy,
                               const struct phase *fx, int64_t panel, real *to)
{
    const int64_t c_each = NAME(c_each)(t), o_each = NAME(o_each)(t), group = panel / t->wide;
    const int64_t kernel = t->y.kernel * t->x.kernel, o = panel % t->wide * (int64_t)NR;
    const int64_t high = o_each - o < (int64_t)NR ? o_each - o : (int64_t)NR;
    const int64_t each = fy->taps * fx->taps;
    if (!t->y.transposed) {
        const real *from = t->w + (group * o_each + o) * c_each * kernel;
        NAME(transpose)(from, c_each * kernel, (size_t)high, (size_t)(c_each * each), to, NR);
        return;
    }
    const real *end = t->w + t->channels * o_each * kernel;
    for (int64_t c = 0; c < c_each; c++, to += each * (int64_t)NR)
        for (int64_t r = 0; r < high; r += (int64_t)LANES) {
            const real *from = t->w + ((group * c_each + c) * o_each + o + r) * kernel;
            const bool square = kernel <= (int64_t)LANES && r + (int64_t)LANES <= high &&
                                end - from >= ((int64_t)LANES - 1) * kernel + (int64_t)LANES;
            NAME(vector) lines[LANES];
            if (square) {
                UNROLL for (size_t i = 0; i < LANES; i++)
                    lines[i] = LOAD(from + (int64_t)i * kernel);
                NAME(transpose_square)(lines);
            }
            for (int64_t k = 0; k < each; k++) {
                const int64_t i = fy->first + k / fx->taps * fy->step;
                const int64_t element = i * t->x.kernel + fx->first + k % fx->taps * fx->step;
                real *line = to + k * (int64_t)NR + r;
                if (square)
                    STORE(line, lines[element]);
                else
                    for (int64_t m = 0; m < (int64_t)LANES; m++)
                        line[m] = r + m < high ? from[m * kernel + element] : 0;
            }
        }
}

static void NAME(pack_weights_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(panels) *t = task;
    const int64_t o_each = NAME(o_each)(t), c_each = NAME(c_each)(t);
    for (int64_t q = (int64_t)begin; q < (int64_t)end; q++) {
        const int64_t in_group = q % t->wide * (int64_t)NR, o = q / t->wide * o_each + in_group;
        for (int64_t m = 0; m < (int64_t)NR; m++)
            t->bias_panels[q * (int64_t)NR + m] =
                t->bias && in_group + m < o_each ? t->bias[o + m] : 0;
        real *to = t->weights;
        for (int64_t a = 0; a < phases_of(&t->y); a++)
            for (int64_t e = 0; e < phases_of(&t->x); e++) {
                const struct phase fy = phase_of(&t->y, a), fx = phase_of(&t->x, e);
                const int64_t size = c_each * fy.taps * fx.taps * (int64_t)NR;
                NAME(pack_weights)(t, &fy, &fx, q, to + q * size);
                to += t->panels * size;
            }
    }
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

/* The positions of a tile: where in the source their windows begin, and in the result their
 * sums. */
static int64_t NAME(positions_of)(const struct NAME(panels) *t, const struct NAME(part) *part,
                                  int64_t tile, ptrdiff_t *source, ptrdiff_t *result)
{
    const int64_t columns = part->x.count, in_row = part->in_row;
    const int64_t all = t->count * part->y.count * columns;
    int64_t p = tile * all / part->tiles, end = (tile + 1) * all / part->tiles;
    if (in_row) {
        const int64_t line = tile / in_row * columns, i = tile % in_row;
        p = line + i * columns / in_row, end = line + (i + 1) * columns / in_row;
    }
    const int64_t rows = end - p;
    int64_t x = p % columns, y = p / columns % part->y.count, image = p / columns / part->y.count;
    for (int64_t i = 0; i < rows; y = 0, image++)
        for (; i < rows && y < part->y.count; x = 0, y++) {
            ptrdiff_t from = part->source + image * t->image + y * part->down + x * part->across;
            ptrdiff_t to = part->result + image * t->outputs * t->y.result * t->x.result +
                           y * part->result_down + x * part->result_across;
            for (; i < rows && x < columns; i++, x++) {
                source[i] = from, from += part->across;
                result[i] = to, to += part->result_across;
            }
        }
    return rows;
}

/* A piece is a panel of outputs times some tiles of a part. */
static void NAME(panel_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(panels) *t = task;
    const int64_t o_each = NAME(o_each)(t), c_each = NAME(c_each)(t);
    const int64_t plane = t->y.result * t->x.result;
    ON_A_LINE real tile[SLIVER * NR] = {0};
    ptrdiff_t source[HEIGHT], result[HEIGHT];
    for (int64_t q = (int64_t)begin; q < (int64_t)end; q++) {
        const int64_t panel = q / t->pieces, piece = q % t->pieces, group = panel / t->wide;
        const struct NAME(part) *part = t->part;
        while (part + 1 < t->part + t->parts && part[1].first_piece <= piece)
            part++;
        const int64_t in_group = panel % t->wide * (int64_t)NR, o = group * o_each + in_group;
        const int64_t columns = o_each - in_group < (int64_t)NR ? o_each - in_group : (int64_t)NR;
        const real *b = part->weights + (panel * c_each * part->each + t->channel * part->each +
                                         part->tap) * (int64_t)NR;
        const real *a = (t->padded ? t->seen : t->source + t->first * t->image) +
                        (group * c_each + t->channel) * t->plane;
        const real *start = t->channel == 0 ? t->bias_panels + panel * (int64_t)NR : NULL;
        real *out = t->out + (t->first * t->outputs + o) * plane + t->row * t->x.result;
        struct nest nest = part->nest;
        nest.count[0] = t->channels_now;
        const int64_t chunks = (int64_t)pieces((size_t)part->tiles, TILES);
        const int64_t chunk = piece - part->first_piece, stop = (chunk + 1) * part->tiles / chunks;
        for (int64_t s = chunk * part->tiles / chunks; s < stop; s++) {
            const int64_t rows = NAME(positions_of)(t, part, s, source, result);
            for (int64_t m = 0; m < columns; m++) { /* they come while the tile is added up */
                PREFETCH(out + m * plane + result[0]);
                PREFETCH(out + m * plane + result[rows - 1]);
            }
            (columns > (int64_t)LANES ? NAME(list_tile_2) : NAME(list_tile_1))(
                rows, &nest, a, source, b, start, tile, NR, false);
            NAME(store_tile)(tile, rows, columns, result, t->channel > 0, out, plane);
        }
    }
}

static bool NAME(convolve_panels)(const struct NAME(convolution) *c)
{
    struct NAME(panels) plan = {SAME_AS(c)}, *const t = &plan;
    if (!NAME(plan_panels)(t))
        return false;
    const int64_t c_each = NAME(c_each)(t);
    const int64_t blocks = (int64_t)pieces((size_t)t->n, (size_t)t->images) * t->bands;
    parallel_for((size_t)t->panels, grain_of(32768, (double)(t->taps * (int64_t)NR)),
                 NAME(pack_weights_body), t);
    for (int64_t block = 0; block < blocks; block++) {
        NAME(next_block)(t, block);
        NAME(find_parts)(t);
        if (t->padded)
            parallel_for((size_t)(t->count * t->channels), grain_of(32768, (double)t->plane),
                         NAME(pad_body), t);
        for (t->channel = 0; t->channel == 0 || t->channel < c_each; t->channel += t->deep) {
            t->channels_now = smaller((size_t)t->deep, (size_t)(c_each - t->channel));
            const double taps = (double)(t->channels_now * t->y.kernel * t->x.kernel);
            const double work = taps / (double)t->phases * (double)(HEIGHT * TILES * NR);
            parallel_for((size_t)(t->panels * t->pieces), grain_of(WORK, work), NAME(panel_body),
                         t);
        }
    }
    give_scratch((void *)t->part);
    return true;
}
