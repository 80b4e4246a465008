// Reductions: many elements become one, by an operation whose order does not matter (sum, product,
// maximum, any...).
//
// The input is seen as results x elements. A result is (outer o, inner i), and an element of it is
// (a, b), of which b is the faster:
//     x[at + o * so + i * si + a * sa + b * sb]
// The elements of each result are cut into `parts` of `chunk`, so that few long sums still fill the
// device; the partial results lie at (part, o, i) and are reduced by a second launch. It also keeps
// float sums accurate: the error of a sum of sums grows with chunk + parts, and not with their
// product.
//
// ACC: type of the result. INIT: where the operation starts. COMBINE(a, b). LOAD(x): an element as
// ACC.
#define ELEMENT(j) x[base + ((j) / nb) * sa + ((j) % nb) * sb]
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

#if V > 1 // on a CPU: V (16) numbers in a vector register
#define VECTOR JOIN(ACC, V)
#define READ(p) JOIN(convert_, VECTOR)(JOIN(vload, V)(0, p))
#define WRITE(v, p) JOIN(vstore, V)(v, 0, p)
// Four registers at once: an addition waits for the one before it in its register, but not for the
// others'.
#define WIDE (4 * V)
#define REGISTERS VECTOR a = INIT, b = a, c = a, d = a;
#define STEP(p)                                                                                    \
    {                                                                                              \
        a = COMBINE(a, READ(p));                                                                   \
        b = COMBINE(b, READ((p) + V));                                                             \
        c = COMBINE(c, READ((p) + 2 * V));                                                         \
        d = COMBINE(d, READ((p) + 3 * V));                                                         \
    }
#else
#define WIDE 1
#endif

// One work-group per result: the work-items walk through it together, so that neighbours read
// neighbours ("coalesced" on a GPU), then halve the WIDTH partial sums in local memory, log2(WIDTH)
// times. For results whose elements lie together. On a CPU a group is one work-item, whose partial
// sums are the numbers in its registers.
__kernel __attribute__((reqd_work_group_size(WIDTH, 1, 1)))
void reduce_rows(const int ni, const int n, const int nb, const int chunk, const int results,
                 __global const T *x, const int at, const int so, const int si, const int sa,
                 const int sb, __global ACC *out)
{
    __local ACC sums[WIDTH];
    const int r = get_group_id(0), part = get_group_id(1), item = get_local_id(0);
    const int base = at + (r / ni) * so + (r % ni) * si;
    const int end = min(n, (part + 1) * chunk);
    ACC acc = INIT;
    int j = part * chunk + item;
#if V > 1
    if (sb == 1 && j + V <= end) {
        REGISTERS
        while (j < end) { // run by run of elements that lie side by side
            const int run = min(end, j + nb - j % nb);
            __global const T *p = x + base + j / nb * sa + j % nb;
            for (; j + WIDE <= run; j += WIDE, p += WIDE) STEP(p)
            for (; j + V <= run; j += V, p += V) a = COMBINE(a, READ(p));
            for (; j < run; j++, p++) acc = COMBINE(acc, LOAD(*p));
        }
        a = COMBINE(a, b);
        c = COMBINE(c, d);
        a = COMBINE(a, c); // its halves, their halves...
        const JOIN(ACC, 8) eight = COMBINE(a.lo, a.hi);
        const JOIN(ACC, 4) four = COMBINE(eight.lo, eight.hi);
        const JOIN(ACC, 2) two = COMBINE(four.lo, four.hi);
        acc = COMBINE(acc, COMBINE(two.lo, two.hi));
    }
#endif
    if (nb == n)
        for (; j < end; j += WIDTH) acc = COMBINE(acc, LOAD(x[base + j * sb]));
    for (; j < end; j += WIDTH) acc = COMBINE(acc, LOAD(ELEMENT(j)));
    sums[item] = acc;
    for (int half_ = WIDTH / 2; half_ > 0; half_ /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (item < half_) sums[item] = COMBINE(sums[item], sums[item + half_]);
    }
    if (item == 0) out[part * results + r] = sums[0];
}

// One work-item per WIDE results, which walks through their elements alone. Neighbouring work-items
// have neighbouring results, so this is the kernel for sums over the first dimension: row after row
// is read along its length.
__kernel void reduce_columns(const int ni, const int n, const int nb, const int chunk,
                             const int results, __global const T *x, const int at, const int so,
                             const int si, const int sa, const int sb, __global ACC *out)
{
    const int part = get_global_id(1), begin = part * chunk, end = min(n, begin + chunk);
    int r = get_global_id(0) * WIDE;
    const int last = min(r + WIDE, results);
    out += part * results;
    while (r < last) {
        const int base = at + (r / ni) * so + (r % ni) * si;
#if V > 1
        // results whose elements lie side by side
        const int beside = si == 1 && nb == n ? min(ni - r % ni, last - r) : 1;
        REGISTERS
        if (beside == WIDE) {
            for (int j = begin; j < end; j++) STEP(x + base + j * sb)
            WRITE(a, out + r);
            WRITE(b, out + r + V);
            WRITE(c, out + r + 2 * V);
            WRITE(d, out + r + 3 * V);
            r += WIDE;
            continue;
        }
        if (beside >= V) {
            for (int j = begin; j < end; j++) a = COMBINE(a, READ(x + base + j * sb));
            WRITE(a, out + r);
            r += V;
            continue;
        }
#endif
        ACC acc = INIT;
        if (nb == n)
            for (int j = begin; j < end; j++) acc = COMBINE(acc, LOAD(x[base + j * sb]));
        else
            for (int j = begin; j < end; j++) acc = COMBINE(acc, LOAD(ELEMENT(j)));
        out[r++] = acc;
    }
}

// The place of the largest (smallest) element, the first of equals; a NaN is the largest and the
// smallest. One work-item per result.
#ifdef BETTER
__kernel void reduce_place(const int ni, const int n, const int results, __global const T *x,
                           const int at, const int so, const int si, const int sa,
                           __global long *out)
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
