/* Preloaded into a process: system calls on files of certain names fail, write less, or take long.
 *
 * DISK_FAULTS names a file of rules, read anew at each call on a file beneath DISK_FAULTS_FOLDER.
 * A rule is a line: CALL SUFFIX FROM TO ERRNO MILLISECONDS.  The FROM-th to TO-th such call on files
 * whose name ends with SUFFIX waits so long, and fails with ERRNO; 0 lets it through, and -1 lets a
 * write through with half of its bytes.  Counts begin anew when a rule's line changes.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define RULES 8
#define SHORT (-1)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char last[RULES][256];
static long counts[RULES];

static int ends_with(const char *text, const char *suffix)
{
    size_t length = strlen(text), end = strlen(suffix);
    return length >= end && strcmp(text + length - end, suffix) == 0;
}

/* Returns what is to become of a call: 0, SHORT, or an error's number. */
static int judge(const char *call, const char *path)
{
    const char *rules = getenv("DISK_FAULTS"), *folder = getenv("DISK_FAULTS_FOLDER");
    if (rules == NULL || folder == NULL || strncmp(path, folder, strlen(folder)) != 0)
        return 0;
    int number = (int)syscall(SYS_openat, AT_FDCWD, rules, O_RDONLY | O_CLOEXEC, 0);
    if (number < 0)
        return 0;
    char text[2048];
    long size = syscall(SYS_read, number, text, sizeof text - 1);
    syscall(SYS_close, number);
    text[size > 0 ? size : 0] = 0;
    int verdict = 0;
    long delay = 0;
    char *rest = text;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < RULES; i++) {
        char *line = strsep(&rest, "\n"), name[32], suffix[128];
        long from, to, wait;
        int error;
        if (line == NULL)
            break;
        if (strncmp(line, last[i], sizeof last[i] - 1) != 0) {
            strncpy(last[i], line, sizeof last[i] - 1);
            counts[i] = 0;
        }
        if (sscanf(line, "%31s %127s %ld %ld %d %ld", name, suffix, &from, &to, &error, &wait) != 6)
            continue;
        if (strcmp(name, call) != 0 || !ends_with(path, suffix))
            continue;
        counts[i]++;
        if (counts[i] >= from && counts[i] <= to) {
            verdict = error;
            delay = wait;
        }
    }
    pthread_mutex_unlock(&lock);
    if (delay > 0) {
        struct timespec time = {delay / 1000, delay % 1000 * 1000000};
        nanosleep(&time, NULL);
    }
    return verdict;
}

static int judge_descriptor(const char *call, int descriptor)
{
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size <= 0 || path[0] != '/')
        return 0;
    path[size] = 0;
    return judge(call, path);
}

static int failed(int verdict)
{
    if (verdict > 0)
        errno = verdict;
    return verdict > 0;
}

ssize_t write(int descriptor, const void *data, size_t size)
{
    int verdict = judge_descriptor("write", descriptor);
    if (failed(verdict))
        return -1;
    return syscall(SYS_write, descriptor, data, verdict == SHORT && size > 1 ? size / 2 : size);
}

ssize_t writev(int descriptor, const struct iovec *pieces, int count)
{
    int verdict = judge_descriptor("writev", descriptor);
    if (failed(verdict))
        return -1;
    if (verdict == SHORT && pieces[0].iov_len > 1)
        return syscall(SYS_write, descriptor, pieces[0].iov_base, pieces[0].iov_len / 2);
    return syscall(SYS_writev, descriptor, pieces, count);
}

int fdatasync(int descriptor)
{
    return failed(judge_descriptor("fdatasync", descriptor)) ? -1 : (int)syscall(SYS_fdatasync, descriptor);
}

int fsync(int descriptor)
{
    return failed(judge_descriptor("fsync", descriptor)) ? -1 : (int)syscall(SYS_fsync, descriptor);
}

int ftruncate(int descriptor, off_t length)
{
    return failed(judge_descriptor("ftruncate", descriptor)) ? -1 : (int)syscall(SYS_ftruncate, descriptor, length);
}

int ftruncate64(int descriptor, off64_t length)
{
    return ftruncate(descriptor, length);
}

/* Renames are known by the new name's folder and the old name. */
int renameat2(int old_folder, const char *old, int folder, const char *new, unsigned flags)
{
    char link[64], path[8192];
    snprintf(link, sizeof link, "/proc/self/fd/%d", old_folder);
    ssize_t size = readlink(link, path, 4096);
    if (size > 0) {
        snprintf(path + size, sizeof path - (size_t)size, "/%s", old);
        if (failed(judge("rename", path)))
            return -1;
    }
    return (int)syscall(SYS_renameat2, old_folder, old, folder, new, flags);
}
