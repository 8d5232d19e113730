/* Connections for their own sake: made and closed as fast as can be, or made and left idle. */
#define _GNU_SOURCE
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct slot {
    int descriptor;
    uint32_t source;
};

/* Each slot has a source address of its own, so that TIME_WAIT never eats up the ports. */
static void open_slot(struct slot *slot, int poller, const struct options *options)
{
    struct sockaddr_in source = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(slot->source)};
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options->port)};
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1;
    slot->descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(slot->descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(slot->descriptor, (struct sockaddr *)&source, sizeof source) != 0)
        fail("bind");
    if (connect(slot->descriptor, (struct sockaddr *)&server, sizeof server) != 0
        && errno != EINPROGRESS)
        fail("connect");
    /* Our FIN; on loopback the connection is already made. */
    if (shutdown(slot->descriptor, SHUT_WR) != 0)
        fail("shutdown");
    watch(poller, slot->descriptor, EPOLLIN, slot);
}

/* A message is one connection that the server has accepted, seen the end of, and closed. */
void connect_close(const struct options *options)
{
    struct slot *slots = calloc((size_t)options->connections, sizeof *slots);
    struct epoll_event events[MAX_EVENTS];
    int poller = epoll_create1(0);
    for (int i = 0; i < options->connections; i++) {
        slots[i].source = INADDR_LOOPBACK + 1 + (uint32_t)i;
        open_slot(&slots[i], poller, options);
    }
    while (window_open(options)) {
        int ready = epoll_wait(poller, events, MAX_EVENTS, poller_timeout(options));
        for (int i = 0; i < ready; i++) {
            struct slot *slot = events[i].data.ptr;
            char byte;
            if (recv(slot->descriptor, &byte, 1, 0) != 0)
                fail("receive");
            close(slot->descriptor);
            count(1);
            open_slot(slot, poller, options);
        }
    }
}

/* Open so many.  An echo now and then shows that the server has accepted all so far; without
 * it the backlog would overflow, and the kernel try again only after a second. */
static void open_many(const struct options *options, int many)
{
    for (int i = 1; i <= many; i++) {
        int descriptor = connect_tcp(options);
        char byte = 'x';
        if (i % 100 == 0 && (send(descriptor, &byte, 1, 0) != 1 || recv(descriptor, &byte, 1, 0) != 1))
            fail("echo");
    }
}

/* A message is one byte that the server's resident memory has grown by. */
void idle(const struct options *options)
{
    open_many(options, 100); /* what a server loads once, for its first callers */
    usleep(100000);
    double before = resident_bytes(options->server);
    window_begin(options);
    open_many(options, options->connections);
    usleep(200000);
    window_end(options);
    double grown = resident_bytes(options->server) - before;
    count(grown > 0 ? grown : 0);
}
