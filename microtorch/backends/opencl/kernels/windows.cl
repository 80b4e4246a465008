// What slides over images (N, C, H, W), row by row in memory: convolution's columns, and pooling.
//
// A window at (y, x) of the result sees element (i, j) of the kernel at row y * sh - top + i * dh
// and column x * sw - left + j * dw of the image; outside of the image lies padding. A kernel that
// adds up gradients gathers: each work-item looks for the windows that saw its element, so no two
// work-items write to one place and no atomic operation is needed.
#define GEOMETRY                                                                                   \
    const int count, const int c, const int h, const int w, const int oh, const int ow,            \
    const int kh, const int kw,                                                                    \
    const int sh, const int sw, const int top, const int left, const int dh, const int dw

// ALONG(x, n, line) { ... } runs for each x below n of each line, `count` times in all. On a GPU a
// work-item has one x, on a CPU a line, so that what is computed from the number of the line is
// computed once.
#if BLOCK > 1
#define ALONG(x, n, line)                                                                          \
    const int line = get_global_id(0);                                                             \
    _Pragma("clang loop vectorize(assume_safety)")                                                 \
    for (int x = 0; x < n; x++)
#else
#define ALONG(x, n, line)                                                                          \
    const int id_ = get_global_id(0), line = id_ / n, x = id_ % n;                                 \
    if (id_ < count)
#endif

// im2col: columns[(n, c, i, j), (y, x)] = the element that the window at (y, x) sees at (i, j), 0
// in the padding. With steps of the columns for n and (c, i, j), so that the batch may lie inside
// or outside of the rows.
__kernel void unfold(GEOMETRY, const int per_n, const int per_row, __global const T *image,
                     __global T *columns)
{
    ALONG(x, ow, line) {
        const int y = line % oh, row = line / oh % (c * kh * kw), n = line / oh / (c * kh * kw);
        const int j = row % kw, i = row / kw % kh, channel = row / (kw * kh);
        const int r = y * sh - top + i * dh, q = x * sw - left + j * dw;
        const int inside = r >= 0 && r < h && q >= 0 && q < w;
        const int at = n * per_n + row * per_row + y * ow + x;
        columns[at] = inside ? image[((n * c + channel) * h + r) * w + q] : 0;
    }
}

// For the element (r, q) of an image: run BODY for every kernel element (i, j) and window (y, x)
// that sees it there.
#define FOR_ITS_WINDOWS(BODY)                                                                      \
    for (int i = 0; i < kh; i++) {                                                                 \
        const int up = r + top - i * dh, y = up / sh;                                              \
        if (up < 0 || up % sh || y >= oh) continue;                                                \
        for (int j = 0; j < kw; j++) {                                                             \
            const int over = q + left - j * dw, x = over / sw;                                     \
            if (over < 0 || over % sw || x >= ow) continue;                                        \
            BODY                                                                                   \
        }                                                                                          \
    }
#define EACH_ELEMENT(BODY)                                                                         \
    ALONG(q, w, line) {                                                                            \
        const int id = line * w + q, r = line % h, channel = line / h % c, n = line / h / c;       \
        BODY                                                                                       \
    }

// col2im: the transpose of unfold; columns (n, (c, i, j), (y, x)) row by row
__kernel void fold(GEOMETRY, __global const T *columns, const int at, __global T *image)
{
    EACH_ELEMENT(
        T sum = 0;
        FOR_ITS_WINDOWS(
            const int row = ((n * c + channel) * kh + i) * kw + j;
            sum += columns[at + (row * oh + y) * ow + x];
        )
        image[id] = sum;
    )
}

#define EACH_WINDOW(BODY)                                                                          \
    ALONG(x, ow, line) {                                                                           \
        const int id = line * ow + x, y = line % oh, start = line / oh * h * w;                    \
        BODY                                                                                       \
    }

// run BODY for every element (r, q) of the image that the window (y, x) sees, at (i, j) of the
// kernel
#define FOR_ITS_ELEMENTS(BODY)                                                                     \
    for (int i = 0; i < kh; i++) {                                                                 \
        const int r = y * sh - top + i * dh;                                                       \
        if (r < 0 || r >= h) continue;                                                             \
        for (int j = 0; j < kw; j++) {                                                             \
            const int q = x * sw - left + j * dw;                                                  \
            if (q < 0 || q >= w) continue;                                                         \
            BODY                                                                                   \
        }                                                                                          \
    }

__kernel void max_pool2d(GEOMETRY, __global const T *image, __global T *out)
{
    EACH_WINDOW(
        T top_ = LOWEST;
        FOR_ITS_ELEMENTS(const T v = image[start + r * w + q]; if (v > top_ || v != v) top_ = v;)
        out[id] = top_;
    )
}

// the number i * kw + j of the first kernel element that sees the maximum; of NaNs, the last
__kernel void pool_place(GEOMETRY, __global const T *image, __global const T *largest,
                         __global int *place)
{
    EACH_WINDOW(
        const T top_ = largest[id];
        int found = -1;
        FOR_ITS_ELEMENTS(
            const T v = image[start + r * w + q];
            if (v != v || (found < 0 && v == top_)) found = i * kw + j;
        )
        place[id] = max(found, 0);
    )
}

// out[n, c, y, x] = the element of the image at the window's place
__kernel void pool_gather(GEOMETRY, __global const T *image, __global const int *place,
                          __global T *out)
{
    EACH_WINDOW(
        T chosen = 0;
        FOR_ITS_ELEMENTS(if (place[id] == i * kw + j) chosen = image[start + r * w + q];)
        out[id] = chosen;
    )
}

__kernel void pool_scatter(GEOMETRY, __global const T *g, __global const int *place,
                           __global T *image)
{
    EACH_ELEMENT(
        T sum = 0;
        FOR_ITS_WINDOWS(
            const int o = ((n * c + channel) * oh + y) * ow + x;
            if (place[o] == i * kw + j) sum += g[o];
        )
        image[id] = sum;
    )
}

// sums of windows, and their transpose; the caller divides
__kernel void window_sum(GEOMETRY, __global const T *image, __global T *out)
{
    EACH_WINDOW(
        T sum = 0;
        FOR_ITS_ELEMENTS(sum += image[start + r * w + q];)
        out[id] = sum;
    )
}

__kernel void window_spread(GEOMETRY, __global const T *g, __global T *image)
{
    EACH_ELEMENT(
        T sum = 0;
        FOR_ITS_WINDOWS(sum += g[((n * c + channel) * oh + y) * ow + x];)
        image[id] = sum;
    )
}

// Adaptive means: bin i of m over n places is [i * n / m, ceil((i + 1) * n / m))
__kernel void adaptive_mean(const int count, const int h, const int w, const int oh, const int ow,
                            __global const T *image, __global T *out)
{
    const int id = get_global_id(0);
    if (id >= count) return;
    const int x = id % ow, y = id / ow % oh, nc = id / (ow * oh);
    image += nc * h * w;
    const int r0 = y * h / oh, r1 = ((y + 1) * h + oh - 1) / oh;
    const int q0 = x * w / ow, q1 = ((x + 1) * w + ow - 1) / ow;
    T sum = 0;
    for (int r = r0; r < r1; r++)
        for (int q = q0; q < q1; q++) sum += image[r * w + q];
    out[id] = sum / ((r1 - r0) * (q1 - q0));
}

__kernel void adaptive_spread(const int count, const int h, const int w, const int oh, const int ow,
                              __global const T *g, __global T *image)
{
    const int id = get_global_id(0);
    if (id >= count) return;
    const int q = id % w, r = id / w % h, nc = id / (w * h);
    T sum = 0;
    // the bins that hold row r are neighbours, the first of them at r * oh / h or one before
    for (int y = max(r * oh / h - 1, 0); y < oh && y * h / oh <= r; y++) {
        const int r0 = y * h / oh, r1 = ((y + 1) * h + oh - 1) / oh;
        if (r >= r1) continue;
        for (int x = max(q * ow / w - 1, 0); x < ow && x * w / ow <= q; x++) {
            const int q0 = x * w / ow, q1 = ((x + 1) * w + ow - 1) / ow;
            if (q < q1) sum += g[(nc * oh + y) * ow + x] / ((r1 - r0) * (q1 - q0));
        }
    }
    image[id] = sum;
}
