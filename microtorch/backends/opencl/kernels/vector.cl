// T2, T4 ... T16 under one name: V numbers that move together. READ and WRITE take a pointer to the
// first of them.
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#if V == 1
#define VECTOR T
#define READ(p) (*(p))
#define WRITE(v, p) (*(p) = (v))
#else
#define VECTOR JOIN(T, V)
#define READ(p) JOIN(vload, V)(0, p)
#define WRITE(v, p) JOIN(vstore, V)(v, 0, p)
#endif
