// Reading and writing at places computed from index arrays: x[i, j], gather, scatter, embedding.
// `places` holds, for each indexed position p, the offset of its first element. The rest of the
// position (the dimensions that are not indexed) has two sizes, na x nb, with steps sa and sb:
// element (p, a, b) lies at at + places[p] + a * sa + b * sb.

// places[p] += index[p] * step; negative indices count from the end. An index outside of [-n, n) is
// reported in `bad`.
__kernel void offsets(const int count, const int n, const int step, const int first,
                      __global const INDEX *index, __global long *places, __global int *bad)
{
    const int p = get_global_id(0);
    if (p >= count) return;
    long i = index[p];
    if (i < -n || i >= n) { bad[0] = 1; bad[1] = (int)i; i = 0; }
    if (i < 0) i += n;
    places[p] = (first ? 0 : places[p]) + i * step;
}

#define REST                                                                                       \
    const int e = get_global_id(0), p = get_global_id(1);                                          \
    if (e >= na * nb) return;                                                                      \
    const int rest = (e / nb) * sa + (e % nb) * sb;

// out[p, e] = x[places[p] + rest]
__kernel void take(const int na, const int nb, const int sa, const int sb,
                   __global const T *x, const int at, __global const long *places, __global T *out)
{
    REST
    out[p * na * nb + e] = x[at + places[p] + rest];
}

// out[places[p] + rest] = values[p, e]. Of two writes to one place, either may win.
__kernel void put(const int na, const int nb, const int sa, const int sb,
                  __global T *out, const int at, __global const long *places,
                  __global const T *values, const int vp, const int ve)
{
    REST
    out[at + places[p] + rest] = values[p * vp + e * ve];
}

// out[places[p] + rest] += values[p, e], where places may repeat. `order` sorts the places, so
// equal ones are neighbours: the work-item of the first of a run adds the whole run. No atomic
// operations, and the same sum each time: the order is fixed.
__kernel void add_runs(const int na, const int nb, const int sa, const int sb, const int count,
                       __global T *out, const int at, __global const long *places,
                       __global const long *order,
                       __global const T *values, const int vp, const int ve)
{
    REST
    const long place = places[order[p]];
    if (p > 0 && places[order[p - 1]] == place) return;
    ACC sum = out[at + place + rest];
    for (int q = p; q < count && places[order[q]] == place; q++)
        sum += values[order[q] * vp + e * ve];
    out[at + place + rest] = sum;
}

// The places of the elements that are not 0, in order. flags: inclusive running count of them.
__kernel void compact(const int n, __global const long *counts, __global long *out)
{
    const int i = get_global_id(0);
    if (i < n && counts[i] != (i ? counts[i - 1] : 0)) out[counts[i] - 1] = i;
}
