/* SPDX-License-Identifier: MIT */
/* One turn of the loop: what workers sent, who died, whose time is up, what is to be committed. */
#include "supervisor/pool/pool.h"

#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/units.h"

#define START_DEADLINE_NS INT64_C(30000000000)
#define CLOSED_GRACE_NS   INT64_C(500000000) /* channel gone to process gone */
#define DRAIN_WAIT_MS     20
#define EARLY_DEATHS_MAX  3
#define EARLY_KILLS_MAX   1000 /* by SIGKILL from outside */

/* ---- frames of every worker's life ---------------------------------------------------------- */

static void on_hello(struct pool *p, struct worker_ref *w, struct reader *body)
{
    struct hello hello;
    if (hello_decode(body, &hello) < 0 || hello.pid != (uint32_t)w->pid ||
        hello.slot_idx != w->idx) {
        pool_condemn(p, w, STATUS_PROTOCOL, "worker says a wrong HELLO");
        return;
    }
    if (hello.protocol != MSG_VERSION || strcmp(hello.engine, ENGINE_VERSION) != 0) {
        char engine[64];
        (void)err_set(
            &p->trouble, ERR_SYSTEM,
            "%s is of version %s, protocol %u, and this program of version %s, protocol %d: "
            "install both from one build",
            p->worker_path, err_printable(hello.engine, engine, sizeof engine), hello.protocol,
            ENGINE_VERSION, MSG_VERSION);
        p->is_refused = true;
        return;
    }
    struct setup setup = {.role = (uint8_t)w->role, .run = p->spec};
    setup_encode(channel_begin(w->channel, MSG_SETUP), &setup);
    if (!pool_send(p, w))
        return;
    (void)worker_ref_move(w, WORKER_EV_HELLO);
    w->deadline_ns = mono_now_ns() + START_DEADLINE_NS;
}

static void on_ready(struct pool *p, struct worker_ref *w, struct reader *body)
{
    struct ready ready;
    if (ready_decode(body, &ready) < 0) {
        pool_condemn(p, w, STATUS_PROTOCOL, "worker says a wrong READY");
        return;
    }
    (void)worker_ref_move(w, WORKER_EV_READY);
    w->was_ready = true;
    w->deadline_ns = 0;
    p->early_deaths = p->early_kills = 0;
}

static void on_refuse(struct pool *p, struct worker_ref *w, struct reader *body)
{
    struct err refusal;
    if (refuse_decode(body, &refusal) < 0) {
        pool_condemn(p, w, STATUS_PROTOCOL, "worker says a wrong REFUSE");
        return;
    }
    char text[200];
    err_printable(refusal.text, text, sizeof text);
    if (!w->was_ready) {
        p->trouble = refusal;
        p->is_refused = true;
    }
    pool_condemn(p, w, STATUS_PROTOCOL, "worker refuses: %s", text);
}

/* ---- results -------------------------------------------------------------------------------- */

static bool is_result_sound(const struct result *r)
{
    return r->status == STATUS_OK || r->status == STATUS_INVALID ||
           r->status == STATUS_OUT_OF_MEMORY || r->status == STATUS_PROTOCOL;
}

/* The most memory that a living process ever held; 0 where that is not known. */
static uint64_t peak_bytes_of(pid_t pid)
{
    char path[32], line[128];
    unsigned long long kib = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "re");
    while (f && kib == 0 && fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %llu kB", &kib) != 1)
            kib = 0;
    if (f)
        (void)fclose(f); /* was read only */
    return kib * 1024;
}

/* The worker says that this one failed, and lives. */
static void take_failure(struct pool *p, const struct worker_ref *w, const struct result *result)
{
    const struct work_batch *b = &w->batch[0];
    bool is_memory = result->status == STATUS_OUT_OF_MEMORY;
    struct work_retry past = {.combination = result->combination};
    char words[sizeof result->message];
    pool_attempt_failed(p, &(struct attempt){
                               .past = b->is_retry ? b->retry : past,
                               .status = (enum status)result->status,
                               .words = err_printable(result->message, words, sizeof words),
                               .reason = is_memory ? "out of memory" : words,
                               .peak_bytes = is_memory && !w->is_reaped ? peak_bytes_of(w->pid) : 0,
                           });
}

/* One NaN for all: which one a worker made says nothing. */
static void canonicalise(struct result *r)
{
    for (int i = 0; i < METRIC_N; i++)
        if (isnan(r->metrics[i]) || r->status != STATUS_OK)
            r->metrics[i] = NAN;
}

static bool take_result(struct pool *p, struct worker_ref *w, struct result *result)
{
    struct work_batch *b = &w->batch[0];
    int64_t idx = batch_ref_find(b, result->combination);
    if (idx < 0 || batch_ref_is_done(b, (uint32_t)idx) || !is_result_sound(result))
        return false;
    batch_ref_mark_done(b, (uint32_t)idx);
    canonicalise(result);
    if (status_is_failure(result->status)) {
        take_failure(p, w, result);
        return true;
    }
    if (!work_mark_done(&p->work, result->combination))
        return false;
    if (b->pin)
        hub_settled(p->data->hub, b->pin, b->pin_first + (uint32_t)idx);
    if (ledger_add_result(&p->ledger, result) < 0)
        p->is_out_of_memory = true;
    p->barren_deaths = 0;
    return true;
}

/* How long a combination takes, smoothed: batches are cut to a time, not to a number. */
static void batch_ended(struct pool *p, struct worker_ref *w)
{
    const struct work_batch *b = &w->batch[0];
    int64_t now = mono_now_ns();
    int64_t begin = b->sent_ns > w->batch_end_ns ? b->sent_ns : w->batch_end_ns;
    double each_ns = (double)(now - begin) / b->n;
    if (!b->is_retry)
        p->ns_per_combination =
            p->ns_per_combination > 0 ? 0.7 * p->ns_per_combination + 0.3 * each_ns : each_ns;
    w->batch_end_ns = now;
    pool_pop_batch(p, w);
    if (w->batches_n == 0)
        (void)worker_ref_move(w, WORKER_EV_DRAINED);
}

static void on_results(struct pool *p, struct worker_ref *w, struct reader *body)
{
    struct results results;
    int r = results_decode(body, &results);
    if (r < 0) {
        p->is_out_of_memory |= r == -ENOMEM;
        pool_condemn(p, w, STATUS_PROTOCOL, "worker says wrong RESULTS");
        return;
    }
    bool is_sound = results.batch_id == w->batch[0].id, has_failed = false;
    for (uint32_t i = 0; is_sound && i < results.n; i++) {
        is_sound = take_result(p, w, &results.results[i]);
        has_failed |= status_is_failure(results.results[i].status);
    }
    if (is_sound && results.is_last && w->batch[0].done_n != w->batch[0].n)
        is_sound = false;
    if (!is_sound)
        pool_condemn(p, w, STATUS_PROTOCOL, "worker says results that it was not asked for");
    else
        p->ledger.record->bar_steps += results.bar_steps;
    if (is_sound && results.is_last)
        batch_ended(p, w);
    if (is_sound && has_failed) /* what it could not get, others would lack too */
        pool_discard(p, w, "a combination failed in it");
    results_fini(&results);
}

static void on_frame(struct pool *p, struct worker_ref *w, const struct msg_head *head,
                     struct reader *body)
{
    if (head->type == MSG_HELLO && w->state == WORKER_STARTING)
        on_hello(p, w, body);
    else if (head->type == MSG_READY && w->state == WORKER_SETTING_UP)
        on_ready(p, w, body);
    else if (head->type == MSG_REFUSE && w->state != WORKER_CONDEMNED)
        on_refuse(p, w, body);
    else if (head->type == MSG_RESULTS && w->state == WORKER_BUSY)
        on_results(p, w, body);
    else if (w->state != WORKER_CONDEMNED &&
             !(p->on_frame && w->state == WORKER_BUSY && p->on_frame(p, w, head, body)))
        pool_condemn(p, w, STATUS_PROTOCOL, "worker says %s while it is %s", msg_name(head->type),
                     worker_state_name(w->state));
}

/* ---- receiving and burying ------------------------------------------------------------------ */

static void receive(struct pool *p, struct worker_ref *w, int timeout_ms)
{
    for (;;) {
        struct msg_head head;
        struct reader body;
        enum msg_verdict verdict = MSG_E_OK;
        int r = channel_recv(w->channel, timeout_ms, &head, &body, &verdict);
        if (r == 0) {
            on_frame(p, w, &head, &body);
            continue;
        }
        if (r == -EPROTO) {
            p->messages_refused_n++;
            pool_condemn(p, w, STATUS_PROTOCOL, "worker says a frame that is refused: %s",
                         msg_verdict_name(verdict));
            return;
        }
        if (r == -EPIPE && !w->is_closed) {
            w->is_closed = true;
            w->closed_until_ns = mono_now_ns() + CLOSED_GRACE_NS;
        }
        return;
    }
}

static void bury(struct pool *p, struct worker_ref *w, int wait_status)
{
    w->is_reaped = true;
    receive(p, w, DRAIN_WAIT_MS);
    if (w->state != WORKER_FINISHING || w->batches_n > 0)
        pool_settle(p, w, wait_status);
    p->messages_refused_n += channel_refused_n(w->channel);
    channel_close(w->channel);
    w->channel = NULL;
    if (w->pidfd >= 0)
        close(w->pidfd);
    w->pidfd = -1;
    slot_release(&p->slots, w->idx);
    w->pid = 0;
    (void)worker_ref_move(w, WORKER_EV_EXITED);
}

bool pool_reap(struct pool *p, struct worker_ref *w)
{
    int wait_status;
    if (w->pid <= 0)
        return w->state == WORKER_ABSENT;
    siginfo_t ended = {.si_pid = 0};
    if (waitid(P_PID, (id_t)w->pid, &ended, WEXITED | WNOHANG | WNOWAIT) < 0 || ended.si_pid == 0)
        return false;
    (void)kill(-w->pid, SIGKILL); /* what user code has started in its group; not reaped yet */
    pid_t pid = waitpid(w->pid, &wait_status, WNOHANG);
    if (pid != w->pid)
        return false;
    bury(p, w, wait_status);
    return true;
}

/* ---- deadlines ------------------------------------------------------------------------------ */

static bool is_past_time_limit(struct pool *p, struct worker_ref *w, int64_t now,
                               uint64_t *ret_combination)
{
    const struct slot *slot = pool_slot(p, w);
    int64_t started = atomic_load_explicit(&slot->started_ns, memory_order_acquire);
    uint64_t combination = atomic_load_explicit(&slot->combination, memory_order_acquire);
    uint32_t state = atomic_load_explicit(&slot->state, memory_order_acquire);
    if (!p->enforces_time || p->config->time_per_combination_ns <= 0 || w->state != WORKER_BUSY ||
        state != SLOT_RUNNING || started <= 0 ||
        now - started <= p->config->time_per_combination_ns)
        return false;
    *ret_combination = combination;
    return started == atomic_load_explicit(&slot->started_ns, memory_order_acquire);
}

static void check_worker_time(struct pool *p, struct worker_ref *w, int64_t now)
{
    uint64_t combination;
    if (w->state == WORKER_CONDEMNED) {
        if (w->verdict.kill_at_ns != 0 && now >= w->verdict.kill_at_ns) {
            w->verdict.kill_at_ns = 0;
            (void)kill(w->pid, SIGKILL); /* ours, and not reaped */
        }
        return;
    }
    if (w->is_closed && now >= w->closed_until_ns)
        pool_condemn(p, w, STATUS_PROTOCOL, "worker closed its channel");
    else if (w->deadline_ns != 0 && now >= w->deadline_ns)
        pool_condemn(p, w, STATUS_PROTOCOL, "worker is %s for too long",
                     worker_state_name(w->state));
    else if (is_past_time_limit(p, w, now, &combination)) {
        char limit[32];
        pool_condemn(p, w, STATUS_TIMEOUT, "it ran longer than %s",
                     duration_format(p->config->time_per_combination_ns, limit, sizeof limit));
        w->verdict.has_culprit = true;
        w->verdict.combination = combination;
    }
}

void pool_bury_condemned(struct pool *p)
{
    int64_t now = mono_now_ns();
    for (uint32_t i = 0; i < p->workers_n; i++) {
        struct worker_ref *w = &p->worker[i];
        if (w->state != WORKER_CONDEMNED)
            continue;
        check_worker_time(p, w, now);
        (void)pool_reap(p, w);
    }
}

/* ---- the turn ------------------------------------------------------------------------------- */

static void poll_events(struct pool *p, int timeout_ms)
{
    p->poll[0] = (struct pollfd){.fd = p->signal_fd, .events = POLLIN};
    for (uint32_t i = 0; i < p->workers_n; i++) {
        const struct worker_ref *w = &p->worker[i];
        bool is_there = w->state != WORKER_ABSENT;
        p->poll[1 + 2 * i] = (struct pollfd){
            .fd = is_there && !w->is_closed ? channel_recv_fd(w->channel) : -1, .events = POLLIN};
        p->poll[2 + 2 * i] = (struct pollfd){.fd = is_there ? w->pidfd : -1, .events = POLLIN};
    }
    nfds_t n = 1 + 2 * (nfds_t)p->workers_n;
    if (p->data->hub)
        p->poll[n++] = (struct pollfd){.fd = hub_poll_fd(p->data->hub), .events = POLLIN};
    if (poll(p->poll, n, timeout_ms) < 0)
        for (nfds_t i = 0; i < n; i++)
            p->poll[i].revents = 0; /* EINTR, ENOMEM: the next turn */
}

static int run_trouble(struct pool *p, struct err *err)
{
    if (p->is_out_of_memory)
        return err_set(err, ERR_SYSTEM,
                       "out of memory; what was committed is kept, and the run can be resumed");
    if (p->is_refused || p->early_deaths >= EARLY_DEATHS_MAX || p->early_kills >= EARLY_KILLS_MAX ||
        p->barren_deaths >= POOL_BARREN_DEATHS_MAX) {
        *err = p->trouble;
        return -ECANCELED;
    }
    return 0;
}

int pool_turn(struct pool *p, int timeout_ms, struct err *err)
{
    poll_events(p, timeout_ms);
    pool_check_signals(p);
    int64_t now = mono_now_ns();
    bool is_tick = now - p->last_tick_ns >= POOL_TICK_MS * INT64_C(1000000);
    if (is_tick)
        p->last_tick_ns = now;
    for (uint32_t i = 0; i < p->workers_n; i++) {
        struct worker_ref *w = &p->worker[i];
        if (w->state == WORKER_ABSENT)
            continue;
        if ((p->poll[1 + 2 * i].revents || is_tick) && !w->is_closed)
            receive(p, w, 0);
        if (p->poll[2 + 2 * i].revents || is_tick)
            (void)pool_reap(p, w);
        if (is_tick && w->state != WORKER_ABSENT)
            check_worker_time(p, w, now);
    }
    if (p->data->hub)
        hub_turn(p->data->hub);
    int r = run_trouble(p, err);
    if (r == 0 && ledger_is_due(&p->ledger, now))
        r = ledger_commit(&p->ledger, err);
    ledger_show(&p->ledger, now, false);
    return r;
}
