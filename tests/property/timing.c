/* SPDX-License-Identifier: MIT */
/* Nothing happens before its cause: signals say what the rules said `delay` bars ago, orders follow
 * signals, and an order meets a bar after the one that made it, but for orders at this close. */
#include <math.h>
#include <string.h>

#include "tests/property/property.h"

/* What a symbol's fills may come from. */
struct causes {
    const struct order *buy, *sell, *close; /* the last ones placed */
    const struct signal *signal;
    uint32_t entry_bar; /* of the position */
    bool is_open;
};

struct watch {
    const struct record *r;
    const struct execution_cfg *cfg;
    struct causes of[SYMBOLS_MAX];
};

static const char *name_of(const struct fill *f)
{
    return fill_rule_name((enum fill_rule)f->rule);
}

/* ---- signals and orders --------------------------------------------------------------------- */

static bool rule_said(const struct record *r, uint32_t s, int rule, int32_t row)
{
    return row >= 0 && r->said[s][rule][row / 64] >> (row % 64) & 1;
}

static bool signal_is_heard_in_time(const struct watch *w, const struct event *e, struct why *why)
{
    const struct signal *g = &e->signal;
    uint32_t s = g->symbol_idx;
    bool is_noise = strcmp(w->r->subject->spec.type, "noise") == 0;
    int32_t row = w->r->row[s][e->step], made = row - (int32_t)w->cfg->delay;
    if (g->bar != e->step || row < 0 || made < 0)
        return fails(why, "step %u: a signal of bar %u, row %d", e->step, g->bar, made);
    for (int k = 0; k < 4; k++)
        if (!is_noise && g->kinds >> k & 1 && !rule_said(w->r, s, k, made))
            return fails(why, "step %u: signal %d, which no rule made at row %d", e->step, k, made);
    if (g->ref_px != record_tape(w->r, s)->close[made])
        return fails(why, "step %u: signal at %.17g, not at the close of row %d", e->step,
                     g->ref_px, made);
    return true;
}

static bool order_follows_a_signal(struct watch *w, const struct event *e, struct why *why)
{
    const struct order *o = &e->order;
    struct causes *c = &w->of[o->symbol_idx];
    bool is_of_risk = o->is_close && o->rule == FILL_RULE_RISK;
    if (o->bar != e->step)
        return fails(why, "step %u: an order of bar %u", e->step, o->bar);
    if (!is_of_risk && (!c->signal || c->signal->bar != e->step))
        return fails(why, "step %u: an order without a signal", e->step);
    if (o->is_close)
        c->close = o;
    else if (o->side > 0)
        c->buy = o;
    else
        c->sell = o;
    return true;
}

/* ---- fills ---------------------------------------------------------------------------------- */

static bool is_bracket(const struct fill *f)
{
    return f->is_close && (f->rule == FILL_RULE_STOP || f->rule == FILL_RULE_STOP_GAP ||
                           f->rule == FILL_RULE_TRAIL || f->rule == FILL_RULE_TARGET);
}

static bool bracket_is_live(const struct watch *w, const struct fill *f, struct why *why)
{
    const struct exits_cfg *exits = &w->r->subject->combo.exits;
    const struct causes *c = &w->of[f->symbol_idx];
    const int32_t *row = w->r->row[f->symbol_idx];
    int32_t held = row[f->bar] - row[c->entry_bar];
    int32_t least =
        is_bracket(f) ? exits->live_from == LIVE_FROM_NEXT_BAR : (int32_t)exits->max_bars;
    if (!c->is_open || f->bar < c->entry_bar || held < least)
        return fails(why, "bar %u: %s, %d bars after the entry at bar %u", f->bar, name_of(f), held,
                     c->entry_bar);
    return true;
}

/* Fills at a close are told with the next bar. */
static bool is_late_close(const struct execution_cfg *cfg)
{
    return cfg->fill == FILL_THIS_CLOSE && cfg->close_booked == CLOSE_BOOKED_NEXT_BAR;
}

/* Whether an order that was placed at bar `placed` may make this fill. */
static bool may_come_from(const struct watch *w, const struct event *e, const struct order *o)
{
    const struct fill *f = &e->fill;
    bool is_this_close = w->cfg->fill == FILL_THIS_CLOSE;
    bool at_market =
        f->rule != FILL_RULE_LIMIT && f->rule != FILL_RULE_STOP && f->rule != FILL_RULE_STOP_GAP;
    if (!o)
        return false;
    if (e->is_end && w->cfg->at_end == AT_END_CLOSE_AT_OPEN) /* the last bar is replayed */
        return true;
    if (f->flags & FILL_BOOKED_NEXT_BAR)
        return is_late_close(w->cfg) && f->bar < e->step && o->bar <= f->bar;
    if (is_this_close && at_market && !is_late_close(w->cfg))
        return o->bar <= f->bar;
    return o->bar < f->bar;
}

/* Entries at a price: a limit or better, a stop or worse. */
static bool price_is_asked_for(const struct watch *w, const struct fill *f, const struct order *o)
{
    double side = f->qty > 0.0 ? 1.0 : -1.0, base = f->px - side * f->slippage / (side * f->qty);
    double hair = 1e-9 * f->px, limit = o->terms.limit_px, stop = o->terms.stop_px;
    bool is_stop = f->rule == FILL_RULE_STOP || f->rule == FILL_RULE_STOP_GAP;
    if (w->cfg->orders_per_bar == ORDERS_PER_BAR_ONE)
        return true; /* one too many for its bar: the one before it still waits */
    bool may_wait = w->cfg->slippage.volume_share > 0.0 || o->is_reversing;
    if (may_wait && is_stop && limit == 0.0)
        return true; /* once touched: for volume, or for the other side to be closed */
    if (f->rule == FILL_RULE_LIMIT || (is_stop && limit != 0.0))
        return limit != 0.0 && side * (base - limit) <= hair;
    return !is_stop || (stop != 0.0 && side * (base - stop) >= -hair);
}

static bool fill_has_its_order(const struct watch *w, const struct event *e, struct why *why)
{
    const struct fill *f = &e->fill;
    const struct causes *c = &w->of[f->symbol_idx];
    /* a target below what is held is an entry that trades the other way */
    const struct order *entry = (f->qty > 0.0) != (f->is_close != 0) ? c->buy : c->sell;
    bool from_entry = may_come_from(w, e, entry);
    if (f->is_close)
        return may_come_from(w, e, c->close) || from_entry ||
               fails(why, "bar %u: closes (%s) by no order of an earlier bar", f->bar, name_of(f));
    if (!from_entry)
        return fails(why, "bar %u: opens (%s) by no order of an earlier bar", f->bar, name_of(f));
    if (!price_is_asked_for(w, f, entry))
        return fails(why, "bar %u: %s at %.17g, limit %.17g, stop %.17g", f->bar, name_of(f), f->px,
                     entry->terms.limit_px, entry->terms.stop_px);
    return true;
}

static bool fill_comes_later(const struct watch *w, const struct event *e, struct why *why)
{
    const struct fill *f = &e->fill;
    bool is_booked_next =
        f->flags & FILL_BOOKED_NEXT_BAR || (f->rule == FILL_RULE_END && is_late_close(w->cfg));
    if (is_booked_next ? f->bar > e->step : f->bar != e->step)
        return fails(why, "step %u: a fill of bar %u", e->step, f->bar);
    switch ((enum fill_rule)f->rule) {
    case FILL_RULE_END:
        return e->is_end || fails(why, "step %u: an end before the end", e->step);
    case FILL_RULE_BANKRUPT:
    case FILL_RULE_MARGIN_CALL:
        return true;
    case FILL_RULE_TIME:
        return bracket_is_live(w, f, why);
    default:
        return is_bracket(f) ? bracket_is_live(w, f, why) : fill_has_its_order(w, e, why);
    }
}

static void keep_fill(struct watch *w, const struct fill *f, double *held)
{
    struct causes *c = &w->of[f->symbol_idx];
    if (!c->is_open)
        c->entry_bar = f->bar;
    *held += f->qty;
    c->is_open = fabs(*held) > 1e-9 * fabs(f->qty);
    if (!c->is_open)
        *held = 0.0;
}

static bool trade_takes_time(const struct trade *t, struct why *why)
{
    return t->exit_bar >= t->entry_bar ||
           fails(why, "a trade of bar %u ends at bar %u", t->entry_bar, t->exit_bar);
}

bool orders_act_later(const struct record *r, struct why *why)
{
    struct watch w = {.r = r, .cfg = &r->subject->combo.execution};
    double held[SYMBOLS_MAX] = {0};
    for (uint32_t i = 0; i < r->events_n; i++) {
        const struct event *e = &r->events[i];
        if (e->kind == EVENT_IS_SIGNAL) {
            if (!signal_is_heard_in_time(&w, e, why))
                return false;
            w.of[e->signal.symbol_idx].signal = &e->signal;
        } else if (e->kind == EVENT_IS_ORDER) {
            if (!order_follows_a_signal(&w, e, why))
                return false;
        } else if (e->kind == EVENT_IS_FILL && e->fill.qty != 0.0) {
            if (!fill_comes_later(&w, e, why))
                return false;
            keep_fill(&w, &e->fill, &held[e->fill.symbol_idx]);
        } else if (e->kind == EVENT_IS_TRADE && !trade_takes_time(&e->trade, why)) {
            return false;
        }
    }
    return true;
}
