/* embedding.c - the derivative of reading rows of a table: each row gets the sum of the gradients
 * that belong to it.
 *
 *     out[r] = sum of g[k] over all k with index[k] == r
 *
 * The obvious loop, out[index[k]] += g[k], jumps about in the table, cannot be divided among
 * threads, and rounds once for each occurrence of a frequent word. So the places k are first sorted
 * by row, by counting (Knuth, The Art of Computer Programming 3, section 5.2, algorithm D). Then
 * each row is added by itself, with the care of reduce.c, and written once.
 *
 * Traffic: g is read once, by rows; out is written once, zeros included. */
#define ROW 256 /* columns whose sums are kept at a time */

struct NAME(embedding) {
    const real *g;
    const int64_t *places, *ends;
    real *out;
    size_t width;
    int64_t padding;
};

static void NAME(embedding_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(embedding) *t = task;
    for (size_t r = begin; r < end; r++) {
        const int64_t first = r == 0 ? 0 : t->ends[r - 1];
        const int64_t last = (int64_t)r == t->padding ? first : t->ends[r];
        for (size_t column = 0; column < t->width; column += ROW) {
            const size_t width = smaller(ROW, t->width - column);
            real *restrict out = t->out + r * t->width + column;
            if (last <= first) {
                memset(out, 0, width * sizeof(real));
            } else if (last == first + 1) {
                memcpy(out, t->g + (size_t)t->places[first] * t->width + column,
                       width * sizeof(real));
            } else {
                ON_A_LINE real hi[ROW] = {0}, lo[ROW] = {0};
                for (int64_t k = first; k < last; k++)
                    NAME(add_columns)(t->g + (size_t)t->places[k] * t->width + column, 1, 0, width,
                                      hi, lo);
                for (size_t j = 0; j < width; j++)
                    out[j] = NAME(rounded)((struct NAME(total)){hi[j], lo[j]});
            }
        }
    }
}

/* `padding`: a row that stays 0, or -1. If an index is not a row, places[0] becomes -1 and nothing
 * else is done. */
KERNEL(embedding_sum)(size_t count, size_t rows, size_t width, int64_t padding,
                      ARRAY(const real, g, count * width), ARRAY(const int64_t, index, count),
                      ARRAY(int64_t, places, count + 1), ARRAY(int64_t, ends, rows),
                      ARRAY(real, out, rows * width))
{
    memset(ends, 0, rows * sizeof(int64_t));
    for (size_t k = 0; k < count; k++) {
        if (index[k] < 0 || (size_t)index[k] >= rows) {
            places[0] = -1;
            return;
        }
        ends[index[k]]++;
    }
    int64_t before = 0;
    for (size_t r = 0; r < rows; r++) { /* counts become beginnings */
        const int64_t n = ends[r];
        ends[r] = before;
        before += n;
    }
    places[0] = 0;
    for (size_t k = 0; k < count; k++) /* and, as places are filled in, ends */
        places[ends[index[k]]++] = (int64_t)k;
    const struct NAME(embedding) task = {g, places, ends, out, width, padding};
    parallel_for(rows, grain_of(PIECE, (double)width), NAME(embedding_body), &task);
}
