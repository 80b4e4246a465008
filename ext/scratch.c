/* scratch.c - working memory that is kept from one call to the next.
 *
 * A fresh block of some megabytes costs a page fault for every 4 KiB that is touched. For two
 * matrices of 256 x 256 that takes as long as their product. So one block, the one given back last,
 * stays here for the next caller. It is taken and given back by exchanging one pointer: two threads
 * never get the same block, and the second one simply asks malloc. */
#include "scratch.h"

#include <stdint.h>
#include <stdlib.h>

#if defined(_WIN32) || defined(__STDC_NO_ATOMICS__) || defined(__SANITIZE_ADDRESS__)
#define EXCHANGE(block) (block) /* nothing is kept, and AddressSanitizer sees each block's end */
#else
#include <stdatomic.h>
static _Atomic(void *) spare;
#define EXCHANGE(block) atomic_exchange(&spare, block)
#endif

enum { LINE = 64, KEPT = 1 << 26 }; /* bytes; larger blocks are not kept */

/* In front of the aligned memory, in a cache line of its own. */
struct header {
    void *block; /* as malloc gave it */
    size_t bytes;
};

void *take_scratch(size_t bytes)
{
    char *memory = EXCHANGE(NULL);
    if (memory != NULL) {
        struct header *h = (struct header *)(memory - LINE);
        if (h->bytes >= bytes)
            return memory;
        free(h->block);
    }
    char *block = bytes < SIZE_MAX - 2 * LINE ? malloc(bytes + 2 * LINE) : NULL;
    if (block == NULL)
        return NULL;
    memory = block + 2 * LINE - (uintptr_t)block % LINE;
    *(struct header *)(memory - LINE) = (struct header){block, bytes};
    return memory;
}

void give_scratch(void *memory)
{
    if (memory == NULL)
        return;
    struct header *h = (struct header *)((char *)memory - LINE);
    char *old = h->bytes <= KEPT ? EXCHANGE(memory) : memory;
    if (old != NULL)
        free(((struct header *)(old - LINE))->block);
}
