/* tensors.h - what is found and noted of tensors: operands, writes, sizes; and members of modules.
 *
 * Each function stands for a text of Python, `written`. What it does not expect it hands to that
 * text. It counts references as CPython asks, and looks at the class of what it is given before it
 * reads a slot. */
#ifndef MICROTORCH_TENSORS_H
#define MICROTORCH_TENSORS_H

#include "views.h"

/* in the stable ABI since Python 3.10; cffi asks for an older one's names */
PyAPI_FUNC(PyObject *) PyObject_GenericGetDict(PyObject *, void *);

/* ---- operands -------------------------------------------------------------------------------- */
enum { OPERANDS_WRITTEN, OPERANDS_OF };
static PyObject *operands_by[OPERANDS_OF];

/* May a tensor on this node lie otherwise than row by row? */
static bool is_turned(PyObject *node)
{
    PyObject *storage = slot(node, places[STORAGE]);
    return storage && Py_TYPE(storage) == (PyTypeObject *)linked_by[SHARED] &&
           slot(storage, kept[TURNED]) == Py_True;
}

/* operands_of(tensors, recorded): what engine/short.py says of it. */
static PyObject *operands_of(PyObject *self, PyObject *const *given, Py_ssize_t count)
{
    (void)self;
    if (count != 2)
        return PyErr_Format(PyExc_TypeError, "operands_of() takes 2 arguments, but got %zd", count);
    const bool listed = PyList_CheckExact(given[0]);
    if (!listed && !PyTuple_CheckExact(given[0]))
        goto otherwise;
    const Py_ssize_t n = listed ? PyList_Size(given[0]) : PyTuple_Size(given[0]);
    PyObject *arrays = PyTuple_New(n), *nodes = PyTuple_New(n), *dev = NULL, *found = NULL;
    int needs = 0, ndim = -1;
    bool fits = arrays && nodes && n > 0, turned = false;
    for (Py_ssize_t i = 0; i < n && fits && needs >= 0; i++) {
        PyObject *x = listed ? PyList_GetItem(given[0], i) : PyTuple_GetItem(given[0], i);
        PyObject *node = x ? node_of(x) : NULL;
        PyObject *array = node ? PyObject_GetAttr(x, names[ARRAY_NAME]) : NULL;
        const struct array *a = array ? plain_array(array) : NULL;
        dev = node && i == 0 ? slot(node, places[DEV]) : dev;
        fits = array && dev && slot(node, places[DEV]) == dev;
        if (!fits) {
            Py_DecRef(array);
            break;
        }
        const int own = a && elements(a) > 0 ? a->ndim : -1;
        ndim = i == 0 || ndim == own ? own : -1;
        turned = turned || is_turned(node);
        Py_IncRef(node);
        PyTuple_SetItem(arrays, i, array);
        PyTuple_SetItem(nodes, i, node);
        const int asks = given[1] == Py_True ? is_true(node, names[NEEDS_NAME]) : 0;
        needs = asks < 0 ? -1 : needs | asks;
    }
    if (fits && needs >= 0)
        found = Py_BuildValue("OOOOOi", arrays, nodes, dev, needs ? Py_True : Py_False,
                              turned ? Py_True : Py_False, ndim);
    Py_DecRef(arrays);
    Py_DecRef(nodes);
    if (found != NULL || needs < 0)
        return found;
    PyErr_Clear();
otherwise:
    return PyObject_CallFunctionObjArgs(operands_by[OPERANDS_WRITTEN], given[0], given[1], NULL);
}

/* ---- writes ---------------------------------------------------------------------------------- */
enum { DATES, LAST_WRITE, TICKS, DATED_BY };
static PyObject *dated_by[DATED_BY];

/* Storage.wrote(writer): graph/clock.py. */
static PyObject *wrote(PyObject *self, PyObject *writer)
{
    PyObject *now = PyIter_Next(dated_by[TICKS]), *one = PyLong_FromLong(1);
    PyObject *count = slot(self, kept[VERSION]), *beside = slot(self, kept[BESIDE]);
    PyObject *next = now && one && count ? PyNumber_Add(count, one) : NULL;
    Py_DecRef(one);
    if (next != NULL) {
        Py_IncRef(now);
        PyList_SetItem(dated_by[LAST_WRITE], 0, now);
        put(self, kept[WRITTEN], now), put(self, kept[VERSION], next);
        put(self, kept[WRITER], writer);
        if (beside != NULL && Py_TYPE(beside) == (PyTypeObject *)dated_by[DATES])
            put(beside, kept[ASIDE], now);
    } else if (!PyErr_Occurred())
        PyErr_SetString(PyExc_AttributeError, "version");
    Py_DecRef(now);
    Py_DecRef(next);
    if (next == NULL)
        return NULL;
    Py_IncRef(Py_None);
    return Py_None;
}

enum { TARGET, MODE_GET, PACKERS, STRAIGHT_WRITTEN, STRAIGHT_BY };
static PyObject *straight_by[STRAIGHT_BY];

/* The array whose memory `x` shows; NULL if it is lent by something else. */
static const struct array *owner_of(PyObject *x)
{
    const struct array *a = plain_array(x);
    const struct array *owner = a && a->base ? plain_array((PyObject *)a->base) : a;
    return owner && owner->base == NULL ? owner : NULL;
}

/* Is gradient wanted of a tensor? */
static int is_needed(PyObject *tensor)
{
    PyObject *node = slot(tensor, places[NODE]);
    if (node == NULL)
        PyErr_SetString(PyExc_AttributeError, "node");
    return is_true(node, names[NEEDS_NAME]);
}

/* May `x` be read while `target` is written? */
static int is_apart(PyObject *x, PyObject *target, int grad, bool whole)
{
    if (!PyObject_TypeCheck(x, (PyTypeObject *)straight_by[TARGET]))
        return x == Py_None || PyLong_CheckExact(x) || PyFloat_CheckExact(x) || PyBool_Check(x) ||
               PyUnicode_CheckExact(x);
    PyObject *array = PyObject_GetAttr(x, names[ARRAY_NAME]);
    int answer = array == NULL ? -1 : plain_array(array) != NULL;
    if (answer == 1 && grad)
        answer = (grad = is_needed(x)) < 0 ? -1 : !grad;
    if (answer == 1)
        answer = array == target ? !whole
                                 : owner_of(array) && owner_of(array) != owner_of(target);
    Py_DecRef(array);
    return answer;
}

/* straight(target, operands, whole): what handles/inplace.py says of it. */
static PyObject *straight(PyObject *self, PyObject *const *given, Py_ssize_t count)
{
    (void)self;
    if (count < 2 || count > 3)
        return PyErr_Format(PyExc_TypeError, "straight() takes 2 or 3 arguments, but got %zd",
                            count);
    PyTypeObject *handle = (PyTypeObject *)straight_by[TARGET];
    PyObject *origin = made_of[NODES] && PyObject_TypeCheck(given[0], handle)
                           ? slot(given[0], places[ORIGIN]) : NULL;
    PyObject *base = origin == Py_None ? given[0]
                     : origin && PyTuple_Check(origin) ? PyTuple_GetItem(origin, 0) : NULL;
    if (!base || !PyTuple_Check(given[1]) || !PyObject_TypeCheck(base, handle))
        return PyObject_CallFunctionObjArgs(straight_by[STRAIGHT_WRITTEN], given[0], given[1],
                                            count == 3 ? given[2] : NULL, NULL);
    PyObject *array = PyObject_GetAttr(given[0], names[ARRAY_NAME]);
    const struct array *a = array ? plain_array(array) : NULL;
    int answer = array == NULL ? -1 : a && (a->flags & WRITEABLE) && owner_of(array);
    int grad = answer == 1 ? is_recording(straight_by[MODE_GET]) : 0, needs = grad;
    if (needs == 1)
        needs = is_needed(given[0]);
    if (needs == 0 && grad == 1)
        needs = is_needed(base);
    if (needs != 0 || PyList_Size(straight_by[PACKERS]) != 0)
        answer = needs < 0 ? -1 : 0;
    for (Py_ssize_t i = 0; i < PyTuple_Size(given[1]) && answer == 1; i++)
        answer = is_apart(PyTuple_GetItem(given[1], i), array, grad,
                          count == 3 && given[2] == Py_True);
    Py_DecRef(array);
    return answer < 0 ? NULL : PyBool_FromLong(answer);
}

/* ---- sizes ----------------------------------------------------------------------------------- */
enum { SHAPED, SIZE, SHAPE_WRITTEN, SHAPED_BY };
static PyObject *shaped_by[SHAPED_BY];

/* Tensor.shape: a torch.Size, which is a tuple with methods of its own. */
static PyObject *shape_of(PyObject *self, void *unused)
{
    (void)unused;
    PyObject *found = PyObject_GetAttr(self, names[ARRAY_NAME]);
    const struct array *a = found ? plain_array(found) : NULL;
    PyObject *size = a ? PyType_GenericAlloc((PyTypeObject *)shaped_by[SIZE], a->ndim) : NULL;
    for (int i = 0; a && i < a->ndim && size; i++) {
        PyObject *n = PyLong_FromSsize_t(a->shape[i]);
        if (n == NULL || PyTuple_SetItem(size, i, n) < 0) {
            Py_DecRef(size);
            size = NULL;
        }
    }
    Py_DecRef(found);
    return found == NULL || a != NULL
               ? size : PyObject_CallFunctionObjArgs(shaped_by[SHAPE_WRITTEN], self, NULL);
}

static PyGetSetDef shape = {"shape", shape_of, NULL, "Sizes of the dimensions.", NULL};

/* ---- members of modules ---------------------------------------------------------------------- */
enum { MODULE, PARAMETERS, MODULES, BUFFERS, MEMBER_WRITTEN, MEMBERS_OF };
static PyObject *members_of[MEMBERS_OF];

/* Module.__getattr__(name): nn/module.py. */
static PyObject *member_of(PyObject *self, PyObject *name)
{
    PyObject *own = PyObject_GenericGetDict(self, NULL), *found = NULL;
    for (int i = PARAMETERS; i <= BUFFERS && own && !found && !PyErr_Occurred(); i++) {
        PyObject *entries = PyDict_GetItemWithError(own, members_of[i]);
        if (entries == NULL || Py_TYPE(entries) != &PyDict_Type)
            break;
        found = PyDict_GetItemWithError(entries, name);
    }
    Py_IncRef(found);
    Py_DecRef(own);
    if (found != NULL)
        return found;
    PyErr_Clear(); /* of what cannot be looked up, say: the text says so */
    return PyObject_CallFunctionObjArgs(members_of[MEMBER_WRITTEN], self, name, NULL);
}

/* ---- teaching -------------------------------------------------------------------------------- */
#define FAST(f) (PyCFunction)(function)f, METH_FASTCALL, NULL
#define NAMED(f) (PyCFunction)(function)f, METH_FASTCALL | METH_KEYWORDS, NULL

/* What a function needs of Python's: objects, which live as long as Python does, and places of
 * slots. A method and a getter are of the class that is the first of the objects. */
static struct taught {
    enum { FUNCTION, METHOD, GETTER } kind;
    PyMethodDef method;
    PyObject **objects;
    size_t *places;
    int objects_count, places_count;
} taught[] = {
    {FUNCTION, {"new", new_object, METH_O, NULL}, NULL, NULL, 0, 0},
    {FUNCTION, {"constant_of", FAST(constant_of)}, made_of, places, MADE_OF, PLACES},
    {FUNCTION, {"recorded_of", FAST(recorded_of)}, made_of, places, MADE_OF, PLACES},
    {FUNCTION, {"in_shape", NAMED(in_shape)}, in_shape_by, NULL, SHOWN_BY, 0},
    {FUNCTION, {"with_one", NAMED(with_one)}, with_one_by, NULL, SHOWN_BY, 0},
    {FUNCTION, {"expanded", NAMED(expanded)}, expanded_by, NULL, SHOWN_BY, 0},
    {FUNCTION, {"at_index", NAMED(at_index)}, at_index_by, NULL, SHOWN_BY, 0},
    {FUNCTION, {"viewer", FAST(viewer)}, NULL, NULL, 0, 0},
    {FUNCTION, {"storage_of", storage_for, METH_O, NULL}, linked_by, kept, LINKED_BY, KEPT},
    {FUNCTION, {"link_view", FAST(link_view)}, linked_by, kept, LINKED_BY, KEPT},
    {METHOD, {"wrote", wrote, METH_O, NULL}, dated_by, kept, DATED_BY, KEPT},
    {FUNCTION, {"operands_of", FAST(operands_of)}, operands_by, NULL, OPERANDS_OF, 0},
    {FUNCTION, {"straight", FAST(straight)}, straight_by, NULL, STRAIGHT_BY, 0},
    {GETTER, {"shape", NULL, 0, NULL}, shaped_by, NULL, SHAPED_BY, 0},
    {METHOD, {"__getattr__", member_of, METH_O, NULL}, members_of, NULL, MEMBERS_OF, 0},
};

/* Append the function of this name to a list, once it has what it needs; nothing if there is no
 * memory, or what is given does not fit. A later call exchanges what it has. */
static void teach(uintptr_t list, const char *name, uintptr_t objects, const size_t *found,
                  int count)
{
    const PyGILState_STATE lock = PyGILState_Ensure();
    for (int i = 0; i < NAMES; i++)
        if (names[i] == NULL)
            names[i] = PyUnicode_InternFromString(texts_of_names[i]);
    for (size_t k = 0; k < sizeof taught / sizeof *taught; k++) {
        struct taught *f = &taught[k];
        if (strcmp(f->method.ml_name, name) != 0 || count != f->places_count ||
            PyTuple_Size((PyObject *)objects) != f->objects_count)
            continue;
        for (int i = 0; i < f->objects_count; i++) {
            f->objects[i] = PyTuple_GetItem((PyObject *)objects, i);
            Py_IncRef(f->objects[i]);
        }
        for (int i = 0; i < count; i++)
            f->places[i] = found[i];
        PyTypeObject *owner = f->objects ? (PyTypeObject *)f->objects[0] : NULL;
        PyObject *made = f->kind == GETTER   ? PyDescr_NewGetSet(owner, &shape)
                         : f->kind == METHOD ? PyDescr_NewMethod(owner, &f->method)
                                             : PyCFunction_NewEx(&f->method, NULL, NULL);
        if (made != NULL)
            PyList_Append((PyObject *)list, made);
        Py_DecRef(made);
    }
    PyErr_Clear();
    PyGILState_Release(lock);
}

#endif
