/* ordered.c - what the order of numbers says: running extremes, modes, medians, places in a sorted
 * row (read by functions.py). NaN comes last; it is what is neither above 0 nor not above it, which
 * also compiles for whole numbers. */


static inline int is_none@(real x) { return !(x <= 0) && !(x > 0); }


/* where the largest, or smallest, element up to each place along the middle dimension lies: of
 * equal ones the last, and after a NaN only another one */
static inline void running_extreme@(int outer, int n, int inner, int smallest,
                                    const real *restrict x, long long *restrict out)
{
    for (int o = 0; o < outer; o++)
        for (int i = 0; i < inner; i++) {
            int at = 0;
            for (int k = 0; k < n; k++) {
                const real best = x[(o * n + at) * inner + i], y = x[(o * n + k) * inner + i];
                if (is_none@(y) || (!is_none@(best) && (smallest ? y <= best : y >= best)))
                    at = k;
                out[(o * n + k) * inner + i] = at;
            }
        }
}


static inline void extreme@(int n, int smallest, const real *restrict x, real *restrict out)
{
    *out = x[0];
    for (int i = 1; i < n; i++)
        if (is_none@(x[i]) || (smallest ? x[i] < *out : x[i] > *out))
            *out = x[i];
}


/* the last place, along the middle dimension, of the element that occurs most often; of several the
 * smallest; a NaN equals none */
static inline void mode@(int outer, int n, int inner, const real *restrict x,
                         long long *restrict out)
{
    for (int o = 0; o < outer; o++)
        for (int i = 0; i < inner; i++) {
            const real *row = x + o * n * inner + i;
            int most = 0, found = 0;
            for (int k = 0; k < n; k++) {
                int count = 1, last = k, first = 1;
                for (int j = 0; j < n; j++)
                    if (j != k && row[j * inner] == row[k * inner]) {
                        count++;
                        first &= j > k;
                        last = j > last ? j : last;
                    }
                const real y = row[k * inner], best = row[found * inner];
                const int less = y < best || (is_none@(best) && !is_none@(y));
                if (first && (count > most || (count == most && less))) {
                    most = count;
                    found = last;
                }
            }
            out[o * inner + i] = found;
        }
}


/* where the lower median of what is no NaN lies along the middle dimension; 0 if all is NaN */
static inline void nanmedian@(int outer, int n, int inner, const real *restrict x,
                              long long *restrict out)
{
    for (int o = 0; o < outer; o++)
        for (int i = 0; i < inner; i++) {
            const real *row = x + o * n * inner + i;
            int known = 0;
            for (int k = 0; k < n; k++)
                known += !is_none@(row[k * inner]);
            out[o * inner + i] = 0;
            for (int k = 0; k < n; k++) {
                const real y = row[k * inner];
                int before = 0;
                for (int j = 0; j < n; j++)
                    before += row[j * inner] < y || (row[j * inner] == y && j < k);
                if (!is_none@(y) && before == (known - 1) / 2)
                    out[o * inner + i] = k;
            }
        }
}


/* the lower median, by the order of the numbers: a NaN if there is one, or, if those are left out,
 * the median of the others */
static inline void median_of_all@(int n, int leave_out, const real *restrict x,
                                  const long long *restrict order, real *restrict out)
{
    int known = n;
    while (known > 0 && is_none@(x[order[known - 1]]))
        known--;
    const int rank = leave_out ? (known > 0 ? known - 1 : 0) / 2 : known < n ? n - 1 : (n - 1) / 2;
    out[0] = x[order[rank]];
}


/* where each of m values would be inserted into the sorted row of n that goes with it; `right`:
 * after equal ones */
static inline void searchsorted@(int rows, int n, int m, int right, const real *restrict x,
                                 const real *restrict values, long long *restrict out)
{
    for (int r = 0; r < rows; r++, x += n, values += m, out += m)
        for (int j = 0; j < m; j++) {
            const real v = values[j];
            int low = 0, high = n;
            while (low < high) {
                const int at = (low + high) / 2;
                const real y = x[at];
                const int before = y < v || (is_none@(v) && !is_none@(y)),
                    after = v < y || (is_none@(y) && !is_none@(v));
                if (right ? !after : before)
                    low = at + 1;
                else
                    high = at;
            }
            out[j] = low;
        }
}


/* which element of the kernel, counted row by row, holds the maximum of each window, or its last
 * NaN */
static inline void pool_place@(int images, int h, int w, int kh, int kw, int sh, int sw, int top,
                               int left, int dh, int dw, int oh, int ow, const real *restrict x,
                               const real *restrict out, long long *restrict place)
{
    for (int b = 0; b < images; b++, x += h * w)
        for (int i = 0; i < oh; i++)
            for (int j = 0; j < ow; j++, out++, place++) {
                int at = -1;
                for (int k = 0; k < kh * kw; k++) {
                    const int r = i * sh - top + k / kw * dh, c = j * sw - left + k % kw * dw;
                    if (r < 0 || r >= h || c < 0 || c >= w)
                        continue;
                    const real y = x[r * w + c];
                    if (is_none@(*out) ? is_none@(y) : at < 0 && y == *out)
                        at = k;
                }
                *place = at < 0 ? kh * kw - 1 : at;
            }
}
