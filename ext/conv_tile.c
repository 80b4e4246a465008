/* conv_tile.c - the innermost loop of conv_panels.c: a tile of HEIGHT sums by NR outputs.
 *
 * It is the micro-kernel of a product (matmul.c) in which a's element (row, step) is read from an
 * image. The rows are a list of offsets, and the steps are three loops, one in the other: over
 * channels, rows and columns of a window, or over images, rows and columns of all positions. So any
 * stride and dilation is served.
 *
 * Traffic: a step reads 2 vectors and HEIGHT numbers for 2 * HEIGHT multiply-adds. Each tile is
 * transposed on its way out. */

#if VECTOR_BYTES == 64 /* 32 registers: 28 sums, 2 vectors of the panel, a number */
#define HEIGHT 14
#else
#define HEIGHT MR
#endif
#ifdef REAL_IS_FLOAT /* once */
/* Three loops, one in the other: how often, and how far a and b go on each time. */
struct nest {
    int64_t count[3];
    ptrdiff_t a[3], b[3];
};
#endif

MANY_REGISTERS
/* out[rows][vectors * LANES] = start + sum over the nest of a[row[i]] * b[...]; or out += that. */
INLINE void NAME(list_kernel)(const int rows, const int vectors, const struct nest *nest,
                              const real *a, const ptrdiff_t *row, const real *b,
                              const real *start, real *out, ptrdiff_t out_row, bool add)
{
    NAME(vector) sum[HEIGHT][2];
    ptrdiff_t at[HEIGHT];
    UNROLL for (int i = 0; i < rows; i++) {
        at[i] = row[i];
        UNROLL for (int v = 0; v < vectors; v++)
            sum[i][v] = start ? LOAD(start + v * LANES) : (NAME(vector)){0};
    }
    const int64_t steps = nest->count[2];
    const ptrdiff_t a_step = nest->a[2];
    for (int64_t p = 0; p < nest->count[0]; p++) {
        const real *a_line = a + p * nest->a[0], *b_line = b + p * nest->b[0];
        for (int64_t q = nest->count[1]; q > 0; q--, a_line += nest->a[1], b_line += nest->b[1]) {
            const real *from = a_line, *to = b_line;
            for (int64_t k = steps; k > 0; k--, from += a_step, to += NR) {
                NAME(vector) line[2];
                UNROLL for (int v = 0; v < vectors; v++)
                    line[v] = LOAD(to + v * LANES);
                UNROLL for (int i = 0; i < rows; i++)
                    UNROLL for (int v = 0; v < vectors; v++)
                        sum[i][v] += from[at[i]] * line[v];
            }
        }
    }
    UNROLL for (int i = 0; i < rows; i++, out += out_row)
        UNROLL for (int v = 0; v < vectors; v++)
            STORE(out + v * LANES, add ? LOAD(out + v * LANES) + sum[i][v] : sum[i][v]);
}

#define LIST_TILE(name, vectors) \
    static void NAME(name)(int64_t rows, const struct nest *nest, const real *a, \
                           const ptrdiff_t *row, const real *b, const real *start, real *out, \
                           ptrdiff_t out_row, bool add) \
    { \
        enum { VECTORS = vectors }; \
        switch (rows) { \
            CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) MORE_CASES \
        } \
    }
#define CASE(rows) \
    case rows: \
        NAME(list_kernel)(rows, VECTORS, nest, a, row, b, start, out, out_row, add); \
        return;
#if VECTOR_BYTES == 64
#define MORE_CASES \
    CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12) CASE(13) CASE(14)
#else
#define MORE_CASES
#endif
LIST_TILE(list_tile_2, 2)
LIST_TILE(list_tile_1, 1)
END_MANY_REGISTERS
#undef LIST_TILE
#undef CASE
#undef MORE_CASES

/* Write a tile, out[o][result[i]] = (or +=) tile[i][o], in runs of neighbours; where there are
 * none, number by number. */
static void NAME(store_tile)(const real *tile, int64_t rows, int64_t columns,
                             const ptrdiff_t *result, bool add, real *out, int64_t plane)
{
    const int64_t one = (int64_t)LANES;
    ON_A_LINE real turned[NR * SLIVER + LANES];
    const ptrdiff_t reach = result[rows - 1] - result[0];
    const bool direct = !add && columns % one == 0 && reach == rows - 1;
    for (int64_t r = 0; r < rows; r += one)
        for (int64_t c = 0; c < columns; c += one) {
            const int64_t n = rows - r < one ? rows - r : one;
            NAME(vector) square[LANES];
            UNROLL for (int64_t i = 0; i < one; i++)
                square[i] = LOAD(tile + (r + i) * (int64_t)NR + c);
            NAME(transpose_square)(square);
            if (direct)
                UNROLL for (int64_t i = 0; i < one; i++)
                    NAME(store_first)(out + result[r] + (c + i) * plane, square[i], n);
            else
                UNROLL for (int64_t i = 0; i < one; i++)
                    STORE(turned + (c + i) * SLIVER + r, square[i]);
        }
    if (direct)
        return;
    if (rows > 1 && result[1] != result[0] + 1 && result[rows - 1] != result[rows - 2] + 1) {
        for (int64_t m = 0; m < columns; m++, out += plane) {
#ifdef STORE_ALTERNATE
            if (!add && result[1] == result[0] + 2 && reach == 2 * (rows - 1)) {
                NAME(store_alternate)(out + result[0], LOAD(turned + m * SLIVER), rows);
                continue;
            }
#endif
            for (int64_t i = 0; i < rows; i++)
                out[result[i]] = (add ? out[result[i]] : 0) + turned[m * SLIVER + i];
        }
        return;
    }
    for (int64_t i = 0, end; i < rows; i = end) {
        for (end = i + 1; end < rows && end < i + one; end++)
            if (result[end] != result[end - 1] + 1)
                break;
        const real *from = turned + i;
        real *to = out + result[i];
        for (int64_t m = 0; m < columns; m++, from += SLIVER, to += plane) {
            const NAME(vector) old = add ? NAME(load_first)(to, end - i) : (NAME(vector)){0};
            NAME(store_first)(to, LOAD(from) + old, end - i);
        }
    }
}
