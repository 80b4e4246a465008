/* algebra.c - small matrices, by the methods of textbooks (read by functions.py). A function takes
 * `count` matrices, one after the other, and makes of each what LAPACK would, to rounding. An
 * `info` is 0, or the place from 1 on at which there is nothing to go on with. */


/* rows or columns, whose numbers lie so far apart, change places */
static inline void exchanged@(int n, int x_by, real *x, int y_by, real *y)
{
    for (int i = 0; i < n; i++) {
        const real a = x[i * x_by];
        x[i * x_by] = y[i * y_by];
        y[i * y_by] = a;
    }
}


/* P L U = a (m, n): a becomes U, and below its diagonal L. In each column the largest number left
 * is the pivot; row j was exchanged with row pivots[j] - 1. */
static inline int factored@(int m, int n, real *restrict a, int *restrict pivots)
{
    int info = 0;
    for (int j = 0; j < m && j < n; j++) {
        int top = j;
        for (int i = j + 1; i < m; i++)
            if (fabs@(a[i * n + j]) > fabs@(a[top * n + j]))
                top = i;
        pivots[j] = top + 1;
        exchanged@(n, 1, a + j * n, 1, a + top * n);
        if (a[j * n + j] == 0) {
            info = info ? info : j + 1;
            continue;
        }
        for (int i = j + 1; i < m; i++) {
            const real factor = a[i * n + j] /= a[j * n + j];
            for (int c = j + 1; c < n; c++)
                a[i * n + c] -= factor * a[j * n + c];
        }
    }
    return info;
}


static inline void lu_factor@(int count, int m, int n, const real *restrict a, real *restrict lu,
                              int *restrict pivots, int *restrict info)
{
    for (int i = 0; i < count * m * n; i++)
        lu[i] = a[i];
    for (int b = 0; b < count; b++)
        info[b] = factored@(m, n, lu + b * m * n, pivots + b * (m < n ? m : n));
}


/* P of P L U: row j of it has a 1 where the exchanges have put it */
static inline void permutation_of@(int count, int k, int m, const int *restrict pivots,
                                   real *restrict out)
{
    for (int b = 0; b < count; b++, pivots += k, out += m * m)
        for (int row = 0; row < m; row++) {
            int to = row; /* where row `row` of a has come to */
            for (int j = 0; j < k; j++)
                to = to == j ? pivots[j] - 1 : to == pivots[j] - 1 ? j : to;
            for (int c = 0; c < m; c++)
                out[row * m + c] = c == to;
        }
}


/* x with a x = b, for triangular a (n, n): b (n, k) becomes x. unit: there are ones on a's diagonal
 */
static inline void substituted@(int n, int k, int upper, int unit, const real *restrict a,
                                real *restrict b)
{
    for (int step = 0; step < n; step++) {
        const int i = upper ? n - 1 - step : step;
        for (int j = upper ? i + 1 : 0; j < (upper ? n : i); j++)
            for (int c = 0; c < k; c++)
                b[i * k + c] -= a[i * n + j] * b[j * k + c];
        for (int c = 0; c < k && !unit; c++)
            b[i * k + c] /= a[i * n + i];
    }
}


static inline void solve_triangular@(int count, int n, int k, int upper, int unit,
                                     const real *restrict a, const real *restrict b,
                                     real *restrict x)
{
    for (int i = 0; i < count * n * k; i++)
        x[i] = b[i];
    for (int i = 0; i < count; i++)
        substituted@(n, k, upper, unit, a + i * n * n, x + i * n * k);
}


/* x with a x = b, where lu is P L U = a: b (n, k) becomes x */
static inline void solved@(int n, int k, const real *restrict lu, const int *restrict pivots,
                           real *restrict b)
{
    for (int j = 0; j < n; j++)
        exchanged@(k, 1, b + j * k, 1, b + (pivots[j] - 1) * k);
    substituted@(n, k, 0, 1, lu, b);
    substituted@(n, k, 1, 0, lu, b);
}


/* NaN where a is singular */
static inline void solve@(int count, int n, int k, const real *restrict a, const real *restrict b,
                          real *restrict lu, int *restrict pivots, real *restrict x,
                          int *restrict info)
{
    lu_factor@(count, n, n, a, lu, pivots, info);
    for (int i = 0; i < count; i++, lu += n * n, pivots += n, b += n * k, x += n * k) {
        for (int c = 0; c < n * k; c++)
            x[c] = info[i] ? NAN : b[c];
        if (!info[i])
            solved@(n, k, lu, pivots, x);
    }
}


static inline void inverse@(int count, int n, const real *restrict a, real *restrict lu,
                            int *restrict pivots, real *restrict out, int *restrict info)
{
    lu_factor@(count, n, n, a, lu, pivots, info);
    for (int i = 0; i < count; i++, lu += n * n, pivots += n, out += n * n) {
        for (int c = 0; c < n * n; c++)
            out[c] = info[i] ? NAN : c % (n + 1) == 0;
        if (!info[i])
            solved@(n, n, lu, pivots, out);
    }
}


/* the sign of a determinant, and the log of its size, of P L U: 0 and -inf if it is 0 */
static inline real sign_and_log@(int n, const real *restrict lu, const int *restrict pivots,
                                 real *restrict size)
{
    real sign = 1;
    *size = 0;
    for (int j = 0; j < n; j++) {
        const real x = lu[j * n + j];
        sign *= (pivots[j] != j + 1 ? -1 : 1) * (real)((x > 0) - (x < 0));
        *size += log@(fabs@(x));
    }
    return sign;
}


static inline void slogdet@(int count, int n, const real *restrict a, real *restrict lu,
                            int *restrict pivots, real *restrict sign, real *restrict size)
{
    for (int i = 0; i < count * n * n; i++)
        lu[i] = a[i];
    for (int i = 0; i < count; i++) {
        factored@(n, n, lu + i * n * n, pivots);
        sign[i] = sign_and_log@(n, lu + i * n * n, pivots, size + i);
    }
}


static inline real determinant@(int n, real *restrict a, int *restrict pivots)
{
    real out = 1;
    factored@(n, n, a, pivots);
    for (int j = 0; j < n; j++)
        out *= pivots[j] != j + 1 ? -a[j * n + j] : a[j * n + j];
    return out;
}


static inline void det@(int count, int n, const real *restrict a, real *restrict lu,
                        int *restrict pivots, real *restrict out)
{
    for (int i = 0; i < count * n * n; i++)
        lu[i] = a[i];
    for (int i = 0; i < count; i++)
        out[i] = determinant@(n, lu + i * n * n, pivots);
}


/* its derivative, d times the inverse, turned; where d is 0, at each place the determinant of the
 * matrix without this row and column, with the signs of a chess-board */
static inline void det_derivative@(int count, int n, const real *restrict a,
                                   const real *restrict d, real *restrict room,
                                   int *restrict pivots, real *restrict out)
{
    int info;
    for (int b = 0; b < count; b++, a += n * n, out += n * n) {
        if (d[b] != 0)
            inverse@(1, n, a, room, pivots, out, &info);
        for (int i = 0; i < n && d[b] != 0; i++)
            exchanged@(i, 1, out + i * n, n, out + i);
        for (int i = 0; i < n * n && d[b] != 0; i++)
            out[i] *= d[b];
        for (int i = 0; i < n * n && d[b] == 0; i++) {
            real *to = room;
            for (int c = 0; c < n * n; c++)
                if (c / n != i / n && c % n != i % n)
                    *to++ = a[c];
            const real minor = determinant@(n - 1, room, pivots);
            out[i] = (i / n + i % n) % 2 ? -minor : minor;
        }
    }
}


/* L with L L' = a, of which the lower triangle is read; NaN, and the order of the minor, where
 * there is none */
static inline void cholesky@(int count, int n, const real *restrict a, real *restrict l,
                             int *restrict info)
{
    for (int b = 0; b < count; b++, a += n * n, l += n * n) {
        info[b] = 0;
        for (int i = 0; i < n * n; i++)
            l[i] = 0;
        for (int j = 0; j < n && !info[b]; j++)
            for (int i = j; i < n; i++) {
                real left = a[i * n + j];
                for (int c = 0; c < j; c++)
                    left -= l[i * n + c] * l[j * n + c];
                if (i == j && !(left > 0)) {
                    info[b] = j + 1;
                    break;
                }
                l[i * n + j] = i == j ? sqrt@(left) : left / l[j * n + j];
            }
        for (int i = 0; i < n * n && info[b]; i++)
            l[i] = NAN;
    }
}


/* x (m, n) becomes x - tau v (v' x): the reflection of Householder. v lies below the diagonal of
 * column j of h, and begins with a 1 at row j; columns of x before `from` stay. */
static inline void reflected@(int m, int n, int from, int width, int j, real tau,
                              const real *h, real *x)
{
    for (int c = from; c < n; c++) {
        real sum = x[j * n + c];
        for (int i = j + 1; i < m; i++)
            sum += h[i * width + j] * x[i * n + c];
        x[j * n + c] -= tau * sum;
        for (int i = j + 1; i < m; i++)
            x[i * n + c] -= tau * sum * h[i * width + j];
    }
}


/* q (m, k) and r (k, n) with q r = a (m, n): reflections h turn each column to its axis */
static inline void qr@(int count, int m, int n, int k, const real *restrict a, real *restrict h,
                       real *restrict tau, real *restrict q, real *restrict r)
{
    const int most = m < n ? m : n;
    for (int b = 0; b < count; b++, a += m * n, q += m * k, r += k * n) {
        for (int i = 0; i < m * n; i++)
            h[i] = a[i];
        for (int j = 0; j < most; j++) {
            real below = 0;
            const real first = h[j * n + j];
            for (int i = j + 1; i < m; i++)
                below += h[i * n + j] * h[i * n + j];
            tau[j] = 0;
            if (below == 0)
                continue;
            const real size = sqrt@(first * first + below), to = first > 0 ? -size : size;
            tau[j] = (to - first) / to;
            for (int i = j + 1; i < m; i++)
                h[i * n + j] /= first - to;
            reflected@(m, n, j + 1, n, j, tau[j], h, h);
            h[j * n + j] = to;
        }
        for (int i = 0; i < k * n; i++)
            r[i] = i / n <= i % n ? h[i] : 0;
        for (int i = 0; i < m * k; i++)
            q[i] = i / k == i % k;
        for (int j = most - 1; j >= 0; j--)
            reflected@(m, k, 0, n, j, tau[j], h, q);
    }
}


/* cosine and sine of the angle by which two axes are turned, such that what they have in common
 * becomes 0 (Jacobi 1846): p and q are their own parts */
static inline void angle@(real p, real q, real common, real *restrict c, real *restrict s)
{
    const real t0 = (q - p) / (2 * common);
    const real t = (t0 < 0 ? -1 : 1) / (fabs@(t0) + sqrt@(t0 * t0 + 1));
    *c = 1 / sqrt@(t * t + 1);
    *s = t * *c;
}


/* rows, or columns, of numbers that lie `by` apart: both are turned */
static inline void turn@(int n, int by, real c, real s, real *x, real *y)
{
    for (int i = 0; i < n; i++) {
        const real a = x[i * by], b = y[i * by];
        x[i * by] = c * a - s * b;
        y[i * by] = s * a + c * b;
    }
}


/* eigenvalues, from the smallest on, and in the columns of `vectors` their vectors, of symmetric
 * matrices of which one triangle is read. The signs of vectors are not LAPACK's. */
static inline void eigh@(int count, int n, int upper, const real *restrict a, real *restrict left,
                         real *restrict values, real *restrict vectors)
{
    for (int b = 0; b < count; b++, a += n * n, values += n, vectors += n * n) {
        for (int i = 0; i < n * n; i++) {
            const int row = i / n, column = i % n, same = upper ? row <= column : row >= column;
            left[i] = same ? a[i] : a[column * n + row];
            vectors[i] = row == column;
        }
        int turned = 1;
        for (int sweep = 0; sweep < 50 && turned; sweep++) {
            turned = 0;
            for (int p = 0; p < n; p++)
                for (int q = p + 1; q < n; q++) {
                    const real x = left[p * n + q], own = fabs@(left[p * n + p]);
                    if (x == 0 || own + fabs@(left[q * n + q]) + fabs@(x) * (real)0.25 ==
                            own + fabs@(left[q * n + q]))
                        continue;
                    real c, s;
                    angle@(left[p * n + p], left[q * n + q], x, &c, &s);
                    turn@(n, n, c, s, left + p, left + q);
                    turn@(n, 1, c, s, left + p * n, left + q * n);
                    turn@(n, n, c, s, vectors + p, vectors + q);
                    turned = 1;
                }
        }
        for (int i = 0; i < n; i++)
            values[i] = left[i * n + i];
        for (int i = 0; i < n; i++) { /* the smallest one left goes to place i */
            int least = i;
            for (int j = i + 1; j < n; j++)
                if (values[j] < values[least])
                    least = j;
            exchanged@(1, 1, values + i, 1, values + least);
            exchanged@(n, n, vectors + i, n, vectors + least);
        }
    }
}


/* the rows of w (k, l) are turned (Jacobi, one-sided) until each two of them are orthogonal; the
 * rows of j (k, k) with them. Then they are made of length 1, but for those that are 0; sizes has
 * their lengths, from the largest on. */
static inline void orthogonal_rows@(int k, int l, real *restrict w, real *restrict j,
                                    real *restrict sizes)
{
    int turned = 1;
    for (int i = 0; i < k * k; i++)
        j[i] = i / k == i % k;
    for (int sweep = 0; sweep < 50 && turned; sweep++) {
        turned = 0;
        for (int p = 0; p < k; p++)
            for (int q = p + 1; q < k; q++) {
                double own = 0, other = 0, common = 0;
                for (int i = 0; i < l; i++) {
                    own += (double)w[p * l + i] * w[p * l + i];
                    other += (double)w[q * l + i] * w[q * l + i];
                    common += (double)w[p * l + i] * w[q * l + i];
                }
                if (fabs(common) <= (sizeof(real) == 4 ? 1e-8 : 1e-16) * sqrt(own * other))
                    continue;
                real c, s;
                angle@((real)own, (real)other, (real)common, &c, &s);
                turn@(l, 1, c, s, w + p * l, w + q * l);
                turn@(k, 1, c, s, j + p * k, j + q * k);
                turned = 1;
            }
    }
    for (int p = 0; p < k; p++) {
        double own = 0;
        for (int i = 0; i < l; i++)
            own += (double)w[p * l + i] * w[p * l + i];
        sizes[p] = (real)sqrt(own);
    }
    for (int p = 0; p < k; p++) {
        int most = p;
        for (int q = p + 1; q < k; q++)
            if (sizes[q] > sizes[most])
                most = q;
        exchanged@(1, 1, sizes + p, 1, sizes + most);
        exchanged@(l, 1, w + p * l, 1, w + most * l);
        exchanged@(k, 1, j + p * k, 1, j + most * k);
        for (int i = 0; i < l && sizes[p] > 0; i++)
            w[p * l + i] /= sizes[p];
    }
}


/* the rows of w (n, l) from row `known` on become of length 1, and orthogonal to those before: what
 * is left of the axis that lies furthest from these */
static inline void completed@(int known, int n, int l, real *restrict w)
{
    for (int row = known; row < n; row++) {
        int axis = 0;
        double least = 2;
        for (int i = 0; i < l; i++) {
            double within = 0;
            for (int p = 0; p < row; p++)
                within += (double)w[p * l + i] * w[p * l + i];
            if (within < least) {
                least = within;
                axis = i;
            }
        }
        double size = 0;
        for (int i = 0; i < l; i++) {
            double left = i == axis;
            for (int p = 0; p < row; p++)
                left -= (double)w[p * l + axis] * w[p * l + i];
            w[row * l + i] = (real)left;
            size += left * left;
        }
        for (int i = 0; i < l; i++)
            w[row * l + i] /= (real)sqrt(size);
    }
}


/* u (m, u_columns), sizes, v (v_rows, n) with u diag(sizes) v = a (m, n). The signs of vectors are
 * not LAPACK's. w has room for l rows of length l, and j for k of length k: k is the smaller of m
 * and n, and l the larger. */
static inline void svd@(int count, int m, int n, int u_columns, int v_rows, const real *restrict a,
                        real *restrict w, real *restrict j, real *restrict u,
                        real *restrict sizes, real *restrict v)
{
    const int wide = m < n, k = wide ? m : n, l = wide ? n : m;
    for (int b = 0; b < count; b++, a += m * n, u += m * u_columns, sizes += k, v += v_rows * n) {
        for (int i = 0; i < k * l; i++) /* a, or what it is turned */
            w[i] = wide ? a[i] : a[i % l * n + i / l];
        orthogonal_rows@(k, l, w, j, sizes);
        int known = 0;
        while (known < k && sizes[known] > 0)
            known++;
        completed@(known, wide ? v_rows : u_columns, l, w);
        for (int i = 0; i < m * u_columns; i++) {
            const int row = i / u_columns, column = i % u_columns;
            u[i] = wide ? j[column * k + row] : w[column * l + row];
        }
        for (int i = 0; i < v_rows * n; i++)
            v[i] = wide ? w[i] : j[i];
    }
}


/* the pseudo-inverse (n, m): singular values up to atol, or rtol times the first, count as 0.
 * Returns how many do not. */
static inline int pseudo_inverse@(int m, int n, double atol, double rtol, const real *restrict a,
                                  real *restrict w, real *restrict j, real *restrict u,
                                  real *restrict sizes, real *restrict v, real *restrict out)
{
    const int k = m < n ? m : n;
    int rank = 0;
    svd@(1, m, n, k, k, a, w, j, u, sizes, v);
    while (rank < k && sizes[rank] > atol && sizes[rank] > rtol * sizes[0])
        rank++;
    for (int i = 0; i < n * m; i++) {
        real total = 0;
        for (int p = 0; p < rank; p++)
            total += v[p * n + i / m] / sizes[p] * u[i % m * k + p];
        out[i] = total;
    }
    return rank;
}


static inline void pinv@(int count, int m, int n, double atol, double rtol, const real *restrict a,
                         real *restrict w, real *restrict j, real *restrict u,
                         real *restrict sizes, real *restrict v, real *restrict out)
{
    for (int b = 0; b < count; b++)
        pseudo_inverse@(m, n, atol, rtol, a + b * m * n, w, j, u, sizes, v, out + b * m * n);
}


static inline void matrix_rank@(int count, int m, int n, double atol, double rtol,
                                const real *restrict a, real *restrict w, real *restrict j,
                                real *restrict u, real *restrict sizes, real *restrict v,
                                long long *restrict out)
{
    const int k = m < n ? m : n;
    for (int b = 0; b < count; b++) {
        svd@(1, m, n, k, k, a + b * m * n, w, j, u, sizes, v);
        out[b] = 0;
        for (int i = 0; i < k; i++)
            out[b] += sizes[i] > atol && sizes[i] > rtol * sizes[0];
    }
}


/* the shortest x (n, columns) with the least distance of a x from b (m, columns), and the rank and
 * the singular values of a */
static inline void lstsq@(int columns, int count, int m, int n, double atol, double rtol,
                          const real *restrict a, real *restrict w, real *restrict j,
                          real *restrict u, real *restrict sizes, real *restrict v,
                          real *restrict inverse, const real *restrict b, real *restrict x,
                          long long *restrict rank, real *restrict values)
{
    for (int i = 0; i < count; i++, a += m * n, b += m * columns) {
        rank[i] = pseudo_inverse@(m, n, atol, rtol, a, w, j, u, sizes, v, inverse);
        for (int c = 0; c < (m < n ? m : n); c++)
            *values++ = sizes[c];
        for (int c = 0; c < n * columns; c++) {
            real total = 0;
            for (int p = 0; p < m; p++)
                total += inverse[c / columns * m + p] * b[p * columns + c % columns];
            *x++ = total;
        }
    }
}
