/* dispatch.c - which of the compiled instruction sets is used: the best that the processor has,
 * unless Python asks for another; and what else kernels are told about the processor. */
#include "core.h"
#include "table.h"

#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#endif

const struct kernels *kernels = &kernels_baseline;
struct processor processor = {.l2 = 1 << 20};

/* The k-th instruction set from the best down, or NULL where it was not compiled. */
static const struct kernels *table(int k)
{
#ifdef SEVERAL_ISAS
    return k == 0 ? &kernels_avx512 : k == 1 ? &kernels_avx2 : k == 2 ? &kernels_baseline : NULL;
#else
    return k == 2 ? &kernels_baseline : NULL;
#endif
}

int isa_supported(int k)
{
#ifdef SEVERAL_ISAS
    __builtin_cpu_init();
    if (k == 0)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
    if (k == 1)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
               __builtin_cpu_supports("bmi2");
#endif
    return table(k) != NULL;
}

int use_isa(int k)
{
    if (!isa_supported(k))
        return 0;
    kernels = table(k);
    return 1;
}

/* `copies`: 0, 1, or -1 for what is best on this processor. */
void use_copies(int copies)
{
#ifdef _SC_LEVEL2_CACHE_SIZE
    const long l2 = sysconf(_SC_LEVEL2_CACHE_SIZE); /* 0: unknown */
    if (l2 > 0) /* a larger one is shared by several cores */
        processor.l2 = smaller(larger((size_t)l2, 1 << 18), 1 << 21);
#endif
#ifdef SEVERAL_ISAS
    __builtin_cpu_init();
    if (copies < 0)
        copies = __builtin_cpu_is("intel") != 0;
#endif
    processor.copies = copies > 0;
}
