/* SPDX-License-Identifier: MIT */
/* An nng pair over ipc as a numbered, checked, one-to-one channel.
 *
 * nng calls back on threads of its own when pipes come and go. The first pipe that passes the check
 * is the peer; its departure is latched in `gone_fd`, an eventfd that stays readable, so that every
 * wait here ends with it. Frames that came before the departure are delivered first.
 *
 * The dialing end sends without a buffer in nng: once its send descriptor is ready, the kernel has
 * the last frame, and leaving loses nothing. */
#include "proto/channel.h"

#include <errno.h>
#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "proto/units.h"

#define SEND_DEPTH      16 /* frames that wait in nng for a worker that is busy */
#define RECV_DEPTH      64
#define FLUSH_MS        1000
#define PIPE_ENDS_APART 64 /* numbers between the two ends of one pipe, at most */
#define REDIAL_LEAST_MS 2
#define REDIAL_MOST_MS  1000
#define REDIAL_NEVER_MS 86400000
#define DEPARTURE_MS    200 /* for a peer that is about to leave */
#define CLOSE_MS        500 /* for nng to close a socket */
#define PATH_BYTES      sizeof(((struct sockaddr_un *)0)->sun_path)
#define URL_BYTES       (PATH_BYTES + sizeof "ipc://")

/* nng 1.5.2 never closes the pipes behind NNG_OPT_RECVFD and NNG_OPT_SENDFD. Both ends are noted
 * when they are made, and closed after the socket where they still are that pipe. */
struct notify_pipe {
    int read_fd, write_fd; /* -1: not known, or no pipe */
    dev_t device;
    ino_t inode;
};

struct channel {
    nng_socket socket;
    enum msg_sender peer; /* who sits at the other end */
    bool is_listener;
    bool has_socket;
    int recv_fd; /* nng's */
    int send_fd; /* nng's */
    struct notify_pipe recv_pipe;
    struct notify_pipe send_pipe;
    int joined_fd;            /* eventfd: a peer has come */
    int gone_fd;              /* eventfd: the peer has left */
    _Atomic int64_t peer_pid; /* who may come; 0: nobody, -1: whoever listens */
    _Atomic int pipe_id;      /* of the peer; 0: none yet */
    _Atomic bool is_gone;     /* the peer has left; set before gone_fd */
    _Atomic uint64_t refused_n;

    uint32_t worker;
    uint64_t received_n;
    uint64_t sent_n;
    struct buf out;
    nng_msg *in; /* the frame that the last reader borrows from */
    char path[PATH_BYTES];
};

/* ---- who comes and goes --------------------------------------------------------------------- */

static void latch(int fd)
{
    uint64_t one = 1;
    ssize_t n = write(fd, &one, sizeof one);
    (void)n; /* only a full counter fails, and then it is readable already */
}

static bool is_right_peer(struct channel *c, nng_pipe pipe)
{
    /* Pairs with the release store in channel_expect_peer(). */
    int64_t wanted = atomic_load_explicit(&c->peer_pid, memory_order_acquire);
    uint64_t uid, pid;

    if (wanted == 0 || nng_pipe_get_uint64(pipe, NNG_OPT_IPC_PEER_UID, &uid) != 0 ||
        nng_pipe_get_uint64(pipe, NNG_OPT_IPC_PEER_PID, &pid) != 0)
        return false;
    return uid == geteuid() && (wanted < 0 || pid == (uint64_t)wanted);
}

/* On a thread of nng, before a pipe joins the socket. */
static void on_coming(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
    struct channel *c = arg;
    int none = 0;

    (void)event;
    if (is_right_peer(c, pipe) &&
        atomic_compare_exchange_strong(&c->pipe_id, &none, nng_pipe_id(pipe)))
        return;
    atomic_fetch_add_explicit(&c->refused_n, 1, memory_order_relaxed);
    (void)nng_pipe_close(pipe); /* it may be gone already */
}

static void on_joined(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
    struct channel *c = arg;
    (void)event;
    if (atomic_load(&c->pipe_id) == nng_pipe_id(pipe))
        latch(c->joined_fd);
}

static void on_leaving(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
    struct channel *c = arg;
    (void)event;
    if (atomic_load(&c->pipe_id) == nng_pipe_id(pipe)) {
        atomic_store(&c->is_gone, true);
        latch(c->gone_fd);
    }
}

/* ---- nng's pipes ---------------------------------------------------------------------------- */

static bool is_end_of(const struct notify_pipe *pipe, int fd)
{
    struct stat st;
    return fd >= 0 && fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode) && st.st_dev == pipe->device &&
           st.st_ino == pipe->inode;
}

static struct notify_pipe note_pipe(int read_fd)
{
    struct stat st;
    struct notify_pipe none = {.read_fd = -1, .write_fd = -1};
    if (read_fd < 0 || fstat(read_fd, &st) != 0 || !S_ISFIFO(st.st_mode))
        return none;
    struct notify_pipe pipe = {read_fd, -1, st.st_dev, st.st_ino};
    for (int near = 1; near <= PIPE_ENDS_APART; near++)
        for (int side = -1; side <= 1; side += 2)
            if (is_end_of(&pipe, read_fd + side * near)) {
                pipe.write_fd = read_fd + side * near;
                return pipe;
            }
    return none;
}

static void close_pipe(const struct notify_pipe *pipe)
{
    if (is_end_of(pipe, pipe->read_fd))
        (void)close(pipe->read_fd);
    if (is_end_of(pipe, pipe->write_fd))
        (void)close(pipe->write_fd);
}

/* ---- opening -------------------------------------------------------------------------------- */

static int nng_failed(struct err *err, const char *path, const char *what, int rv)
{
    char safe[PATH_BYTES * 4];
    return err_set(err, ERR_SYSTEM, "channel %s: %s: %s", err_printable(path, safe, sizeof safe),
                   what, nng_strerror(rv));
}

/* A socket with its limits, callbacks and descriptors, not connected yet. */
static int set_up_socket(struct channel *c)
{
    int rv = nng_pair0_open(&c->socket);
    if (rv != 0)
        return rv;
    c->has_socket = true;

    int send_depth = c->is_listener ? SEND_DEPTH : 0;
    if ((rv = nng_socket_set_int(c->socket, NNG_OPT_RECVBUF, RECV_DEPTH)) != 0 ||
        (rv = nng_socket_set_int(c->socket, NNG_OPT_SENDBUF, send_depth)) != 0 ||
        (rv = nng_socket_set_size(c->socket, NNG_OPT_RECVMAXSZ, MSG_FRAME_MAX)) != 0 ||
        (rv = nng_socket_set_ms(c->socket, NNG_OPT_RECONNMINT, REDIAL_LEAST_MS)) != 0 ||
        (rv = nng_socket_set_ms(c->socket, NNG_OPT_RECONNMAXT, REDIAL_MOST_MS)) != 0 ||
        (rv = nng_pipe_notify(c->socket, NNG_PIPE_EV_ADD_PRE, on_coming, c)) != 0 ||
        (rv = nng_pipe_notify(c->socket, NNG_PIPE_EV_ADD_POST, on_joined, c)) != 0 ||
        (rv = nng_pipe_notify(c->socket, NNG_PIPE_EV_REM_POST, on_leaving, c)) != 0 ||
        (rv = nng_socket_get_int(c->socket, NNG_OPT_RECVFD, &c->recv_fd)) != 0 ||
        (rv = nng_socket_get_int(c->socket, NNG_OPT_SENDFD, &c->send_fd)) != 0)
        return rv;
    c->recv_pipe = note_pipe(c->recv_fd);
    c->send_pipe = note_pipe(c->send_fd);
    return 0;
}

/* nng starts 13 threads at its first call, and without room for them it crashes or hangs: so the
 * room is tried first, once a process. Stacks count as data, what malloc reserves for threads as
 * address space alone. */
static int try_room(struct err *err)
{
    static atomic_bool has_room;
    const size_t stacks_bytes = (size_t)112 << 20, reserve_bytes = (size_t)144 << 20;
    if (atomic_load(&has_room))
        return 0;
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *stacks = mmap(NULL, stacks_bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
    void *reserve = mmap(NULL, reserve_bytes, PROT_NONE, flags, -1, 0);
    bool is_there = stacks != MAP_FAILED && reserve != MAP_FAILED;
    if (stacks != MAP_FAILED)
        (void)munmap(stacks, stacks_bytes);
    if (reserve != MAP_FAILED)
        (void)munmap(reserve, reserve_bytes);
    if (!is_there)
        return err_set(
            err, ERR_SYSTEM,
            "no room for the threads of the pipes: they take 112 MiB of data (ulimit -d) "
            "and 256 MiB of address space (ulimit -v); raise the limit");
    atomic_store(&has_room, true);
    return 0;
}

static int create(const char *path, bool is_listener, struct channel **ret_channel, struct err *err)
{
    int room = try_room(err);
    if (room < 0)
        return room;
    if (strlen(path) >= PATH_BYTES)
        return err_set(err, ERR_SYSTEM,
                       "channel: its address would have %zu bytes, at most %zu can be; set "
                       "XDG_RUNTIME_DIR or TMPDIR to a shorter path",
                       strlen(path), PATH_BYTES - 1);

    struct channel *c = calloc(1, sizeof *c);
    if (!c)
        return err_set_errno(err, ERR_SYSTEM, ENOMEM, "channel");
    c->is_listener = is_listener;
    c->recv_pipe = c->send_pipe = (struct notify_pipe){.read_fd = -1, .write_fd = -1};
    c->peer = is_listener ? MSG_FROM_WORKER : MSG_FROM_SUPERVISOR;
    atomic_init(&c->peer_pid, is_listener ? 0 : -1);
    memcpy(c->path, path, strlen(path) + 1);
    c->joined_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    c->gone_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    int rc = 0;
    if (c->joined_fd < 0 || c->gone_fd < 0)
        rc = err_set_errno(err, ERR_SYSTEM, errno, "channel %s", path);
    int rv = rc == 0 ? set_up_socket(c) : 0;
    if (rv != 0)
        rc = nng_failed(err, path, "no socket", rv);
    if (rc < 0) {
        c->is_listener = false; /* nothing to unlink */
        channel_close(c);
        return rc;
    }
    *ret_channel = c;
    return 0;
}

static const char *url_of(const char *path, char url[static URL_BYTES])
{
    (void)snprintf(url, URL_BYTES, "ipc://%s", path);
    return url;
}

/* The receive limit is unlimited unless the listener itself is told, before it starts. */
static int start_listener(struct channel *c)
{
    char url[URL_BYTES];
    nng_listener listener;
    int rv = nng_listener_create(&listener, c->socket, url_of(c->path, url));
    if (rv == 0)
        rv = nng_listener_set_size(listener, NNG_OPT_RECVMAXSZ, MSG_FRAME_MAX);
    if (rv == 0)
        rv = nng_listener_set_int(listener, NNG_OPT_IPC_PERMISSIONS, S_IRUSR | S_IWUSR);
    if (rv == 0)
        rv = nng_listener_start(listener, 0);
    return rv;
}

int channel_listen(const char *path, struct channel **ret_channel, struct err *err)
{
    struct stat st;
    if (lstat(path, &st) == 0)
        return err_set_errno(err, ERR_SYSTEM, EEXIST, "channel %s", path);

    struct channel *c;
    int rc = create(path, true, &c, err);
    if (rc < 0)
        return rc;
    int rv = start_listener(c);
    if (rv != 0) {
        channel_close(c);
        return nng_failed(err, path, "cannot listen", rv);
    }
    *ret_channel = c;
    return 0;
}

void channel_expect_peer(struct channel *c, pid_t pid)
{
    /* Pairs with the acquire load in is_right_peer(). */
    atomic_store_explicit(&c->peer_pid, pid > 0 ? pid : 0, memory_order_release);
}

static int start_dialer(struct channel *c, nng_dialer *dialer)
{
    char url[URL_BYTES];
    int rv = nng_dialer_create(dialer, c->socket, url_of(c->path, url));
    if (rv == 0)
        rv = nng_dialer_set_size(*dialer, NNG_OPT_RECVMAXSZ, MSG_FRAME_MAX);
    if (rv == 0)
        rv = nng_dialer_start(*dialer, NNG_FLAG_NONBLOCK);
    return rv;
}

/* ---- waiting -------------------------------------------------------------------------------- */

static int64_t deadline_in(int timeout_ms)
{
    return timeout_ms < 0 ? INT64_MAX : mono_now_ns() + timeout_ms * INT64_C(1000000);
}

/* Waits for fd or gone_fd; 0, or -EAGAIN at the deadline. */
static int wait_either(const struct channel *c, int fd, int64_t deadline_ns)
{
    for (;;) {
        struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = c->gone_fd, .events = POLLIN}};
        int timeout_ms = -1;
        if (deadline_ns != INT64_MAX) {
            int64_t left_ns = deadline_ns - mono_now_ns();
            if (left_ns <= 0)
                return -EAGAIN;
            int64_t left_ms = (left_ns + 999999) / 1000000;
            timeout_ms = left_ms < INT32_MAX ? (int)left_ms : INT32_MAX;
        }
        int n = poll(p, 2, timeout_ms);
        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return -errno;
    }
}

int channel_dial(const char *path, int timeout_ms, struct channel **ret_channel, struct err *err)
{
    struct channel *c;
    nng_dialer dialer;
    int64_t deadline_ns = deadline_in(timeout_ms);
    int rc = create(path, false, &c, err);
    if (rc < 0)
        return rc;

    int rv = start_dialer(c, &dialer);
    if (rv != 0)
        rc = nng_failed(err, path, "cannot dial", rv);
    else if (wait_either(c, c->joined_fd, deadline_ns) < 0)
        rc = err_set_errno(err, ERR_SYSTEM, ETIMEDOUT, "channel %s: nobody answers", path);
    if (rc < 0) {
        channel_close(c);
        return rc;
    }
    /* A peer that leaves does not come back: nng need not look for it. */
    (void)nng_dialer_set_ms(dialer, NNG_OPT_RECONNMINT, REDIAL_NEVER_MS);
    (void)nng_dialer_set_ms(dialer, NNG_OPT_RECONNMAXT, REDIAL_NEVER_MS);
    *ret_channel = c;
    return 0;
}

/* ---- frames --------------------------------------------------------------------------------- */

int channel_recv_fd(const struct channel *c)
{
    return c->recv_fd;
}

struct buf *channel_begin(struct channel *c, enum msg_type type)
{
    msg_begin(&c->out, type, c->worker, c->sent_n + 1);
    return &c->out;
}

/* Hands one message to nng, which owns it after 0. */
static int send_msg(struct channel *c, nng_msg *msg, int64_t deadline_ns)
{
    for (;;) {
        if (atomic_load(&c->is_gone))
            return -EPIPE;
        int rv = nng_sendmsg(c->socket, msg, NNG_FLAG_NONBLOCK);
        if (rv == 0)
            return 0;
        if (rv != NNG_EAGAIN && rv != NNG_ETIMEDOUT)
            return rv == NNG_ENOMEM ? -ENOMEM : -EPIPE;
        int rc = wait_either(c, c->send_fd, deadline_ns);
        if (rc < 0)
            return rc;
    }
}

int channel_send(struct channel *c, int timeout_ms)
{
    nng_msg *msg;

    if (c->out.n_bytes > MSG_FRAME_MAX)
        return -EMSGSIZE;
    msg_end(&c->out);
    if (c->out.failed || nng_msg_alloc(&msg, c->out.n_bytes) != 0)
        return -ENOMEM;
    memcpy(nng_msg_body(msg), c->out.data, c->out.n_bytes);
    int rc = send_msg(c, msg, deadline_in(timeout_ms));
    if (rc < 0)
        nng_msg_free(msg);
    else
        c->sent_n++;
    return rc;
}

/* The next message, whatever it is. */
static int recv_msg(struct channel *c, int64_t deadline_ns, nng_msg **ret_msg)
{
    for (;;) {
        /* Looked at first: what came before the departure is then sure to be found below. */
        bool is_gone = atomic_load(&c->is_gone);
        int rv = nng_recvmsg(c->socket, ret_msg, NNG_FLAG_NONBLOCK);
        if (rv == 0)
            return 0;
        if (rv == NNG_ENOMEM)
            return -ENOMEM;
        if (is_gone || (rv != NNG_EAGAIN && rv != NNG_ETIMEDOUT))
            return -EPIPE;
        int rc = wait_either(c, c->recv_fd, deadline_ns);
        if (rc < 0)
            return rc;
    }
}

int channel_recv(struct channel *c, int timeout_ms, struct msg_head *ret_head,
                 struct reader *ret_body, enum msg_verdict *ret_verdict)
{
    if (c->in) {
        nng_msg_free(c->in);
        c->in = NULL;
    }
    int rc = recv_msg(c, deadline_in(timeout_ms), &c->in);
    if (rc < 0)
        return rc;

    struct msg_expect expect = {c->peer, c->worker, c->received_n + 1};
    enum msg_verdict verdict =
        msg_gate(nng_msg_body(c->in), nng_msg_len(c->in), &expect, ret_head, ret_body);
    *ret_verdict = verdict;
    if (verdict != MSG_E_OK)
        return -EPROTO;
    c->received_n++;
    return 0;
}

/* ---- the rest ------------------------------------------------------------------------------- */

void channel_set_worker(struct channel *c, uint32_t worker)
{
    c->worker = worker;
}

uint64_t channel_refused_n(const struct channel *c)
{
    return atomic_load_explicit(&c->refused_n, memory_order_relaxed);
}

static void *close_socket(void *arg)
{
    const struct channel *c = arg;
    (void)nng_close(c->socket); /* waits for the callbacks */
    return NULL;
}

/* nng 1.5.2 can wait for ever in nng_close() when a pipe goes just as it receives (its issue 1543).
 * The descriptor is shut by then; so a thread closes, and what it still holds after CLOSE_MS is
 * left to it. False: the callbacks may still come. */
static bool close_in_time(struct channel *c)
{
    static _Atomic bool has_stuck; /* one that sticks holds up all that follow */
    int wait_ms = atomic_load(&has_stuck) ? CLOSE_MS / 20 : CLOSE_MS;
    struct timespec deadline;
    pthread_t thread;

    if (pthread_create(&thread, NULL, close_socket, c) != 0)
        return false;
    (void)clock_gettime(CLOCK_MONOTONIC, &deadline);
    int64_t ns = deadline.tv_nsec + wait_ms * INT64_C(1000000);
    deadline.tv_sec += ns / NS_PER_S;
    deadline.tv_nsec = ns % NS_PER_S;
    if (pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &deadline) == 0)
        return true;
    (void)pthread_detach(thread);
    atomic_store(&has_stuck, true);
    return false;
}

/* The dialing end gives the kernel its last frame. The listening end lets a peer that is dying go
 * first, since a pipe that ends by itself closes without the race above; frames that nobody will
 * read stand in the way of noticing it. */
static void settle(struct channel *c)
{
    nng_msg *msg;

    if (!c->is_listener && c->sent_n > 0)
        (void)wait_either(c, c->send_fd, deadline_in(FLUSH_MS)); /* or it is lost: nothing helps */
    if (c->is_listener && atomic_load(&c->pipe_id) != 0) {
        int64_t deadline_ns = deadline_in(DEPARTURE_MS);
        while (mono_now_ns() < deadline_ns && recv_msg(c, deadline_ns, &msg) == 0)
            nng_msg_free(msg);
    }
}

void channel_close(struct channel *c)
{
    if (!c)
        return;
    settle(c);
    if (c->in)
        nng_msg_free(c->in);
    c->in = NULL;
    buf_fini(&c->out);
    bool is_closed = !c->has_socket || close_in_time(c);
    if (c->is_listener)
        (void)unlink(c->path); /* nng may have done so */
    if (!is_closed)
        return; /* what callbacks use stays */
    close_pipe(&c->recv_pipe);
    close_pipe(&c->send_pipe);
    if (c->joined_fd >= 0)
        (void)close(c->joined_fd);
    if (c->gone_fd >= 0)
        (void)close(c->gone_fd);
    free(c);
}
