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


/* x with v[i] at places[i], or what `way` makes of it and of what is there: 1 their sum, 2 their
 * product, 3 the larger and 4 the smaller, a NaN if one is; v is one number, if it is `single` */
static inline void put_at@(int n, int size, int way, int single, const long long *restrict places,
                           const real *restrict x, const real *restrict v, real *restrict out)
{
    for (int i = 0; i < size; i++)
        out[i] = x[i];
    for (int i = 0; i < n; i++) {
        const real given = v[single ? 0 : i];
        real *const at = out + places[i];
        if (way == 1)
            *at += given;
        else if (way == 2)
            *at *= given;
        else if (!way || given != given || (way == 3 ? given > *at : given < *at))
            *at = given;
    }
}


/* out[i] = base[i] + step * (the index that belongs to i, which may count from the end) */
static inline void along(int n, long long bound, int step, const long long *restrict base,
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


static inline void cumprod@(int outer, int n, int inner, const real *restrict x, real *restrict out)
{
    for (int o = 0; o < outer; o++)
        for (int i = 0; i < inner; i++) {
            real total = 1;
            for (int k = 0; k < n; k++) {
                const int at = (o * n + k) * inner + i;
                out[at] = total *= x[at];
            }
        }
}


/* the sum, over each product that a number is in, of g times the product of the others there */
static inline void cumprod_vjp0@(int outer, int n, int inner, const real *restrict g,
                                 const real *restrict x, real *restrict dx)
{
    for (int o = 0; o < outer; o++, g += n * inner, x += n * inner, dx += n * inner)
        for (int i = 0; i < inner; i++) {
            double before = 1;
            for (int k = 0; k < n; k++) {
                double others = before, total = others * g[k * inner + i];
                for (int j = k + 1; j < n; j++) {
                    others *= x[j * inner + i];
                    total += others * g[j * inner + i];
                }
                dx[k * inner + i] = (real)total;
                before *= x[k * inner + i];
            }
        }
}


/* does x[i] stand after x[j]: is it larger, or NaN, or equal and later? */
static inline int after@(const real *x, long long i, long long j)
{
    if (x[i] == x[j] || (is_none@(x[i]) && is_none@(x[j])))
        return i > j;
    return x[i] > x[j] || is_none@(x[i]);
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
                                const long long plane = td ? td[a * kd + i] : 0;
                                const long long row = plane * h + th[b * kh + j];
                                const long long at = row * w + tw[c * kw + k];
                                if (best < 0 || x[at] > x[best] || x[at] != x[at])
                                    best = at;
                            }
                    *out++ = best;
                }
}
