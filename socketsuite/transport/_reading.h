/* Reads connections, and gives their protocols what was there.
 *
 * This file must not know what is done with what protocols write.
 */
#include "_objects.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { MOST_EVENTS = 128, LARGEST_READ = 1 << 16, LARGE = 1 << 14 };

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
        int usual = events[i].events == EPOLLIN && is_connection(transport);
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
