/* A room: senders say texts, and everybody else must get each of them.
 *
 * A message, here, is one text delivered to one member.  At saturation each sender has one
 * under way, and says the next when all others have got it.
 */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { SENDER = 4 };

static const struct options *options;
static const struct dialect *dialect;
static struct member *members;
static char *said, *wire;
static size_t length;

static void say(struct member *member, double due)
{
    char number[SENDER + 1];
    snprintf(number, sizeof number, "%04u", (unsigned)member->number % 10000);
    stamp(said, due);
    memcpy(said + STAMP, number, SENDER);
    ssize_t size = (ssize_t)dialect->frame(wire, said, length);
    if (send(member->descriptor, wire, (size_t)size, 0) != size)
        fail("send (does the server not keep up?)");
}

static void heard(struct member *listener, const char *text, size_t its_length)
{
    int number = -1;
    if (its_length != length || sscanf(text + STAMP, "%4d", &number) != 1
        || number >= options->senders || number == listener->number) {
        errno = EBADMSG;
        fail("what a member heard is not what another said");
    }
    count_stamped(text);
    struct member *speaker = &members[number];
    if (++speaker->heard == options->connections + options->senders - 1) {
        speaker->heard = 0;
        if (options->rate == 0)
            say(speaker, now());
    }
}

void receive(struct member *listener, const struct dialect *its,
             void (*hears)(struct member *listener, const char *text, size_t length))
{
    ssize_t got = recv(listener->descriptor, listener->buffer + listener->have,
                       CHUNK - listener->have, 0);
    if (got <= 0)
        fail("receive");
    listener->have += (size_t)got;
    size_t used = 0, more, its_length = 0;
    const char *text = NULL;
    while ((more = its->next(listener, listener->buffer + used, listener->have - used, &text,
                             &its_length)) > 0) {
        used += more;
        if (text)
            hears(listener, text, its_length);
        text = NULL;
    }
    listener->have -= used;
    memmove(listener->buffer, listener->buffer + used, listener->have);
}

void fan_out(const struct options *given, const struct dialect *spoken)
{
    int count = given->connections + given->senders, poller = epoll_create1(0), turn = 0;
    struct epoll_event events[MAX_EVENTS];
    options = given;
    dialect = spoken;
    length = (size_t)options->size - dialect->ending;
    said = malloc(length);
    memset(said, 'x', length);
    wire = malloc(length + CHUNK);
    members = calloc((size_t)count, sizeof *members);
    for (int i = 0; i < count; i++) {
        members[i].number = i;
        members[i].buffer = malloc(CHUNK);
    }
    dialect->enter(members, count, options);
    for (int i = 0; i < count; i++) {
        unblock(members[i].descriptor);
        watch(poller, members[i].descriptor, EPOLLIN, &members[i]);
    }
    for (int i = 0; options->rate == 0 && i < options->senders; i++)
        say(&members[i], now());
    while (window_open(options)) {
        double due;
        while (options->rate > 0 && next_due(options, &due))
            say(&members[turn++ % options->senders], due);
        int ready = epoll_wait(poller, events, MAX_EVENTS, poller_timeout(options));
        for (int i = 0; i < ready; i++)
            receive(events[i].data.ptr, dialect, heard);
    }
}
