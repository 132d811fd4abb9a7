/* SPDX-License-Identifier: MIT */
/* Results on their way to the store, and what a person wants to know of them meanwhile. */
#include "supervisor/pool/ledger.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "proto/metric.h"
#include "proto/status.h"
#include "proto/units.h"
#include "supervisor/pool/array.h"

#define LEDGER_SHOW_NS INT64_C(100000000)

void ledger_init(struct ledger *l, const struct config *config, struct run_record *record)
{
    *l = (struct ledger){
        .config = config,
        .record = record,
        .started_ns = mono_now_ns(),
        .wall_before_s = record ? record->wall_s : 0,
    };
}

void ledger_fini(struct ledger *l)
{
    free(l->result);
    free(l->fault);
    *l = (struct ledger){0};
}

/* Equal objectives: the lower number, so that it does not matter who came first. */
static void weigh_best(struct ledger *l, const struct result *result)
{
    double value = result->metrics[l->config->objective];
    double trades = result->metrics[METRIC_TRADES];
    if (result->status != STATUS_OK || isnan(value) || trades < (double)l->config->min_trades)
        return;
    struct run_progress *p = &l->progress;
    double lead = (value - p->best.objective) * l->config->direction;
    if (p->has_best &&
        (lead < 0 || (value == p->best.objective && result->combination > p->best.combination)))
        return;
    p->has_best = true;
    p->best = (struct run_best){result->combination, value};
}

void ledger_count(struct ledger *l, const struct result *result)
{
    l->progress.done_n++;
    if (result->status == STATUS_OK)
        l->record->ok_n++;
    else if (result->status == STATUS_INVALID)
        l->record->invalid_n++;
    if (status_is_failure(result->status)) {
        l->record->failed_n++;
        l->progress.failed_n++;
    }
    weigh_best(l, result);
}

int ledger_add_result(struct ledger *l, const struct result *result)
{
    void *array = l->result;
    int r = array_grow(&array, &l->result_capacity, l->result_n, sizeof *l->result);
    l->result = array;
    if (r < 0)
        return r;
    if (l->result_n + l->fault_n == 0)
        l->oldest_ns = mono_now_ns();
    l->result[l->result_n++] = *result;
    ledger_count(l, result);
    return 0;
}

int ledger_add_fault(struct ledger *l, const struct fault *fault)
{
    void *array = l->fault;
    int r = array_grow(&array, &l->fault_capacity, l->fault_n, sizeof *l->fault);
    l->fault = array;
    if (r < 0)
        return r;
    if (l->result_n + l->fault_n == 0)
        l->oldest_ns = mono_now_ns();
    l->fault[l->fault_n++] = *fault;
    return 0;
}

bool ledger_is_due(const struct ledger *l, int64_t now_ns)
{
    if (l->result_n + l->fault_n == 0 || !l->store)
        return false;
    return l->result_n >= LEDGER_PENDING_MAX || now_ns - l->oldest_ns >= LEDGER_COMMIT_NS;
}

int ledger_commit(struct ledger *l, struct err *err)
{
    if (!l->store || l->result_n + l->fault_n == 0)
        return 0;
    l->record->wall_s = l->wall_before_s + (double)(mono_now_ns() - l->started_ns) / 1e9;
    const struct run_commit commit = {
        .record = l->record, /* so that a killed run knows what it had done */
        .results = l->result,
        .results_n = l->result_n,
        .faults = l->fault,
        .faults_n = l->fault_n,
    };
    int r = store_commit(l->store, l->record->id, &commit, err);
    if (r < 0)
        return r;
    l->result_n = l->fault_n = 0;
    return 0;
}

void ledger_show(struct ledger *l, int64_t now_ns, bool is_last)
{
    if (!l->show || (!is_last && now_ns - l->shown_ns < LEDGER_SHOW_NS))
        return;
    l->shown_ns = now_ns;
    struct run_progress *p = &l->progress;
    double seconds = (double)(now_ns - l->started_ns) / 1e9;
    double done = (double)(p->done_n - l->started_done_n);
    p->per_second = seconds > 0 ? done / seconds : 0;
    p->seconds_left = p->per_second > 0 ? (double)(p->total_n - p->done_n) / p->per_second : NAN;
    l->show(l->show_ctx, p);
}
