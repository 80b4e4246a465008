/* volumes.c - convolution in groups, and of volumes (read by functions.py) */


/* convolution in three dimensions, in groups: out[n, o, z, y, x] = bias[o] + the sum of
 * in[n, c, z sz + i dz - front, ...] k[o, c, i, ...]; `way` says what is made: 0 out, 1 in, of what
 * comes back from out, 2 k. `s`: how many images, channels (2), groups, and three numbers each of
 * the sizes of in, k and out, the stride, the padding and the dilation */
static inline void conv3d_any@(const int *s, int way, real *in, real *k, const real *bias,
                               real *out)
{
    const int n = s[0], c = s[1], o = s[2], own = c / s[3], each = o / s[3];
    const int *from = s + 4, *window = s + 7, *to = s + 10, *stride = s + 13, *pad = s + 16;
    const int *apart = s + 19, size = to[0] * to[1] * to[2], whole = from[0] * from[1] * from[2];
    const int points = window[0] * window[1] * window[2];
    for (int i = 0; way == 1 && i < n * c * whole; i++)
        in[i] = 0;
    for (int i = 0; way == 2 && i < o * own * points; i++)
        k[i] = 0;
    for (int b = 0; b < n; b++)
        for (int f = 0; f < o; f++, out += size) {
            for (int i = 0; way == 0 && i < size; i++)
                out[i] = bias ? bias[f] : 0;
            for (int a = 0; a < own; a++)
                for (int m = 0; m < points; m++) {
                    real *plane = in + (b * c + f / each * own + a) * whole;
                    const int i = m / (window[1] * window[2]), at = (f * own + a) * points + m;
                    const int j = m / window[2] % window[1], l = m % window[2];
                    double total = 0;
                    for (int z = 0; z < to[0]; z++)
                        for (int y = 0; y < to[1]; y++)
                            for (int x = 0; x < to[2]; x++) {
                                const int p = z * stride[0] + i * apart[0] - pad[0];
                                const int q = y * stride[1] + j * apart[1] - pad[1];
                                const int r = x * stride[2] + l * apart[2] - pad[2];
                                if (p < 0 || p >= from[0] || q < 0 || q >= from[1] || r < 0
                                    || r >= from[2])
                                    continue;
                                real *seen = plane + (p * from[1] + q) * from[2] + r;
                                real *other = out + (z * to[1] + y) * to[2] + x;
                                if (way == 0)
                                    *other += k[at] * *seen;
                                else if (way == 1)
                                    *seen += k[at] * *other;
                                else
                                    total += (double)*seen * *other;
                            }
                    if (way == 2)
                        k[at] += (real)total;
                }
        }
}


static inline void conv3d@(const int *s, const real *in, const real *k, const real *bias,
                           real *out)
{
    conv3d_any@(s, 0, (real *)in, (real *)k, bias, out);
}


static inline void conv3d_vjp0@(const int *s, const real *g, const real *k, real *in)
{
    conv3d_any@(s, 1, in, (real *)k, NULL, (real *)g);
}


static inline void conv3d_vjp1@(const int *s, const real *g, const real *in, real *k)
{
    conv3d_any@(s, 2, (real *)in, k, NULL, (real *)g);
}


/* means of windows of volumes of d x h x w; `ends` says where those of od planes begin and end, and
 * those of oh rows and ow columns; 0 as divisor is the size of each window */
static inline void means_of_windows@(int volumes, int d, int h, int w, int od, int oh, int ow,
                                     int divisor, const long long *restrict ends,
                                     const real *restrict in, real *restrict out)
{
    const long long *const rows = ends + 2 * od, *const columns = rows + 2 * oh;
    for (int b = 0; b < volumes; b++, in += d * h * w)
        for (int m = 0; m < od * oh * ow; m++) {
            const long long *const z = ends + m / (oh * ow) * 2, *const y = rows + m / ow % oh * 2;
            const long long *const x = columns + m % ow * 2;
            double total = 0;
            for (long long i = z[0]; i < z[1]; i++)
                for (long long j = y[0]; j < y[1]; j++)
                    for (long long k = x[0]; k < x[1]; k++)
                        total += in[(i * h + j) * w + k];
            const long long all = (z[1] - z[0]) * (y[1] - y[0]) * (x[1] - x[0]);
            *out++ = (real)(total / (double)(divisor ? divisor : all));
        }
}


static inline void means_of_windows_vjp0@(int volumes, int d, int h, int w, int od, int oh, int ow,
                                          int divisor, const long long *restrict ends,
                                          const real *restrict g, real *restrict din)
{
    const long long *const rows = ends + 2 * od, *const columns = rows + 2 * oh;
    for (int i = 0; i < volumes * d * h * w; i++)
        din[i] = 0;
    for (int b = 0; b < volumes; b++, din += d * h * w)
        for (int m = 0; m < od * oh * ow; m++, g++) {
            const long long *const z = ends + m / (oh * ow) * 2, *const y = rows + m / ow % oh * 2;
            const long long *const x = columns + m % ow * 2;
            const long long all = (z[1] - z[0]) * (y[1] - y[0]) * (x[1] - x[0]);
            const real part = *g / (real)(divisor ? divisor : all);
            for (long long i = z[0]; i < z[1]; i++)
                for (long long j = y[0]; j < y[1]; j++)
                    for (long long k = x[0]; k < x[1]; k++)
                        din[(i * h + j) * w + k] += part;
        }
}
