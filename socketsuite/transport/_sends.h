/* Many sends by one system call, where the kernel has io_uring and allows it; else one after another.
 *
 * One ring for the process, of as many entries as a batch has, and nothing registered with it.  Each
 * send is told not to wait, so that all are over when the call returns; one that is short or fails
 * says so, and is not tried again.  What is not as it should be ends the use of the ring, and plain
 * sends go on.  A child made by fork() has a ring of its own.  This file must not know of Python.
 */
#include <errno.h>
#include <linux/io_uring.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MOST_SENDS = 128, SEND_FLAGS = MSG_DONTWAIT | MSG_NOSIGNAL };

/* One send; afterwards *sent* bytes, or an error's number below zero. */
struct one_send {
    int descriptor;
    const void *bytes;
    size_t size;
    ssize_t sent;
};

static struct {
    int descriptor, error; /* an error: it is not to be had, and is not asked for again */
    pid_t owner;           /* 0: not asked for yet */
    _Atomic unsigned *sq_head, *sq_tail, *cq_head, *cq_tail;
    unsigned *sq_array, sq_mask, cq_mask;
    struct io_uring_sqe *entries;
    struct io_uring_cqe *completions;
    char *memory;
    size_t memory_size, entries_size;
} ring;

static void close_ring(int error)
{
    if (ring.memory != NULL)
        munmap(ring.memory, ring.memory_size);
    if (ring.entries != NULL)
        munmap(ring.entries, ring.entries_size);
    if (ring.descriptor > 0)
        close(ring.descriptor);
    memset(&ring, 0, sizeof ring);
    ring.owner = getpid();
    ring.error = error;
}

static void *map_ring(size_t size, off_t what)
{
    void *mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
                        ring.descriptor, what);
    return mapped == MAP_FAILED ? NULL : mapped;
}

/* Open the ring, once in each process; return 0, or why there is none. */
static int open_ring(void)
{
    if (ring.owner == getpid())
        return ring.error;
    close_ring(0); /* a parent's, if any */
    const char *forbidden = getenv("SOCKETSUITE_NO_IO_URING");
    struct io_uring_params p;
    memset(&p, 0, sizeof p);
    if (forbidden != NULL && *forbidden != '\0' && strcmp(forbidden, "0") != 0)
        ring.error = ECANCELED;
    else if ((ring.descriptor = (int)syscall(SYS_io_uring_setup, MOST_SENDS, &p)) < 0)
        ring.error = errno;
    else if (!(p.features & IORING_FEAT_SINGLE_MMAP) || !(p.features & IORING_FEAT_CUR_PERSONALITY))
        ring.error = ENOSYS; /* older than Linux 5.6, which has the first sends */
    if (ring.error)
        goto closed;
    size_t submissions = p.sq_off.array + p.sq_entries * sizeof(unsigned);
    size_t completions = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
    ring.memory_size = submissions > completions ? submissions : completions;
    ring.entries_size = p.sq_entries * sizeof(struct io_uring_sqe);
    ring.memory = map_ring(ring.memory_size, IORING_OFF_SQ_RING);
    ring.entries = map_ring(ring.entries_size, IORING_OFF_SQES);
    ring.error = ring.memory == NULL || ring.entries == NULL ? ENOMEM : 0;
    if (ring.error)
        goto closed;
    ring.sq_head = (_Atomic unsigned *)(ring.memory + p.sq_off.head);
    ring.sq_tail = (_Atomic unsigned *)(ring.memory + p.sq_off.tail);
    ring.cq_head = (_Atomic unsigned *)(ring.memory + p.cq_off.head);
    ring.cq_tail = (_Atomic unsigned *)(ring.memory + p.cq_off.tail);
    ring.sq_mask = *(unsigned *)(ring.memory + p.sq_off.ring_mask);
    ring.cq_mask = *(unsigned *)(ring.memory + p.cq_off.ring_mask);
    ring.sq_array = (unsigned *)(ring.memory + p.sq_off.array);
    ring.completions = (struct io_uring_cqe *)(ring.memory + p.cq_off.cqes);
    return 0;
closed:
    close_ring(ring.error);
    return ring.error;
}

/* Take what is complete; return how many that are. */
static int take_completions(struct one_send *sends, int n)
{
    unsigned head = atomic_load_explicit(ring.cq_head, memory_order_relaxed);
    unsigned end = atomic_load_explicit(ring.cq_tail, memory_order_acquire);
    int taken = 0;
    for (; head != end; head++, taken++) {
        struct io_uring_cqe *one = &ring.completions[head & ring.cq_mask];
        if (one->user_data < (unsigned)n)
            sends[one->user_data].sent = one->res;
    }
    atomic_store_explicit(ring.cq_head, head, memory_order_release);
    return taken;
}

/* Send by the ring; return how many of the first of them are over. */
static int send_by_ring(struct one_send *sends, int n)
{
    unsigned tail = atomic_load_explicit(ring.sq_tail, memory_order_relaxed);
    for (int i = 0; i < n; i++) {
        unsigned at = (tail + (unsigned)i) & ring.sq_mask;
        struct io_uring_sqe *entry = &ring.entries[at];
        memset(entry, 0, sizeof *entry);
        entry->opcode = IORING_OP_SEND;
        entry->fd = sends[i].descriptor;
        entry->addr = (unsigned long)sends[i].bytes;
        entry->len = sends[i].size > 1 << 30 ? 1 << 30 : (unsigned)sends[i].size;
        entry->msg_flags = SEND_FLAGS;
        entry->user_data = (unsigned)i;
        sends[i].sent = -EIO; /* until it is known */
        ring.sq_array[at] = at;
    }
    atomic_store_explicit(ring.sq_tail, tail + (unsigned)n, memory_order_release);
    int over = 0, error = 0, wanted = n;
    while (over < wanted) {
        unsigned left = tail + (unsigned)n - atomic_load_explicit(ring.sq_head, memory_order_acquire);
        long done = syscall(SYS_io_uring_enter, ring.descriptor, error ? 0 : left, wanted - over,
                            IORING_ENTER_GETEVENTS, NULL, 0);
        if (done < 0 && errno != EINTR) {
            if (error)
                break; /* it does not even wait any more */
            error = errno;
        }
        if (error) /* what it has taken is over at once, or is waited for; the rest is left to us */
            wanted = (int)(atomic_load_explicit(ring.sq_head, memory_order_acquire) - tail);
        over += take_completions(sends, n);
    }
    if (error)
        close_ring(error);
    return wanted;
}

/* Do all of *sends*, of which there are MOST_SENDS at most. */
static void send_all(struct one_send *sends, int n)
{
    int over = n > 1 && open_ring() == 0 ? send_by_ring(sends, n) : 0;
    for (int i = 0; i < n; i++) {
        /* What no plain send says is about the ring: it is not for sending here. */
        int refused = i < over && (sends[i].sent == -EINVAL || sends[i].sent == -EOPNOTSUPP ||
                                   sends[i].sent == -EACCES || sends[i].sent == -ENOSYS);
        if (refused && ring.error == 0)
            close_ring((int)-sends[i].sent);
        if (i < over && !refused)
            continue;
        sends[i].sent = send(sends[i].descriptor, sends[i].bytes, sends[i].size, SEND_FLAGS);
        if (sends[i].sent < 0)
            sends[i].sent = -errno;
    }
}
