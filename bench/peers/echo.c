/* The floor: an echo that does nothing but what it must, in C.
 *
 *     echo tcp-echo|udp-echo
 *
 * Prints `listening PORT`.  One level-triggered epoll loop, no buffering: what recv() gave
 * goes into send(), and a caller that does not read is dropped.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_EVENTS = 256, CHUNK = 65536 };

static char chunk[CHUNK];

static int listen_on(int type)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int server = socket(AF_INET, type | SOCK_NONBLOCK, 0);
    if (bind(server, (struct sockaddr *)&address, size) != 0
        || (type == SOCK_STREAM && listen(server, 511) != 0)
        || getsockname(server, (struct sockaddr *)&address, &size) != 0) {
        perror("listen");
        exit(1);
    }
    printf("listening %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return server;
}

static void echo_datagrams(int server)
{
    for (;;) {
        struct sockaddr_storage peer;
        socklen_t size = sizeof peer;
        ssize_t got = recvfrom(server, chunk, CHUNK, 0, (struct sockaddr *)&peer, &size);
        if (got < 0)
            return;
        sendto(server, chunk, (size_t)got, 0, (struct sockaddr *)&peer, size);
    }
}

static void accept_all(int server, int poller)
{
    for (int caller; (caller = accept4(server, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = caller};
        int one = 1;
        setsockopt(caller, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        epoll_ctl(poller, EPOLL_CTL_ADD, caller, &event);
    }
}

static void echo_stream(int caller)
{
    ssize_t got = recv(caller, chunk, CHUNK, 0);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0 || send(caller, chunk, (size_t)got, MSG_NOSIGNAL) != got)
        close(caller);
}

int main(int count, char **words)
{
    int datagrams = count > 1 && strcmp(words[1], "udp-echo") == 0;
    int server = listen_on(datagrams ? SOCK_DGRAM : SOCK_STREAM), poller = epoll_create1(0);
    struct epoll_event events[MAX_EVENTS], listening = {.events = EPOLLIN, .data.fd = server};
    epoll_ctl(poller, EPOLL_CTL_ADD, server, &listening);
    for (;;) {
        int ready = epoll_wait(poller, events, MAX_EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.fd != server)
                echo_stream(events[i].data.fd);
            else if (datagrams)
                echo_datagrams(server);
            else
                accept_all(server, poller);
        }
    }
}
