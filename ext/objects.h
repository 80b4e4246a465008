/* objects.h - the objects around a result: tensors and nodes.
 *
 * Python's own way makes and reads a tuple of arguments, and then stores one attribute after the
 * other. Their classes keep them in slots, which are places in the object's memory. Where these
 * lie is found by looking for what was stored there (backends/core/library.py). */
#ifndef MICROTORCH_OBJECTS_H
#define MICROTORCH_OBJECTS_H

#include "direct.h"

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

/* Append that function to a list; nothing if there is no memory. */
static void add_new(uintptr_t list)
{
    static PyMethodDef method = {"new", new_object, METH_O, NULL};
    const PyGILState_STATE lock = PyGILState_Ensure();
    PyObject *function = PyCFunction_NewEx(&method, NULL, NULL);
    if (function != NULL)
        PyList_Append((PyObject *)list, function);
    Py_DecRef(function);
    PyErr_Clear();
    PyGILState_Release(lock);
}

/* Where `value` is stored in an object of so many bytes; 0, where its header is, if not once. */
static size_t place_of(uintptr_t object, uintptr_t value, size_t bytes)
{
    size_t found = 0, times = 0;
    for (size_t at = layout.header; at + sizeof value <= bytes; at += sizeof value)
        if (*(uintptr_t *)(object + at) == value)
            found = at, times++;
    return times == 1 ? found : 0;
}

/* Tensors on arrays through which no gradient flows. `places` are those of a tensor's node and
 * origin; then of a node's value, dev, seq, grad, hooks and storage. A tensor's array is stored by
 * its name: while a function is recorded, a property stands over that slot
 * (static/recording.py). */
enum { NODE_SLOT, ORIGIN_SLOT, VALUE_SLOT, DEV_SLOT, SEQ_SLOT, FIRST_NONE };
enum { SLOTS = FIRST_NONE + 3 };
static struct {
    PyTypeObject *tensor, *node;
    PyObject *clock, *array; /* whose next number dates a node; "array" */
    size_t places[SLOTS];
} constants;

static inline void put(PyObject *object, int slot, PyObject *value)
{
    Py_IncRef(value);
    *(PyObject **)((char *)object + constants.places[slot]) = value;
}

/* constant_of(array, dev): what engine/record.py says of it. Both objects are new, so no slot holds
 * anything yet. */
static PyObject *constant_of(PyObject *self, PyObject *const *given, Py_ssize_t count)
{
    (void)self;
    if (count != 2)
        return PyErr_Format(PyExc_TypeError, "constant_of() takes 2 arguments, but got %zd", count);
    PyObject *seq = PyIter_Next(constants.clock);
    PyObject *n = seq ? PyType_GenericAlloc(constants.node, 0) : NULL;
    PyObject *t = n ? PyType_GenericAlloc(constants.tensor, 0) : NULL;
    if (t != NULL && PyObject_SetAttr(t, constants.array, given[0]) < 0) {
        Py_DecRef(t);
        t = NULL;
    }
    if (t != NULL) {
        put(t, NODE_SLOT, n), put(t, ORIGIN_SLOT, Py_None);
        put(n, VALUE_SLOT, given[0]), put(n, DEV_SLOT, given[1]), put(n, SEQ_SLOT, seq);
        for (int slot = FIRST_NONE; slot < SLOTS; slot++)
            put(n, slot, Py_None);
    }
    Py_DecRef(n);
    Py_DecRef(seq);
    return t;
}

/* Append that function to a list, for objects of these classes, which live as long as Python does;
 * nothing if there is no memory. Later calls exchange the classes. */
static void add_constant_of(uintptr_t list, uintptr_t tensor, uintptr_t node, uintptr_t clock,
                            const size_t *places)
{
    static PyMethodDef method = {"constant_of", (PyCFunction)(void (*)(void))constant_of,
                                 METH_FASTCALL, NULL};
    const PyGILState_STATE lock = PyGILState_Ensure();
    Py_IncRef((PyObject *)tensor);
    Py_IncRef((PyObject *)node);
    Py_IncRef((PyObject *)clock);
    constants.tensor = (PyTypeObject *)tensor, constants.node = (PyTypeObject *)node;
    constants.clock = (PyObject *)clock, constants.array = PyUnicode_InternFromString("array");
    memcpy(constants.places, places, sizeof constants.places);
    PyObject *function = PyCFunction_NewEx(&method, NULL, NULL);
    if (function != NULL && constants.array != NULL)
        PyList_Append((PyObject *)list, function);
    Py_DecRef(function);
    PyErr_Clear();
    PyGILState_Release(lock);
}

#endif
