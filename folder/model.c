/* step, to be run without Python
 *
 * Written by microtorch from one run of a Python function; the lines named in comments are its own.
 * A function returns 0, or 1 if an index is out of range. Sums of float are added up in double.
 *
 *     cc -O2 -ffp-contract=off FILE -lm
 *
 * Faster: add -march=native -ftree-vectorize -fno-math-errno -fno-trapping-math
 *         -fopenmp-simd -DSIMD
 */
#include <math.h>
#include <stddef.h>
#ifdef __GNUC__
#define INLINE static inline __attribute__((always_inline, unused))
#define ALIGNED __attribute__((aligned(64))) /* to lines of the cache */
#else
#define INLINE static inline
#define ALIGNED
#endif
/* A sum whose terms may be added up in any order. */
#ifdef SIMD
#define ADDED_UP _Pragma("omp simd reduction(+:total)")
#else
#define ADDED_UP
#endif

/* ---- functions of float ---- */
#include <float.h>
#include <string.h>
static inline unsigned as_uint(float x)
{
    unsigned u;
    memcpy(&u, &x, sizeof u);
    return u;
}
static inline float as_float(unsigned u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}
#define FUNCTION INLINE
#define fabs fabsf
#define copysign copysignf
#define F float
#define BITS as_uint
#define NUMBER as_float
// e^x for F, which is float or a vector of floats; BITS and NUMBER are as_uint and as_float for it.
// For devices of type CPU, like functions.cl, whose head says why.
//
// x = n ln 2 + r with |r| <= ln 2 / 2, so e^x = 2^n e^r (Cody and Waite 1980, chapter 6); ln 2 is
// subtracted in two parts, the first short enough for exact products. Added to SHIFT, a number is
// rounded to an integer, which then stands in the sum's low bits. So if the sum is SHIFT + n + 127,
// these bits, shifted to where the exponent is, are 2^n.
#define SHIFT 0x1.8p23f
#ifndef FUNCTION
#define FUNCTION static inline __attribute__((overloadable))
#endif

FUNCTION F power_in(F sum) { return NUMBER(BITS(sum) << 23); }

FUNCTION F reduced_exp(F x, float shift, F *sum)
{
    *sum = x * 0x1.715476p+0f + shift;
    const F n = *sum - shift;
    return (x - n * 0x1.62e4p-1f) - n * 0x1.7f7d1cp-20f;
}

#undef NUMBER

#undef BITS

#undef F

// ---- exponentials (exp.cl has e^x) -------------------------------------------------------------
// e^r - 1 for |r| <= ln 2 / 2
FUNCTION float small_expm1(float r)
{
    const float s = r * r;
    return r + s * ((0.5f + r * 0.166666672f) + s * ((0.041666355f + r * 0.00833327323f)
                                                     + s * (0.00139409979f + r * 0.000199141563f)));
}

// tanh |x| = -t / (t + 2) with t = e^(-2|x|) - 1; neither sum cancels
FUNCTION float fast_tanh(float x)
{
    float sum, a = fabs(x);
    a = a > 10 ? 10 : a;
    const float p = small_expm1(reduced_exp(-2 * a, SHIFT + 127, &sum)), s = power_in(sum);
    return copysign((s * p + (s - 1)) / (s * p + (s + 1)), x);
}
#undef FUNCTION
#undef fabs
#undef copysign
#undef FAR

int train(
    const double *restrict scalars, /* float64 [2] */
    const float *restrict v10_, /* float32 [20] */
    const float *restrict v20_, /* float32 [20] */
    float *restrict result_0, /* float32 [], made */
    double *restrict result_3, /* float64 [], made */
    double *restrict result_1, /* float64 [], made */
    double *restrict result_2, /* float64 [], made */
    double *restrict result_4, /* float64 [], made */
    double *restrict result_5) /* float64 [], made */
{
    double v11[1];
    float v12[1];
    ALIGNED float v14[20];
    double v15[1];
    float v16[1];
    ALIGNED float v19[20];
    ALIGNED float v21[20];
    ALIGNED float v23[20];
    ALIGNED float v28[20];
    float v29[1];
    double v32[1];
    ALIGNED float v33[20];
    float v34[1];
    /* test_scalars.py:362: stack */
    v11[0] = scalars[0];
    /* test_scalars.py:362: astype */
    v12[0] = v11[0];
    /* test_scalars.py:362: mul */
    for (int i = 0; i < 20; i++)
        v14[i] = v10_[i] * v12[0];
    /* test_scalars.py:362: stack */
    v15[0] = scalars[1];
    /* test_scalars.py:362: astype */
    v16[0] = v15[0];
    /* test_scalars.py:362: add, tanh, sub, pow */
    for (int i = 0; i < 20; i++) {
        const float t19 = fast_tanh(v14[i] + v16[0]);
        v19[i] = t19;
        const float t21 = t19 - v20_[i];
        v21[i] = t21;
        v23[i] = powf(t21, 2.0f);
    }
    /* test_scalars.py:362: mean */
    {
        double total = 0;
        ADDED_UP for (int i = 0; i < 20; i++)
            total += v23[i];
        result_0[0] = (float)(total / 20);
    }
    /* test_scalars.py:364: mean_vjp0, pow_vjp0, tanh_vjp0 */
    for (int i = 0; i < 20; i++) {
        const float t27x = v21[i];
        const float t27 = 2.0f == 0.0f ? 0.0f : (1.0f / 20.0f) * 2.0f * powf(t27x, 2.0f == 0.0f
            ? 0.0f : 2.0f - 1.0f);
        v28[i] = t27 * (1.0f - v19[i] * v19[i]);
    }
    /* test_scalars.py:364: sum */
    {
        double total = 0;
        ADDED_UP for (int i = 0; i < 20; i++)
            total += v28[i];
        v29[0] = (float)(total);
    }
    /* test_scalars.py:364: getitem, astype */
    v32[0] = v29[0];
    /* test_scalars.py:364: mul_vjp1 */
    for (int i = 0; i < 20; i++)
        v33[i] = v28[i] * v10_[i];
    /* test_scalars.py:364: sum */
    {
        double total = 0;
        ADDED_UP for (int i = 0; i < 20; i++)
            total += v33[i];
        v34[0] = (float)(total);
    }
    /* test_scalars.py:364: getitem, astype; test_scalars.py:365: pos, pos, mul, sub;
     * test_scalars.py:366: pos, pos, mul, sub; test_scalars.py:367: pos; test_scalars.py:418:
     * asarray, asarray, asarray */
    {
        const double t41 = scalars[0] - (0.5 * v34[0]);
        result_3[0] = scalars[1] - (0.5 * v32[0]);
        result_1[0] = t41;
        result_2[0] = t41;
        result_4[0] = v34[0];
        result_5[0] = v32[0];
    }
    return 0;
}

/* ---- the program ---- */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Read arrays, one after the other, from a file whose text ends with an empty line. */
static void read_arrays(const char *name, int n, void *const *arrays, const size_t *sizes)
{
    FILE *file = fopen(name, "rb");
    int c, last = 0;
    if (!file) {
        fprintf(stderr, "%s cannot be read\n", name);
        exit(1);
    }
    while ((c = getc(file)) != EOF && !(c == '\n' && last == '\n'))
        last = c;
    for (int i = 0; i < n; i++)
        if (fread(arrays[i], 1, sizes[i], file) != sizes[i]) {
            fprintf(stderr, "%s is too short\n", name);
            exit(1);
        }
    fclose(file);
}

static double scalars[2];
static float v10_[20];
static float v20_[20];
static float result_0[1];
static double result_3[1];
static double result_1[1];
static double result_2[1];
static double result_4[1];
static double result_5[1];

/* step: 0, or what went wrong (main) */
static int run_train(void)
{
    const int failed = train(scalars, v10_, v20_, result_0, result_3, result_1, result_2,
        result_4, result_5);
    scalars[0] = result_2[0];
    scalars[1] = result_3[0];
    return failed;
}

int main(int argc, char **argv)
{
    void *const weights[] = {scalars, v10_};
    void *const inputs[] = {v20_};
    const size_t weight_sizes[] = {sizeof(scalars), sizeof(v10_)};
    const size_t input_sizes[] = {sizeof(v20_)};
    const int steps = argc > 2 ? atoi(argv[2]) : 10;
    read_arrays("weights.bin", 2, weights, weight_sizes);
    read_arrays(argc > 1 ? argv[1] : "input.bin", 1, inputs, input_sizes);
    for (int step = 0; step < steps; step++) {
        const int failed = run_train();
        if (failed) {
            fprintf(stderr, "%s\n",
                    failed == 1 ? "an index is out of range"
                    : failed == 2 ? "a condition on data is not what it was when this was recorded"
                    : "the table of learning rates has no more steps");
            return 1;
        }
        for (int i = 0; i < 1; i++)
            printf("%.6g\n", (double)result_0[i]);
        for (int i = 0; i < 1; i++)
            printf("%.6g\n", (double)result_1[i]);
    }
    /* what is learned */
    static const char heading[] =
        "scalars: float64 [2]\n"
        "v10_: float32 [20]\n"
        "\n";
    FILE *file = fopen("trained.bin", "wb");
    if (!file || fwrite(heading, 1, sizeof heading - 1, file) != sizeof heading - 1) {
        fprintf(stderr, "trained.bin cannot be written\n");
        return 1;
    }
    for (int i = 0; i < 2; i++)
        if (fwrite(weights[i], 1, weight_sizes[i], file) != weight_sizes[i])
            return 1;
    return fclose(file) != 0;
}
