/* dispatch.c - which of the compiled instruction sets is used: the best that the processor has,
 * unless Python asks for another. */
#include "core.h"
#include "table.h"

const struct kernels *kernels = &kernels_baseline;

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
