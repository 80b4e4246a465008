/* parallel.h - one loop over several threads. See parallel.c. */
#ifndef MICROTORCH_PARALLEL_H
#define MICROTORCH_PARALLEL_H

#include <stddef.h>

/* Call body(task, begin, end) for pieces [begin, end) that together cover [0, n), each of at most
 * `grain`; several may run at once. Where the pieces lie does not depend on the number of threads.
 * `grain` is at least 1 (grain_of() in core.h computes one). A 0 counts as 1, since an endless loop
 * or a division by 0 would be a hard way to learn of a mistake. */
void parallel_for(size_t n, size_t grain, void (*body)(const void *task, size_t begin, size_t end),
                  const void *task);

void set_threads(int count);
int get_threads(void);

#endif
