/* SPDX-License-Identifier: MIT */
/* One stored combination computed again, with every trade and every bar's equity. Details need no
 * storage: the same bars, configuration and engine give the same bytes, and the stored result is
 * there to check that. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/units.h"
#include "supervisor/pool/pool.h"

struct detailed {
    struct pool pool;
    struct run_record scratch; /* tallies of this one combination; owns nothing */
    struct run_detail *d;
    uint32_t steps_most;
    bool has_last_trade;
};

/* ---- what the worker says ------------------------------------------------------------------- */

static bool are_trades_sound(const struct run_detail *d, const struct detail_trades *t)
{
    for (uint32_t i = 0; i < t->n; i++)
        if (t->trades[i].symbol_idx >= d->data.range.symbols_n)
            return false;
    return t->combination == d->combo.combination;
}

static bool take_trades(struct detailed *x, struct reader *body)
{
    struct run_detail *d = x->d;
    struct detail_trades t;
    if (x->has_last_trade || detail_trades_decode(body, &t) < 0)
        return false;
    bool is_sound = are_trades_sound(d, &t);
    if (is_sound && t.n > 0) {
        struct trade *all = realloc(d->trades, (d->trades_n + (size_t)t.n) * sizeof *all);
        x->pool.is_out_of_memory |= !all;
        if (all) {
            d->trades = all;
            memcpy(all + d->trades_n, t.trades, t.n * sizeof *all);
            d->trades_n += t.n;
        }
    }
    x->has_last_trade = t.is_last;
    detail_trades_fini(&t);
    return is_sound;
}

static bool reserve_equity(struct detailed *x, uint32_t symbols_n)
{
    struct run_detail *d = x->d;
    if (d->equity)
        return d->symbols_n == symbols_n;
    d->symbols_n = symbols_n;
    size_t n = x->steps_most;
    d->equity = calloc(n + 1, sizeof *d->equity);
    d->cash = calloc(n + 1, sizeof *d->cash);
    d->position = calloc(n * symbols_n + 1, sizeof *d->position);
    x->pool.is_out_of_memory |= !d->equity || !d->cash || !d->position;
    return !x->pool.is_out_of_memory;
}

static bool take_equity(struct detailed *x, struct reader *body)
{
    struct run_detail *d = x->d;
    struct detail_equity e;
    if (detail_equity_decode(body, &e) < 0)
        return false;
    bool is_sound = e.combination == d->combo.combination && e.first_step == d->steps_n &&
                    e.n <= x->steps_most - d->steps_n && e.symbols_n <= d->data.range.symbols_n &&
                    reserve_equity(x, e.symbols_n);
    if (is_sound) {
        size_t at = d->steps_n, s = e.symbols_n;
        memcpy(d->equity + at, e.equity, e.n * sizeof *e.equity);
        memcpy(d->cash + at, e.cash, e.n * sizeof *e.cash);
        memcpy(d->position + at * s, e.position, e.n * s * sizeof *e.position);
        d->steps_n += e.n;
    }
    detail_equity_fini(&e);
    return is_sound;
}

static bool detail_on_frame(struct pool *p, struct worker_ref *w, const struct msg_head *head,
                            struct reader *body)
{
    (void)w;
    if (head->type == MSG_DETAIL_TRADES)
        return take_trades(p->mode, body);
    if (head->type == MSG_DETAIL_EQUITY)
        return take_equity(p->mode, body);
    return false;
}

/* ---- asking --------------------------------------------------------------------------------- */

static int lost(const struct pool *p, uint64_t combination, struct err *err)
{
    const char *why = p->ledger.fault_n > 0 ? p->ledger.fault[0].message : "its worker was lost";
    return err_set(err, ERR_SYSTEM, "combination %" PRIu64 " cannot be computed again: %s",
                   combination, why);
}

/* One worker, one combination, until its result is in the ledger. */
static int ask(struct detailed *x, struct err *err)
{
    struct pool *p = &x->pool;
    struct worker_ref *w = &p->worker[0];
    p->on_frame = detail_on_frame;
    p->mode = x;
    p->enforces_time = true;
    p->combo[0] = x->d->combo;
    p->number[0] = x->d->combo.combination;
    int r = pool_start(p, 0, ROLE_FREE, err);
    if (r < 0)
        return r == -EAGAIN ? err_set(err, ERR_SYSTEM, "no worker can be started just now") : r;
    while (p->ledger.result_n == 0) {
        if (w->state == WORKER_IDLE)
            (void)pool_give(
                p, w,
                &(struct pool_gift){
                    .type = MSG_DETAIL, .n = 1, .combos = p->combo, .numbers = p->number});
        r = pool_turn(p, POOL_TICK_MS, err);
        if (r < 0)
            return r;
        if (p->stop_signal)
            return err_set(err, ERR_INTERRUPTED, "stopped by a signal");
        if (w->state == WORKER_ABSENT && p->ledger.result_n == 0)
            return lost(p, x->d->combo.combination, err);
    }
    x->d->result = p->ledger.result[0];
    return pool_dismiss(p, err);
}

/* ---- checking ------------------------------------------------------------------------------- */

static int compare_result(const struct result *now, const struct result *stored, struct err *err)
{
    if (now->status != stored->status)
        return err_set(err, ERR_DATA,
                       "combination %" PRIu64 " is stored as %s, computed again it is %s",
                       stored->combination, status_name(stored->status), status_name(now->status));
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

/* The clock of its rows: that of its one symbol, or of all together. */
static int copy_clock(struct run_detail *d, struct err *err)
{
    d->time_ns = calloc((size_t)d->steps_n + 1, sizeof *d->time_ns);
    if (!d->time_ns)
        return err_set(err, ERR_SYSTEM, "out of memory for %u times", d->steps_n);
    if (d->combo.symbol_idx != COMBO_ALL_SYMBOLS) {
        memcpy(d->time_ns, d->row_time_ns[d->combo.symbol_idx], d->steps_n * sizeof *d->time_ns);
        return 0;
    }
    struct plane *plane;
    int r = plane_open(d->data.plane_fd, &plane, err);
    if (r < 0)
        return r;
    memcpy(d->time_ns, plane->clock_ns + plane->first_step, d->steps_n * sizeof *d->time_ns);
    plane_close(plane);
    return 0;
}

static int find_stored(const struct config *config, struct store *store,
                       const struct run_record *record, struct run_detail *d,
                       struct result *ret_stored, struct err *err)
{
    uint64_t combination = d->combo.combination;
    if (combination >= config->combinations_n || !grid_combo(config, combination, &d->combo))
        return err_set(err, ERR_NO_INPUT,
                       "run %s has no combination %" PRIu64 ": numbers are below %" PRIu64,
                       record->id, combination, config->combinations_n);
    d->combo.combination = combination;
    d->combo.container_seq = record->first_container_seq + combination;
    int r = store_get_result(store, record->id, combination, ret_stored, err);
    if (r < 0)
        return r;
    if (ret_stored->status != STATUS_OK)
        return err_set(err, ERR_NO_INPUT,
                       "combination %" PRIu64 " has no trades and no equity: it is %s%s%s",
                       combination, status_name(ret_stored->status),
                       ret_stored->message[0] ? ", " : "", ret_stored->message);
    return 0;
}

static int compute(const struct config *config, struct store *store,
                   const struct run_record *record, struct run_detail *d, struct err *err)
{
    struct result stored;
    int r = find_stored(config, store, record, d, &stored, err);
    if (r < 0)
        return r;
    struct detailed *x = calloc(1, sizeof *x);
    if (!x)
        return err_set(err, ERR_SYSTEM, "out of memory for details");
    x->d = d;
    x->steps_most = d->data.steps_n;
    x->scratch.started_ns = record->started_ns;
    struct pool_options options = {.workers_n = 1, .record = &x->scratch};
    r = pool_init(&x->pool, config, &d->data, &options, err);
    if (r == 0) {
        r = ask(x, err);
        pool_fini(&x->pool);
    }
    free(x);
    if (r == 0)
        r = compare_result(&d->result, &stored, err);
    if (r == 0)
        r = copy_clock(d, err);
    return r;
}

int run_detail(const struct config *config, const struct describe *describe, struct store *store,
               const struct run_record *record, uint64_t combination, struct run_detail *ret_detail,
               struct err *err)
{
    struct run_detail d = {.combo.combination = combination};
    const uint64_t(*hashes)[2] = (const uint64_t(*)[2])record->symbol_hash;
    int r = run_data_load(config, describe, store, hashes, &d.data, err);
    if (r < 0)
        return r;
    for (uint32_t s = 0; s < d.data.range.symbols_n; s++)
        d.row_time_ns[s] = d.data.range.bars[s]->time_ns + d.data.range.first_row[s];
    if (memcmp(d.data.range.data_hash, record->data_hash, sizeof record->data_hash) != 0)
        r = err_set(err, ERR_DATA, "the bars of run %s are not those that it used", record->id);
    if (r == 0)
        r = compute(config, store, record, &d, err);
    if (r < 0)
        run_detail_fini(&d);
    else
        *ret_detail = d;
    return r;
}

void run_detail_fini(struct run_detail *detail)
{
    free(detail->trades);
    free(detail->time_ns);
    free(detail->equity);
    free(detail->cash);
    free(detail->position);
    run_data_fini(&detail->data);
    *detail = (struct run_detail){.data.plane_fd = -1};
}
