/* integers.c - integers, truths, counts, and tables of embeddings (read by functions.py) */


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


static inline int no_zeros(int n, const long long *restrict x)
{
    for (int i = 0; i < n; i++)
        if (x[i] == 0)
            return 0;
    return 1;
}


/* modulo 2^64, as other sums and products of integers */
static inline void product_of_integers(int count, int rows, int inner, int columns,
                                       const long long *restrict x, const long long *restrict y,
                                       long long *restrict out)
{
    for (int b = 0; b < count; b++, x += rows * inner, y += inner * columns)
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < columns; j++) {
                unsigned long long total = 0;
                for (int k = 0; k < inner; k++)
                    total += (unsigned long long)x[i * inner + k] * y[k * columns + j];
                *out++ = (long long)total;
            }
}


static inline int same_integers(int n, const long long *restrict x, const long long *restrict y)
{
    for (int i = 0; i < n; i++)
        if (x[i] != y[i])
            return 0;
    return 1;
}


/* is each number among m others, or, if told so, not? */
static inline void is_among@(int n, int m, int invert, const real *restrict x,
                             const real *restrict others, unsigned char *restrict out)
{
    for (int i = 0; i < n; i++) {
        int found = 0;
        for (int j = 0; j < m; j++)
            found |= x[i] == others[j];
        out[i] = (unsigned char)(found != invert);
    }
}


static inline void places_named(int count, int n, const long long *restrict index,
                                unsigned char *restrict out)
{
    for (int i = 0; i < n; i++)
        out[i] = 0;
    for (int i = 0; i < count; i++)
        out[index[i] < 0 ? index[i] + n : index[i]] = 1;
}


/* how often each number occurs. Returns 0 if there is another number, or, where the size follows
 * from the largest one (exact), if that is not the last. */
static inline int bincount(int n, int size, int exact, const long long *restrict x,
                           long long *restrict out)
{
    for (int i = 0; i < size; i++)
        out[i] = 0;
    for (int i = 0; i < n; i++) {
        if (x[i] < 0 || x[i] >= size)
            return 0;
        out[x[i]]++;
    }
    return !exact || out[size - 1] > 0;
}


/* or the sum of the weights of each */
static inline int weighted_bincount(int n, int size, int exact, const long long *restrict x,
                                    const double *restrict weight, double *restrict out)
{
    int last = 0;
    for (int i = 0; i < size; i++)
        out[i] = 0;
    for (int i = 0; i < n; i++) {
        if (x[i] < 0 || x[i] >= size)
            return 0;
        out[x[i]] += weight[i];
        last |= x[i] == size - 1;
    }
    return !exact || last;
}


/* how many numbers fall into each of bins of one width; those outside of [low, high] into none. If
 * low is high, they are the smallest and the largest number. Returns 0 if these are not finite. */
static inline int histogram@(int n, int bins, double low, double high, const real *restrict x,
                             real *restrict out)
{
    real first = (real)low, last = (real)high;
    if (low == high) {
        first = last = x[0];
        for (int i = 0; i < n; i++) {
            first = x[i] < first || x[i] != x[i] ? x[i] : first;
            last = x[i] > last || x[i] != x[i] ? x[i] : last;
        }
        if (!(last - first < INFINITY))
            return 0;
        if (first == last) {
            first -= (real)0.5;
            last += (real)0.5;
        }
    }
    for (int i = 0; i < bins; i++)
        out[i] = 0;
    for (int i = 0; i < n; i++)
        if (x[i] >= first && x[i] <= last) {
            const int place = (int)((x[i] - first) * bins / (last - first));
            out[place < bins ? place : bins - 1]++;
        }
    return 1;
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
