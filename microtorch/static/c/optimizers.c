/* optimizers.c - the steps of optimizers, and norms of gradients (read by functions.py) */


/* p -= lr g */
static inline void sgd@(int n, real *restrict p, const real *restrict g, double lr, double decay,
                        int maximize)
{
    const real rate = (real)lr, penalty = (real)decay, way = maximize ? -1 : 1;
    for (int i = 0; i < n; i++)
        p[i] -= rate * (way * g[i] + penalty * p[i]);
}


/* v = momentum v + (1 - dampening) g, p -= lr v */
static inline void sgd_momentum@(int n, real *restrict p, const real *restrict g,
                                 real *restrict v, double lr, double momentum, double dampening,
                                 double decay, int nesterov, int maximize, int first)
{
    const real rate = (real)lr, kept = (real)momentum, fresh = (real)(1 - dampening);
    const real penalty = (real)decay, way = maximize ? -1 : 1;
    for (int i = 0; i < n; i++) {
        const real up = way * g[i] + penalty * p[i];
        v[i] = first ? up : kept * v[i] + fresh * up;
        p[i] -= rate * (nesterov ? up + kept * v[i] : v[i]);
    }
}


/* running means m of g and v of g^2; p -= lr m / (sqrt(v) + eps), both freed of their start at 0;
 * where there is `most`, the largest v that there has been, that instead of v */
static inline void adam@(int n, real *restrict p, const real *restrict g, real *restrict m,
                         real *restrict v, real *restrict most, float *step, double lr,
                         double beta1, double beta2, double eps, double decay, int decoupled,
                         int maximize)
{
    const double t = *step += 1;
    const real rate = (real)(lr / (1 - pow(beta1, t))), scale = (real)(1 / sqrt(1 - pow(beta2, t)));
    const real b1 = (real)beta1, fresh1 = (real)(1 - beta1), b2 = (real)beta2;
    const real fresh2 = (real)(1 - beta2), penalty = decoupled ? 0 : (real)decay;
    const real keep = decoupled ? (real)(1 - lr * decay) : 1, way = maximize ? -1 : 1;
    for (int i = 0; i < n; i++) {
        const real up = way * g[i] + penalty * p[i], change = up - m[i];
        m[i] = fresh1 < (real)0.5 ? m[i] + fresh1 * change : up - b1 * change;
        v[i] = b2 * v[i] + fresh2 * up * up;
        if (most)
            most[i] = most[i] >= v[i] || most[i] != most[i] ? most[i] : v[i];
        p[i] = keep * p[i] - rate * m[i] / (sqrt@(most ? most[i] : v[i]) * scale + (real)eps);
    }
}


/* running means s of g^2 and a of the squared changes; p -= lr sqrt(a + eps) / sqrt(s + eps) g */
static inline void adadelta@(int n, real *restrict p, const real *restrict g, real *restrict s,
                             real *restrict a, float *step, double lr, double rho, double eps,
                             double decay, int maximize)
{
    const real rate = (real)lr, kept = (real)rho, fresh = (real)(1 - rho), least = (real)eps;
    const real penalty = (real)decay, way = maximize ? -1 : 1;
    *step += 1;
    for (int i = 0; i < n; i++) {
        const real up = way * g[i] + penalty * p[i];
        s[i] = kept * s[i] + fresh * up * up;
        const real change = sqrt@(a[i] + least) / sqrt@(s[i] + least) * up;
        a[i] = kept * a[i] + fresh * change * change;
        p[i] -= rate * change;
    }
}


/* the running mean s of g^2; p -= lr g / (sqrt(s) + eps), or by way of momentum's v; where there is
 * a running mean m of g, s - m^2 instead of s */
static inline void rmsprop@(int n, real *restrict p, const real *restrict g, real *restrict s,
                            real *restrict m, real *restrict v, float *step, double lr,
                            double alpha, double eps, double decay, double momentum, int maximize)
{
    const real rate = (real)lr, kept = (real)alpha, fresh = (real)(1 - alpha);
    const real penalty = (real)decay, held = (real)momentum, way = maximize ? -1 : 1;
    *step += 1;
    for (int i = 0; i < n; i++) {
        const real up = way * g[i] + penalty * p[i];
        real square = s[i] = kept * s[i] + fresh * up * up;
        if (m) {
            m[i] += fresh * (up - m[i]);
            square -= m[i] * m[i];
        }
        const real change = up / (sqrt@(square) + (real)eps);
        if (v)
            v[i] = held * v[i] + change;
        p[i] -= rate * (v ? v[i] : change);
    }
}


/* the sum s of g^2; p -= lr g / (sqrt(s) + eps), with a rate that decays */
static inline void adagrad@(int n, real *restrict p, const real *restrict g, real *restrict s,
                            float *step, double lr, double slower, double eps, double decay,
                            int maximize)
{
    *step += 1;
    const real rate = (real)(lr / (1 + (*step - 1.0) * slower)), penalty = (real)decay;
    const real way = maximize ? -1 : 1;
    for (int i = 0; i < n; i++) {
        const real up = way * g[i] + penalty * p[i];
        s[i] += up * up;
        p[i] -= rate * up / (sqrt@(s[i]) + (real)eps);
    }
}


/* the running mean m of g, and the largest u that g has been, which decays; p -= lr m / u */
static inline void adamax@(int n, real *restrict p, const real *restrict g, float *step,
                           real *restrict m, real *restrict u, double lr, double beta1,
                           double beta2, double eps, double decay)
{
    const double t = *step += 1;
    const real rate = (real)(lr / (1 - pow(beta1, t))), fresh = (real)(1 - beta1);
    const real kept = (real)beta2, least = (real)eps, penalty = (real)decay;
    for (int i = 0; i < n; i++) {
        const real up = g[i] + penalty * p[i];
        m[i] += fresh * (up - m[i]);
        u[i] = maximum@(kept * u[i], fabs@(up) + least);
        p[i] -= rate * m[i] / u[i];
    }
}


/* adam, whose step looks ahead: by a part of g, and by one of m; `product` is that of momenta */
static inline void nadam@(int n, real *restrict p, const real *restrict g, float *step,
                          float *product, real *restrict m, real *restrict v, double lr,
                          double beta1, double beta2, double eps, double decay, double slower,
                          int decoupled)
{
    const double t = *step += 1, now = beta1 * (1 - 0.5 * pow(0.96, t * slower));
    const double next = beta1 * (1 - 0.5 * pow(0.96, (t + 1) * slower));
    *product *= (float)now;
    const real of_g = (real)(lr * (1 - now) / (1 - (double)*product));
    const real of_m = (real)(lr * next / (1 - *product * next));
    const real fresh1 = (real)(1 - beta1), kept = (real)beta2, fresh2 = (real)(1 - beta2);
    const real unbiased = (real)(1 - pow(beta2, t)), penalty = decoupled ? 0 : (real)decay;
    const real keep = decoupled ? (real)(1 - lr * decay) : 1;
    for (int i = 0; i < n; i++) {
        const real up = g[i] + penalty * p[i];
        m[i] += fresh1 * (up - m[i]);
        v[i] = kept * v[i] + fresh2 * up * up;
        p[i] = keep * p[i] - (of_g * up + of_m * m[i]) / (sqrt@(v[i] / unbiased) + (real)eps);
    }
}


/* adam, whose v counts from when enough steps have been seen, as much as its variance allows */
static inline void radam@(int n, real *restrict p, const real *restrict g, float *step,
                          real *restrict m, real *restrict v, double lr, double beta1,
                          double beta2, double eps, double decay, int decoupled)
{
    const double t = *step += 1, unbiased = 1 - pow(beta2, t), most = 2 / (1 - beta2) - 1;
    const double rho = most - 2 * t * pow(beta2, t) / unbiased;
    const double part = (rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho);
    const real trust = rho > 5 ? (real)sqrt(part * unbiased) : 0;
    const real rate = (real)(lr / (1 - pow(beta1, t)));
    const real keep = decoupled ? (real)(1 - lr * decay) : 1;
    const real fresh1 = (real)(1 - beta1), kept = (real)beta2, fresh2 = (real)(1 - beta2);
    const real penalty = decoupled ? 0 : (real)decay;
    for (int i = 0; i < n; i++) {
        const real up = g[i] + penalty * p[i];
        m[i] += fresh1 * (up - m[i]);
        v[i] = kept * v[i] + fresh2 * up * up;
        const real scale = rho > 5 ? trust / (sqrt@(v[i]) + (real)eps) : 1;
        p[i] = keep * p[i] - rate * m[i] * scale;
    }
}


/* p -= eta g, with a rate that decays, and the average of p from step `begin` on */
static inline void asgd@(int n, real *restrict p, const real *restrict g, float *step, float *eta,
                         float *mu, real *restrict average, double lr, double lambda, double alpha,
                         double begin, double decay)
{
    const double t = *step += 1;
    const real rate = (real)*eta, keep = (real)(1 - lambda * *eta), part = (real)*mu;
    for (int i = 0; i < n; i++) {
        p[i] = keep * p[i] - rate * (g[i] + (real)decay * p[i]);
        average[i] = part == 1 ? p[i] : average[i] + (p[i] - average[i]) * part;
    }
    *eta = (float)(lr / pow(1 + lambda * lr * t, alpha));
    *mu = (float)(t - begin > 1 ? 1 / (t - begin) : 1);
}


/* a step of its own size for each number: larger while g keeps its sign, smaller where it turns,
 * where the number waits for once */
static inline void rprop@(int n, real *restrict p, const real *restrict g, float *step,
                          real *restrict before, real *restrict size, double shrink, double grow,
                          double smallest, double largest)
{
    const real least = (real)smallest, most = (real)largest;
    *step += 1;
    for (int i = 0; i < n; i++) {
        const real agree = g[i] * before[i];
        const real factor = agree > 0 ? (real)grow : agree < 0 ? (real)shrink : 1 + agree;
        const real grown = size[i] * factor;
        size[i] = grown < least ? least : grown > most ? most : grown;
        before[i] = agree < 0 ? 0 : g[i];
        p[i] -= sign@(before[i]) * size[i];
    }
}


/* the root of the sum of the squares of all arrays */
static inline void total_norm@(int count, const real *const *arrays, const int *sizes, real *out)
{
    double total = 0;
    for (int k = 0; k < count; k++)
        ADDED_UP for (int i = 0; i < sizes[k]; i++)
            total += (double)arrays[k][i] * arrays[k][i];
    *out = (real)sqrt(total);
}


static inline void scale_by@(int n, real *x, const real *factor)
{
    for (int i = 0; i < n; i++)
        x[i] *= *factor;
}


/* running means of g^2, of matrices as a row and a column each, of a vector as `variance`; a change
 * g / sqrt(mean) whose root mean square is at most `most`, as a part of that of p */
static inline void adafactor@(int matrices, int rows, int columns, real *restrict p,
                              const real *restrict g, float *step, real *restrict row,
                              real *restrict column, real *restrict variance,
                              real *restrict change, double lr, double power, double most,
                              double decay, double least, double eps)
{
    const int size = rows * columns, n = matrices * size;
    const double t = *step += 1;
    const real fresh = (real)pow(t, power);
    double squares = 0, moved = 0;
    for (int i = 0; i < n; i++)
        squares += (double)p[i] * p[i];
    for (int b = 0; b < matrices; b++) {
        double mean = 0;
        for (int i = 0; row && i < rows; i++) {
            double sum = 0;
            for (int j = 0; j < columns; j++)
                sum += g[b * size + i * columns + j] * g[b * size + i * columns + j];
            row[b * rows + i] += fresh * ((real)(sum / columns) - row[b * rows + i]);
            mean += row[b * rows + i] / rows;
        }
        for (int j = 0; row && j < columns; j++) {
            double sum = 0;
            for (int i = 0; i < rows; i++)
                sum += g[b * size + i * columns + j] * g[b * size + i * columns + j];
            column[b * columns + j] += fresh * ((real)(sum / rows) - column[b * columns + j]);
        }
        for (int m = 0; m < size; m++) {
            const int at = b * size + m;
            double v;
            if (row)
                v = (double)row[b * rows + m / columns] * column[b * columns + m % columns]
                    / fmax(mean, least);
            else
                v = variance[at] += fresh * (g[at] * g[at] - variance[at]);
            change[at] = (real)(g[at] / sqrt(fmax(v, least * least)));
            moved += (double)change[at] * change[at];
        }
    }
    const double length = fmax(eps, sqrt(squares / n)) * fmin(lr, 1 / sqrt(t));
    const real rate = (real)(length / fmax(1, sqrt(moved / n) / most));
    for (int i = 0; i < n; i++)
        p[i] = (real)(1 - lr * decay) * p[i] - rate * change[i];
}
