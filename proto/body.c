/* SPDX-License-Identifier: MIT */
/* Codecs of message bodies; those of a lockstep step are in body_steps.c. Each decoder fills a
 * struct of its own and hands it over only when every byte was read and every value allowed; what a
 * refused body had allocated is freed here. */
#include "proto/body.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "proto/body_parts.h"

#define COMBO_LEAST_BYTES  (300 + 8) /* no parameters; with its two container indices */
#define RESULT_LEAST_BYTES 17        /* no metrics, no message */
#define TRADE_BYTES        68

/* ---- joining -------------------------------------------------------------------------------- */

void hello_encode(struct buf *b, const struct hello *hello)
{
    wr_u32(b, hello->protocol);
    wr_u32(b, hello->pid);
    wr_u32(b, hello->slot_idx);
    wr_str(b, hello->engine);
}

int hello_decode(struct reader *r, struct hello *ret_hello)
{
    struct hello hello = {0};

    hello.protocol = rd_u32(r);
    hello.pid = rd_u32(r);
    hello.slot_idx = rd_u32(r);
    rd_str(r, hello.engine, sizeof hello.engine);
    if (rd_done(r))
        *ret_hello = hello;
    return whole(r);
}

void setup_encode(struct buf *b, const struct setup *setup)
{
    wr_u8(b, setup->role);
    run_spec_encode(b, &setup->run);
}

int setup_decode(struct reader *r, struct setup *ret_setup)
{
    struct setup setup = {.role = rd_u8(r)};

    if (setup.role > ROLE_SERVICE)
        return -EBADMSG;
    int rc = run_spec_decode(r, &setup.run);
    if (rc < 0)
        return rc;
    if (rd_done(r))
        *ret_setup = setup;
    else
        setup_fini(&setup);
    return whole(r);
}

void setup_fini(struct setup *setup)
{
    run_spec_fini(&setup->run);
    setup->role = 0;
}

void ready_encode(struct buf *b, const struct ready *ready)
{
    wr_u32(b, ready->series_n);
    wr_u32(b, ready->steps_n);
}

int ready_decode(struct reader *r, struct ready *ret_ready)
{
    struct ready ready = {0};

    ready.series_n = rd_u32(r);
    ready.steps_n = rd_u32(r);
    if (rd_done(r))
        *ret_ready = ready;
    return whole(r);
}

void refuse_encode(struct buf *b, const struct err *err)
{
    wr_u32(b, (uint32_t)err->kind);
    wr_str(b, err->text);
}

int refuse_decode(struct reader *r, struct err *ret_err)
{
    char text[sizeof ret_err->text];
    uint32_t kind = rd_u32(r);

    rd_str(r, text, sizeof text);
    if (kind == ERR_NONE || kind >= ERR_KINDS_N)
        r->bad = true;
    if (rd_done(r))
        (void)err_set(ret_err, (enum err_kind)kind, "%s", text); /* escapes what it holds */
    return whole(r);
}

/* ---- work ----------------------------------------------------------------------------------- */

void batch_encode(struct buf *b, const struct batch *batch)
{
    wr_u64(b, batch->id);
    wr_u32(b, batch->lanes_0);
    wr_u32(b, batch->n);
    for (uint32_t i = 0; i < batch->n; i++) {
        combo_encode(b, &batch->combos[i]);
        wr_u32(b, batch->risk_idx ? batch->risk_idx[i] : 0);
        wr_u32(b, batch->execution_idx ? batch->execution_idx[i] : 0);
    }
}

int batch_decode(struct reader *r, struct batch *ret_batch)
{
    struct batch batch = {0};
    int rc = -EBADMSG;

    batch.id = rd_u64(r);
    batch.lanes_0 = rd_u32(r);
    batch.n = rd_count(r, SPEC_BATCH_MAX, COMBO_LEAST_BYTES);
    if (r->bad || batch.lanes_0 > UINT32_MAX - batch.n)
        return -EBADMSG;
    batch.combos = array_of(batch.n, sizeof *batch.combos);
    batch.risk_idx = array_of(batch.n, sizeof *batch.risk_idx);
    batch.execution_idx = array_of(batch.n, sizeof *batch.execution_idx);
    if (!batch.combos || !batch.risk_idx || !batch.execution_idx) {
        rc = -ENOMEM;
        goto fini;
    }
    for (uint32_t i = 0; i < batch.n; i++) {
        if (combo_decode(r, &batch.combos[i]) < 0)
            goto fini;
        batch.risk_idx[i] = rd_u32(r);
        batch.execution_idx[i] = rd_u32(r);
    }
    if (!rd_done(r))
        goto fini;
    *ret_batch = batch;
    return 0;

fini:
    batch_fini(&batch);
    return rc;
}

void batch_fini(struct batch *batch)
{
    free(batch->combos);
    free(batch->risk_idx);
    free(batch->execution_idx);
    *batch = (struct batch){0};
}

void results_encode(struct buf *b, const struct results *results)
{
    wr_u64(b, results->batch_id);
    wr_u8(b, results->is_last);
    wr_u64(b, results->bar_steps);
    wr_u32(b, results->n);
    for (uint32_t i = 0; i < results->n; i++)
        result_encode(b, &results->results[i]);
}

int results_decode(struct reader *r, struct results *ret_results)
{
    struct results results = {0};

    results.batch_id = rd_u64(r);
    results.is_last = rd_flag(r);
    results.bar_steps = rd_u64(r);
    results.n = rd_count(r, SPEC_BATCH_MAX, RESULT_LEAST_BYTES);
    if (r->bad)
        return -EBADMSG;
    results.results = array_of(results.n, sizeof *results.results);
    if (!results.results)
        return -ENOMEM;
    for (uint32_t i = 0; i < results.n; i++) {
        if (result_decode(r, &results.results[i]) < 0)
            break;
    }
    if (rd_done(r))
        *ret_results = results;
    else
        results_fini(&results);
    return whole(r);
}

void results_fini(struct results *results)
{
    free(results->results);
    *results = (struct results){0};
}

/* ---- details -------------------------------------------------------------------------------- */

static void trade_encode(struct buf *b, const struct trade *t)
{
    wr_u16(b, t->symbol_idx);
    wr_u8(b, t->entry_rule);
    wr_u8(b, t->exit_rule);
    wr_u32(b, t->entry_bar);
    wr_u32(b, t->exit_bar);
    wr_f64(b, t->qty);
    wr_f64(b, t->entry_px);
    wr_f64(b, t->exit_px);
    wr_f64(b, t->pnl);
    wr_f64(b, t->commission);
    wr_f64(b, t->mae);
    wr_f64(b, t->mfe);
}

static struct trade trade_decode(struct reader *r)
{
    struct trade t = {0};

    t.symbol_idx = rd_u16(r);
    t.entry_rule = rd_u8(r);
    t.exit_rule = rd_u8(r);
    t.entry_bar = rd_u32(r);
    t.exit_bar = rd_u32(r);
    t.qty = rd_finite(r);
    t.entry_px = rd_not_negative(r);
    t.exit_px = rd_f64(r);
    t.pnl = rd_f64(r);
    t.commission = rd_not_negative(r);
    t.mae = rd_finite_or_nan(r);
    t.mfe = rd_finite_or_nan(r);

    bool is_open = t.exit_bar == TRADE_OPEN;
    if (t.symbol_idx >= SPEC_SYMBOLS_MAX || t.entry_rule >= FILL_RULE_N ||
        t.exit_rule >= FILL_RULE_N || t.entry_bar > t.exit_bar || t.entry_bar == TRADE_OPEN ||
        (!is_open && !(isfinite(t.exit_px) && isfinite(t.pnl))))
        r->bad = true;
    return t;
}

void detail_trades_encode(struct buf *b, const struct detail_trades *t)
{
    wr_u64(b, t->combination);
    wr_u8(b, t->is_last);
    wr_u32(b, t->n);
    for (uint32_t i = 0; i < t->n; i++)
        trade_encode(b, &t->trades[i]);
}

int detail_trades_decode(struct reader *r, struct detail_trades *ret_t)
{
    struct detail_trades t = {0};

    t.combination = rd_u64(r);
    t.is_last = rd_flag(r);
    t.n = rd_count(r, UINT32_MAX, TRADE_BYTES);
    if (r->bad)
        return -EBADMSG;
    t.trades = array_of(t.n, sizeof *t.trades);
    if (!t.trades)
        return -ENOMEM;
    for (uint32_t i = 0; i < t.n; i++)
        t.trades[i] = trade_decode(r);
    if (rd_done(r))
        *ret_t = t;
    else
        detail_trades_fini(&t);
    return whole(r);
}

void detail_trades_fini(struct detail_trades *t)
{
    free(t->trades);
    *t = (struct detail_trades){0};
}

static void wr_column(struct buf *b, const double *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        wr_f64(b, values[i]);
}

static void rd_column(struct reader *r, double *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        values[i] = rd_f64(r);
}

void detail_equity_encode(struct buf *b, const struct detail_equity *e)
{
    wr_u64(b, e->combination);
    wr_u32(b, e->first_step);
    wr_u32(b, e->n);
    wr_u32(b, e->symbols_n);
    wr_column(b, e->equity, e->n);
    wr_column(b, e->cash, e->n);
    wr_column(b, e->position, (size_t)e->n * e->symbols_n);
}

int detail_equity_decode(struct reader *r, struct detail_equity *ret_e)
{
    struct detail_equity e = {0};

    e.combination = rd_u64(r);
    e.first_step = rd_u32(r);
    e.n = rd_count(r, UINT32_MAX, 2 * sizeof(double));
    e.symbols_n = rd_count(r, SPEC_SYMBOLS_MAX, 0);
    uint64_t values_n = (uint64_t)e.n * (2 + e.symbols_n);
    if (r->bad || values_n > UINT32_MAX || values_n * sizeof(double) != r->n_bytes - r->pos ||
        e.first_step > UINT32_MAX - e.n)
        return -EBADMSG;
    e.equity = array_of(e.n, sizeof(double));
    e.cash = array_of(e.n, sizeof(double));
    e.position = array_of(e.n * e.symbols_n, sizeof(double)); /* bounded by the body's bytes */
    if (!e.equity || !e.cash || !e.position) {
        detail_equity_fini(&e);
        return -ENOMEM;
    }
    rd_column(r, e.equity, e.n);
    rd_column(r, e.cash, e.n);
    rd_column(r, e.position, (size_t)e.n * e.symbols_n);
    *ret_e = e;
    return 0;
}

void detail_equity_fini(struct detail_equity *e)
{
    free(e->equity);
    free(e->cash);
    free(e->position);
    *e = (struct detail_equity){0};
}
