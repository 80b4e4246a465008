// Matrix products, twice: as the formula says it, and as a device likes it. docs/opencl.md compares
// them, with speeds.
//
// Both compute out (m, n) = x (m, k) @ y (k, n) for a batch of matrices, get_global_id(2) or
// get_group_id(2) of them. Element (i, j) of x lies at x[x_at + batch * x_b + i * x_r + j * x_c],
// and y likewise: a transposed matrix is read as it lies.
#define ARGUMENTS                                                                                  \
    const int m, const int n, const int k,                                                         \
    __global const T *restrict x, const int x_at, const int x_b, const int x_r, const int x_c,     \
    __global const T *restrict y, const int y_at, const int y_b, const int y_r, const int y_c,     \
    __global T *restrict out

// One work-item per element of the result: 2 k loads from global memory for k multiply-adds. Every
// element of x is read n times, every element of y m times, and memory cannot keep up.
__kernel void matmul_naive(ARGUMENTS)
{
    const int column = get_global_id(0), row = get_global_id(1), batch = get_global_id(2);
    if (row >= m || column >= n) return;
    x += x_at + batch * x_b + row * x_r;
    y += y_at + batch * y_b + column * y_c;
    T sum = 0;
    for (int i = 0; i < k; i++) sum += x[i * x_c] * y[i * y_r];
    out[(batch * m + row) * n + column] = sum;
}

// Tiles. A work-group computes a BM x BN tile of the result. It walks along k in steps of BK; in
// each step its work-items together copy a BM x BK tile of x and a BK x BN tile of y to local
// memory (on chip, shared by the group), wait for each other, and compute from there: each element
// fetched from global memory is used BN or BM times.
//
// Each work-item computes RM rows of RN columns of the tile, kept in registers: for RM + RN loads
// from local memory there are RM * RN multiply-adds. Its columns are read as vectors of V numbers,
// one vector instruction each.
//
// What is best depends on the device: many work-items with few registers (GPU), or one work-item
// with all the vector registers of a core (CPU). `tune` (tuning.py) measures. Idea and terms:
// C. Nugteren, Tutorial: OpenCL SGEMM tuning for Kepler (2014); Goto and van de Geijn, Anatomy of
// High-Performance Matrix Multiplication (2008).
#ifdef FLOATING
#define MULTIPLY_ADD(a, b, c) fma(a, b, c)
#else
#define MULTIPLY_ADD(a, b, c) ((a) * (b) + (c))
#endif
#define ROWS (BM / RM)    // work-items of a group, downwards
#define COLUMNS (BN / RN) // and across
#define NV (RN / V)       // vectors per row of a work-item

// Copy a tile, its elements `down` and `across` apart, to local memory. Of its rows and columns
// `rows` and `columns` exist; the rest is 0, which adds nothing. Neighbouring work-items, and
// successive steps of one, read neighbouring elements, also of a transposed matrix.
#define FETCH(tile, height, width, from, down, across, rows, columns)                              \
    if (across == 1 && rows == height && columns == width) {                                       \
        for (int i = row; i < height; i += ROWS)                                                   \
            for (int j = column * V; j < width; j += COLUMNS * V)                                  \
                WRITE(READ(from + i * down + j), tile + i * width + j);                            \
    } else if (down < across) {                                                                    \
        for (int j = row; j < width; j += ROWS)                                                    \
            for (int i = column; i < height; i += COLUMNS)                                         \
                tile[i * width + j] = i < rows && j < columns ? from[i * down + j * across] : 0;   \
    } else                                                                                         \
        for (int i = row; i < height; i += ROWS)                                                   \
            for (int j = column; j < width; j += COLUMNS)                                          \
                tile[i * width + j] = i < rows && j < columns ? from[i * down + j * across] : 0;

__kernel __attribute__((reqd_work_group_size(COLUMNS, ROWS, 1)))
void matmul_tiled(ARGUMENTS, const int biased, __global const T *bias) // + bias[column], if biased
{
    __local T xs[BM * BK], ys[BK * BN];
    const int column = get_local_id(0), row = get_local_id(1), batch = get_group_id(2);
    // groups that follow each other share the tile of y
    const int row0 = get_group_id(0) * BM, column0 = get_group_id(1) * BN;
    x += x_at + batch * x_b + row0 * x_r;
    y += y_at + batch * y_b + column0 * y_c;
    const int rows = min(BM, m - row0), columns = min(BN, n - column0);
    VECTOR sum[RM][NV];
    for (int i = 0; i < RM; i++)
        for (int j = 0; j < NV; j++) sum[i][j] = 0;

    for (int k0 = 0; k0 < k; k0 += BK) {
        const int depth = min(BK, k - k0);
        FETCH(xs, BM, BK, x, x_r, x_c, rows, depth)
        FETCH(ys, BK, BN, y, y_r, y_c, depth, columns)
        x += BK * x_c;
        y += BK * y_r;
        barrier(CLK_LOCAL_MEM_FENCE); // all of the tile is there
        for (int p = 0; p < BK; p++) {
            VECTOR b[NV];
            for (int j = 0; j < NV; j++) b[j] = READ(ys + p * BN + (column + j * COLUMNS) * V);
            for (int i = 0; i < RM; i++) {
                const VECTOR a = xs[(row * RM + i) * BK + p];
                for (int j = 0; j < NV; j++) sum[i][j] = MULTIPLY_ADD(a, b[j], sum[i][j]);
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE); // nobody reads it any more
    }

    for (int i = 0; i < RM; i++) {
        const int r = row * RM + i;
        __global T *line = out + (batch * m + row0 + r) * n + column0;
        if (r < rows)
            for (int j = 0; j < NV; j++) {
                const int c = (column + j * COLUMNS) * V;
                if (c + V <= columns) {
                    const VECTOR v = sum[i][j];
                    WRITE(biased ? v + READ(bias + column0 + c) : v, line + c);
                } else {
                    T part[V];
                    WRITE(sum[i][j], part);
                    for (int v = 0; v < V && c + v < columns; v++)
                        line[c + v] = part[v] + (biased ? bias[column0 + c + v] : 0);
                }
            }
    }
}
