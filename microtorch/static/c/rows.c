/* rows.c - what is done to each row, or to each channel: softmax, norms (read by functions.py) */


/* Sixteen columns at a time, each with a largest number of its own: vector code. */
static inline real largest_of_row@(int n, const real *restrict x)
{
    real most[16];
    for (int k = 0; k < 16; k++)
        most[k] = -INFINITY;
    int j = 0;
    for (; j + 16 <= n; j += 16)
        for (int k = 0; k < 16; k++)
            most[k] = maximum@(most[k], x[j + k]);
    for (; j < n; j++)
        most[0] = maximum@(most[0], x[j]);
    for (int half = 8; half; half /= 2)
        for (int k = 0; k < half; k++)
            most[k] = maximum@(most[k], most[k + half]);
    return most[0];
}


static inline void softmax@(int rows, int n, const real *restrict x, real *restrict out)
{
    for (int i = 0; i < rows; i++, x += n, out += n) {
        const real largest = largest_of_row@(n, x);
        for (int j = 0; j < n; j++)
            out[j] = exp@(x[j] - largest);
        double total = 0;
        ADDED_UP for (int j = 0; j < n; j++)
            total += out[j];
        for (int j = 0; j < n; j++)
            out[j] /= (real)total;
    }
}


static inline void log_softmax@(int rows, int n, const real *restrict x, real *restrict out)
{
    for (int i = 0; i < rows; i++, x += n, out += n) {
        const real largest = largest_of_row@(n, x);
        for (int j = 0; j < n; j++)
            out[j] = exp@(x[j] - largest);
        double total = 0;
        ADDED_UP for (int j = 0; j < n; j++)
            total += out[j];
        const real shift = largest + (real)log(total);
        for (int j = 0; j < n; j++)
            out[j] = x[j] - shift;
    }
}


/* out (g - the sum of g out) */
INLINE void softmax_vjp0@(int rows, int n, const real *restrict g, const real *restrict out,
                          real *restrict dx)
{
    for (int i = 0; i < rows; i++, g += n, out += n, dx += n) {
        real total = 0;
        ADDED_UP for (int j = 0; j < n; j++)
            total += g[j] * out[j];
        for (int j = 0; j < n; j++)
            dx[j] = out[j] * (g[j] - total);
    }
}


/* g - softmax times the sum of g */
static inline void log_softmax_vjp0@(int rows, int n, const real *restrict g,
                                     const real *restrict out, real *restrict dx)
{
    for (int i = 0; i < rows; i++, g += n, out += n, dx += n) {
        double total = 0;
        ADDED_UP for (int j = 0; j < n; j++)
            total += g[j];
        for (int j = 0; j < n; j++)
            dx[j] = g[j] - exp@(out[j]) * (real)total;
    }
}


/* the mean and 1 / sqrt(variance + eps) of a row */
static inline void moments_of_row@(int n, const real *restrict x, double eps, real *mean,
                                   real *scale)
{
    double total = 0;
    ADDED_UP for (int j = 0; j < n; j++)
        total += x[j];
    const double middle = total / n;
    total = 0;
    ADDED_UP for (int j = 0; j < n; j++)
        total += (x[j] - middle) * (x[j] - middle);
    *mean = (real)middle;
    *scale = (real)(1 / sqrt(total / n + eps));
}


static inline void layer_norm@(int rows, int n, double eps, const real *restrict x,
                               const real *restrict w, const real *restrict b, real *restrict out)
{
    for (int i = 0; i < rows; i++, x += n, out += n) {
        real mean, scale;
        moments_of_row@(n, x, eps, &mean, &scale);
        for (int j = 0; j < n; j++)
            out[j] = (x[j] - mean) * scale * (w ? w[j] : 1) + (b ? b[j] : 0);
    }
}


/* dx, and dw as the first of `parts` rows, of which the others are 0 */
static inline void layer_norm_vjps@(int rows, int n, int parts, double eps, const real *restrict g,
                                    const real *restrict x, const real *restrict w,
                                    real *restrict dx, real *restrict dw)
{
    for (int j = 0; j < parts * n; j++)
        dw[j] = 0;
    for (int i = 0; i < rows; i++, x += n, g += n, dx += n) {
        real mean, scale;
        double sum = 0, total = 0;
        moments_of_row@(n, x, eps, &mean, &scale);
        ALSO_ADDED_UP for (int j = 0; j < n; j++) {
            const real h = w ? g[j] * w[j] : g[j];
            sum += h;
            total += (double)h * (x[j] - mean) * scale;
        }
        const real a = (real)(sum / n), b = (real)(total / n);
        for (int j = 0; j < n; j++) {
            const real t = (x[j] - mean) * scale;
            dx[j] = scale * ((w ? g[j] * w[j] : g[j]) - a - t * b);
            dw[j] += g[j] * t;
        }
    }
}


/* of groups of `channels` channels, `places` numbers each */
static inline void group_norm@(int rows, int groups, int channels, int places, double eps,
                               const real *restrict x, const real *restrict w,
                               const real *restrict b, real *restrict out)
{
    for (int i = 0; i < rows; i++) {
        real mean, scale;
        moments_of_row@(channels * places, x, eps, &mean, &scale);
        for (int k = i % groups * channels, c = 0; c < channels; c++, k++)
            for (int j = 0; j < places; j++)
                *out++ = (*x++ - mean) * scale * (w ? w[k] : 1) + (b ? b[k] : 0);
    }
}


/* dx, and for each example its part of dw and of db */
static inline void group_norm_vjps@(int rows, int groups, int channels, int places, double eps,
                                    const real *restrict g, const real *restrict x,
                                    const real *restrict w, real *restrict dx, real *restrict dw,
                                    real *restrict db)
{
    const int n = channels * places;
    for (int i = 0; i < rows; i++, x += n, g += n, dx += n, dw += channels, db += channels) {
        const real *weight = w ? w + i % groups * channels : 0;
        real mean, scale;
        double sum = 0, total = 0;
        moments_of_row@(n, x, eps, &mean, &scale);
        for (int c = 0; c < channels; c++) {
            double plain = 0, product = 0;
            for (int j = c * places; j < (c + 1) * places; j++) {
                plain += g[j];
                product += (double)g[j] * (x[j] - mean) * scale;
            }
            db[c] = (real)plain;
            dw[c] = (real)product;
            sum += plain * (weight ? weight[c] : 1);
            total += product * (weight ? weight[c] : 1);
        }
        const real a = (real)(sum / n), b = (real)(total / n);
        for (int c = 0; c < channels; c++)
            for (int j = c * places; j < (c + 1) * places; j++)
                dx[j] = scale * (g[j] * (weight ? weight[c] : 1) - a - (x[j] - mean) * scale * b);
    }
}


/* mean and variance of each of c channels, over n examples of `size` numbers for each channel */
static inline void moments@(int n, int c, int size, const real *restrict x, real *restrict mean,
                            real *restrict variance)
{
    for (int k = 0; k < c; k++) {
        double total = 0, squares = 0;
        for (int i = 0; i < n; i++)
            ADDED_UP for (int j = 0; j < size; j++)
                total += x[(i * c + k) * size + j];
        const double middle = total / ((double)n * size);
        for (int i = 0; i < n; i++)
            for (int j = 0; j < size; j++) {
                const double d = x[(i * c + k) * size + j] - middle;
                squares += d * d;
            }
        mean[k] = (real)middle;
        variance[k] = (real)(squares / ((double)n * size));
    }
}


static inline void fixed_norm@(int n, int c, int size, double eps, const real *restrict x,
                               const real *restrict mean, const real *restrict variance,
                               const real *restrict w, const real *restrict b, real *restrict out)
{
    for (int i = 0; i < n; i++)
        for (int k = 0; k < c; k++, x += size, out += size) {
            const real scale = (real)(1 / sqrt(variance[k] + eps)) * (w ? w[k] : 1);
            const real shift = b ? b[k] : 0;
            for (int j = 0; j < size; j++)
                out[j] = (x[j] - mean[k]) * scale + shift;
        }
}


static inline void batch_norm@(int n, int c, int size, double eps, const real *restrict x,
                               const real *restrict w, const real *restrict b, real *restrict out)
{
    for (int k = 0; k < c; k++) {
        double total = 0, squares = 0;
        for (int i = 0; i < n; i++)
            for (int j = 0; j < size; j++)
                total += x[(i * c + k) * size + j];
        const double mean = total / ((double)n * size);
        for (int i = 0; i < n; i++)
            for (int j = 0; j < size; j++) {
                const double d = x[(i * c + k) * size + j] - mean;
                squares += d * d;
            }
        const double scale = 1 / sqrt(squares / ((double)n * size) + eps) * (w ? w[k] : 1);
        for (int i = 0; i < n; i++)
            for (int j = 0; j < size; j++) {
                const int at = (i * c + k) * size + j;
                out[at] = (real)((x[at] - mean) * scale + (b ? b[k] : 0));
            }
    }
}


static inline void batch_norm_vjps@(int n, int c, int size, double eps, const real *restrict g,
                                    const real *restrict x, const real *restrict w,
                                    real *restrict dx, real *restrict dw, real *restrict db)
{
    const double m = (double)n * size;
    for (int k = 0; k < c; k++) {
        double total = 0, squares = 0, sum = 0, dot = 0;
        for (int i = 0; i < n; i++)
            for (int j = 0; j < size; j++)
                total += x[(i * c + k) * size + j];
        const double mean = total / m;
        for (int i = 0; i < n; i++)
            for (int j = 0; j < size; j++) {
                const int at = (i * c + k) * size + j;
                squares += (x[at] - mean) * (x[at] - mean);
                sum += g[at];
                dot += g[at] * (x[at] - mean);
            }
        const double scale = 1 / sqrt(squares / m + eps);
        for (int i = 0; i < n; i++)
            for (int j = 0; j < size; j++) {
                const int at = (i * c + k) * size + j;
                const double t = (x[at] - mean) * scale;
                dx[at] = (real)(scale * (w ? w[k] : 1) * (g[at] - sum / m - t * dot * scale / m));
            }
        dw[k] = (real)(dot * scale);
        db[k] = (real)sum;
    }
}
