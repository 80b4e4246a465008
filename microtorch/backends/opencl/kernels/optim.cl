// The steps of optimizers, in place: one pass over parameter, gradient and state, instead of one
// per operation. The formulas are in optim/sgd.py and optim/adam.py.
#define GRADIENT T g = (maximize ? -G[i] : G[i]) + decay * P[p_at + i];

__kernel void sgd(const int n, const T lr, const T momentum, const T undamped, const T decay,
                  const int maximize, const int nesterov, const int first, __global T *P,
                  const int p_at, __global const T *G, __global T *STATE)
{
    EACH(i, n) {
        GRADIENT
        if (momentum != 0) {
            const T v = first ? g : momentum * STATE[i] + undamped * g;
            STATE[i] = v;
            g = nesterov ? g + momentum * v : v;
        }
        P[p_at + i] -= lr * g;
    }
}

// step_size = lr / (1 - beta1^t), correction = sqrt(1 - beta2^t); shrink = 1 - lr * weight_decay
// for AdamW, else 1
__kernel void adam(const int n, const T step_size, const T correction, const T beta1, const T beta2,
                   const T eps, const T decay, const T shrink, const int maximize,
                   const int amsgrad, __global T *P, const int p_at, __global const T *G,
                   __global T *M, __global T *STATE, __global T *LARGEST)
{
    EACH(i, n) {
        GRADIENT
        const T m = M[i] + (1 - beta1) * (g - M[i]);
        T v = beta2 * STATE[i] + (1 - beta2) * g * g;
        M[i] = m;
        STATE[i] = v;
        if (amsgrad) LARGEST[i] = v = maximum(LARGEST[i], v);
        P[p_at + i] = P[p_at + i] * shrink - step_size * m / (sqrt(v) / correction + eps);
    }
}
