/* SPDX-License-Identifier: MIT */
/* Stored combinations computed again, with every trade and every bar's equity. Details need no
 * storage: the same bars, configuration and engine give the same bytes, and the stored result is
 * there to check that.
 *
 * A session loads the bars when the first combination is asked for. Nothing is tried twice:
 * whatever does not come out as it is stored ends with its reason. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/status.h"
#include "proto/units.h"
#include "supervisor/pool/replay.h"

struct run_detailer {
    struct run_stored run;
    struct run_data data;
    bool has_data;
    struct replay *replay; /* NULL: not begun yet */
    struct combo combo;    /* the combination at hand, and what is stored of it */
    struct result stored;
};

static int find_stored(struct run_detailer *x, uint64_t n, struct err *err)
{
    const char *id = x->run.record->id;
    const struct config *config = x->run.config;
    if (n >= config->combinations_n || !grid_combo(config, n, &x->combo)) {
        (void)err_set(err, ERR_NO_INPUT, "run %s has no combination %" PRIu64 ": %s", id, n,
                      n < config->combinations_n ? "`where` excludes it" : "it has fewer");
        return RUN_E_NO_DETAIL;
    }
    x->combo.combination = n;
    x->combo.container_seq = x->run.record->first_container_seq + n;
    int r = store_get_result(x->run.store, id, n, &x->stored, err);
    if (r < 0 && err->kind != ERR_NO_INPUT)
        return r;
    if (r == 0 && x->stored.status == STATUS_OK)
        return 0;
    char why[4 * sizeof x->stored.message];
    err_printable(r == 0 ? x->stored.message : "", why, sizeof why);
    (void)err_set(err, ERR_NO_INPUT,
                  "combination %" PRIu64 " of run %s is %s: it has no trades and no equity%s%s", n,
                  id, status_name(r == 0 ? x->stored.status : STATUS_NOT_RUN), *why ? ": " : "",
                  why);
    return RUN_E_NO_DETAIL;
}

static int load(struct run_detailer *x, struct err *err)
{
    const struct run_record *record = x->run.record;
    if (x->has_data)
        return 0;
    int r = run_data_load(x->run.config, x->run.describe, x->run.store, record->symbol_hash,
                          &x->data, err);
    if (r < 0)
        return r;
    x->has_data = true;
    if (memcmp(x->data.range.data_hash, record->data_hash, sizeof record->data_hash) != 0)
        return err_set(err, ERR_DATA, "the bars of run %s are not those that it used", record->id);
    return 0;
}

static int begin(struct run_detailer *x, struct err *err)
{
    int r = load(x, err);
    if (r < 0 || x->replay)
        return r;
    const struct replay_options options = {x->run.config, &x->data, x->run.record->started_ns};
    return replay_open(&options, &x->replay, err);
}

static int compare_result(const struct result *now, const struct result *stored, struct err *err)
{
    for (int i = 0; i < METRIC_N; i++) {
        double a = now->metrics[i], b = stored->metrics[i];
        if (isnan(a) && isnan(b))
            continue;
        char now_text[F64_BYTES], stored_text[F64_BYTES];
        if (memcmp(&a, &b, sizeof a) != 0)
            return err_set(err, ERR_DATA,
                           "combination %" PRIu64
                           ": %s is stored as %s, computed again it is %s. The "
                           "store was altered, or this build differs from the one that ran",
                           stored->combination, metric_row((enum metric)i)->name,
                           f64_format(b, stored_text), f64_format(a, now_text));
    }
    return 0;
}

int run_detailer_open(const struct run_stored *run, struct run_detailer **ret_detailer,
                      struct err *err)
{
    if (run->config->plugin_trouble[0])
        return err_set(err, ERR_CONFIG, "run %s cannot be computed again: %s", run->record->id,
                       run->config->plugin_trouble);
    struct run_detailer *x = calloc(1, sizeof *x);
    if (!x)
        return err_set(err, ERR_SYSTEM, "out of memory for details");
    x->run = *run;
    *ret_detailer = x;
    return 0;
}

int run_detailer_next(struct run_detailer *x, uint64_t combination,
                      const struct run_detail **ret_detail, struct err *err)
{
    const struct run_detail *detail;
    struct err why = {0};
    int r = find_stored(x, combination, err);
    if (r == 0)
        r = begin(x, err);
    if (r != 0)
        return r;
    r = replay_run(x->replay, &x->combo, &detail, NULL, &why);
    if (r == REPLAY_E_FAILED)
        return err_set(err, ERR_SYSTEM,
                       "combination %" PRIu64 " is stored as ok, but computing it again ends as %s",
                       combination, why.text);
    if (r < 0)
        *err = why;
    if (r == 0)
        r = compare_result(&detail->result, &x->stored, err);
    if (r == 0)
        *ret_detail = detail;
    return r;
}

int run_detailer_stop_signal(const struct run_detailer *x)
{
    return x ? replay_stop_signal(x->replay) : 0;
}

void run_detailer_close(struct run_detailer *x)
{
    if (!x)
        return;
    replay_close(x->replay);
    if (x->has_data)
        run_data_fini(&x->data);
    free(x);
}
