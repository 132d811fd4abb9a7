/* SPDX-License-Identifier: MIT */
/* Risk: what becomes of a signal. */
#include "worker/risk/risk.h"

#include "proto/units.h"
#include "worker/broker/cost.h"

/* ---- what may be entered -------------------------------------------------------------------- */

static bool may_enter(const struct risk_view *v, int side)
{
    enum direction d = (enum direction)v->combo->portfolio.direction;
    return d == DIRECTION_BOTH || d == (side > 0 ? DIRECTION_LONG : DIRECTION_SHORT);
}

static bool may_reenter(const struct risk_view *v)
{
    return v->combo->risk.same_signal == SAME_SIGNAL_REENTER;
}

/* An entry on the side that is held changes its size. */
static bool adjusts(const struct risk_view *v)
{
    return v->combo->portfolio.sizing == SIZING_TARGET_PERCENT;
}

unsigned risk_relevant(const struct risk_view *v, const struct position *p, bool entries_wait)
{
    if (p->qty == 0.0)
        return (may_enter(v, 1) ? SIGNAL_LONG_ENTRY : 0) |
               (may_enter(v, -1) ? SIGNAL_SHORT_ENTRY : 0) |
               (entries_wait ? SIGNAL_LONG_EXIT | SIGNAL_SHORT_EXIT : 0);
    bool is_long = p->qty > 0.0;
    unsigned same = is_long ? SIGNAL_LONG_ENTRY : SIGNAL_SHORT_ENTRY;
    unsigned kinds = is_long ? SIGNAL_LONG_EXIT : SIGNAL_SHORT_EXIT;
    if (v->combo->risk.opposite_signal != OPPOSITE_IGNORE)
        kinds |= is_long ? SIGNAL_SHORT_ENTRY : SIGNAL_LONG_ENTRY;
    return kinds | (may_reenter(v) || adjusts(v) ? same : 0);
}

/* Whether fewer than cooldown_bars rows of the symbol have passed since its last position ended. */
static bool is_cooling_down(const struct risk_view *v, const struct signal *s)
{
    uint32_t n = v->combo->risk.cooldown_bars;
    uint32_t exit_bar = v->account->pos[s->symbol_idx].last_exit_bar;
    if (n == 0 || exit_bar == NO_EXIT_YET)
        return false;
    int64_t exit_row = market_last_row(v->market, s->symbol_idx, exit_bar);
    return market_last_row(v->market, s->symbol_idx, s->bar) - exit_row < (int64_t)n;
}

static bool forbids_entries(const struct risk_view *v, const struct risk_state *state,
                            const struct signal *s)
{
    return state->is_out || state->is_out_today || is_cooling_down(v, s);
}

/* ---- orders --------------------------------------------------------------------------------- */

static struct order order_of(const struct signal *s, enum fill_rule rule)
{
    return (struct order){
        .target_portfolio = s->target_portfolio,
        .bar = s->bar,
        .symbol_idx = s->symbol_idx,
        .rule = (uint8_t)rule,
        .ref_px = s->ref_px,
    };
}

static void place_close(const struct signal *s, enum fill_rule rule, struct risk_decision *d)
{
    struct order *o = &d->order[d->n++];
    *o = order_of(s, rule);
    o->is_close = 1;
}

/* A close with a side: of a flat symbol it only takes the entries of the other side off the book.
 */
static void place_cancel(const struct signal *s, int entry_side, struct risk_decision *d)
{
    place_close(s, FILL_RULE_NONE, d);
    d->order[d->n - 1].side = (int8_t)-entry_side;
}

/* Cash at the signal's close; where `closes`, with what stands sold or bought back there. */
static double cash_at_close(const struct risk_view *v, const struct signal *s, bool closes)
{
    double cash = v->account->cash, held = v->account->pos[s->symbol_idx].qty;
    if (!closes || held == 0.0)
        return cash;
    return cash +
           (held * s->ref_px - cost_commission(&v->combo->execution.commission, held, s->ref_px));
}

static void place_entry(const struct risk_view *v, const struct signal *s, int side,
                        struct risk_decision *d)
{
    bool closes = d->n > 0;
    struct order *o = &d->order[d->n++];
    *o = order_of(s, FILL_RULE_NONE);
    o->side = (int8_t)side;
    o->ref_cash = cash_at_close(v, s, closes);
    o->terms = side > 0 ? s->long_terms : s->short_terms;
    if (o->terms.time_in_force == TIF_CFG)
        o->terms.time_in_force = v->combo->execution.time_in_force;
}

/* Out, and in again: on the other side as one order in two, on the same side as two orders. */
static void place_both(const struct risk_view *v, const struct signal *s, int side,
                       enum fill_rule rule, struct risk_decision *d)
{
    place_close(s, rule, d);
    place_entry(v, s, side, d);
    d->order[0].is_reversing = d->order[1].is_reversing = rule == FILL_RULE_REVERSE;
}

/* ---- decisions ------------------------------------------------------------------------------ */

/* The kinds that are heard where contradictions are not. */
static unsigned heard_kinds(const struct risk_view *v, unsigned kinds)
{
    const unsigned is_long = SIGNAL_LONG_ENTRY | SIGNAL_LONG_EXIT;
    const unsigned is_short = SIGNAL_SHORT_ENTRY | SIGNAL_SHORT_EXIT;
    const unsigned entries = SIGNAL_LONG_ENTRY | SIGNAL_SHORT_ENTRY;
    if (v->combo->risk.conflicting_signals != CONFLICT_IGNORE)
        return kinds;
    if ((kinds & is_long) == is_long)
        kinds &= ~is_long;
    if ((kinds & is_short) == is_short)
        kinds &= ~is_short;
    if ((kinds & entries) == entries)
        kinds &= ~entries;
    return kinds;
}

/* The side that the signal wants to enter: long wins where both are said and allowed. 0: none. */
static int wanted_side(const struct risk_view *v, unsigned kinds)
{
    bool is_long = kinds & SIGNAL_LONG_ENTRY, is_short = kinds & SIGNAL_SHORT_ENTRY;
    if (is_long && is_short)
        return may_enter(v, 1) ? 1 : -1;
    return is_long ? 1 : is_short ? -1 : 0;
}

/* What an entry signal asks for, given what is held; where entries are forbidden, an opposite one
 * still closes. */
static void decide_entry(const struct risk_view *v, const struct signal *s, int held, int want,
                         struct risk_decision *d)
{
    bool is_opposite = held != 0 && want != held;
    bool enters =
        !is_opposite || (v->combo->risk.opposite_signal == OPPOSITE_REVERSE && may_enter(v, want));
    if (is_opposite && (!enters || d->is_vetoed))
        place_close(s, FILL_RULE_NONE, d);
    else if (!d->is_vetoed && is_opposite)
        place_both(v, s, want, FILL_RULE_REVERSE, d);
    else if (!d->is_vetoed && held != 0 && !adjusts(v))
        place_both(v, s, want, FILL_RULE_REENTER, d);
    else if (!d->is_vetoed)
        place_entry(v, s, want, d);
    d->is_vetoed &= enters;
}

static bool entry_is_heard(const struct risk_view *v, int held, int want)
{
    if (!want)
        return false;
    if (held == 0)
        return may_enter(v, want);
    return want == held ? may_reenter(v) || adjusts(v)
                        : v->combo->risk.opposite_signal != OPPOSITE_IGNORE;
}

/* Exit signals: what is held is closed; of a flat symbol, entries of that side wait no longer. */
static void decide_exit(const struct signal *s, unsigned kinds, int held, struct risk_decision *d)
{
    if (held != 0 && kinds & (held > 0 ? SIGNAL_LONG_EXIT : SIGNAL_SHORT_EXIT))
        place_close(s, FILL_RULE_NONE, d);
    if (held == 0 && kinds & SIGNAL_LONG_EXIT)
        place_cancel(s, 1, d);
    if (held == 0 && kinds & SIGNAL_SHORT_EXIT)
        place_cancel(s, -1, d);
}

void risk_decide(const struct risk_view *v, const struct risk_state *state, const struct signal *s,
                 struct risk_decision *ret_decision)
{
    const struct position *p = &v->account->pos[s->symbol_idx];
    unsigned kinds = heard_kinds(v, s->kinds);
    int want = wanted_side(v, kinds);
    int held = p->qty > 0.0 ? 1 : p->qty < 0.0 ? -1 : 0;
    ret_decision->n = 0;
    ret_decision->is_vetoed = false;
    if (v->account->is_bankrupt)
        return;
    if (entry_is_heard(v, held, want)) {
        ret_decision->is_vetoed = forbids_entries(v, state, s);
        decide_entry(v, s, held, want, ret_decision);
    }
    if (ret_decision->n == 0)
        decide_exit(s, kinds, held, ret_decision);
}

struct fill risk_notice(const struct signal *signal)
{
    return (struct fill){
        .target_portfolio = signal->target_portfolio,
        .bar = signal->bar,
        .symbol_idx = signal->symbol_idx,
        .rule = FILL_RULE_RISK,
        .flags = FILL_VETOED,
    };
}

/* ---- watching equity ------------------------------------------------------------------------ */

bool risk_watches(const struct risk_cfg *cfg)
{
    return cfg->max_drawdown > 0.0 || cfg->max_daily_loss > 0.0;
}

void risk_reset(const struct risk_view *v, struct risk_state *ret_state)
{
    double capital = v->combo->portfolio.initial_capital;
    *ret_state = (struct risk_state){
        .peak_equity = capital, .last_equity = capital, .day_equity = capital, .day = INT64_MIN};
}

void risk_before_close(const struct risk_view *v, struct risk_state *state)
{
    state->last_equity = v->account->equity;
}

/* Everything of a symbol goes: what is held by the market, what waits at once. */
static void leave_symbol(const struct risk_view *v, uint16_t s, uint32_t step,
                         void (*place)(void *ctx, const struct order *order), void *ctx)
{
    const struct order o = {
        .bar = step,
        .symbol_idx = s,
        .is_close = 1,
        .rule = FILL_RULE_RISK,
        .ref_px = v->account->mark_px[s],
    };
    place(ctx, &o);
}

void risk_watch(const struct risk_view *v, struct risk_state *state, uint32_t step,
                void (*place)(void *ctx, const struct order *order), void *ctx)
{
    const struct risk_cfg *cfg = &v->combo->risk;
    if (v->account->is_bankrupt)
        return;
    double equity = v->account->equity;
    int64_t day = time_day(v->market->time_ns[step]);
    if (day != state->day) {
        state->day = day;
        state->day_equity = state->last_equity;
        state->is_out_today = false;
    }
    bool was_out = state->is_out || state->is_out_today;
    if (equity > state->peak_equity)
        state->peak_equity = equity;
    if (cfg->max_drawdown > 0.0 && equity <= (1.0 - cfg->max_drawdown) * state->peak_equity)
        state->is_out = true;
    if (cfg->max_daily_loss > 0.0 && equity <= (1.0 - cfg->max_daily_loss) * state->day_equity)
        state->is_out_today = true;
    if (!state->is_out && !state->is_out_today)
        return;
    for (uint16_t s = 0; s < v->market->symbols_n; s++) /* a flat one may have entries waiting */
        if (!was_out || v->account->pos[s].qty != 0.0)
            leave_symbol(v, s, step, place, ctx);
}
