/* pairs.c - the micro-kernel of bfloat.c, for processors that multiply pairs of bfloat16. */
#include "core.h"
#include "pairs.h"
#include "table.h"

#ifdef SEVERAL_ISAS
#include <immintrin.h>

#if defined(__clang__)
#define TARGET __attribute__((target("avx512f,avx512bw,avx512bf16")))
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define TARGET __attribute__((target("avx512f,avx512bw,avx512bf16,prefer-vector-width=512")))
#define UNROLL _Pragma("GCC unroll 32")
#endif

/* As matmul.c's: a sliver of a, a panel of b, and a tile of sums that stays in registers. Each step
 * multiplies one number of a, a pair, with 32 pairs of b, and adds two products to each of 32 sums.
 * All rows are computed, and `rows` of them stored. */
TARGET void tile_of_pairs(size_t rows, bool near, size_t k, const float *a, ptrdiff_t a_row,
                          ptrdiff_t a_column, const float *b, ptrdiff_t b_row, float *out,
                          ptrdiff_t out_row, bool add)
{
    __m512 sum[PAIR_ROWS][2];
    (void)near, (void)a_row;
    UNROLL for (int i = 0; i < PAIR_ROWS; i++)
        sum[i][0] = sum[i][1] = _mm512_setzero_ps();
    for (; k > 0; k--, a += a_column, b += b_row) {
        const __m512i left = _mm512_loadu_si512(b), right = _mm512_loadu_si512(b + 16);
        __builtin_prefetch(a + 8 * a_column);
        __builtin_prefetch(b + 4 * b_row);
        __builtin_prefetch(b + 4 * b_row + 16);
        UNROLL for (int i = 0; i < PAIR_ROWS; i++) {
            const __m512i pair = _mm512_castps_si512(_mm512_set1_ps(a[i]));
            sum[i][0] = _mm512_dpbf16_ps(sum[i][0], (__m512bh)pair, (__m512bh)left);
            sum[i][1] = _mm512_dpbf16_ps(sum[i][1], (__m512bh)pair, (__m512bh)right);
        }
    }
    UNROLL for (int i = 0; i < PAIR_ROWS; i++)
        for (int v = 0; v < 2 && (size_t)i < rows; v++) {
            float *to = out + i * out_row + 16 * v;
            _mm512_storeu_ps(to, add ? _mm512_add_ps(_mm512_loadu_ps(to), sum[i][v]) : sum[i][v]);
        }
}
#endif
