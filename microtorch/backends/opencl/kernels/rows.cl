// Softmax, log-softmax and normalisation of rows: one work-group of WIDTH work-items per row of n elements. Each pass over the
// row ends in a sum (or maximum) over the work-items in local memory. A row is read from memory once or twice more than it is written,
// instead of once per operation of the formula.
#define GROUP __attribute__((reqd_work_group_size(WIDTH, 1, 1)))
#define ROW                                                                                                             \
    const int lane = get_local_id(0);                                                                                   \
    const long start = (long)get_group_id(0) * n;

static inline T add(T a, T b) { return a + b; }

// combine the values of all work-items; each gets the result. shared: WIDTH numbers of local memory
#define COMBINED(NAME, OPERATION)                                                                                       \
    static inline T NAME(T value, __local T *shared, const int lane)                                                    \
    {                                                                                                                   \
        shared[lane] = value;                                                                                           \
        for (int half_ = WIDTH / 2; half_ > 0; half_ /= 2) {                                                            \
            barrier(CLK_LOCAL_MEM_FENCE);                                                                               \
            if (lane < half_) shared[lane] = OPERATION(shared[lane], shared[lane + half_]);                             \
        }                                                                                                               \
        barrier(CLK_LOCAL_MEM_FENCE);                                                                                   \
        const T result = shared[0];                                                                                     \
        barrier(CLK_LOCAL_MEM_FENCE);                                                                                   \
        return result;                                                                                                  \
    }
COMBINED(all_sum, add)
COMBINED(all_max, maximum)
#define EACH for (int j = lane; j < n; j += WIDTH)

__kernel GROUP void softmax(const int n, __global const T *x, __global T *out)
{
    __local T shared[WIDTH];
    ROW
    T top = -INFINITY, sum = 0;
    EACH top = maximum(top, x[start + j]);
    top = all_max(top, shared, lane);
    EACH { const T e = exp(x[start + j] - top); out[start + j] = e; sum += e; }
    sum = all_sum(sum, shared, lane);
    EACH out[start + j] /= sum;
}

// out (g - sum(g out))
__kernel GROUP void softmax_vjp0(const int n, __global const T *g, __global const T *out, __global T *result)
{
    __local T shared[WIDTH];
    ROW
    T sum = 0;
    EACH sum += g[start + j] * out[start + j];
    sum = all_sum(sum, shared, lane);
    EACH result[start + j] = out[start + j] * (g[start + j] - sum);
}

__kernel GROUP void log_softmax(const int n, __global const T *x, __global T *out)
{
    __local T shared[WIDTH];
    ROW
    T top = -INFINITY, sum = 0;
    EACH top = maximum(top, x[start + j]);
    top = all_max(top, shared, lane);
    EACH sum += exp(x[start + j] - top);
    const T shift = top + log(all_sum(sum, shared, lane));
    EACH out[start + j] = x[start + j] - shift;
}

// g - exp(out) sum(g)
__kernel GROUP void log_softmax_vjp0(const int n, __global const T *g, __global const T *out, __global T *result)
{
    __local T shared[WIDTH];
    ROW
    T sum = 0;
    EACH sum += g[start + j];
    sum = all_sum(sum, shared, lane);
    EACH result[start + j] = g[start + j] - exp(out[start + j]) * sum;
}

// mean and 1 / sqrt(variance + eps) of a row; the variance in a second pass, from the centred elements, or small
// differences of large numbers would lose all digits
static inline void statistics(const int n, const T eps, __global const T *x, const long start, const int lane,
                              __local T *shared, T *mean, T *rstd)
{
    T sum = 0;
    EACH sum += x[start + j];
    *mean = all_sum(sum, shared, lane) / n;
    sum = 0;
    EACH { const T d = x[start + j] - *mean; sum += d * d; }
    *rstd = 1 / sqrt(all_sum(sum, shared, lane) / n + eps);
}

// (x - mean) / sqrt(var + eps) * w + b; affine: 0 without w and b, 1 without b, 2 with both
__kernel GROUP void layer_norm(const int n, const T eps, __global const T *x, const int affine,
                               __global const T *w, __global const T *b, __global T *out)
{
    __local T shared[WIDTH];
    ROW
    T mean, rstd;
    statistics(n, eps, x, start, lane, shared, &mean, &rstd);
    EACH {
        T v = (x[start + j] - mean) * rstd;
        if (affine > 0) v *= w[j];
        if (affine > 1) v += b[j];
        out[start + j] = v;
    }
}

// rstd (h - mean(h) - x^ mean(h x^)) with h = g w
__kernel GROUP void layer_norm_vjp0(const int n, const T eps, __global const T *x, const int affine,
                                    __global const T *w, __global const T *g, __global T *out)
{
    __local T shared[WIDTH];
    ROW
    T mean, rstd, sum_h = 0, sum_hx = 0;
    statistics(n, eps, x, start, lane, shared, &mean, &rstd);
    EACH {
        const T h = affine > 0 ? g[start + j] * w[j] : g[start + j];
        sum_h += h;
        sum_hx += h * (x[start + j] - mean);
    }
    sum_h = all_sum(sum_h, shared, lane) / n;
    sum_hx = all_sum(sum_hx, shared, lane) * rstd / n;
    EACH {
        const T h = affine > 0 ? g[start + j] * w[j] : g[start + j];
        out[start + j] = rstd * (h - sum_h - (x[start + j] - mean) * rstd * sum_hx);
    }
}
