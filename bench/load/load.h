/* The load generator: what its parts share.
 *
 *     load MODE PORT SERVER_PID [key=value ...]
 *
 * It drives the server at 127.0.0.1:PORT for a while and prints one line of JSON: what the
 * server did in the measured window, and the CPU time that the server and the generator
 * spent on it.  The generator must not know which server it talks to.
 */
#ifndef LOAD_H
#define LOAD_H

#include <stdint.h>
#include <sys/types.h>

enum { MAX_EVENTS = 256, CHUNK = 65536, STAMP = 16 };

struct options {
    int port;
    pid_t server;
    int connections;   /* readers, in the fan-out */
    int size;          /* bytes in a message */
    int senders;       /* fan-out: so many more connections, that also speak */
    int room;          /* people in each room */
    double warm, window; /* seconds */
    double rate;       /* messages a second; 0 is as many as the server takes */
};

/* measure.c: the window */
double now(void);
double server_cpu(pid_t server);
double resident_bytes(pid_t server);
void fail(const char *what);
/* Call in every turn of the loop; 0 when the window is over. */
int window_open(const struct options *options);
/* For a mode that decides itself when the window begins and ends. */
void window_begin(const struct options *options);
void window_end(const struct options *options);
void count(double messages);
void count_lost(void);
void report(void);

/* measure.c: messages carry the time they were due, as 16 hex digits */
void stamp(char *message, double due);
void count_stamped(const char *message);
/* At a fixed rate: is another message due?  Sets the time at which it was. */
int next_due(const struct options *options, double *due);

/* sockets.c */
int connect_tcp(const struct options *options);
int connect_udp(const struct options *options);
void unblock(int descriptor);
void watch(int poller, int descriptor, uint32_t events, void *data);
int poller_timeout(const struct options *options);

/* One of those in a room. */
struct member {
    int descriptor, number, stage;
    long heard; /* of what this member says, by all others together */
    size_t have;
    char *buffer; /* CHUNK bytes, of which it has so many */
};

/* How members come in, and what they say and hear, on one wire. */
struct dialect {
    size_t ending; /* bytes of the message's size that are not text */
    /* Connect all of them, and have them be in one room. */
    void (*enter)(struct member *members, int count, const struct options *options);
    /* Write what says a text; return its bytes. */
    size_t (*frame)(char *wire, const char *text, size_t length);
    /* Take the first message of what a member has; return its bytes, or 0 while it is not whole.
     * Where somebody says something, *text is set. */
    size_t (*next)(struct member *listener, const char *bytes, size_t have, const char **text,
                   size_t *length);
};
extern const struct dialect lines_dialect, irc_dialect, websocket_dialect, socketio_dialect;

/* fan_out.c: read what has come, and hand on each message that is whole */
void receive(struct member *listener, const struct dialect *dialect,
             void (*heard)(struct member *listener, const char *text, size_t length));

/* the modes */
void ping_pong(const struct options *options, char kind);
void fan_out(const struct options *options, const struct dialect *dialect);
void irc_return(const struct options *options);
void irc_idle(const struct options *options);
void websocket_idle(const struct options *options);
void stream(const struct options *options);
void connect_close(const struct options *options);
void idle(const struct options *options);

#endif
