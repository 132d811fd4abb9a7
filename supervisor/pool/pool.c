/* SPDX-License-Identifier: MIT */
/* Setting up and tearing down a pool: its private directory, slots, signals; starting and
 * dismissing workers. */
#include "supervisor/pool/pool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proto/units.h"
#include "supervisor/pool/spawn.h"

#define START_DEADLINE_NS  INT64_C(30000000000) /* fork to HELLO, HELLO to READY */
#define FINISH_DEADLINE_NS INT64_C(3000000000)  /* FINISH to its end */
#define ABORT_GRACE_NS     INT64_C(200000000)   /* SIGABRT to SIGKILL */
#define SEND_TIMEOUT_MS    1000
#define SPAWN_FAILURES_MAX 8
#define DIR_PREFIX         "admf-run-"

/* ---- the private directory ------------------------------------------------------------------ */

static void dir_empty(int dir_fd)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir)
        return;
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.')
            (void)unlinkat(dir_fd, entry->d_name, 0); /* what stays is found by rmdir */
    closedir(dir);
}

/* Removes what a run left that was killed: its directory is ours, and no one holds its lock. */
static void dirs_clean(const char *base)
{
    DIR *dir = opendir(base);
    if (!dir)
        return;
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        struct stat st;
        if (strncmp(entry->d_name, DIR_PREFIX, strlen(DIR_PREFIX)) != 0)
            continue;
        int fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
            continue;
        bool is_left_over = fstat(fd, &st) == 0 && st.st_uid == geteuid() &&
                            time(NULL) - st.st_mtime > 1 && flock(fd, LOCK_EX | LOCK_NB) == 0;
        if (is_left_over) {
            dir_empty(fd);
            (void)unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
        }
        close(fd);
    }
    closedir(dir);
}

static int dir_try(struct pool *p, const char *base)
{
    if (!base || base[0] != '/' || strlen(base) + sizeof DIR_PREFIX + 8 > sizeof p->dir)
        return -ENAMETOOLONG;
    dirs_clean(base);
    snprintf(p->dir, sizeof p->dir, "%s/" DIR_PREFIX "XXXXXX", base);
    if (!mkdtemp(p->dir)) {
        p->dir[0] = '\0';
        return -errno;
    }
    p->dir_fd = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (p->dir_fd < 0 || flock(p->dir_fd, LOCK_EX | LOCK_NB) < 0)
        return -errno;
    return 0;
}

static int dir_make(struct pool *p, struct err *err)
{
    if (dir_try(p, getenv("XDG_RUNTIME_DIR")) == 0 || dir_try(p, getenv("TMPDIR")) == 0)
        return 0;
    int r = dir_try(p, "/tmp");
    if (r == 0)
        return 0;
    return err_set_errno(err, ERR_CREATE, -r,
                         "cannot make a private directory for the workers' sockets under "
                         "$XDG_RUNTIME_DIR, $TMPDIR or /tmp");
}

static void dir_remove(struct pool *p)
{
    if (p->dir[0] == '\0')
        return;
    if (p->dir_fd >= 0)
        dir_empty(p->dir_fd);
    (void)rmdir(p->dir); /* the next run removes what stays */
    if (p->dir_fd >= 0)
        close(p->dir_fd);
}

/* ---- signals -------------------------------------------------------------------------------- */

/* Both are asked for even where they were ignored (a shell's background job): who sends one means
 * it. */
static int signals_take(struct pool *p, struct err *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    struct sigaction by_default;
    memset(&by_default, 0, sizeof by_default);
    by_default.sa_handler = SIG_DFL;
    (void)sigaction(SIGINT, &by_default, &p->old_int); /* cannot fail for these two */
    (void)sigaction(SIGTERM, &by_default, &p->old_term);
    (void)pthread_sigmask(SIG_BLOCK, &set, &p->old_mask);
    p->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (p->signal_fd < 0)
        return err_set_errno(err, ERR_SYSTEM, errno, "cannot watch for signals");
    return 0;
}

static void signals_return(struct pool *p)
{
    if (p->signal_fd < 0)
        return;
    close(p->signal_fd);
    (void)sigaction(SIGINT, &p->old_int, NULL);
    (void)sigaction(SIGTERM, &p->old_term, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &p->old_mask, NULL);
}

void pool_check_signals(struct pool *p)
{
    struct signalfd_siginfo info;
    while (p->signal_fd >= 0 && read(p->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (p->stop_signal != 0) {
            p->is_stop_now = true;
            continue;
        }
        p->stop_signal = (int)info.ssi_signo;
        p->stop_deadline_ns = mono_now_ns() + POOL_DRAIN_NS;
    }
    if (p->stop_signal != 0 && mono_now_ns() >= p->stop_deadline_ns)
        p->is_stop_now = true;
}

bool pool_is_stopping(const struct pool *p)
{
    return p->stop_signal != 0;
}

/* ---- life of a pool ------------------------------------------------------------------------- */

static int spec_make(struct pool *p, const struct run_record *record, struct err *err)
{
    const struct config *c = p->config;
    struct run_spec *spec = &p->spec;
    *spec = (struct run_spec){
        .profile = c->profile,
        .periods_per_year = c->periods_per_year,
        .risk_free = c->risk_free,
        .seed = c->seed,
        .noise = c->noise,
    };
    snprintf(spec->container_prefix, sizeof spec->container_prefix, "%s",
             c->type == RUN_OPTIMIZATION ? "opt" : "test");
    time_t seconds = (time_t)(record->started_ns / NS_PER_S);
    struct tm utc;
    if (!gmtime_r(&seconds, &utc) ||
        strftime(spec->container_suffix, sizeof spec->container_suffix, "%Y%m%d_%H%M%S", &utc) == 0)
        snprintf(spec->container_suffix, sizeof spec->container_suffix, "0");
    spec->libraries = calloc(c->plugins_n + 1, sizeof *spec->libraries);
    if (!spec->libraries)
        return err_set(err, ERR_SYSTEM, "out of memory for %u plugins", c->plugins_n);
    spec->libraries_n = c->plugins_n;
    for (uint32_t i = 0; i < c->plugins_n; i++)
        memcpy(spec->libraries[i].path, c->plugins[i].path, sizeof spec->libraries[i].path);
    spec->strategies = calloc(c->strategies_n, sizeof *spec->strategies);
    if (!spec->strategies)
        return err_set(err, ERR_SYSTEM, "out of memory for %u strategies", c->strategies_n);
    spec->strategies_n = c->strategies_n;
    for (uint32_t i = 0; i < c->strategies_n; i++)
        spec->strategies[i] = c->strategies[i].spec;
    return 0;
}

static int pool_allocate(struct pool *p, uint32_t workers_n, struct err *err)
{
    p->worker = calloc(workers_n, sizeof *p->worker);
    p->poll = calloc(2 + 2 * (size_t)workers_n, sizeof *p->poll);
    p->combo = calloc(SPEC_BATCH_MAX, sizeof *p->combo);
    p->number = calloc(SPEC_BATCH_MAX, sizeof *p->number);
    if (!p->worker || !p->poll || !p->combo || !p->number)
        return err_set(err, ERR_SYSTEM, "out of memory for %u workers", workers_n);
    p->workers_n = workers_n;
    for (uint32_t i = 0; i < workers_n; i++) {
        p->worker[i].idx = i;
        p->worker[i].pidfd = -1;
    }
    return 0;
}

int pool_init(struct pool *p, const struct config *config, const struct run_data *data,
              const struct pool_options *options, struct err *err)
{
    *p = (struct pool){
        .config = config, .data = data, .signal_fd = -1, .slots_fd = -1, .dir_fd = -1};
    p->worker_path = describe_worker_path();
    ledger_init(&p->ledger, config, options->record);
    p->ledger.store = options->store;
    int r = work_init(&p->work, config, err);
    if (r == 0)
        r = pool_allocate(p, options->workers_n, err);
    if (r == 0)
        r = spec_make(p, options->record, err);
    if (r == 0)
        r = slots_create(options->workers_n, &p->slots, &p->slots_fd, err);
    if (r == 0)
        r = dir_make(p, err);
    if (r == 0)
        r = signals_take(p, err);
    if (r < 0)
        pool_fini(p);
    return r;
}

static void kill_rest(struct pool *p)
{
    for (uint32_t i = 0; i < p->workers_n; i++) {
        struct worker_ref *w = &p->worker[i];
        if (w->pid > 0 && !w->is_reaped) {
            (void)kill(w->pid, SIGKILL);  /* ours, and not reaped: the pid cannot be another's */
            (void)kill(-w->pid, SIGKILL); /* what user code has started in its group */
            while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR)
                continue;
        }
        channel_close(w->channel);
        if (w->pidfd >= 0)
            close(w->pidfd);
        while (w->batches_n > 0)
            pool_pop_batch(p, w);
    }
}

void pool_fini(struct pool *p)
{
    if (p->worker)
        kill_rest(p);
    signals_return(p);
    dir_remove(p);
    slots_close(&p->slots);
    if (p->slots_fd >= 0)
        close(p->slots_fd);
    run_spec_fini(&p->spec);
    work_fini(&p->work);
    ledger_fini(&p->ledger);
    free(p->worker);
    free(p->poll);
    free(p->combo);
    free(p->number);
    *p = (struct pool){.signal_fd = -1, .slots_fd = -1, .dir_fd = -1};
}

struct slot *pool_slot(struct pool *p, const struct worker_ref *w)
{
    return &p->slots.slot[w->idx];
}

bool pool_has_newcomer(const struct pool *p)
{
    for (uint32_t i = 0; i < p->workers_n; i++) {
        const struct worker_ref *w = &p->worker[i];
        if (worker_ref_is_alive(w) && w->is_fresh && w->role != ROLE_SERVICE)
            return true;
    }
    return false;
}

uint32_t pool_alive_n(const struct pool *p)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->workers_n; i++)
        n += worker_ref_is_alive(&p->worker[i]);
    return n;
}

/* ---- starting ------------------------------------------------------------------------------- */

bool pool_may_spawn(const struct pool *p, int64_t now_ns)
{
    return now_ns >= p->spawn_again_ns;
}

/* Twice as long each time: 50 ms to 1.6 s. Fatal only where nobody is left to do the work. */
static int spawn_back_off(struct pool *p, const struct err *why, struct err *err)
{
    p->spawn_failures++;
    uint32_t doublings = p->spawn_failures < 6 ? p->spawn_failures - 1 : 5;
    p->spawn_again_ns = mono_now_ns() + (INT64_C(50000000) << doublings);
    if (pool_alive_n(p) > 0 || p->spawn_failures < SPAWN_FAILURES_MAX)
        return -EAGAIN;
    *err = *why;
    return -ENOSYS;
}

static void worker_begin(struct pool *p, struct worker_ref *w, enum worker_role role)
{
    uint32_t idx = w->idx;
    *w = (struct worker_ref){.idx = idx, .role = role, .pidfd = -1, .is_fresh = true};
    w->number = ++p->starts_n;
    w->deadline_ns = mono_now_ns() + START_DEADLINE_NS;
    slot_claim(&p->slots, idx, w->number);
}

int pool_start(struct pool *p, uint32_t idx, enum worker_role role, struct err *err)
{
    struct worker_ref *w = &p->worker[idx];
    worker_begin(p, w, role);
    char address[POOL_DIR_BYTES + 24];
    snprintf(address, sizeof address, "%s/w%u", p->dir, w->number);
    struct spawn_child child;
    struct err why;
    int r = channel_listen(address, &w->channel, &why);
    bool may_pass = r < 0; /* addresses are new and private: what fails is a resource */
    if (r == 0) {
        channel_set_worker(w->channel, w->number);
        r = spawn_worker(
            &(struct spawn_request){.worker_path = p->worker_path,
                                    .address = address,
                                    .worker = w->number,
                                    .slot_idx = idx,
                                    .plane = plane_writer_fds(p->data->plane),
                                    .slots_fd = p->slots_fd,
                                    .memory_limit_bytes = p->config->memory_limit_bytes},
            &child, &why);
        may_pass = r == -EAGAIN;
        if (r < 0)
            channel_close(w->channel);
    }
    if (r < 0) {
        w->channel = NULL;
        slot_release(&p->slots, idx);
        if (may_pass)
            return spawn_back_off(p, &why, err);
        *err = why;
        return r;
    }
    w->pid = child.pid;
    w->pidfd = child.pidfd;
    channel_expect_peer(w->channel, child.pid);
    spawn_open_gate(&child);
    (void)worker_ref_move(w, WORKER_EV_SPAWNED);
    p->spawn_failures = 0;
    return 0;
}

/* ---- talking and ending --------------------------------------------------------------------- */

bool pool_send(struct pool *p, struct worker_ref *w)
{
    if (w->is_reaped)
        return false;
    int r = channel_send(w->channel, SEND_TIMEOUT_MS);
    if (r == 0)
        return true;
    if (r == -ENOMEM)
        p->is_out_of_memory = true;
    if (r != -EPIPE) { /* one that is gone is buried as it died */
        pool_condemn(p, w, STATUS_PROTOCOL, "worker takes no message");
        w->verdict.is_blameless = r == -ENOMEM;
    }
    return false;
}

static uint32_t *zeros_of(uint32_t n)
{
    return calloc(n, sizeof(uint32_t));
}

/* BATCH, LANES and DETAIL have the same body. */
static bool gift_send(struct pool *p, struct worker_ref *w, const struct pool_gift *gift,
                      uint64_t id)
{
    uint32_t *zeros = gift->risk_idx ? NULL : zeros_of(gift->n);
    if (!gift->risk_idx && !zeros) {
        p->is_out_of_memory = true;
        return false;
    }
    struct batch batch = {
        .id = id,
        .lanes_0 = gift->lanes_0,
        .n = gift->n,
        .combos = gift->combos,
        .risk_idx = gift->risk_idx ? gift->risk_idx : zeros,
        .execution_idx = gift->risk_idx ? gift->execution_idx : zeros,
    };
    struct buf *b = channel_begin(w->channel, gift->type);
    batch_encode(b, &batch);
    free(zeros);
    return pool_send(p, w);
}

/* What it owes results for. */
static int note_batch(struct pool *p, struct worker_ref *w, const struct pool_gift *gift,
                      uint64_t id)
{
    struct work_batch *b = &w->batch[w->batches_n];
    if (batch_ref_set(b, id, gift->numbers, gift->n) < 0) {
        p->is_out_of_memory = true;
        return -ENOMEM;
    }
    b->sent_ns = mono_now_ns();
    b->pin = gift->pin;
    b->pin_first = gift->pin_first;
    b->owns_pin = gift->owns_pin;
    if (gift->retry) {
        b->is_retry = true;
        b->retry = *gift->retry;
    }
    w->batches_n++;
    return 0;
}

void pool_pop_batch(struct pool *p, struct worker_ref *w)
{
    if (w->batch[0].owns_pin)
        hub_unpin(p->data->hub, w->batch[0].pin);
    worker_ref_pop_batch(w);
}

bool pool_give(struct pool *p, struct worker_ref *w, const struct pool_gift *gift)
{
    uint64_t id = gift->type == MSG_DETAIL ? 0 : ++p->batches_n; /* details carry no number */
    if (!gift->is_shared && note_batch(p, w, gift, id) < 0) {
        if (gift->owns_pin)
            hub_unpin(p->data->hub, gift->pin);
        return false;
    }
    if (gift->owns_pin && gift->pin)
        hub_begin(p->data->hub, gift->pin);
    w->is_fresh = false;
    (void)worker_ref_move(w, WORKER_EV_GIVEN);
    return gift_send(p, w, gift, id);
}

void pool_condemn(struct pool *p, struct worker_ref *w, enum status status, const char *fmt, ...)
{
    if (!worker_ref_move(w, WORKER_EV_CONDEMNED))
        return;
    w->verdict = (struct worker_verdict){.status = status};
    va_list args;
    va_start(args, fmt);
    vsnprintf(w->verdict.reason, sizeof w->verdict.reason, fmt, args);
    va_end(args);
    if (w->is_reaped)
        return;
    bool is_gentle = status == STATUS_TIMEOUT; /* it may say its last words */
    w->verdict.kill_at_ns = is_gentle ? mono_now_ns() + ABORT_GRACE_NS : 0;
    (void)kill(w->pid, is_gentle ? SIGABRT : SIGKILL); /* ours, and not reaped */
}

void pool_discard(struct pool *p, struct worker_ref *w, const char *reason)
{
    pool_condemn(p, w, STATUS_PROTOCOL, "%s", reason);
    w->verdict.is_blameless = true;
}

static void send_finish(struct pool *p, struct worker_ref *w)
{
    (void)channel_begin(w->channel, MSG_FINISH);
    if (!pool_send(p, w))
        return;
    (void)worker_ref_move(w, WORKER_EV_DISMISSED);
    w->deadline_ns = mono_now_ns() + FINISH_DEADLINE_NS;
}

int pool_dismiss(struct pool *p, struct err *err)
{
    for (uint32_t i = 0; i < p->workers_n; i++) {
        struct worker_ref *w = &p->worker[i];
        if (w->state == WORKER_IDLE && !p->is_stop_now)
            send_finish(p, w);
        else if (worker_ref_is_alive(w))
            pool_discard(p, w, "the run ends");
    }
    int64_t deadline_ns = mono_now_ns() + 2 * FINISH_DEADLINE_NS;
    for (;;) {
        uint32_t left_n = 0;
        for (uint32_t i = 0; i < p->workers_n; i++)
            left_n += p->worker[i].state != WORKER_ABSENT;
        if (left_n == 0 || mono_now_ns() > deadline_ns)
            return 0;        /* pool_fini() kills what is still there */
        p->early_deaths = 0; /* those that were not needed any more */
        int r = pool_turn(p, POOL_TICK_MS, err);
        if (r < 0)
            return r;
    }
}
