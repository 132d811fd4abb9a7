/* SPDX-License-Identifier: MIT */
/* Risk: what becomes of a signal. */
#include "worker/risk/risk.h"

#include <math.h>

struct risk_view risk_view_of(const struct combo *combo)
{
    return (struct risk_view){
        .cfg = &combo->risk,
        .portfolio = &combo->portfolio,
        .execution = &combo->execution,
        .exits = &combo->exits,
    };
}

static bool may_enter(const struct risk_view *v, int side)
{
    enum direction d = (enum direction)v->portfolio->direction;
    return d == DIRECTION_BOTH || d == (side > 0 ? DIRECTION_LONG : DIRECTION_SHORT);
}

static bool may_reenter(const struct risk_view *v)
{
    return v->cfg->same_signal == SAME_SIGNAL_REENTER;
}

unsigned risk_relevant(const struct risk_view *v, const struct position *p)
{
    if (p->qty == 0.0)
        return (may_enter(v, 1) ? SIGNAL_LONG_ENTRY : 0) |
               (may_enter(v, -1) ? SIGNAL_SHORT_ENTRY : 0);
    bool is_long = p->qty > 0.0;
    unsigned same = is_long ? SIGNAL_LONG_ENTRY : SIGNAL_SHORT_ENTRY;
    unsigned kinds = is_long ? SIGNAL_LONG_EXIT : SIGNAL_SHORT_EXIT;
    if (v->cfg->opposite_signal != OPPOSITE_IGNORE)
        kinds |= is_long ? SIGNAL_SHORT_ENTRY : SIGNAL_LONG_ENTRY;
    return kinds | (may_reenter(v) ? same : 0);
}

static struct order entry_order(const struct risk_view *v, const struct signal *s, int side,
                                enum fill_rule rule)
{
    double reserve = v->cfg->commission_frac;
    return (struct order){
        .target_portfolio = s->target_portfolio,
        .symbol_idx = s->symbol_idx,
        .rule = (uint8_t)rule,
        .side = (int8_t)side,
        .sizing = v->portfolio->sizing,
        .sizing_value = v->portfolio->sizing_value,
        .lot = v->portfolio->lot,
        .qty_max = v->cfg->max_position_size,
        .commission_frac = isnan(reserve) ? v->execution->commission_frac : reserve,
        .stop_loss = v->exits->stop_loss,
        .take_profit = v->exits->take_profit,
        .base_px = v->exits->base == EXIT_BASE_SIGNAL_CLOSE ? s->ref_px : NAN,
        .live_from = v->exits->live_from,
    };
}

static struct order close_order(const struct signal *s, enum fill_rule rule)
{
    return (struct order){
        .target_portfolio = s->target_portfolio,
        .symbol_idx = s->symbol_idx,
        .is_close = 1,
        .rule = (uint8_t)rule,
    };
}

/* The side that the signal wants to enter: long wins where both are said and allowed. 0: none. */
static int wanted_side(const struct risk_view *v, unsigned kinds)
{
    bool is_long = kinds & SIGNAL_LONG_ENTRY, is_short = kinds & SIGNAL_SHORT_ENTRY;
    if (is_long && is_short)
        return may_enter(v, 1) ? 1 : -1;
    return is_long ? 1 : is_short ? -1 : 0;
}

unsigned risk_decide(const struct risk_view *v, const struct position *p, const struct signal *s,
                     struct order ret_orders[static RISK_ORDERS_MAX])
{
    int want = wanted_side(v, s->kinds);
    int held = p->qty > 0.0 ? 1 : p->qty < 0.0 ? -1 : 0;
    unsigned n = 0;
    if (held == 0) {
        if (want && may_enter(v, want))
            ret_orders[n++] = entry_order(v, s, want, FILL_RULE_MARKET_OPEN);
        return n;
    }
    if (want == held && may_reenter(v)) {
        ret_orders[n++] = close_order(s, FILL_RULE_REENTER);
        ret_orders[n++] = entry_order(v, s, want, FILL_RULE_MARKET_OPEN);
        return n;
    }
    if (want == -held && v->cfg->opposite_signal != OPPOSITE_IGNORE) {
        bool reverses = v->cfg->opposite_signal == OPPOSITE_REVERSE && may_enter(v, want);
        ret_orders[n++] = close_order(s, reverses ? FILL_RULE_REVERSE : FILL_RULE_MARKET_OPEN);
        if (reverses)
            ret_orders[n++] = entry_order(v, s, want, FILL_RULE_MARKET_OPEN);
        return n;
    }
    if (s->kinds & (held > 0 ? SIGNAL_LONG_EXIT : SIGNAL_SHORT_EXIT))
        ret_orders[n++] = close_order(s, FILL_RULE_MARKET_OPEN);
    return n;
}
