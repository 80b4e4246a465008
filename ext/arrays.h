/* arrays.h - what Python's objects look like in memory, as far as the core reads them.
 *
 * Python passes the array (calls.h), or by way of cffi id(array), its address. To ask Python for
 * an array's pointer would cost more than the whole call of a small kernel (0.15 us an array);
 * reading it here costs nothing, and the checks cost little. The layout is numpy's documented C
 * interface (PyArrayObject, unchanged since 1.x), behind CPython's object header. set_layout()
 * receives the header's size and the types' addresses from Python, which then compares what
 * probe() reads with what numpy says. Where they differ the core is not used
 * (backends/core/library.py). */
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

enum { FLOAT32, FLOAT64, INT64, UINT8, BOOL, UINT32, UINT16, INT32, INT16, FLOAT16, BFLOAT16,
       DTYPES };
/* The most elements an array may have: its bytes, and what a kernel adds to an index, fit a
 * size_t. */
#define MOST_ELEMENTS 0x1p60
#define MOST_WALKED 32 /* dimensions of an elementwise kernel's result */
enum { CONTIGUOUS = 0x1, ALIGNED = 0x100, WRITEABLE = 0x400 }; /* numpy's NPY_ARRAY_* */

static struct {
    size_t header, tuple_header; /* bytes before an array's first field, a tuple's first item */
    uintptr_t array_type, tuple_type, dtypes[DTYPES];
    size_t sizes[DTYPES];
} layout;

/* The object's type; for the address 0, which is no object, 0, which is no type. */
static inline uintptr_t type_of(uintptr_t object)
{
    return object == 0 ? 0 : *(uintptr_t *)(object + layout.header - sizeof(void *));
}

static inline size_t elements(const struct array *a)
{
    size_t n = 1;
    for (int i = 0; i < a->ndim; i++)
        n *= (size_t)a->shape[i];
    return n;
}

/* The array at `object`; NULL unless it is one, contiguous, aligned, of this dtype and, if it will
 * be written, writable. */
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

/* The array at `object` as matrices, and its strides in elements. NULL unless it is an aligned
 * array of this dtype with the sizes {outer, inner, rows, columns}; the first two may be missing,
 * or 1, which repeats the matrix. */
static inline const struct array *matrix_at(uintptr_t object, int dtype, const size_t *sizes,
                                            struct strides *strides)
{
    const intptr_t bytes = (intptr_t)layout.sizes[dtype];
    if (type_of(object) != layout.array_type)
        return NULL;
    const struct array *a = (const struct array *)(object + layout.header);
    if ((uintptr_t)a->dtype != layout.dtypes[dtype] || !(a->flags & ALIGNED) || a->ndim < 2 ||
        a->ndim > 4)
        return NULL;
    ptrdiff_t found[4] = {0, 0, 0, 0};
    for (int i = 4 - a->ndim, j = 0; i < 4; i++, j++) {
        const bool repeated = i < 2 && a->shape[j] == 1;
        if ((!repeated && (size_t)a->shape[j] != sizes[i]) || a->strides[j] % bytes != 0)
            return NULL;
        found[i] = repeated ? 0 : a->strides[j] / bytes;
    }
    *strides = (struct strides){found[0], found[1], found[2], found[3]};
    return a;
}

/* Where the memory of an array begins, and how many bytes lie from there to the end of its last
 * element, for any strides. */
static inline const char *lowest(const struct array *a)
{
    const char *first = a->data;
    for (int i = 0; i < a->ndim; i++)
        if (a->strides[i] < 0)
            first += (a->shape[i] - 1) * a->strides[i];
    return first;
}
static inline size_t extent(const struct array *a, size_t bytes)
{
    if (elements(a) == 0)
        return 0;
    for (int i = 0; i < a->ndim; i++)
        bytes += (size_t)((a->shape[i] - 1) * (a->strides[i] < 0 ? -a->strides[i] : a->strides[i]));
    return bytes;
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

/* Would numpy lay the result out in C's order of dimensions? From each dimension it looks inwards,
 * to the first one where an operand tells which should be the inner one: if none goes further with
 * the outer one, the two change places. */
static bool in_order(int ndim, const ptrdiff_t (*strides)[MOST_WALKED], int count)
{
    for (int i = ndim - 2; i >= 0; i--) {
        bool with = false;
        for (int j = i + 1; j < ndim && !with; j++) {
            bool against = false;
            for (int k = 0; k < count; k++) {
                const ptrdiff_t a = strides[k][i], b = strides[k][j];
                const bool further = (a < 0 ? -a : a) < (b < 0 ? -b : b);
                against |= a != 0 && b != 0 && further;
                with |= a != 0 && b != 0 && !further;
            }
            if (against && !with)
                return false;
        }
    }
    return true;
}

/* Fill `walk` for operands that broadcast to `result`, which must have no gaps: it is contiguous,
 * and then numpy would lay it out so, too, or Python chose another order of its dimensions. False
 * where C declines. */
static bool walk_to(const struct array *result, const struct array *const *operands, int count,
                    struct walk *walk)
{
    ptrdiff_t strides[MOST_OPERANDS][MOST_WALKED], next = (ptrdiff_t)walk->bytes[count];
    int ndim = 0, axes[MOST_WALKED];
    if (result->ndim > MOST_WALKED)
        return false;
    for (int d = 0; d < result->ndim; d++)
        if (result->shape[d] != 1)
            axes[ndim++] = d;
    const bool contiguous = result->flags & CONTIGUOUS;
    for (int i = 1; i < ndim && !contiguous; i++) /* those that lie further apart come first */
        for (int j = i; j > 0 && result->strides[axes[j - 1]] < result->strides[axes[j]]; j--) {
            const int axis = axes[j];
            axes[j] = axes[j - 1], axes[j - 1] = axis;
        }
    for (int i = ndim; i-- > 0 && !contiguous; next *= result->shape[axes[i]])
        if (result->strides[axes[i]] != next)
            return false;
    for (int k = 0; k < count; k++) {
        const int before = result->ndim - operands[k]->ndim;
        if (before < 0)
            return false;
        for (int d = before; d < result->ndim; d++) /* dimensions of 1 in the result, too */
            if (operands[k]->shape[d - before] != result->shape[d] &&
                operands[k]->shape[d - before] != 1)
                return false;
        for (int i = 0; i < ndim; i++) {
            const int d = axes[i] - before;
            strides[k][i] = d < 0 || operands[k]->shape[d] == 1 ? 0 : operands[k]->strides[d];
        }
    }
    if (contiguous && !in_order(ndim, (const ptrdiff_t(*)[MOST_WALKED])strides, count))
        return false;
    walk->ndim = 0;
    for (int i = 0; i < ndim || i == 0; i++) {
        const size_t n = ndim ? (size_t)result->shape[axes[i]] : 1;
        int last = walk->ndim - 1;
        bool goes_on = last >= 0;
        for (int k = 0; k < count && goes_on; k++)
            goes_on = walk->strides[k][last] == strides[k][i] * (ptrdiff_t)n;
        if (!goes_on) {
            if (++last == MOST_DIMS)
                return false;
            walk->shape[last] = 1;
        }
        walk->ndim = last + 1, walk->shape[last] *= n;
        for (int k = 0; k < count; k++)
            walk->strides[k][last] = ndim ? strides[k][i] : 0;
    }
    return true;
}

/* No element of one lies in the other. */
static inline bool apart(const void *a, size_t bytes_a, const void *b, size_t bytes_b)
{
    return (const char *)a + bytes_a <= (const char *)b ||
           (const char *)b + bytes_b <= (const char *)a || bytes_a == 0 || bytes_b == 0;
}

/* The same elements, one by one. */
static bool same_place(const struct array *a, const struct array *b)
{
    bool same = a->data == b->data && same_shape(a, b);
    for (int i = 0; i < a->ndim && same; i++)
        same = a->strides[i] == b->strides[i] || a->shape[i] == 1;
    return same;
}

/* How the numbers of `a` are stored: as `dtype`, or in 16 bits in place of float. -1: neither. */
static int storage_of(const struct array *a, int dtype)
{
    const uintptr_t found = (uintptr_t)a->dtype;
    if (found == layout.dtypes[dtype] || (dtype == UINT8 && found == layout.dtypes[BOOL]))
        return AS_DECLARED;
    return dtype != FLOAT32                  ? -1
           : found == layout.dtypes[FLOAT16]  ? AS_FLOAT16
           : found == layout.dtypes[BFLOAT16] ? AS_BFLOAT16
                                              : -1;
}

/* The arrays of an elementwise kernel, the result last. `walk` is filled unless they are contiguous
 * and of one shape, none has 16 bits, and the result none of their places. A result of 16 bits has
 * an operand of 16 bits. */
enum { DECLINED, PLAIN, WALKED };
static int operands_at(int count, const uintptr_t *objects, const int *dtypes,
                       const struct array **arrays, struct walk *walk)
{
    bool plain = true;
    int with_16_bits = 0;
    for (int i = 0; i < count; i++) {
        if (type_of(objects[i]) != layout.array_type)
            return DECLINED;
        const struct array *a = arrays[i] = (const struct array *)(objects[i] + layout.header);
        const int storage = storage_of(a, dtypes[i]);
        const int needed = ALIGNED | (i == count - 1 ? WRITEABLE : 0);
        if (storage < 0 || (a->flags & needed) != needed)
            return DECLINED;
        plain = plain && a->flags & CONTIGUOUS && same_shape(arrays[0], a);
        with_16_bits += storage != AS_DECLARED;
        walk->storage[i] = (enum storage)storage;
        walk->bytes[i] = storage == AS_DECLARED ? layout.sizes[dtypes[i]] : sizeof(uint16_t);
    }
    const struct array *result = arrays[count - 1];
    walk->over = walk->plain = false;
    for (int i = 0; i < count - 1; i++) {
        const struct array *a = arrays[i];
        if (walk->bytes[i] == walk->bytes[count - 1] && same_place(a, result))
            walk->over = true, walk->plain = plain && with_16_bits == 0;
        else if (!apart(lowest(a), extent(a, walk->bytes[i]), lowest(result),
                   extent(result, walk->bytes[count - 1])))
            return DECLINED;
    }
    if (plain && with_16_bits == 0 && !walk->over)
        return PLAIN;
    if (walk->storage[count - 1] != AS_DECLARED && with_16_bits == 1)
        return DECLINED;
    return walk_to(result, arrays, count - 1, walk) ? WALKED : DECLINED;
}

static inline size_t tuple_length(uintptr_t object) { return *(size_t *)(object + layout.header); }
static inline uintptr_t tuple_item(uintptr_t object, size_t i)
{
    return ((uintptr_t *)(object + layout.tuple_header))[i];
}

static inline bool tuple_at(uintptr_t object, size_t count)
{
    return type_of(object) == layout.tuple_type && tuple_length(object) == count;
}

/* Collect data and sizes of the tuple's arrays; false unless array_at() accepts each of them. */
static inline bool arrays_at(uintptr_t object, size_t count, int dtype, bool written, void **data,
                             size_t *sizes)
{
    for (size_t i = 0; i < count; i++) {
        const struct array *a = array_at(tuple_item(object, i), dtype, written);
        if (a == NULL)
            return false;
        data[i] = a->data;
        sizes[i] = elements(a);
    }
    return true;
}

static void set_layout(size_t header, size_t tuple_header, uintptr_t array_type,
                       uintptr_t tuple_type, const uintptr_t *dtypes)
{
    layout.header = header, layout.tuple_header = tuple_header;
    layout.array_type = array_type, layout.tuple_type = tuple_type;
    const size_t sizes[DTYPES] = {4, 8, 8, 1, 1, 4, 2, 4, 2, 2, 2};
    for (int i = 0; i < BFLOAT16; i++)
        layout.dtypes[i] = dtypes[i], layout.sizes[i] = sizes[i];
}

/* numpy's type for bfloat16 is that of a library, which is imported when it is first asked for. */
static void know_bfloat16(uintptr_t dtype) { layout.dtypes[BFLOAT16] = dtype; }

/* data, flags, ndim, dtype; then shape and strides of an array with two dimensions */
static void probe(uintptr_t object, intptr_t *seen)
{
    const struct array *a = (const struct array *)(object + layout.header);
    seen[0] = (intptr_t)a->data, seen[1] = a->flags, seen[2] = a->ndim,
    seen[3] = (intptr_t)a->dtype;
    for (int i = 0; i < 2 && a->ndim == 2; i++)
        seen[4 + i] = a->shape[i], seen[6 + i] = a->strides[i];
}

#endif
