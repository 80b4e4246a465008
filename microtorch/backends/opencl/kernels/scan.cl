// Running sums and products along one dimension: one work-item per line, which walks along it.
// T: type of the elements. ACC: of the result. Line (o, i) starts at at + o * so + i * si, and its
// elements are `step` apart.
__kernel void scan(const int ni, const int n, const int lines,
                   __global const T *x, const int at, const int so, const int si, const int step,
                   __global ACC *out, const int to, const int ti, const int tstep)
{
    const int r = get_global_id(0);
    if (r >= lines) return;
    const int base = at + (r / ni) * so + (r % ni) * si, target = (r / ni) * to + (r % ni) * ti;
    ACC acc = INIT;
    for (int j = 0; j < n; j++) {
        acc = COMBINE(acc, (ACC)x[base + j * step]);
        out[target + j * tstep] = acc;
    }
}
