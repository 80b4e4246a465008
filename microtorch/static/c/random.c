/* random.c - the random numbers of PyTorch (read by functions.py) */


/* 32 random bits of the Mersenne twister (Matsumoto and Nishimura 1998): 624 words, and the number
 * of those that are used up */
static unsigned generator[625];
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
static inline void dropout_noise@(int n, long long bound, double value, real *restrict out)
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
