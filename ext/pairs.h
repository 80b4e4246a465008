/* pairs.h - a tile of a product of which each number is a pair of bfloat16. See bfloat.c. */
#ifndef MICROTORCH_PAIRS_H
#define MICROTORCH_PAIRS_H

#include <stdbool.h>
#include <stddef.h>

enum { PAIR_ROWS = 12 };

void tile_of_pairs(size_t rows, bool near, size_t k, const float *a, ptrdiff_t a_row,
                   ptrdiff_t a_column, const float *b, ptrdiff_t b_row, float *out,
                   ptrdiff_t out_row, bool add);

#endif
