/* SPDX-License-Identifier: MIT */
/* Fork and exec of a worker. Between fork and exec the child calls async-signal-safe functions
 * alone: the supervisor has threads (nng's), and nng itself must not be touched in a child. */
#include "supervisor/pool/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/start.h"

#define SPAWN_HEADROOM_BYTES (UINT64_C(128) << 20) /* stacks of nng's threads count as data */

struct spawn_fds {
    int null_fd, gate[2], error[2];
};

static void spawn_fds_close(struct spawn_fds *fds)
{
    const int all[] = {fds->null_fd, fds->gate[0], fds->gate[1], fds->error[0], fds->error[1]};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i] >= 0)
            close(all[i]);
}

static int spawn_fds_open(struct spawn_fds *fds)
{
    *fds = (struct spawn_fds){-1, {-1, -1}, {-1, -1}};
    fds->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fds->null_fd < 0 || pipe2(fds->gate, O_CLOEXEC) < 0 || pipe2(fds->error, O_CLOEXEC) < 0) {
        int error = errno;
        spawn_fds_close(fds);
        return -error;
    }
    return 0;
}

/* ---- in the child --------------------------------------------------------------------------- */

static void child_fail(int error_fd)
{
    int error = errno;
    ssize_t n = write(error_fd, &error, sizeof error);
    (void)n; /* the parent sees the exit status too */
    _exit(127);
}

static void child_reset_signals(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = SIG_DFL;
    for (int number = 1; number < NSIG; number++)
        (void)sigaction(number, &action, NULL); /* SIGKILL and SIGSTOP refuse */
    sigset_t none;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static int child_limit(uint64_t memory_limit_bytes)
{
    struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none); /* core files of a crashing sweep would fill the disk */
    if (memory_limit_bytes == 0)
        return 0;
    struct rlimit data = {memory_limit_bytes + SPAWN_HEADROOM_BYTES,
                          memory_limit_bytes + SPAWN_HEADROOM_BYTES};
    return setrlimit(RLIMIT_DATA, &data);
}

/* Behind the last descriptor that the worker gets: tells the parent why exec failed, closed by
 * exec.
 */
static int error_fd_of(const struct spawn_request *rq)
{
    return START_FD_EXTENT_0 + (int)rq->plane->extents_n;
}

struct placing {
    int n, from[START_FD_EXTENT_0 + PLANE_EXTENTS_MAX + 2],
        to[START_FD_EXTENT_0 + PLANE_EXTENTS_MAX + 2];
};

static void place(struct placing *p, int from, int to)
{
    p->from[p->n] = from;
    p->to[p->n++] = to;
}

/* Puts descriptors at their numbers: first all above those, so that none is overwritten. */
static int child_place_fds(const struct spawn_request *rq, const struct spawn_fds *fds)
{
    int error_fd = error_fd_of(rq);
    struct placing p;
    p.n = 0;
    place(&p, fds->null_fd, 0);
    place(&p, fds->null_fd, 1);
    place(&p, rq->plane->core, START_FD_PLANE);
    place(&p, rq->slots_fd, START_FD_SLOTS);
    place(&p, fds->gate[0], START_FD_GATE);
    for (uint32_t i = 0; i < rq->plane->extents_n; i++)
        place(&p, rq->plane->extent[i] >= 0 ? rq->plane->extent[i] : fds->null_fd,
              START_FD_EXTENT_0 + (int)i);
    place(&p, fds->error[1], error_fd);
    for (int i = 0; i < p.n; i++)
        if ((p.from[i] = fcntl(p.from[i], F_DUPFD, error_fd + 1)) < 0)
            return -1;
    if (fcntl(2, F_GETFD) < 0 && dup2(fds->null_fd, 2) < 0)
        return -1;
    for (int i = 0; i < p.n; i++)
        if (dup2(p.from[i], p.to[i]) < 0)
            return -1;
    if (fcntl(error_fd, F_SETFD, FD_CLOEXEC) < 0)
        return -1;
    if (syscall(SYS_close_range, (unsigned)error_fd + 1, ~0U, 0) < 0)
        for (int fd = error_fd + 1; fd < 4096; fd++)
            close(fd);
    return 0;
}

static void child_exec(const struct spawn_request *rq, const struct spawn_fds *fds, pid_t parent,
                       char *const *argv)
{
    child_reset_signals();
    (void)setpgid(0, 0);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
        _exit(127);
    if (child_place_fds(rq, fds) < 0)
        child_fail(fds->error[1]);
    if (child_limit(rq->memory_limit_bytes) < 0)
        child_fail(error_fd_of(rq));
    execv(rq->worker_path, argv);
    child_fail(error_fd_of(rq));
}

/* ---- in the supervisor ---------------------------------------------------------------------- */

static bool is_passing(int error)
{
    return error == EAGAIN || error == ENOMEM || error == EMFILE || error == ENFILE;
}

static int spawn_refused(const struct spawn_request *rq, int error, struct err *err)
{
    int r = err_set_errno(err, ERR_SYSTEM, error, "cannot start a worker (%s)", rq->worker_path);
    return is_passing(error) ? -EAGAIN : r;
}

/* Waits until the child is its program, or has said why it cannot be. */
static int child_await_exec(int error_fd)
{
    int error = 0;
    ssize_t n;
    do
        n = read(error_fd, &error, sizeof error);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof error ? error : 0;
}

int spawn_worker(const struct spawn_request *request, struct spawn_child *ret_child,
                 struct err *err)
{
    char worker[16], slot[16];
    snprintf(worker, sizeof worker, "%u", request->worker);
    snprintf(slot, sizeof slot, "%u", request->slot_idx);
    const char *const texts[] = {request->worker_path, "--serve", request->address, worker, slot};
    char *argv[6] = {NULL};
    for (size_t i = 0; i < 5; i++)
        memcpy(&argv[i], &texts[i], sizeof argv[i]); /* exec takes them as char * and reads alone */

    struct spawn_fds fds;
    int r = spawn_fds_open(&fds);
    if (r < 0)
        return spawn_refused(request, -r, err);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0) {
        int error = errno;
        spawn_fds_close(&fds);
        return spawn_refused(request, error, err);
    }
    if (pid == 0)
        child_exec(request, &fds, parent, argv);

    struct spawn_child child = {pid, -1, fds.gate[1]};
    fds.gate[1] = -1;
    close(fds.error[1]);
    fds.error[1] = -1;
    int error = child_await_exec(fds.error[0]);
    spawn_fds_close(&fds);
    if (error != 0) {
        close(child.gate_fd); /* the child leaves by itself; the caller's loop never knew it */
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            continue;
        return spawn_refused(request, error, err);
    }
    child.pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (child.pidfd >= 0)
        (void)fcntl(child.pidfd, F_SETFD, FD_CLOEXEC); /* pidfds have it already */
    *ret_child = child;
    return 0;
}

void spawn_open_gate(struct spawn_child *child)
{
    ssize_t n;
    do
        n = write(child->gate_fd, "g", 1);
    while (n < 0 && errno == EINTR);
    close(child->gate_fd); /* where the child is dead already its pidfd says so */
    child->gate_fd = -1;
}
