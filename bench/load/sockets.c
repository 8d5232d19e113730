/* Sockets to the server, and the loop's poller. */
#define _GNU_SOURCE
#include "load.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

static int connect_to(const struct options *options, int type)
{
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options->port)};
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int descriptor = socket(AF_INET, type, 0);
    if (descriptor < 0 || connect(descriptor, (struct sockaddr *)&server, sizeof server) != 0)
        fail("connect");
    return descriptor;
}

int connect_tcp(const struct options *options)
{
    int descriptor = connect_to(options, SOCK_STREAM), one = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return descriptor;
}

int connect_udp(const struct options *options) { return connect_to(options, SOCK_DGRAM); }

void unblock(int descriptor)
{
    if (fcntl(descriptor, F_SETFL, O_NONBLOCK) != 0)
        fail("fcntl");
}

void watch(int poller, int descriptor, uint32_t events, void *data)
{
    struct epoll_event event = {.events = events, .data.ptr = data};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event) != 0)
        fail("epoll_ctl");
}

/* At a fixed rate the loop spins: to sleep would add the timer's lateness to the latency. */
int poller_timeout(const struct options *options) { return options->rate > 0 ? 0 : 50; }
