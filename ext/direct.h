/* direct.h - elementwise kernels with nothing between Python and C.
 *
 * A call by way of cffi takes 0.2 us, making the result's array in Python as long again, and
 * numpy's own call of `a + b` 0.3 us: ten times what a loop over a few elements takes. So an
 * elementwise kernel is also a function of CPython's shortest kind (METH_FASTCALL), which makes its
 * result.
 *
 * It takes what an op's kernel or derivative takes, and picks the arrays that the loop reads. What
 * is not as it expects (names, numbers, other dtypes, layouts that the loop declines) it hands to
 * `otherwise`, a function of Python with the same parameters, which is what the kernel means. */
#ifndef MICROTORCH_DIRECT_H
#define MICROTORCH_DIRECT_H

#include "calls.h"

#define MOST_READ (MOST_OPERANDS - 1)

struct direct {
    uintptr_t loop; /* the function that Python calls through cffi: addresses of arrays, then the
                       result's; 0 if it declines */
    PyObject *otherwise, *dtype;
    int given, count, places[MOST_READ]; /* how many parameters; which of them the loop reads */
    size_t many; /* for so many elements other threads of Python need not wait */
};

/* numpy's PyArray_NewFromDescr, number 94 in the table of its C interface */
static PyObject *(*new_array)(PyTypeObject *, void *dtype, int ndim, const intptr_t *shape,
                              const intptr_t *strides, void *data, int flags, PyObject *);

static PyObject *general(const struct direct *d, PyObject *const *given, Py_ssize_t count,
                         PyObject *names)
{
    const Py_ssize_t named = names ? PyTuple_Size(names) : 0;
    PyObject *by_position = PyTuple_New(count), *by_name = named ? PyDict_New() : NULL;
    PyObject *result = NULL;
    bool ready = by_position != NULL && (by_name != NULL || named == 0);
    for (Py_ssize_t i = 0; i < count && ready; i++) {
        Py_IncRef(given[i]);
        ready = PyTuple_SetItem(by_position, i, given[i]) == 0;
    }
    for (Py_ssize_t i = 0; i < named && ready; i++)
        ready = PyDict_SetItem(by_name, PyTuple_GetItem(names, i), given[count + i]) == 0;
    if (ready)
        result = PyObject_Call(d->otherwise, by_position, by_name);
    Py_DecRef(by_position);
    Py_DecRef(by_name);
    return result;
}

static int run_direct(const struct direct *d, const uintptr_t *x, uintptr_t result)
{
    typedef int (*one)(uintptr_t, uintptr_t);
    typedef int (*two)(uintptr_t, uintptr_t, uintptr_t);
    typedef int (*three)(uintptr_t, uintptr_t, uintptr_t, uintptr_t);
    typedef int (*four)(uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t);
    switch (d->count) {
    case 1:
        return ((one)d->loop)(x[0], result);
    case 2:
        return ((two)d->loop)(x[0], x[1], result);
    case 3:
        return ((three)d->loop)(x[0], x[1], x[2], result);
    default:
        return ((four)d->loop)(x[0], x[1], x[2], x[3], result);
    }
}

/* The shape to which `count` arrays broadcast, and how many elements it has; 0 if they do not. */
static size_t broadcast(const struct array *const *arrays, int count, int ndim, intptr_t *shape)
{
    size_t n = 1;
    for (int d = 0; d < ndim; d++) {
        shape[d] = 1;
        for (int i = 0; i < count; i++) {
            const int own = d - (ndim - arrays[i]->ndim);
            const intptr_t size = own < 0 ? 1 : arrays[i]->shape[own];
            if (size != 1 && shape[d] != 1 && size != shape[d])
                return 0;
            shape[d] = size == 1 ? shape[d] : size;
        }
        n *= (size_t)shape[d];
    }
    return n;
}

static PyObject *call_direct(PyObject *self, PyObject *const *given, Py_ssize_t count,
                             PyObject *names)
{
    const struct direct *d = PyCapsule_GetPointer(self, NULL);
    const struct array *arrays[MOST_READ];
    uintptr_t x[MOST_READ];
    int ndim = 0;
    bool fits = count == d->given && names == NULL, alike = true;
    for (int i = 0; i < d->count && fits; i++) {
        x[i] = (uintptr_t)given[d->places[i]];
        arrays[i] = (const struct array *)(x[i] + layout.header);
        fits = type_of(x[i]) == layout.array_type && arrays[i]->dtype == (void *)d->dtype;
        if (fits) {
            alike = alike && same_shape(arrays[0], arrays[i]);
            ndim = arrays[i]->ndim > ndim ? arrays[i]->ndim : ndim;
        }
    }
    if (!fits || ndim > MOST_WALKED)
        return general(d, given, count, names);
    intptr_t together[MOST_WALKED];
    const intptr_t *shape = alike ? arrays[0]->shape : together;
    const size_t n = alike ? elements(arrays[0]) : broadcast(arrays, d->count, ndim, together);
    if (n == 0)
        return general(d, given, count, names);
    Py_IncRef(d->dtype); /* which the next line takes */
    PyObject *result = new_array((PyTypeObject *)layout.array_type, d->dtype, ndim, shape, NULL,
                                 NULL, 0, NULL);
    if (result == NULL)
        return NULL;
    PyThreadState *state = n >= d->many ? PyEval_SaveThread() : NULL;
    const int done = run_direct(d, x, (uintptr_t)result);
    if (state != NULL)
        PyEval_RestoreThread(state);
    if (done)
        return result;
    Py_DecRef(result);
    return general(d, given, count, names);
}

static void forget_direct(PyObject *capsule)
{
    struct direct *d = PyCapsule_GetPointer(capsule, NULL);
    Py_DecRef(d->otherwise);
    Py_DecRef(d->dtype);
    free(d);
}

/* Append to a list the function that calls `loop`; nothing if there is no memory. `api`: numpy's
 * capsule, from which the table of its C interface is read. cffi calls without the interpreter's
 * lock, which is taken here. */
static void add_direct(uintptr_t list, uintptr_t api, uintptr_t loop, uintptr_t otherwise,
                       int dtype, int given, int count, const int *places, size_t many)
{
    static PyMethodDef method = {"kernel", (PyCFunction)(void (*)(void))call_direct,
                                 METH_FASTCALL | METH_KEYWORDS, NULL};
    struct direct *d = count <= MOST_READ ? malloc(sizeof *d) : NULL;
    if (d == NULL)
        return;
    const PyGILState_STATE lock = PyGILState_Ensure();
    void **table = PyCapsule_GetPointer((PyObject *)api, NULL);
    *(void **)&new_array = table[94];
    *d = (struct direct){loop, (PyObject *)otherwise, (PyObject *)layout.dtypes[dtype], given,
                         count, {0}, many};
    memcpy(d->places, places, (size_t)count * sizeof *places);
    PyObject *capsule = PyCapsule_New(d, NULL, forget_direct);
    if (capsule == NULL)
        free(d);
    else {
        Py_IncRef(d->otherwise);
        Py_IncRef(d->dtype);
        PyObject *function = PyCFunction_NewEx(&method, capsule, NULL);
        if (function != NULL)
            PyList_Append((PyObject *)list, function);
        Py_DecRef(function);
        Py_DecRef(capsule);
    }
    PyErr_Clear();
    PyGILState_Release(lock);
}

#endif
