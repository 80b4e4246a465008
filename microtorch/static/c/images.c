/* images.c - convolution and pooling (read by functions.py) */


/* out[n, o, y, x] = bias[o] + the sum of in[n, c, y sh + i dh - top, x sw + j dw - left]
 * k[o, c, i, j] */
static inline void conv2d@(int n, int c, int h, int w, int o, int kh, int kw, int sh,
                           int sw, int top, int left,
                           int dh, int dw, int oh, int ow, const real *restrict in,
                           const real *restrict k, const real *restrict bias, real *restrict out)
{
    for (int b = 0; b < n; b++)
        for (int f = 0; f < o; f++, out += oh * ow) {
            for (int i = 0; i < oh * ow; i++)
                out[i] = bias ? bias[f] : 0;
            for (int a = 0; a < c; a++)
                for (int i = 0; i < kh; i++)
                    for (int j = 0; j < kw; j++) {
                        const real *from = in + (b * c + a) * h * w;
                        const real factor = k[((f * c + a) * kh + i) * kw + j];
                        for (int y = 0; y < oh; y++) {
                            const int row = y * sh + i * dh - top;
                            if (row < 0 || row >= h)
                                continue;
                            for (int x = 0; x < ow; x++) {
                                const int column = x * sw + j * dw - left;
                                if (column >= 0 && column < w)
                                    out[y * ow + x] += factor * from[row * w + column];
                            }
                        }
                    }
        }
}


static inline void conv2d_vjp0@(int n, int c, int h, int w, int o, int kh, int kw, int sh,
                                int sw, int top, int left,
                                int dh, int dw, int oh, int ow, const real *restrict g,
                                const real *restrict k, real *restrict din)
{
    for (int i = 0; i < n * c * h * w; i++)
        din[i] = 0;
    for (int b = 0; b < n; b++)
        for (int f = 0; f < o; f++, g += oh * ow)
            for (int a = 0; a < c; a++)
                for (int i = 0; i < kh; i++)
                    for (int j = 0; j < kw; j++) {
                        real *to = din + (b * c + a) * h * w;
                        const real factor = k[((f * c + a) * kh + i) * kw + j];
                        for (int y = 0; y < oh; y++) {
                            const int row = y * sh + i * dh - top;
                            if (row < 0 || row >= h)
                                continue;
                            for (int x = 0; x < ow; x++) {
                                const int column = x * sw + j * dw - left;
                                if (column >= 0 && column < w)
                                    to[row * w + column] += factor * g[y * ow + x];
                            }
                        }
                    }
}


static inline void conv2d_vjp1@(int n, int c, int h, int w, int o, int kh, int kw, int sh,
                                int sw, int top, int left,
                                int dh, int dw, int oh, int ow, const real *restrict g,
                                const real *restrict in, real *restrict dk)
{
    for (int f = 0; f < o; f++)
        for (int a = 0; a < c; a++)
            for (int i = 0; i < kh; i++)
                for (int j = 0; j < kw; j++) {
                    double total = 0;
                    for (int b = 0; b < n; b++)
                        for (int y = 0; y < oh; y++) {
                            const int row = y * sh + i * dh - top;
                            if (row < 0 || row >= h)
                                continue;
                            for (int x = 0; x < ow; x++) {
                                const int column = x * sw + j * dw - left;
                                if (column >= 0 && column < w)
                                    total += (double)g[((b * o + f) * oh + y) * ow + x]
                                             * in[((b * c + a) * h + row) * w + column];
                            }
                        }
                    dk[((f * c + a) * kh + i) * kw + j] = (real)total;
                }
}


/* Of a plane, where of each window of 2 x 2 one at most is not 0, as behind a pooling: these, and
 * where each is in rows that are `row` long. Or all, if not `few`. Returns how many. */
INLINE int listed@(int few, int h, int w, const real *restrict g, int row, real *restrict factors,
                   int *restrict from)
{
    int n = 0;
    for (int y = 0; y < h; y += 1 + few)
        for (int x = 0; x < w; x += 1 + few, n++) {
            const real *const q = g + y * w + x;
            factors[n] = few ? (q[0] + q[1]) + (q[w] + q[w + 1]) : q[0];
            from[n] = y * row + x + (!few || q[0] != 0 ? 0 : q[1] != 0 ? 1
                                     : q[w] != 0 ? row : row + 1);
        }
    return n;
}


/* conv2d_vjp1 with strides of 1, and kernels of 8 x 8 at most, where a pooling follows: what it has
 * made 0 is left out, unless `in` has numbers that times 0 are NaN */
INLINE void conv2d_vjp1_of_few@(int n, int c, int h, int w, int o, int kh, int kw, int top,
                                int left, int oh, int ow, const real *restrict g,
                                const real *restrict in, real *restrict dk)
{
    enum { MOST = 1 << 14, WIDE = 8 };
    real framed[MOST + WIDE] = {0}, sums[MOST] = {0}, factors[MOST / 4], total = 0;
    int from[MOST / 4];
    const int row = ow + kw - 1, size = (oh + kh - 1) * row;
    ADDED_UP for (int i = 0; i < n * c * h * w; i++)
        total += in[i] * 0;
    for (int b = 0; b < n; b++) {
        for (int a = 0; a < c; a++)
            for (int y = 0; y < h; y++, in += w)
                for (int x = 0; x < w; x++)
                    framed[a * size + (y + top) * row + left + x] = in[x];
        for (int f = 0; f < o; f++, g += oh * ow) {
            const int count = total == 0 ? listed@(1, oh, ow, g, row, factors, from)
                                         : listed@(0, oh, ow, g, row, factors, from);
            for (int a = 0; a < c; a++) {
                real part[WIDE][WIDE] = {{0}}, *to = sums + (f * c + a) * kh * WIDE;
                for (int k = 0; k < count; k++)
                    UNROLLED for (int i = 0; i < kh; i++)
                        for (int l = 0; l < WIDE; l++)
                            part[i][l] = ADD@(factors[k], framed[a * size + from[k] + i * row + l],
                                              part[i][l]);
                UNROLLED for (int i = 0; i < kh; i++)
                    for (int l = 0; l < WIDE; l++)
                        to[i * WIDE + l] += part[i][l];
            }
        }
    }
    for (int i = 0; i < o * c * kh; i++)
        for (int j = 0; j < kw; j++)
            dk[i * kw + j] = sums[i * WIDE + j];
}


/* the largest of each window of 2 x 2, which do not overlap, or of its relu: n in each of so many
 * rows */
INLINE void halved@(int rows, int n, int relu, const real *restrict x, real *restrict out)
{
    for (int i = 0; i < rows; i++, x += 4 * n, out += n)
        for (int j = 0; j < n; j++) {
            const real a = x[2 * j], b = x[2 * j + 1], c = x[2 * (n + j)], d = x[2 * (n + j) + 1];
            const real most = maximum@(maximum@(maximum@(a, b), c), d);
            out[j] = relu ? maximum@(most, 0) : most;
        }
}


/* the gradient to the first of each window's largest numbers, or to the last NaN; after relu, only
 * where that is larger than 0 */
INLINE void halved_vjp0@(int rows, int n, int relu, const real *restrict g,
                         const real *restrict largest, const real *restrict x, real *restrict dx)
{
    for (int i = 0; i < rows; i++, x += 4 * n, dx += 4 * n, g += n, largest += n) {
        int strange = 0;
        for (int j = 0; j < n; j++) {
            const real most = largest[j], given = relu && most <= 0 ? 0 : g[j];
            const int a = x[2 * j] == most, b = !a & (x[2 * j + 1] == most);
            const int c = !(a | b) & (x[2 * (n + j)] == most);
            dx[2 * j] = a ? given : 0;
            dx[2 * j + 1] = b ? given : 0;
            dx[2 * (n + j)] = c ? given : 0;
            dx[2 * (n + j) + 1] = a | b | c ? 0 : given;
            strange |= most != most;
        }
        for (int j = 0; strange && j < n; j++) {
            const int at[] = {2 * j, 2 * j + 1, 2 * (n + j), 2 * (n + j) + 1};
            int last = 3;
            while (last && x[at[last]] == x[at[last]])
                last--;
            for (int k = 0; k < 4 && largest[j] != largest[j]; k++)
                dx[at[k]] = k == last ? g[j] : 0;
        }
    }
}


/* the largest of each window of `images` images */
static inline void max_pool2d@(int images, int h, int w, int kh, int kw, int sh, int sw, int top,
                               int left, int dh, int dw, int oh, int ow, const real *restrict in,
                               real *restrict out)
{
    for (int b = 0; b < images; b++, in += h * w)
        for (int y = 0; y < oh; y++)
            for (int x = 0; x < ow; x++) {
                real largest = -INFINITY;
                for (int i = 0; i < kh; i++)
                    for (int j = 0; j < kw; j++) {
                        const int row = y * sh + i * dh - top, column = x * sw + j * dw - left;
                        if (row >= 0 && row < h && column >= 0 && column < w)
                            largest = maximum@(largest, in[row * w + column]);
                    }
                *out++ = largest;
            }
}


/* the gradient goes to the first of a window's largest numbers, or to its last NaN */
static inline void max_pool2d_vjp0@(int images, int h, int w, int kh, int kw, int sh, int sw,
                                    int top, int left, int dh, int dw, int oh, int ow,
                                    const real *restrict g, const real *restrict in,
                                    real *restrict din)
{
    for (int i = 0; i < images * h * w; i++)
        din[i] = 0;
    for (int b = 0; b < images; b++, in += h * w, din += h * w)
        for (int y = 0; y < oh; y++)
            for (int x = 0; x < ow; x++, g++) {
                int most = -1;
                for (int i = 0; i < kh; i++)
                    for (int j = 0; j < kw; j++) {
                        const int row = y * sh + i * dh - top, column = x * sw + j * dw - left;
                        const int at = row * w + column;
                        if (row < 0 || row >= h || column < 0 || column >= w)
                            continue;
                        if (most < 0 || in[at] > in[most] || in[at] != in[at])
                            most = at;
                    }
                if (most >= 0)
                    din[most] += *g;
            }
}


static inline void avg_pool2d@(int images, int h, int w, int kh, int kw, int sh, int sw, int top,
                               int left, int divisor, int oh, int ow, const real *restrict in,
                               real *restrict out)
{
    for (int b = 0; b < images; b++, in += h * w)
        for (int y = 0; y < oh; y++)
            for (int x = 0; x < ow; x++) {
                double total = 0;
                for (int i = 0; i < kh; i++)
                    for (int j = 0; j < kw; j++) {
                        const int row = y * sh + i - top, column = x * sw + j - left;
                        if (row >= 0 && row < h && column >= 0 && column < w)
                            total += in[row * w + column];
                    }
                *out++ = (real)(total / divisor);
            }
}


static inline void avg_pool2d_vjp0@(int images, int h, int w, int kh, int kw, int sh, int sw,
                                    int top, int left, int divisor, int oh, int ow,
                                    const real *restrict g, real *restrict din)
{
    for (int i = 0; i < images * h * w; i++)
        din[i] = 0;
    for (int b = 0; b < images; b++, din += h * w)
        for (int y = 0; y < oh; y++)
            for (int x = 0; x < ow; x++, g++)
                for (int i = 0; i < kh; i++)
                    for (int j = 0; j < kw; j++) {
                        const int row = y * sh + i - top, column = x * sw + j - left;
                        if (row >= 0 && row < h && column >= 0 && column < w)
                            din[row * w + column] += *g / divisor;
                    }
}
