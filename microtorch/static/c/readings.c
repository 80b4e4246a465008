/* readings.c - connectionist temporal classification (read by functions.py; ops/ctc.py says what it
 * computes): of each sequence the labels with blanks around each are its states */


static inline long long label_of(const long long *restrict targets, int blank, int s)
{
    return s % 2 ? targets[s / 2] : blank;
}


/* may s + 2 follow s? A label, if it is another one */
static inline int may_skip(const long long *restrict targets, int s)
{
    return s % 2 && targets[s / 2] != targets[s / 2 + 1];
}


static inline real log_sum@(real x, real y, real z)
{
    const real larger = x > y ? x : y, most = larger > z ? larger : z;
    if (most == -INFINITY)
        return most;
    return most + log@(exp@(x - most) + exp@(y - most) + exp@(z - most));
}


/* alpha (steps, states): the sums over what may have come before, each frame included; and the
 * loss. lp begins at the sequence; frames lie `row` apart. */
static inline real readings_before@(int steps, int row, int states, int blank, long long size,
                                    const real *restrict lp, const long long *restrict targets,
                                    real *restrict alpha)
{
    for (int t = 0; t < steps; t++)
        for (int s = 0; s < states; s++) {
            const real *last = alpha + (t - 1) * states + s;
            const int skips = s > 1 && may_skip(targets, s - 2);
            real before = s == 0 || (s == 1 && size > 0) ? 0 : -INFINITY;
            if (t > 0)
                before = log_sum@(last[0], s > 0 ? last[-1] : -INFINITY,
                                  skips ? last[-2] : -INFINITY);
            alpha[t * states + s] = lp[t * row + label_of(targets, blank, s)] + before;
        }
    if (steps == 0)
        return size == 0 ? 0 : INFINITY;
    const real *end = alpha + (steps - 1) * states + 2 * size;
    return -log_sum@(end[0], size > 0 ? end[-1] : -INFINITY, -INFINITY);
}


/* beta: the same from the end */
static inline void readings_after@(int steps, int row, int states, int blank, long long size,
                                   const real *restrict lp, const long long *restrict targets,
                                   real *restrict beta)
{
    for (int t = steps - 1; t >= 0; t--)
        for (int s = 0; s < states; s++) {
            const real *next = beta + (t + 1) * states + s;
            const int skips = s + 2 < states && may_skip(targets, s);
            real after = s == 2 * size || (size > 0 && s == 2 * size - 1) ? 0 : -INFINITY;
            if (t + 1 < steps)
                after = log_sum@(next[0], s + 1 < states ? next[1] : -INFINITY,
                                 skips ? next[2] : -INFINITY);
            beta[t * states + s] = lp[t * row + label_of(targets, blank, s)] + after;
        }
}


/* the loss of each of n sequences, of lp (steps, n, classes) */
static inline void ctc_loss@(int n, int classes, int labels, int blank, int zero_infinity,
                             const real *restrict lp, const long long *restrict targets,
                             const long long *restrict lengths, const long long *restrict sizes,
                             real *restrict alpha, real *restrict out)
{
    for (int b = 0; b < n; b++) {
        out[b] = readings_before@((int)lengths[b], n * classes, 2 * labels + 1, blank, sizes[b],
                                  lp + b * classes, targets + b * labels, alpha);
        if (zero_infinity && isinf(out[b]))
            out[b] = 0;
    }
}


/* its gradient, for numbers of which lp is the log_softmax; 0 beyond the end of a sequence */
static inline void ctc_gradient@(int steps, int n, int classes, int labels, int blank,
                                 int zero_infinity, const real *restrict g,
                                 const real *restrict lp, const long long *restrict targets,
                                 const long long *restrict lengths,
                                 const long long *restrict sizes, real *restrict alpha,
                                 real *restrict beta, real *restrict out)
{
    const int states = 2 * labels + 1, row = n * classes;
    for (int i = 0; i < steps * row; i++)
        out[i] = 0;
    for (int b = 0; b < n; b++, lp += classes, out += classes, targets += labels) {
        const int length = (int)lengths[b];
        const real loss =
            readings_before@(length, row, states, blank, sizes[b], lp, targets, alpha);
        readings_after@(length, row, states, blank, sizes[b], lp, targets, beta);
        for (int t = 0; t < length; t++) {
            real *to = out + t * row;
            const real *from = lp + t * row;
            for (int c = 0; c < classes; c++)
                to[c] = !isinf(loss) ? exp@(from[c]) : zero_infinity ? 0 : NAN;
            for (int s = 0; s < states && !isinf(loss); s++) {
                const long long c = label_of(targets, blank, s);
                to[c] -= exp@(alpha[t * states + s] + beta[t * states + s] - from[c] + loss);
            }
            for (int c = 0; c < classes; c++)
                to[c] *= isinf(loss) && zero_infinity ? 0 : g[b];
        }
    }
}


/* labels (n, labels), `blank` beyond the end of each, of targets in rows, or of all of them one
 * after the other (row: 0); and what a mean divides by. Returns 0 if a number does not fit. */
static inline int ctc_operands@(int steps, int n, int classes, int row, int all, int labels,
                                int blank, const long long *restrict targets,
                                const long long *restrict lengths,
                                const long long *restrict sizes, long long *restrict out,
                                real *restrict share)
{
    long long most = 0, total = 0;
    for (int b = 0; b < n; b++) {
        if (lengths[b] < 0 || lengths[b] > steps || sizes[b] < 0 || sizes[b] > labels)
            return 0;
        most = sizes[b] > most ? sizes[b] : most;
        for (int s = 0; s < labels; s++) {
            const long long at = (row ? b * row : total) + s;
            out[b * labels + s] = blank;
            if (s < sizes[b] && at < all)
                out[b * labels + s] = targets[at];
            if (out[b * labels + s] < 0 || out[b * labels + s] >= classes)
                return 0;
        }
        total += sizes[b];
        share[b] = (real)(sizes[b] > 1 ? sizes[b] : 1);
    }
    return most == labels && (row ? labels <= row : total == all || n == 1);
}
