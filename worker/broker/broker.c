/* SPDX-License-Identifier: MIT */
/* Execution: how orders meet a bar. */
#include "worker/broker/broker.h"

#include <math.h>

#include "worker/broker/order_book.h"

/* Largest whole multiple of b in a, as exact as fmod allows: floor(a / b) can round up past it. */
static double whole_multiples(double a, double b)
{
    double quotient = (a - fmod(a, b)) / b;
    double whole = floor(quotient);
    return quotient - whole > 0.5 ? whole + 1.0 : whole;
}

/* Largest number of lots in qty; never more than qty. A hair is forgiven, so that 0.3 units are
 * three lots of 0.1. */
static double round_to_lot(double qty, double lot)
{
    if (!(lot > 0.0))
        return qty;
    double rounded = floor(qty / lot * (1.0 + 1e-12)) * lot;
    return rounded < qty ? rounded : qty;
}

/* Units that a budget of notional buys at unit_cost each. */
static double qty_of_budget(double budget, double unit_cost, double lot)
{
    if (!(budget > 0.0) || !(unit_cost > 0.0))
        return 0.0;
    if (lot == 1.0)
        return whole_multiples(budget, unit_cost);
    return round_to_lot(budget / unit_cost, lot);
}

/* Units of an entry that fills at px; 0 when it cannot be afforded. */
static double order_qty(const struct execution *x, const struct order *o, double px)
{
    double unit_cost = px + px * o->commission_frac;
    double buying_power = account_available(x->account) * x->account->leverage;
    double qty;
    if (o->sizing == SIZING_UNITS) {
        qty = round_to_lot(o->sizing_value, o->lot);
        qty = qty < o->qty_max ? qty : round_to_lot(o->qty_max, o->lot);
        return qty * unit_cost <= buying_power ? qty : 0.0;
    }
    double budget = buying_power * o->sizing_value;
    if (o->sizing == SIZING_PERCENT_OF_EQUITY) {
        budget = account_equity(x->account) * o->sizing_value;
        budget = budget < buying_power ? budget : buying_power;
    }
    qty = qty_of_budget(budget, unit_cost, o->lot);
    return qty < o->qty_max ? qty : round_to_lot(o->qty_max, o->lot);
}

static double slipped(const struct execution *x, double px, double side)
{
    return px * (1.0 + side * x->cfg->slippage_frac);
}

static void fill_price(const struct execution *x, struct fill *f, double px, bool may_slip)
{
    double side = f->qty > 0.0 ? 1.0 : -1.0;
    f->px = may_slip ? slipped(x, px, side) : px;
    f->commission = fabs(f->qty) * f->px * x->cfg->commission_frac;
    f->slippage = fabs(f->px - px) * fabs(f->qty);
}

static struct fill close_fill(const struct execution *x, uint16_t s, uint32_t step, double px,
                              enum fill_rule rule)
{
    struct fill f = {
        .target_portfolio = x->target_portfolio,
        .bar = step,
        .symbol_idx = s,
        .rule = (uint8_t)rule,
        .is_close = 1,
        .qty = -x->account->pos[s].qty,
    };
    fill_price(x, &f, px, rule != FILL_RULE_TARGET && rule != FILL_RULE_TARGET_GAP);
    return f;
}

static void emit_close(const struct execution *x, uint16_t s, uint32_t step, double px,
                       enum fill_rule rule)
{
    struct fill f = close_fill(x, s, step, px, rule);
    x->emit(x->ctx, &f);
}

static void emit_open(const struct execution *x, const struct order *o, uint32_t step, double px)
{
    if (x->account->pos[o->symbol_idx].qty != 0.0)
        return;
    double qty = order_qty(x, o, slipped(x, px, o->side));
    if (!(qty > 0.0))
        return;
    struct fill f = {
        .target_portfolio = x->target_portfolio,
        .bar = step,
        .symbol_idx = o->symbol_idx,
        .rule = o->rule,
        .qty = o->side * qty,
    };
    fill_price(x, &f, px, true);
    double base = isnan(o->base_px) ? f.px : o->base_px;
    if (!isnan(o->stop_loss))
        f.stop_px = base * (1.0 - o->side * o->stop_loss);
    if (!isnan(o->take_profit))
        f.target_px = base * (1.0 + o->side * o->take_profit);
    x->book->live_from[o->symbol_idx] = o->live_from;
    x->emit(x->ctx, &f);
}

/* A stop or target that the open has already passed. */
static void meet_open_gap(const struct execution *x, uint16_t s, uint32_t step, double open)
{
    const struct position *p = &x->account->pos[s];
    if (!position_has_exits(p))
        return;
    double side = p->qty > 0.0 ? 1.0 : -1.0;
    enum fill_rule rule = FILL_RULE_NONE;
    if (p->stop_px != 0.0 && side * (open - p->stop_px) <= 0.0)
        rule = FILL_RULE_STOP_GAP;
    else if (p->target_px != 0.0 && side * (open - p->target_px) >= 0.0)
        rule = FILL_RULE_TARGET_GAP;
    if (rule == FILL_RULE_NONE)
        return;
    emit_close(x, s, step, open, rule);
}

/* Waiting orders of one symbol fill at the open, in the order in which they were placed. */
static void meet_open_orders(const struct execution *x, uint16_t s, uint32_t step, double open)
{
    struct order_book *book = x->book;
    for (uint32_t i = 0; i < book->n;) {
        if (book->order[i].symbol_idx != s) {
            i++;
            continue;
        }
        struct order o = book->order[i];
        order_book_drop(book, i);
        if (!o.is_close)
            emit_open(x, &o, step, open);
        else if (x->account->pos[s].qty != 0.0)
            emit_close(x, s, step, open, (enum fill_rule)o.rule);
    }
}

/* Which of stop and target comes first when the bar's range holds both. */
static bool stop_comes_first(const struct execution *x, const struct position *p, double open)
{
    switch ((enum same_bar)x->cfg->same_bar) {
    case SAME_BAR_PESSIMISTIC:
        return true;
    case SAME_BAR_OPTIMISTIC:
        return false;
    case SAME_BAR_NEAREST_OPEN:
        return fabs(open - p->stop_px) <= fabs(open - p->target_px);
    }
    return true;
}

struct touch {
    bool stop, target;
};

static struct touch touches(const struct position *p, double high, double low)
{
    bool is_long = p->qty > 0.0;
    return (struct touch){
        .stop = p->stop_px != 0.0 && (is_long ? low <= p->stop_px : high >= p->stop_px),
        .target = p->target_px != 0.0 && (is_long ? high >= p->target_px : low <= p->target_px),
    };
}

/* The range of the bar touches the stop or the target of a position. */
static void meet_range(const struct execution *x, uint16_t s, uint32_t step, int32_t row)
{
    const struct position *p = &x->account->pos[s];
    if (!position_has_exits(p))
        return;
    if (p->entry_bar == step && x->book->live_from[s] == LIVE_FROM_NEXT_BAR)
        return;
    const struct bars *b = &x->market->symbol[s]->bars;
    struct touch t = touches(p, b->high[row], b->low[row]);
    if (!t.stop && !t.target)
        return;
    double side = p->qty > 0.0 ? 1.0 : -1.0, open = b->open[row];
    if (t.stop && (!t.target || stop_comes_first(x, p, open))) {
        bool gap = side * (open - p->stop_px) <= 0.0;
        emit_close(x, s, step, gap ? open : p->stop_px, gap ? FILL_RULE_STOP_GAP : FILL_RULE_STOP);
    } else {
        bool gap = side * (open - p->target_px) >= 0.0;
        emit_close(x, s, step, gap ? open : p->target_px,
                   gap ? FILL_RULE_TARGET_GAP : FILL_RULE_TARGET);
    }
}

void execution_bar(const struct execution *x, uint32_t step)
{
    const struct market *m = x->market;
    int32_t row;
    for (uint16_t s = 0; x->account->exits_n && s < m->symbols_n; s++)
        if ((row = market_row(m, s, step)) >= 0)
            meet_open_gap(x, s, step, m->symbol[s]->bars.open[row]);
    for (uint16_t s = 0; x->book->n && s < m->symbols_n; s++)
        if ((row = market_row(m, s, step)) >= 0)
            meet_open_orders(x, s, step, m->symbol[s]->bars.open[row]);
    for (uint16_t s = 0; x->account->exits_n && s < m->symbols_n; s++)
        if ((row = market_row(m, s, step)) >= 0)
            meet_range(x, s, step, row);
}

void execution_end(const struct execution *x, uint32_t step)
{
    if (x->cfg->at_end == AT_END_MARK || x->market->steps_n == x->market->first_step)
        return;
    bool at_open = x->cfg->at_end == AT_END_CLOSE_AT_OPEN;
    for (uint32_t s = 0; s < x->market->symbols_n; s++) {
        int32_t row = market_last_row(x->market, s, step);
        if (row < 0 || x->account->pos[s].qty == 0.0)
            continue;
        const struct bars *b = &x->market->symbol[s]->bars;
        emit_close(x, (uint16_t)s, step, at_open ? b->open[row] : b->close[row], FILL_RULE_END);
    }
    if (at_open) /* the last bar is replayed: orders that it made fill at its open */
        execution_bar(x, step);
}

/* Whether the bar of `step` would fill anything of symbol s. */
static bool would_fill(const struct execution *x, uint32_t s, uint32_t step)
{
    int32_t row = market_row(x->market, s, step);
    if (row < 0)
        return false;
    for (uint32_t i = 0; i < x->book->n; i++)
        if (x->book->order[i].symbol_idx == s)
            return true;
    const struct position *p = &x->account->pos[s];
    if (!position_has_exits(p))
        return false;
    const struct bars *b = &x->market->symbol[s]->bars;
    struct touch t = touches(p, b->high[row], b->low[row]);
    return t.stop || t.target;
}

uint32_t execution_next_fill(const struct execution *x, uint32_t from)
{
    if (execution_is_idle(x))
        return UINT32_MAX;
    for (uint32_t step = from; step < x->market->steps_n; step++)
        for (uint32_t s = 0; s < x->market->symbols_n; s++)
            if (would_fill(x, s, step))
                return step;
    return UINT32_MAX;
}
