/* SPDX-License-Identifier: MIT */
/* Free-running: the combinations of a batch one after another, each in a fresh full container. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "proto/units.h"
#include "worker/driver_reference.h"
#include "worker/monitor/tracker.h"
#include "worker/serve.h"

#define FLUSH_NS     (50 * 1000 * 1000) /* results leave at least this often */
#define CHUNK_BARS   8192
#define CHUNK_TRADES 16384

/* Runs one combination to its result. *ret_record, where wanted, stays readable until the arena is
 * reset. */
static uint64_t run_combo(struct serve *w, const struct container_request *q,
                          struct tracker_record *ret_record, struct result *ret_result)
{
    struct err err = {0};
    struct container *c;
    session_tell(&w->session, q->combo);
    int r = session_container(&w->session, q, &c, &err);
    if (r < 0) {
        session_refused(q->combo, r, &err, ret_result);
        return 0;
    }
    container_start(c);
    uint64_t steps = driver_reference_run(c);
    uint64_t bars_n = c->market->bars_n;
    const void *tracker = container_resolve(c, "performance_tracker");
    session_finish(c, q->combo, ret_result);
    if (ret_record)
        *ret_record = tracker_record(tracker);
    return steps ? bars_n : 0; /* a bankrupt one counts whole: its bars are settled */
}

struct flush {
    struct results results;
    int64_t last_ns;
};

static int flush_results(struct serve *w, struct flush *f, bool is_last)
{
    f->results.is_last = is_last;
    struct buf *b = channel_begin(w->channel, MSG_RESULTS);
    results_encode(b, &f->results);
    f->results.n = 0;
    f->results.bar_steps = 0;
    f->last_ns = mono_now_ns();
    return channel_send(w->channel, SEND_TIMEOUT_MS);
}

int serve_batch(struct serve *w, const struct batch *batch)
{
    struct arena arena = {0};
    struct flush f = {.results.batch_id = batch->id, .last_ns = mono_now_ns()};
    f.results.results = calloc(batch->n + 1, sizeof *f.results.results);
    int r = f.results.results ? 0 : -ENOMEM;
    for (uint32_t i = 0; r == 0 && i < batch->n; i++) {
        const struct container_request q = {
            .shape = SHAPE_FULL, .combo = &batch->combos[i], .arena = &arena};
        f.results.bar_steps += run_combo(w, &q, NULL, &f.results.results[f.results.n++]);
        arena_reset(&arena);
        if (i + 1 < batch->n && mono_now_ns() - f.last_ns > FLUSH_NS)
            r = flush_results(w, &f, false);
    }
    if (r == 0)
        r = flush_results(w, &f, true);
    session_tell_idle(&w->session);
    free(f.results.results);
    arena_fini(&arena);
    return r;
}

/* ---- details of one combination ------------------------------------------------------------- */

/* Trades count rows of their symbol within the range, not steps of the market. */
static struct trade trade_in_rows(const struct market *m, struct trade t)
{
    const struct plane_view *v = m->symbol[t.symbol_idx];
    t.entry_bar =
        (uint32_t)market_last_row(m, t.symbol_idx, m->first_step + t.entry_bar) - v->first_row;
    if (t.exit_bar != TRADE_OPEN)
        t.exit_bar =
            (uint32_t)market_last_row(m, t.symbol_idx, m->first_step + t.exit_bar) - v->first_row;
    t.symbol_idx = (uint16_t)m->symbol_idx[t.symbol_idx];
    return t;
}

static int send_trades(struct serve *w, uint64_t combination, const struct tracker_record *rec)
{
    struct trade *rows = calloc(CHUNK_TRADES, sizeof *rows);
    int r = rows ? 0 : -ENOMEM;
    for (uint32_t first = 0; r == 0; first += CHUNK_TRADES) {
        uint32_t left = rec->trades_n - first, n = left < CHUNK_TRADES ? left : CHUNK_TRADES;
        for (uint32_t i = 0; i < n; i++)
            rows[i] = trade_in_rows(rec->market, rec->trades[first + i]);
        const struct detail_trades t = {combination, first + n == rec->trades_n, n, rows};
        detail_trades_encode(channel_begin(w->channel, MSG_DETAIL_TRADES), &t);
        r = channel_send(w->channel, SEND_TIMEOUT_MS);
        if (t.is_last)
            break;
    }
    free(rows);
    return r;
}

static int send_equity(struct serve *w, uint64_t combination, const struct tracker_record *rec)
{
    uint32_t symbols_n = rec->market->symbols_n;
    int r = 0;
    for (uint32_t first = 0; r == 0 && first < rec->bars_n; first += CHUNK_BARS) {
        uint32_t left = rec->bars_n - first;
        struct detail_equity e = {
            .combination = combination,
            .first_step = first,
            .n = left < CHUNK_BARS ? left : CHUNK_BARS,
            .symbols_n = symbols_n,
            .equity = rec->equity + first,
            .cash = rec->cash + first,
            .position = rec->position + (size_t)first * symbols_n,
        };
        detail_equity_encode(channel_begin(w->channel, MSG_DETAIL_EQUITY), &e);
        r = channel_send(w->channel, SEND_TIMEOUT_MS);
    }
    return r;
}

int serve_detail(struct serve *w, const struct combo *combo)
{
    struct arena arena = {0};
    struct result result;
    struct tracker_record rec = {0};
    bool details = true;
    const struct container_request q = {
        .shape = SHAPE_FULL, .combo = combo, .arena = &arena, .details = &details};
    uint64_t steps = run_combo(w, &q, &rec, &result);
    int r = 0;
    if (result.status == STATUS_OK) {
        r = send_trades(w, combo->combination, &rec);
        if (r == 0)
            r = send_equity(w, combo->combination, &rec);
    }
    if (r == 0) {
        struct flush f = {.results = {.bar_steps = steps, .n = 1, .results = &result}};
        r = flush_results(w, &f, true);
    }
    session_tell_idle(&w->session);
    arena_fini(&arena);
    return r;
}
