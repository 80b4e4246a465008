/* scratch.h - working memory for one call of a kernel. See scratch.c. */
#ifndef MICROTORCH_SCRATCH_H
#define MICROTORCH_SCRATCH_H

#include <stddef.h>

/* Memory of at least `bytes`, aligned to a cache line, until give_scratch(); NULL if there is no
 * memory left. */
void *take_scratch(size_t bytes);
void give_scratch(void *memory);

#endif
