/* SPDX-License-Identifier: MIT */
/* A worker that is asked what it offers: its answer is limited in time and size. */
#include "supervisor/config/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/units.h"

#define ANSWER_BYTES_MAX (4u << 20)
#define DEADLINE_NS      (8 * NS_PER_S)

/* A child that says something and leaves. */
struct child {
    const char *path;
    bool has_libraries;
    pid_t pid; /* and of a process group of its own */
    int fd;    /* its standard output */
    int pidfd; /* -1: the kernel has none */
    int64_t deadline_ns;
};

static int spawn_worker(const char *path, char *const *argv, int out_fd, pid_t *ret_pid)
{
    extern char **environ;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    int rc = posix_spawn_file_actions_init(&actions);
    if (rc)
        return rc;
    rc = posix_spawnattr_init(&attr);
    if (rc == 0) {
        rc = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
        rc = rc ? rc : posix_spawn_file_actions_adddup2(&actions, out_fd, 1);
        rc = rc ? rc : posix_spawn_file_actions_addclosefrom_np(&actions, 3);
        rc = rc ? rc : posix_spawnattr_setsigdefault(&attr, &all);
        rc = rc ? rc : posix_spawnattr_setsigmask(&attr, &none);
        rc = rc ? rc : posix_spawnattr_setpgroup(&attr, 0);
        rc = rc ? rc
                : posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK |
                                                      POSIX_SPAWN_SETPGROUP);
        rc = rc ? rc : posix_spawn(ret_pid, path, &actions, &attr, argv, environ);
        posix_spawnattr_destroy(&attr);
    }
    posix_spawn_file_actions_destroy(&actions);
    return rc;
}

/* Waits until there is something to read, or the child has ended: what it has said is whole then,
 * though a child of its own may hold the pipe open. 0 or -ETIMEDOUT. */
static int wait_for(const struct child *c, bool *ret_has_ended)
{
    for (;;) {
        int64_t left_ms = (c->deadline_ns - mono_now_ns()) / 1000000;
        struct pollfd p[2] = {{.fd = c->fd, .events = POLLIN}, {.fd = c->pidfd, .events = POLLIN}};
        if (left_ms <= 0)
            return -ETIMEDOUT;
        int rc = poll(p, 2, (int)left_ms);
        *ret_has_ended = p[1].revents != 0;
        if (rc > 0)
            return 0;
        if (rc < 0 && errno != EINTR)
            return -errno;
    }
}

/* Reads until the child has ended, or everyone has closed the pipe. 0, -ETIMEDOUT, -EFBIG,
 * -ENOMEM, or what read says. */
static int read_answer(const struct child *c, struct buf *out)
{
    char chunk[16384];
    for (;;) {
        bool has_ended = false;
        int rc = wait_for(c, &has_ended);
        if (rc < 0)
            return rc;
        ssize_t n = read(c->fd, chunk, sizeof(chunk));
        bool is_empty = n < 0 && errno == EAGAIN;
        if (n < 0 && errno != EINTR && !is_empty)
            return -errno;
        if (n == 0 || (is_empty && has_ended))
            return out->failed ? -ENOMEM : 0;
        if (n > 0)
            buf_append(out, chunk, (size_t)n);
        if (out->n_bytes > ANSWER_BYTES_MAX)
            return -EFBIG;
    }
}

/* 0 once it has ended or nobody can tell, -ETIMEDOUT. */
static int wait_for_end(const struct child *c)
{
    struct pollfd p = {.fd = c->pidfd, .events = POLLIN};
    while (c->pidfd >= 0) {
        int64_t left_ms = (c->deadline_ns - mono_now_ns()) / 1000000;
        int rc = poll(&p, 1, left_ms > 0 ? (int)left_ms : 0);
        if (rc > 0 || (rc < 0 && errno != EINTR))
            break;
        if (left_ms <= 0)
            return -ETIMEDOUT;
    }
    return 0;
}

/* Reaps the child, by force when it is late or `do_kill`, and ends what it leaves behind. */
static int reap(const struct child *c, bool do_kill, int *ret_status)
{
    int rc = do_kill ? 0 : wait_for_end(c);
    if (do_kill || rc < 0)
        kill(c->pid, SIGKILL); /* not reaped yet, so the pid is still its own */
    if (do_kill || c->pidfd >= 0)
        kill(-c->pid, SIGKILL); /* children of its own that stay */
    while (waitpid(c->pid, ret_status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return rc;
}

/* The worker itself answers well: what goes wrong with a library comes from that. */
static int child_error(const struct child *c, int rc, struct err *err)
{
    enum err_kind kind = c->has_libraries ? ERR_CONFIG : rc == -EFBIG ? ERR_BUG : ERR_SYSTEM;
    const char *path = c->has_libraries ? "its description" : c->path;
    if (rc == -ETIMEDOUT)
        return err_set(err, kind, "%s did not come within %d s%s", path,
                       (int)(DEADLINE_NS / NS_PER_S),
                       c->has_libraries ? ": its constructors must not wait" : "");
    if (rc == -EFBIG)
        return err_set(err, kind, "%s is longer than %u MiB", path, ANSWER_BYTES_MAX >> 20);
    return err_set_errno(err, ERR_SYSTEM, -rc, "no answer from %s", c->path);
}

static int status_error(const struct child *c, int status, struct err *err)
{
    if (WIFSIGNALED(status) && c->has_libraries)
        return err_set(err, ERR_CONFIG,
                       "it was ended by signal %d (%s) while it was loaded: mend its constructors "
                       "and tables",
                       WTERMSIG(status), strsignal(WTERMSIG(status)));
    if (c->has_libraries)
        return err_set(
            err, ERR_CONFIG,
            "its process ended with status %d while it was loaded: its constructors must "
            "leave the process and its descriptors alone",
            WEXITSTATUS(status));
    if (WIFSIGNALED(status))
        return err_set(err, ERR_BUG, "%s --describe was ended by signal %d (%s)", c->path,
                       WTERMSIG(status), strsignal(WTERMSIG(status)));
    return err_set(err, ERR_BUG, "%s --describe ended with status %d", c->path,
                   WEXITSTATUS(status));
}

static int converse(struct child *c, struct buf *out, struct err *err)
{
    int status = 0;
    c->deadline_ns = mono_now_ns() + DEADLINE_NS;
    c->pidfd = pidfd_open(c->pid, 0);
    int read_rc = read_answer(c, out);
    int rc = reap(c, read_rc < 0, &status);
    if (c->pidfd >= 0)
        close(c->pidfd);
    if (read_rc < 0 || rc < 0)
        return child_error(c, read_rc < 0 ? read_rc : rc, err);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return status_error(c, status, err);
    return 0;
}

int ask_worker(const char *path, const char *const *libraries, uint32_t libraries_n,
               struct buf *out, struct err *err)
{
    int fds[2];
    struct child c = {.path = path, .has_libraries = libraries_n > 0};
    /* exec takes pointers to char, and changes nothing behind them. */
    const char *argv[3 + ASK_LIBRARIES_MAX] = {"admf-worker", "--describe"};
    for (uint32_t i = 0; i < libraries_n && i < ASK_LIBRARIES_MAX; i++)
        argv[2 + i] = libraries[i];
    if (pipe2(fds, O_CLOEXEC) < 0 || fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0)
        return err_set_errno(err, ERR_SYSTEM, errno, "no pipe for %s", path);
    int rc = spawn_worker(path, (char *const *)(uintptr_t)argv, fds[1], &c.pid);
    close(fds[1]);
    c.fd = fds[0];
    if (rc)
        rc = err_set_errno(err, ERR_SYSTEM, rc,
                           "the worker %s cannot be started; build it beside admf, or name it in "
                           "$ADMF_WORKER",
                           path);
    else
        rc = converse(&c, out, err);
    close(fds[0]);
    return rc;
}
