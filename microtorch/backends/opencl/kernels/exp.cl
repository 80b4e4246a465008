// e^x for F, which is float or a vector of floats; BITS and NUMBER are as_uint and as_float for it.
// For devices of type CPU, like functions.cl, whose head says why.

#define SHIFT 0x1.8p23f
#define MAD(a, b, c) ((a) * (b) + (c)) // may be rounded once or twice
#ifndef FUNCTION
#define FUNCTION static inline __attribute__((overloadable))
#endif

// 2^n: added to SHIFT, n + 127 is an integer in the sum's low bits, which go to the exponent
FUNCTION F power_in(F sum) { return NUMBER(BITS(sum) << 23); }

// x = n ln 2 + r with |r| <= ln 2 / 2, so e^x = 2^n e^r (Cody and Waite 1980, chapter 6). ln 2 is
// subtracted in two parts, the first short enough for exact products.
FUNCTION F reduced_exp(F x, float shift, F *sum)
{
    *sum = MAD(x, 0x1.715476p+0f, shift);
    const F n = *sum - shift;
    return MAD(n, -0x1.7f7d1cp-20f, MAD(n, -0x1.62e4p-1f, x));
}

// p 2^n for a sum of SHIFT + n + 254. In two steps, for n may be 128 or -150: the second rounds
// once, to infinity or to a subnormal number.
FUNCTION F scaled(F p, F sum)
{
    return p * NUMBER(BITS(sum) >> 1 << 23) * NUMBER((BITS(sum) << 23) - (BITS(sum) >> 1 << 23));
}

// e^r for |r| <= ln 2 / 2: 1 + r + r^2 / 2 + ..., the coefficients by Remez exchange for the
// smallest error
FUNCTION F small_exp(F r)
{
    const F s = r * r, high = MAD(s, 0.00139504788f, MAD(r, 0.00836888235f, 0.041666206f));
    return 1 + MAD(s, MAD(s, high, MAD(r, 0.166665196f, 0.5f)), r);
}

FUNCTION F fast_exp(F x) // a bound written like this lets NaN pass
{
    F sum;
    x = x > 89 ? (F)89 : x;
    x = x < -105 ? (F)-105 : x;
    const F p = small_exp(reduced_exp(x, SHIFT + 254, &sum));
    return scaled(p, sum);
}
#undef F
#undef BITS
#undef NUMBER
