/* SPDX-License-Identifier: MIT */
/* Execution: in what order orders and brackets meet a bar. */
#include "worker/broker/execution.h"

#include <math.h>

#include "worker/broker/matching.h"

/* ---- meetings ------------------------------------------------------------------------------- */

static struct meeting meeting_at(const struct execution *x, uint16_t s, uint32_t step, int32_t row)
{
    const struct bars *b = &x->market->symbol[s]->bars;
    return (struct meeting){
        .x = x,
        .s = s,
        .step = step,
        .row = row,
        .open = b->open[row],
        .high = b->high[row],
        .low = b->low[row],
        .close = b->close[row],
        .volume = b->volume[row],
    };
}

struct meeting meeting_before(const struct meeting *m)
{
    const struct market *market = m->x->market;
    for (uint32_t step = m->step; step > market->first_step; step--) {
        int32_t row = market_row(market, m->s, step - 1);
        if (row >= 0)
            return meeting_at(m->x, m->s, step - 1, row);
    }
    return (struct meeting){.row = -1};
}

/* One part of a bar for every symbol that has a bar, in configuration order. */
static void meet_all(const struct execution *x, uint32_t step, void (*meet)(const struct meeting *))
{
    for (uint16_t s = 0; s < x->market->symbols_n; s++) {
        int32_t row = market_row(x->market, s, step);
        if (row < 0)
            continue;
        struct meeting m = meeting_at(x, s, step, row);
        meet(&m);
    }
}

/* ---- quiet bars ----------------------------------------------------------------------------- */

static bool watches_margin(const struct execution *x)
{
    return x->combo->portfolio.maintenance_margin > 0.0 && x->account->open_n;
}

/* Whether the bar of `step` leaves all orders and brackets as they are. */
static bool is_quiet(const struct execution *x, uint32_t step)
{
    const struct order_book *book = x->book;
    const struct market *market = x->market;
    for (uint32_t i = 0; i < book->n; i++) {
        const struct order *o = &book->order[i];
        int32_t row = market_row(market, o->symbol_idx, step);
        if (row >= 0 && !order_is_quiet(o, &market->symbol[o->symbol_idx]->bars, row))
            return false;
    }
    uint32_t left = book->brackets_n;
    for (uint32_t s = 0; left; s++) {
        struct bracket *b = &book->bracket[s];
        if (!b->is_set)
            continue;
        left--;
        int32_t row = market_row(market, s, step);
        if (row >= 0 && !bracket_is_quiet(b, &market->symbol[s]->bars, row))
            return false;
    }
    return true;
}

/* ---- margin --------------------------------------------------------------------------------- */

static void close_for_margin(const struct meeting *m)
{
    if (meeting_position(m)->qty == 0.0)
        return;
    order_book_drop_symbol(m->x->book, m->s);
    (void)fill_close(m, &(struct execution_point){.px = m->open, .rule = FILL_RULE_MARGIN_CALL});
}

/* Equity at the last closes no longer covers what positions need: all are closed at the open. */
static __attribute__((noinline)) void meet_margin_call(const struct execution *x, uint32_t step)
{
    const struct account *a = x->account;
    double value = 0.0;
    for (uint32_t s = 0; s < a->symbols_n; s++)
        value += fabs(a->pos[s].qty) * a->mark_px[s];
    if (account_equity(a) < x->combo->portfolio.maintenance_margin * value)
        meet_all(x, step, close_for_margin);
}

/* ---- a bar ---------------------------------------------------------------------------------- */

/* What was to happen at the closes of the bar before, where that is told with this one. */
static void meet_last_closes(const struct execution *x, uint32_t step)
{
    if (x->book->brackets_n)
        meet_all(x, step, brackets_meet_last_close);
    if (x->book->n)
        meet_all(x, step, orders_meet_last_close);
}

/* Rare, and kept out of line so that the quiet bar stays a few instructions. */
static __attribute__((noinline)) void meet_bar(const struct execution *x, uint32_t step)
{
    const struct order_book *book = x->book;
    if (close_is_booked_next(&x->combo->execution))
        meet_last_closes(x, step);
    if (book->brackets_n && x->combo->execution.orders_per_bar == ORDERS_PER_BAR_ONE)
        meet_all(x, step, brackets_meet_alone);
    if (book->brackets_n)
        meet_all(x, step, brackets_meet_open);
    if (book->n)
        meet_all(x, step, orders_meet_open);
    if (book->brackets_n)
        meet_all(x, step, brackets_meet_range);
    if (book->n)
        meet_all(x, step, orders_meet_range);
    if (book->brackets_n)
        meet_all(x, step, brackets_meet_close);
    if (book->n)
        meet_all(x, step, orders_meet_close);
}

void execution_bar(const struct execution *x, uint32_t step)
{
    if (watches_margin(x))
        meet_margin_call(x, step);
    if (!is_quiet(x, step))
        meet_bar(x, step);
}

static void meet_this_close(const struct execution *x, const struct order *o, int32_t row)
{
    const struct meeting m = meeting_at(x, o->symbol_idx, o->bar, row);
    orders_meet_close(&m);
}

void execution_place(const struct execution *x, const struct order *order)
{
    const struct execution_cfg *cfg = &x->combo->execution;
    int32_t row = market_row(x->market, order->symbol_idx, order->bar);
    const struct bar_use *use = &x->book->use[order->symbol_idx];
    bool is_now = cfg->fill == FILL_THIS_CLOSE && !close_is_booked_next(cfg) && row >= 0;
    if (is_now && use->is_closed && use->row == row)
        return; /* its one order was the bracket's */
    struct order o = *order;
    order_starts(x, &o, market_last_row(x->market, o.symbol_idx, o.bar) + 1);
    order_book_place(x->book, &o);
    if (o.is_close && x->account->pos[o.symbol_idx].qty == 0.0)
        order_book_drop(x->book, x->book->n - 1);       /* all it had to do was to cancel */
    else if (is_now && !(o.is_close && o.is_reversing)) /* which waits for its entry */
        meet_this_close(x, &o, row);
}

/* ---- the end -------------------------------------------------------------------------------- */

/* Where at_end closes a position. The open of the last bar stands for the close before it where
 * closes are booked with the next bar, but for what was opened after that close. */
static struct meeting end_meeting(const struct execution *x, const struct meeting *last,
                                  bool at_open, double *ret_px)
{
    if (at_open && close_is_booked_next(&x->combo->execution)) {
        struct meeting before = meeting_before(last);
        if (before.row >= 0 && before.step >= meeting_position(last)->entry_bar) {
            *ret_px = before.close;
            return before;
        }
    }
    *ret_px = at_open ? last->open : last->close;
    return *last;
}

void execution_end(const struct execution *x, uint32_t step)
{
    uint8_t at_end = x->combo->execution.at_end;
    if (at_end == AT_END_MARK || x->market->steps_n == x->market->first_step)
        return;
    bool at_open = at_end == AT_END_CLOSE_AT_OPEN;
    for (uint16_t s = 0; s < x->market->symbols_n; s++) {
        int32_t row = market_last_row(x->market, s, step);
        x->book->use[s] = (struct bar_use){0};
        if (row < 0 || x->account->pos[s].qty == 0.0)
            continue;
        struct meeting last = meeting_at(x, s, step, row);
        double px;
        struct meeting m = end_meeting(x, &last, at_open, &px);
        (void)fill_close(
            &m, &(struct execution_point){.px = px, .rule = FILL_RULE_END, .has_no_limit = true});
        x->book->use[s] = (struct bar_use){0};
    }
    if (!at_open)
        return;
    for (uint32_t i = 0; i < x->book->n; i++) /* the last bar is replayed: orders that it made */
        x->book->order[i].first_row = 0;      /* meet it, and all that stood is closed */
    execution_bar(x, step);
}

/* ---- looking ahead -------------------------------------------------------------------------- */

/* First step in [from, to) at which `s` has a bar that is not quiet for its bracket; else `to`. */
static uint32_t next_touch(const struct execution *x, uint32_t s, uint32_t from, uint32_t to)
{
    struct bracket b = x->book->bracket[s]; /* a trail follows bars here that are yet to come */
    for (uint32_t step = from; b.is_set && step < to; step++) {
        int32_t row = market_row(x->market, s, step);
        if (row >= 0 && !bracket_is_quiet(&b, &x->market->symbol[s]->bars, row))
            return step;
    }
    return to;
}

static uint32_t next_order(const struct execution *x, const struct order *o, uint32_t from,
                           uint32_t to)
{
    for (uint32_t step = from; step < to; step++) {
        int32_t row = market_row(x->market, o->symbol_idx, step);
        if (row >= 0 && !order_is_quiet(o, &x->market->symbol[o->symbol_idx]->bars, row))
            return step;
    }
    return to;
}

uint32_t execution_next_fill(const struct execution *x, uint32_t from)
{
    uint32_t steps_n = x->market->steps_n, next = steps_n;
    if (execution_is_idle(x) || from >= steps_n)
        return UINT32_MAX;
    if (watches_margin(x))
        return from;
    for (uint32_t i = 0; i < x->book->n; i++)
        next = next_order(x, &x->book->order[i], from, next);
    for (uint32_t s = 0; s < x->market->symbols_n; s++)
        next = next_touch(x, s, from, next);
    return next < steps_n ? next : UINT32_MAX;
}
