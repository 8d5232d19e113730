/* Ping-pong over TCP, TLS or UDP: a message goes out, and comes back whole.
 *
 * At saturation each connection has one message under way.  At a fixed rate messages go out
 * when they are due, over the connections in turn, whether or not earlier ones are back.
 */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef WITH_TLS
#include <openssl/ssl.h>
#else
typedef void SSL;
#endif

struct line {
    int descriptor;
    SSL *tls;
    size_t have;
    char *buffer;
};

static char kind; /* 't'cp, 's'ecure, 'u'dp */
static char *message;
static size_t size, room;

#ifdef WITH_TLS
static SSL *secure(int descriptor)
{
    static SSL_CTX *context;
    if (!context) {
        context = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    }
    SSL *tls = SSL_new(context);
    SSL_set_fd(tls, descriptor);
    if (SSL_connect(tls) != 1)
        fail("TLS handshake");
    return tls;
}

static ssize_t take_secure(struct line *line)
{
    int got = SSL_read(line->tls, line->buffer + line->have, (int)(room - line->have));
    if (got <= 0 && SSL_get_error(line->tls, got) == SSL_ERROR_WANT_READ)
        errno = EAGAIN;
    return got <= 0 && errno == EAGAIN ? -1 : got;
}

static ssize_t send_secure(struct line *line) { return SSL_write(line->tls, message, (int)size); }
#else
static SSL *secure(int descriptor) { (void)descriptor; fail("built without TLS"); return NULL; }
static ssize_t take_secure(struct line *line) { (void)line; return 0; }
static ssize_t send_secure(struct line *line) { (void)line; return 0; }
#endif

static void ping(struct line *line, double due)
{
    stamp(message, due);
    ssize_t sent = kind == 's' ? send_secure(line) : send(line->descriptor, message, size, 0);
    if (sent != (ssize_t)size)
        fail("send (does the server not keep up?)");
}

/* Take what has come back; return how many messages that made. */
static int pong(struct line *line)
{
    int back = 0;
    for (;;) {
        ssize_t got = kind == 's' ? take_secure(line)
                                  : recv(line->descriptor, line->buffer + line->have,
                                         room - line->have, 0);
        if (got < 0 && errno == EAGAIN)
            return back;
        if (got <= 0 || (kind == 'u' && got != (ssize_t)size))
            fail("receive");
        line->have += (size_t)got;
        size_t used = 0;
        for (; line->have - used >= size; used += size, back++)
            count_stamped(line->buffer + used);
        line->have -= used;
        memmove(line->buffer, line->buffer + used, line->have);
        if (kind != 's')
            return back; /* level-triggered: the poller tells of more */
    }
}

void ping_pong(const struct options *options, char which)
{
    kind = which;
    size = (size_t)options->size;
    room = CHUNK + size;
    message = malloc(size);
    memset(message, 'x', size);
    struct line *lines = calloc((size_t)options->connections, sizeof *lines);
    struct epoll_event events[MAX_EVENTS];
    int poller = epoll_create1(0), turn = 0;
    for (int i = 0; i < options->connections; i++) {
        struct line *line = &lines[i];
        line->buffer = malloc(room);
        line->descriptor = kind == 'u' ? connect_udp(options) : connect_tcp(options);
        line->tls = kind == 's' ? secure(line->descriptor) : NULL;
        unblock(line->descriptor);
        watch(poller, line->descriptor, EPOLLIN, line);
    }
    for (int i = 0; options->rate == 0 && i < options->connections; i++)
        ping(&lines[i], now());
    while (window_open(options)) {
        double due;
        while (options->rate > 0 && next_due(options, &due))
            ping(&lines[turn++ % options->connections], due);
        int ready = epoll_wait(poller, events, MAX_EVENTS, poller_timeout(options));
        for (int i = 0; i < ready; i++) {
            struct line *line = events[i].data.ptr;
            for (int back = pong(line); options->rate == 0 && back > 0; back--)
                ping(line, now());
        }
        /* Silence at saturation: datagrams were lost, and each loss stopped a connection. */
        for (int i = 0; kind == 'u' && options->rate == 0 && ready == 0 && i < options->connections; i++) {
            count_lost();
            ping(&lines[i], now());
        }
    }
}
