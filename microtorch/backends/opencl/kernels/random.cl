// Random numbers from a counter: number i of draw d is a function of (seed, d, i), so that every work-item makes its own
// without waiting for another's. The function is Philox4x32-10 (Salmon et al. 2011, Parallel Random Numbers: As Easy as 1, 2, 3):
// ten rounds of two 32 x 32 -> 64 bit products, whose halves are exchanged and mixed with the key.
static inline uint4 philox(const uint i, const ulong draw, const ulong seed)
{
    uint4 c = (uint4)(i, 0, (uint)draw, (uint)(draw >> 32));
    uint2 key = (uint2)((uint)seed, (uint)(seed >> 32));
    for (int round_ = 0; round_ < 10; round_++) {
        const uint high0 = mul_hi(0xD2511F53u, c.x), low0 = 0xD2511F53u * c.x;
        const uint high1 = mul_hi(0xCD9E8D57u, c.z), low1 = 0xCD9E8D57u * c.z;
        c = (uint4)(high1 ^ c.y ^ key.x, low1, high0 ^ c.w ^ key.y, low0);
        key += (uint2)(0x9E3779B9u, 0xBB67AE85u);
    }
    return c;
}

#ifdef DOUBLE
#define UNIT(a, b) ((((ulong)(a) << 32 | (b)) >> 11) * 0x1p-53) // [0, 1) in steps of 2^-53
#else
#define UNIT(a, b) (((a) >> 8) * 0x1p-24f) // [0, 1) in steps of 2^-24
#endif

#define ELEMENT                                                                                                         \
    const int i = get_global_id(0);                                                                                     \
    if (i >= n) return;                                                                                                 \
    const uint4 r = philox(i, draw, seed);

__kernel void uniform(const int n, const long seed, const long draw, const T low, const T high, __global T *out)
{
    ELEMENT
    const T v = low + (high - low) * UNIT(r.x, r.y);
    out[i] = v < high || low == high ? v : low; // rounding may reach the open end
}

// Box and Muller 1958: a radius from one uniform number (in (0, 1], for the logarithm), an angle from another
__kernel void normal(const int n, const long seed, const long draw, const T mean, const T std, __global T *out)
{
    ELEMENT
    const T radius = sqrt(-2 * log(1 - UNIT(r.x, r.y)));
    out[i] = mean + std * radius * cospi(2 * UNIT(r.z, r.w));
}

// integers in [low, low + range); the bias of the remainder is below range / 2^64. range 0: all 64 bits
__kernel void integers(const int n, const long seed, const long draw, const long low, const long range, __global T *out)
{
    ELEMENT
    const ulong bits = (ulong)r.x << 32 | r.y;
    out[i] = (T)(low + (long)(range ? bits % (ulong)range : bits));
}
