/* SPDX-License-Identifier: MIT */
/* Stored combinations computed again, with every trade and every bar's equity. Details need no
 * storage: the same bars, configuration and engine give the same bytes, and the stored result is
 * there to check that.
 *
 * A session loads the bars and starts one worker when the first combination is asked for, and gives
 * it one after another. Nothing is tried twice: whatever does not come out as it is stored ends
 * with its reason. Signals are watched while a combination is computed; between two they do what
 * they did before the session. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "proto/units.h"
#include "supervisor/pool/pool.h"

#define DETAIL_HEADROOM_BYTES (UINT64_C(16) << 20) /* trades, and frames on their way */

struct run_detailer {
    struct run_stored run;
    struct config config; /* the run's with other limits; what it points to is the run's */
    struct run_data data;
    struct plane *plane; /* NULL: not looked at yet */
    struct pool pool;
    bool has_data, has_pool;
    struct run_record scratch; /* tallies of this session; owns nothing */
    /* the combination at hand */
    struct run_detail d;
    struct result stored;
    double *equity, *cash, *position; /* owned; d points to them */
    struct trade *trades;
    uint32_t steps_most; /* steps that it has */
    bool has_last_trade;
};

/* ---- what the worker says ------------------------------------------------------------------- */

static uint32_t range_rows_of(const struct run_data *data, uint32_t symbol)
{
    return data->range.cut[symbol].rows_n - data->range.warm_up_rows[symbol];
}

static bool are_trades_sound(const struct run_detailer *x, const struct detail_trades *t)
{
    for (uint32_t i = 0; i < t->n; i++) {
        const struct trade *trade = &t->trades[i];
        if (trade->symbol_idx >= x->data.range.symbols_n)
            return false;
        uint32_t rows_n = range_rows_of(&x->data, trade->symbol_idx);
        if (trade->entry_bar >= rows_n ||
            (trade->exit_bar >= rows_n && trade->exit_bar != TRADE_OPEN))
            return false;
    }
    return t->combination == x->d.combo.combination;
}

static bool take_trades(struct run_detailer *x, struct reader *body)
{
    struct detail_trades t;
    if (x->has_last_trade || detail_trades_decode(body, &t) < 0)
        return false;
    bool is_sound = are_trades_sound(x, &t);
    if (is_sound && t.n > 0) {
        struct trade *all = realloc(x->trades, (x->d.trades_n + (size_t)t.n) * sizeof *all);
        x->pool.is_out_of_memory |= !all;
        if (all) {
            x->trades = all;
            memcpy(all + x->d.trades_n, t.trades, t.n * sizeof *all);
            x->d.trades_n += t.n;
        }
    }
    x->has_last_trade = t.is_last;
    detail_trades_fini(&t);
    return is_sound;
}

static bool reserve_equity(struct run_detailer *x, uint32_t symbols_n)
{
    if (x->equity)
        return x->d.symbols_n == symbols_n;
    size_t n = x->steps_most;
    x->d.symbols_n = symbols_n;
    x->equity = calloc(n + 1, sizeof *x->equity);
    x->cash = calloc(n + 1, sizeof *x->cash);
    x->position = calloc(n * symbols_n + 1, sizeof *x->position);
    x->pool.is_out_of_memory |= !x->equity || !x->cash || !x->position;
    return !x->pool.is_out_of_memory;
}

static bool take_equity(struct run_detailer *x, struct reader *body)
{
    struct run_detail *d = &x->d;
    struct detail_equity e;
    if (detail_equity_decode(body, &e) < 0)
        return false;
    bool is_sound = e.combination == d->combo.combination && e.first_step == d->steps_n &&
                    e.n <= x->steps_most - d->steps_n && e.symbols_n <= x->data.range.symbols_n &&
                    reserve_equity(x, e.symbols_n);
    if (is_sound) {
        size_t at = d->steps_n, s = e.symbols_n;
        memcpy(x->equity + at, e.equity, e.n * sizeof *e.equity);
        memcpy(x->cash + at, e.cash, e.n * sizeof *e.cash);
        memcpy(x->position + at * s, e.position, e.n * s * sizeof *e.position);
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

/* ---- one combination after another ---------------------------------------------------------- */

static void forget(struct run_detailer *x)
{
    free(x->trades);
    free(x->equity);
    free(x->cash);
    free(x->position);
    x->trades = NULL;
    x->equity = x->cash = x->position = NULL;
    x->d = (struct run_detail){0};
    x->has_last_trade = false;
}

/* What the pool noted of the combination before: a number may be asked for again. */
static void pool_forget(struct pool *p)
{
    for (size_t i = 0; i < p->ledger.result_n; i++) {
        uint64_t n = p->ledger.result[i].combination;
        p->work.done[n / 8] &= (uint8_t) ~(1u << (n % 8));
    }
    p->ledger.result_n = p->ledger.fault_n = 0;
    p->work.retry_n = p->work.requeued_n = 0;
}

static int find_stored(struct run_detailer *x, uint64_t n, struct err *err)
{
    const char *id = x->run.record->id;
    if (n >= x->config.combinations_n || !grid_combo(&x->config, n, &x->d.combo)) {
        (void)err_set(err, ERR_NO_INPUT, "run %s has no combination %" PRIu64 ": %s", id, n,
                      n < x->config.combinations_n ? "`where` excludes it" : "it has fewer");
        return RUN_E_NO_DETAIL;
    }
    x->d.combo.combination = n;
    x->d.combo.container_seq = x->run.record->first_container_seq + n;
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

/* Every bar's equity, cash and positions take memory that the run did not need. */
static void config_adapt(struct run_detailer *x)
{
    uint64_t row_bytes = (2 + x->data.range.symbols_n) * sizeof(double);
    x->config.retries = 0;
    if (x->config.memory_limit_bytes > 0)
        x->config.memory_limit_bytes += DETAIL_HEADROOM_BYTES + x->data.steps_n * row_bytes;
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
    config_adapt(x);
    return 0;
}

static void signals_default(struct pool *p)
{
    struct sigaction by_default;
    sigset_t set;
    memset(&by_default, 0, sizeof by_default);
    by_default.sa_handler = SIG_DFL;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, &set, &p->old_mask);
    (void)sigaction(SIGINT, &by_default, &p->old_int); /* cannot fail for these two */
    (void)sigaction(SIGTERM, &by_default, &p->old_term);
}

static void signals_as_before(struct pool *p)
{
    (void)sigaction(SIGINT, &p->old_int, NULL);
    (void)sigaction(SIGTERM, &p->old_term, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &p->old_mask, NULL);
}

static int open_pool(struct run_detailer *x, struct err *err)
{
    if (x->has_pool) {
        pool_forget(&x->pool);
        signals_default(&x->pool);
        return 0;
    }
    x->scratch.started_ns = x->run.record->started_ns;
    struct pool_options options = {.workers_n = 1, .record = &x->scratch};
    int r = pool_init(&x->pool, &x->config, &x->data, &options, err);
    if (r < 0)
        return r;
    x->pool.on_frame = detail_on_frame;
    x->pool.mode = x;
    x->pool.enforces_time = true;
    x->has_pool = true;
    return 0;
}

static int turn(struct run_detailer *x, int timeout_ms, struct err *err)
{
    int r = pool_turn(&x->pool, timeout_ms, err);
    if (r == 0 && x->pool.stop_signal)
        r = err_set(err, ERR_INTERRUPTED, "stopped by %s",
                    x->pool.stop_signal == SIGTERM ? "SIGTERM" : "SIGINT");
    return r;
}

/* The first turn finds out whether it died since. Workers that never come up end the wait. */
static int await_worker(struct run_detailer *x, struct err *err)
{
    struct worker_ref *w = &x->pool.worker[0];
    int r = turn(x, 0, err);
    while (r == 0 && w->state != WORKER_IDLE) {
        if (w->state == WORKER_ABSENT && pool_may_spawn(&x->pool, mono_now_ns()))
            r = pool_start(&x->pool, 0, ROLE_FREE, err);
        if (r == 0 || r == -EAGAIN)
            r = turn(x, POOL_TICK_MS, err);
    }
    return r;
}

static int lost(const struct run_detailer *x, struct err *err)
{
    const struct ledger *l = &x->pool.ledger;
    const char *status = "lost", *why = x->pool.worker[0].end_reason;
    if (l->fault_n > 0) {
        status = status_name(l->fault[0].status);
        why = l->fault[0].message;
    } else if (l->result_n > 0) {
        status = status_name(l->result[0].status);
        why = l->result[0].message;
    }
    char shown[600];
    return err_set(err, ERR_SYSTEM,
                   "combination %" PRIu64 " is stored as ok, but computing it again ends as %s: %s",
                   x->d.combo.combination, status,
                   *why ? err_printable(why, shown, sizeof shown) : "no reason is known");
}

static int ask(struct run_detailer *x, struct err *err)
{
    struct pool *p = &x->pool;
    struct worker_ref *w = &p->worker[0];
    int r = await_worker(x, err);
    if (r < 0)
        return r;
    p->combo[0] = x->d.combo;
    p->number[0] = x->d.combo.combination;
    (void)pool_give(
        p, w, /* one that is gone is buried below */
        &(struct pool_gift){.type = MSG_DETAIL, .n = 1, .combos = p->combo, .numbers = p->number});
    while (p->ledger.result_n + p->ledger.fault_n == 0 && w->state != WORKER_ABSENT)
        if ((r = turn(x, POOL_TICK_MS, err)) < 0)
            return r;
    if (w->state == WORKER_BUSY)
        pool_discard(p, w, "it has more to say than one result");
    if (p->ledger.fault_n > 0 || p->ledger.result_n == 0 || p->ledger.result[0].status != STATUS_OK)
        return lost(x, err);
    x->d.result = p->ledger.result[0];
    return 0;
}

/* ---- checking ------------------------------------------------------------------------------- */

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

static int check(const struct run_detailer *x, struct err *err)
{
    if (!x->has_last_trade || x->d.steps_n != x->steps_most)
        return err_set(err, ERR_BUG,
                       "combination %" PRIu64 ": its worker says %u of %u bars, and %s its trades",
                       x->stored.combination, x->d.steps_n, x->steps_most,
                       x->has_last_trade ? "all" : "not all");
    return compare_result(&x->d.result, &x->stored, err);
}

/* The clock of its rows: that of its one symbol, or of all together. */
static int prepare(struct run_detailer *x, struct err *err)
{
    struct run_detail *d = &x->d;
    for (uint32_t s = 0; s < x->data.range.symbols_n; s++)
        d->row_time_ns[s] = x->data.range.bars[s]->time_ns + x->data.range.first_row[s];
    if (d->combo.symbol_idx != COMBO_ALL_SYMBOLS) {
        if (d->combo.symbol_idx >= x->data.range.symbols_n)
            return err_set(err, ERR_DATA,
                           "combination %" PRIu64 " is of a symbol that is not there",
                           d->combo.combination);
        x->steps_most = range_rows_of(&x->data, d->combo.symbol_idx);
        d->time_ns = d->row_time_ns[d->combo.symbol_idx];
        return 0;
    }
    int r = x->plane ? 0 : plane_open(x->data.plane_fd, &x->plane, err);
    if (r < 0)
        return r;
    x->steps_most = x->plane->steps_n - x->plane->first_step;
    d->time_ns = x->plane->clock_ns + x->plane->first_step;
    return 0;
}

/* ---- the session ---------------------------------------------------------------------------- */

int run_detailer_open(const struct run_stored *run, struct run_detailer **ret_detailer,
                      struct err *err)
{
    struct run_detailer *x = calloc(1, sizeof *x);
    if (!x)
        return err_set(err, ERR_SYSTEM, "out of memory for details");
    x->run = *run;
    x->config = *run->config;
    x->data.plane_fd = -1;
    *ret_detailer = x;
    return 0;
}

int run_detailer_next(struct run_detailer *x, uint64_t combination,
                      const struct run_detail **ret_detail, struct err *err)
{
    forget(x);
    int r = find_stored(x, combination, err);
    if (r == 0)
        r = load(x, err);
    if (r == 0)
        r = prepare(x, err);
    if (r == 0)
        r = open_pool(x, err);
    if (r != 0)
        return r;
    r = ask(x, err);
    signals_as_before(&x->pool);
    if (r == 0)
        r = check(x, err);
    if (r < 0)
        return r;
    x->d.trades = x->trades;
    x->d.equity = x->equity;
    x->d.cash = x->cash;
    x->d.position = x->position;
    *ret_detail = &x->d;
    return 0;
}

int run_detailer_stop_signal(const struct run_detailer *x)
{
    return x && x->has_pool ? x->pool.stop_signal : 0;
}

void run_detailer_close(struct run_detailer *x)
{
    if (!x)
        return;
    forget(x);
    if (x->has_pool) {
        signals_default(&x->pool); /* so that those of now come back, not those of the beginning */
        pool_fini(&x->pool);
    }
    if (x->plane)
        plane_close(x->plane);
    if (x->has_data)
        run_data_fini(&x->data);
    free(x);
}
