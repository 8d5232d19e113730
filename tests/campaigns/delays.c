/* Preloaded into a process: now and then a system call takes a while, before or after it is made.
 *
 * DELAYS_ONE_IN says of how many calls one is delayed, DELAYS_MICROSECONDS for how long at most.
 * Threads, and processes that are started by this one, each draw by themselves.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static uint64_t one_in, most;
static __thread uint64_t state;

__attribute__((constructor)) static void read_environment(void)
{
    const char *calls = getenv("DELAYS_ONE_IN"), *time = getenv("DELAYS_MICROSECONDS");
    one_in = calls ? strtoull(calls, NULL, 10) : 0;
    most = time ? strtoull(time, NULL, 10) : 0;
}

/* A number that is another each time (xorshift, Marsaglia 2003). */
static uint64_t draw(void)
{
    if (state == 0) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        state = (uint64_t)now.tv_nsec << 32 ^ (uint64_t)getpid() << 8 ^ (uintptr_t)&state ^ 1;
    }
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state >> 16;
}

static void delay(void)
{
    if (one_in == 0 || most == 0 || draw() % one_in != 0)
        return;
    int kept = errno;
    uint64_t time = draw() % most;
    nanosleep(&(struct timespec){.tv_sec = time / 1000000, .tv_nsec = time % 1000000 * 1000}, NULL);
    errno = kept;
}

/* Defines the function NAME that makes the call of libc's between two delays. */
#define DELAYED(result, name, parameters, arguments)                                               \
    result name parameters                                                                         \
    {                                                                                              \
        static result(*real) parameters;                                                           \
        if (real == NULL)                                                                          \
            real = (result(*) parameters)dlsym(RTLD_NEXT, #name);                                  \
        delay();                                                                                   \
        result got = real arguments;                                                               \
        delay();                                                                                   \
        return got;                                                                                \
    }

typedef struct sockaddr address;
DELAYED(ssize_t, send, (int to, const void *data, size_t size, int flags), (to, data, size, flags))
DELAYED(ssize_t, recv, (int from, void *data, size_t size, int flags), (from, data, size, flags))
DELAYED(ssize_t, read, (int from, void *data, size_t size), (from, data, size))
DELAYED(ssize_t, write, (int to, const void *data, size_t size), (to, data, size))
DELAYED(ssize_t, sendmsg, (int to, const struct msghdr *what, int flags), (to, what, flags))
DELAYED(ssize_t, recvmsg, (int from, struct msghdr *what, int flags), (from, what, flags))
DELAYED(int, close, (int which), (which))
DELAYED(int, shutdown, (int which, int how), (which, how))
DELAYED(int, connect, (int which, const address *to, socklen_t size), (which, to, size))
DELAYED(int, accept4, (int which, address *from, socklen_t *size, int flags),
        (which, from, size, flags))
DELAYED(int, epoll_wait, (int which, struct epoll_event *ready, int count, int timeout),
        (which, ready, count, timeout))
DELAYED(int, poll, (struct pollfd *which, nfds_t count, int timeout), (which, count, timeout))
DELAYED(int, fsync, (int which), (which))
DELAYED(int, fdatasync, (int which), (which))
DELAYED(int, rename, (const char *from, const char *to), (from, to))
DELAYED(int, unlink, (const char *path), (path))
DELAYED(int, kill, (pid_t process, int number), (process, number))
