// Sorting by merging, stable: runs of length `width` are sorted; two neighbouring runs become one
// of twice the length. No work-item merges: each finds the place of one element, by counting
// (binary search) how many of the other run come before it. Equal elements of the left run come
// first, so equal elements keep their order. NaN is the largest.
//
// keys: the elements, line after line of length n. from, to: indices into the line. log2(n)
// launches sort a line.
#ifdef FLOATING
#define BEFORE(a, b) ((a) < (b) || ((b) != (b) && (a) == (a)))
#else
#define BEFORE(a, b) ((a) < (b))
#endif
__kernel void merge_runs(const int n, const int width, const int total,
                         __global const T *keys, __global const long *from, __global long *to)
{
    const int id = get_global_id(0);
    if (id >= total) return;
    const int p = id % n, line = id - p;
    const int start = p / (2 * width) * (2 * width);
    const int middle = min(start + width, n), end = min(start + 2 * width, n);
    const int left = p < middle;
    const long mine = from[line + p];
    const T key = keys[line + mine];
    int low = left ? middle : start, high = left ? end : middle;
    const int first = low;
    while (low < high) { // how many of the other run come before this element?
        const int half_ = (low + high) / 2;
        const T other = keys[line + from[line + half_]];
        const int before = left ? BEFORE(other, key) : !BEFORE(key, other);
        if (before) low = half_ + 1; else high = half_;
    }
    const int own = left ? p - start : p - middle;
    to[line + start + own + (low - first)] = mine;
}

// out[p] = start + p * step, over again for each line of length n
__kernel void count_up(const int n, const int total, const long start, const long step,
                       __global long *out)
{
    const int id = get_global_id(0);
    if (id < total) out[id] = start + (id % n) * step;
}
