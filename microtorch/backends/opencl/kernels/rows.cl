// Softmax, log-softmax and layer norm: one work-group per row of n elements, so that a row is read
// two or three times instead of once per operation of the formula. Each pass over the row ends in a
// sum (or maximum) over the work-items. On a GPU a group has WIDTH work-items, which read
// neighbouring elements; on a CPU it has one, which reads V at a time.
#define GROUP __attribute__((reqd_work_group_size(WIDTH, 1, 1)))
#define ROW                                                                                        \
    const int item = get_local_id(0);                                                              \
    const long start = (long)get_group_id(0) * n;
// This work-item's part of the row, V by V; and what is left where V does not divide n.
#define VECTORS for (int j = item * V; j + V <= n; j += WIDTH * V)
#define REST for (int j = n / V * V + item; j < n; j += WIDTH)

static inline T add(T a, T b) { return a + b; }

// COMBINED(all_sum, add): the sum of the vectors and numbers of all work-items of the group; each
// work-item gets it
#define COMBINED(NAME, OPERATION)                                                                  \
    static inline T NAME(VECTOR vector, T value, __local T *shared, const int item)                \
    {                                                                                              \
        T part[V];                                                                                 \
        WRITE(vector, part);                                                                       \
        for (int v = 0; v < V; v++) value = OPERATION(value, part[v]);                             \
        shared[item] = value;                                                                      \
        for (int half_ = WIDTH / 2; half_ > 0; half_ /= 2) {                                       \
            barrier(CLK_LOCAL_MEM_FENCE);                                                          \
            if (item < half_) shared[item] = OPERATION(shared[item], shared[item + half_]);        \
        }                                                                                          \
        barrier(CLK_LOCAL_MEM_FENCE);                                                              \
        const T result = shared[0];                                                                \
        barrier(CLK_LOCAL_MEM_FENCE);                                                              \
        return result;                                                                             \
    }
COMBINED(all_sum, add)
COMBINED(all_max, fmax)

static inline T largest(const int n, __global const T *x, __local T *shared, const int item)
{
    VECTOR tops = -INFINITY;
    T top = -INFINITY;
    VECTORS { const VECTOR v = READ(x + j); tops = tops > v ? tops : v; }
    REST top = fmax(top, x[j]);
    return all_max(tops, top, shared, item);
}

__kernel GROUP void softmax(const int n, __global const T *x, __global T *out)
{
    __local T shared[WIDTH];
    ROW
    x += start;
    out += start;
    const T top = largest(n, x, shared, item);
    VECTOR sums = 0;
    T sum = 0;
    VECTORS { const VECTOR e = exp(READ(x + j) - top); WRITE(e, out + j); sums += e; }
    REST { const T e = exp(x[j] - top); out[j] = e; sum += e; }
    const T scale = 1 / all_sum(sums, sum, shared, item); // one division for the row
    VECTORS WRITE(READ(out + j) * scale, out + j);
    REST out[j] *= scale;
}

// out (g - sum(g out))
__kernel GROUP void softmax_vjp0(const int n, __global const T *g, __global const T *out,
                                 __global T *result)
{
    __local T shared[WIDTH];
    ROW
    g += start;
    out += start;
    result += start;
    VECTOR sums = 0;
    T sum = 0;
    VECTORS sums += READ(g + j) * READ(out + j);
    REST sum += g[j] * out[j];
    sum = all_sum(sums, sum, shared, item);
    VECTORS WRITE(READ(out + j) * (READ(g + j) - sum), result + j);
    REST result[j] = out[j] * (g[j] - sum);
}

__kernel GROUP void log_softmax(const int n, __global const T *x, __global T *out)
{
    __local T shared[WIDTH];
    ROW
    x += start;
    out += start;
    const T top = largest(n, x, shared, item);
    VECTOR sums = 0;
    T sum = 0;
    VECTORS sums += exp(READ(x + j) - top);
    REST sum += exp(x[j] - top);
    const T shift = top + log(all_sum(sums, sum, shared, item));
    VECTORS WRITE(READ(x + j) - shift, out + j);
    REST out[j] = x[j] - shift;
}

// g - exp(out) sum(g)
__kernel GROUP void log_softmax_vjp0(const int n, __global const T *g, __global const T *out,
                                     __global T *result)
{
    __local T shared[WIDTH];
    ROW
    g += start;
    out += start;
    result += start;
    VECTOR sums = 0;
    T sum = 0;
    VECTORS sums += READ(g + j);
    REST sum += g[j];
    sum = all_sum(sums, sum, shared, item);
    VECTORS WRITE(READ(g + j) - exp(READ(out + j)) * sum, result + j);
    REST result[j] = g[j] - exp(out[j]) * sum;
}

// mean and 1 / sqrt(variance + eps) of a row; the variance in a second pass, from the centred
// elements, because small differences of large numbers would lose all digits
static inline void statistics(const int n, const T eps, __global const T *x, const int item,
                              __local T *shared, T *mean, T *rstd)
{
    VECTOR sums = 0, squares = 0;
    T sum = 0, square = 0;
    VECTORS sums += READ(x + j);
    REST sum += x[j];
    const T m = all_sum(sums, sum, shared, item) / n;
    VECTORS { const VECTOR d = READ(x + j) - m; squares += d * d; }
    REST square += (x[j] - m) * (x[j] - m);
    *mean = m;
    *rstd = 1 / sqrt(all_sum(squares, square, shared, item) / n + eps);
}

// (x - mean) / sqrt(var + eps) * w + b; affine: 0 without w and b, 1 without b, 2 with both
__kernel GROUP void layer_norm(const int n, const T eps, __global const T *x, const int affine,
                               __global const T *w, __global const T *b, __global T *out)
{
    __local T shared[WIDTH];
    ROW
    x += start;
    out += start;
    T mean, rstd;
    statistics(n, eps, x, item, shared, &mean, &rstd);
    VECTORS {
        VECTOR v = (READ(x + j) - mean) * rstd;
        if (affine > 0) v *= READ(w + j);
        if (affine > 1) v += READ(b + j);
        WRITE(v, out + j);
    }
    REST out[j] = (x[j] - mean) * rstd * (affine > 0 ? w[j] : 1) + (affine > 1 ? b[j] : 0);
}

// rstd (h - mean(h) - x^ mean(h x^)) with h = g w and x^ = (x - mean) rstd
__kernel GROUP void layer_norm_vjp0(const int n, const T eps, __global const T *x, const int affine,
                                    __global const T *w, __global const T *g, __global T *out)
{
    __local T shared[WIDTH];
    ROW
    x += start;
    g += start;
    out += start;
    T mean, rstd, sum_h = 0, sum_hx = 0;
    statistics(n, eps, x, item, shared, &mean, &rstd);
    VECTOR h_s = 0, hx_s = 0;
    VECTORS {
        const VECTOR h = affine > 0 ? READ(g + j) * READ(w + j) : READ(g + j);
        h_s += h;
        hx_s += h * (READ(x + j) - mean);
    }
    REST {
        const T h = affine > 0 ? g[j] * w[j] : g[j];
        sum_h += h;
        sum_hx += h * (x[j] - mean);
    }
    sum_h = all_sum(h_s, sum_h, shared, item) / n;
    sum_hx = all_sum(hx_s, sum_hx, shared, item) * rstd * rstd / n;
    VECTORS {
        const VECTOR h = affine > 0 ? READ(g + j) * READ(w + j) : READ(g + j);
        WRITE(rstd * (h - sum_h - (READ(x + j) - mean) * sum_hx), out + j);
    }
    REST out[j] = rstd * ((affine > 0 ? g[j] * w[j] : g[j]) - sum_h - (x[j] - mean) * sum_hx);
}
