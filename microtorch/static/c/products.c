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


/* A row of a tile, as four sums, so that none has to wait for the one before. */
INLINE void thin@(int inner, const real *restrict x, int xcolumn, const real *restrict y, int yrow,
                  const real *restrict first, real *restrict out)
{
    real sums[4][TILE] = {{0}};
    int k = 0;
    for (; k + 4 <= inner; k += 4)
        UNROLLED for (int r = 0; r < 4; r++)
            for (int l = 0; l < TILE; l++)
                sums[r][l] = ADD@(x[(k + r) * xcolumn], y[(k + r) * yrow + l], sums[r][l]);
    for (; k < inner; k++)
        for (int l = 0; l < TILE; l++)
            sums[0][l] = ADD@(x[k * xcolumn], y[k * yrow + l], sums[0][l]);
    for (int l = 0; l < TILE; l++)
        out[l] = (first[l] + sums[0][l] + sums[1][l]) + (sums[2][l] + sums[3][l]);
}


/* out = x y + bias, where a row of y lies together, and has TILE numbers at least. What is left of
 * rows or columns is computed once more with those before. */
static void product@(int rows, int columns, int inner, const real *restrict x, int xrow,
                     int xcolumn, const real *restrict y, int yrow, const real *restrict bias,
                     real *restrict out, int outrow)
{
    const real none[TILE] = {0};
    const int high = rows < ROWS ? 1 : ROWS;
    for (int i = 0; i < rows; i += high)
        for (int j = 0; j < columns; j += TILE) {
            const int r = i + high > rows ? rows - high : i;
            const int c = j + TILE > columns ? columns - TILE : j;
            const real *first = bias ? bias + c : none;
            if (high == 1)
                thin@(inner, x + r * xrow, xcolumn, y + c, yrow, first, out + r * outrow + c);
            else
                tile@(ROWS, inner, x + r * xrow, xrow, xcolumn, y + c, yrow, first,
                      out + r * outrow + c, outrow);
        }
}


/* out = x y, where many x are 0, as a gradient is after relu: for each row of x, what is not 0 is
 * listed, and the other products are left out. But not where fewer than a quarter are 0, or where y
 * has numbers that times 0 are NaN. `factors` is room for rows * (inner + 1) numbers, `from` for as
 * many places. */
static void product_of_few@(int rows, int columns, int inner, const real *restrict x, int xrow,
                            int xcolumn, const real *restrict y, real *restrict out, int outrow,
                            real *restrict factors, int *restrict from)
{
    enum { WIDE = 7 };
    const int room = inner + 1;
    real total = 0;
    ADDED_UP for (int k = 0; k < inner * columns; k++)
        total += y[k] * 0;
    int zeros = 0;
    for (int i = 0; i < rows; i++) {
        int n = i * room;
        for (int k = 0; k < inner; k++) {
            const real factor = x[i * xrow + k * xcolumn];
            factors[n] = factor;
            from[n] = k * columns;
            n += factor != 0;
        }
        zeros += (i + 1) * room - 1 - n;
        factors[n] = 0; /* the end of the list */
        from[n] = -1;
    }
    if (total != 0 || zeros < rows * inner / 4) {
        product@(rows, columns, inner, x, xrow, xcolumn, y, columns, NULL, out, outrow);
        return;
    }
    for (int j = 0; j < columns; j += WIDE * TILE) {
        const int c = j + WIDE * TILE > columns ? columns - WIDE * TILE : j;
        for (int i = 0; i < rows; i++) {
            real sums[WIDE][TILE] = {{0}};
            for (int n = i * room; from[n] >= 0; n++)
                UNROLLED for (int t = 0; t < WIDE; t++)
                    for (int l = 0; l < TILE; l++)
                        sums[t][l] = ADD@(factors[n], y[from[n] + c + t * TILE + l], sums[t][l]);
            UNROLLED for (int t = 0; t < WIDE; t++)
                for (int l = 0; l < TILE; l++)
                    out[i * outrow + c + t * TILE + l] = sums[t][l];
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


/* the sum of all rows; in a tile of columns, four rows are added up first */
static inline void rows_sum@(int rows, int n, const real *restrict x, real *restrict out)
{
    for (int j = 0; j < n && n < TILE; j++) {
        double total = 0;
        ADDED_UP for (int i = 0; i < rows; i++)
            total += x[i * n + j];
        out[j] = (real)total;
    }
    for (int j = 0; j < n && n >= TILE; j += TILE) {
        const int c = j + TILE > n ? n - TILE : j;
        double sums[TILE] = {0};
        int i = 0;
        for (const real *y = x + c; i + 4 <= rows; i += 4, y += 4 * n)
            for (int l = 0; l < TILE; l++)
                sums[l] += (y[l] + y[l + n]) + (y[l + 2 * n] + y[l + 3 * n]);
        for (; i < rows; i++)
            for (int l = 0; l < TILE; l++)
                sums[l] += x[i * n + c + l];
        for (int l = 0; l < TILE; l++)
            out[c + l] = (real)sums[l];
    }
}
