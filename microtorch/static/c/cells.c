/* cells.c - what is left of a step of a recurrent layer when its products are done (read by
 * functions.py) */


/* after = f before + i g; h = o tanh(after), of sums x + a that become the gates i, f, g, o */
static inline void lstm_cell@(int rows, int n, real *restrict x, const real *restrict a,
                              const real *restrict before, real *restrict h, real *restrict after)
{
    for (int r = 0; r < rows; r++, x += 4 * n, a += 4 * n, before += n, h += n, after += n) {
        for (int j = 0; j < 2 * n; j++)
            x[j] = sigmoid@(x[j] + a[j]);
        for (int j = 2 * n; j < 3 * n; j++)
            x[j] = tanh@(x[j] + a[j]);
        for (int j = 3 * n; j < 4 * n; j++)
            x[j] = sigmoid@(x[j] + a[j]);
        for (int j = 0; j < n; j++) {
            after[j] = x[n + j] * before[j] + x[j] * x[2 * n + j];
            h[j] = x[3 * n + j] * tanh@(after[j]);
        }
    }
}


/* da, of the sums; the gradient dc of `after` becomes that of `before` */
static inline void lstm_cell_vjp@(int rows, int n, const real *restrict dh, real *restrict dc,
                                  const real *restrict before, const real *restrict x,
                                  const real *restrict after, real *restrict da)
{
    for (int r = 0; r < rows; r++) {
        for (int j = 0; j < n; j++) {
            const real i = x[j], f = x[n + j], g = x[2 * n + j], o = x[3 * n + j];
            const real t = tanh@(after[j]), d = dc[j] + dh[j] * o * (1 - t * t);
            da[j] = d * g * i * (1 - i);
            da[n + j] = d * before[j] * f * (1 - f);
            da[2 * n + j] = d * i * (1 - g * g);
            da[3 * n + j] = dh[j] * t * o * (1 - o);
            dc[j] = d * f;
        }
        dh += n, dc += n, before += n, x += 4 * n, after += n, da += 4 * n;
    }
}


/* h = c + z (before - c), of sums x + a that become the gates r, z, c; r is put around part, which
 * is a's part of c */
static inline void gru_cell@(int rows, int n, real *restrict x, const real *restrict a,
                             real *restrict part, const real *restrict before, real *restrict h)
{
    for (int i = 0; i < rows; i++, x += 3 * n, a += 3 * n, part += n, before += n, h += n) {
        for (int j = 0; j < 2 * n; j++)
            x[j] = sigmoid@(x[j] + a[j]);
        for (int j = 0; j < n; j++) {
            part[j] = a[2 * n + j];
            x[2 * n + j] = tanh@(x[2 * n + j] + x[j] * part[j]);
            h[j] = x[2 * n + j] + x[n + j] * (before[j] - x[2 * n + j]);
        }
    }
}


/* dx and da, of x and of a; dh becomes what of it reaches `before` directly */
static inline void gru_cell_vjp@(int rows, int n, real *restrict dh, const real *restrict before,
                                 const real *restrict x, const real *restrict part,
                                 real *restrict dx, real *restrict da)
{
    for (int i = 0; i < rows; i++) {
        for (int j = 0; j < n; j++) {
            const real r = x[j], z = x[n + j], c = x[2 * n + j];
            const real d = dh[j] * (1 - z) * (1 - c * c);
            dx[j] = da[j] = d * part[j] * r * (1 - r);
            dx[n + j] = da[n + j] = dh[j] * (before[j] - c) * z * (1 - z);
            dx[2 * n + j] = d;
            da[2 * n + j] = d * r;
            dh[j] *= z;
        }
        dh += n, before += n, x += 3 * n, part += n, dx += 3 * n, da += 3 * n;
    }
}
