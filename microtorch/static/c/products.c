/* products.c - products of matrices (read by functions.py) */


/* y, of `rows` rows, as an array that lies row by row; its rows are filled up to `width` by 0 */
static inline void turned@(int rows, int columns, const real *restrict y, int row, int column,
                           real *restrict out, int width)
{
    for (int i = 0; i < rows; i++)
        UNROLLED for (int j = 0; j < width; j++)
            out[i * width + j] = j < columns ? y[i * row + j * column] : 0;
}


/* the same where the columns of y lie together, by four of four numbers at a time */
static inline void turned_fours@(int rows, int columns, const real *restrict y, int column,
                                 real *restrict out)
{
#if __GNUC__ >= 12 || defined __clang__
    typedef real four __attribute__((vector_size(4 * sizeof(real)), aligned(4), may_alias));
    for (int i = 0; i < rows; i += 4)
        for (int j = 0; j < columns; j += 4) {
            four a[12];
            UNROLLED for (int k = 0; k < 4; k++)
                a[k] = *(four *)(y + i + (j + k) * column);
            UNROLLED for (int k = 4; k < 12; k += 2) {
                const int from = k < 8 ? k / 2 - 2 : k / 2;
                a[k] = __builtin_shufflevector(a[from], a[from + 2], 0, 4, 1, 5);
                a[k + 1] = __builtin_shufflevector(a[from], a[from + 2], 2, 6, 3, 7);
            }
            UNROLLED for (int k = 0; k < 4; k++)
                *(four *)(out + (i + k) * columns + j) = a[8 + k];
        }
#else
    turned@(rows, columns, y, 1, column, out, columns);
#endif
}


/* A tile of a product: TILE columns, whose sums begin with `first` and stay in registers. */
INLINE void tile@(const int rows, int inner, const real *restrict x, int xrow, int xcolumn,
                  const real *restrict y, int yrow, int far, const real *restrict first,
                  real *restrict out, int outrow)
{
    const real *lower = x + rows / 2 * xrow; /* so that few registers tell where rows are */
    real sums[ROWS][TILE];
    UNROLLED for (int r = 0; r < rows; r++)
        for (int l = 0; l < TILE; l++)
            sums[r][l] = first[l];
    for (int k = 0; k < inner; k++, x += xcolumn, lower += xcolumn, y += yrow)
        UNROLLED for (int r = 0; r < rows; r++)
            for (int l = 0; l < TILE; l++)
                sums[r][l] = ADD@(r < rows / 2 ? x[r * xrow] : lower[(r - rows / 2) * xrow],
                                  y[r * far + l], sums[r][l]);
    UNROLLED for (int r = 0; r < rows; r++)
        for (int l = 0; l < TILE; l++)
            out[r * outrow + l] = sums[r][l];
}


/* out = x y + bias, where a row of y lies together, and has TILE numbers at least. What is left of
 * rows or columns is computed with some of those before; of few rows, each is several sums. */
APART void product@(int rows, int columns, int inner, const real *restrict x, int xrow,
                    int xcolumn, const real *restrict y, int yrow, const real *restrict bias,
                    real *restrict out, int outrow)
{
    const real none[TILE] = {0};
    const int n = inner / ROWS, rest = inner % ROWS;
    for (int j = 0; j < columns; j += TILE) {
        const int c = j + TILE > columns ? columns - TILE : j;
        const real *const first = bias ? bias + c : none;
        for (int i = 0; i < rows && rows >= ROWS; i += ROWS) {
            const int half = 2 * (rows - i) <= ROWS, last = rows - (half ? ROWS / 2 : ROWS);
            const real *const from = x + (i < last ? i : last) * xrow;
            real *const to = out + (i < last ? i : last) * outrow + c;
            if (half)
                tile@(ROWS / 2, inner, from, xrow, xcolumn, y + c, yrow, 0, first, to, outrow);
            else
                tile@(ROWS, inner, from, xrow, xcolumn, y + c, yrow, 0, first, to, outrow);
        }
        for (int i = 0; i < rows && rows < ROWS; i++) {
            const real *from = x + i * xrow + rest * xcolumn, *row = y + c + rest * yrow;
            real parts[ROWS][TILE], *const to = out + i * outrow + c;
            tile@(1, rest, x + i * xrow, 0, xcolumn, y + c, yrow, 0, first, to, 0);
            tile@(ROWS, n, from, n * xcolumn, xcolumn, row, yrow, n * yrow, none, parts[0], TILE);
            for (int r = 0; r < ROWS; r++)
                for (int l = 0; l < TILE; l++)
                    to[l] += parts[r][l];
        }
    }
}


/* out = x y, where many x are 0, as a gradient is after relu: of each row of x, `bits` say what is
 * not 0 and is multiplied (and each 64th, so that no loop is empty, and sums stay in registers).
 * All of x is, if fewer than a quarter are 0, or 0 y is NaN somewhere. x lies column by column; y
 * is laid out in `room`, unless it lies row by row from a line of the cache on. Of weights p, if
 * any, p -= lr out: while the sums are in registers, and weights are not waited for. */
APART void product_of_few@(int rows, int columns, int inner, const real *restrict x, int xcolumn,
                           const real *from, int yrow, int ycolumn, real *restrict out,
                           int outrow, real *room, real *restrict p, double lr)
{
    enum { WIDE = 7 };
    const int lies = yrow == columns && ycolumn == 1 && (size_t)from % 64 == 0;
    const real *const y = lies ? from : room, rate = (real)lr;
    real total = 0, *const turned = room + inner * columns;
    unsigned long long *const bits = (unsigned long long *)(turned + rows * inner);
    if (!lies)
        turned@(inner, columns, from, yrow, ycolumn, room, columns);
    for (int k = 0; k < inner; k++)
        ADDED_UP for (int i = 0; i < rows; i++) {
            const unsigned long long some = x[k * xcolumn + i] != 0, at = k / 64 * rows + i;
            bits[at] = (k % 64 ? bits[at] : 1) | some << k % 64;
            total += !some;
        }
    ADDED_UP for (int k = 0; k < inner * columns; k++)
        total += y[k] * 0;
    const int few = total >= rows * inner / 4, rest = few ? columns % (WIDE * TILE) : columns;
    if (few)
        turned@(rows, inner, x, 1, xcolumn, turned, inner);
    else
        product@(rows, columns, inner, x, 1, xcolumn, y, columns, NULL, out, outrow);
    for (int j = 0; few && j < columns; j += WIDE * TILE) {
        const int c = j + WIDE * TILE > columns ? columns - WIDE * TILE : j;
        for (int i = 0; i < rows; i++) {
            real sums[WIDE][TILE] = {{0}};
            for (int w = 0; w < inner; w += 64) {
                unsigned long long left = bits[w / 64 * rows + i];
                do {
                    const int k = w + __builtin_ctzll(left);
                    UNROLLED for (int t = 0; t < WIDE; t++)
                        for (int l = 0; l < TILE; l++)
                            sums[t][l] = ADD@(turned[i * inner + k],
                                              y[k * columns + c + t * TILE + l], sums[t][l]);
                } while (left &= left - 1);
            }
            UNROLLED for (int t = 0; t < WIDE; t++)
                for (int l = 0; l < TILE; l++)
                    out[i * outrow + c + t * TILE + l] = sums[t][l];
            if (p && c == j)
                UNROLLED for (int t = 0; t < WIDE; t++)
                    for (int l = 0; l < TILE; l++)
                        p[i * columns + c + t * TILE + l] -= rate * sums[t][l];
        }
    }
    for (int i = 0; p && i < rows; i++)
        for (int k = columns - rest; k < columns; k++)
            p[i * columns + k] -= rate * out[i * outrow + k];
}


/* a column x y + bias, where y lies together; the last four parts of all sums are added up last */
APART void dots@(int rows, int inner, const real *restrict x, int xrow, int xcolumn,
                 const real *restrict y, real bias, real *restrict out, int outrow,
                 real *restrict room)
{
    for (int i = 0; i < rows; i++, x += xrow) {
        real sums[TILE] = {0};
        for (int k = 0; k + TILE <= inner; k += TILE)
            for (int l = 0; l < TILE; l++)
                sums[l] = ADD@(x[(k + l) * xcolumn], y[k + l], sums[l]);
        UNROLLED for (int half = TILE / 2; half >= 4; half /= 2)
            for (int l = 0; l < half; l++)
                sums[l] += sums[l + half];
        for (int k = inner / TILE * TILE; k < inner; k++)
            sums[0] = ADD@(x[k * xcolumn], y[k], sums[0]);
        for (int l = 0; l < 4; l++)
            room[4 * i + l] = sums[l];
    }
    for (int i = 0; i < rows; i++, room += 4)
        out[i * outrow] = (room[0] + room[1]) + (room[2] + room[3]) + bias;
}


/* the sums of the first n of `row` columns; eight rows are added up first */
static inline void rows_sum@(int rows, int n, const real *restrict x, int row, real *restrict out)
{
    for (; n > TILE; n -= TILE, x += TILE, out += TILE)
        rows_sum@(rows, TILE, x, row, out);
    double total[TILE] = {0};
    int i = 0;
    for (; i + 8 <= rows; i += 8, x += 8 * row)
        for (int j = 0; j < n; j++)
            total[j] += ((x[j] + x[j + row]) + (x[j + 2 * row] + x[j + 3 * row]))
                + ((x[j + 4 * row] + x[j + 5 * row]) + (x[j + 6 * row] + x[j + 7 * row]));
    for (; i < rows; i++, x += row)
        for (int j = 0; j < n; j++)
            total[j] += x[j];
    for (int j = 0; j < n; j++)
        out[j] = (real)total[j];
}
