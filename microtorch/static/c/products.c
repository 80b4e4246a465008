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


/* the sum of x[k step] y[k], for k below n, in parts that are added up last */
INLINE real dot@(int n, const real *restrict x, int step, const real *restrict y)
{
    real sums[TILE] = {0};
    int k = 0;
    for (; k + TILE <= n; k += TILE)
        for (int l = 0; l < TILE; l++)
            sums[l] = ADD@(x[(k + l) * step], y[k + l], sums[l]);
    for (; k < n; k++)
        sums[k % TILE] = ADD@(x[k * step], y[k], sums[k % TILE]);
    UNROLLED for (int half = TILE / 2; half; half /= 2)
        for (int l = 0; l < half; l++)
            sums[l] += sums[l + half];
    return sums[0];
}


/* the sum of all rows, which are at most 1024 numbers long; four rows are added up first */
static inline void rows_sum@(int rows, int columns, const real *restrict x, real *restrict out)
{
    double total[1024] = {0};
    int i = 0;
    for (const int n = columns; i + 4 <= rows; i += 4, x += 4 * n)
        for (int j = 0; j < n; j++)
            total[j] += (x[j] + x[j + n]) + (x[j + 2 * n] + x[j + 3 * n]);
    for (; i < rows; i++, x += columns)
        for (int j = 0; j < columns; j++)
            total[j] += x[j];
    for (int j = 0; j < columns; j++)
        out[j] = (real)total[j];
}
