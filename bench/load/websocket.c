/* The chat over WebSocket, bare or below Socket.IO: who says hello, joins a room, and is heard there.
 *
 * Just enough of RFC 6455: text frames, masked on the way out; pings are answered, of Engine.IO
 * too.  What is said is the "text" of an object in JSON, of letters and digits only.
 */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TEXT = 1, CLOSE = 8, PING = 9, PONG = 10, SMALL = 126, SHORT = 65536 };

static const unsigned char mask[4] = {0x5a, 0xc3, 0x17, 0x88};
static int in_a_room; /* 0 is everybody */

static void wrong(const char *what, const char *bytes, size_t length)
{
    fprintf(stderr, "load: %s: %.*s\n", what, (int)(length < 200 ? length : 200), bytes);
    exit(1);
}

static size_t masked(char *wire, int opcode, const char *payload, size_t length)
{
    size_t head = 2;
    wire[0] = (char)(0x80 | opcode);
    if (length < SMALL)
        wire[1] = (char)(0x80 | length);
    else {
        wire[1] = (char)(0x80 | SMALL);
        wire[2] = (char)(length >> 8);
        wire[3] = (char)length;
        head = 4;
    }
    memcpy(wire + head, mask, sizeof mask);
    head += sizeof mask;
    for (size_t i = 0; i < length; i++)
        wire[head + i] = (char)(payload[i] ^ mask[i & 3]);
    return head + length;
}

static void send_frame(struct member *member, int opcode, const char *payload, size_t length)
{
    char wire[SHORT];
    size_t size = masked(wire, opcode, payload, length);
    if (send(member->descriptor, wire, size, 0) != (ssize_t)size)
        fail("send (does the server not keep up?)");
}

static void send_text(struct member *member, const char *text)
{
    send_frame(member, TEXT, text, strlen(text));
}

/* Return the bytes of the first frame, or 0 while it is not whole; set its parts. */
static size_t unwrap(const char *bytes, size_t have, int *opcode, const char **payload,
                     size_t *length)
{
    const unsigned char *head = (const unsigned char *)bytes;
    size_t used = 2;
    if (have < used)
        return 0;
    *opcode = head[0] & 15;
    *length = head[1];
    if (*length == SMALL) {
        used = 4;
        if (have < used)
            return 0;
        *length = (size_t)head[2] << 8 | head[3];
    } else if (*length > SMALL)
        wrong("a frame that is masked, or too long", "", 0);
    *payload = bytes + used;
    return have < used + *length ? 0 : used + *length;
}

static int begins(const char *text, size_t length, const char *with)
{
    return length >= strlen(with) && !memcmp(text, with, strlen(with));
}

/* What stands in the object at "text". */
static void find_text(const char *object, size_t length, const char **text, size_t *its_length)
{
    static const char key[] = "\"text\":";
    const char *end = object + length, *start = memmem(object, length, key, sizeof key - 1);
    start = start ? memchr(start + sizeof key - 1, '"', (size_t)(end - start) - sizeof key + 1) : NULL;
    const char *quote = start ? memchr(start + 1, '"', (size_t)(end - start - 1)) : NULL;
    if (!quote)
        wrong("a message without a text", object, length);
    *text = start + 1;
    *its_length = (size_t)(quote - start - 1);
}

/* Take a frame that is no message of the chat; whether it was one. */
static int is_control(struct member *member, int opcode, const char *payload, size_t length)
{
    if (opcode == CLOSE)
        wrong("closed", payload + 2, length - 2);
    if (opcode == PING)
        send_frame(member, PONG, payload, length);
    return opcode != TEXT;
}

static size_t next_bare(struct member *listener, const char *bytes, size_t have, const char **text,
                        size_t *length)
{
    const char *payload;
    size_t its_length;
    int opcode;
    size_t size = unwrap(bytes, have, &opcode, &payload, &its_length);
    if (!size || is_control(listener, opcode, payload, its_length))
        return size;
    if (begins(payload, its_length, "{\"type\":\"message\""))
        find_text(payload, its_length, text, length);
    else if (begins(payload, its_length, "{\"type\":\"done\""))
        listener->stage++;
    else if (begins(payload, its_length, "{\"type\":\"refused\""))
        wrong("refused", payload, its_length);
    return size;
}

static size_t next_socketio(struct member *listener, const char *bytes, size_t have,
                            const char **text, size_t *length)
{
    const char *payload;
    size_t its_length;
    int opcode;
    size_t size = unwrap(bytes, have, &opcode, &payload, &its_length);
    if (!size || is_control(listener, opcode, payload, its_length))
        return size;
    if (begins(payload, its_length, "42[\"message\""))
        find_text(payload, its_length, text, length);
    else if (begins(payload, its_length, "2"))
        send_text(listener, "3");
    else if (begins(payload, its_length, "0{") || begins(payload, its_length, "40")
             || begins(payload, its_length, "43")) {
        if (memmem(payload, its_length, "\"refused\"", 9))
            wrong("refused", payload, its_length);
        listener->stage++;
    } else if (begins(payload, its_length, "44") || begins(payload, its_length, "41"))
        wrong("refused", payload, its_length);
    return size;
}

/* No two runs have the same rooms. */
static void room_name(char *name, size_t size, int number)
{
    snprintf(name, size, "r%xx%d", (unsigned)getpid(), in_a_room ? number / in_a_room : 0);
}

static size_t frame_of(char *wire, const char *format, const char *text, size_t length)
{
    char payload[SHORT], room[40];
    room_name(room, sizeof room, 0);
    int size = snprintf(payload, sizeof payload, format, room, (int)length, text);
    return masked(wire, TEXT, payload, (size_t)size);
}

static size_t frame_bare(char *wire, const char *text, size_t length)
{
    return frame_of(wire, "{\"type\":\"say\",\"room\":\"%s\",\"text\":\"%.*s\"}", text, length);
}

static size_t frame_socketio(char *wire, const char *text, size_t length)
{
    return frame_of(wire, "42[\"say\",{\"room\":\"%s\",\"text\":\"%.*s\"}]", text, length);
}

static void unexpected(struct member *listener, const char *text, size_t length)
{
    (void)listener;
    wrong("a message before anybody has said one", text, length);
}

static void await_stage(struct member *member, const struct dialect *dialect, int stage)
{
    while (member->stage < stage)
        receive(member, dialect, unexpected);
}

/* The opening handshake; what comes behind it stays in the member's buffer. */
static void open_socket(struct member *member, const struct options *options, const char *path)
{
    char request[600], *end;
    member->descriptor = connect_tcp(options);
    int size = snprintf(request, sizeof request,
                        "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                        path, options->port);
    if (send(member->descriptor, request, (size_t)size, 0) != size)
        fail("send");
    do {
        ssize_t got = recv(member->descriptor, member->buffer + member->have,
                           CHUNK - member->have, 0);
        if (got <= 0)
            fail("opening handshake");
        member->have += (size_t)got;
    } while (!(end = memmem(member->buffer, member->have, "\r\n\r\n", 4)));
    if (!begins(member->buffer, member->have, "HTTP/1.1 101 "))
        wrong("no WebSocket", member->buffer, member->have);
    member->have -= (size_t)(end + 4 - member->buffer);
    memmove(member->buffer, end + 4, member->have);
}

static void enter_bare(struct member *members, int count, const struct options *options)
{
    char text[200], room[40];
    for (int i = 0; i < count; i++) {
        room_name(room, sizeof room, members[i].number);
        open_socket(&members[i], options, "/ws");
        snprintf(text, sizeof text, "{\"type\":\"hello\",\"version\":1,\"nick\":\"b%xx%d\"}",
                 (unsigned)getpid(), members[i].number);
        send_text(&members[i], text);
        snprintf(text, sizeof text, "{\"type\":\"join\",\"room\":\"%s\"}", room);
        send_text(&members[i], text);
        await_stage(&members[i], &websocket_dialect, 2);
    }
}

static void enter_socketio(struct member *members, int count, const struct options *options)
{
    char text[200], room[40];
    for (int i = 0; i < count; i++) {
        struct member *member = &members[i];
        room_name(room, sizeof room, member->number);
        open_socket(member, options, "/socket.io/?EIO=4&transport=websocket");
        /* What came with the answer to the handshake is looked at with what comes next. */
        send_text(member, "40");
        await_stage(member, &socketio_dialect, 2);
        snprintf(text, sizeof text, "420[\"hello\",{\"version\":1,\"nick\":\"b%xx%d\"}]",
                 (unsigned)getpid(), member->number);
        send_text(member, text);
        snprintf(text, sizeof text, "421[\"join\",{\"room\":\"%s\"}]", room);
        send_text(member, text);
        await_stage(member, &socketio_dialect, 4);
    }
}

const struct dialect websocket_dialect = {
    .enter = enter_bare, .frame = frame_bare, .next = next_bare};
const struct dialect socketio_dialect = {
    .enter = enter_socketio, .frame = frame_socketio, .next = next_socketio};

static void come(const struct options *options, int first, int many)
{
    struct member *members = calloc((size_t)many, sizeof *members);
    for (int i = 0; i < many; i++) {
        members[i].number = first + i;
        members[i].buffer = malloc(CHUNK);
    }
    enter_bare(members, many, options);
}

/* All are there, and silent.  A message is one byte that the server's memory has grown by. */
void websocket_idle(const struct options *options)
{
    in_a_room = options->room;
    come(options, 0, 100); /* what a server loads once, for its first callers */
    usleep(100000);
    double before = resident_bytes(options->server);
    window_begin(options);
    come(options, 100, options->connections);
    usleep(200000);
    window_end(options);
    double grown = resident_bytes(options->server) - before;
    count(grown > 0 ? grown : 0);
}
