/* SPDX-License-Identifier: MIT */
/* One run: its record made or found, its work done in the mode that it asks for, its outcome summed
 * up. */
#include "supervisor/pool/run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "proto/units.h"
#include "supervisor/pool/free.h"
#include "supervisor/pool/pace.h"
#include "supervisor/pool/pool.h"

#define FDS_OF_WORKER 12 /* listener, pipe, pidfd, nng's own */
#define FDS_OF_REST   (48 + 2 * PLANE_EXTENTS_MAX)

static int64_t wall_now_ns(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_REALTIME, &ts); /* cannot fail for this clock */
    return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* What every part of a run needs. */
struct job {
    const struct config *config;
    const struct run_data *data;
    struct store *store;
    const struct run_options *options;
    struct run_summary *summary;
};

/* ---- how many workers ----------------------------------------------------------------------- */

/* Takes all descriptors that this process may have. */
static uint64_t fds_most(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 1024;
    struct rlimit more = {limit.rlim_max, limit.rlim_max};
    return setrlimit(RLIMIT_NOFILE, &more) == 0 ? more.rlim_cur : limit.rlim_cur;
}

static int workers_of(const struct config *c, const struct run_options *options, uint32_t *ret_n,
                      struct err *err)
{
    uint64_t n = options->workers ? options->workers : c->workers ? c->workers : processors_n();
    uint64_t most = c->mode == RUN_LOCKSTEP ? SLOTS_MAX - 1 : SLOTS_MAX;
    uint64_t fds = fds_most(), service = c->mode == RUN_LOCKSTEP;
    if (fds < FDS_OF_REST + FDS_OF_WORKER * (1 + service))
        return err_set(
            err, ERR_SYSTEM,
            "only %llu file descriptors are allowed, one worker needs %llu: raise ulimit -n",
            (unsigned long long)fds,
            (unsigned long long)(FDS_OF_REST + FDS_OF_WORKER * (1 + service)));
    uint64_t affordable = (fds - FDS_OF_REST) / FDS_OF_WORKER - service;
    if (n > affordable)
        n = affordable;
    *ret_n = (uint32_t)(n > most ? most : n);
    return 0;
}

/* ---- the record ----------------------------------------------------------------------------- */

static int refuse_resume(const struct run_record *record, const char *what, enum err_kind kind,
                         struct err *err)
{
    return err_set(
        err, kind,
        "run %s cannot be resumed: %s. Bring it back as it was, or start a new run without "
        "--resume",
        record->id, what);
}

static int check_resume(const struct job *job, const struct run_record *record, struct err *err)
{
    uint64_t hash[2];
    char what[128];
    config_hash(job->config, hash);
    if (memcmp(hash, record->config_hash, sizeof hash) != 0)
        return refuse_resume(record, "its configuration was another one", ERR_CONFIG, err);
    if (memcmp(job->data->range.data_hash, record->data_hash, sizeof record->data_hash) != 0)
        return refuse_resume(record, "its bars were others", ERR_DATA, err);
    if (strcmp(record->engine_version, ENGINE_VERSION) == 0)
        return 0;
    snprintf(what, sizeof what, "it was computed by engine version %.31s, this is %.31s",
             record->engine_version, ENGINE_VERSION);
    return refuse_resume(record, what, ERR_CONFIG, err);
}

/* Of the run that is resumed, which was read before its bars were loaded. */
static int record_reuse(const struct job *job, struct err *err)
{
    struct run_record *record = &job->summary->record;
    int r = check_resume(job, record, err);
    if (r < 0)
        run_record_fini(record);
    record->ok_n = record->failed_n = record->invalid_n = 0; /* counted from its results */
    return r;
}

static char *resolved_text(const struct config *config)
{
    struct buf resolved = {0};
    config_resolved(config, &resolved);
    char *text = resolved.failed || !resolved.data ? NULL : strdup(resolved.data);
    buf_fini(&resolved);
    return text;
}

static int record_make(const struct job *job, struct err *err)
{
    const struct run_data *data = job->data;
    struct run_record *record = &job->summary->record;
    *record = (struct run_record){
        .started_ns = wall_now_ns(),
        .state = RUN_STATE_RUNNING,
        .data_hash = {data->range.data_hash[0], data->range.data_hash[1]},
        .combinations_n = grid_count(job->config),
        .symbols_n = data->range.all_n,
        .config = resolved_text(job->config),
    };
    if (!record->config)
        return err_set(err, ERR_SYSTEM, "out of memory for the resolved configuration");
    config_hash(job->config, record->config_hash);
    snprintf(record->engine_version, sizeof record->engine_version, "%s", ENGINE_VERSION);
    memcpy(record->symbol_hash, data->range.symbol_hash, sizeof record->symbol_hash);
    int r = store_run_create(job->store, record, job->config->combinations_n, err);
    if (r < 0)
        run_record_fini(record);
    return r;
}

/* Files of data.csv are kept too, by content alone, so that details can be computed again when the
 * files are gone. */
static int keep_csv(const struct job *job, struct err *err)
{
    int r = 0;
    for (uint32_t s = 0; r == 0 && s < job->data->range.all_n; s++)
        if (job->config->symbols[s].csv[0] != '\0')
            r = store_put_bars_content(job->store, job->data->range.bars[s], err);
    return r;
}

/* ---- the work ------------------------------------------------------------------------------- */

static int count_stored(void *ctx, const struct result *result)
{
    struct pool *p = ctx;
    if (result->status == STATUS_NOT_RUN || !work_mark_done(&p->work, result->combination))
        return 0;
    if (p->work.left_n > 0)
        p->work.left_n--;
    struct combo combo;
    if (p->data->hub && grid_combo(p->config, result->combination, &combo))
        hub_settled_combo(p->data->hub, &combo);
    ledger_count(&p->ledger, result);
    return 0;
}

static int run_work(struct pool *p, const struct run_options *options, struct err *err)
{
    struct ledger *l = &p->ledger;
    p->work.first_container_seq = l->record->first_container_seq;
    l->progress.total_n = l->record->combinations_n;
    l->show = options->progress;
    l->show_ctx = options->progress_ctx;
    int r = options->resume ? store_each_result(l->store, l->record->id, count_stored, p, err) : 0;
    if (r < 0)
        return r;
    l->started_done_n = l->progress.done_n;
    if (l->progress.done_n < l->progress.total_n)
        r = p->config->mode == RUN_LOCKSTEP ? pace_run(p, err) : free_run(p, err);
    struct err late;
    int c = ledger_commit(l, r < 0 ? &late : err); /* what came is kept, whatever ended the run */
    r = r < 0 ? r : c;
    ledger_show(l, mono_now_ns(), true);
    return r;
}

static void summarise(struct pool *p, int64_t began_ns, struct run_summary *s)
{
    struct run_record *record = &s->record;
    const struct run_progress *progress = &p->ledger.progress;
    bool is_done = progress->done_n >= progress->total_n && p->ledger.result_n == 0;
    record->state = is_done ? RUN_STATE_DONE : RUN_STATE_INTERRUPTED;
    record->ended_ns = wall_now_ns();
    record->wall_s = p->ledger.wall_before_s + (double)(mono_now_ns() - began_ns) / 1e9;
    s->not_run_n = progress->total_n - progress->done_n;
    s->interrupted_by = is_done ? 0 : p->stop_signal;
    s->has_best = progress->has_best;
    s->best = progress->best;
    s->messages_refused_n = p->messages_refused_n;
    snprintf(s->limit_backend, sizeof s->limit_backend, "rlimit");
}

/* With the record open: everything from the first worker to the last commit. */
static int run_recorded(const struct job *job, struct err *err)
{
    struct run_summary *s = job->summary;
    int64_t began_ns = mono_now_ns();
    uint32_t service = job->config->mode == RUN_LOCKSTEP;
    struct pool *p = calloc(1, sizeof *p);
    if (!p)
        return err_set(err, ERR_SYSTEM, "out of memory for the pool");
    struct pool_options options = {
        .workers_n = s->record.workers + service, .record = &s->record, .store = job->store};
    int r = pool_init(p, job->config, job->data, &options, err);
    if (r == 0) {
        r = run_work(p, job->options, err);
        summarise(p, began_ns, s);
        struct err late;
        int u = store_run_update(job->store, &s->record, r < 0 ? &late : err);
        r = r < 0 ? r : u;
        pool_fini(p);
        hub_stats(job->data->hub, &s->series);
        s->plane_bytes = run_data_plane_bytes(job->data);
    }
    free(p);
    return r;
}

static int run_with_data(const struct job *job, uint32_t workers_n, struct err *err)
{
    struct run_summary *s = job->summary;
    int r = keep_csv(job, err);
    if (r == 0)
        r = job->options->resume ? record_reuse(job, err) : record_make(job, err);
    if (r < 0)
        return r;
    hub_limit(job->data->hub, workers_n);
    s->record.workers = workers_n;
    s->record.state = RUN_STATE_RUNNING;
    r = run_recorded(job, err);
    if (r < 0)
        err_prefix(err, "run %s stopped", s->record.id);
    if (r == 0)
        r = store_digest(job->store, s->record.id, s->digest, err);
    if (r < 0)
        run_summary_fini(s);
    return r;
}

int run_execute(const struct config *config, const struct describe *describe, struct store *store,
                const struct run_options *options, struct run_summary *ret_summary, struct err *err)
{
    struct run_data data;
    struct run_summary s = {0};
    uint32_t workers_n = 0;
    int r = workers_of(config, options, &workers_n, err);
    if (r == 0 && options->resume)
        r = store_run_get(store, options->resume, &s.record, err);
    if (r < 0)
        return r;
    /* A resumed run works on the bars that it began with, whatever its symbols name by now. */
    bool has_bars =
        options->resume && s.record.symbols_n == config->symbols_n + config->references_n;
    r = run_data_load(config, describe, store,
                      has_bars ? (const uint64_t(*)[2])s.record.symbol_hash : NULL, &data, err);
    if (r < 0) {
        run_record_fini(&s.record);
        return r;
    }
    r = run_with_data(&(struct job){config, &data, store, options, &s}, workers_n, err);
    run_data_fini(&data);
    if (r == 0)
        *ret_summary = s;
    return r;
}

void run_summary_fini(struct run_summary *summary)
{
    run_record_fini(&summary->record);
}
