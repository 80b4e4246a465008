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


/* A tile of a product: ROWS rows of TILE columns, of which `width` are written. Its
 * sums, which begin with `first`, stay in registers. */
INLINE void tile@(int width, int inner, const real *restrict x, int xrow, int xcolumn,
                  const real *restrict y, int yrow, const real *restrict first,
                  real *restrict out, int outrow)
{
    real sums[ROWS][TILE];
    UNROLLED for (int r = 0; r < ROWS; r++)
        for (int l = 0; l < TILE; l++)
            sums[r][l] = first[l];
    for (int k = 0; k < inner; k++, x += xcolumn, y += yrow)
        UNROLLED for (int r = 0; r < ROWS; r++)
            for (int l = 0; l < TILE; l++)
                sums[r][l] = ADD@(x[r * xrow], y[l], sums[r][l]);
    UNROLLED for (int r = 0; r < ROWS; r++, out += outrow)
        if (width == TILE)
            for (int l = 0; l < TILE; l++)
                out[l] = sums[r][l];
        else
            for (int l = 0; l < width; l++)
                out[l] = sums[r][l];
}


/* One row of a tile. Its sums are made in ROWS parts, so that none waits for another addition. */
INLINE void row@(int width, int inner, const real *restrict x, int xcolumn,
                 const real *restrict y, int yrow, const real *restrict first,
                 real *restrict out)
{
    real sums[ROWS][TILE] = {{0}};
    int k = 0;
    for (; k + ROWS <= inner; k += ROWS, x += ROWS * xcolumn, y += ROWS * yrow)
        UNROLLED for (int r = 0; r < ROWS; r++)
            for (int l = 0; l < TILE; l++)
                sums[r][l] = ADD@(x[r * xcolumn], y[r * yrow + l], sums[r][l]);
    for (; k < inner; k++, x += xcolumn, y += yrow)
        for (int l = 0; l < TILE; l++)
            sums[0][l] = ADD@(x[0], y[l], sums[0][l]);
    UNROLLED for (int r = 1; r < ROWS; r++)
        for (int l = 0; l < TILE; l++)
            sums[0][l] += sums[r][l];
    for (int l = 0; l < width; l++)
        out[l] = sums[0][l] + first[l];
}


/* out = x y + bias, where a row of y lies together, and has TILE numbers at least. What is left of
 * rows or columns is computed once more with those before. */
static void product@(int rows, int columns, int inner, const real *restrict x, int xrow,
                     int xcolumn, const real *restrict y, int yrow, const real *restrict bias,
                     real *restrict out, int outrow)
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
            tile@(width, inner, x + r * xrow, xrow, xcolumn, y + c, yrow, first,
                  out + r * outrow + c, outrow);
        }
        for (; i < rows; i++)
            row@(width, inner, x + i * xrow, xcolumn, y + c, yrow, first, out + i * outrow + c);
    }
}


/* The sum of a row of a tile. */
INLINE real total@(real *restrict x)
{
    for (int l = 0; l < 8; l++)
        x[l] += x[l + 8];
    for (int l = 0; l < 4; l++)
        x[l] += x[l + 4];
    return (x[0] + x[1]) + (x[2] + x[3]);
}


/* x y + bias for few columns: sums along k, where a column of y lies together */
INLINE void dots@(int rows, int columns, int inner, const real *restrict x, int xrow, int xcolumn,
                  const real *restrict y, int ycolumn, const real *restrict bias,
                  real *restrict out, int outrow)
{
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) {
            const real *a = x + i * xrow, *b = y + j * ycolumn;
            real sums[TILE] = {0};
            int k = 0;
            for (; k + TILE <= inner; k += TILE)
                for (int l = 0; l < TILE; l++)
                    sums[l] = ADD@(a[(k + l) * xcolumn], b[k + l], sums[l]);
            for (; k < inner; k++)
                sums[k % TILE] = ADD@(a[k * xcolumn], b[k], sums[k % TILE]);
            out[i * outrow + j] = bias ? total@(sums) + bias[j] : total@(sums);
        }
}


/* the sum of all rows, which are at most 1024 numbers long */
static inline void rows_sum@(int rows, int columns, const real *restrict x, real *restrict out)
{
    double total[1024];
    for (int j = 0; j < columns; j++)
        total[j] = 0;
    for (int i = 0; i < rows; i++, x += columns)
        for (int j = 0; j < columns; j++)
            total[j] += x[j];
    for (int j = 0; j < columns; j++)
        out[j] = (real)total[j];
}
