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


/* n windows of 2 x 2, side by side, which see rows a and b: the largest of each */
INLINE void largest_of_pairs@(int n, const real *restrict a, const real *restrict b,
                              real *restrict out)
{
    real both[16];
    for (int l = 0; l < 2 * n; l++)
        both[l] = maximum@(a[l], b[l]);
    for (int l = 0; l < n; l++) {
        const real left = both[2 * l], right = both[2 * l + 1];
        out[l] = maximum@(left, right);
    }
}


/* the gradient to the first of each window's largest numbers, or to the last NaN; after relu, only
 * where that is larger than 0 */
INLINE void shared_among_pairs@(int n, int relu, const real *restrict g,
                                const real *restrict largest, const real *restrict a,
                                const real *restrict b, real *restrict da, real *restrict db)
{
    int strange = 0;
    for (int l = 0; l < n; l++)
        strange |= largest[l] != largest[l];
    for (int l = 0; l < n; l++) {
        const real most = largest[l], all = g[l], given = (relu & (most <= 0)) ? 0 : all;
        const int p = a[2 * l] == most, q = !p & (a[2 * l + 1] == most);
        const int r = !(p | q) & (b[2 * l] == most);
        da[2 * l] = p ? given : 0;
        da[2 * l + 1] = q ? given : 0;
        db[2 * l] = r ? given : 0;
        db[2 * l + 1] = !(p | q | r) ? given : 0;
    }
    for (int l = 0; strange && l < n; l++)
        if (largest[l] != largest[l] && b[2 * l + 1] == b[2 * l + 1]) {
            const int in_b = b[2 * l] != b[2 * l], right = a[2 * l + 1] != a[2 * l + 1];
            db[2 * l + 1] = 0;
            db[2 * l] = in_b ? g[l] : 0;
            da[2 * l + 1] = !in_b && right ? g[l] : 0;
            da[2 * l] = !in_b && !right ? g[l] : 0;
        }
}


/* Windows of 2 x 2 that do not overlap, n in each of so many rows; `few` at a time, of which those
 * that are left over are done once more with those before. */
INLINE void halved_by@(int few, int rows, int n, const real *restrict x, real *restrict out)
{
    for (int i = 0; i < rows; i++, x += 4 * n, out += n)
        for (int j = 0; j < n; j += few) {
            const int k = j + few > n ? n - few : j;
            largest_of_pairs@(few, x + 2 * k, x + 2 * (k + n), out + k);
        }
}


static void halved@(int rows, int n, const real *restrict x, real *restrict out)
{
    if (n >= 8)
        halved_by@(8, rows, n, x, out);
    else if (n >= 4)
        halved_by@(4, rows, n, x, out);
    else
        halved_by@(1, rows, n, x, out);
}


INLINE void halved_vjp0_by@(int few, int rows, int n, int relu, const real *restrict g,
                            const real *restrict largest, const real *restrict x,
                            real *restrict dx)
{
    for (int i = 0; i < rows; i++, x += 4 * n, dx += 4 * n, g += n, largest += n)
        for (int j = 0; j < n; j += few) {
            const int k = j + few > n ? n - few : j;
            shared_among_pairs@(few, relu, g + k, largest + k, x + 2 * k, x + 2 * (k + n),
                                dx + 2 * k, dx + 2 * (k + n));
        }
}


static void halved_vjp0@(int rows, int n, int relu, const real *restrict g,
                         const real *restrict largest, const real *restrict x, real *restrict dx)
{
    if (n >= 8)
        halved_vjp0_by@(8, rows, n, relu, g, largest, x, dx);
    else if (n >= 4)
        halved_vjp0_by@(4, rows, n, relu, g, largest, x, dx);
    else
        halved_vjp0_by@(1, rows, n, relu, g, largest, x, dx);
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


/* the gradient goes to the first of a window's largest numbers */
static inline void max_pool2d_vjp0@(int images, int h, int w, int kh, int kw, int sh, int sw,
                                    int top, int left, int dh, int dw, int oh, int ow,
                                    const real *restrict g, const real *restrict out,
                                    const real *restrict in, real *restrict din)
{
    for (int i = 0; i < images * h * w; i++)
        din[i] = 0;
    for (int b = 0; b < images; b++, in += h * w, din += h * w)
        for (int y = 0; y < oh; y++)
            for (int x = 0; x < ow; x++, g++, out++)
                for (int i = 0; i < kh; i++)
                    for (int j = 0; j < kw; j++) {
                        const int row = y * sh + i * dh - top, column = x * sw + j * dw - left;
                        const int at = row * w + column;
                        if (row < 0 || row >= h || column < 0 || column >= w)
                            continue;
                        if (in[at] == *out || in[at] != in[at]) {
                            din[at] += *g;
                            i = kh;
                            break;
                        }
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


/* means of oh x ow windows that cover an image, and overlap where its size is no multiple */
static inline void adaptive_avg_pool2d@(int images, int h, int w, int oh, int ow,
                                        const real *restrict in, real *restrict out)
{
    for (int b = 0; b < images; b++, in += h * w)
        for (int y = 0; y < oh; y++)
            for (int x = 0; x < ow; x++) {
                const int top = y * h / oh, bottom = ((y + 1) * h + oh - 1) / oh;
                const int left = x * w / ow, right = ((x + 1) * w + ow - 1) / ow;
                double total = 0;
                for (int i = top; i < bottom; i++)
                    for (int j = left; j < right; j++)
                        total += in[i * w + j];
                *out++ = (real)(total / ((bottom - top) * (right - left)));
            }
}


static inline void adaptive_avg_pool2d_vjp0@(int images, int h, int w, int oh, int ow,
                                             const real *restrict g, real *restrict din)
{
    for (int i = 0; i < images * h * w; i++)
        din[i] = 0;
    for (int b = 0; b < images; b++, din += h * w)
        for (int y = 0; y < oh; y++)
            for (int x = 0; x < ow; x++, g++) {
                const int top = y * h / oh, bottom = ((y + 1) * h + oh - 1) / oh;
                const int left = x * w / ow, right = ((x + 1) * w + ow - 1) / ow;
                const real part = *g / (real)((bottom - top) * (right - left));
                for (int i = top; i < bottom; i++)
                    for (int j = left; j < right; j++)
                        din[i * w + j] += part;
            }
}
