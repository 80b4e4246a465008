/* products.c - products of matrices (read by functions.py) */


/* y, of `rows` rows, as an array that lies row by row */
static inline void turned@(int rows, int columns, const real *restrict y, int row, int column,
                           real *restrict out)
{
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++)
            out[i * columns + j] = y[i * row + j * column];
}


/* out = x y + bias, where a row of y lies together. A tile of out stays in registers. */
static inline void product@(int rows, int columns, int inner, const real *restrict x, int xrow,
                            int xcolumn, const real *restrict y, int yrow,
                            const real *restrict bias, real *restrict out)
{
    for (int j = 0; j < columns; j += TILE) {
        const int width = columns - j < TILE ? columns - j : TILE;
        for (int i = 0; i < rows; i += 4) {
            real sums[4][TILE];
            const int last = rows - i < 4 ? rows - i - 1 : 3;
            const real *x0 = x + i * xrow, *x1 = x + (i + (last < 1 ? last : 1)) * xrow;
            const real *x2 = x + (i + (last < 2 ? last : 2)) * xrow, *x3 = x + (i + last) * xrow;
            for (int l = 0; l < TILE; l++) {
                const real start = bias && l < width ? bias[j + l] : 0;
                sums[0][l] = sums[1][l] = sums[2][l] = sums[3][l] = start;
            }
            if (width == TILE)
                for (int k = 0; k < inner; k++) {
                    const real *b = y + k * yrow + j;
                    const real a0 = x0[k * xcolumn], a1 = x1[k * xcolumn];
                    const real a2 = x2[k * xcolumn], a3 = x3[k * xcolumn];
                    for (int l = 0; l < TILE; l++) {
                        sums[0][l] = ADD@(a0, b[l], sums[0][l]);
                        sums[1][l] = ADD@(a1, b[l], sums[1][l]);
                        sums[2][l] = ADD@(a2, b[l], sums[2][l]);
                        sums[3][l] = ADD@(a3, b[l], sums[3][l]);
                    }
                }
            else
                for (int k = 0; k < inner; k++) {
                    const real *b = y + k * yrow + j;
                    const real a0 = x0[k * xcolumn], a1 = x1[k * xcolumn];
                    const real a2 = x2[k * xcolumn], a3 = x3[k * xcolumn];
                    for (int l = 0; l < width; l++) {
                        sums[0][l] = ADD@(a0, b[l], sums[0][l]);
                        sums[1][l] = ADD@(a1, b[l], sums[1][l]);
                        sums[2][l] = ADD@(a2, b[l], sums[2][l]);
                        sums[3][l] = ADD@(a3, b[l], sums[3][l]);
                    }
                }
            for (int r = 0; r <= last; r++)
                for (int l = 0; l < width; l++)
                    out[(i + r) * columns + j + l] = sums[r][l];
        }
    }
}


/* x y + bias for few columns: sums along k, where a column of y lies together */
static inline void dots@(int rows, int columns, int inner, const real *restrict x, int xrow,
                         int xcolumn, const real *restrict y, int ycolumn,
                         const real *restrict bias, real *restrict out)
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
