/* order.c - the best elements of rows, and the order of keys.
 *
 * Rows go to the threads as they are. One long row is cut into parts, whose own results are then
 * put together; parts depend on its length alone, and equal elements keep their order in it, so
 * that the result is the same with any number of threads. */

/* The places of the k largest (smallest) numbers of each row, the best first and equal ones in
 * their order. NaN is the largest. At most MOST_BEST, which are kept in order on the way. Most
 * numbers are worse than all of these, which is found out for BLOCK of them at a time. */
#define MOST_BEST 64
#define BLOCK 32
#define PART 16384 /* elements of a long row that are ordered by one thread */
struct NAME(best) {
    const real *x;
    int64_t *index;
    size_t n, k;
    int largest;
    size_t parts;  /* into which a row is cut, 1 of a short one */
    real *found;   /* the best numbers of each part, and their places in the row: */
    int64_t *where;
};

INLINE bool NAME(better_than)(real v, real w, int largest)
{
    return largest ? v > w || (v != v && w == w) : v < w || (w != w && v == v);
}

/* May one of BLOCK numbers be better than the last that is kept? Says yes where there is a NaN. */
INLINE bool NAME(any_better)(const real *row, real last, int largest)
{
    NAME(integer) any = 0;
    for (size_t j = 0; j < BLOCK; j++)
        any |= largest ? !(row[j] <= last) : !(row[j] >= last);
    return any;
}

static void NAME(best_of)(const real *row, size_t n, size_t k, int largest, real *value,
                          int64_t *place)
{
    size_t count = 0;
    for (size_t i = 0; i < n;) {
        if (count == k && i + BLOCK <= n && !NAME(any_better)(row + i, value[k - 1], largest)) {
            i += BLOCK;
            continue;
        }
        for (const size_t end = smaller(i + BLOCK, n); i < end; i++) {
            const real v = row[i];
            if (count == k && !NAME(better_than)(v, value[k - 1], largest))
                continue;
            size_t at = count < k ? count++ : k - 1;
            for (; at > 0 && NAME(better_than)(v, value[at - 1], largest); at--)
                value[at] = value[at - 1], place[at] = place[at - 1];
            value[at] = v, place[at] = (int64_t)i;
        }
    }
}

static void NAME(best_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(best) *t = task;
    real value[MOST_BEST];
    for (size_t r = begin; r < end; r++)
        NAME(best_of)(t->x + r * t->n, t->n, t->k, t->largest, value, t->index + r * t->k);
}

/* Parts of one row, each of at least k numbers. */
static void NAME(best_parts)(const void *task, size_t begin, size_t end)
{
    const struct NAME(best) *t = task;
    for (size_t p = begin; p < end; p++) {
        const size_t first = t->n * p / t->parts, last = t->n * (p + 1) / t->parts;
        int64_t *where = t->where + p * t->k;
        NAME(best_of)(t->x + first, last - first, t->k, t->largest, t->found + p * t->k, where);
        for (size_t i = 0; i < t->k; i++)
            where[i] += (int64_t)first;
    }
}

KERNEL(best)(size_t rows, size_t n, size_t k, int largest, ARRAY(const real, x, rows * n),
             ARRAY(int64_t, index, rows * k))
{
    struct NAME(best) task = {x, index, n, k, largest, n / PART, NULL, NULL};
    if (rows == 1 && task.parts > 1 && k > 0)
        task.where = take_scratch(task.parts * k * (sizeof(int64_t) + sizeof(real)));
    if (task.where == NULL) {
        if (k > 0)
            parallel_for(rows, grain_of(PIECE, (double)n), NAME(best_body), &task);
        return;
    }
    task.found = (real *)(task.where + task.parts * k);
    parallel_for(task.parts, 1, NAME(best_parts), &task);
    /* the best of the best; of equal ones those of earlier parts come first */
    real value[MOST_BEST];
    NAME(best_of)(task.found, task.parts * k, k, largest, value, index);
    for (size_t i = 0; i < k; i++)
        index[i] = task.where[index[i]];
    give_scratch(task.where);
}
#undef BLOCK

/* A whole number in the order of numbers, NaN the largest and -0 as 0: the bits of positive ones
 * are in their order, those of negative ones are turned around. */
INLINE NAME(integer) NAME(key_of)(real v)
{
    const NAME(integer) most = (NAME(integer))(sizeof(real) == 4 ? INT32_MAX : INT64_MAX);
    NAME(integer) bits;
    v += 0;
    memcpy(&bits, &v, sizeof bits);
    bits = bits < 0 ? bits ^ most : bits;
    return v != v ? most : bits;
}

/* The order of short rows, of at most MOST_RANKED numbers: equal ones keep theirs, NaN is the
 * largest. The rank of a number is how many come before it, and to count them takes comparisons of
 * each with each, but no branch: 16 at a time, which is faster than to sort up to some 50. */
#define MOST_RANKED 64
static void NAME(rank)(const NAME(integer) *restrict key, const size_t n,
                       NAME(integer) *restrict rank)
{
    for (size_t j = 0; j < n; j++)
        rank[j] = 0;
    for (size_t i = 0; i < n; i++) {
        const NAME(integer) own = key[i];
        for (size_t j = 0; j < n; j++) {
            const NAME(integer) later = (NAME(integer))j > (NAME(integer))i;
            rank[j] += (own < key[j]) | ((own == key[j]) & later);
        }
    }
}

struct NAME(ranking) {
    const real *x;
    int64_t *index;
    size_t n;
    bool descending;
};

static void NAME(ranked_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(ranking) *t = task;
    const NAME(integer) most = (NAME(integer))(sizeof(real) == 4 ? INT32_MAX : INT64_MAX);
    const size_t n = t->n, padded = n <= 16 ? 16 : n <= 32 ? 32 : MOST_RANKED;
    NAME(integer) key[MOST_RANKED], rank[MOST_RANKED];
    for (size_t j = n; j < padded; j++)
        key[j] = most;
    for (size_t r = begin; r < end; r++) {
        const real *row = t->x + r * n;
        int64_t *index = t->index + r * n;
        for (size_t j = 0; j < n; j++) {
            const NAME(integer) bits = NAME(key_of)(row[j]);
            key[j] = t->descending ? ~bits : bits;
        }
        if (padded == 16)
            NAME(rank)(key, 16, rank);
        else if (padded == 32)
            NAME(rank)(key, 32, rank);
        else
            NAME(rank)(key, MOST_RANKED, rank);
        for (size_t j = 0; j < n; j++)
            index[rank[j]] = (int64_t)j;
    }
}

KERNEL(ranked)(size_t rows, size_t n, int descending, ARRAY(const real, x, rows * n),
               ARRAY(int64_t, index, rows * n))
{
    const struct NAME(ranking) task = {x, index, n, descending};
    if (n > 0 && n <= MOST_RANKED)
        parallel_for(rows, grain_of(PIECE, (double)n * (double)n), NAME(ranked_body), &task);
}
#undef MOST_RANKED

/* For each row, the places of its keys in ascending order; equal keys keep theirs. Byte by byte
 * from the lowest, by counting (radix sort: Knuth, The Art of Computer Programming 3, section
 * 5.2.5); bytes in which all keys agree are left out. The parts of a row count their keys, and then
 * each knows where its own go: behind those of smaller bytes, and of equal ones in parts before. */
#define MOST_PARTS 16
struct NAME(ordering) {
    const int64_t *keys;
    int64_t *work, *order;
    size_t n, rows, each; /* a thread has `each` rows, and as much working memory as one takes */
};
struct NAME(row_order) {
    const int64_t *row;
    int64_t *key, *place, *next_key, *next_place;
    size_t n, parts;
    int shift;
    uint64_t sign, different[MOST_PARTS];
    size_t (*begin)[256]; /* of each part: how many of its keys have a byte; then, where they go */
};

static void NAME(order_begins)(const void *task, size_t begin, size_t end)
{
    struct NAME(row_order) *t = (struct NAME(row_order) *)task;
    for (size_t p = begin; p < end; p++) {
        const int64_t *restrict row = t->row, first = row[0];
        int64_t *restrict key = t->key, *restrict place = t->place;
        uint64_t different = 0;
        for (size_t i = t->n * p / t->parts, last = t->n * (p + 1) / t->parts; i < last; i++) {
            key[i] = row[i], place[i] = (int64_t)i;
            different |= (uint64_t)(row[i] ^ first);
        }
        t->different[p] = different;
    }
}

static void NAME(order_counts)(const void *task, size_t begin, size_t end)
{
    const struct NAME(row_order) *t = task;
    const int shift = t->shift;
    const uint64_t sign = t->sign;
    for (size_t p = begin; p < end; p++) {
        size_t *restrict count = t->begin[p];
        const int64_t *restrict key = t->key;
        memset(count, 0, sizeof t->begin[p]);
        for (size_t i = t->n * p / t->parts, last = t->n * (p + 1) / t->parts; i < last; i++)
            count[((uint64_t)key[i] >> shift & 255) ^ sign]++;
    }
}

static void NAME(order_moves)(const void *task, size_t begin, size_t end)
{
    const struct NAME(row_order) *t = task;
    const int shift = t->shift;
    const uint64_t sign = t->sign;
    for (size_t p = begin; p < end; p++) {
        size_t *restrict next = t->begin[p];
        const int64_t *restrict key = t->key, *restrict place = t->place;
        int64_t *restrict next_key = t->next_key, *restrict next_place = t->next_place;
        for (size_t i = t->n * p / t->parts, last = t->n * (p + 1) / t->parts; i < last; i++) {
            const size_t to = next[((uint64_t)key[i] >> shift & 255) ^ sign]++;
            next_key[to] = key[i], next_place[to] = place[i];
        }
    }
}

static void NAME(order_row)(const int64_t *row, size_t n, int64_t *work, int64_t *order)
{
    size_t counts[MOST_PARTS][256];
    struct NAME(row_order) t = {
        .row = row, .key = work, .place = order, .next_key = work + n, .next_place = work + 2 * n,
        .n = n, .parts = larger(smaller(n / PART, MOST_PARTS), 1), .begin = counts};
    uint64_t different = 0;
    parallel_for(t.parts, 1, NAME(order_begins), &t);
    for (size_t p = 0; p < t.parts; p++)
        different |= t.different[p];
    for (t.shift = 0; t.shift < 64; t.shift += 8) {
        if ((different >> t.shift & 255) == 0)
            continue;
        t.sign = t.shift == 56 ? 128 : 0; /* negative keys come first */
        parallel_for(t.parts, 1, NAME(order_counts), &t);
        size_t before = 0;
        for (size_t b = 0; b < 256; b++)
            for (size_t p = 0; p < t.parts; p++) {
                const size_t count = counts[p][b];
                counts[p][b] = before, before += count;
            }
        parallel_for(t.parts, 1, NAME(order_moves), &t);
        int64_t *key = t.key, *place = t.place;
        t.key = t.next_key, t.next_key = key;
        t.place = t.next_place, t.next_place = place;
    }
    if (t.place != order)
        memcpy(order, t.place, n * sizeof(int64_t));
}

static void NAME(order_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(ordering) *t = task;
    const size_t n = t->n;
    for (size_t u = begin; u < end; u++)
        for (size_t r = u * t->each; r < smaller((u + 1) * t->each, t->rows); r++)
            NAME(order_row)(t->keys + r * n, n, t->work + 3 * n * u, t->order + r * n);
}

/* `parts` of the rows at once, each with working memory of its own; a single one's row may have
 * all threads. */
KERNEL(key_order)(size_t rows, size_t n, size_t parts, ARRAY(const int64_t, keys, rows * n),
                  ARRAY(int64_t, work, 3 * n * parts), ARRAY(int64_t, order, rows * n))
{
    const struct NAME(ordering) task = {keys, work, order, n, rows, pieces(rows, larger(parts, 1))};
    if (n > 0)
        parallel_for(parts, 1, NAME(order_body), &task);
}
/* The place of the k-th smallest number of a row; of equal ones, that of the one that a stable
 * order would have there. Digit by digit from the highest: the numbers that begin as the wanted one
 * does are counted by their next digit. No number is moved, and the parts of a row count their
 * own. */
#define DIGIT 11      /* bits */
#define SHORT_DIGIT 6 /* of rows of less than FEW_NUMBERS, for which 2048 counters are many */
#define FEW_NUMBERS 512
struct NAME(selection) {
    const real *row;
    size_t n, parts;
    int shift, bits;             /* the digit that is counted ... */
    uint64_t known;              /* ... of numbers that have these digits above it */
    size_t (*count)[1 << DIGIT]; /* by part and digit */
};

/* The bits of a key, as an unsigned number in the same order. */
INLINE uint64_t NAME(digits_of)(real v)
{
    const uint64_t sign = (uint64_t)1 << (8 * sizeof(real) - 1);
    return ((uint64_t)NAME(key_of)(v) & (sign | (sign - 1))) ^ sign;
}

static void NAME(count_digits)(const void *task, size_t begin, size_t end)
{
    const struct NAME(selection) *t = task;
    const real *restrict row = t->row;
    const int shift = t->shift, bits = t->bits;
    const uint64_t mask = ((uint64_t)1 << bits) - 1, known = t->known;
    for (size_t p = begin; p < end; p++) {
        size_t *restrict count = t->count[p];
        memset(count, 0, sizeof *count << bits);
        for (size_t i = t->n * p / t->parts, last = t->n * (p + 1) / t->parts; i < last; i++) {
            const uint64_t digits = NAME(digits_of)(row[i]) >> shift;
            if (digits >> bits == known)
                count[digits & mask]++;
        }
    }
}

static int64_t NAME(nth_of)(const real *row, size_t n, size_t k, size_t parts,
                            size_t (*count)[1 << DIGIT])
{
    struct NAME(selection) t = {.row = row, .n = n, .parts = parts, .count = count};
    const int most = n >= FEW_NUMBERS ? DIGIT : SHORT_DIGIT;
    for (int above = 8 * sizeof(real); above > 0; above = t.shift) {
        t.bits = above < most ? above : most, t.shift = above - t.bits;
        parallel_for(parts, 1, NAME(count_digits), &t);
        for (uint64_t digit = 0;; digit++) {
            size_t all = 0;
            for (size_t p = 0; p < parts; p++)
                all += count[p][digit];
            if (k < all) {
                t.known = t.known << t.bits | digit;
                break;
            }
            k -= all;
        }
    }
    for (size_t i = 0; i < n; i++)
        if (NAME(digits_of)(row[i]) == t.known && k-- == 0)
            return (int64_t)i;
    return 0;
}

struct NAME(nth) {
    const real *x;
    int64_t *index;
    size_t n, k;
};
static void NAME(nth_body)(const void *task, size_t begin, size_t end)
{
    const struct NAME(nth) *t = task;
    size_t count[1][1 << DIGIT];
    for (size_t r = begin; r < end; r++)
        t->index[r] = NAME(nth_of)(t->x + r * t->n, t->n, t->k, 1, count);
}

/* k < n */
KERNEL(nth)(size_t rows, size_t n, size_t k, ARRAY(const real, x, rows * n),
            ARRAY(int64_t, index, rows))
{
    const struct NAME(nth) task = {x, index, n, k};
    const size_t parts = smaller(n / PART, MOST_PARTS);
    size_t(*count)[1 << DIGIT] = NULL;
    if (k >= n)
        return;
    if (rows == 1 && parts > 1)
        count = take_scratch(parts * sizeof *count);
    if (count == NULL)
        parallel_for(rows, grain_of(PIECE / 4, (double)n), NAME(nth_body), &task);
    else
        index[0] = NAME(nth_of)(x, n, k, parts, count);
    give_scratch(count);
}
#undef DIGIT
#undef SHORT_DIGIT
#undef FEW_NUMBERS
#undef MOST_BEST
#undef MOST_PARTS
#undef PART
