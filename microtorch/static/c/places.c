/* places.c - elements at places that a table or an index says (read by functions.py) */


/* out[i] = x[places[i]], or 0 where the place is -1 */
static inline void taken@(int n, const long long *restrict places, const real *restrict x,
                          real *restrict out)
{
    for (int i = 0; i < n; i++)
        out[i] = places[i] < 0 ? 0 : x[places[i]];
}


/* out, of `size` zeros, and x[i] added at places[i], but where that is -1 */
static inline void added@(int n, int size, const long long *restrict places,
                          const real *restrict x, real *restrict out)
{
    for (int i = 0; i < size; i++)
        out[i] = 0;
    for (int i = 0; i < n; i++)
        if (places[i] >= 0)
            out[places[i]] += x[i];
}


/* x with v[i] at places[i], or added to what is there; v is one number, if it is `single` */
static inline void put_at@(int n, int size, int adds, int single, const long long *restrict places,
                           const real *restrict x, const real *restrict v, real *restrict out)
{
    for (int i = 0; i < size; i++)
        out[i] = x[i];
    for (int i = 0; i < n; i++) {
        const real given = v[single ? 0 : i];
        out[places[i]] = adds ? out[places[i]] + given : given;
    }
}


/* out[i] = base[i] + step * (the index that belongs to i, which may count from the end) */
static inline void along@(int n, long long bound, int step, const long long *restrict base,
                          const long long *restrict which, const long long *restrict index,
                          long long *restrict out)
{
    for (int i = 0; i < n; i++) {
        const long long at = index[which ? which[i] : i];
        out[i] = base[i] + step * (at < 0 ? at + bound : at);
    }
}


/* out[j] = the sum over t of weight[t][j] x[index[t][j]], along the middle dimension */
static inline void taps@(int outer, int n, int inner, int taps, int m,
                         const long long *restrict index, const real *restrict weight,
                         const real *restrict x, real *restrict out)
{
    for (int o = 0; o < outer; o++, x += n * inner)
        for (int j = 0; j < m; j++)
            for (int i = 0; i < inner; i++) {
                real total = 0;
                for (int t = 0; t < taps; t++)
                    total += x[index[t * m + j] * inner + i] * weight[t * m + j];
                *out++ = total;
            }
}


static inline void tapped@(int outer, int n, int inner, int taps, int m,
                           const long long *restrict index, const real *restrict weight,
                           const real *restrict g, real *restrict out)
{
    for (int i = 0; i < outer * n * inner; i++)
        out[i] = 0;
    for (int o = 0; o < outer; o++, g += m * inner, out += n * inner)
        for (int t = 0; t < taps; t++)
            for (int j = 0; j < m; j++)
                for (int i = 0; i < inner; i++)
                    out[index[t * m + j] * inner + i] += g[j * inner + i] * weight[t * m + j];
}


/* sums of what comes before and the element itself, or after it, along the middle dimension */
static inline void cumsum@(int outer, int n, int inner, int back, const real *restrict x,
                           real *restrict out)
{
    for (int o = 0; o < outer; o++)
        for (int i = 0; i < inner; i++) {
            real total = 0;
            for (int k = 0; k < n; k++) {
                const int at = (o * n + (back ? n - 1 - k : k)) * inner + i;
                out[at] = total += x[at];
            }
        }
}


static inline void prod@(int outer, int n, int inner, const real *restrict x, real *restrict out)
{
    for (int o = 0; o < outer; o++)
        for (int i = 0; i < inner; i++) {
            real total = 1;
            for (int k = 0; k < n; k++)
                total *= x[(o * n + k) * inner + i];
            out[o * inner + i] = total;
        }
}


/* g times the product of the others: of those before it first, and of those after it then */
static inline void prod_vjp0@(int outer, int n, int inner, const real *restrict g,
                              const real *restrict x, real *restrict dx)
{
    for (int o = 0; o < outer; o++)
        for (int i = 0; i < inner; i++) {
            real before = g[o * inner + i], after = 1;
            for (int k = 0; k < n; k++) {
                dx[(o * n + k) * inner + i] = before;
                before *= x[(o * n + k) * inner + i];
            }
            for (int k = n - 1; k >= 0; k--) {
                dx[(o * n + k) * inner + i] *= after;
                after *= x[(o * n + k) * inner + i];
            }
        }
}


/* does x[i] stand after x[j]: is it larger, or NaN, or equal and later? */
static inline int after@(const real *x, long long i, long long j)
{
    if (x[i] == x[j] || (x[i] != x[i] && x[j] != x[j]))
        return i > j;
    return x[i] > x[j] || x[i] != x[i];
}


/* the order of each row, the smallest first, by a heap: a parent stands after its two children */
static inline void argsort@(int rows, int n, const real *restrict x, long long *restrict out)
{
    for (int r = 0; r < rows; r++, x += n, out += n) {
        for (int i = 0; i < n; i++)
            out[i] = i;
        for (int begin = n / 2, end = n; end > 1;) {
            if (begin > 0) {
                begin--;
            } else { /* the last of all goes to the end */
                const long long last = out[0];
                out[0] = out[--end];
                out[end] = last;
            }
            const long long moved = out[begin];
            int at = begin;
            for (int child; (child = 2 * at + 1) < end; at = child) {
                if (child + 1 < end && after@(x, out[child + 1], out[child]))
                    child++;
                if (!after@(x, out[child], moved))
                    break;
                out[at] = out[child];
            }
            out[at] = moved;
        }
    }
}


/* where the largest number of each window is, in an image of d x h x w: the first one, or the last
 * NaN; a window is a row of indices for each dimension */
static inline void places_of_maxima@(int images, int d, int h, int w, int cd, int kd, int ch,
                                     int kh, int cw, int kw, const long long *restrict td,
                                     const long long *restrict th, const long long *restrict tw,
                                     const real *restrict x, long long *restrict out)
{
    for (int n = 0; n < images; n++, x += d * h * w)
        for (int a = 0; a < cd; a++)
            for (int b = 0; b < ch; b++)
                for (int c = 0; c < cw; c++) {
                    long long best = -1;
                    for (int i = 0; i < kd; i++)
                        for (int j = 0; j < kh; j++)
                            for (int k = 0; k < kw; k++) {
                                const long long row = (td ? td[a * kd + i] : 0) * h + th[b * kh + j];
                                const long long at = row * w + tw[c * kw + k];
                                if (best < 0 || x[at] > x[best] || x[at] != x[at])
                                    best = at;
                            }
                    *out++ = best;
                }
}


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


/* integers */
static inline void taken_integers(int n, const long long *restrict places,
                                  const long long *restrict x, long long *restrict out)
{
    for (int i = 0; i < n; i++)
        out[i] = x[places[i]];
}


static inline void chosen_integers(int n, int single_x, int single_y,
                                   const unsigned char *restrict condition,
                                   const long long *restrict x, const long long *restrict y,
                                   long long *restrict out)
{
    for (int i = 0; i < n; i++)
        out[i] = condition[i] ? x[single_x ? 0 : i] : y[single_y ? 0 : i];
}


static inline void sum_of_integers(int outer, int n, int inner, const long long *restrict x,
                                   long long *restrict out)
{
    for (int o = 0; o < outer; o++)
        for (int i = 0; i < inner; i++) {
            out[o * inner + i] = 0;
            for (int k = 0; k < n; k++)
                out[o * inner + i] += x[(o * n + k) * inner + i];
        }
}


/* towards 0 */
static inline void integers_of@(int n, const real *restrict x, long long *restrict out)
{
    for (int i = 0; i < n; i++)
        out[i] = (long long)x[i];
}


/* are all, or any, true along the middle dimension? */
static inline void truths(int outer, int n, int inner, int all, const unsigned char *restrict x,
                          unsigned char *restrict out)
{
    for (int o = 0; o < outer; o++)
        for (int i = 0; i < inner; i++) {
            int found = all;
            for (int k = 0; k < n; k++)
                if (x[(o * n + k) * inner + i] != all)
                    found = !all;
            out[o * inner + i] = (unsigned char)found;
        }
}


/* rows of a table whose norm is larger than `most`, made as long as that; each once */
static inline void shorten@(int count, int n, double most, double p,
                            const long long *restrict index, real *restrict table)
{
    for (int i = 0; i < count; i++) {
        real *row = table + index[i] * n;
        int again = 0;
        for (int j = 0; j < i; j++)
            again |= index[j] == index[i];
        double norm = 0;
        for (int k = 0; k < n; k++)
            norm = p == INFINITY ? fmax(norm, fabs(row[k])) : norm + pow(fabs(row[k]), p);
        norm = p == INFINITY ? norm : pow(norm, 1 / p);
        for (int k = 0; !again && norm > most && k < n; k++)
            row[k] *= (real)(most / (norm + 1e-7));
    }
}


/* 1 / how often an index is there */
static inline void share_of_row@(int n, const long long *restrict index, real *restrict out)
{
    for (int i = 0; i < n; i++) {
        int count = 0;
        for (int j = 0; j < n; j++)
            count += index[j] == index[i];
        out[i] = 1 / (real)count;
    }
}


/* which row has the largest number of each bag, column by column, and which bags are empty */
static inline void largest_of_bags@(int rows, int n, int bags, const real *restrict x,
                                    const long long *restrict bag, long long *restrict best,
                                    unsigned char *restrict empty)
{
    for (int b = 0; b < bags; b++)
        for (int j = 0; j < n; j++) {
            long long at = -1;
            for (int i = 0; i < rows; i++) {
                const real now = x[i * n + j];
                if (bag[i] == b && (at < 0 || now > x[at * n + j]
                                    || (now != now && x[at * n + j] == x[at * n + j])))
                    at = i;
            }
            empty[b] = at < 0;
            best[b * n + j] = at < 0 ? 0 : at;
        }
}
