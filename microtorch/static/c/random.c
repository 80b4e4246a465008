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
