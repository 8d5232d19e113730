/* The inner loop of the burst transport, compiled: read, dataReceived, write, flush.
 *
 * What it does is defined by burst_loop.py and connection.py, whose objects it works on: it finds
 * in their slots what a burst touches for each message, and keeps nothing of its own.  A plain
 * socket is read and written by system calls.  Whatever else is going on (another reader or
 * sender, an ending, an error, bytes that the kernel would not take) is left to the Python code.
 * This module must not know of any protocol, nor of the suite around the transport.
 */
#include "_datagrams.h"
#include "_objects.h"
#include "_sends.h"

#include <sys/epoll.h>

enum { MOST_EVENTS = 128, LARGEST_READ = 1 << 16, LARGE = 1 << 14 };

/* ── reading ───────────────────────────────────────────────────────────────────────────── */

/* Return the descriptor where *method* is that method of a plain socket; else -1.
 *
 * The socket is asked each time: one that was closed behind our back has none any more, and its
 * number may be somebody else's by then. */
static int plain(PyObject *method, PyMethodDef *wanted)
{
    if (method == NULL || !PyCFunction_CheckExact(method) ||
        ((PyCFunctionObject *)method)->m_ml != wanted ||
        !Py_IS_TYPE(PyCFunction_GET_SELF(method), socket_type))
        return -1;
    int descriptor = PyObject_AsFileDescriptor(PyCFunction_GET_SELF(method));
    if (descriptor < 0)
        PyErr_Clear(); /* Python's own call says what is wrong */
    return descriptor;
}

/* Read a plain socket into new bytes; NULL with an exception, or without one and with errno. */
static PyObject *receive(PyObject *transport, int descriptor)
{
    static char room[LARGEST_READ]; /* copied from before anybody else can be called */
    PyObject *read_size = SLOT(transport, READ_SIZE), *data = NULL;
    long size = read_size == NULL ? 0 : PyLong_AsLong(read_size);
    if (size == -1 && PyErr_Occurred())
        return NULL;
    if (size >= LARGEST_READ && (data = PyBytes_FromStringAndSize(NULL, LARGEST_READ)) == NULL)
        return NULL;
    ssize_t got = recv(descriptor, data == NULL ? room : PyBytes_AS_STRING(data), LARGEST_READ,
                       MSG_DONTWAIT);
    if (got < 0) {
        int number = errno;
        Py_XDECREF(data);
        errno = number;
        return NULL;
    }
    if (data != NULL) {
        _PyBytes_Resize(&data, got);
        return data;
    }
    if (got >= LARGE) {
        PyObject *large = PyLong_FromLong(LARGEST_READ);
        if (large == NULL)
            return NULL;
        put(transport, READ_SIZE, large);
    }
    return PyBytes_FromStringAndSize(room, got);
}

/* Read a connection once and give its protocol what was there. */
static void read_one(PyObject *burst, PyObject *transport, int descriptor)
{
    put(burst, CURRENT, Py_NewRef(transport));
    PyObject *data = receive(transport, descriptor), *protocol = SLOT(transport, PROTOCOL);
    if (data == NULL && !PyErr_Occurred()) {
        PyObject *number = PyLong_FromLong(errno);
        if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
            finish(burst, transport,
                   number == NULL ? NULL : call(burst, READ_FAILED, transport, number));
        Py_XDECREF(number);
    } else if (data != NULL && PyBytes_GET_SIZE(data) == 0) {
        finish(burst, transport, call(burst, END_OF_STREAM, transport, NULL));
    } else if (data == NULL || count(transport, BYTES_IN, PyBytes_GET_SIZE(data)) < 0) {
        finish(burst, transport, NULL);
    } else {
        protocol = Py_NewRef(protocol == NULL ? Py_None : protocol);
        finish(burst, transport, call(protocol, DATA_RECEIVED, data, NULL));
        Py_DECREF(protocol);
    }
    Py_XDECREF(data);
}

/* Read each connection that is ready but *own*; those that are not plain by the Python code. */
static int read_each(PyObject *burst, const struct epoll_event *events, int ready, int own)
{
    PyObject *others = NULL;
    for (int i = 0; i < ready; i++) {
        if (events[i].data.fd == own)
            continue;
        PyObject *number = PyLong_FromLong(events[i].data.fd), *found = SLOT(burst, READING);
        if (number == NULL || found == NULL || !PyDict_Check(found)) {
            Py_XDECREF(number);
            break; /* whatever is wrong: the kernel tells of it again */
        }
        PyObject *transport = Py_XNewRef(PyDict_GetItemWithError(found, number));
        int usual = events[i].events == EPOLLIN && is_a(transport, connection_type);
        int descriptor = usual ? plain(SLOT(transport, RECEIVE), socket_recv) : -1;
        if (descriptor >= 0) {
            read_one(burst, transport, descriptor);
        } else {
            PyObject *pair = Py_BuildValue("OI", number, events[i].events);
            if (others == NULL)
                others = PyList_New(0);
            if (others != NULL && pair != NULL)
                (void)PyList_Append(others, pair);
            Py_XDECREF(pair);
        }
        Py_XDECREF(transport);
        Py_DECREF(number);
        PyErr_Clear();
    }
    PyErr_Clear();
    if (others == NULL)
        return 0;
    PyObject *returned = call(burst, READ_EACH, others, NULL);
    Py_XDECREF(returned);
    Py_DECREF(others);
    return returned == NULL ? -1 : 0;
}

/* read(burst, descriptor, most, milliseconds, own): wait for the epoll set, and begin a burst
 * where connections are ready.  Returns how many they are; its complement where the descriptor
 * *own*, which is no connection's, is ready too. */
static PyObject *py_read(PyObject *module, PyObject *const *arguments, Py_ssize_t n)
{
    struct epoll_event events[MOST_EVENTS];
    long numbers[4]; /* of the arguments behind the first */
    PyObject *burst = n == 5 ? arguments[0] : NULL;
    for (int i = 0; n == 5 && i < 4; i++)
        if ((numbers[i] = PyLong_AsLong(arguments[i + 1])) == -1 && PyErr_Occurred())
            return NULL;
    if (!is_a(burst, burst_type) || numbers[1] < 1 || numbers[1] > MOST_EVENTS)
        return PyErr_Format(PyExc_TypeError, "this is no burst, or too much at once");
    int ready, waits = numbers[2] != 0, own = 0;
    PyThreadState *others = waits ? PyEval_SaveThread() : NULL;
    ready = epoll_wait((int)numbers[0], events, (int)numbers[1], (int)numbers[2]);
    if (waits)
        PyEval_RestoreThread(others);
    if (ready < 0 && errno != EINTR)
        return PyErr_SetFromErrno(PyExc_OSError);
    for (int i = 0; i < ready; i++)
        own |= events[i].data.fd == numbers[3];
    int connections = ready < 0 ? 0 : ready - own;
    if (connections > 0) {
        put(burst, ACTIVE, Py_NewRef(Py_True));
        if (read_each(burst, events, ready, (int)numbers[3]) < 0)
            return NULL;
    }
    return PyLong_FromLong(own ? ~connections : connections);
}

/* ── flushing ──────────────────────────────────────────────────────────────────────────── */

struct batch {
    int n;
    PyObject *transports[MOST_SENDS], *data[MOST_SENDS];
    struct one_send sends[MOST_SENDS];
};

/* Add what a plain connection has to send; 0 where the Python code is to see to it. */
static int add(struct batch *batch, PyObject *transport)
{
    if (!is_a(transport, connection_type))
        return 0;
    /* First: the socket's class is Python's, and what it says might be changed by somebody. */
    int descriptor = plain(SLOT(transport, SEND), socket_send), i = batch->n;
    PyObject *data = SLOT(transport, UNSENT);
    if (descriptor < 0 || data == NULL || !PyBytes_CheckExact(data) || PyBytes_GET_SIZE(data) == 0)
        return 0;
    batch->transports[i] = Py_NewRef(transport);
    batch->data[i] = data; /* the slot's own reference */
    SLOT(transport, UNSENT) = Py_NewRef(empty);
    batch->sends[i] = (struct one_send){
        descriptor, PyBytes_AS_STRING(data), (size_t)PyBytes_GET_SIZE(data), 0};
    batch->n++;
    return 1;
}

/* Send a batch, and have the slots of all say so before anybody else is called. */
static void send_batch(PyObject *burst, struct batch *batch)
{
    send_all(batch->sends, batch->n);
    for (int i = 0; i < batch->n; i++) {
        PyObject *transport = batch->transports[i];
        ssize_t *sent = &batch->sends[i].sent;
        if (*sent == -EAGAIN || *sent == -EWOULDBLOCK || *sent == -EINTR)
            *sent = 0;
        PyObject *offset = *sent < 0 ? NULL : PyLong_FromSsize_t(*sent);
        if (*sent >= 0 && (offset == NULL || count(transport, BYTES_OUT, *sent) < 0)) {
            PyErr_Clear();
            *sent = -ENOMEM;
        } else if (*sent >= 0) {
            put(transport, ANSWERED, Py_XNewRef(SLOT(transport, BYTES_IN)));
            if (*sent < PyBytes_GET_SIZE(batch->data[i])) {
                put(transport, DATA_BUFFER, Py_NewRef(batch->data[i]));
                put(transport, OFFSET, Py_NewRef(offset));
                put(transport, UNSENT, Py_NewRef(slow_path));
            }
        }
        Py_XDECREF(offset);
    }
    for (int i = 0; i < batch->n; i++) {
        PyObject *transport = batch->transports[i];
        if (batch->sends[i].sent < 0)
            finish(burst, transport, call(burst, SEND_FAILED, transport, NULL));
        else if (batch->sends[i].sent < PyBytes_GET_SIZE(batch->data[i]))
            finish(burst, transport, call(transport, KEPT, NULL, NULL));
        Py_DECREF(batch->data[i]);
        Py_DECREF(transport);
    }
    batch->n = 0;
}

/* flush(burst): send what was written; what is not plain by the Python code. */
static PyObject *py_flush(PyObject *module, PyObject *burst)
{
    struct batch batch;
    PyObject *dirty = is_a(burst, burst_type) ? SLOT(burst, DIRTY) : NULL;
    if (dirty == NULL || !PyList_CheckExact(dirty))
        return PyErr_Format(PyExc_TypeError, "this is no burst");
    Py_INCREF(dirty);
    batch.n = 0;
    /* The list may grow meanwhile: a connectionLost may write to others. */
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(dirty); i++) {
        PyObject *transport = Py_NewRef(PyList_GET_ITEM(dirty, i));
        int added = add(&batch, transport);
        /* Nobody may be called who could write behind what is still to be sent. */
        if (batch.n > 0 && (!added || batch.n == MOST_SENDS || i + 1 == PyList_GET_SIZE(dirty)))
            send_batch(burst, &batch);
        if (!added)
            finish(burst, transport, call(burst, FLUSH_ONE, transport, NULL));
        Py_DECREF(transport);
    }
    Py_DECREF(dirty);
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
    if (!is_a(transport, connection_type) || SLOT(transport, UNSENT) != empty ||
        !PyBytes_CheckExact(data))
        return 0;
    PyObject *burst = SLOT(transport, BURST);
    PyObject *dirty = is_a(burst, burst_type) ? SLOT(burst, DIRTY) : NULL;
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
    empty = Py_NewRef(nothing);
    slow_path = Py_NewRef(slow);
    socket_type = (PyTypeObject *)Py_NewRef(socket);
    connection_type = (PyTypeObject *)Py_NewRef(connection);
    burst_type = (PyTypeObject *)Py_NewRef(burst);
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"set_up", py_set_up, METH_VARARGS, NULL},
    {"read", (PyCFunction)(void (*)(void))py_read, METH_FASTCALL, NULL},
    {"flush", py_flush, METH_O, NULL},
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
