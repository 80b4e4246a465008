/* calls.h - every kernel as a function of CPython's shortest kind (METH_FASTCALL).
 *
 * cffi makes a function of each prototype below, too, and a call of it takes 0.2 us: it converts
 * arguments through a table of types, and lets other threads of Python run however short the kernel
 * is. This takes 0.05 us. Numbers are converted here, and an array (or a tuple of arrays) is passed
 * as the object that it is; None is 0. The result is True, or False where the kernel declines.
 *
 * Kernels of one prototype share what converts their arguments, a `caller`. build_core.py generates
 * these, and the table of all kernels, behind this text. */
#ifndef MICROTORCH_CALLS_H
#define MICROTORCH_CALLS_H

#include "arrays.h"

#ifndef METH_FASTCALL /* in the stable ABI since Python 3.10; cffi asks for an older one's names */
#define METH_FASTCALL 0x0080
#endif

#define MOST_WAITED_FOR 4096 /* elements of an array, for which other threads of Python wait */

typedef void (*function)(void);

struct callable {
    PyMethodDef method; /* its name is the kernel's, its object one of these */
    function kernel;
    int (*caller)(function kernel, PyObject *const *given); /* -1: an exception is set */
    int count; /* of arguments */
};

static inline size_t size_t_in(PyObject *x)
{
    const long long n = PyLong_AsLongLong(x);
    if (n < 0 && !PyErr_Occurred())
        PyErr_SetString(PyExc_OverflowError, "a size of a kernel may not be negative");
    return (size_t)n;
}
static inline int64_t int64_t_in(PyObject *x) { return PyLong_AsLongLong(x); }
static inline int int_in(PyObject *x) { return (int)PyLong_AsLong(x); }
static inline uint32_t uint32_t_in(PyObject *x) { return (uint32_t)size_t_in(x); }
static inline bool bool_in(PyObject *x) { return PyObject_IsTrue(x) == 1; }
static inline double double_in(PyObject *x) { return PyFloat_AsDouble(x); }

/* An array's address, 0 for None. `many`: may the kernel take long? A list, and what numpy makes an
 * array of, such as its scalars and arrays of a subclass, go on to the kernel, which declines them.
 * All else is a mistake of the caller's, such as an address where the array belongs: if it were
 * declined, numpy would be used in silence. */
static inline uintptr_t array_in(PyObject *x, bool *many)
{
    const uintptr_t type = type_of((uintptr_t)x);
    if (type == layout.array_type)
        *many |= elements((const struct array *)((uintptr_t)x + layout.header)) > MOST_WAITED_FOR;
    else if (x == Py_None)
        return 0;
    else {
        *many = true; /* nobody counts the elements of a tuple's arrays */
        if (type != layout.tuple_type && !PyList_Check(x) && !PyErr_Occurred() &&
            !PyObject_HasAttrString(x, "__array__"))
            PyErr_Format(PyExc_TypeError, "a kernel takes arrays, but got %R", (PyObject *)type);
    }
    return (uintptr_t)x;
}

static PyObject *call_kernel(PyObject *self, PyObject *const *given, Py_ssize_t count)
{
    const struct callable *c = PyCapsule_GetPointer(self, NULL);
    if (count != c->count)
        return PyErr_Format(PyExc_TypeError, "%s() takes %d arguments, but got %zd",
                            c->method.ml_name, c->count, count);
    const int done = c->caller(c->kernel, given);
    return done < 0 ? NULL : PyBool_FromLong(done);
}

#define CALLABLE(name, caller, count)                                                             \
    {{#name, (PyCFunction)(function)call_kernel, METH_FASTCALL, NULL},                            \
     (function)name, caller, count}

/* Append to a list the function of one kernel; nothing if there is no memory. */
static void add_callable(uintptr_t list, struct callable *c)
{
    const PyGILState_STATE lock = PyGILState_Ensure();
    PyObject *capsule = PyCapsule_New(c, NULL, NULL);
    PyObject *made = capsule ? PyCFunction_NewEx(&c->method, capsule, NULL) : NULL;
    if (made != NULL)
        PyList_Append((PyObject *)list, made);
    Py_DecRef(made);
    Py_DecRef(capsule);
    PyErr_Clear();
    PyGILState_Release(lock);
}

#endif
