/* products.c - products of matrices (read by functions.py) */


/* y, of `rows` rows, as an array that lies row by row; its rows are filled up to `width` by 0 */
static inline void turned@(int rows, int columns, const real *restrict y, int row, int column,
                           real *restrict out, int width)
{
    for (int i = 0; i < rows; i++, out += width) {
        for (int j = 0; j < columns; j++)
            out[j] = y[i * row + j * column];
        for (int j = columns; j < width; j++)
            out[j] = 0;
    }
}


/* A tile of a product: `rows` rows, ROWS or 1, of TILE columns, of which `width` are written. Its
 * sums, which begin with `first`, stay in registers. */
INLINE void tile@(int rows, int width, int inner, const real *restrict x, int xrow, int xcolumn,
                  const real *restrict y, int yrow, const real *restrict first,
                  real *restrict out, int outrow)
{
    real sums[ROWS][TILE];
    UNROLLED for (int r = 0; r < rows; r++)
        for (int l = 0; l < TILE; l++)
            sums[r][l] = first[l];
    for (int k = 0; k < inner; k++, x += xcolumn, y += yrow)
        UNROLLED for (int r = 0; r < rows; r++)
            for (int l = 0; l < TILE; l++)
                sums[r][l] = ADD@(x[r * xrow], y[l], sums[r][l]);
    UNROLLED for (int r = 0; r < rows; r++, out += outrow)
        if (width == TILE)
            for (int l = 0; l < TILE; l++)
                out[l] = sums[r][l];
        else
            for (int l = 0; l < width; l++)
                out[l] = sums[r][l];
}


/* out = x y + bias, where a row of y lies together, and has TILE numbers at least. What is left of
 * rows or columns is computed once more with those before. */
static void product@(int rows, int columns, int inner, const real *restrict x, int xrow,
                     int xcolumn, const real *restrict y, int yrow, const real *restrict bias,
                     real *restrict out)
{
    const int width = columns < TILE ? columns : TILE;
    for (int j = 0; j < columns; j += TILE) {
        const int c = j + width > columns ? columns - TILE : j;
        real first[TILE] = {0};
        for (int l = 0; bias && l < width; l++)
            first[l] = bias[c + l];
        int i = 0;
        for (; i < rows && rows >= ROWS; i += ROWS) {
            const int r = i + ROWS > rows ? rows - ROWS : i;
            tile@(ROWS, width, inner, x + r * xrow, xrow, xcolumn, y + c, yrow, first,
                  out + r * columns + c, columns);
        }
        for (; i < rows; i++)
            tile@(1, width, inner, x + i * xrow, xrow, xcolumn, y + c, yrow, first,
                  out + i * columns + c, columns);
    }
}


/* x y + bias for few columns: sums along k, where a column of y lies together */
INLINE void dots@(int rows, int columns, int inner, const real *restrict x, int xrow, int xcolumn,
                  const real *restrict y, int ycolumn, const real *restrict bias,
                  real *restrict out)
{
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) {
            real total = 0;
            if (xcolumn == 1)
                ADDED_UP for (int k = 0; k < inner; k++)
                    total += x[i * xrow + k] * y[j * ycolumn + k];
            else
                for (int k = 0; k < inner; k++)
                    total += x[i * xrow + k * xcolumn] * y[j * ycolumn + k];
            out[i * columns + j] = bias ? total + bias[j] : total;
        }
}
