/* ufuncs.h - numpy's own loops, on several threads.
 *
 * What has no kernel here, numpy computes: whole numbers, comparisons, functions of float64,
 * scipy's special functions. A ufunc's object holds a table with a loop for each combination of
 * types, as numpy's documentation of its C interface says (PyUFuncObject, unchanged since 1.x):
 *
 *     loop(args, dimensions, steps, data): for n elements, args[k] going on by steps[k] bytes
 *
 * Such a loop touches no Python object (those of the type `object` do, and are not called), so the
 * pool's threads each take a part of the elements. Operands may be of any layout in which numpy
 * would make one loop of rows that are not short. */
#ifndef MICROTORCH_UFUNCS_H
#define MICROTORCH_UFUNCS_H

#include "arrays.h"

struct ufunc { /* behind the object's header */
    int nin, nout, nargs, identity;
    void (**loops)(char **args, const intptr_t *dimensions, const intptr_t *steps, void *data);
    void *const *data;
    int ntypes;
};

struct ufunc_task {
    const struct ufunc *ufunc;
    int which, count; /* the loop's number, and that of the operands, the result included */
    char *base[MOST_OPERANDS];
    struct walk walk;
};

/* What a ufunc has: nin, nout and the number of its loops, to compare with what Python says. */
static void probe_ufunc(uintptr_t object, intptr_t *seen)
{
    const struct ufunc *u = (const struct ufunc *)(object + layout.header);
    seen[0] = u->nin, seen[1] = u->nout, seen[2] = u->ntypes;
}

static void ufunc_body(const void *task, size_t begin, size_t end)
{
    const struct ufunc_task *t = task;
    const struct walk *w = &t->walk;
    const int last = w->ndim - 1;
    const size_t row = w->shape[last];
    for (size_t n; begin < end; begin += n) {
        char *args[MOST_OPERANDS];
        intptr_t steps[MOST_OPERANDS];
        const size_t column = begin % row;
        n = smaller(row - column, end - begin);
        for (int k = 0; k < t->count; k++) {
            size_t left = begin / row;
            steps[k] = w->strides[k][last];
            args[k] = t->base[k] + (ptrdiff_t)column * steps[k];
            for (int d = last - 1; d >= 0; left /= w->shape[d--])
                args[k] += (ptrdiff_t)(left % w->shape[d]) * w->strides[k][d];
        }
        const intptr_t length = (intptr_t)n;
        t->ufunc->loops[t->which](args, &length, steps, t->ufunc->data[t->which]);
    }
}

enum { SHORT_LOOP = 256 }; /* elements of a row, for which a call costs little */

/* Run loop `which` of a ufunc for a tuple of arrays, the result last, whose elements have `bytes`.
 * 0 where the layout or the loop is none for this: then nothing is done. */
static int run_ufunc(uintptr_t object, int which, int count, const size_t *bytes, uintptr_t tuple,
                     size_t grain)
{
    struct ufunc_task task = {.ufunc = (const struct ufunc *)(object + layout.header),
                              .which = which, .count = count};
    const struct array *arrays[MOST_OPERANDS];
    if (count < 2 || count > MOST_OPERANDS || count != task.ufunc->nargs || task.ufunc->nout != 1 ||
        which >= task.ufunc->ntypes || !tuple_at(tuple, (size_t)count))
        return 0;
    for (int k = 0; k < count; k++) {
        const uintptr_t item = tuple_item(tuple, (size_t)k);
        if (type_of(item) != layout.array_type)
            return 0;
        const struct array *a = arrays[k] = (const struct array *)(item + layout.header);
        const int needed = ALIGNED | (k == count - 1 ? WRITEABLE : 0);
        if ((a->flags & needed) != needed)
            return 0;
        task.walk.bytes[k] = bytes[k], task.base[k] = a->data;
    }
    const struct array *result = arrays[count - 1];
    for (int k = 0; k < count - 1; k++)
        if (!apart(lowest(arrays[k]), extent(arrays[k], bytes[k]), lowest(result),
                   extent(result, bytes[count - 1])))
            return 0;
    /* the result goes along as an operand, so that it is walked, too */
    if (count == MOST_OPERANDS || !walk_to(result, arrays, count - 1, &task.walk))
        return 0;
    struct walk *w = &task.walk;
    for (int k = 0; k < count - 1; k++) /* numpy would go the other way, and may round otherwise */
        for (int d = 0; d < w->ndim; d++)
            if (w->strides[k][d] < 0)
                return 0;
    ptrdiff_t next = (ptrdiff_t)bytes[count - 1];
    for (int d = w->ndim; d-- > 0; next *= (ptrdiff_t)w->shape[d])
        w->strides[count - 1][d] = next;
    if (w->ndim > 1 && w->shape[w->ndim - 1] < SHORT_LOOP)
        return 0;
    parallel_for(elements(result), grain, ufunc_body, &task);
    return 1;
}

#endif
