/* arrays.h - what Python's objects look like in memory, as far as the core reads them.
 *
 * Python passes id(array), the address of the object. To ask Python for an array's pointer costs more than the whole call of
 * a small kernel (0.15 us an array); reading it here costs nothing, and the checks cost little. The layout is numpy's
 * documented C interface (PyArrayObject, the same since 1.x), behind CPython's object header. set_layout() receives the
 * header's size and the types' addresses from Python, which then compares what probe() reads with what numpy says; where
 * they differ the core is not used (backends/core.py). */
#ifndef MICROTORCH_ARRAYS_H
#define MICROTORCH_ARRAYS_H

#include "core.h"

struct array {
    char *data;
    int ndim;
    const intptr_t *shape, *strides;
    void *base, *dtype;
    int flags;
};

enum { FLOAT32, FLOAT64, INT64, UINT8, BOOL, DTYPES };
enum { CONTIGUOUS = 0x1, ALIGNED = 0x100, WRITEABLE = 0x400 }; /* numpy's NPY_ARRAY_* */

static struct {
    size_t header, tuple_header; /* bytes before an array's first field, and before a tuple's first item */
    uintptr_t array_type, tuple_type, dtypes[DTYPES];
    size_t sizes[DTYPES];
} layout;

static inline uintptr_t type_of(uintptr_t object) { return *(uintptr_t *)(object + layout.header - sizeof(void *)); }

static inline size_t elements(const struct array *a)
{
    size_t n = 1;
    for (int i = 0; i < a->ndim; i++)
        n *= (size_t)a->shape[i];
    return n;
}

/* The array at `object`, or NULL unless it is one, contiguous, aligned, of this dtype and, if asked for, writable. */
static inline const struct array *array_at(uintptr_t object, int dtype, bool written)
{
    const int needed = CONTIGUOUS | ALIGNED | (written ? WRITEABLE : 0);
    if (type_of(object) != layout.array_type)
        return NULL;
    const struct array *a = (const struct array *)(object + layout.header);
    const bool dtype_fits = (uintptr_t)a->dtype == layout.dtypes[dtype] ||
                            (dtype == UINT8 && (uintptr_t)a->dtype == layout.dtypes[BOOL]);
    return dtype_fits && (a->flags & needed) == needed ? a : NULL;
}

static inline bool same_shape(const struct array *a, const struct array *b)
{
    if (a->ndim != b->ndim)
        return false;
    for (int i = 0; i < a->ndim; i++)
        if (a->shape[i] != b->shape[i])
            return false;
    return true;
}

/* No element of one lies in the other. */
static inline bool apart(const char *a, size_t bytes_a, const char *b, size_t bytes_b)
{
    return a + bytes_a <= b || b + bytes_b <= a || bytes_a == 0 || bytes_b == 0;
}

static inline size_t tuple_length(uintptr_t object) { return *(size_t *)(object + layout.header); }
static inline uintptr_t tuple_item(uintptr_t object, size_t i) { return ((uintptr_t *)(object + layout.tuple_header))[i]; }

/* Collect data and sizes of the tuple's arrays; false unless each is as array_at() wants it. */
static inline bool list_at(uintptr_t object, size_t count, int dtype, bool written, void **data, size_t *sizes)
{
    if (type_of(object) != layout.tuple_type || tuple_length(object) != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct array *a = array_at(tuple_item(object, i), dtype, written);
        if (a == NULL)
            return false;
        data[i] = a->data;
        sizes[i] = elements(a);
    }
    return true;
}

#endif
