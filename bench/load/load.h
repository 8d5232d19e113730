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
    double warm, window; /* seconds */
    double rate;       /* messages a second; 0 is as many as the server takes */
};

/* measure.c: the window */
double now(void);
double server_cpu(pid_t server);
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

/* the modes */
void ping_pong(const struct options *options, char kind);
void fan_out(const struct options *options);
void stream(const struct options *options);
void connect_close(const struct options *options);
void idle(const struct options *options);

#endif
