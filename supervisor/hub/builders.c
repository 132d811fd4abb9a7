/* SPDX-License-Identifier: MIT */
/* The supervisor's side of builders: fork, job, answer, end. */
#include "supervisor/hub/builders.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- in the child --------------------------------------------------------------------------- */

static void reset_signals(void)
{
    struct sigaction by_default;
    memset(&by_default, 0, sizeof by_default);
    by_default.sa_handler = SIG_DFL;
    for (int number = 1; number < NSIG; number++)
        (void)sigaction(number, &by_default, NULL); /* SIGKILL and SIGSTOP refuse */
    sigset_t none;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static int compare_fds(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

static void close_between(int first, int last)
{
    if (first > last || syscall(SYS_close_range, (unsigned)first, (unsigned)last, 0) == 0)
        return;
    for (int fd = first; fd <= last && fd < 4096; fd++)
        close(fd);
}

/* Keeps the supervisor's stderr, its own socket and what the source needs: pipes, stores and
 * workers' channels must not be held open by it. */
static int keep_fds(int fd, const struct hub_source *source)
{
    int kept[HUB_KEPT_FDS_MAX + 1] = {fd};
    uint32_t n = 1 + (source->kept_fds ? source->kept_fds(source->ctx, kept + 1) : 0);
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC), last = STDERR_FILENO;
    if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 || dup2(null_fd, STDOUT_FILENO) < 0)
        return -1;
    qsort(kept, n, sizeof *kept, compare_fds);
    for (uint32_t i = 0; i < n; i++) {
        if (kept[i] <= last)
            continue;
        close_between(last + 1, kept[i] - 1);
        last = kept[i];
    }
    close_between(last + 1, INT_MAX);
    return 0;
}

/* The supervisor's other threads do not exist here; their locks are not touched: memory comes from
 * an allocator that is whole after a fork, and nothing of channels or stores is called. */
static void child_run(int fd, pid_t parent, const struct hub_source *source)
{
    struct rlimit no_core = {0, 0};
    reset_signals();
    (void)setpgid(0, 0); /* Ctrl-C is for the supervisor */
    (void)setrlimit(RLIMIT_CORE, &no_core);
    (void)prctl(PR_SET_NAME, "admf-builder");
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent || keep_fds(fd, source) < 0)
        _exit(127);
    builder_serve(fd, source);
    _exit(0);
}

/* ---- in the supervisor ---------------------------------------------------------------------- */

int builder_start(struct builder *b, const struct hub_source *source)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -EAGAIN;
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0)
        child_run(pair[1], parent, source);
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        return -EAGAIN;
    }
    *b = (struct builder){.pid = pid, .fd = pair[0]};
    return 0;
}

bool builder_give(struct builder *b, const struct builder_job *job, int64_t deadline_ns)
{
    b->job = *job;
    b->is_busy = true;
    b->deadline_ns = deadline_ns;
    return send(b->fd, job, sizeof *job, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof *job;
}

int builder_hear(struct builder *b, struct builder_done *ret_done)
{
    ssize_t n;
    do
        n = recv(b->fd, ret_done, sizeof *ret_done, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return 0;
    if (n <= 0)
        return -EPIPE;
    if (n != (ssize_t)sizeof *ret_done)
        return -EPROTO;
    ret_done->why[sizeof ret_done->why - 1] = '\0';
    return 1;
}

int builder_end(struct builder *b)
{
    int status = 0;
    (void)kill(b->pid, SIGKILL);  /* ours, and not reaped; one that is dead keeps its status */
    (void)kill(-b->pid, SIGKILL); /* what a plugin has started in its group */
    while (waitpid(b->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    close(b->fd);
    *b = (struct builder){.fd = -1};
    return status;
}
