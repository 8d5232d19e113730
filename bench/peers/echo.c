/* The floor: an echo, and a chat by lines, that do nothing but what they must, in C.
 *
 *     echo tcp-echo|udp-echo|chat
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

enum { MAX_EVENTS = 256, CHUNK = 65536, MOST_CALLERS = 4096, TAIL = 4096 };

static char chunk[CHUNK];

/* Of the chat: who is there, by descriptors, and the part of a line that each has begun. */
static struct member { int there, held; char tail[TAIL]; } members[MOST_CALLERS];
static int highest;

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

static void tell_others(int caller, const char *bytes, size_t size)
{
    for (int other = 0; other <= highest; other++)
        if (members[other].there && other != caller)
            send(other, bytes, size, MSG_NOSIGNAL);
}

/* What is whole of what a caller sends goes to all others, each line behind an arrow. */
static void chat(int caller)
{
    static char heard[4 * CHUNK];
    struct member *own = &members[caller];
    size_t size = 0;
    memcpy(chunk, own->tail, (size_t)own->held);
    ssize_t got = recv(caller, chunk + own->held, CHUNK - TAIL, 0);
    if (got < 0 && errno == EAGAIN)
        return;
    char *line = chunk, *end = chunk + own->held + (got > 0 ? got : 0), *after;
    for (; (after = memchr(line, '\n', (size_t)(end - line))) != NULL; line = after + 1) {
        size_t length = (size_t)(after + 1 - line);
        if (size + length + 3 > sizeof heard)
            break; /* nobody sends so many empty lines but to try it */
        memcpy(heard + size, "-> ", 3);
        memcpy(heard + size + 3, line, length);
        size += length + 3;
    }
    if (size > 0)
        tell_others(caller, heard, size);
    own->held = (int)(end - line);
    if (got <= 0 || own->held > TAIL) {
        own->there = own->held = 0;
        close(caller);
    } else {
        memmove(own->tail, line, (size_t)own->held);
    }
}

static void enter_chat(int server, int poller)
{
    for (int caller; (caller = accept4(server, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = caller};
        int one = 1;
        if (caller >= MOST_CALLERS) {
            close(caller);
            continue;
        }
        setsockopt(caller, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        members[caller].there = 1;
        highest = caller > highest ? caller : highest;
        epoll_ctl(poller, EPOLL_CTL_ADD, caller, &event);
    }
}

int main(int count, char **words)
{
    int datagrams = count > 1 && strcmp(words[1], "udp-echo") == 0;
    int lines = count > 1 && strcmp(words[1], "chat") == 0;
    int server = listen_on(datagrams ? SOCK_DGRAM : SOCK_STREAM), poller = epoll_create1(0);
    struct epoll_event events[MAX_EVENTS], listening = {.events = EPOLLIN, .data.fd = server};
    epoll_ctl(poller, EPOLL_CTL_ADD, server, &listening);
    for (;;) {
        int ready = epoll_wait(poller, events, MAX_EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            if (lines)
                (events[i].data.fd != server) ? chat(events[i].data.fd) : enter_chat(server, poller);
            else if (events[i].data.fd != server)
                echo_stream(events[i].data.fd);
            else if (datagrams)
                echo_datagrams(server);
            else
                accept_all(server, poller);
        }
    }
}
