/* One-way streams: bytes in as fast as the server takes them.  A message is one byte.
 *
 * The window ends when the server has closed every connection, having read all of it: what
 * was sent and what was read are then the same number.
 */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct pipe {
    int descriptor, closing;
};

void stream(const struct options *options)
{
    static int32_t chunk[CHUNK / sizeof(int32_t)];
    static char unread[CHUNK];
    for (size_t i = 0; i < CHUNK / sizeof(int32_t); i++)
        chunk[i] = (int32_t)(i * 2654435761u); /* integers, when somebody adds them up */
    struct pipe *pipes = calloc((size_t)options->connections, sizeof *pipes);
    struct epoll_event events[MAX_EVENTS];
    int poller = epoll_create1(0), open = options->connections;
    for (int i = 0; i < open; i++) {
        pipes[i].descriptor = connect_tcp(options);
        unblock(pipes[i].descriptor);
        watch(poller, pipes[i].descriptor, EPOLLIN | EPOLLOUT, &pipes[i]);
    }
    window_begin(options);
    double end = now() + options->window;
    while (open > 0) {
        int ready = epoll_wait(poller, events, MAX_EVENTS, 50);
        for (int i = 0; i < ready; i++) {
            struct pipe *pipe = events[i].data.ptr;
            if (!pipe->closing && now() >= end) {
                struct epoll_event reading = {.events = EPOLLIN, .data.ptr = pipe};
                pipe->closing = 1;
                shutdown(pipe->descriptor, SHUT_WR);
                epoll_ctl(poller, EPOLL_CTL_MOD, pipe->descriptor, &reading);
            } else if (events[i].events & EPOLLOUT && !pipe->closing) {
                ssize_t sent = send(pipe->descriptor, chunk, CHUNK, 0);
                /* A cut integer is completed by the next chunk's first bytes: still integers. */
                if (sent < 0 && errno != EAGAIN)
                    fail("send");
                count(sent > 0 ? (double)sent : 0);
            }
            if (events[i].events & (EPOLLIN | EPOLLHUP)) {
                ssize_t got = recv(pipe->descriptor, unread, CHUNK, 0);
                if (got < 0 && errno != EAGAIN)
                    fail("receive");
                if (got == 0) {
                    if (!pipe->closing) {
                        errno = EPIPE;
                        fail("the server closed first");
                    }
                    close(pipe->descriptor);
                    open--;
                }
            }
        }
    }
    window_end(options);
}
