/* views.h - views of tensors: the arrays that show them, and what a view and its base know.
 *
 * As in objects.h, each function stands for a text of Python, and hands to it what it does not
 * expect. */
#ifndef MICROTORCH_VIEWS_H
#define MICROTORCH_VIEWS_H

#include "objects.h"

#define MOST_SHOWN 64 /* numpy's and PyTorch's most dimensions */

/* in the stable ABI since Python 3.6.1; cffi asks for an older one's names */
PyAPI_FUNC(int) PySlice_Unpack(PyObject *, Py_ssize_t *, Py_ssize_t *, Py_ssize_t *);
PyAPI_FUNC(Py_ssize_t) PySlice_AdjustIndices(Py_ssize_t, Py_ssize_t *, Py_ssize_t *, Py_ssize_t);

/* ---- arrays that show another's memory ------------------------------------------------------- */
enum { NUMPY, SHOWN_WRITTEN, SHOWN_BY }; /* numpy's table of C functions */
static PyObject *in_shape_by[SHOWN_BY], *with_one_by[SHOWN_BY], *expanded_by[SHOWN_BY],
                *at_index_by[SHOWN_BY];

/* Sizes and strides, in bytes, of an array that shows elements of another, from an offset on. The
 * rules are PyTorch's, also for dimensions of one element, whose strides numpy forgets. */
struct shown {
    int ndim;
    intptr_t shape[MOST_SHOWN], strides[MOST_SHOWN], offset;
};

static inline void add_dim(struct shown *s, intptr_t size, intptr_t stride)
{
    s->shape[s->ndim] = size, s->strides[s->ndim++] = stride;
}

/* numpy makes it, with the owner of x's memory as its base. */
static PyObject *show(PyObject *const *by, PyObject *x, const struct shown *s, int flags)
{
    static int (*set_base)(PyObject *, PyObject *); /* PyArray_SetBaseObject */
    const struct array *a = plain_array(x);
    if (set_base == NULL) {
        void **table = PyCapsule_GetPointer(by[NUMPY], NULL);
        *(void **)&new_array = table[94], *(void **)&set_base = table[282];
    }
    Py_IncRef((PyObject *)a->dtype); /* numpy takes it, and x below */
    PyObject *view = new_array((PyTypeObject *)layout.array_type, a->dtype, s->ndim, s->shape,
                               s->strides, a->data + s->offset, flags & WRITEABLE, NULL);
    if (view == NULL)
        return NULL;
    Py_IncRef(x);
    if (set_base(view, x) == 0)
        return view;
    Py_DecRef(view);
    return NULL;
}

static PyObject *show_otherwise(PyObject *const *by, PyObject *const *given, Py_ssize_t count)
{
    if (count != 2)
        return PyErr_Format(PyExc_TypeError, "takes 2 arguments, but got %zd", count);
    return PyObject_CallFunctionObjArgs(by[SHOWN_WRITTEN], given[0], given[1], NULL);
}

/* The array to be shown, the first of two arguments, of which the second may be named; NULL if
 * there is none, or one of no elements. */
static const struct array *seen_array(PyObject *const *given, Py_ssize_t count)
{
    const struct array *a = count == 2 ? plain_array(given[0]) : NULL;
    return a && elements(a) > 0 ? a : NULL;
}

/* How many elements an array of the sizes in a tuple has; 0 if they are no sizes. With `of`, one of
 * them may be -1: what is left of so many. */
static intptr_t read_sizes(PyObject *sizes, struct shown *s, intptr_t of)
{
    const Py_ssize_t n = PyTuple_Check(sizes) ? PyTuple_Size(sizes) : -1;
    intptr_t product = 1;
    int open = -1;
    for (s->ndim = 0; s->ndim < n && n <= MOST_SHOWN; s->ndim++) {
        PyObject *one = PyTuple_GetItem(sizes, s->ndim);
        const intptr_t size = PyLong_CheckExact(one) ? PyLong_AsSsize_t(one) : 0;
        if (size == -1 && !PyErr_Occurred() && open < 0 && of > 0)
            open = s->ndim;
        else if (size <= 0 || product > PTRDIFF_MAX / size) {
            PyErr_Clear();
            return 0;
        } else
            product *= size;
        s->shape[s->ndim] = size;
    }
    if (open >= 0 && of % product == 0)
        s->shape[open] = of / product, product = of;
    return s->ndim == n ? product : 0;
}

/* arrays/memory_order.py has its text: dimensions that lie in memory as one, from the last one on,
 * are divided as those of a new array would be. */
static void viewed_strides(const struct array *a, struct shown *s)
{
    intptr_t base = a->strides[a->ndim - 1], size = 1;
    int at = s->ndim - 1;
    for (int d = a->ndim - 1; d >= 0; d--) {
        size *= a->shape[d];
        if (d > 0 && (a->shape[d - 1] == 1 || a->strides[d - 1] == size * base))
            continue;
        for (intptr_t inner = 1; at >= 0 && (inner < size || s->shape[at] == 1); at--) {
            s->strides[at] = inner * base;
            inner *= s->shape[at];
        }
        base = d > 0 ? a->strides[d - 1] : 0, size = 1;
    }
}

/* in_shape(x, shape): an array in rows in another shape. ops/shape.py has its text. */
static PyObject *in_shape(PyObject *self, PyObject *const *given, Py_ssize_t count,
                          PyObject *named)
{
    (void)self, count += named ? PyTuple_Size(named) : 0;
    const struct array *a = seen_array(given, count);
    struct shown s = {0};
    const intptr_t n = a ? (intptr_t)elements(a) : 0;
    if (n == 0 || !(a->flags & CONTIGUOUS) || a->ndim == 0 || read_sizes(given[1], &s, n) != n)
        return show_otherwise(in_shape_by, given, count);
    viewed_strides(a, &s);
    return show(in_shape_by, given[0], &s, a->flags);
}

/* The bytes of an element; 0 of a dtype that C does not know. */
static intptr_t bytes_of(const struct array *a)
{
    for (int i = 0; i < DTYPES; i++)
        if (layout.dtypes[i] == (uintptr_t)a->dtype)
            return (intptr_t)layout.sizes[i];
    return 0;
}

/* Add the dimension of one element that stands before x's dimension `d`, or behind all. */
static bool add_one(struct shown *s, const struct array *a, int d)
{
    const intptr_t step = d < a->ndim ? a->shape[d] * a->strides[d] : bytes_of(a);
    add_dim(s, 1, step);
    return step != 0 || d < a->ndim;
}

/* with_one(x, shape): `x` with one dimension of 1 more, the first that gives this shape. */
static PyObject *with_one(PyObject *self, PyObject *const *given, Py_ssize_t count,
                          PyObject *named)
{
    (void)self, count += named ? PyTuple_Size(named) : 0;
    const struct array *a = seen_array(given, count);
    struct shown asked, s = {0};
    bool fits = a && read_sizes(given[1], &asked, 0) > 0 && asked.ndim == a->ndim + 1;
    int d = 0;
    while (fits && d < a->ndim && asked.shape[d] == a->shape[d])
        d++;
    /* of several ones in a row, the first */
    while (fits && d > 0 && a->shape[d - 1] == 1 && asked.shape[d] == 1)
        d--;
    for (int i = 0; fits && i <= a->ndim; i++) {
        if (i == d)
            fits = asked.shape[i] == 1 && add_one(&s, a, d);
        if (fits && i < a->ndim) {
            fits = asked.shape[i + (i >= d)] == a->shape[i];
            add_dim(&s, a->shape[i], a->strides[i]);
        }
    }
    return fits ? show(with_one_by, given[0], &s, a->flags)
                : show_otherwise(with_one_by, given, count);
}

/* expanded(x, shape): elements repeated without a copy. What shows one twice is not written to. */
static PyObject *expanded(PyObject *self, PyObject *const *given, Py_ssize_t count,
                          PyObject *named)
{
    (void)self, count += named ? PyTuple_Size(named) : 0;
    const struct array *a = seen_array(given, count);
    struct shown s = {0};
    const intptr_t n = a ? read_sizes(given[1], &s, 0) : 0;
    const int more = a ? s.ndim - a->ndim : -1;
    bool fits = n > 0 && more >= 0;
    for (int i = s.ndim - 1; i >= 0 && fits; i--) {
        const bool own = i >= more;
        const intptr_t size = own ? a->shape[i - more] : 1;
        fits = size == 1 || size == s.shape[i];
        if (own)
            s.strides[i] = size == s.shape[i] ? a->strides[i - more] : 0;
        else
            s.strides[i] = a->ndim > 0 && s.shape[i] == 1 ? s.shape[i + 1] * s.strides[i + 1] : 0;
    }
    if (!fits)
        return show_otherwise(expanded_by, given, count);
    return show(expanded_by, given[0], &s, n == (intptr_t)elements(a) ? a->flags : 0);
}

/* Add what an integer or a slice takes of x's dimension `d`; false if C does not do it. */
static bool add_part(struct shown *s, const struct array *a, int d, PyObject *part)
{
    const intptr_t size = a->shape[d], stride = a->strides[d];
    if (PyLong_CheckExact(part)) {
        const Py_ssize_t i = PyLong_AsSsize_t(part);
        s->offset += (i < 0 ? i + size : i) * stride;
        return i >= -size && i < size;
    }
    Py_ssize_t start, stop, step;
    if (PySlice_Unpack(part, &start, &stop, &step) < 0 || step <= 0)
        return false;
    const Py_ssize_t n = PySlice_AdjustIndices(size, &start, &stop, step);
    add_dim(s, n, n > 0 ? stride * step : stride);
    s->offset += n > 0 ? start * stride : 0;
    return true;
}

/* at_index(x, index): a view at integers, slices, None and one `...`. ops/index.py has its text. */
static PyObject *at_index(PyObject *self, PyObject *const *given, Py_ssize_t count,
                          PyObject *named)
{
    (void)self, count += named ? PyTuple_Size(named) : 0;
    const struct array *a = seen_array(given, count);
    const Py_ssize_t n = a && PyTuple_Check(given[1]) ? PyTuple_Size(given[1]) : 0;
    struct shown s = {0};
    int used = 0, dots = 0, d = 0;
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *part = PyTuple_GetItem(given[1], i);
        used += PyLong_CheckExact(part) || Py_TYPE(part) == &PySlice_Type;
        dots += part == Py_Ellipsis;
    }
    bool fits = n > 0 && used <= a->ndim && dots <= 1 && a->ndim + n <= MOST_SHOWN;
    for (Py_ssize_t i = 0; i <= n && fits; i++) {
        PyObject *part = i < n ? PyTuple_GetItem(given[1], i) : NULL;
        if (part == Py_None)
            fits = add_one(&s, a, d);
        else if (part == NULL || part == Py_Ellipsis) {
            for (const int to = part ? d + a->ndim - used : a->ndim; d < to; d++)
                add_dim(&s, a->shape[d], a->strides[d]);
        } else if ((fits = PyLong_CheckExact(part) || Py_TYPE(part) == &PySlice_Type))
            fits = add_part(&s, a, d++, part);
    }
    if (fits && !PyErr_Occurred())
        return show(at_index_by, given[0], &s, a->flags);
    PyErr_Clear(); /* of what is no place: the text says so */
    return show_otherwise(at_index_by, given, count);
}

/* ---- a view and its base --------------------------------------------------------------------- */
enum { HANDLE, SHARED, MODE, MARKS, UNRECORDED, LINK_WRITTEN, LINKED_BY };
enum { TURNED, VIEWS, BORN, WRITTEN, VERSION, WRITER, BESIDE, ASIDE, KEPT }; /* of a Storage */
static PyObject *linked_by[LINKED_BY];
static size_t kept[KEPT];

/* A storage without views and writes, of a node that was made at `born`. */
static PyObject *new_storage(PyObject *born)
{
    PyObject *views = PyList_New(0), *zero = PyLong_FromLong(0), *nobody = PyUnicode_FromString("");
    PyObject *storage = views && zero && nobody && born
                            ? PyType_GenericAlloc((PyTypeObject *)linked_by[SHARED], 0) : NULL;
    if (storage != NULL) {
        put(storage, kept[VIEWS], views), put(storage, kept[BORN], born);
        put(storage, kept[TURNED], Py_False), put(storage, kept[WRITER], nobody);
        put(storage, kept[WRITTEN], zero), put(storage, kept[VERSION], zero);
        put(storage, kept[BESIDE], Py_None), put(storage, kept[ASIDE], zero);
    }
    Py_DecRef(views);
    Py_DecRef(zero);
    Py_DecRef(nobody);
    return storage;
}

/* The storage of a node, which is made if there is none; NULL with or without an exception. */
static PyObject *memory_of(PyObject *node)
{
    PyObject *storage = slot(node, places[STORAGE]);
    if (storage == Py_None && (storage = new_storage(slot(node, places[SEQ]))) != NULL) {
        put(node, places[STORAGE], storage);
        Py_DecRef(storage);
    }
    return storage != NULL && Py_TYPE(storage) == (PyTypeObject *)linked_by[SHARED] ? storage
                                                                                   : NULL;
}

/* The tuple of the items of `before` (NULL: none) and of these one or two; steals these. */
static PyObject *longer(PyObject *before, PyObject *item, PyObject *second)
{
    const Py_ssize_t n = before ? PyTuple_Size(before) : 0;
    PyObject *tuple = item ? PyTuple_New(n + (second ? 2 : 1)) : NULL;
    for (Py_ssize_t i = 0; i < n && tuple; i++) {
        PyObject *x = PyTuple_GetItem(before, i);
        Py_IncRef(x);
        PyTuple_SetItem(tuple, i, x);
    }
    if (tuple != NULL) {
        PyTuple_SetItem(tuple, n, item);
        if (second != NULL)
            PyTuple_SetItem(tuple, n + 1, second);
        return tuple;
    }
    Py_DecRef(item);
    Py_DecRef(second);
    return NULL;
}

/* Are gradients recorded now? `mode_get` gives the mode (graph/mode.py). -1: an exception is set
 */
static int is_recording(PyObject *mode_get)
{
    PyObject *mode = PyObject_CallFunctionObjArgs(mode_get, NULL);
    const int grad = mode ? is_true(mode, names[GRAD_NAME]) : -1;
    Py_DecRef(mode);
    return grad;
}

/* Was `node` made where no gradient is recorded, and not by an op? -1: an exception is set. */
static int is_unrecorded(PyObject *node)
{
    PyObject *op = PyObject_GetAttr(node, names[OP_NAME]);
    Py_DecRef(op); /* its class holds it */
    const int grad = op == Py_None ? is_recording(linked_by[MODE]) : op ? 1 : -1;
    return grad < 0 ? -1 : !grad;
}

/* Append to the storage's list a weak reference to `t`; where the dead may be forgotten, by its own
 * method. */
static bool add_view(PyObject *storage, PyObject *t)
{
    PyObject *views = slot(storage, kept[VIEWS]), *reference = PyWeakref_NewRef(t, NULL);
    const Py_ssize_t n = views && PyList_Check(views) ? PyList_Size(views) : 8;
    int failed = reference == NULL;
    if (!failed && (n < 8 || (n & (n - 1)) != 0))
        failed = PyList_Append(views, reference);
    else if (!failed) {
        PyObject *none = PyObject_CallMethod(storage, "add_view", "O", reference);
        failed = none == NULL;
        Py_DecRef(none);
    }
    Py_DecRef(reference);
    return !failed;
}

/* `link_view` of its arguments. `marked`: was the view made where no gradient is recorded? -1: that
 * is to be found out. */
static PyObject *linked_as(PyObject *const *given, int marked)
{
    PyObject *t = given[0], *parent = given[1], *origin, *node, *above;
    PyTypeObject *handle = (PyTypeObject *)linked_by[HANDLE];
    PyTypeObject *nodes = (PyTypeObject *)made_of[NODES];
    if (!nodes || !PyObject_TypeCheck(t, handle) || !PyObject_TypeCheck(parent, handle))
        goto otherwise;
    PyObject *to = PyObject_GetAttr(t, names[ARRAY_NAME]);
    PyObject *from = to ? PyObject_GetAttr(parent, names[ARRAY_NAME]) : NULL;
    const struct array *a = to ? plain_array(to) : NULL, *b = from ? plain_array(from) : NULL;
    const bool shares = a && b && (a == b || (a->base && (a->base == from || a->base == b->base)));
    const bool in_rows = a && (a->flags & CONTIGUOUS), plain = a && b;
    Py_DecRef(to); /* the tensors hold them */
    Py_DecRef(from);
    if (!plain)
        goto otherwise;
    if (!shares) {
        Py_IncRef(t);
        return t;
    }
    PyObject *base = parent, *before = NULL;
    node = slot(t, places[NODE]), above = slot(parent, places[NODE]);
    origin = slot(parent, places[ORIGIN]);
    if (!node || !above || !origin || !PyObject_TypeCheck(node, nodes) ||
        !PyObject_TypeCheck(above, nodes))
        goto otherwise;
    if (origin != Py_None) {
        if (!PyTuple_Check(origin) || PyTuple_Size(origin) != 2)
            goto otherwise;
        base = PyTuple_GetItem(origin, 0), before = PyTuple_GetItem(origin, 1);
        if (!PyTuple_Check(before))
            goto otherwise;
    }
    PyObject *storage = memory_of(above);
    if (storage == NULL) {
        if (PyErr_Occurred())
            return NULL;
        goto otherwise;
    }
    put(node, places[STORAGE], storage);
    if (!in_rows)
        put(storage, kept[TURNED], Py_True);
    if (marked < 0)
        marked = is_unrecorded(node);
    PyObject *mark = marked == 1 ? PyTuple_Pack(2, PyList_GetItem(linked_by[MARKS], 0),
                                                linked_by[UNRECORDED]) : NULL;
    PyObject *chain = longer(before, PyTuple_Pack(2, given[2], given[3]), mark);
    PyObject *way = chain && !PyErr_Occurred() ? PyTuple_Pack(2, base, chain) : NULL;
    Py_DecRef(chain);
    if (way == NULL)
        return NULL;
    put(t, places[ORIGIN], way);
    Py_DecRef(way);
    if (!add_view(storage, t))
        return NULL;
    Py_IncRef(t);
    return t;
otherwise:
    return PyObject_CallFunctionObjArgs(linked_by[LINK_WRITTEN], given[0], given[1], given[2],
                                        given[3], NULL);
}

/* link_view(t, parent, op, attrs): what engine/views.py says of it. */
static PyObject *link_view(PyObject *self, PyObject *const *given, Py_ssize_t count)
{
    (void)self;
    if (count != 4)
        return PyErr_Format(PyExc_TypeError, "link_view() takes 4 arguments, but got %zd", count);
    return linked_as(given, -1);
}

/* storage_of(node): graph/clock.py. */
static PyObject *storage_for(PyObject *self, PyObject *node)
{
    (void)self;
    PyObject *storage = NULL;
    if (made_of[NODES] && PyObject_TypeCheck(node, (PyTypeObject *)made_of[NODES]))
        storage = memory_of(node);
    if (storage == NULL && !PyErr_Occurred())
        PyErr_SetString(PyExc_AttributeError, "storage_of() takes a node");
    Py_IncRef(storage);
    return storage;
}

/* ---- functions of views ---------------------------------------------------------------------- */
/* The node of a tensor; NULL if `x` is none. */
static PyObject *node_of(PyObject *x)
{
    const bool taught = made_of[NODES] && linked_by[SHARED];
    PyObject *node = taught && PyObject_TypeCheck(x, (PyTypeObject *)linked_by[HANDLE])
                         ? slot(x, places[NODE]) : NULL;
    return node && PyObject_TypeCheck(node, (PyTypeObject *)made_of[NODES]) ? node : NULL;
}

enum { VIEW_WRITTEN, VIEW_OP, VIEW_KERNELS, VIEW_NAME, VIEW_OF };

/* The function that `viewing` in engine/hot.py makes, for what is not recorded. `self` is the tuple
 * of what viewer() was given. */
static PyObject *view_of(PyObject *self, PyObject *const *given, Py_ssize_t count)
{
    PyObject *node = count == 2 ? node_of(given[0]) : NULL;
    PyObject *dev = node ? slot(node, places[DEV]) : NULL;
    PyObject *kernels = PyTuple_GetItem(self, VIEW_KERNELS);
    PyObject *name = PyTuple_GetItem(self, VIEW_NAME);
    PyObject *kernel = dev ? PyDict_GetItemWithError(kernels, dev) : NULL;
    PyObject *array = kernel ? PyObject_GetAttr(given[0], names[ARRAY_NAME]) : NULL;
    PyObject *out = NULL, *attrs = NULL, *view = NULL;
    const int grad = array && plain_array(array) ? is_recording(linked_by[MODE]) : -1;
    if (grad == 0 || (grad == 1 && is_true(node, names[NEEDS_NAME]) == 0)) {
        if (name == Py_None && PyDict_Check(given[1])) {
            PyObject *arguments = PyTuple_Pack(1, array);
            attrs = given[1];
            Py_IncRef(attrs);
            out = arguments ? PyObject_Call(kernel, arguments, attrs) : NULL;
            Py_DecRef(arguments);
        } else if (name != Py_None && (attrs = PyDict_New()) != NULL &&
                   PyDict_SetItem(attrs, name, given[1]) == 0)
            out = PyObject_CallFunctionObjArgs(kernel, array, given[1], NULL);
    }
    Py_DecRef(array);
    if (out != NULL) {
        PyObject *t = tensor_on(out, dev, made_of[CONSTANT]);
        PyObject *const both[] = {t, given[0], PyTuple_GetItem(self, VIEW_OP), attrs};
        view = t ? linked_as(both, !grad) : NULL;
        Py_DecRef(t);
        Py_DecRef(out);
    }
    Py_DecRef(attrs);
    if (view || out || (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_Exception)))
        return view;
    PyErr_Clear(); /* of the kernel: the text says why */
    if (count != 2)
        return PyErr_Format(PyExc_TypeError, "view() takes 2 arguments, but got %zd", count);
    PyObject *written = PyTuple_GetItem(self, VIEW_WRITTEN);
    return PyObject_CallFunctionObjArgs(written, given[0], given[1], NULL);
}

/* viewer(written, op, kernels, name): such a function, where `written` is its text. */
static PyObject *viewer(PyObject *self, PyObject *const *given, Py_ssize_t count)
{
    static PyMethodDef method = {"view", (PyCFunction)(function)view_of, METH_FASTCALL, NULL};
    (void)self;
    if (count != VIEW_OF || !PyDict_Check(given[VIEW_KERNELS])) {
        PyErr_SetString(PyExc_TypeError, "viewer() takes a function, an op, its kernels, a name");
        return NULL;
    }
    PyObject *all = PyTuple_Pack(VIEW_OF, given[0], given[1], given[2], given[3]);
    PyObject *made = all ? PyCFunction_NewEx(&method, all, NULL) : NULL;
    Py_DecRef(all);
    return made;
}

#endif
