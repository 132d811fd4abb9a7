/* SPDX-License-Identifier: MIT */
/* The end of a worker, settled: who is to blame, what is tried again, what is given back.
 *
 * The slot names the combination that a worker was at. It alone is blamed; it is tried once more
 * (limits.retries) in a batch of its own, and quarantined when that fails too. Everything else that
 * the worker had goes back to the queue. A SIGKILL that came from outside says little about the
 * combination, so it takes more of those. */
#include "supervisor/pool/pool.h"

#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "proto/units.h"

#define FOREIGN_KILLS_MAX 8 /* SIGKILLs from outside that one combination survives */

struct obituary {
    enum status status;
    int signal;
    bool is_foreign_kill;
    char words[LAST_WORDS_BYTES];
    char reason[256];
};

static void obituary_write(struct pool *p, struct worker_ref *w, int wait_status,
                           struct obituary *ret_o)
{
    struct obituary o = {.status = STATUS_PROTOCOL};
    char name[SIGNAL_NAME_BYTES];
    int words_signal = slot_read_last_words(pool_slot(p, w), o.words);
    if (WIFSIGNALED(wait_status))
        o.signal = WTERMSIG(wait_status);
    else
        o.signal = words_signal; /* it said so, and then left in its own way */
    if (w->state == WORKER_CONDEMNED) {
        o.status = w->verdict.status;
        o.words[0] = '\0'; /* they tell of the signal that was sent to it */
        snprintf(o.reason, sizeof o.reason, "%s", w->verdict.reason);
    } else if (o.signal != 0) {
        o.status = STATUS_CRASHED;
        o.is_foreign_kill = o.signal == SIGKILL;
        snprintf(o.reason, sizeof o.reason, "%s", signal_name(o.signal, name));
    } else {
        snprintf(o.reason, sizeof o.reason, "worker left with status %d", WEXITSTATUS(wait_status));
    }
    *ret_o = o;
}

/* ---- one failed attempt --------------------------------------------------------------------- */

/* Where a combination was, as a person counts: bars from the range's first, as trades do. */
struct place {
    uint32_t bar; /* UINT32_MAX: before any, or not known */
    uint32_t symbol_idx;
    uint8_t phase;
};

/* A combination of one symbol walks that symbol's own bars, all others walk the clock. */
static struct place place_of(const struct pool *p, const struct attempt *a)
{
    struct place at = {.bar = UINT32_MAX};
    struct combo combo;
    if (!a->slot || !grid_combo(p->config, a->past.combination, &combo))
        return at;
    bool has_one = combo.symbol_idx < p->data->range.symbols_n;
    uint32_t first = has_one ? p->data->range.warm_up_rows[combo.symbol_idx] : p->data->first_step;
    uint32_t bar = atomic_load_explicit(&a->slot->bar, memory_order_relaxed);
    uint32_t symbol = atomic_load_explicit(&a->slot->symbol_idx, memory_order_relaxed);
    uint32_t phase = atomic_load_explicit(&a->slot->phase, memory_order_relaxed);
    if (bar != UINT32_MAX)
        at.bar = bar >= first ? bar - first : 0;
    at.symbol_idx = has_one ? combo.symbol_idx : symbol < p->data->range.symbols_n ? symbol : 0;
    at.phase = phase < SLOT_PHASE_N ? (uint8_t)phase : PHASE_NONE;
    return at;
}

static void message_write(const struct attempt *a, const struct place *at, char out[static 256])
{
    const char *phase = slot_phase_name((enum slot_phase)at->phase);
    if (!a->slot)
        snprintf(out, 256, "%s", a->reason);
    else if (at->bar == UINT32_MAX)
        snprintf(out, 256, "%.160s in %s", a->reason, phase);
    else
        snprintf(out, 256, "%.160s at bar %u in %s", a->reason, at->bar, phase);
}

static struct fault fault_of(const struct pool *p, const struct attempt *a, const struct place *at,
                             const char *message)
{
    struct fault f = {
        .combination = a->past.combination,
        .attempt = a->past.attempts + a->past.kills + 1,
        .status = (uint8_t)a->status,
        .signal = a->signal,
        .bar = at->bar,
        .symbol_idx = at->symbol_idx,
        .phase = at->phase,
        .peak_bytes = a->peak_bytes,
    };
    if (a->status == STATUS_TIMEOUT)
        f.limit = (uint64_t)(p->enforces_time ? p->config->time_per_combination_ns
                                              : p->config->barrier_timeout_ns);
    if (a->status == STATUS_OUT_OF_MEMORY)
        f.limit = p->config->memory_limit_bytes;
    snprintf(f.message, sizeof f.message, "%s", a->words[0] ? a->words : message);
    return f;
}

static void quarantine(struct pool *p, const struct attempt *a, const char *message)
{
    struct result result = {.combination = a->past.combination, .status = (uint8_t)a->status};
    for (int i = 0; i < METRIC_N; i++)
        result.metrics[i] = NAN;
    snprintf(result.message, sizeof result.message, "%s", message);
    if (!work_mark_done(&p->work, result.combination))
        return;
    struct combo combo;
    if (p->data->hub && grid_combo(p->config, result.combination, &combo))
        hub_settled_combo(p->data->hub, &combo);
    if (ledger_add_result(&p->ledger, &result) < 0)
        p->is_out_of_memory = true;
}

void pool_attempt_failed(struct pool *p, const struct attempt *a)
{
    char message[256];
    struct place at = place_of(p, a);
    message_write(a, &at, message);
    struct fault fault = fault_of(p, a, &at, message);
    if (ledger_add_fault(&p->ledger, &fault) < 0)
        p->is_out_of_memory = true;
    struct work_retry next = a->past;
    if (a->is_foreign_kill)
        next.kills++;
    else
        next.attempts++;
    if (next.attempts > p->config->retries || next.kills > FOREIGN_KILLS_MAX) {
        quarantine(p, a, message);
        return;
    }
    if (a->past.attempts + a->past.kills == 0)
        p->ledger.record->retried_n++;
    if (work_push_retry(&p->work, &next) < 0)
        p->is_out_of_memory = true;
}

/* ---- a dead worker's work ------------------------------------------------------------------- */

static bool has_unfinished(struct worker_ref *w, uint64_t combination)
{
    for (uint32_t b = 0; b < w->batches_n; b++) {
        int64_t idx = batch_ref_find(&w->batch[b], combination);
        if (idx >= 0 && !batch_ref_is_done(&w->batch[b], (uint32_t)idx))
            return true;
    }
    return false;
}

static bool first_unfinished(const struct worker_ref *w, uint64_t *ret_combination)
{
    for (uint32_t b = 0; b < w->batches_n; b++)
        for (uint32_t i = 0; i < w->batch[b].n; i++)
            if (!batch_ref_is_done(&w->batch[b], i)) {
                *ret_combination = w->batch[b].combination[i];
                return true;
            }
    return false;
}

/* True where someone is to blame. */
static bool find_culprit(struct pool *p, struct worker_ref *w, const struct obituary *o,
                         uint64_t *ret_combination, bool *ret_is_in_slot)
{
    const struct slot *slot = pool_slot(p, w);
    uint64_t at = atomic_load_explicit(&slot->combination, memory_order_acquire);
    bool is_running = atomic_load_explicit(&slot->state, memory_order_acquire) == SLOT_RUNNING;
    *ret_is_in_slot = false;
    if (w->verdict.is_blameless)
        return false;
    uint64_t blamed = w->verdict.has_culprit ? w->verdict.combination : at;
    if ((w->verdict.has_culprit || is_running) && has_unfinished(w, blamed)) {
        *ret_combination = blamed;
        *ret_is_in_slot = is_running && blamed == at;
        return true;
    }
    if (w->verdict.has_culprit || o->status != STATUS_PROTOCOL)
        return false;
    return first_unfinished(w, ret_combination);
}

static void settle_batches(struct pool *p, struct worker_ref *w, bool has_culprit, uint64_t culprit,
                           struct work_retry *ret_past)
{
    *ret_past = (struct work_retry){.combination = culprit};
    while (w->batches_n > 0) {
        struct work_batch *b = &w->batch[0];
        for (uint32_t i = 0; i < b->n; i++) {
            if (batch_ref_is_done(b, i))
                continue;
            bool is_culprit = has_culprit && b->combination[i] == culprit;
            int r = 0;
            if (is_culprit && b->is_retry)
                *ret_past = b->retry;
            else if (!is_culprit)
                r = b->is_retry ? work_push_retry(&p->work, &b->retry)
                                : work_give_back(&p->work, b->combination[i]);
            if (r < 0)
                p->is_out_of_memory = true;
        }
        pool_pop_batch(p, w);
    }
}

/* It never came to work: three in a row, and there is no point in going on. */
static void settle_early(struct pool *p, struct worker_ref *w, const struct obituary *o)
{
    if (w->has_refused)
        p->trouble = w->refusal;
    else
        (void)err_set(&p->trouble, ERR_SYSTEM, "workers do not come up: %s%s%s", o->reason,
                      o->words[0] ? ": " : "", o->words);
    if (o->is_foreign_kill)
        p->early_kills++;
    else
        p->early_deaths++;
}

void pool_settle(struct pool *p, struct worker_ref *w, int wait_status)
{
    struct obituary o;
    obituary_write(p, w, wait_status, &o);
    w->was_killed_from_outside = o.is_foreign_kill;
    memcpy(w->end_reason, o.reason, sizeof w->end_reason);
    bool is_early = !w->was_ready && !w->verdict.is_blameless;
    uint64_t culprit = 0;
    bool is_in_slot = false;
    bool has_culprit = find_culprit(p, w, &o, &culprit, &is_in_slot);
    bool had_work = w->batches_n > 0;
    struct work_retry past;
    settle_batches(p, w, has_culprit, culprit, &past);
    if (is_early)
        settle_early(p, w, &o);
    if (has_culprit)
        pool_attempt_failed(p, &(struct attempt){
                                   .past = past,
                                   .status = o.status,
                                   .signal = o.signal,
                                   .is_foreign_kill = o.is_foreign_kill,
                                   .slot = is_in_slot ? pool_slot(p, w) : NULL,
                                   .words = o.words,
                                   .reason = o.reason,
                               });
    else if (had_work && !w->verdict.is_blameless && ++p->barren_deaths >= POOL_BARREN_DEATHS_MAX)
        (void)err_set(&p->trouble, ERR_SYSTEM, "workers die between combinations: %s", o.reason);
}
