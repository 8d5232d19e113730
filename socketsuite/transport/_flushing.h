/* Sends what protocols wrote in a burst, and ends it.
 *
 * This file must not know how it was read what they answered.
 */
#include "_objects.h"
#include "_sends.h"

struct batch {
    int n;
    PyObject *transports[MOST_SENDS], *data[MOST_SENDS];
    struct one_send sends[MOST_SENDS];
};

/* Add what a plain connection has to send; 0 where the Python code is to see to it. */
static int add(struct batch *batch, PyObject *transport)
{
    if (!is_connection(transport))
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
        int some = *sent >= 0 && *sent < PyBytes_GET_SIZE(batch->data[i]);
        PyObject *offset = some ? PyLong_FromSsize_t(*sent) : NULL;
        if ((some && offset == NULL) || (*sent >= 0 && count(transport, BYTES_OUT, *sent) < 0)) {
            PyErr_Clear();
            *sent = -ENOMEM;
        } else if (*sent >= 0) {
            put(transport, ANSWERED, Py_XNewRef(SLOT(transport, BYTES_IN)));
            if (some) {
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

/* Send what was written; what is not plain by the Python code. */
static void flush(PyObject *burst, PyObject *dirty)
{
    struct batch batch;
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
}

/* Flush everything that protocols wrote in this burst, and end it.  It calls nobody who may raise. */
static void end_burst(PyObject *burst)
{
    PyObject *dirty = Py_XNewRef(SLOT(burst, DIRTY));
    put(burst, FLUSHING, Py_NewRef(Py_True));
    if (dirty != NULL && PyList_CheckExact(dirty)) {
        flush(burst, dirty);
        if (PyList_SetSlice(dirty, 0, PyList_GET_SIZE(dirty), NULL) < 0)
            PyErr_Clear();
    }
    Py_XDECREF(dirty);
    put(burst, ACTIVE, Py_NewRef(Py_False));
    put(burst, FLUSHING, Py_NewRef(Py_False));
    put(burst, CURRENT, Py_NewRef(Py_None));
}
