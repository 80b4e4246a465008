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
