/* A UDP port's turn: datagrams received in batches, and their answers sent in batches.
 *
 * What it does is defined by datagrams.py.  An address is made for Python once for each sender, as
 * far as a small table goes.  Only an answer to the sender of the datagram that is being handled
 * waits for the end of its batch; whatever else is written is left to the Python code, and so is a
 * turn within a turn.  This file must not know of connections.
 */
#include "_answers.h"
#include "_objects.h"

#include <arpa/inet.h>
#include <sys/mman.h>

enum {
    LARGEST_DATAGRAM = 1 << 16,
    SENDERS = 256,
    /* So that not all begin at the same place of the processor's caches. */
    STRIDE = LARGEST_DATAGRAM + 33 * 64,
    SMALL_DATAGRAM = 2048,
    /* What one or two large datagrams touch is kept for the next ones; whole pages of any size. */
    KEPT_ROOM = 2 * LARGEST_DATAGRAM,
};

struct sender {
    struct sockaddr_in6 address; /* or the shorter sockaddr_in, and zeros */
    PyObject *told;              /* the same for Python; NULL: nobody's place yet */
};

typedef struct {
    PyObject_HEAD
    long long datagrams_in, bytes_in;
    int reading;            /* a turn goes on */
    struct sender *current; /* whose datagram is being handled */
    struct source asked;    /* which of our addresses it was sent to */
    struct answers answers;
    struct sender senders[SENDERS];
} Datagrams;

/* What a batch is received into: room for the largest each, of which the kernel gives what is
 * touched.  One for the process: it is emptied before a turn ends, and a turn within one has none. */
static struct {
    int busy;
    char *room;
    struct mmsghdr messages[BATCH];
    struct iovec pieces[BATCH];
    struct sockaddr_in6 addresses[BATCH];
    struct source sources[BATCH];
} batch;

static int open_batch(void)
{
    if (batch.room != NULL)
        return 0;
    void *room = mmap(NULL, (size_t)BATCH * STRIDE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED)
        return -1;
    batch.room = room;
    for (int i = 0; i < BATCH; i++) {
        batch.pieces[i] = (struct iovec){batch.room + (size_t)i * STRIDE, LARGEST_DATAGRAM};
        batch.messages[i].msg_hdr = (struct msghdr){
            .msg_name = &batch.addresses[i], .msg_iov = &batch.pieces[i], .msg_iovlen = 1,
            .msg_control = batch.sources[i].told.room};
    }
    return 0;
}

static int descriptor_of(Datagrams *self)
{
    PyObject *socket = PyObject_GetAttrString((PyObject *)self, "socket");
    int descriptor = socket == NULL ? -1 : PyObject_AsFileDescriptor(socket);
    Py_XDECREF(socket);
    if (descriptor < 0) { /* it is closed, which its own methods tell in another way */
        PyErr_Clear();
        errno = EBADF;
    }
    return descriptor;
}

/* ── answers ───────────────────────────────────────────────────────────────────────────── */

static void flush_answers(Datagrams *self)
{
    if (self->answers.waiting > 0)
        send_answers(&self->answers, descriptor_of(self));
}

/* Let *datagram* wait for the end of the batch; 0 where the Python code is to see to it. */
static int put_off(Datagrams *self, PyObject *datagram, PyObject *address)
{
    struct sender *to = self->current;
    if (to == NULL || address != to->told || to->address.sin6_port == 0 ||
        !PyBytes_CheckExact(datagram) || !may_wait(&self->answers, PyBytes_GET_SIZE(datagram)))
        return 0;
    if (!has_room(&self->answers, (size_t)PyBytes_GET_SIZE(datagram)))
        flush_answers(self);
    add_answer(&self->answers, datagram, &to->address, &self->asked);
    return 1;
}

/* write(datagram, addr) */
static PyObject *datagrams_write(Datagrams *self, PyObject *const *arguments, Py_ssize_t n,
                                 PyObject *keywords)
{
    if (n == 2 && keywords == NULL && put_off(self, arguments[0], arguments[1]))
        Py_RETURN_NONE;
    flush_answers(self); /* what was written before leaves before */
    PyObject *write = PyObject_GetAttrString((PyObject *)self, "write_now");
    PyObject *returned =
        write == NULL ? NULL : PyObject_Vectorcall(write, arguments, (size_t)n, keywords);
    Py_XDECREF(write);
    return returned;
}

/* asked(): what makes the kernel answer the datagram that is being handled from the address that it
 * was sent to: level, kind and data; None: nothing does. */
static PyObject *datagrams_asked(Datagrams *self, PyObject *unused)
{
    struct cmsghdr *header = &self->asked.told.header;
    if (self->current == NULL || self->asked.size == 0)
        Py_RETURN_NONE;
    return Py_BuildValue("iiy#", header->cmsg_level, header->cmsg_type, CMSG_DATA(header),
                         (Py_ssize_t)(header->cmsg_len - CMSG_LEN(0)));
}

/* ── datagrams ─────────────────────────────────────────────────────────────────────────── */

/* Return the place of a sender, whose address is known to Python there; NULL with an exception. */
static struct sender *find_sender(Datagrams *self, const struct sockaddr_in6 *address)
{
    unsigned words[sizeof *address / sizeof(unsigned)], mixed = 0;
    memcpy(words, address, sizeof *address);
    for (size_t i = 0; i < sizeof *address / sizeof(unsigned); i++)
        mixed = (mixed ^ words[i]) * 2654435761u;
    struct sender *place = &self->senders[mixed >> 24];
    if (place->told != NULL && memcmp(&place->address, address, sizeof *address) == 0)
        return place;
    char text[INET6_ADDRSTRLEN];
    int old = address->sin6_family == AF_INET;
    const void *host = old ? (const void *)&((const struct sockaddr_in *)address)->sin_addr
                           : (const void *)&address->sin6_addr;
    if (inet_ntop(address->sin6_family, host, text, sizeof text) == NULL)
        return PyErr_SetFromErrno(PyExc_OSError), NULL;
    int port = ntohs(address->sin6_port);
    PyObject *told = old ? Py_BuildValue("si", text, port)
                         : Py_BuildValue("siII", text, port, ntohl(address->sin6_flowinfo),
                                         address->sin6_scope_id);
    if (told == NULL)
        return NULL;
    Py_XSETREF(place->told, told);
    place->address = *address;
    return place;
}

/* Hand one datagram of the batch to the protocol. */
static void handle(Datagrams *self, PyObject *received, int i)
{
    Py_ssize_t size = batch.messages[i].msg_len;
    self->datagrams_in++;
    self->bytes_in += size;
    struct sender *sender = find_sender(self, &batch.addresses[i]);
    PyObject *datagram = sender == NULL ? NULL
                         : PyBytes_FromStringAndSize(batch.pieces[i].iov_base, size);
    PyObject *words[] = {NULL, datagram, sender == NULL ? NULL : sender->told}, *returned = NULL;
    if (datagram != NULL) {
        find_asked(&self->asked, &batch.messages[i].msg_hdr);
        self->current = sender;
        returned = PyObject_Vectorcall(received, words + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET,
                                       NULL);
        self->current = NULL;
    }
    if (returned == NULL)
        tell((PyObject *)self, READ_FAILED, NULL);
    Py_XDECREF(returned);
    Py_XDECREF(datagram);
    self->answers.one_by_one -= self->answers.one_by_one > 0;
    if (self->answers.waiting > 0 && have_waited(&self->answers))
        flush_answers(self); /* a protocol that takes its time */
}

/* Receive up to *most* datagrams; return how many, below zero with errno. */
static int receive_batch(Datagrams *self, int most)
{
    int descriptor = descriptor_of(self);
    if (descriptor < 0)
        return -1;
    most = most < BATCH ? most : BATCH;
    memset(batch.addresses, 0, (size_t)most * sizeof batch.addresses[0]);
    for (int i = 0; i < most; i++) {
        batch.messages[i].msg_hdr.msg_namelen = sizeof batch.addresses[i];
        batch.messages[i].msg_hdr.msg_controllen = sizeof batch.sources[i].told;
    }
    return recvmmsg(descriptor, batch.messages, (unsigned)most, MSG_DONTWAIT, NULL);
}

/* read(received, most): hand the waiting datagrams to *received*, at most so many; whether it did. */
static PyObject *datagrams_read(Datagrams *self, PyObject *const *arguments, Py_ssize_t n)
{
    long most = n != 2 ? -1 : PyLong_AsLong(arguments[1]);
    int spread = 0; /* to memory that is given back */
    if (most < 0 && !PyErr_Occurred())
        PyErr_SetString(PyExc_TypeError, "read() takes a callable and a number");
    if (PyErr_Occurred())
        return NULL;
    if (batch.busy || open_batch() < 0) {
        flush_answers(self);
        self->current = NULL;
        Py_RETURN_FALSE;
    }
    batch.busy = self->reading = 1;
    while (most > 0 && self->reading) {
        int got = receive_batch(self, (int)(most < BATCH ? most : BATCH));
        most -= got > 0 ? got : 1;
        if (got > 0) {
            for (int i = 0; i < got && self->reading; i++) {
                handle(self, arguments[0], i);
                spread |= i * STRIDE >= KEPT_ROOM && batch.messages[i].msg_len > SMALL_DATAGRAM;
            }
            flush_answers(self);
            continue;
        }
        if (got == 0 || errno == EAGAIN || errno == EWOULDBLOCK)
            break;
        PyErr_SetFromErrno(PyExc_OSError);
        if (!PyErr_ExceptionMatches(PyExc_ConnectionError)) {
            tell((PyObject *)self, RECEIVE_FAILED, NULL);
            break;
        }
        PyErr_Clear(); /* an earlier answer found nobody; that is no news of this socket */
    }
    if (spread)
        (void)madvise(batch.room + KEPT_ROOM, (size_t)BATCH * STRIDE - KEPT_ROOM, MADV_DONTNEED);
    batch.busy = self->reading = 0;
    Py_RETURN_TRUE;
}

/* end(): send what waits, and take nothing more in this turn. */
static PyObject *datagrams_end(Datagrams *self, PyObject *unused)
{
    flush_answers(self);
    self->reading = 0;
    Py_RETURN_NONE;
}

static void datagrams_dealloc(Datagrams *self)
{
    PyTypeObject *type = Py_TYPE(self);
    for (int i = 0; i < SENDERS; i++)
        Py_XDECREF(self->senders[i].told);
    forget_answers(&self->answers);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef datagrams_methods[] = {
    {"read", (PyCFunction)(void (*)(void))datagrams_read, METH_FASTCALL, NULL},
    {"write", (PyCFunction)(void (*)(void))datagrams_write, METH_FASTCALL | METH_KEYWORDS, NULL},
    {"asked", (PyCFunction)datagrams_asked, METH_NOARGS, NULL},
    {"end", (PyCFunction)datagrams_end, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
static PyMemberDef datagrams_members[] = {
    {"datagrams_in", T_LONGLONG, offsetof(Datagrams, datagrams_in), 0, NULL},
    {"datagrams_out", T_LONGLONG, offsetof(Datagrams, answers.datagrams), 0, NULL},
    {"bytes_in", T_LONGLONG, offsetof(Datagrams, bytes_in), 0, NULL},
    {"bytes_out", T_LONGLONG, offsetof(Datagrams, answers.bytes), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};
static PyType_Slot datagrams_slots[] = {
    {Py_tp_dealloc, datagrams_dealloc},
    {Py_tp_methods, datagrams_methods},
    {Py_tp_members, datagrams_members},
    {0, NULL},
};
static PyType_Spec datagrams_spec = {
    .name = "socketsuite.transport._burst.Datagrams",
    .basicsize = sizeof(Datagrams),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .slots = datagrams_slots,
};
