/* SPDX-License-Identifier: MIT */
/* Jobs: some queued series of one group, given to a builder that has nothing to do. A job that dies
 * with its builder is given again, each of its series alone, so that the one that is to blame is
 * found; that one is left to workers when it kills a second builder. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include "proto/status.h"
#include "proto/units.h"
#include "supervisor/hub/hub_parts.h"

#define PATIENCE_TIMES     200 /* what a job was thought to take */
#define START_FAILURES_MAX 6
#define START_PAUSE_NS     INT64_C(20000000) /* doubled each time */

/* ---- arguments of jobs ---------------------------------------------------------------------- */

static void hold_args(struct hub *hub, uint32_t i)
{
    const struct hub_series *series = hub_series_of(hub, i);
    for (uint32_t a = series->args_off; a < series[1].args_off; a++)
        if (hub->item[hub->source.args[a]].jobs_n++ == 0)
            room_review(hub, hub->source.args[a]);
}

static void let_args_go(struct hub *hub, uint32_t i)
{
    const struct hub_series *series = hub_series_of(hub, i);
    for (uint32_t a = series->args_off; a < series[1].args_off; a++)
        if (--hub->item[hub->source.args[a]].jobs_n == 0)
            room_review(hub, hub->source.args[a]);
}

/* ---- the end of a job ----------------------------------------------------------------------- */

static struct kind *kind_of(struct hub *hub, uint32_t i)
{
    return &hub->kind[hub_series_of(hub, i)->kind];
}

static void measure(struct hub *hub, const struct builder_job *job, int64_t cpu_ns)
{
    uint64_t values = 0;
    for (uint32_t k = 0; k < job->n; k++)
        values += hub_series_of(hub, job->series[k])->rows_n;
    struct kind *kind = kind_of(hub, job->series[0]);
    double value_ns = values ? (double)cpu_ns / (double)values : 0;
    kind->value_ns = kind->value_ns > 0 ? 0.7 * kind->value_ns + 0.3 * value_ns : value_ns;
    hub->cpu_ns += cpu_ns;
}

static void publish(struct hub *hub, uint32_t i, uint32_t first_defined)
{
    struct item *item = &hub->item[i];
    const struct hub_series *series = hub_series_of(hub, i);
    item->first_defined = first_defined < series->rows_n ? first_defined : series->rows_n;
    hub->source.publish(hub->source.ctx, i, item->first_defined);
    hub->stats.built_n += !item->was_built;
    hub->stats.recomputed_n += item->was_built;
    item->was_built = true;
    item->crashes = item->kills = 0;
    hub->building_n--;
    queue_settle(hub, i, ITEM_THERE);
    room_review(hub, i);
}

static void finish_job(struct hub *hub, const struct builder_job *job,
                       const struct builder_done *done)
{
    measure(hub, job, done->cpu_ns);
    kind_of(hub, job->series[0])->lates_n = 0;
    for (uint32_t k = 0; k < job->n; k++) {
        publish(hub, job->series[k], done->first_defined[k]);
        let_args_go(hub, job->series[k]);
    }
}

/* `why` may begin with the key already. */
static void leave(struct hub *hub, uint32_t i, const char *why)
{
    const char *key = hub->source.key(hub->source.ctx, i);
    bool names_it = strncmp(why, key, strlen(key)) == 0;
    if (hub->stats.left_n++ == 0)
        snprintf(hub->stats.left_why, sizeof hub->stats.left_why, "%.120s%s%.120s",
                 names_it ? "" : key, names_it ? "" : ": ", why);
    queue_settle(hub, i, ITEM_LEFT);
}

/* An indicator that hangs, or nearly, holds the others up for so many times its patience at most:
 * combinations have limits of their own. */
static bool is_slow(struct hub *hub, uint32_t i)
{
    return kind_of(hub, i)->lates_n >= HUB_LATES_MAX;
}

/* Nothing of it counts. `is_foreign`: someone killed the builder, which says little of the job. */
static void fail_job(struct hub *hub, const struct builder_job *job, bool is_foreign,
                     const char *why)
{
    for (uint32_t k = job->n; k-- > 0;) { /* those that return stand in their order again */
        uint32_t i = job->series[k];
        struct item *item = &hub->item[i];
        hub->source.unplace(hub->source.ctx, i);
        hub->building_n--;
        if (is_foreign)
            item->kills++;
        else
            item->crashes++;
        if (item->crashes >= HUB_CRASHES_MAX || item->kills >= HUB_KILLS_MAX || is_slow(hub, i))
            leave(hub, i, why);
        else
            queue_return(hub, i);
        let_args_go(hub, i);
    }
}

/* ---- builders ------------------------------------------------------------------------------- */

static void bury(struct hub *hub, struct builder *b)
{
    char why[64], name[SIGNAL_NAME_BYTES];
    bool was_busy = b->is_busy, was_late = b->was_killed;
    struct builder_job job = b->job;
    int status = builder_end(b);
    bool is_foreign = !was_late && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    if (was_late)
        snprintf(why, sizeof why, "it took too long");
    else if (WIFSIGNALED(status))
        snprintf(why, sizeof why, "its builder died of %s", signal_name(WTERMSIG(status), name));
    else
        snprintf(why, sizeof why, "its builder left with status %d", WEXITSTATUS(status));
    hub->stats.builder_deaths_n++;
    if (was_busy && was_late)
        kind_of(hub, job.series[0])->lates_n++;
    if (was_busy)
        fail_job(hub, &job, is_foreign, why);
}

/* The job that it speaks of, and all of it. */
static bool is_sound(const struct builder *b, const struct builder_done *done)
{
    return b->is_busy && done->id == b->job.id && (done->result < 0 || done->n == b->job.n) &&
           done->result <= 0;
}

static void look_after(struct hub *hub, struct builder *b, int64_t now)
{
    struct builder_done done;
    if (b->pid == 0)
        return;
    int r = builder_hear(b, &done);
    if (r == 1 && !is_sound(b, &done))
        r = -EPROTO;
    if (r == 1) {
        b->is_busy = false;
        if (done.result == 0)
            finish_job(hub, &b->job, &done);
        else
            fail_job(hub, &b->job, false, done.why);
        return;
    }
    if (r == 0 && b->is_busy && now >= b->deadline_ns) {
        b->was_killed = true;
        r = -EPIPE;
    }
    if (r < 0)
        bury(hub, b);
}

/* One that has nothing to do, started where there are fewer than there may be; NULL: none now. */
static struct builder *find_idle(struct hub *hub, int64_t now)
{
    struct builder *empty = NULL;
    for (uint32_t i = 0; i < hub->builders_n; i++) {
        struct builder *b = &hub->builder[i];
        if (b->pid > 0 && !b->is_busy)
            return b;
        if (b->pid == 0 && !empty)
            empty = b;
    }
    if (!empty || now < hub->start_again_ns)
        return NULL;
    if (builder_start(empty, &hub->source) < 0) {
        unsigned doublings = hub->start_failures < 6 ? hub->start_failures : 6;
        hub->start_failures++;
        hub->start_again_ns = now + (START_PAUSE_NS << doublings);
        return NULL;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.fd = empty->fd};
    (void)epoll_ctl(hub->epoll_fd, EPOLL_CTL_ADD, empty->fd, &event); /* else the tick sees it */
    hub->start_failures = 0;
    hub->stats.builders_started_n++;
    return empty;
}

static bool has_builder(const struct hub *hub)
{
    for (uint32_t i = 0; i < hub->builders_n; i++)
        if (hub->builder[i].pid > 0)
            return true;
    return hub->builders_n > 0 && hub->start_failures < START_FAILURES_MAX;
}

/* ---- making jobs ---------------------------------------------------------------------------- */

static bool is_suspect(const struct item *item)
{
    return item->crashes > 0 || item->kills > 1;
}

/* So many that all builders have something to do. */
static uint32_t job_most(const struct hub *hub)
{
    uint32_t share = (hub->queued_n + hub->builders_n - 1) / hub->builders_n;
    return share < 1 ? 1 : share < HUB_JOB_SERIES_MAX ? share : HUB_JOB_SERIES_MAX;
}

/* Takes one out of the queue into the job, or out of the queue alone. False: not now. */
static bool take(struct hub *hub, uint32_t i, struct builder_job *job)
{
    struct item *item = &hub->item[i];
    void *out;
    enum room room = item->pins_n == 0 || is_slow(hub, i) ? ROOM_NONE : room_place(hub, i, &out);
    if (room == ROOM_LATER)
        return false;
    queue_take(hub, i);
    if (is_slow(hub, i)) {
        leave(hub, i, "others of its kind took too long");
        return true;
    }
    if (room == ROOM_NONE) {
        queue_settle(hub, i, ITEM_ABSENT);
        return true;
    }
    item->state = ITEM_BUILDING;
    hub->building_n++;
    hold_args(hub, i);
    job->series[job->n] = i;
    job->out[job->n++] = out;
    return true;
}

/* Of the group that is first in the queue; none where there is no room for any of it. False: there
 * will be room, wait. */
static bool make_job(struct hub *hub, struct builder_job *job)
{
    struct item_list *group = &hub->group[hub_series_of(hub, hub->queue.first)->group];
    uint32_t most = job_most(hub);
    bool is_alone = is_suspect(&hub->item[group->first]);
    uint64_t bytes = 0;
    double ns = 0;
    *job = (struct builder_job){.n = 0};
    for (uint32_t i = group->first, next; i != HUB_NONE && job->n < most; i = next) {
        next = hub->item[i].group_next;
        if (job->n > 0 && is_alone)
            break;
        if (job->n > 0 && is_suspect(&hub->item[i]))
            continue;
        if (!take(hub, i, job))
            return job->n > 0;
        bytes += hub_series_of(hub, i)->bytes;
        ns += room_cost_ns(hub, i);
        if (job->n > 0 && (bytes >= HUB_JOB_BYTES || ns >= HUB_JOB_NS))
            break;
    }
    return true;
}

static void give(struct hub *hub, struct builder *b, struct builder_job *job, int64_t now)
{
    uint64_t bytes_now = hub->source.bytes_now(hub->source.ctx);
    double ns = 0;
    if (bytes_now > hub->stats.bytes_peak)
        hub->stats.bytes_peak = bytes_now;
    count_begin(hub);
    for (uint32_t k = 0; k < job->n; k++) {
        ns += room_cost_ns(hub, job->series[k]);
        hub->stats.calculations += hub_series_of(hub, job->series[k])->rows_n;
        (void)count_absent_args(hub, job->series[k]); /* their memory is gone with the job */
    }
    job->id = ++hub->jobs_n;
    if (!builder_give(b, job, now + hub->patience_ns + (int64_t)(PATIENCE_TIMES * ns)))
        bury(hub, b); /* the job is its own by now */
}

/* Without anyone to make them, workers do. */
static void abandon_queue(struct hub *hub)
{
    while (hub->queue.first != HUB_NONE) {
        uint32_t i = hub->queue.first;
        queue_take(hub, i);
        queue_settle(hub, i, ITEM_ABSENT);
    }
}

void jobs_turn(struct hub *hub)
{
    int64_t now = mono_now_ns();
    for (uint32_t i = 0; i < hub->builders_n; i++)
        look_after(hub, &hub->builder[i], now);
    room_reclaim(hub);
    while (hub->queue.first != HUB_NONE) {
        struct builder_job job;
        struct builder *b = find_idle(hub, now);
        if (!b)
            break;
        if (!make_job(hub, &job))
            break;
        if (job.n > 0)
            give(hub, b, &job, now);
    }
    if (hub->queue.first != HUB_NONE && !has_builder(hub))
        abandon_queue(hub);
}

void jobs_end(struct hub *hub)
{
    for (uint32_t i = 0; i < hub->builders_n; i++)
        if (hub->builder[i].pid > 0)
            (void)builder_end(&hub->builder[i]);
}
