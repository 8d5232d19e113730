/* The chat of lines: who says one is heard by all others, behind "-> ". */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { PREFIX = 3 };

static size_t frame(char *wire, const char *text, size_t length)
{
    memcpy(wire, text, length);
    wire[length] = '\n';
    return length + 1;
}

static size_t next(struct member *listener, const char *bytes, size_t have, const char **text,
                   size_t *length)
{
    (void)listener;
    const char *end = memchr(bytes, '\n', have);
    if (!end)
        return 0;
    if (memcmp(bytes, "-> ", PREFIX) != 0) {
        errno = EBADMSG;
        fail("what a member heard is not what another said");
    }
    *text = bytes + PREFIX;
    *length = (size_t)(end - *text);
    return (size_t)(end - bytes) + 1;
}

/* Everybody is in the room once the last one's line has reached all others. */
static void enter(struct member *members, int count, const struct options *options)
{
    ssize_t size = options->size;
    char *line = malloc((size_t)size + PREFIX);
    for (int i = 0; i < count; i++)
        members[i].descriptor = connect_tcp(options);
    memset(line, 'x', (size_t)size - 1);
    line[size - 1] = '\n';
    if (send(members[count - 1].descriptor, line, (size_t)size, 0) != size)
        fail("send");
    for (int i = 0; i < count - 1; i++)
        if (recv(members[i].descriptor, line, (size_t)size + PREFIX, MSG_WAITALL) != size + PREFIX)
            fail("receive");
    free(line);
}

const struct dialect lines_dialect = {.ending = 1, .enter = enter, .frame = frame, .next = next};
