/* Python's objects as the compiled burst sees them: slots by their offsets, and calls by name.
 *
 * This file must not know what is read, sent or flushed.
 */
#ifndef SOCKETSUITE_OBJECTS_H
#define SOCKETSUITE_OBJECTS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

/* ── the slots of Python's objects ─────────────────────────────────────────────────────── */

enum slot {
    UNSENT, BURST, RECEIVE, SEND, PROTOCOL, READ_SIZE, BYTES_IN, BYTES_OUT, ANSWERED,
    DATA_BUFFER, OFFSET,
    OF_BURST, ACTIVE = OF_BURST, FLUSHING, CURRENT, DIRTY, READING, SLOTS
};
static const char *const slot_names[SLOTS] = {
    "unsent", "burst", "receive", "send", "protocol", "read_size", "bytes_in", "bytes_out",
    "answered", "dataBuffer", "offset", "active", "flushing", "current", "dirty", "reading",
};
static Py_ssize_t offsets[SLOTS];
static PyTypeObject *connection_type, *burst_type, *socket_type;
static PyObject *empty, *slow_path, *pure_write, *pure_write_to_all;
static PyMethodDef *socket_recv, *socket_send;

#define SLOT(object, name) (*(PyObject **)((char *)(object) + offsets[name]))

/* Set a slot to a reference that is handed over. */
static void put(PyObject *object, enum slot name, PyObject *value)
{
    PyObject *old = SLOT(object, name);
    SLOT(object, name) = value;
    Py_XDECREF(old);
}

/* Whether *object*, which may be NULL, has the slots of *type*; *found* is the first class of whose
 * objects that was so, for almost all are of it. */
static int is_a(PyObject *object, PyTypeObject *type, PyTypeObject **found)
{
    if (object == NULL || type == NULL)
        return 0;
    if (Py_TYPE(object) == *found)
        return 1;
    if (!PyObject_TypeCheck(object, type))
        return 0;
    if (*found == NULL)
        *found = (PyTypeObject *)Py_NewRef(Py_TYPE(object));
    return 1;
}

static int is_connection(PyObject *object)
{
    static PyTypeObject *found;
    return is_a(object, connection_type, &found);
}

static int is_burst(PyObject *object)
{
    static PyTypeObject *found;
    return is_a(object, burst_type, &found);
}

/* Add to one of the counters; -1 with an exception. */
static int count(PyObject *transport, enum slot name, Py_ssize_t more)
{
    PyObject *before = SLOT(transport, name);
    long long sum = before == NULL ? 0 : PyLong_AsLongLong(before);
    PyObject *after = sum == -1 && PyErr_Occurred() ? NULL : PyLong_FromLongLong(sum + more);
    if (after == NULL)
        return -1;
    put(transport, name, after);
    return 0;
}

/* ── calls of the Python code ──────────────────────────────────────────────────────────── */

enum name {
    DATA_RECEIVED, END_OF_STREAM, READ_EACH, READ_FAILED, RECEIVE_FAILED, FLUSH_ONE, SEND_FAILED,
    KEPT, FAIL, NAMES
};
static const char *const names_as_text[NAMES] = {
    "dataReceived", "end_of_stream", "read_each", "read_failed", "receive_failed", "flush_one",
    "send_failed", "kept", "fail",
};
static PyObject *names[NAMES];

static PyObject *call(PyObject *object, enum name name, PyObject *one, PyObject *two)
{
    PyObject *words[] = {object, one, two};
    size_t n = (one == NULL ? 1 : two == NULL ? 2 : 3) | PY_VECTORCALL_ARGUMENTS_OFFSET;
    return PyObject_VectorcallMethod(names[name], words, n, NULL);
}

/* The exception that is set, as one object with its traceback; it is not set any more. */
static PyObject *raised(void)
{
#if PY_VERSION_HEX >= 0x030c0000
    return PyErr_GetRaisedException();
#else
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (value != NULL && traceback != NULL)
        PyException_SetTraceback(value, traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return value;
#endif
}

/* Call as if from an except clause for the exception that is set; what that raises is dropped. */
static void tell(PyObject *object, enum name name, PyObject *one)
{
    PyObject *error = raised(), *outer = PyErr_GetHandledException();
    PyErr_SetHandledException(error);
    PyObject *returned = call(object, name, one, NULL);
    PyErr_SetHandledException(outer);
    Py_XDECREF(outer);
    Py_XDECREF(error);
    if (returned == NULL)
        PyErr_Clear(); /* there is nobody left to tell */
    Py_XDECREF(returned);
}

/* Finish with what a call returned; an exception costs this one connection, as in Burst.fail. */
static void finish(PyObject *burst, PyObject *transport, PyObject *returned)
{
    if (returned == NULL)
        tell(burst, FAIL, transport);
    Py_XDECREF(returned);
}

/* ── sockets ───────────────────────────────────────────────────────────────────────────── */

/* Whether a socket's descriptor is the first of what it has beside the head of all objects. */
static int descriptor_is_first;

static int *first_of(PyObject *socket)
{
    return (int *)((char *)socket + sizeof(PyObject));
}

/* See whether that is so: an open socket says the same there as it does itself, a closed one -1. */
static void find_descriptors(PyObject *type)
{
    PyObject *one = PyObject_CallNoArgs(type);
    int said = one == NULL ? -1 : PyObject_AsFileDescriptor(one);
    int roomy = ((PyTypeObject *)type)->tp_basicsize >= (Py_ssize_t)(sizeof(PyObject) + sizeof(int));
    int same = roomy && said >= 0 && *first_of(one) == said;
    PyObject *closed = one == NULL ? NULL : PyObject_CallMethod(one, "close", NULL);
    descriptor_is_first = same && closed != NULL && *first_of(one) == -1;
    PyErr_Clear();
    Py_XDECREF(closed);
    Py_XDECREF(one);
}

/* Return the descriptor where *method* is that method of a plain socket; else -1.
 *
 * The socket is looked at each time: one that was closed behind our back has none any more, and
 * its number may be somebody else's by then. */
static int plain(PyObject *method, PyMethodDef *wanted)
{
    if (method == NULL || !PyCFunction_CheckExact(method) ||
        ((PyCFunctionObject *)method)->m_ml != wanted ||
        !Py_IS_TYPE(PyCFunction_GET_SELF(method), socket_type))
        return -1;
    PyObject *socket = PyCFunction_GET_SELF(method);
    if (descriptor_is_first)
        return *first_of(socket);
    int descriptor = PyObject_AsFileDescriptor(socket);
    if (descriptor < 0)
        PyErr_Clear(); /* Python's own call says what is wrong */
    return descriptor;
}

#endif
