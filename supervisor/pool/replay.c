/* SPDX-License-Identifier: MIT */
/* One worker that computes combinations anew, and what it says of each. */
#include "supervisor/pool/replay.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "proto/units.h"
#include "supervisor/pool/pool.h"

#define HEADROOM_BYTES (UINT64_C(16) << 20) /* trades, and frames on their way */
#define ROW_TRADES_MAX 16                   /* of one symbol: no bar has more fills */

struct replay {
    struct config config; /* with other limits */
    const struct run_data *data;
    struct pool pool;
    bool has_pool;
    struct run_record scratch; /* tallies of this session; owns nothing */
    /* the combination at hand */
    struct run_detail d;
    double *equity, *cash, *position; /* owned; d points to them */
    struct trade *trades;
    uint32_t steps_most;  /* steps that it has */
    uint64_t trades_most; /* what a worker may say of it, which is bounded by nothing else */
    bool has_last_trade;
};

/* ---- what the worker says ------------------------------------------------------------------- */

static uint32_t range_rows_of(const struct run_data *data, uint32_t symbol)
{
    return data->range.cut[symbol].rows_n - data->range.warm_up_rows[symbol];
}

static bool are_trades_sound(const struct replay *x, const struct detail_trades *t)
{
    for (uint32_t i = 0; i < t->n; i++) {
        const struct trade *trade = &t->trades[i];
        if (trade->symbol_idx >= x->data->range.symbols_n)
            return false;
        uint32_t rows_n = range_rows_of(x->data, trade->symbol_idx);
        if (trade->entry_bar >= rows_n ||
            (trade->exit_bar >= rows_n && trade->exit_bar != TRADE_OPEN))
            return false;
    }
    return t->combination == x->d.combo.combination && t->n <= x->trades_most - x->d.trades_n;
}

static bool take_trades(struct replay *x, struct reader *body)
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

static bool reserve_equity(struct replay *x, uint32_t symbols_n)
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

static bool take_equity(struct replay *x, struct reader *body)
{
    struct run_detail *d = &x->d;
    struct detail_equity e;
    if (detail_equity_decode(body, &e) < 0)
        return false;
    bool is_sound = e.combination == d->combo.combination && e.first_step == d->steps_n &&
                    e.n <= x->steps_most - d->steps_n && e.symbols_n <= x->data->range.symbols_n &&
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

static void forget(struct replay *x)
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

static int open_pool(struct replay *x, struct err *err)
{
    if (x->has_pool) {
        pool_forget(&x->pool);
        signals_default(&x->pool);
        return 0;
    }
    struct pool_options options = {.workers_n = 1, .record = &x->scratch};
    int r = pool_init(&x->pool, &x->config, x->data, &options, err);
    if (r < 0)
        return r;
    x->pool.on_frame = detail_on_frame;
    x->pool.mode = x;
    x->pool.enforces_time = true;
    x->has_pool = true;
    return 0;
}

static int turn(struct replay *x, int timeout_ms, struct err *err)
{
    int r = pool_turn(&x->pool, timeout_ms, err);
    if (r == 0 && x->pool.stop_signal)
        r = err_set(err, ERR_INTERRUPTED, "stopped by %s",
                    x->pool.stop_signal == SIGTERM ? "SIGTERM" : "SIGINT");
    return r;
}

/* The first turn finds out whether it died since. Workers that never come up end the wait. */
static int await_worker(struct replay *x, struct err *err)
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

static int failed(const struct replay *x, uint8_t *ret_status, struct err *err)
{
    const struct ledger *l = &x->pool.ledger;
    const char *why = x->pool.worker[0].end_reason;
    uint8_t status = STATUS_NOT_RUN;
    if (l->fault_n > 0) {
        status = l->fault[0].status;
        why = l->fault[0].message;
    } else if (l->result_n > 0) {
        status = l->result[0].status;
        why = l->result[0].message;
    }
    char shown[600];
    if (ret_status)
        *ret_status = status;
    (void)err_set(err, ERR_SYSTEM, "%s: %s",
                  status == STATUS_NOT_RUN ? "lost" : status_name(status),
                  *why ? err_printable(why, shown, sizeof shown) : "no reason is known");
    return REPLAY_E_FAILED;
}

/* Its series, made where they are absent. Where all are kept nothing is asked for. */
static int await_series(struct replay *x, struct hub_pin **ret_pin, struct err *err)
{
    struct hub_pin *pin = NULL;
    struct hub *hub = x->data->hub;
    int r = x->data->all ? 0 : hub_need(hub, &x->d.combo, 1, &pin, err);
    while (r == 0 && !hub_is_ready(hub, pin))
        r = turn(x, POOL_TICK_MS, err);
    if (r < 0)
        hub_unpin(hub, pin);
    else
        *ret_pin = pin;
    return r;
}

static int ask(struct replay *x, uint8_t *ret_status, struct err *err)
{
    struct pool *p = &x->pool;
    struct worker_ref *w = &p->worker[0];
    struct hub_pin *pin = NULL;
    int r = await_series(x, &pin, err);
    if (r < 0)
        return r;
    r = await_worker(x, err);
    if (r < 0) {
        hub_unpin(x->data->hub, pin);
        return r;
    }
    p->combo[0] = x->d.combo;
    p->number[0] = x->d.combo.combination;
    (void)pool_give(p, w, /* one that is gone is buried below */
                    &(struct pool_gift){.type = MSG_DETAIL,
                                        .n = 1,
                                        .combos = p->combo,
                                        .numbers = p->number,
                                        .pin = pin,
                                        .owns_pin = true});
    while (p->ledger.result_n + p->ledger.fault_n == 0 && w->state != WORKER_ABSENT)
        if ((r = turn(x, POOL_TICK_MS, err)) < 0)
            return r;
    if (w->state == WORKER_BUSY)
        pool_discard(p, w, "it has more to say than one result");
    if (p->ledger.fault_n > 0 || p->ledger.result_n == 0 || p->ledger.result[0].status != STATUS_OK)
        return failed(x, ret_status, err);
    x->d.result = p->ledger.result[0];
    return 0;
}

/* The clock of its rows: that of its one symbol, or of all together. */
static int prepare(struct replay *x, struct err *err)
{
    struct run_detail *d = &x->d;
    x->trades_most = 0;
    for (uint32_t s = 0; s < x->data->range.symbols_n; s++) {
        d->row_time_ns[s] = x->data->range.cut[s].time_ns + x->data->range.warm_up_rows[s];
        d->rows_n[s] = range_rows_of(x->data, s);
        x->trades_most += (uint64_t)ROW_TRADES_MAX * d->rows_n[s];
    }
    x->trades_most = x->trades_most < UINT32_MAX ? x->trades_most : UINT32_MAX;
    if (d->combo.symbol_idx != COMBO_ALL_SYMBOLS) {
        if (d->combo.symbol_idx >= x->data->range.symbols_n)
            return err_set(err, ERR_DATA,
                           "combination %" PRIu64 " is of a symbol that is not there",
                           d->combo.combination);
        x->steps_most = range_rows_of(x->data, d->combo.symbol_idx);
        d->time_ns = d->row_time_ns[d->combo.symbol_idx];
        return 0;
    }
    const struct plane *plane = plane_writer_view(x->data->plane);
    x->steps_most = plane->steps_n - plane->first_step;
    d->time_ns = plane->clock_ns + plane->first_step;
    return 0;
}

/* Every bar's equity, cash and positions take memory that a run does not need. */
static void config_adapt(struct replay *x)
{
    uint64_t row_bytes = (2 + x->data->range.symbols_n) * sizeof(double);
    x->config.retries = 0;
    if (x->config.memory_limit_bytes > 0)
        x->config.memory_limit_bytes += HEADROOM_BYTES + x->data->steps_n * row_bytes;
}

static int check(const struct replay *x, struct err *err)
{
    if (x->has_last_trade && x->d.steps_n == x->steps_most)
        return 0;
    return err_set(
        err, ERR_BUG, "combination %" PRIu64 ": its worker says %u of %u bars, and %s its trades",
        x->d.combo.combination, x->d.steps_n, x->steps_most, x->has_last_trade ? "all" : "not all");
}

/* ---- the session ---------------------------------------------------------------------------- */

int replay_open(const struct replay_options *options, struct replay **ret_replay, struct err *err)
{
    struct replay *x = calloc(1, sizeof *x);
    if (!x)
        return err_set(err, ERR_SYSTEM, "out of memory for details");
    x->config = *options->config;
    x->data = options->data;
    x->scratch.started_ns = options->started_ns;
    config_adapt(x);
    *ret_replay = x;
    return 0;
}

int replay_run(struct replay *x, const struct combo *combo, const struct run_detail **ret_detail,
               uint8_t *ret_status, struct err *err)
{
    forget(x);
    x->d.combo = *combo;
    int r = prepare(x, err);
    if (r == 0)
        r = open_pool(x, err);
    if (r != 0)
        return r;
    r = ask(x, ret_status, err);
    signals_as_before(&x->pool);
    if (r == 0)
        r = check(x, err);
    if (r != 0)
        return r;
    x->d.trades = x->trades;
    x->d.equity = x->equity;
    x->d.cash = x->cash;
    x->d.position = x->position;
    *ret_detail = &x->d;
    return 0;
}

int replay_stop_signal(const struct replay *x)
{
    return x && x->has_pool ? x->pool.stop_signal : 0;
}

void replay_close(struct replay *x)
{
    if (!x)
        return;
    forget(x);
    if (x->has_pool) {
        signals_default(&x->pool); /* so that those of now come back, not those of the beginning */
        pool_fini(&x->pool);
    }
    free(x);
}
