// Reductions: many elements become one, by an operation whose order does not matter (sum, product, maximum, any...).
//
// The input is seen as results x elements. A result is (outer o, inner i); an element of it is (a, b), b the faster:
//     x[at + o * so + i * si + a * sa + b * sb]
// The elements of each result are cut into `parts` of `chunk`, so that few long sums still fill the device; the partial
// results lie at (part, o, i) and are reduced by a second launch. It also keeps float sums accurate: the error of a sum
// of sums grows with chunk + parts and not with chunk * parts.
//
// ACC: type of the result; INIT: where the operation starts; COMBINE(a, b); LOAD(x): an element as ACC.
#define WIDE (V > 1 ? 4 * V : 1)
#define ELEMENT(j) LOAD(x[base + ((j) / nb) * sa + ((j) % nb) * sb])

// A strip: N results (or partial results) side by side, in registers on a CPU; element v of step j is x[place + v].
#define STRIP(N, accs, STEPS, place)                                                                                    \
    for (int v = 0; v < N; v++) accs[v] = INIT;                                                                         \
    STEPS for (int v = 0; v < N; v++) accs[v] = COMBINE(accs[v], LOAD(x[place + v]));

// One work-group per result: the work-items walk through it together, so that neighbours read neighbours ("coalesced"
// on a GPU), then halve the WIDTH partial sums in local memory, log2(WIDTH) times. For results whose elements lie together.
// On a CPU a group is one work-item, which has a strip of partial sums: V of them are a vector register, and WIDE four,
// because an addition waits for the one before it in its register, but not for those in others.
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
    int j = part * chunk + lane;
#if V > 1
    if (nb == n && sb == 1 && j + V <= end) {
        ACC accs[WIDE];
        if (j + WIDE <= end) {
            STRIP(WIDE, accs, for (; j + WIDE <= end; j += WIDE), base + j)
            for (int v = 0; v < WIDE; v++) acc = COMBINE(acc, accs[v]);
        }
        STRIP(V, accs, for (; j + V <= end; j += V), base + j)
        for (int v = 0; v < V; v++) acc = COMBINE(acc, accs[v]);
    }
#endif
    for (; j < end; j += WIDTH) acc = COMBINE(acc, ELEMENT(j));
    sums[lane] = acc;
    for (int half_ = WIDTH / 2; half_ > 0; half_ /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (lane < half_) sums[lane] = COMBINE(sums[lane], sums[lane + half_]);
    }
    if (lane == 0) out[part * results + r] = sums[0];
}

// One work-item per WIDE results, which walks through their elements alone. Neighbouring work-items have neighbouring results,
// so this is the kernel for sums over the first dimension: row after row is read along its length.
__kernel void reduce_columns(const int ni, const int n, const int nb, const int chunk, const int results,
                             __global const T *x, const int at, const int so, const int si, const int sa, const int sb,
                             __global ACC *out)
{
    const int part = get_global_id(1), begin = part * chunk, end = min(n, begin + chunk);
    int r = get_global_id(0) * WIDE;
    const int last = min(r + WIDE, results);
    while (r < last) {
        const int base = at + (r / ni) * so + (r % ni) * si, beside = si == 1 && nb == n ? min(ni - r % ni, last - r) : 1;
        ACC accs[WIDE];
        int width = 1;
        if (V > 1 && beside >= WIDE) {
            STRIP(WIDE, accs, for (int j = begin; j < end; j++), base + j * sb)
            width = WIDE;
        } else if (V > 1 && beside >= V) {
            STRIP(V, accs, for (int j = begin; j < end; j++), base + j * sb)
            width = V;
        } else {
            accs[0] = INIT;
            for (int j = begin; j < end; j++) accs[0] = COMBINE(accs[0], ELEMENT(j));
        }
        for (int v = 0; v < width; v++) out[part * results + r + v] = accs[v];
        r += width;
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
