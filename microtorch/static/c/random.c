/* random.c - the random numbers of PyTorch (read by functions.py) */


/* 32 random bits of the Mersenne twister (Matsumoto and Nishimura 1998): 624 words, the number of
 * those that are used up; then a normal number that waits (serial_normal), and whether one does */
static unsigned generator[628];
static inline unsigned random_bits(void)
{
    if (generator[624] >= 624) {
        for (int i = 0; i < 624; i++) {
            const unsigned low = generator[(i + 1) % 624] & 0x7fffffffu;
            const unsigned y = (generator[i] & 0x80000000u) | low;
            generator[i] = generator[(i + 397) % 624] ^ (y >> 1) ^ (y & 1 ? 0x9908b0dfu : 0);
        }
        generator[624] = 0;
    }
    unsigned y = generator[generator[624]++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    return y ^ (y >> 18);
}


/* `value` where 53 random bits are below `bound`, else 0 */
static inline void coins@(int n, long long bound, double value, real *restrict out)
{
    for (int i = 0; i < n; i++) {
        const unsigned long long high = random_bits(), bits = high << 32 | random_bits();
        out[i] = (long long)(bits & 0x1fffffffffffffull) < bound ? (real)value : 0;
    }
}


/* numbers from 0 to below 1: 24 random bits, or 53 */
static inline void uniform@(int n, real *restrict out)
{
    for (int i = 0; i < n; i++) {
        const unsigned long long bits = random_bits();
        out[i] = sizeof *out == 4 ? (real)((bits & 0xffffff) / 16777216.0)
            : (real)(((bits << 32 | random_bits()) & 0x1fffffffffffffull) / 9007199254740992.0);
    }
}


/* numbers from low to below high */
static inline void uniform_between@(int n, double low, double high, real *restrict out)
{
    const real first = (real)low, last = (real)high;
    uniform@(n, out);
    for (int i = 0; i < n; i++) {
        const real x = fma@(out[i], last - first, first);
        out[i] = x == last ? first : x;
    }
}


/* 1 with probability p, else 0 */
static inline void bernoulli@(int n, const real *restrict p, real *restrict out)
{
    uniform@(n, out);
    for (int i = 0; i < n; i++)
        out[i] = out[i] < p[i];
}


/* whole numbers from low on, `span` different ones */
static inline void random_integers(int n, int low, int span, long long *restrict out)
{
    for (int i = 0; i < n; i++)
        out[i] = low + (long long)(random_bits() % (unsigned)span);
}


/* 0 to n - 1 in random order (Fisher and Yates) */
static inline void permutation(int n, long long *restrict out)
{
    for (int i = 0; i < n; i++)
        out[i] = i;
    for (int i = 0; i < n - 1; i++) {
        const int j = i + (int)(random_bits() % (unsigned)(n - i));
        const long long x = out[i];
        out[i] = out[j];
        out[j] = x;
    }
}


/* 53 random bits as a number from 0 to below 1 */
static inline double unit(void)
{
    const unsigned long long high = random_bits(), bits = high << 32 | random_bits();
    return (double)(bits & 0x1fffffffffffffull) / 9007199254740992.0;
}


/* of 53 random bits each: exponential numbers, the one with scale -1 / lambda */
static inline void exponential@(int n, double scale, real *restrict out)
{
    for (int i = 0; i < n; i++)
        out[i] = (real)(scale * log1p(-unit()));
}


static inline void cauchy@(int n, double median, double sigma, real *restrict out)
{
    for (int i = 0; i < n; i++)
        out[i] = (real)fma(tan(3.141592653589793 * (unit() - 0.5)), sigma, median);
}


/* how often one tries until the first success */
static inline void geometric@(int n, double log_failure, real *restrict out)
{
    for (int i = 0; i < n; i++)
        out[i] = (real)ceil(log(unit()) / log_failure);
}


static inline int are_deviations@(int n, const real *restrict std)
{
    for (int i = 0; i < n; i++)
        if (!(std[i] >= 0))
            return 0;
    return 1;
}


/* are weights finite, none of them negative, and some of each row not 0? */
static inline int are_weights@(int rows, int n, const real *restrict w)
{
    for (int i = 0; i < rows; i++, w += n) {
        double total = 0;
        for (int j = 0; j < n; j++) {
            if (!(w[j] >= 0 && w[j] < INFINITY))
                return 0;
            total += w[j];
        }
        if (total == 0)
            return 0;
    }
    return 1;
}


/* `count` of the numbers of each row, none twice: those with the largest weight / exponential */
static inline void sampled@(int rows, int n, int count, const real *restrict w,
                            real *restrict score, long long *restrict out)
{
    exponential@(rows * n, -1, score);
    for (int i = 0; i < rows; i++, w += n, score += n, out += count) {
        for (int j = 0; j < n; j++)
            score[j] = w[j] / score[j];
        for (int k = 0; k < count; k++) {
            int best = 0;
            for (int j = 1; j < n; j++)
                if (score[j] > score[best])
                    best = j;
            out[k] = best;
            score[best] = -1;
        }
    }
}


/* the same, but each may be drawn again: where a uniform number stands among sums of weights */
static inline void sampled_again@(int rows, int n, int count, const real *restrict w,
                                  real *restrict sums, long long *restrict out)
{
    for (int i = 0; i < rows; i++, w += n) {
        sums[0] = w[0];
        for (int j = 1; j < n; j++)
            sums[j] = sums[j - 1] + w[j];
        for (int j = 0; j < n; j++)
            sums[j] = j + 1 < n ? sums[j] / sums[n - 1] : 1;
        for (int k = 0; k < count; k++) {
            const double u = unit();
            int j = 0;
            while (sums[j] < u)
                j++;
            *out++ = j;
        }
    }
}


/* normal numbers one after the other, in pairs: an odd one out waits in the generator; or e to the
 * power of these */
static inline void serial_normal@(int n, double mean, double std, int power, real *restrict out)
{
    union {
        double number;
        unsigned words[2];
    } spare;
    spare.words[0] = generator[625];
    spare.words[1] = generator[626];
    for (int i = 0; i < n; i++) {
        double x = spare.number;
        if (!generator[627]) {
            const double angle = 6.283185307179586 * unit(), radius = sqrt(-2 * log1p(-unit()));
            x = radius * cos(angle);
            spare.number = radius * sin(angle);
        }
        generator[627] = !generator[627];
        const double y = fma(x, std, mean);
        out[i] = (real)(power ? exp(y) : y);
    }
    generator[625] = spare.words[0];
    generator[626] = spare.words[1];
}


/* 16 uniform numbers become normal ones: eight radii and eight angles (Box and Muller 1958) */
static inline void box_muller@(real mean, real std, real *restrict out)
{
    for (int i = 0; i < 8; i++) {
        const real radius = sqrt@(-2 * log1p@(-out[i]));
        const real angle = (real)6.283185307179586 * out[i + 8];
        out[i] = radius * cos@(angle) * std + mean;
        out[i + 8] = radius * sin@(angle) * std + mean;
    }
}


/* n >= 16 normal numbers; if n is no multiple of 16, the last 16 are drawn anew */
static inline void normal@(int n, double mean, double std, real *restrict out)
{
    uniform@(n, out);
    for (int i = 0; i + 16 <= n; i += 16)
        box_muller@((real)mean, (real)std, out + i);
    if (n % 16) {
        uniform@(16, out + n - 16);
        box_muller@((real)mean, (real)std, out + n - 16);
    }
}


/* slopes for what is not above 0, from low to below high, and 1 for the rest */
static inline void rrelu_slope@(int n, double low, double high, const real *restrict x,
                                real *restrict out)
{
    for (int i = 0; i < n; i++) {
        out[i] = 1;
        if (x[i] <= 0) {
            const double slope = fma(unit(), high - low, low);
            out[i] = (real)(slope == high ? low : slope);
        }
    }
}


/* how many uniform numbers can be multiplied before the product falls to exp(-rate) */
static inline double small_poisson(double rate)
{
    double product = rate > 0, count = 0;
    for (; product > 0; count++) {
        product *= unit();
        if (product <= exp(-rate))
            break;
    }
    return count;
}


/* by transformed rejection (Hoermann 1993) */
static inline double large_poisson(double rate)
{
    const double b = 0.931 + 2.53 * sqrt(rate), a = -0.059 + 0.02483 * b;
    const double scale = log(1.1239 + 1.1328 / (b - 3.4)), tight = 0.9277 - 3.6224 / (b - 2);
    for (;;) {
        const double u = unit() - 0.5, v = unit(), us = 0.5 - fabs(u);
        const double k = us > 0 ? floor((2 * a / us + b) * u + rate + 0.43) : -1;
        if (us >= 0.07 && v <= tight)
            return k;
        if (k < 0 || (us < 0.013 && v > us))
            continue;
        if (log(v) + scale - log(a / (us * us) + b) <= k * log(rate) - rate - lgamma(k + 1))
            return k;
    }
}


/* counts; 0 if a rate is none */
static inline int poisson@(int n, const real *restrict rate, real *restrict out)
{
    for (int i = 0; i < n; i++)
        if (!(rate[i] >= 0))
            return 0;
    for (int i = 0; i < n; i++)
        out[i] = (real)(rate[i] >= 10 ? large_poisson(rate[i]) : small_poisson(rate[i]));
    return 1;
}
