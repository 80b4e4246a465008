/* matmul.c - products of matrices: out = a @ b, a: (m, k), b: (k, n), out: (m, n).
 *
 * First the textbook's three loops. Then the product that runs near the processor's peak: blocks
 * that fit the caches, packed so that the innermost loop reads memory in order, and a micro-kernel
 * that keeps a tile of `out` in registers. docs/c-core.md gets from one to the other in steps.
 *
 *     Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication", ACM TOMS 34, 2008
 *     Van Zee and van de Geijn, "BLIS", ACM TOMS 41, 2015: the source of the names MR, NR, MC, KC
 *     and NC */

/* The only liberty taken with the textbook is the order of the loops. With i, j, p the inner loop
 * walks down a column of y. It touches a new cache line at each step and adds to one number, so
 * that each addition waits for the one before. With i, p, j it runs along a row of y and a row of
 * out: neighbours in memory, and n independent sums, of which the compiler can do several at a
 * time. Each element of out still receives its products in the order p = 0, 1, 2, ...
 *
 * Traffic: 2*m*n*k operations, but y is read m times and out is read and written k times. Blocking
 * is faster because it brings this traffic down. */
KERNEL(matmul_naive)(size_t m, size_t k, size_t n, ARRAY(const real, x, m * k),
                     ARRAY(const real, y, k * n), ARRAY(real, out, m * n))
{
    for (size_t i = 0; i < m; i++) {
        real *row = out + i * n;
        for (size_t j = 0; j < n; j++)
            row[j] = 0;
        for (size_t p = 0; p < k; p++) {
            const real factor = x[i * k + p];
            const real *other = y + p * n;
            for (size_t j = 0; j < n; j++)
                row[j] += factor * other[j];
        }
    }
}

/* ---- sizes ----
 * A tile of MR x NR sums stays in registers for a whole loop over p. Each step costs MR + 2 loads
 * and 2 * MR fused multiply-adds. AVX-512 has 32 registers: 24 sums, two vectors of b, a number of
 * a. With 16 registers there are 12 sums. KC products of each sum are done at a time; with a larger
 * KC, out is read and written less often. As many slivers of a, MR x KC each, as fill half of the
 * second-level cache, beside a panel of b, KC x NR, are multiplied by one panel after the other.
 * All packed panels together stay in the third-level cache. The micro-kernel can wait for the
 * second level: its 24 multiply-adds read 3 or 4 lines of it. The sizes are the best of those tried
 * for 256 to 2048 rows, of both types; KC and what is copied differ by processor (core.h). */
#ifndef MR
#if VECTOR_BYTES == 64
#define MR 12
#define SLIVER 16 /* MR, as packed: rounded up to vectors */
#else
#define MR 6
#define SLIVER 8
#endif
enum { KC = 1024, PANELS = 1 << 23 }; /* PANELS: bytes, of all packed panels */
enum { WORK = 1 << 20 }; /* multiplications that are worth a thread: about 20 us */
#endif
#define NR (2 * LANES)

/* A matrix anywhere in memory: element (i, j) is at data[i * row + j * column]. A transposed matrix
 * has the two strides exchanged; nothing is copied for it. */
struct NAME(matrix) {
    const real *data;
    ptrdiff_t row, column;
};

/* Write b's rows [p, p + rows) and columns [j, j + columns), columns <= NR, to panel[rows][NR];
 * columns that are missing become zeros. */
typedef void (*NAME(pack))(const void *source, size_t p, size_t rows, size_t j, size_t columns,
                           real *panel);
/* out[rows][NR] = (or +=) a @ b; see the micro-kernel. */
typedef void (*NAME(tile))(size_t rows, bool near, size_t k, const real *a, ptrdiff_t a_row,
                           ptrdiff_t a_column, const real *b, ptrdiff_t b_row, real *out,
                           ptrdiff_t out_row, bool add);

/* One product: out = a @ b + bias, or out += a @ b + bias. One of out's strides is 1. b may be any
 * matrix for which a function can pack a panel, such as a convolution's windows, which never exist
 * as a whole; and a one for which a function can pack a sliver, SLIVER numbers for each step. What
 * is packed may be read by a tile of its own (bfloat.c). */
struct NAME(product) {
    size_t m, k, n;
    struct NAME(matrix) a, b;
    real *out;
    ptrdiff_t out_row, out_column;
    const real *bias; /* NULL, or bias[i * bias_row + j * bias_column] is added to out[i][j] */
    ptrdiff_t bias_row, bias_column;
    bool accumulate;
    NAME(pack) pack_b; /* NULL: b is a matrix in memory */
    const void *b_source;
    NAME(pack) pack_a; /* NULL: a is; else pack_b is none, too */
    const void *a_source;
    NAME(tile) tile; /* NULL: that of numbers */
};

/* ---- packing --------------------------------------------------------------------------------- */
/* to[c][r] = from[r][c] for r < rows, c < columns; squares of LANES x LANES are transposed in
 * registers (lanes.h). Whole vectors are written, so each row of `to` needs room for `rows` rounded
 * up to vectors, and what comes after `rows` there is 0. */
static void NAME(transpose)(const real *from, ptrdiff_t from_row, size_t rows, size_t columns,
                            real *to, ptrdiff_t to_row)
{
    for (size_t r = 0; r < rows; r += LANES) {
        const size_t height = smaller(LANES, rows - r);
        size_t c = 0;
#ifdef SHUFFLE
        for (; c + LANES <= columns; c += LANES) {
            NAME(vector) square[LANES];
            UNROLL for (size_t i = 0; i < LANES; i++)
                square[i] = i < height ? LOAD(from + (ptrdiff_t)(r + i) * from_row + (ptrdiff_t)c)
                                       : (NAME(vector)){0};
            NAME(transpose_square)(square);
            UNROLL for (size_t i = 0; i < LANES; i++)
                STORE(to + (ptrdiff_t)(c + i) * to_row + (ptrdiff_t)r, square[i]);
        }
#endif
        for (; c < columns; c++)
            for (size_t i = 0; i < LANES; i++)
                to[(ptrdiff_t)c * to_row + (ptrdiff_t)(r + i)] =
                    i < height ? from[(ptrdiff_t)(r + i) * from_row + (ptrdiff_t)c] : 0;
    }
}

static void NAME(pack_matrix)(const void *source, size_t p, size_t rows, size_t j, size_t columns,
                              real *panel)
{
    const struct NAME(matrix) *b = source;
    const real *from = b->data + (ptrdiff_t)p * b->row + (ptrdiff_t)j * b->column;
    if (b->column == 1 && columns == NR)
        for (size_t q = 0; q < rows; q++, from += b->row, panel += NR)
            memcpy(panel, from, NR * sizeof(real));
    else if (b->row == 1)
        /* leaves out the second vector of a narrow panel */
        NAME(transpose)(from, b->column, columns, rows, panel, NR);
    else
        for (size_t q = 0; q < rows; q++, from += b->row, panel += NR) {
            for (size_t c = 0; c < columns; c++)
                panel[c] = from[(ptrdiff_t)c * b->column];
            for (size_t c = columns; c < NR; c++)
                panel[c] = 0;
        }
}

/* A sliver of a: sliver[p][i] for its rows i < MR, so that the micro-kernel reads MR neighbours at
 * each step. */
static void NAME(pack_sliver)(const void *source, size_t i, size_t rows, size_t p, size_t columns,
                              real *sliver)
{
    const struct NAME(matrix) *a = source;
    const real *from = a->data + (ptrdiff_t)i * a->row + (ptrdiff_t)p * a->column;
    if (a->column == 1)
        NAME(transpose)(from, a->row, rows, columns, sliver, SLIVER);
    else
        for (size_t q = 0; q < columns; q++, from += a->column, sliver += SLIVER)
            for (size_t r = 0; r < rows; r++)
                sliver[r] = from[(ptrdiff_t)r * a->row];
}

/* ---- the micro-kernel ----
 * out[rows][vectors * LANES] = (or +=) sum over p of a column of a times a row of b. `rows` and
 * `vectors` are constants wherever this is inlined, so `sum` is a set of registers and both inner
 * loops are straight code. One of a's strides is 1: `a_row` for a packed sliver or a transposed
 * matrix, `a_column` for rows as they lie in memory. Prefetched are the next row of a packed panel
 * and, where a matrix is read in place, the next panel's row: there the loop walks down a strip of
 * columns, which the processor's own prefetching does not foresee; and a packed sliver, 8 steps
 * ahead. Where all matrices are `near`, in the second-level cache, that would only cost loads. */
INLINE void NAME(micro_kernel)(const int rows, const int vectors, const bool near, size_t k,
                               const real *a, ptrdiff_t a_row, ptrdiff_t a_column, const real *b,
                               ptrdiff_t b_row, real *out, ptrdiff_t out_row, bool add)
{
    NAME(vector) sum[MR][2];
    UNROLL for (int i = 0; i < rows; i++)
        UNROLL for (int v = 0; v < vectors; v++) {
            sum[i][v] = (NAME(vector)){0};
            if (!near)
                PREFETCH(out + i * out_row + v * LANES);
        }
    for (; k > 0; k--, a += a_column, b += b_row) {
        NAME(vector) row[2];
        if (!near && a_row == 1)
            PREFETCH(a + 8 * a_column);
        UNROLL for (int v = 0; v < vectors; v++) {
            row[v] = LOAD(b + v * LANES);
            if (!near)
                PREFETCH(b + NR + v * LANES);
        }
        UNROLL for (int i = 0; i < rows; i++)
            UNROLL for (int v = 0; v < vectors; v++)
                sum[i][v] += a[i * a_row] * row[v];
    }
    UNROLL for (int i = 0; i < rows; i++, out += out_row)
        UNROLL for (int v = 0; v < vectors; v++)
            STORE(out + v * LANES, add ? LOAD(out + v * LANES) + sum[i][v] : sum[i][v]);
}

/* The micro-kernel for each number of rows: a few rows would waste most of a whole tile. */
#define CASE(rows) \
    case rows: \
        if (a_row == 1) \
            NAME(micro_kernel)(rows, vectors, false, k, a, 1, a_column, b, b_row, out, out_row, \
                               add); \
        else if (near) \
            NAME(micro_kernel)(rows, vectors, true, k, a, a_row, 1, b, b_row, out, out_row, add); \
        else \
            NAME(micro_kernel)(rows, vectors, false, k, a, a_row, 1, b, b_row, out, out_row, add); \
        return;
#define CASES(vectors_) \
    { \
        enum { vectors = vectors_ }; \
        switch (rows) { \
            CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASES_UP_TO_MR \
        } \
    }
#if VECTOR_BYTES == 64
#define CASES_UP_TO_MR CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12)
#else
#define CASES_UP_TO_MR
#endif
static void NAME(tile_2)(size_t rows, bool near, size_t k, const real *a, ptrdiff_t a_row,
                         ptrdiff_t a_column, const real *b, ptrdiff_t b_row, real *out,
                         ptrdiff_t out_row, bool add)
    CASES(2)
static void NAME(tile_1)(size_t rows, bool near, size_t k, const real *a, ptrdiff_t a_row,
                         ptrdiff_t a_column, const real *b, ptrdiff_t b_row, real *out,
                         ptrdiff_t out_row, bool add)
    CASES(1)
#undef CASE
#undef CASES
#undef CASES_UP_TO_MR

/* A tile with only `columns` columns in out, or one whose columns are rows in memory: computed in a
 * buffer, then copied. */
static void NAME(edge_tile)(NAME(tile) own, size_t rows, size_t columns, bool near, size_t k,
                            const real *a, ptrdiff_t a_row, ptrdiff_t a_column, const real *b,
                            ptrdiff_t b_row, real *out, ptrdiff_t out_row, ptrdiff_t out_column,
                            bool add)
{
    ON_A_LINE real tile[MR * NR], turned[NR * SLIVER];
    const NAME(tile) multiply = own ? own : columns > LANES ? NAME(tile_2) : NAME(tile_1);
    multiply(rows, near, k, a, a_row, a_column, b, b_row, tile, NR, false);
    if (out_column != 1)
        NAME(transpose)(tile, NR, rows, columns, turned, SLIVER);
    const real *from = out_column == 1 ? tile : turned;
    const size_t lines = out_column == 1 ? rows : columns;
    const size_t length = out_column == 1 ? columns : rows;
    const ptrdiff_t from_line = out_column == 1 ? NR : SLIVER;
    const ptrdiff_t out_line = out_column == 1 ? out_row : out_column;
    for (size_t i = 0; i < lines; i++, out += out_line, from += from_line)
        for (size_t j = 0; j < length; j++)
            out[j] = add ? out[j] + from[j] : from[j];
}

/* ---- blocks ---------------------------------------------------------------------------------- */
/* The part of a product that is packed at a time: rows [i, i + mc), columns [j, j + nc), products
 * [p, p + kc). */
struct NAME(block) {
    const struct NAME(product) *product;
    size_t i, mc, slivers, height, higher, j, nc, panels, p, kc;
    size_t depth; /* the largest kc: packed slivers are SLIVER * depth apart, panels NR * depth */
    size_t unpacked; /* panels that are read where they are; the others are packed */
    real *a, *b;     /* packed; a is NULL if it is read where it is */
    size_t tall;     /* slivers of a piece of work */
    bool near;       /* do all three matrices fit the second-level cache? */
};

/* The first row of sliver s: the first `higher` slivers have one row more than the rest. */
static inline size_t NAME(sliver_at)(const struct NAME(block) *t, size_t s)
{
    return s * t->height + smaller(s, t->higher);
}

static void NAME(pack_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(block) *t = task;
    const struct NAME(product) *x = t->product;
    const size_t packed = t->panels - t->unpacked;
    for (size_t q = begin; q < end; q++)
        if (q < packed) {
            const size_t j = (t->unpacked + q) * NR;
            (x->pack_b ? x->pack_b : NAME(pack_matrix))(x->pack_b ? x->b_source : &x->b, t->p,
                                                        t->kc, t->j + j, smaller(NR, t->nc - j),
                                                        t->b + q * NR * t->depth);
        } else {
            const size_t s = q - packed, first = NAME(sliver_at)(t, s);
            (x->pack_a ? x->pack_a : NAME(pack_sliver))(x->pack_a ? x->a_source : &x->a,
                                                        t->i + first,
                                                        NAME(sliver_at)(t, s + 1) - first, t->p,
                                                        t->kc, t->a + s * SLIVER * t->depth);
        }
}

static void NAME(add_bias)(const struct NAME(product) *x, size_t i, size_t rows, size_t j,
                           size_t columns)
{
    for (size_t r = i; r < i + rows; r++) {
        real *out = x->out + (ptrdiff_t)r * x->out_row;
        const real *bias = x->bias + (ptrdiff_t)r * x->bias_row;
        if (x->bias_column == 1 && x->out_column == 1)
            for (size_t c = j; c < j + columns; c++)
                out[c] += bias[c];
        else
            for (size_t c = j; c < j + columns; c++)
                out[(ptrdiff_t)c * x->out_column] += bias[(ptrdiff_t)c * x->bias_column];
    }
}

/* A piece of work is a panel times `tall` slivers. Meanwhile the panel stays in the first-level
 * cache; the slivers stay in the second-level cache for the next panel. */
static void NAME(multiply_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(block) *t = task;
    const struct NAME(product) *x = t->product;
    const bool add = x->accumulate || t->p > 0, last = t->p + t->kc == x->k;
    for (size_t piece = begin; piece < end; piece++) {
        const size_t panel = piece % t->panels, first = piece / t->panels * t->tall;
        const size_t stop = smaller(first + t->tall, t->slivers);
        const size_t j = t->j + panel * NR, columns = smaller(NR, t->nc - panel * NR);
        const bool in_place = panel < t->unpacked;
        const real *b = in_place ? x->b.data + (ptrdiff_t)t->p * x->b.row + (ptrdiff_t)j
                                 : t->b + (panel - t->unpacked) * NR * t->depth;
        const ptrdiff_t b_row = in_place ? x->b.row : (ptrdiff_t)NR;
        for (size_t s = first; s < stop; s++) {
            const size_t i = t->i + NAME(sliver_at)(t, s);
            const size_t rows = t->i + NAME(sliver_at)(t, s + 1) - i;
            const real *a = t->a ? t->a + s * SLIVER * t->depth
                                 : x->a.data + (ptrdiff_t)i * x->a.row +
                                       (ptrdiff_t)t->p * x->a.column;
            const ptrdiff_t a_row = t->a ? 1 : x->a.row, a_column = t->a ? SLIVER : x->a.column;
            real *out = x->out + (ptrdiff_t)i * x->out_row + (ptrdiff_t)j * x->out_column;
            if (columns == NR && x->out_column == 1)
                (x->tile ? x->tile : NAME(tile_2))(rows, t->near, t->kc, a, a_row, a_column, b,
                                                   b_row, out, x->out_row, add);
            else if (columns == LANES && x->out_column == 1 && !x->tile)
                NAME(tile_1)(rows, t->near, t->kc, a, a_row, a_column, b, b_row, out, x->out_row,
                             add);
            else
                NAME(edge_tile)(x->tile, rows, columns, t->near, t->kc, a, a_row, a_column, b,
                                b_row, out, x->out_row, x->out_column, add);
            if (last && x->bias)
                NAME(add_bias)(x, i, rows, j, columns);
        }
    }
}

/* Without memory to pack into: slow but right. */
static void NAME(gemm_without_memory)(const struct NAME(product) *x)
{
    ON_A_LINE real panel[NR], sliver[SLIVER];
    for (size_t j = 0; j < x->n; j++)
        for (size_t i = 0; i < x->m; i++) {
            for (size_t p = 0; p < x->k; p++) {
                (x->pack_b ? x->pack_b : NAME(pack_matrix))(x->pack_b ? x->b_source : &x->b, p, 1,
                                                            j, 1, panel);
                (x->pack_a ? x->pack_a : NAME(pack_sliver))(x->pack_a ? x->a_source : &x->a, i, 1,
                                                            p, 1, sliver);
                NAME(edge_tile)(x->tile, 1, 1, false, 1, sliver, 1, SLIVER, panel, NR,
                                x->out + (ptrdiff_t)i * x->out_row + (ptrdiff_t)j * x->out_column,
                                x->out_row, x->out_column, x->accumulate || p > 0);
            }
            if (x->bias)
                NAME(add_bias)(x, i, 1, j, 1);
        }
}

/* The product. For each block, all threads pack, then all threads multiply. Each element of out is
 * computed by one thread, in an order that depends on the sizes only. */
static void NAME(gemm)(const struct NAME(product) *given)
{
    struct NAME(product) product = *given, *const x = &product;
    if (x->m == 0 || x->n == 0)
        return;
    if (x->m == 1) /* the stride along a dimension of 1 can be anything */
        x->a.row = 1;
    if (x->k == 1)
        x->a.column = x->b.row = 1;
    if (x->n == 1)
        x->b.column = 1;
    if (x->k == 0) {
        for (size_t i = 0; i < x->m; i++)
            for (size_t j = 0; j < x->n && !x->accumulate; j++)
                x->out[(ptrdiff_t)i * x->out_row + (ptrdiff_t)j * x->out_column] = 0;
        if (x->bias)
            NAME(add_bias)(x, 0, x->m, 0, x->n);
        return;
    }
    /* A wide b that lies transposed, as a layer's weight does, would be packed only to be read by a
     * few rows of a. Instead out^T = b^T @ a^T: b is read as it lies, a is packed, and each tile is
     * transposed on its way out. */
    const size_t whole = (x->m + LANES - 1) / LANES * LANES; /* columns of out^T, as computed */
    if (!x->pack_b && x->b.column != 1 && x->b.row == 1 && smaller(x->n, x->k) >= 2 * x->m &&
        whole <= x->m + x->m / 8)
        *x = (struct NAME(product)){
            .m = x->n, .k = x->k, .n = x->m, .a = {x->b.data, x->b.column, 1},
            .b = {x->a.data, x->a.column, x->a.row}, .out = x->out, .out_row = x->out_column,
            .out_column = x->out_row, .accumulate = x->accumulate, .bias = x->bias,
            .bias_row = x->bias_column, .bias_column = x->bias_row};
    /* A copy pays if it is read often, or if the matrix cannot be read as it lies. b is prefetched
     * where it lies, so copying it only spares pages and places in the caches. A transposed a
     * already has the numbers of one step side by side, as its copy has. Where a processor `copies`
     * early, b is read in place only if little is read of it, or if it begins on a line and
     * everything is near; a is copied if its rows fall into few sets of the first-level cache. */
    const bool near = (x->m * x->k + x->k * x->n + x->m * x->n) * sizeof(real) <= processor.l2;
    const bool on_lines = ((uintptr_t)x->b.data | (size_t)x->b.row * sizeof(real)) % 64 == 0;
    const size_t apart = (size_t)larger(x->a.row, x->a.column) * sizeof(real);
    const bool wide = x->n > (x->a.row == 1 ? 32 : 8) * NR;
    const bool pack_a = x->pack_a || (x->a.row != 1 && x->a.column != 1) ||
                        (wide && (!processor.copies || apart >= 3072));
    const bool pack_b = x->pack_b || x->b.column != 1 ||
                        (processor.copies ? x->m > 4 * MR && !(near && on_lines) : x->m > 64 * MR);
    const size_t kc = equal_piece(x->k, processor.copies ? KC / 4 : KC);
    const size_t most_panels = larger(1, PANELS / (NR * kc * sizeof(real)));
    const size_t most_slivers = larger(1, processor.l2 / 2 / (SLIVER * kc * sizeof(real)));
    const size_t nc = equal_piece(pieces(x->n, NR), most_panels) * NR;
    const size_t tall = equal_piece(pieces(x->m, MR), most_slivers);
    /* groups of slivers that are packed at a time; after each time, threads wait for each other */
    const size_t groups = get_threads() == 1 ? 1 : 4;
    const size_t mc = pack_a ? equal_piece(x->m, groups * tall * MR) : x->m;
    const size_t a_size = pack_a ? pieces(mc, MR) * SLIVER * kc : 0;
    const size_t b_size = (pack_b ? nc : x->n % NR != 0 ? NR : 0) * kc;
    real *memory = NULL;
    if (a_size + b_size > 0 && (memory = take_scratch((a_size + b_size) * sizeof(real))) == NULL) {
        NAME(gemm_without_memory)(x);
        return;
    }
    struct NAME(block) t = {.product = x, .depth = kc, .tall = tall, .near = near};
    t.a = pack_a ? memory : NULL;
    t.b = memory ? memory + a_size : NULL;
    for (t.j = 0; t.j < x->n; t.j += nc) {
        t.nc = smaller(nc, x->n - t.j);
        t.panels = pieces(t.nc, NR);
        t.unpacked = pack_b ? 0 : t.nc / NR;
        for (t.p = 0; t.p < x->k; t.p += kc) {
            t.kc = smaller(kc, x->k - t.p);
            for (t.i = 0; t.i < x->m; t.i += mc) {
                t.mc = smaller(mc, x->m - t.i);
                t.slivers = pieces(t.mc, MR);
                t.height = t.mc / t.slivers;
                t.higher = t.mc % t.slivers;
                struct NAME(block) pack = t;
                if (t.i > 0)
                    pack.unpacked = t.panels; /* b is packed already */
                const size_t packs = pack.panels - pack.unpacked + (pack_a ? t.slivers : 0);
                parallel_for(packs, grain_of(32768, (double)t.kc * NR), NAME(pack_body), &pack);
                /* multiplications of a piece */
                const double work = (double)(tall * t.height) * NR * (double)t.kc;
                parallel_for(pieces(t.slivers, tall) * t.panels, grain_of(WORK, work),
                             NAME(multiply_body), &t);
            }
        }
    }
    give_scratch(memory);
}

/* out = x @ y + bias, for each of outer * inner pairs of matrices. Many products are spread over
 * the threads one by one; gemm() then finds the pool taken and stays on its thread. A few large
 * ones take turns, each with all threads. */
struct NAME(batch) {
    struct NAME(product) product; /* the first one */
    struct strides x, y;
    size_t inner;
};

static void NAME(batch_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(batch) *t = task;
    for (size_t q = begin; q < end; q++) {
        const ptrdiff_t outer = (ptrdiff_t)(q / t->inner), inner = (ptrdiff_t)(q % t->inner);
        struct NAME(product) one = t->product;
        one.a.data += outer * t->x.outer + inner * t->x.inner;
        one.b.data += outer * t->y.outer + inner * t->y.inner;
        one.out += q * one.m * one.n;
        NAME(gemm)(&one);
    }
}

KERNEL(matmul)(size_t outer, size_t inner, size_t m, size_t k, size_t n,
               MATRIX(const real, x, outer, inner, m, k), MATRIX(const real, y, outer, inner, k, n),
               OPTIONAL(const real, bias, n), ARRAY(real, out, outer * inner * m * n))
{
    const struct NAME(batch) t = {
        .product = {.m = m, .k = k, .n = n, .a = {x, x_strides.row, x_strides.column},
                    .b = {y, y_strides.row, y_strides.column}, .out = out,
                    .out_row = (ptrdiff_t)n, .out_column = 1, .bias = bias, .bias_column = 1},
        .x = x_strides, .y = y_strides, .inner = inner};
    const size_t batch = outer * inner;
    const double work = (double)m * (double)k * (double)n;
    parallel_for(batch, batch < 8 ? 8 : grain_of(WORK, work), NAME(batch_body), &t);
}
