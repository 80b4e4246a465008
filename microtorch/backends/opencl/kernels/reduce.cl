// Reductions: many elements become one, by an operation whose order does not matter (sum, product, maximum, any...).
//
// The input is seen as results x elements. A result is (outer o, inner i); an element of it is (a, b), b the faster:
//     x[at + o * so + i * si + a * sa + b * sb]
// The elements of each result are cut into `parts` of `chunk`, so that few long sums still fill the device; the partial
// results lie at (part, o, i) and are reduced by a second launch. It also keeps float sums accurate: the error of a sum
// of sums grows with chunk + parts and not with chunk * parts.
//
// ACC: type of the result; INIT: where the operation starts; COMBINE(a, b); LOAD(x): an element as ACC.
#define ELEMENT(j) LOAD(x[base + ((j) / nb) * sa + ((j) % nb) * sb])

// One work-group per result: the work-items walk through it together, so that neighbours read neighbours ("coalesced"
// on a GPU), then halve the WIDTH partial sums in local memory, log2(WIDTH) times. For results whose elements lie together.
// Each work-item has V partial sums, which on a CPU are one vector register (there a group is one work-item).
__kernel __attribute__((reqd_work_group_size(WIDTH, 1, 1)))
void reduce_rows(const int ni, const int n, const int nb, const int chunk, const int results,
                 __global const T *x, const int at, const int so, const int si, const int sa, const int sb,
                 __global ACC *out)
{
    __local ACC sums[WIDTH];
    const int r = get_group_id(0), part = get_group_id(1), lane = get_local_id(0);
    const int base = at + (r / ni) * so + (r % ni) * si;
    const int end = min(n, (part + 1) * chunk);
    ACC acc = INIT;
    int j = part * chunk + lane * V;
    if (nb == n && sb == 1) {
        ACC accs[V];
        for (int v = 0; v < V; v++) accs[v] = INIT;
        for (; j + V <= end; j += WIDTH * V)
            for (int v = 0; v < V; v++) accs[v] = COMBINE(accs[v], LOAD(x[base + j + v]));
        for (int v = 0; v < V; v++) acc = COMBINE(acc, accs[v]);
    }
    for (; j < end; j += WIDTH * V)
        for (int v = j; v < min(j + V, end); v++) acc = COMBINE(acc, ELEMENT(v));
    sums[lane] = acc;
    for (int half_ = WIDTH / 2; half_ > 0; half_ /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (lane < half_) sums[lane] = COMBINE(sums[lane], sums[lane + half_]);
    }
    if (lane == 0) out[part * results + r] = sums[0];
}

// One work-item per V results, which walks through their elements alone. Neighbouring work-items have neighbouring results,
// so this is the kernel for sums over the first dimension: row after row is read along its length.
__kernel void reduce_columns(const int ni, const int n, const int nb, const int chunk, const int results,
                             __global const T *x, const int at, const int so, const int si, const int sa, const int sb,
                             __global ACC *out)
{
    const int r0 = get_global_id(0) * V, part = get_global_id(1);
    const int begin = part * chunk, end = min(n, begin + chunk);
    if (si == 1 && nb == n && r0 % ni + V <= ni && r0 + V <= results) { // V neighbours at once
        const int base = at + (r0 / ni) * so + r0 % ni;
        ACC accs[V];
        for (int v = 0; v < V; v++) accs[v] = INIT;
        for (int j = begin; j < end; j++)
            for (int v = 0; v < V; v++) accs[v] = COMBINE(accs[v], LOAD(x[base + j * sb + v]));
        for (int v = 0; v < V; v++) out[part * results + r0 + v] = accs[v];
        return;
    }
    for (int r = r0; r < min(r0 + V, results); r++) {
        const int base = at + (r / ni) * so + (r % ni) * si;
        ACC acc = INIT;
        for (int j = begin; j < end; j++) acc = COMBINE(acc, ELEMENT(j));
        out[part * results + r] = acc;
    }
}

// The place of the largest (smallest) element, the first of equals; a NaN is the largest and the smallest. One work-item per result.
#ifdef BETTER
__kernel void reduce_place(const int ni, const int n, const int results,
                           __global const T *x, const int at, const int so, const int si, const int sa, __global long *out)
{
    const int r = get_global_id(0);
    if (r >= results) return;
    const int base = at + (r / ni) * so + (r % ni) * si;
    int best = 0;
    T top = x[base];
    for (int j = 1; j < n; j++) {
        const T v = x[base + j * sa];
        if (BETTER(v, top) || (v != v && top == top)) { top = v; best = j; }
    }
    out[r] = best;
}
#endif
