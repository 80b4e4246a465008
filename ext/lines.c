/* lines.c - memory for numpy's arrays that begins on a cache line.
 *
 * malloc's blocks begin on a multiple of 64 by chance, and large ones 16 bytes after it. Then every
 * vector of 64 bytes lies on two lines, and each load and store touches both. numpy takes its
 * memory from a handler that can be replaced (NEP 49): this one aligns what is large enough to
 * matter, and leaves the rest to numpy's own. Either kind of memory is malloc's, and free() takes
 * it. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

uintptr_t line_handler(uintptr_t before);

/* PyDataMem_Handler and PyDataMemAllocator of numpy/ndarraytypes.h, version 1. */
struct allocator {
    void *context;
    void *(*allocate)(void *context, size_t bytes);
    void *(*zeroed)(void *context, size_t count, size_t size);
    void *(*resize)(void *context, void *block, size_t bytes);
    void (*give_back)(void *context, void *block, size_t bytes);
};
struct handler {
    char name[127];
    uint8_t version;
    struct allocator allocator;
};

#ifndef _WIN32
enum { LINE = 64, ALIGNED = 1 << 14, PAGE = 4096, LARGE = 1 << 22 }; /* bytes */
static struct allocator small;

static void *allocate(void *context, size_t bytes)
{
    (void)context;
    if (bytes < ALIGNED)
        return small.allocate(small.context, bytes);
    void *block;
    if (posix_memalign(&block, LINE, bytes) != 0)
        return NULL;
#ifdef MADV_HUGEPAGE
    if (bytes >= LARGE) { /* as numpy does */
        const size_t rest = PAGE - (uintptr_t)block % PAGE;
        madvise((char *)block + rest, bytes - rest, MADV_HUGEPAGE);
    }
#endif
    return block;
}

/* Large zeros are pages that the system has not even touched: nothing is worth more than that. */
static void *zeroed(void *context, size_t count, size_t size)
{
    (void)context;
    return small.zeroed(small.context, count, size);
}

static void *resize(void *context, void *block, size_t bytes)
{
    (void)context;
    return small.resize(small.context, block, bytes);
}

static void give_back(void *context, void *block, size_t bytes)
{
    (void)context;
    small.give_back(small.context, block, bytes);
}

static struct handler lines = {
    "microtorch_lines", 1, {NULL, allocate, zeroed, resize, give_back}};
#endif

/* The handler that aligns and leaves everything else to `before`, numpy's own; 0 if there is none
 * on this system. */
uintptr_t line_handler(uintptr_t before)
{
#ifndef _WIN32
    const struct handler *numpys = (const struct handler *)before;
    if (numpys->version == 1) {
        small = numpys->allocator;
        return (uintptr_t)&lines;
    }
#endif
    (void)before;
    return 0;
}
