/* Chat: senders say lines, and everybody else must get each of them behind "-> ".
 *
 * A message, here, is one line delivered to one member.  At saturation each sender has
 * one line under way, and says the next when all others have got it.
 */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { PREFIX = 3, SENDER = 4 };

struct member {
    int descriptor, number;
    long heard; /* of what this member says, by all others together */
    size_t have;
    char *buffer;
};

static char *said;
static size_t size;

static void say(struct member *member, double due)
{
    char number[SENDER + 1];
    snprintf(number, sizeof number, "%04u", (unsigned)member->number % 10000);
    stamp(said, due);
    memcpy(said + STAMP, number, SENDER);
    if (send(member->descriptor, said, size, 0) != (ssize_t)size)
        fail("send (does the server not keep up?)");
}

static void hear(struct member *listener, struct member *members, const struct options *options)
{
    const size_t wire = PREFIX + size;
    const long others = options->connections + options->senders - 1;
    ssize_t got = recv(listener->descriptor, listener->buffer + listener->have,
                       CHUNK - listener->have, 0);
    if (got <= 0)
        fail("receive");
    listener->have += (size_t)got;
    size_t used = 0;
    for (; listener->have - used >= wire; used += wire) {
        const char *line = listener->buffer + used;
        int number = -1;
        if (memcmp(line, "-> ", PREFIX) != 0 || line[wire - 1] != '\n'
            || sscanf(line + PREFIX + STAMP, "%4d", &number) != 1
            || number >= options->senders || number == listener->number) {
            errno = EBADMSG;
            fail("what a member heard is not what another said");
        }
        count_stamped(line + PREFIX);
        struct member *speaker = &members[number];
        if (++speaker->heard == others) {
            speaker->heard = 0;
            if (options->rate == 0)
                say(speaker, now());
        }
    }
    listener->have -= used;
    memmove(listener->buffer, listener->buffer + used, listener->have);
}

/* Everybody is in the room once the last one's line has reached all others. */
static void wait_until_joined(struct member *members, int count)
{
    for (int i = 0; i < count; i++) {
        char prefixed[CHUNK];
        ssize_t wire = PREFIX + (ssize_t)size;
        if (i != 0 && recv(members[i].descriptor, prefixed, (size_t)wire, MSG_WAITALL) != wire)
            fail("receive");
    }
}

void fan_out(const struct options *options)
{
    int count = options->connections + options->senders, poller = epoll_create1(0), turn = 0;
    size = (size_t)options->size;
    said = malloc(size);
    memset(said, 'x', size - 1);
    said[size - 1] = '\n';
    struct member *members = calloc((size_t)count, sizeof *members);
    struct epoll_event events[MAX_EVENTS];
    /* Member 0, who tests whether all are there, comes last. */
    for (int i = count - 1; i >= 0; i--) {
        members[i].number = i;
        members[i].buffer = malloc(CHUNK);
        members[i].descriptor = connect_tcp(options);
        watch(poller, members[i].descriptor, EPOLLIN, &members[i]);
    }
    say(&members[0], now());
    wait_until_joined(members, count);
    for (int i = 0; i < count; i++)
        unblock(members[i].descriptor);
    for (int i = 0; options->rate == 0 && i < options->senders; i++)
        say(&members[i], now());
    while (window_open(options)) {
        double due;
        while (options->rate > 0 && next_due(options, &due))
            say(&members[turn++ % options->senders], due);
        int ready = epoll_wait(poller, events, MAX_EVENTS, poller_timeout(options));
        for (int i = 0; i < ready; i++)
            hear(events[i].data.ptr, members, options);
    }
}
