// Random numbers from a counter: number i of draw d is a function of (seed, d, i), so that every
// work-item makes its own without waiting for another's. The function is Philox4x32-10 (Salmon et
// al. 2011, Parallel Random Numbers: As Easy as 1, 2, 3): ten rounds of two 32 x 32 -> 64 bit
// products, whose halves are exchanged and mixed with the key.
static inline void philox(const uint i, const ulong draw, const ulong seed, uint c[4])
{
    uint key0 = (uint)seed, key1 = (uint)(seed >> 32);
    c[0] = i, c[1] = 0, c[2] = (uint)draw, c[3] = (uint)(draw >> 32);
#pragma unroll // or the loop around this one would not become vector code
    for (int round_ = 0; round_ < 10; round_++) {
        const ulong x = (ulong)0xD2511F53u * c[0], y = (ulong)0xCD9E8D57u * c[2];
        c[0] = (uint)(y >> 32) ^ c[1] ^ key0, c[2] = (uint)(x >> 32) ^ c[3] ^ key1;
        c[1] = (uint)y, c[3] = (uint)x;
        key0 += 0x9E3779B9u, key1 += 0xBB67AE85u;
    }
}

#ifdef WIDE
#define UNIT(a, b) ((((ulong)(a) << 32 | (b)) >> 11) * 0x1p-53) // [0, 1) in steps of 2^-53
#else
#define UNIT(a, b) (((a) >> 8) * 0x1p-24f) // [0, 1) in steps of 2^-24
#endif

#define NUMBERS                                                                                    \
    uint r[4];                                                                                     \
    philox(i, draw, seed, r);

#ifdef INTEGERS // whose T is an integer type: the others would not build

// integers in [low, low + range); the bias of the remainder is below range / 2^64. range 0: all 64
// bits
__kernel void integers(const int n, const long seed, const long draw, const long low,
                       const long range, __global T *out)
{
    EACH(i, n) {
        NUMBERS
        const ulong bits = (ulong)r[0] << 32 | r[1];
        out[i] = (T)(low + (long)(range ? bits % (ulong)range : bits));
    }
}

#else

__kernel void uniform(const int n, const long seed, const long draw, const T low, const T high,
                      __global T *out)
{
    EACH(i, n) {
        NUMBERS
        const T v = low + (high - low) * UNIT(r[0], r[1]);
        out[i] = v < high || low == high ? v : low; // rounding may reach the open end
    }
}

// Box and Muller 1958: a radius from one uniform number (in (0, 1], for the logarithm), an angle
// from another
__kernel void normal(const int n, const long seed, const long draw, const T mean, const T std,
                     __global T *out)
{
    EACH(i, n) {
        NUMBERS
        const T radius = sqrt(-2 * log(1 - UNIT(r[0], r[1])));
        out[i] = mean + std * radius * cospi(2 * UNIT(r[2], r[3]));
    }
}
#endif
