/* Answers to datagrams that wait for each other, and leave by one system call.
 *
 * Each has where it goes and, on a wildcard address, from where.  This file must not know how
 * datagrams are received, nor what a port is.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>

enum {
    BATCH = 32,
    LARGEST_ANSWER = 65507, /* that IPv4 can carry */
    WAITING_BYTES = 1 << 16,
    ONE_BY_ONE = 1024,
};

/* What the kernel says of an address that was asked, and is told for the answer. */
struct source {
    size_t size; /* 0: nothing */
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(struct in6_pktinfo))];
    } told;
};

/* Find which of our addresses a message was sent to, as _answer_from() does. */
static void find_asked(struct source *asked, struct msghdr *message)
{
    asked->size = 0;
    if (message->msg_controllen == 0)
        return;
    for (struct cmsghdr *one = CMSG_FIRSTHDR(message); one; one = CMSG_NXTHDR(message, one)) {
        struct in6_pktinfo six = {0};
        struct in_pktinfo four = {0};
        size_t size = one->cmsg_len - CMSG_LEN(0);
        if (one->cmsg_level == IPPROTO_IP && one->cmsg_type == IP_PKTINFO && size == sizeof four) {
            memcpy(&four, CMSG_DATA(one), size);
            four.ipi_ifindex = 0;
            four.ipi_addr.s_addr = 0; /* the datagram's own; perhaps a group */
            memcpy(CMSG_DATA(&asked->told.header), &four, size);
        } else if (one->cmsg_level == IPPROTO_IPV6 && one->cmsg_type == IPV6_PKTINFO &&
                   size == sizeof six && *CMSG_DATA(one) != 0xff) {
            memcpy(CMSG_DATA(&asked->told.header), CMSG_DATA(one), size);
        } else {
            continue;
        }
        asked->told.header = *one;
        asked->size = CMSG_SPACE(size);
        return;
    }
}

struct answers {
    long long datagrams, bytes; /* that were sent */
    unsigned one_by_one;        /* for so many datagrams, after an error, no answer waits */
    int waiting;
    size_t waiting_bytes;
    struct timespec since;
    struct answer {
        PyObject *datagram;
        struct sockaddr_in6 address; /* or the shorter sockaddr_in */
        struct source source;
    } each[BATCH];
};

/* Whether an error would have been raised by a write; see DatagramPort.write. */
static int is_told(int error)
{
    /* All but the first are ConnectionError to Python. */
    return error != EAGAIN && error != ECONNREFUSED && error != ECONNRESET &&
           error != ECONNABORTED && error != EPIPE && error != ESHUTDOWN;
}

static void forget_answers(struct answers *answers)
{
    for (int i = 0; i < answers->waiting; i++)
        Py_DECREF(answers->each[i].datagram);
    answers->waiting = 0;
    answers->waiting_bytes = 0;
}

/* Send what waits.  It calls nobody who might write.
 *
 * What the kernel does not take is dropped, as any datagram may be.  Where that was for another
 * reason than that it cannot take it now, the next ones do not wait: so who writes is told. */
static void send_answers(struct answers *answers, int descriptor)
{
    struct mmsghdr messages[BATCH];
    struct iovec pieces[BATCH];
    int n = descriptor < 0 ? 0 : answers->waiting;
    for (int i = 0; i < n; i++) {
        struct answer *one = &answers->each[i];
        pieces[i] = (struct iovec){PyBytes_AS_STRING(one->datagram),
                                   (size_t)PyBytes_GET_SIZE(one->datagram)};
        messages[i].msg_hdr = (struct msghdr){
            .msg_name = &one->address, .msg_iov = &pieces[i], .msg_iovlen = 1,
            .msg_namelen = one->address.sin6_family == AF_INET ? sizeof(struct sockaddr_in)
                                                               : sizeof one->address,
            .msg_control = one->source.size > 0 ? one->source.told.room : NULL,
            .msg_controllen = one->source.size};
    }
    for (int at = 0; at < n;) {
        int sent = sendmmsg(descriptor, messages + at, (unsigned)(n - at),
                            MSG_DONTWAIT | MSG_NOSIGNAL);
        for (int end = at + (sent > 0 ? sent : 0); at < end; at++) {
            answers->datagrams++;
            answers->bytes += messages[at].msg_len;
        }
        if (sent > 0)
            continue; /* an error, if any, comes again */
        if (messages[at].msg_hdr.msg_controllen > 0 && errno != EAGAIN && errno != EMSGSIZE) {
            messages[at].msg_hdr.msg_controllen = 0; /* as EveryAddressPort has it */
            continue;
        }
        if (is_told(errno))
            answers->one_by_one = ONE_BY_ONE;
        at++;
    }
    forget_answers(answers);
}

/* Whether an answer of that size may wait, once there is room. */
static int may_wait(const struct answers *answers, Py_ssize_t size)
{
    return answers->one_by_one == 0 && size <= LARGEST_ANSWER;
}

static int has_room(const struct answers *answers, size_t size)
{
    return answers->waiting < BATCH && answers->waiting_bytes + size <= WAITING_BYTES;
}

/* Let *datagram* wait, for which there is room. */
static void add_answer(struct answers *answers, PyObject *datagram,
                       const struct sockaddr_in6 *address, const struct source *source)
{
    struct answer *one = &answers->each[answers->waiting];
    if (answers->waiting++ == 0)
        (void)clock_gettime(CLOCK_MONOTONIC_COARSE, &answers->since);
    one->datagram = Py_NewRef(datagram);
    one->address = *address;
    one->source.size = source->size;
    if (source->size > 0)
        one->source = *source;
    answers->waiting_bytes += (size_t)PyBytes_GET_SIZE(datagram);
}

/* Whether the coarse clock, of some milliseconds, has gone on since the first began to wait. */
static int have_waited(const struct answers *answers)
{
    struct timespec now = answers->since;
    (void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return now.tv_nsec != answers->since.tv_nsec || now.tv_sec != answers->since.tv_sec;
}
