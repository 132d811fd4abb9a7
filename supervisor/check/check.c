/* SPDX-License-Identifier: MIT */
/* The look-ahead test, group by group: as many combinations at once as their details leave room
 * for. Each group is computed over the whole range and kept, then computed at each cut and compared
 * as it comes. A range has a plane of its own, so that its series are computed from its own bars.
 */
#include "supervisor/check/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/status.h"
#include "proto/trade.h"
#include "supervisor/check/compare.h"
#include "supervisor/check/future.h"
#include "supervisor/check/sample.h"
#include "supervisor/pool/replay.h"

#define KEPT_BYTES  (UINT64_C(256) << 20) /* details that are kept at once, about */
#define FILLS_MOST  100000                /* times of fills that draw cuts */
#define SERIES_SAID 100                   /* differing series that are told */

const char *check_future_name(enum check_future future)
{
    static const char *const names[CHECK_FUTURE_N] = {"missing", "altered", "the same"};
    return future < CHECK_FUTURE_N ? names[future] : "?";
}

/* A combination over the whole range. */
struct kept {
    struct run_detail d; /* points to the arrays below */
    double *values;      /* equity, cash, positions; owned */
    struct trade *trades;
    bool is_whole;  /* it came to its end there */
    bool is_broken; /* it did not, somewhere */
};

struct checking {
    const struct config *config;
    const struct describe *describe;
    const struct check_options *options;
    struct range range; /* the whole one */
    struct sample sample;
    struct check_report *report;
    uint64_t done_n, total_n;
    /* the group at hand */
    struct config *group; /* its combinations, for its series */
    uint32_t first, n;    /* of the sample */
    struct kept *kept;    /* [n] */
    struct run_data data;
    const struct plane *plane;
};

static int no_memory(struct err *err)
{
    return err_set(err, ERR_SYSTEM, "out of memory for the check");
}

static void advance(struct checking *k)
{
    k->done_n++;
    if (k->options->progress)
        k->options->progress(k->options->progress_ctx, k->done_n, k->total_n);
}

/* ---- what is found -------------------------------------------------------------------------- */

/* Of one combination, or of one series of a symbol, the earliest stays; one that is not even the
 * same twice says nothing at cuts. */
static int add_difference(struct checking *k, const struct check_difference *found, struct err *err)
{
    struct check_report *r = k->report;
    uint32_t series_n = 0;
    for (uint32_t i = 0; i < r->differences_n; i++) {
        struct check_difference *d = &r->difference[i];
        bool is_series = d->combination == CHECK_ALL;
        series_n += is_series;
        if (d->combination != found->combination ||
            (is_series &&
             (d->symbol_idx != found->symbol_idx || strcmp(d->what, found->what) != 0)))
            continue;
        if (d->future != CHECK_AGAIN && found->time_ns < d->time_ns)
            *d = *found;
        return 0;
    }
    if (found->combination == CHECK_ALL && series_n == SERIES_SAID)
        return 0;
    void *bigger = reallocarray(r->difference, r->differences_n + 1, sizeof *r->difference);
    if (!bigger)
        return no_memory(err);
    r->difference = bigger;
    r->difference[r->differences_n++] = *found;
    return 0;
}

static int add_failure(struct checking *k, const struct check_failure *failure, struct err *err)
{
    struct check_report *r = k->report;
    void *bigger = reallocarray(r->failure, r->failures_n + 1, sizeof *r->failure);
    if (!bigger)
        return no_memory(err);
    r->failure = bigger;
    r->failure[r->failures_n++] = *failure;
    return 0;
}

/* A combination that a strategy refuses when it is made is no failure. */
static int note_failed(struct checking *k, uint32_t i, uint32_t cut_idx, enum check_future future,
                       uint8_t status, const struct err *why, struct err *err)
{
    struct check_failure f = {.combination = k->sample.combo[k->first + i].combination,
                              .cut_idx = cut_idx,
                              .future = (uint8_t)future,
                              .status = status};
    k->kept[i].is_broken = true;
    if (status == STATUS_INVALID && cut_idx == CHECK_NONE) {
        k->report->refused_n++;
        if (k->sample.refused.text[0] == '\0')
            k->sample.refused = *why;
        return 0;
    }
    snprintf(f.why, sizeof f.why, "%.255s", why->text);
    return add_failure(k, &f, err);
}

/* ---- one range ------------------------------------------------------------------------------ */

typedef int (*detail_fn)(struct checking *k, uint32_t i, const struct run_detail *d, void *ctx,
                         struct err *err);

struct walk {
    uint32_t cut_idx;
    enum check_future future;
    detail_fn fn;
    void *ctx;
};

/* Computes each combination of the group, but those that broke before. */
static int walk_group(struct checking *k, struct replay *replay, const struct walk *w,
                      struct err *err)
{
    int r = 0;
    for (uint32_t i = 0; r == 0 && i < k->n; i++) {
        const struct run_detail *d;
        struct err why = {0};
        uint8_t status = STATUS_NOT_RUN;
        if (!k->kept[i].is_broken) {
            r = replay_run(replay, &k->sample.combo[k->first + i], &d, &status, &why);
            if (r == 0)
                r = w->fn(k, i, d, w->ctx, err);
            else if (r == REPLAY_E_FAILED)
                r = note_failed(k, i, w->cut_idx, w->future, status, &why, err);
            else
                *err = why;
        }
        advance(k);
    }
    return r;
}

/* Several walks over one range, in one worker. */
static int walk_range(struct checking *k, const struct run_data *data, const struct walk *walks,
                      uint32_t n, struct err *err)
{
    const struct replay_options options = {k->config, data, 0};
    struct replay *replay;
    int r = replay_open(&options, &replay, err);
    if (r < 0)
        return r;
    for (uint32_t i = 0; r == 0 && i < n; i++)
        r = walk_group(k, replay, &walks[i], err);
    k->report->stop_signal = replay_stop_signal(replay);
    replay_close(replay);
    return r;
}

/* ---- the whole range ------------------------------------------------------------------------ */

/* The bars of `kept` last as long as the group's data. */
static int keep(struct checking *k, uint32_t i, const struct run_detail *d, void *ctx,
                struct err *err)
{
    struct kept *kept = &k->kept[i];
    size_t n = d->steps_n, positions_n = n * d->symbols_n;
    kept->values = calloc(2 * n + positions_n + 1, sizeof *kept->values);
    kept->trades = calloc((size_t)d->trades_n + 1, sizeof *kept->trades);
    if (!kept->values || !kept->trades)
        return no_memory(err);
    memcpy(kept->values, d->equity, n * sizeof *d->equity);
    memcpy(kept->values + n, d->cash, n * sizeof *d->cash);
    memcpy(kept->values + 2 * n, d->position, positions_n * sizeof *d->position);
    if (d->trades_n > 0)
        memcpy(kept->trades, d->trades, d->trades_n * sizeof *d->trades);
    kept->d = *d;
    kept->d.equity = kept->values;
    kept->d.cash = kept->values + n;
    kept->d.position = kept->values + 2 * n;
    kept->d.trades = kept->trades;
    if (d->combo.symbol_idx == COMBO_ALL_SYMBOLS)
        kept->d.time_ns = k->plane->clock_ns + k->plane->first_step;
    kept->is_whole = true;
    return 0;
}

/* What a second computation in the same worker gives must be the same, or it is no look-ahead that
 * the cuts will show. */
static int compare_again(struct checking *k, uint32_t i, const struct run_detail *d, void *ctx,
                         struct err *err)
{
    struct check_difference found = {.combination = k->sample.combo[k->first + i].combination,
                                     .cut_idx = CHECK_NONE,
                                     .future = CHECK_AGAIN};
    const struct comparison c = {&k->kept[i].d, d, CHECK_AGAIN, INT64_MAX, &k->report->values_n};
    return compare_details(&c, &found) ? 0 : add_difference(k, &found, err);
}

static int group_whole(struct checking *k, struct err *err)
{
    const struct future_plan plan = {&k->range, CHECK_AGAIN, 0, true};
    struct future whole;
    int r = future_make(&plan, &whole, err);
    if (r == 0)
        r = run_data_build(k->group, k->describe, &whole.range, &k->data, err);
    if (r == 0)
        r = run_data_make_all(&k->data, err);
    if (r < 0)
        return r;
    k->plane = plane_writer_view(k->data.plane);
    const struct walk walks[] = {{CHECK_NONE, CHECK_AGAIN, keep, NULL},
                                 {CHECK_NONE, CHECK_AGAIN, compare_again, NULL}};
    return walk_range(k, &k->data, walks, 2, err);
}

/* ---- cuts ----------------------------------------------------------------------------------- */

struct at_cut {
    struct checking *k;
    uint32_t cut_idx;
    enum check_future future;
    struct err *err;
};

static int add_series(void *ctx, const struct check_difference *difference)
{
    const struct at_cut *at = ctx;
    struct check_difference found = *difference;
    found.combination = CHECK_ALL;
    found.cut_idx = at->cut_idx;
    found.future = (uint8_t)at->future;
    return add_difference(at->k, &found, at->err);
}

static int compare_at_cut(struct checking *k, uint32_t i, const struct run_detail *d, void *ctx,
                          struct err *err)
{
    const struct at_cut *at = ctx;
    struct check_difference found = {.combination = k->sample.combo[k->first + i].combination,
                                     .cut_idx = at->cut_idx,
                                     .future = (uint8_t)at->future};
    const struct comparison c = {&k->kept[i].d, d, at->future, k->report->cut[at->cut_idx].time_ns,
                                 &k->report->values_n};
    return compare_details(&c, &found) ? 0 : add_difference(k, &found, err);
}

static int cut_with_data(struct at_cut *at, const struct run_data *data)
{
    struct checking *k = at->k;
    int r =
        compare_series(k->plane, plane_writer_view(data->plane),
                       k->report->cut[at->cut_idx].time_ns, &k->report->values_n, add_series, at);
    const struct walk walk = {at->cut_idx, at->future, compare_at_cut, at};
    return r == 0 ? walk_range(k, data, &walk, 1, at->err) : r;
}

/* Whether the volume of a bar bounds or moves a fill at its open. */
static bool group_needs_volume(const struct checking *k)
{
    for (uint32_t i = 0; i < k->n; i++) {
        const struct slippage_cfg *s = &k->sample.combo[k->first + i].execution.slippage;
        if (s->volume_share > 0 || s->impact > 0)
            return true;
    }
    return false;
}

static int group_cut(struct checking *k, uint32_t cut_idx, enum check_future kind, struct err *err)
{
    struct future future;
    struct run_data data;
    struct at_cut at = {k, cut_idx, kind, err};
    const struct future_plan plan = {&k->range, kind, k->report->cut[cut_idx].time_ns,
                                     group_needs_volume(k)};
    int r = future_make(&plan, &future, err);
    if (r < 0)
        return r;
    r = run_data_build(k->group, k->describe, &future.range, &data, err);
    if (r == 0) {
        r = run_data_make_all(&data, err);
        if (r == 0)
            r = cut_with_data(&at, &data);
        run_data_fini(&data);
    }
    future_fini(&future);
    return r;
}

/* Times of entries and exits of the group, for cuts near them. */
static size_t list_fills(const struct checking *k, int64_t *out)
{
    size_t n = 0;
    for (uint32_t i = 0; i < k->n; i++) {
        const struct run_detail *d = &k->kept[i].d;
        for (uint32_t t = 0; k->kept[i].is_whole && t < d->trades_n && n + 2 <= FILLS_MOST; t++) {
            const struct trade *trade = &d->trades[t];
            const int64_t *time_ns = d->row_time_ns[trade->symbol_idx];
            out[n++] = time_ns[trade->entry_bar];
            if (trade->exit_bar != TRADE_OPEN)
                out[n++] = time_ns[trade->exit_bar];
        }
    }
    return n;
}

static int choose_cuts(struct checking *k, struct err *err)
{
    int64_t *fill_ns = calloc(FILLS_MOST, sizeof *fill_ns);
    k->report->cut = calloc((size_t)k->options->cuts_n + 1, sizeof *k->report->cut);
    int r = fill_ns && k->report->cut ? 0 : no_memory(err);
    if (r == 0) {
        const struct cut_plan plan = {
            .clock_ns = k->plane->clock_ns + k->plane->first_step,
            .steps_n = k->plane->steps_n - k->plane->first_step,
            .range = &k->range,
            .fill_ns = fill_ns,
            .fills_n = list_fills(k, fill_ns),
            .seed = k->options->seed,
            .cuts_n = k->options->cuts_n,
        };
        r = cuts_choose(&plan, k->report->cut, &k->report->cuts_n, err);
        k->report->steps_n = plan.steps_n;
    }
    free(fill_ns);
    return r;
}

/* ---- groups --------------------------------------------------------------------------------- */

static void group_fini(struct checking *k)
{
    for (uint32_t i = 0; i < k->n; i++) {
        k->report->compared_n += k->kept[i].is_whole && !k->kept[i].is_broken;
        free(k->kept[i].values);
        free(k->kept[i].trades);
    }
    free(k->kept);
    run_data_fini(&k->data);
    sample_config_destroy(k->group);
    k->kept = NULL;
    k->plane = NULL;
    k->group = NULL;
    k->n = 0;
}

static int group_run(struct checking *k, struct err *err)
{
    k->kept = calloc(k->n, sizeof *k->kept);
    if (!k->kept) {
        k->n = 0;
        return no_memory(err);
    }
    int r = sample_config(k->config, &k->sample.combo[k->first], k->n, &k->group, err);
    if (r == 0)
        r = group_whole(k, err);
    if (r == 0 && !k->report->cut) {
        r = choose_cuts(k, err);
        k->total_n = (uint64_t)k->sample.n * 2 * (1 + k->report->cuts_n);
    }
    for (uint32_t c = 0; r == 0 && c < k->report->cuts_n; c++) {
        r = group_cut(k, c, CHECK_MISSING, err);
        if (r == 0)
            r = group_cut(k, c, CHECK_ALTERED, err);
    }
    return r;
}

static uint32_t group_size(const struct checking *k, uint64_t steps_n)
{
    uint64_t each = (steps_n + 1) * (2 + k->range.symbols_n) * sizeof(double);
    uint64_t n = KEPT_BYTES / each;
    return n < 1 ? 1 : n > SPEC_STRATEGIES_MAX ? SPEC_STRATEGIES_MAX : (uint32_t)n;
}

static int compare_differences(const void *a, const void *b)
{
    const struct check_difference *x = a, *y = b;
    bool is_series = x->combination == CHECK_ALL, is_other = y->combination == CHECK_ALL;
    if (is_series != is_other)
        return is_series ? -1 : 1;
    if (x->combination != y->combination)
        return x->combination < y->combination ? -1 : 1;
    return strcmp(x->what, y->what);
}

static int check_groups(struct checking *k, struct err *err)
{
    uint64_t steps_n;
    int r = range_steps_n(&k->range, &steps_n, err);
    uint32_t most = r == 0 ? group_size(k, steps_n) : 1;
    k->total_n = (uint64_t)k->sample.n * 2 * (1 + k->options->cuts_n);
    while (r == 0 && k->first < k->sample.n) {
        uint32_t left = k->sample.n - k->first;
        k->n = left < most ? left : most;
        uint32_t n = k->n;
        r = group_run(k, err);
        group_fini(k);
        k->first += n;
    }
    struct check_report *report = k->report;
    if (r == 0 && report->differences_n > 1)
        qsort(report->difference, report->differences_n, sizeof *report->difference,
              compare_differences);
    if (r == 0 && report->compared_n + report->failures_n == 0)
        r = err_set(err, ERR_CONFIG, "no combination can be checked: %s", k->sample.refused.text);
    return r;
}

static int check_with_range(struct checking *k, struct err *err)
{
    int r = sample_make(k->config, k->describe, k->options, k->range.cut, k->range.symbols_n,
                        &k->sample, err);
    if (r < 0)
        return r;
    memcpy(k->report->data_hash, k->range.data_hash, sizeof k->report->data_hash);
    k->report->grid_n = grid_count(k->config);
    k->report->sampled_n = k->sample.n + k->sample.refused_n;
    k->report->refused_n = k->sample.refused_n;
    r = sample_columns(k->config, k->describe, &k->sample, k->range.cut, k->range.symbols_n,
                       k->report, err);
    if (r == 0)
        r = check_groups(k, err);
    sample_fini(&k->sample);
    return r;
}

int check_run(const struct config *config, const struct describe *describe, struct store *store,
              const struct check_options *options, struct check_report *ret_report, struct err *err)
{
    struct checking *k = calloc(1, sizeof *k);
    *ret_report = (struct check_report){0};
    if (!k)
        return no_memory(err);
    *k = (struct checking){
        .config = config, .describe = describe, .options = options, .report = ret_report};
    int r = range_load(config, store, NULL, &k->range, err);
    if (r == 0) {
        r = check_with_range(k, err);
        range_fini(&k->range);
    }
    free(k);
    return r;
}

void check_report_fini(struct check_report *report)
{
    free(report->cut);
    free(report->difference);
    free(report->failure);
    free(report->column);
    *report = (struct check_report){0};
}
