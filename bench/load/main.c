/* The load generator's command line. */
#define _GNU_SOURCE
#include "load.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATIENCE = 60 };

static int usage(const char *what)
{
    fprintf(stderr, "load: %s\nload MODE PORT SERVER_PID [key=value ...]\n", what);
    return 2;
}

int main(int count, char **words)
{
    struct options options = {.connections = 1, .size = 64, .senders = 1, .window = 1};
    if (count < 4)
        return usage("too few arguments");
    const char *mode = words[1];
    options.port = atoi(words[2]);
    options.server = atoi(words[3]);
    for (int i = 4; i < count; i++) {
        char *value = strchr(words[i], '=');
        if (!value)
            return usage(words[i]);
        *value++ = 0;
        if (!strcmp(words[i], "connections")) options.connections = atoi(value);
        else if (!strcmp(words[i], "size")) options.size = atoi(value);
        else if (!strcmp(words[i], "senders")) options.senders = atoi(value);
        else if (!strcmp(words[i], "room")) options.room = atoi(value);
        else if (!strcmp(words[i], "warm")) options.warm = atof(value);
        else if (!strcmp(words[i], "window")) options.window = atof(value);
        else if (!strcmp(words[i], "rate")) options.rate = atof(value);
        else return usage(words[i]);
    }
    signal(SIGPIPE, SIG_IGN);
    alarm(PATIENCE + (unsigned)(options.warm + options.window));
    if (!strcmp(mode, "tcp")) ping_pong(&options, 't');
    else if (!strcmp(mode, "tls")) ping_pong(&options, 's');
    else if (!strcmp(mode, "udp")) ping_pong(&options, 'u');
    else if (!strcmp(mode, "fan-out")) fan_out(&options, &lines_dialect);
    else if (!strcmp(mode, "irc-fan-out")) fan_out(&options, &irc_dialect);
    else if (!strcmp(mode, "websocket-fan-out")) fan_out(&options, &websocket_dialect);
    else if (!strcmp(mode, "websocket-idle")) websocket_idle(&options);
    else if (!strcmp(mode, "socketio-fan-out")) fan_out(&options, &socketio_dialect);
    else if (!strcmp(mode, "irc-return")) irc_return(&options);
    else if (!strcmp(mode, "irc-idle")) irc_idle(&options);
    else if (!strcmp(mode, "stream")) stream(&options);
    else if (!strcmp(mode, "connect")) connect_close(&options);
    else if (!strcmp(mode, "idle")) idle(&options);
    else return usage(mode);
    report();
    return 0;
}
