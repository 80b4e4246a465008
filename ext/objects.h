/* objects.h - the objects around a result: a tensor and its node.
 *
 * Python's own way makes and reads a tuple of arguments, and then stores one attribute after the
 * other. Their classes keep them in slots, which are places in the object's memory. Where these
 * lie is found by looking for what was stored there (backends/core/library.py).
 * Each function here, and in tensors.h, stands for a text of Python, which says what it means and
 * serves where there is no core. */
#ifndef MICROTORCH_OBJECTS_H
#define MICROTORCH_OBJECTS_H

#include "direct.h"

/* ---- slots ----------------------------------------------------------------------------------- */
/* Where `value` is stored in an object of so many bytes; 0, where its header is, if not once. */
static size_t place_of(uintptr_t object, uintptr_t value, size_t bytes)
{
    size_t found = 0, times = 0;
    for (size_t at = layout.header; at + sizeof value <= bytes; at += sizeof value)
        if (*(uintptr_t *)(object + at) == value)
            found = at, times++;
    return times == 1 ? found : 0;
}

static inline PyObject *slot(PyObject *object, size_t place)
{
    return *(PyObject **)((char *)object + place);
}

static inline void put(PyObject *object, size_t place, PyObject *value)
{
    PyObject **at = (PyObject **)((char *)object + place), *before = *at;
    Py_IncRef(value);
    *at = value;
    Py_DecRef(before); /* NULL in a new object */
}

/* `x`, if it is an array and no more. */
static inline const struct array *plain_array(PyObject *x)
{
    return type_of((uintptr_t)x) == layout.array_type
               ? (const struct array *)((uintptr_t)x + layout.header) : NULL;
}

/* Attributes that are read or stored by name. A tensor's array is: while a function is recorded, a
 * property stands over that slot (static/recording.py). */
enum { ARRAY_NAME, OP_NAME, GRAD_NAME, NEEDS_NAME, NAMES };
static PyObject *names[NAMES];
static const char *const texts_of_names[NAMES] = {"array", "op", "grad", "needs"};

/* The truth of an attribute; -1: an exception is set. */
static int is_true(PyObject *x, PyObject *name)
{
    PyObject *value = x ? PyObject_GetAttr(x, name) : NULL;
    const int truth = value ? PyObject_IsTrue(value) : -1;
    Py_DecRef(value);
    return truth;
}

/* ---- results --------------------------------------------------------------------------------- */
/* object.__new__(type) at half of the time: no tuple of arguments is made and looked at. The caller
 * answers for the class: written in Python, without a `__new__` of its own or of a base. */
static PyObject *new_object(PyObject *self, PyObject *type)
{
    (void)self;
    if (PyType_Check(type) && (PyType_GetFlags((PyTypeObject *)type) & Py_TPFLAGS_HEAPTYPE))
        return PyType_GenericAlloc((PyTypeObject *)type, 0);
    PyErr_SetString(PyExc_TypeError, "new() takes a class that is written in Python");
    return NULL;
}

enum { TENSOR, CONSTANT, NODES, CLOCK, MADE_OF }; /* NODES: the class of all nodes; CLOCK: whose
                                                     next number dates one */
enum { NODE, ORIGIN, VALUE, DEV, SEQ, GRAD, HOOKS, STORAGE, INPUTS, SAVED, ATTRS, SCOPE, CODE,
       LASTI, PLACES };
static PyObject *made_of[MADE_OF];
static size_t places[PLACES];

/* A Tensor on an array with a new node, of which it fills what all nodes have. */
static PyObject *tensor_on(PyObject *array, PyObject *dev, PyObject *node_type)
{
    PyObject *seq = PyIter_Next(made_of[CLOCK]);
    PyObject *n = seq ? PyType_GenericAlloc((PyTypeObject *)node_type, 0) : NULL;
    PyObject *t = n ? PyType_GenericAlloc((PyTypeObject *)made_of[TENSOR], 0) : NULL;
    if (t != NULL && PyObject_SetAttr(t, names[ARRAY_NAME], array) < 0) {
        Py_DecRef(t);
        t = NULL;
    }
    if (t != NULL) {
        put(t, places[NODE], n), put(t, places[ORIGIN], Py_None);
        put(n, places[VALUE], array), put(n, places[DEV], dev), put(n, places[SEQ], seq);
        put(n, places[GRAD], Py_None), put(n, places[HOOKS], Py_None);
        put(n, places[STORAGE], Py_None);
    }
    Py_DecRef(n);
    Py_DecRef(seq);
    return t;
}

/* constant_of(array, dev): what engine/record.py says of it. */
static PyObject *constant_of(PyObject *self, PyObject *const *given, Py_ssize_t count)
{
    (void)self;
    if (count != 2)
        return PyErr_Format(PyExc_TypeError, "constant_of() takes 2 arguments, but got %zd", count);
    return tensor_on(given[0], given[1], made_of[CONSTANT]);
}

/* recorded_of(node_type, inputs, saved, array, dev, attrs, scope, code, lasti): likewise. */
static PyObject *recorded_of(PyObject *self, PyObject *const *given, Py_ssize_t count)
{
    (void)self;
    if (count != 9 || !PyType_Check(given[0]) ||
        !PyType_IsSubtype((PyTypeObject *)given[0], (PyTypeObject *)made_of[NODES])) {
        PyErr_SetString(PyExc_TypeError, "recorded_of() takes a class of nodes, and 8 more");
        return NULL;
    }
    PyObject *t = tensor_on(given[3], given[4], given[0]);
    if (t != NULL) {
        PyObject *n = slot(t, places[NODE]);
        put(n, places[INPUTS], given[1]), put(n, places[SAVED], given[2]);
        put(n, places[ATTRS], given[5]), put(n, places[SCOPE], given[6]);
        put(n, places[CODE], given[7]), put(n, places[LASTI], given[8]);
    }
    return t;
}

#endif
