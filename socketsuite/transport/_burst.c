/* The inner loop of the burst transport, compiled: read, dataReceived, write, flush.
 *
 * What it does is defined by burst_loop.py and connection.py, whose objects it works on: it finds
 * in their slots what a burst touches for each message, and keeps nothing of its own.  A plain
 * socket is read and written by system calls.  Whatever else is going on (another reader or
 * sender, an ending, an error, bytes that the kernel would not take) is left to the Python code.
 * This module must not know of any protocol, nor of the suite around the transport.
 */
#include "_datagrams.h"
#include "_flushing.h"
#include "_reading.h"

#include <time.h>

/* ── bursts ────────────────────────────────────────────────────────────────────────────── */

/* Return for how many milliseconds to wait until *due*, by the monotonic clock; below 0: no end. */
static int milliseconds_until(double due)
{
    struct timespec now = {0};
    if (due < 0)
        return -1;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    double left = due - ((double)now.tv_sec + (double)now.tv_nsec * 1e-9);
    return left <= 0 ? 0 : left > 1e6 ? 1000000000 : (int)(left * 1000) + 1;
}

/* serve(burst, descriptor, most, due, own): wait for the epoll set until *due*, by the monotonic
 * clock (below 0: without end; 0: not at all), and run a burst where connections are ready.
 * Returns how many they are; its complement where the descriptor *own*, which is no connection's,
 * is ready too. */
static PyObject *py_serve(PyObject *module, PyObject *const *arguments, Py_ssize_t n)
{
    struct epoll_event events[MOST_EVENTS];
    PyObject *burst = n == 5 ? arguments[0] : NULL, *error = NULL;
    if (!is_burst(burst))
        return PyErr_Format(PyExc_TypeError, "this is no burst");
    long descriptor = PyLong_AsLong(arguments[1]), most = PyLong_AsLong(arguments[2]);
    long own = PyLong_AsLong(arguments[4]);
    double due = PyFloat_AsDouble(arguments[3]);
    if (PyErr_Occurred())
        return NULL;
    if (most < 1 || most > MOST_EVENTS || !(due == due))
        return PyErr_Format(PyExc_TypeError, "too much at once, or no time");
    int ready, others = 0, milliseconds = due == 0 ? 0 : milliseconds_until(due);
    PyThreadState *thread = milliseconds != 0 ? PyEval_SaveThread() : NULL;
    ready = epoll_wait((int)descriptor, events, (int)most, milliseconds);
    if (thread != NULL)
        PyEval_RestoreThread(thread);
    if (ready < 0 && errno != EINTR)
        return PyErr_SetFromErrno(PyExc_OSError);
    for (int i = 0; i < ready; i++)
        others |= events[i].data.fd == own;
    int connections = ready < 0 ? 0 : ready - others;
    if (connections > 0) {
        put(burst, ACTIVE, Py_NewRef(Py_True));
        if (read_each(burst, events, ready, (int)own) < 0)
            error = raised();
        end_burst(burst);
    }
    if (error == NULL)
        return PyLong_FromLong(others ? ~connections : connections);
    PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    Py_DECREF(error);
    return NULL;
}

/* end(burst): flush everything that protocols wrote in this burst, and end it. */
static PyObject *py_end(PyObject *module, PyObject *burst)
{
    if (!is_burst(burst))
        return PyErr_Format(PyExc_TypeError, "this is no burst");
    end_burst(burst);
    Py_RETURN_NONE;
}

/* io_uring(): nothing, or why a burst's sends do not leave by one call of it. */
static PyObject *py_io_uring(PyObject *module, PyObject *unused)
{
    int error = open_ring();
    if (error == 0)
        Py_RETURN_NONE;
    return PyUnicode_FromString(error == ECANCELED ? "the environment forbids it" : strerror(error));
}

/* ── writing ───────────────────────────────────────────────────────────────────────────── */

/* Let *data* wait for the end of the burst; 0 where the Python code is to see to it. */
static int write_in_burst(PyObject *transport, PyObject *data)
{
    if (!is_connection(transport) || SLOT(transport, UNSENT) != empty ||
        !PyBytes_CheckExact(data))
        return 0;
    PyObject *burst = SLOT(transport, BURST);
    PyObject *dirty = is_burst(burst) ? SLOT(burst, DIRTY) : NULL;
    if (dirty == NULL || !PyList_CheckExact(dirty) || SLOT(burst, ACTIVE) != Py_True)
        return 0;
    /* In this order: for want of memory nothing has changed. */
    if (PyList_Append(dirty, transport) < 0)
        return -1;
    put(transport, UNSENT, Py_NewRef(data));
    return 1;
}

static PyObject *writer_write(PyObject *self, PyObject *data)
{
    if (pure_write == NULL)
        return PyErr_Format(PyExc_TypeError, "it is not set up");
    int done = write_in_burst(self, data);
    if (done == 0)
        return PyObject_CallFunctionObjArgs(pure_write, self, data, NULL);
    return done < 0 ? NULL : Py_NewRef(Py_None);
}

/* writeToAll(writes, data): what is no plain write in a burst is left to the Python code. */
static PyObject *writer_write_to_all(PyObject *self, PyObject *const *arguments, Py_ssize_t n)
{
    PyObject *others = PyList_New(0);
    PyObject *writes = n != 2 ? NULL : PySequence_Fast(arguments[0], "writes are to be iterable");
    int failed = others == NULL || writes == NULL || pure_write_to_all == NULL;
    /* Nothing in here calls Python code, which might change a caller's list. */
    for (Py_ssize_t i = 0; !failed && i < PySequence_Fast_GET_SIZE(writes); i++) {
        PyObject *write = PySequence_Fast_GET_ITEM(writes, i);
        int ours = PyCFunction_CheckExact(write) &&
                   PyCFunction_GET_FUNCTION(write) == writer_write;
        int done = ours ? write_in_burst(PyCFunction_GET_SELF(write), arguments[1]) : 0;
        failed = done < 0 || (done == 0 && PyList_Append(others, write) < 0);
    }
    PyObject *returned = NULL;
    if (n != 2 || pure_write_to_all == NULL)
        PyErr_SetString(PyExc_TypeError, "writeToAll() takes writes and data");
    else if (!failed && PyList_GET_SIZE(others) == 0)
        returned = Py_NewRef(others); /* as empty as a list of those that raised something */
    else if (!failed)
        returned = PyObject_CallFunctionObjArgs(pure_write_to_all, self, others, arguments[1], NULL);
    Py_XDECREF(writes);
    Py_XDECREF(others);
    return returned;
}

/* ── setting up ────────────────────────────────────────────────────────────────────────── */

static int find_slots(PyObject *type, int first, int end)
{
    for (int i = first; i < end; i++) {
        PyObject *found = PyObject_GetAttrString(type, slot_names[i]);
        int member = found != NULL && Py_IS_TYPE(found, &PyMemberDescr_Type);
        if (member)
            offsets[i] = ((PyMemberDescrObject *)found)->d_member->offset;
        Py_XDECREF(found);
        if (!member)
            return -1;
    }
    return 0;
}

static PyMethodDef *find_method(PyObject *type, const char *name)
{
    PyObject *found = PyObject_GetAttrString(type, name);
    int method = found != NULL && Py_IS_TYPE(found, &PyMethodDescr_Type);
    PyMethodDef *definition = method ? ((PyMethodDescrObject *)found)->d_method : NULL;
    Py_XDECREF(found); /* its type, which stays, has it too */
    return definition;
}

/* set_up(connection, burst, socket, EMPTY, SLOW_PATH): the classes that it works on. */
static PyObject *py_set_up(PyObject *module, PyObject *arguments)
{
    PyObject *connection, *burst, *socket, *nothing, *slow;
    if (!PyArg_ParseTuple(arguments, "O!O!O!OO", &PyType_Type, &connection, &PyType_Type, &burst,
                          &PyType_Type, &socket, &nothing, &slow))
        return NULL;
    if (connection_type != NULL)
        return PyErr_Format(PyExc_TypeError, "it is set up already");
    if ((socket_recv = find_method(socket, "recv")) == NULL ||
        (socket_send = find_method(socket, "send")) == NULL ||
        (pure_write = PyObject_GetAttrString(connection, "write")) == NULL ||
        (pure_write_to_all = PyObject_GetAttrString(connection, "writeToAll")) == NULL ||
        find_slots(connection, 0, OF_BURST) < 0 || find_slots(burst, OF_BURST, SLOTS) < 0) {
        PyErr_Clear();
        return PyErr_Format(PyExc_TypeError, "these classes do not fit");
    }
    find_descriptors(socket);
    empty = Py_NewRef(nothing);
    slow_path = Py_NewRef(slow);
    socket_type = (PyTypeObject *)Py_NewRef(socket);
    connection_type = (PyTypeObject *)Py_NewRef(connection);
    burst_type = (PyTypeObject *)Py_NewRef(burst);
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"set_up", py_set_up, METH_VARARGS, NULL},
    {"serve", (PyCFunction)(void (*)(void))py_serve, METH_FASTCALL, NULL},
    {"end", py_end, METH_O, NULL},
    {"io_uring", py_io_uring, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "_burst", .m_size = -1, .m_methods = functions,
};

PyMODINIT_FUNC PyInit__burst(void)
{
    for (int i = 0; i < NAMES; i++)
        if ((names[i] = PyUnicode_InternFromString(names_as_text[i])) == NULL)
            return NULL;
    static PyMethodDef methods[] = {
        {"write", writer_write, METH_O, NULL},
        {"writeToAll", (PyCFunction)(void (*)(void))writer_write_to_all, METH_FASTCALL, NULL},
        {NULL, NULL, 0, NULL},
    };
    static PyType_Slot slots[] = {{Py_tp_methods, methods}, {0, NULL}};
    static PyType_Spec writer = {
        .name = "socketsuite.transport._burst.Writer",
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
        .slots = slots,
    };
    PyObject *module = PyModule_Create(&definition), *type = PyType_FromSpec(&writer);
    PyObject *datagrams = PyType_FromSpec(&datagrams_spec);
    if (module == NULL || type == NULL || PyModule_AddObjectRef(module, "Writer", type) < 0 ||
        datagrams == NULL || PyModule_AddObjectRef(module, "Datagrams", datagrams) < 0)
        Py_CLEAR(module);
    Py_XDECREF(type);
    Py_XDECREF(datagrams);
    return module;
}
