// Negative log-likelihood: x (N, C, L) row by row, one class per sample (N, L). weight: per class,
// if `weighted`. A class outside of [0, C) that is not `ignore` is reported in `bad`.
#define SAMPLE                                                                                     \
    const int i = get_global_id(0);                                                                \
    if (i >= samples) return;                                                                      \
    const long t = target[i];                                                                      \
    const int counted = t != ignore, known = t >= 0 && t < c;                                      \
    const T w = !counted || !known ? 0 : weighted ? weight[t] : 1;                                 \
    const long at = ((long)(i / inner) * c + (known ? t : 0)) * inner + i % inner;

// terms[i] = -w x[i, t], weights[i] = w
__kernel void nll_terms(const int samples, const int c, const int inner, const long ignore,
                        const int weighted, __global const T *x, __global const long *target,
                        __global const T *weight, __global T *terms, __global T *weights,
                        __global int *bad)
{
    SAMPLE
    if (counted && !known) bad[0] = 1;
    terms[i] = counted ? -w * x[at] : 0;
    weights[i] = w;
}

// result[i, t] = -g w / total, 0 elsewhere; the caller has filled it with zeros. per_g 0: one g for
// all
__kernel void nll_spread(const int samples, const int c, const int inner, const long ignore,
                         const int weighted, const int mean, const int per_g, __global const T *g,
                         __global const long *target, __global const T *weight,
                         __global const T *total, __global T *result)
{
    SAMPLE
    if (counted && known) result[at] = -g[i * per_g] * (mean ? w / total[0] : w);
}
