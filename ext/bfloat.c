/* bfloat.c - products of matrices of bfloat16, summed in float.
 *
 * A bfloat16 is the upper half of a float. Processors with AVX-512-BF16 multiply 32 pairs of them
 * in one instruction and add each two products to one of 16 sums: twice the multiply-adds of float.
 * It wants the two numbers of a pair side by side. So matrices are packed by pairs, each of which
 * lies in the place of a float,
 *
 *     a[i][2p], a[i][2p + 1]      b[2p][j], b[2p + 1][j]
 *
 * and what is left is a product of half the depth: gemm() of matmul.c with packing and a tile
 * (pairs.c) of its own. Numbers below 2^-126 count as 0 there.
 *
 * On other processors Python widens both matrices and multiplies them as float, which is faster
 * than the three loops at the end. */

/* Element (i, j) is at data[i * row + j * column]. */
struct NAME(bfloats) {
    const uint16_t *data;
    ptrdiff_t row, column;
    size_t depth; /* how many elements are added up; the last one of an odd number gets a 0 */
};

#if VECTOR_BYTES == 64 && defined(SEVERAL_ISAS)
#define PAIRS
/* to[q][c] = the pair of elements 2 * q and 2 * q + 1 along `next`, of line c, for `width` lines,
 * c < columns; 0 for the other lines. */
static void NAME(pack_pairs)(const uint16_t *from, ptrdiff_t next, ptrdiff_t line, size_t elements,
                             size_t columns, size_t width, float *to)
{
    const size_t whole = elements / 2;
    size_t q = 0;
    if (next == 1 && line % 2 == 0) { /* pairs lie in memory as such */
        NAME(transpose)((const float *)from, line / 2, columns, whole, to, (ptrdiff_t)width);
        for (size_t c = pieces(columns, 16) * 16; c < width; c++)
            for (size_t p = 0; p < whole; p++)
                to[p * width + c] = 0;
        q = whole;
    }
    for (; 2 * q < elements; q++) {
        const uint16_t *low = from + (ptrdiff_t)(2 * q) * next, *high = low + next;
        float *row = to + q * width;
        if (q < whole && line == 1 && columns == 32)
            for (size_t c = 0; c < 32; c++)
                row[c] = as_float(low[c] | (uint32_t)high[c] << 16);
        else
            for (size_t c = 0; c < width; c++) {
                const ptrdiff_t at = (ptrdiff_t)c * line;
                const uint32_t second = c < columns && q < whole ? high[at] : 0;
                row[c] = as_float((c < columns ? low[at] : 0) | second << 16);
            }
    }
}

/* Rows [2p, 2(p + rows)) and columns [j, j + columns) of b, as a panel. */
static void NAME(pack_panel_of_pairs)(const void *source, size_t p, size_t rows, size_t j,
                                      size_t columns, float *panel)
{
    const struct NAME(bfloats) *b = source;
    const uint16_t *from = b->data + (ptrdiff_t)(2 * p) * b->row + (ptrdiff_t)j * b->column;
    NAME(pack_pairs)(from, b->row, b->column, smaller(2 * rows, b->depth - 2 * p), columns, NR,
                     panel);
}

/* Rows [i, i + rows) and columns [2p, 2(p + columns)) of a, as a sliver. */
static void NAME(pack_sliver_of_pairs)(const void *source, size_t i, size_t rows, size_t p,
                                       size_t columns, float *sliver)
{
    const struct NAME(bfloats) *a = source;
    const uint16_t *from = a->data + (ptrdiff_t)i * a->row + (ptrdiff_t)(2 * p) * a->column;
    NAME(pack_pairs)(from, a->column, a->row, smaller(2 * columns, a->depth - 2 * p), rows, SLIVER,
                     sliver);
}
#endif

struct NAME(bfloat_batch) {
    struct NAME(bfloats) a, b; /* the first ones */
    struct strides x, y;
    size_t inner, m, n;
    float *out;
};

static void NAME(bfloat_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(bfloat_batch) *t = task;
    for (size_t q = begin; q < end; q++) {
        const ptrdiff_t outer = (ptrdiff_t)(q / t->inner), inner = (ptrdiff_t)(q % t->inner);
        struct NAME(bfloats) a = t->a, b = t->b;
        a.data += outer * t->x.outer + inner * t->x.inner;
        b.data += outer * t->y.outer + inner * t->y.inner;
        float *out = t->out + q * t->m * t->n;
#ifdef PAIRS
        _Static_assert(MR == PAIR_ROWS && NR == 2 * 16, "the tile of pairs.c has another size");
        if (processor.pairs) {
            const struct NAME(product) product = {
                .m = t->m, .k = pieces(a.depth, 2), .n = t->n, .out = out,
                .out_row = (ptrdiff_t)t->n, .out_column = 1,
                .pack_a = NAME(pack_sliver_of_pairs), .a_source = &a,
                .pack_b = NAME(pack_panel_of_pairs), .b_source = &b, .tile = tile_of_pairs};
            NAME(gemm)(&product);
            continue;
        }
#endif
        for (size_t i = 0; i < t->m; i++)
            for (size_t j = 0; j < t->n; j++, out++) {
                *out = 0;
                for (size_t p = 0; p < a.depth; p++)
                    *out += NAME(of_bfloat)(
                                a.data[(ptrdiff_t)i * a.row + (ptrdiff_t)p * a.column]) *
                            NAME(of_bfloat)(
                                b.data[(ptrdiff_t)p * b.row + (ptrdiff_t)j * b.column]);
            }
    }
}

KERNEL(bfloat_products)(size_t outer, size_t inner, size_t m, size_t k, size_t n,
                        MATRIX(const uint16_t, x, outer, inner, m, k),
                        MATRIX(const uint16_t, y, outer, inner, k, n),
                        ARRAY(real, out, outer * inner * m * n))
{
    const struct NAME(bfloat_batch) t = {
        .a = {x, x_strides.row, x_strides.column, k}, .b = {y, y_strides.row, y_strides.column, k},
        .x = x_strides, .y = y_strides, .inner = inner, .m = m, .n = n, .out = out};
    const size_t batch = outer * inner;
    const double work = (double)m * (double)k * (double)n / 2;
    parallel_for(batch, batch < 8 ? 8 : grain_of(WORK, work), NAME(bfloat_body), &t);
}
