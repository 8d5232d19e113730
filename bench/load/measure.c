/* The measured window: clocks, counts, a histogram of latencies, the report. */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Latency buckets grow by 1 % each, from 100 ns on: 2400 of them reach beyond an hour. */
enum { BUCKETS = 2400 };
static const double FIRST = 1e-7, GROWTH = 1.01;

static double started, begun, ended; /* by the clock; 0 is not yet */
static double server_used, load_used;
static double messages, lost, stamped;
static double buckets[BUCKETS];
static double due_next;

static double clock_seconds(clockid_t clock)
{
    struct timespec time;
    if (clock_gettime(clock, &time) != 0)
        fail("clock_gettime (has the server ended?)");
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

void fail(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

double now(void) { return clock_seconds(CLOCK_MONOTONIC); }

/* The CPU clock of a process: all its threads, user and system, to the nanosecond. */
double server_cpu(pid_t server)
{
    clockid_t clock;
    int error = clock_getcpuclockid(server, &clock);
    if (error) {
        errno = error;
        fail("clock_getcpuclockid");
    }
    return clock_seconds(clock);
}

/* Exact, where the figures of "status" and "statm" may lag by some hundred pages. */
double resident_bytes(pid_t server)
{
    char path[64], line[256];
    double kilobytes = -1;
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)server);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file) && sscanf(line, "Rss: %lf", &kilobytes) != 1)
        ;
    if (kilobytes < 0)
        fail(path);
    fclose(file);
    return kilobytes * 1024;
}

void window_begin(const struct options *options)
{
    messages = lost = stamped = 0;
    memset(buckets, 0, sizeof buckets);
    begun = now();
    server_used = server_cpu(options->server);
    load_used = clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
}

void window_end(const struct options *options)
{
    server_used = server_cpu(options->server) - server_used;
    load_used = clock_seconds(CLOCK_PROCESS_CPUTIME_ID) - load_used;
    ended = now();
}

int window_open(const struct options *options)
{
    double time = now();
    if (started == 0)
        started = time;
    if (begun == 0 && time >= started + options->warm)
        window_begin(options);
    if (begun != 0 && time >= begun + options->window) {
        window_end(options);
        return 0;
    }
    return 1;
}

void count(double more) { messages += more; }
void count_lost(void) { lost++; }

void stamp(char *message, double due)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t nanoseconds = (uint64_t)(due * 1e9);
    for (int i = STAMP - 1; i >= 0; i--, nanoseconds >>= 4)
        message[i] = digits[nanoseconds & 15];
}

void count_stamped(const char *message)
{
    uint64_t nanoseconds = 0;
    for (int i = 0; i < STAMP; i++) {
        char digit = message[i];
        nanoseconds = nanoseconds << 4 | (uint64_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
    }
    double latency = now() - (double)nanoseconds * 1e-9;
    if (latency < 0 || latency > 3600) {
        errno = EBADMSG;
        fail("what came back is not what was sent");
    }
    int bucket = latency <= FIRST ? 0 : (int)(log(latency / FIRST) / log(GROWTH));
    buckets[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
    stamped++;
    messages++;
}

int next_due(const struct options *options, double *due)
{
    double time = now();
    if (due_next == 0)
        due_next = time;
    if (time < due_next)
        return 0;
    *due = due_next;
    due_next += 1 / options->rate;
    return 1;
}

static double percentile_us(double part)
{
    double seen = 0;
    for (int i = 0; i < BUCKETS; i++) {
        seen += buckets[i];
        if (seen > 0 && seen >= part * stamped)
            return FIRST * pow(GROWTH, i + 0.5) * 1e6;
    }
    return 0;
}

void report(void)
{
    printf("{\"messages\": %.0f, \"seconds\": %.6f, \"server_cpu\": %.6f, \"load_cpu\": %.6f, "
           "\"p50_us\": %.1f, \"p99_us\": %.1f, \"lost\": %.0f}\n",
           messages, ended - begun, server_used, load_used, percentile_us(0.50),
           percentile_us(0.99), lost);
}
