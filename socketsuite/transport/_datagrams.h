/* Datagrams in, and answers to who sent the last one, by system calls.
 *
 * What the socket's own methods do for each besides (room for the largest there can be, an address
 * made of text and read again) is done once for each sender, as far as a small table goes.  A
 * datagram to anybody else is sent by the socket's own method.  IPv4 alone; this file must not know
 * of connections.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

enum { LARGEST_DATAGRAM = 1 << 16, SENDERS = 256 };

struct sender {
    struct sockaddr_in address;
    PyObject *told; /* the same for Python; NULL: nobody's place yet */
};

typedef struct {
    PyObject_HEAD
    PyObject *socket, *sendto;
    struct sender *last, senders[SENDERS];
} Datagrams;

static int descriptor_of(Datagrams *self)
{
    int descriptor = PyObject_AsFileDescriptor(self->socket);
    if (descriptor < 0 && PyErr_ExceptionMatches(PyExc_ValueError)) {
        PyErr_Clear(); /* it is closed, which its own methods tell in another way */
        errno = EBADF;
        PyErr_SetFromErrno(PyExc_OSError);
    }
    return descriptor;
}

/* Return the place of a sender, whose address is known to Python there; NULL with an exception. */
static struct sender *find_sender(Datagrams *self, const struct sockaddr_in *address)
{
    unsigned mixed = (address->sin_addr.s_addr ^ address->sin_port) * 2654435761u;
    struct sender *place = &self->senders[mixed >> 24];
    if (place->told != NULL && place->address.sin_port == address->sin_port &&
        place->address.sin_addr.s_addr == address->sin_addr.s_addr)
        return place;
    char text[INET_ADDRSTRLEN];
    if (inet_ntop(AF_INET, &address->sin_addr, text, sizeof text) == NULL)
        return PyErr_SetFromErrno(PyExc_OSError), NULL;
    PyObject *told = Py_BuildValue("si", text, ntohs(address->sin_port));
    if (told == NULL)
        return NULL;
    if (self->last == place)
        self->last = NULL;
    Py_XSETREF(place->told, told);
    place->address = *address;
    return place;
}

/* receive(size): as recvfrom() of a socket that does not block. */
static PyObject *datagrams_receive(Datagrams *self, PyObject *size)
{
    static char room[LARGEST_DATAGRAM]; /* copied from before anybody else can be called */
    struct sockaddr_in address = {0};
    socklen_t length = sizeof address;
    int descriptor = descriptor_of(self);
    if (descriptor < 0)
        return NULL;
    ssize_t got = recvfrom(descriptor, room, sizeof room, MSG_DONTWAIT, (struct sockaddr *)&address,
                           &length);
    if (got < 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    struct sender *sender = find_sender(self, &address);
    PyObject *datagram = sender == NULL ? NULL : PyBytes_FromStringAndSize(room, got);
    if (datagram == NULL)
        return NULL;
    self->last = sender;
    PyObject *pair = PyTuple_Pack(2, datagram, sender->told);
    Py_DECREF(datagram);
    return pair;
}

/* send(datagram, address): as sendto(). */
static PyObject *datagrams_send(Datagrams *self, PyObject *const *arguments, Py_ssize_t n)
{
    if (n != 2)
        return PyErr_Format(PyExc_TypeError, "send() takes a datagram and an address");
    PyObject *datagram = arguments[0], *address = arguments[1];
    if (self->last == NULL || address != self->last->told || !PyBytes_CheckExact(datagram))
        return PyObject_CallFunctionObjArgs(self->sendto, datagram, address, NULL);
    int descriptor = descriptor_of(self);
    if (descriptor < 0)
        return NULL;
    ssize_t sent = sendto(descriptor, PyBytes_AS_STRING(datagram), (size_t)PyBytes_GET_SIZE(datagram),
                          MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&self->last->address,
                          sizeof self->last->address);
    return sent < 0 ? PyErr_SetFromErrno(PyExc_OSError) : PyLong_FromSsize_t(sent);
}

static PyObject *datagrams_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    PyObject *socket;
    if (!PyArg_ParseTuple(arguments, "O", &socket))
        return NULL;
    Datagrams *self = (Datagrams *)type->tp_alloc(type, 0); /* all zeros */
    if (self == NULL)
        return NULL;
    self->socket = Py_NewRef(socket);
    self->sendto = PyObject_GetAttrString(socket, "sendto");
    if (self->sendto == NULL)
        Py_CLEAR(self);
    return (PyObject *)self;
}

static void datagrams_dealloc(Datagrams *self)
{
    PyTypeObject *type = Py_TYPE(self);
    for (int i = 0; i < SENDERS; i++)
        Py_XDECREF(self->senders[i].told);
    Py_XDECREF(self->sendto);
    Py_XDECREF(self->socket);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef datagrams_methods[] = {
    {"receive", (PyCFunction)(void (*)(void))datagrams_receive, METH_O, NULL},
    {"send", (PyCFunction)(void (*)(void))datagrams_send, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};
static PyType_Slot datagrams_slots[] = {
    {Py_tp_new, datagrams_new},
    {Py_tp_dealloc, datagrams_dealloc},
    {Py_tp_methods, datagrams_methods},
    {0, NULL},
};
static PyType_Spec datagrams_spec = {
    .name = "socketsuite.transport._burst.Datagrams",
    .basicsize = sizeof(Datagrams),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = datagrams_slots,
};
