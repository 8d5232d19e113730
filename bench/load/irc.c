/* IRC: who registers, joins a room, and says or hears something there.
 *
 * A person is inside once it has been told the names, and coming in is over once everybody has
 * been told of everybody who came into its room later.
 */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { KNOCKING, HEARD, WELCOME, INSIDE };
enum {
    AT_ONCE = 8, /* who have connected and were not heard yet; ngircd's backlog is 10 */
    SHORTEST = 12, /* of ":a 001 b :c" and its like */
};

static int in_a_room, unheard, inside;
static long joins; /* that all together were told of */

static void send_line(struct member *member, const char *line, size_t length)
{
    if (send(member->descriptor, line, length, 0) != (ssize_t)length)
        fail("send (does the server not keep up?)");
}

/* No two runs have the same rooms, or nicks: a server may remember those that were. */
static size_t room_name(char *name, size_t size, const struct member *member)
{
    int number = in_a_room ? member->number / in_a_room : 0;
    return (size_t)snprintf(name, size, "#r%xx%d", (unsigned)getpid(), number);
}

static void answer_ping(struct member *member, const char *line, size_t length)
{
    char pong[600];
    if (length >= sizeof pong)
        return;
    memcpy(pong, line, length);
    pong[1] = 'O';
    send_line(member, pong, length);
}

static void join(struct member *member)
{
    char room[40], line[64];
    room_name(room, sizeof room, member);
    send_line(member, line, (size_t)snprintf(line, sizeof line, "JOIN %s\r\n", room));
    member->stage = WELCOME;
}

static void refused(const char *line, size_t length)
{
    fprintf(stderr, "load: refused: %.*s\n", (int)length, line);
    exit(1);
}

/* What comes while not everybody is inside.  That capabilities are listed, as all clients of
 * today ask, is the first that shows that the server has accepted. */
static void come_in(struct member *member, const char *line, const char *word, size_t length)
{
    static const char end[] = "CAP END\r\n";
    if (!memcmp(word, "CAP ", 4) && member->stage == KNOCKING) {
        member->stage = HEARD;
        unheard--;
        send_line(member, end, sizeof end - 1);
    } else if (!memcmp(word, "001 ", 4))
        join(member);
    else if (!memcmp(word, "366 ", 4) && member->stage == WELCOME) {
        member->stage = INSIDE;
        inside++;
    } else if (!memcmp(word, "JOIN ", 5))
        joins++;
    else if (!memcmp(line, "ERROR", 5)
             || ((*word == '4' || *word == '5') && word[3] == ' ' && memcmp(word, "422 ", 4)))
        refused(line, length);
}

static size_t next(struct member *listener, const char *bytes, size_t have, const char **text,
                   size_t *length)
{
    const char *end = memchr(bytes, '\n', have);
    if (!end)
        return 0;
    size_t size = (size_t)(end - bytes) + 1;
    if (size < SHORTEST || bytes[0] != ':') {
        if (!memcmp(bytes, "PING ", 5))
            answer_ping(listener, bytes, size);
        else if (size > 6 && !memcmp(bytes, "ERROR ", 6))
            refused(bytes, size);
        return size;
    }
    const char *word = memchr(bytes, ' ', size);
    word = word ? word + 1 : end;
    if (end - word > 8 && !memcmp(word, "PRIVMSG ", 8)) {
        const char *last = memmem(word, (size_t)(end - word), " :", 2);
        if (!last || end[-1] != '\r')
            refused(bytes, size);
        *text = last + 2;
        *length = (size_t)(end - 1 - *text);
    } else if (end - word > 5)
        come_in(listener, bytes, word, size);
    return size;
}

static size_t frame(char *wire, const char *text, size_t length)
{
    static const struct member anybody;
    memcpy(wire, "PRIVMSG ", 8);
    size_t head = 8 + room_name(wire + 8, 40, &anybody);
    memcpy(wire + head, " :", 2);
    memcpy(wire + head + 2, text, length);
    memcpy(wire + head + 2 + length, "\r\n", 2);
    return head + length + 4;
}

static void unexpected(struct member *listener, const char *text, size_t length)
{
    (void)listener;
    refused(text, length);
}

static void knock(struct member *member, int poller, const struct options *options)
{
    char line[120];
    member->descriptor = connect_tcp(options);
    unblock(member->descriptor);
    watch(poller, member->descriptor, EPOLLIN, member);
    int size = snprintf(line, sizeof line, "CAP LS 302\r\nNICK b%xx%d\r\nUSER bench 0 * :A benchmark\r\n",
                        (unsigned)getpid(), member->number);
    send_line(member, line, (size_t)size);
    unheard++;
}

/* How many lines tell of somebody's coming: to itself, and to who was there before. */
static long expected_joins(int count)
{
    long expected = 0;
    for (int first = 0; first < count; first += in_a_room) {
        long people = count - first < in_a_room ? count - first : in_a_room;
        expected += people * (people + 1) / 2;
    }
    return expected;
}

static void enter_rooms(struct member *members, int count, int room, const struct options *options)
{
    struct epoll_event events[MAX_EVENTS];
    int poller = epoll_create1(0), started = 0;
    in_a_room = room;
    long expected = expected_joins(count);
    while (inside < count || joins < expected) {
        while (started < count && unheard < AT_ONCE)
            knock(&members[started++], poller, options);
        int ready = epoll_wait(poller, events, MAX_EVENTS, 50);
        for (int i = 0; i < ready; i++)
            receive(events[i].data.ptr, &irc_dialect, unexpected);
    }
    if (joins != expected) {
        errno = EBADMSG;
        fail("more was told of who came in than there were");
    }
    close(poller);
}

static void enter(struct member *members, int count, const struct options *options)
{
    enter_rooms(members, count, count, options);
}

const struct dialect irc_dialect = {.enter = enter, .frame = frame, .next = next};

static void everybody_comes(const struct options *options)
{
    struct member *members = calloc((size_t)options->connections, sizeof *members);
    for (int i = 0; i < options->connections; i++) {
        members[i].number = i;
        members[i].buffer = malloc(CHUNK);
    }
    enter_rooms(members, options->connections, options->room, options);
}

/* All come at once, as after a netsplit.  A message is one person who has come in. */
void irc_return(const struct options *options)
{
    window_begin(options);
    everybody_comes(options);
    window_end(options);
    count(options->connections);
}

/* All are there, and silent.  A message is one byte of the server's resident memory. */
void irc_idle(const struct options *options)
{
    window_begin(options);
    everybody_comes(options);
    usleep(200000);
    window_end(options);
    count(resident_bytes(options->server));
}
