/* SPDX-License-Identifier: MIT */
/* One process for one job: a fresh one costs some milliseconds, and what user code has left behind
 * in it goes with it. */
#include "supervisor/hub/foreign.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/build.h"
#include "proto/start.h"
#include "proto/units.h"

#define FDS_N (START_FD_EXTENT_0 + PLANE_EXTENTS_MAX)

/* The scratch file. */
struct scratch {
    int fd;
    size_t size_bytes;
    struct build_request *request; /* at its head */
};

static uint64_t aligned(uint64_t bytes)
{
    return (bytes + BUILD_ALIGN - 1) / BUILD_ALIGN * BUILD_ALIGN;
}

static void scratch_fini(struct scratch *s)
{
    if (s->request)
        (void)munmap(s->request, s->size_bytes);
    if (s->fd >= 0)
        (void)close(s->fd);
}

static int scratch_open(const struct foreign_job *job, struct scratch *s, struct err *err)
{
    uint64_t head = aligned(sizeof *s->request), each = aligned(job->values_bytes);
    *s = (struct scratch){.size_bytes = head + job->series_n * each};
    s->fd = memfd_create("admf-scratch", MFD_CLOEXEC);
    int r = s->fd < 0 ? -errno : -posix_fallocate(s->fd, 0, (off_t)s->size_bytes);
    if (r == 0) {
        void *base = mmap(NULL, s->size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
        r = base == MAP_FAILED ? -errno : 0;
        s->request = r == 0 ? base : NULL;
    }
    if (r < 0)
        return err_set_errno(err, ERR_SYSTEM, r, "scratch memory for %u series of a plugin",
                             job->series_n);
    *s->request = (struct build_request){.magic = BUILD_MAGIC,
                                         .size_bytes = s->size_bytes,
                                         .series_n = job->series_n,
                                         .symbol_idx = job->symbol_idx,
                                         .dtype = job->dtype,
                                         .asker_pid = getpid(),
                                         .is_on_own_rows = job->is_on_own_rows};
    for (uint32_t i = 0; i < job->series_n; i++) {
        struct build_series *series = &s->request->series[i];
        if (strlen(job->key[i]) >= sizeof series->key)
            return err_set(err, ERR_CONFIG, "the call of a plugin is longer than %zu bytes",
                           sizeof series->key - 1);
        memcpy(series->key, job->key[i], strlen(job->key[i]) + 1);
        series->values_off = head + i * each;
        series->values_bytes = job->values_bytes;
    }
    return 0;
}

/* ---- the process ---------------------------------------------------------------------------- */

/* Puts descriptor `from` at `to`, by way of a copy above all of them. */
static int place_fd(posix_spawn_file_actions_t *actions, int *copy, int from, int to)
{
    *copy = fcntl(from, F_DUPFD_CLOEXEC, FDS_N);
    return *copy < 0 ? errno : posix_spawn_file_actions_adddup2(actions, *copy, to);
}

static int place_fds(posix_spawn_file_actions_t *actions, int *copies,
                     const struct foreign_job *job, int scratch_fd)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int rc = null < 0 ? errno : 0, n = 0;
    for (int to = 0; rc == 0 && to < FDS_N; to++) {
        uint32_t extent = (uint32_t)(to - START_FD_EXTENT_0);
        bool is_extent = to >= START_FD_EXTENT_0 && extent < job->plane->extents_n;
        int from = to == START_FD_PLANE     ? job->plane->core
                   : to == START_FD_SCRATCH ? scratch_fd
                   : is_extent              ? job->plane->extent[extent]
                                            : null;
        if (to == STDERR_FILENO || (to >= START_FD_EXTENT_0 && !is_extent))
            continue;
        rc = place_fd(actions, &copies[n++], from < 0 ? null : from, to);
    }
    if (null >= 0)
        (void)close(null);
    int end = START_FD_EXTENT_0 + (int)job->plane->extents_n;
    return rc ? rc : posix_spawn_file_actions_addclosefrom_np(actions, end);
}

static int spawn_with(const struct foreign_job *job, const posix_spawn_file_actions_t *actions,
                      pid_t *ret_pid)
{
    extern char **environ;
    const char *argv[3 + SPEC_LIBRARIES_MAX] = {"admf-worker", "--build"};
    for (uint32_t i = 0; i < job->libraries_n && i < SPEC_LIBRARIES_MAX; i++)
        argv[2 + i] = job->libraries[i];
    posix_spawnattr_t attr;
    int rc = posix_spawnattr_init(&attr);
    if (rc)
        return rc;
    /* A builder's group ends with it; who has patience ends this one's. */
    if (job->patience_ns > 0)
        rc = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP);
    /* exec takes pointers to char, and changes nothing behind them */
    rc = rc ? rc
            : posix_spawn(ret_pid, job->worker_path, actions, &attr, (char *const *)(uintptr_t)argv,
                          environ);
    (void)posix_spawnattr_destroy(&attr);
    return rc;
}

static int spawn_process(const struct foreign_job *job, int scratch_fd, pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    int copies[FDS_N];
    for (int i = 0; i < FDS_N; i++)
        copies[i] = -1;
    int rc = posix_spawn_file_actions_init(&actions);
    if (rc)
        return rc;
    rc = place_fds(&actions, copies, job, scratch_fd);
    if (rc == 0)
        rc = spawn_with(job, &actions, ret_pid);
    for (int i = 0; i < FDS_N; i++)
        if (copies[i] >= 0)
            (void)close(copies[i]);
    (void)posix_spawn_file_actions_destroy(&actions);
    return rc;
}

/* Waits until the process has ended, which it must in time. */
static bool is_late(const struct foreign_job *job, pid_t pid)
{
    int64_t deadline_ns = mono_now_ns() + job->patience_ns;
    int fd = job->patience_ns > 0 ? pidfd_open(pid, 0) : -1;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int rc = fd >= 0 ? 0 : 1;
    for (int64_t left_ns; rc <= 0 && (left_ns = deadline_ns - mono_now_ns()) > 0;)
        rc = poll(&p, 1, (int)(left_ns / 1000000) + 1);
    if (fd >= 0)
        (void)close(fd);
    return rc <= 0;
}

static int end_error(const struct foreign_job *job, int status, const struct scratch *scratch,
                     struct err *err)
{
    char why[sizeof scratch->request->why], shown[sizeof why];
    if (WIFSIGNALED(status))
        return err_set(err, ERR_CONFIG, "%.100s: the plugin was ended by signal %d (%s)",
                       job->key[0], WTERMSIG(status), strsignal(WTERMSIG(status)));
    memcpy(why, scratch->request->why, sizeof why);
    why[sizeof why - 1] = '\0';
    return err_set(err, ERR_CONFIG, "%s",
                   why[0] ? err_printable(why, shown, sizeof shown)
                          : "the process of a plugin left without a word");
}

static int await_process(const struct foreign_job *job, pid_t pid, const struct scratch *scratch,
                         struct err *err)
{
    int status = 0;
    bool was_late = is_late(job, pid);
    if (was_late)
        (void)kill(pid, SIGKILL); /* ours, and not reaped */
    if (job->patience_ns > 0)
        (void)kill(-pid, SIGKILL); /* what it has started: it has ended itself, or is late */
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_set_errno(err, ERR_SYSTEM, errno, "waiting for a plugin");
    if (was_late)
        return err_set(err, ERR_CONFIG, "%.100s: the plugin took longer than %d s", job->key[0],
                       (int)(job->patience_ns / NS_PER_S));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && scratch->request->done == BUILD_DONE)
        return 0;
    return end_error(job, status, scratch, err);
}

int foreign_build(const struct foreign_job *job, void *const *out, uint32_t *ret_first_defined,
                  struct err *err)
{
    struct scratch scratch;
    pid_t pid;
    int r = scratch_open(job, &scratch, err);
    if (r == 0) {
        int rc = spawn_process(job, scratch.fd, &pid);
        r = rc ? err_set_errno(err, ERR_SYSTEM, rc, "cannot start %s", job->worker_path)
               : await_process(job, pid, &scratch, err);
    }
    for (uint32_t i = 0; r == 0 && i < job->series_n; i++) {
        uint64_t off = aligned(sizeof *scratch.request) + i * aligned(job->values_bytes);
        memcpy(out[i], (const uint8_t *)scratch.request + off, job->values_bytes);
        ret_first_defined[i] = scratch.request->series[i].first_defined;
    }
    scratch_fini(&scratch);
    return r;
}
