/* classes.c - losses and tables that are read at indices (read by functions.py) */


/* Is every index from `least` to below `bound`, or the one to be ignored? */
static inline int in_range(int n, const long long *index, long long least, long long bound,
                           long long ignored)
{
    for (int i = 0; i < n; i++)
        if ((index[i] < least || index[i] >= bound) && index[i] != ignored)
            return 0;
    return 1;
}


/* Has a condition the answer that it had when it was recorded? */
static inline int is(const unsigned char *condition, int answer)
{
    return *condition == answer;
}


/* Are all, or any, of n elements true? */
static inline void all_of@(int n, const unsigned char *restrict x, unsigned char *out)
{
    *out = 1;
    for (int i = 0; i < n; i++)
        *out &= x[i];
}


static inline void any_of@(int n, const unsigned char *restrict x, unsigned char *out)
{
    *out = 0;
    for (int i = 0; i < n; i++)
        *out |= x[i];
}


/* minus the sum, or the mean, of the numbers at the targets, times their classes' weights */
static inline void nll_loss@(int rows, int n, int mean, long long ignored, const real *restrict x,
                             const long long *restrict target, const real *restrict weight,
                             real *out)
{
    double total = 0, count = 0;
    for (int i = 0; i < rows; i++)
        if (target[i] != ignored) {
            const double share = weight ? weight[target[i]] : 1;
            total -= share * x[i * n + target[i]];
            count += share;
        }
    *out = (real)(mean ? total / count : total);
}


static inline void nll_loss_vjp0@(int rows, int n, int mean, long long ignored,
                                  const real *restrict g, const long long *restrict target,
                                  const real *restrict weight, real *restrict dx)
{
    double count = 0;
    for (int i = 0; i < rows; i++)
        count += target[i] == ignored ? 0 : weight ? weight[target[i]] : 1;
    const double share = mean ? *g / count : *g;
    for (int i = 0; i < rows * n; i++)
        dx[i] = 0;
    for (int i = 0; i < rows; i++)
        if (target[i] != ignored)
            dx[i * n + target[i]] = (real)(-(weight ? weight[target[i]] : 1) * share);
}


/* minus the number at each row's target, times its class's weight */
static inline void nll_rows@(int rows, int n, long long ignored, const real *restrict x,
                             const long long *restrict target, const real *restrict weight,
                             real *restrict out)
{
    for (int i = 0; i < rows; i++)
        out[i] = target[i] == ignored ? 0
                 : -x[i * n + target[i]] * (weight ? weight[target[i]] : 1);
}


static inline void nll_rows_vjp0@(int rows, int n, long long ignored, const real *restrict g,
                                  const long long *restrict target, const real *restrict weight,
                                  real *restrict dx)
{
    for (int i = 0; i < rows * n; i++)
        dx[i] = 0;
    for (int i = 0; i < rows; i++)
        if (target[i] != ignored)
            dx[i * n + target[i]] = -g[i] * (weight ? weight[target[i]] : 1);
}


/* where x, times `sign`, is largest in each row: the first such place, or the first NaN */
static inline void argmax@(int rows, int n, int sign, const real *restrict x,
                           long long *restrict out)
{
    for (int i = 0; i < rows; i++, x += n) {
        int at = 0;
        for (int j = 1; j < n; j++)
            if (!is_none@(x[at]) && !(sign * x[j] <= sign * x[at]))
                at = j;
        out[i] = at;
    }
}


/* the number of each row at an index */
static inline void picked@(int rows, int n, const real *restrict x,
                           const long long *restrict index, real *restrict out)
{
    for (int i = 0; i < rows; i++)
        out[i] = x[i * n + index[i]];
}


static inline void picked_vjp0@(int rows, int n, const real *restrict g,
                                const long long *restrict index, real *restrict dx)
{
    for (int i = 0; i < rows * n; i++)
        dx[i] = 0;
    for (int i = 0; i < rows; i++)
        dx[i * n + index[i]] = g[i];
}


static inline void embedding@(int count, int n, const real *restrict table,
                              const long long *restrict index, real *restrict out)
{
    for (int i = 0; i < count; i++)
        for (int j = 0; j < n; j++)
            out[i * n + j] = table[index[i] * n + j];
}


/* rows added up at their indices, but at `padding` */
static inline void embedding_vjp0@(int count, int rows, int n, long long padding,
                                   const real *restrict g, const long long *restrict index,
                                   real *restrict table)
{
    for (int i = 0; i < rows * n; i++)
        table[i] = 0;
    for (int i = 0; i < count; i++)
        for (int j = 0; index[i] != padding && j < n; j++)
            table[index[i] * n + j] += g[i * n + j];
}


/* Are all numbers from 0 to 1? */
static inline int chances@(int n, const real *p)
{
    for (int i = 0; i < n; i++)
        if (!(p[i] >= 0 && p[i] <= 1))
            return 0;
    return 1;
}


/* in which bag each of n rows is, if a bag starts at each of `starts`, and how many are in each;
 * `last`: the last start is an end; rows with the index `padding`, if it `pads`, are in none */
static inline void bags@(int n, int many, int last, int pads, long long padding,
                         const long long *restrict index, const long long *restrict starts,
                         long long *restrict bag, real *restrict counts)
{
    for (int b = 0; b < many; b++)
        counts[b] = 0;
    for (int i = 0, b = 0; i < n; i++) {
        while (b + 1 < many && starts[b + 1] <= i)
            b++;
        const int none = (last && i >= starts[many]) || (pads && index[i] == padding);
        bag[i] = none ? many : b;
        if (!none)
            counts[b] += 1;
    }
    for (int b = 0; b < many; b++)
        counts[b] = counts[b] > 1 ? counts[b] : 1;
}
