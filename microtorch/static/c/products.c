/* products.c - products of matrices (read by functions.py) */


/* y, of `rows` rows, as an array that lies row by row; its rows are filled up to `width` by 0 */
static inline void turned@(int rows, int columns, const real *restrict y, int row, int column,
                           real *restrict out, int width)
{
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < width; j++)
            out[i * width + j] = j < columns ? y[i * row + j * column] : 0;
}


/* A tile of a product: TILE columns, whose sums begin with `first` and stay in registers. */
INLINE void tile@(const int rows, int inner, const real *restrict x, int xrow, int xcolumn,
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
    UNROLLED for (int r = 0; r < rows; r++)
        for (int l = 0; l < TILE; l++)
            out[r * outrow + l] = sums[r][l];
}


/* out = x y + bias, where a row of y lies together, and has TILE numbers at least. What is left of
 * rows or columns is computed once more with those before. */
static void product@(int rows, int columns, int inner, const real *restrict x, int xrow,
                     int xcolumn, const real *restrict y, int yrow, const real *restrict bias,
                     real *restrict out, int outrow)
{
    for (int j = 0; j < columns; j += TILE) {
        const int c = j + TILE > columns ? columns - TILE : j;
        real first[TILE] = {0};
        for (int l = 0; bias && l < TILE; l++)
            first[l] = bias[c + l];
        for (int i = 0; i < rows && rows >= ROWS; i += ROWS) {
            const int r = i + ROWS > rows ? rows - ROWS : i;
            tile@(ROWS, inner, x + r * xrow, xrow, xcolumn, y + c, yrow, first,
                  out + r * outrow + c, outrow);
        }
        for (int i = 0; i < rows && rows < ROWS; i++)
            tile@(1, inner, x + i * xrow, xrow, xcolumn, y + c, yrow, first,
                  out + i * outrow + c, outrow);
    }
}


/* out = x y, where many x are 0, as a gradient is after relu: for each row of x, what is not 0 is
 * listed, and the other products are left out. But not where fewer than a quarter are 0, or where y
 * has numbers that times 0 are NaN. */
static void product_of_few@(int rows, int columns, int inner, const real *restrict x, int xrow,
                            int xcolumn, const real *restrict y, real *restrict out, int outrow)
{
    enum { HIGH = 16, DEEP = 256, WIDE = 7 };
    double total = 0;
    ADDED_UP for (int k = 0; k < inner * columns; k++)
        total += y[k] * 0;
    int zeros = 0;
    for (int k = 0; k < inner; k++)
        for (int i = 0; i < rows; i++)
            zeros += x[i * xrow + k * xcolumn] == 0;
    if (total != 0 || zeros < rows * inner / 4) {
        product@(rows, columns, inner, x, xrow, xcolumn, y, columns, NULL, out, outrow);
        return;
    }
    for (int i = 0; i < rows; i += HIGH) {
        real factors[HIGH][DEEP];
        int from[HIGH][DEEP], count[HIGH];
        const int high = rows - i < HIGH ? rows - i : HIGH;
        for (int r = 0; r < high; r++) {
            int n = 0;
            for (int k = 0; k < inner; k++) {
                factors[r][n] = x[(i + r) * xrow + k * xcolumn];
                from[r][n] = k * columns;
                n += factors[r][n] != 0;
            }
            count[r] = n;
        }
        for (int j = 0; j < columns; j += WIDE * TILE) {
            const int c = j + WIDE * TILE > columns ? columns - WIDE * TILE : j;
            for (int r = 0; r < high; r++) {
                real sums[WIDE][TILE] = {{0}};
                for (int n = 0; n < count[r]; n++)
                    UNROLLED for (int t = 0; t < WIDE; t++)
                        for (int l = 0; l < TILE; l++)
                            sums[t][l] = ADD@(factors[r][n], y[from[r][n] + c + t * TILE + l],
                                              sums[t][l]);
                UNROLLED for (int t = 0; t < WIDE; t++)
                    for (int l = 0; l < TILE; l++)
                        out[(i + r) * outrow + c + t * TILE + l] = sums[t][l];
            }
        }
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
static inline void rows_sum@(int rows, int n, const real *restrict x, real *restrict out)
{
    double total[1024];
    for (int j = 0; j < n; j++)
        total[j] = 0;
    int i = 0;
    for (; i + 4 <= rows; i += 4, x += 4 * n)
        for (int j = 0; j < n; j++)
            total[j] += (x[j] + x[j + n]) + (x[j + 2 * n] + x[j + 3 * n]);
    for (; i < rows; i++, x += n)
        for (int j = 0; j < n; j++)
            total[j] += x[j];
    for (int j = 0; j < n; j++)
        out[j] = (real)total[j];
}
