/* dispatch.c - which of the compiled instruction sets is used: the best that the processor has,
 * unless Python asks for another; and what else kernels are told about the processor. */
#include "core.h"
#include "table.h"

#ifdef SEVERAL_ISAS
#include <cpuid.h>
#endif
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

#ifdef SEVERAL_ISAS
/* The processor is asked itself: __builtin_cpu_supports reads what the compiler's library found
 * out, and that of the package ziglang finds nothing. Bits as in Intel's manual, volume 2. */
static int has(unsigned found, unsigned bits)
{
    return (found & bits) == bits;
}

static int isa_of_processor(int k)
{
    enum { FMA = 1u << 12, SAVED = 1u << 27, AVX = 1u << 28 };                 /* leaf 1, ecx */
    enum { BMI = 1u << 3, AVX2 = 1u << 5, BMI2 = 1u << 8 };                    /* leaf 7, ebx */
    const unsigned wide = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31; /* avx512f, dq, bw, vl */
    unsigned a, b, c, d, state, upper, more;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !has(c, FMA | SAVED | AVX))
        return 0;
    if (!__get_cpuid_count(7, 0, &a, &more, &c, &d) || !has(more, BMI | AVX2 | BMI2))
        return 0;
    __asm__ volatile("xgetbv" : "=a"(state), "=d"(upper) : "c"(0)); /* does the system save them? */
    return has(state, 0x06) && (k == 1 || (has(more, wide) && has(state, 0xe6)));
}

static int multiplies_pairs(void)
{
    unsigned a, b, c, d; /* AVX512_BF16: leaf 7, 1, eax */
    return isa_of_processor(0) && __get_cpuid_count(7, 1, &a, &b, &c, &d) && has(a, 1u << 5);
}

static int made_by_intel(void)
{
    unsigned most, b = 0, c = 0, d = 0;
    return __get_cpuid(0, &most, &b, &c, &d) && b == 0x756e6547 && d == 0x49656e69 &&
           c == 0x6c65746e; /* "Genu" "ineI" "ntel" */
}
#endif

int isa_supported(int k)
{
#ifdef SEVERAL_ISAS
    if (k < 2)
        return k >= 0 && isa_of_processor(k);
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
    if (copies < 0)
        copies = made_by_intel();
    processor.pairs = multiplies_pairs();
#endif
    processor.copies = copies > 0;
}

/* Are products of bfloat16 faster by the kernels in use than as float? */
int has_pairs(void)
{
    return kernels == table(0) && processor.pairs;
}
