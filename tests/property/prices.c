/* SPDX-License-Identifier: MIT */
/* Prices of fills: inside their bar's range before costs, and no more than the stated slippage and
 * spread away from there. */
#include <math.h>

#include "tests/property/property.h"

#define HAIR 1e-11 /* of the price: what rounding makes */

struct look {
    const struct record *r;
    const struct fill *f;
    const struct tape *tape;
    int32_t row;
    double side;     /* +1 buys */
    double base;     /* price before costs, by the slippage that is reported */
    bool is_new;     /* closes what was opened in the same bar */
    bool is_earlier; /* of a bar before the one at which it was told */
    double traded;   /* units of the bar, with this fill */
};

static bool is_limit(const struct fill *f)
{
    return f->rule == FILL_RULE_LIMIT || f->rule == FILL_RULE_TARGET;
}

static bool is_stop(const struct fill *f)
{
    return f->rule == FILL_RULE_STOP || f->rule == FILL_RULE_STOP_GAP || f->rule == FILL_RULE_TRAIL;
}

/* An entry that brings a position down to its target trades against its own side: as at the market.
 */
static bool is_adjusting(const struct look *k)
{
    return k->r->subject->combo.portfolio.sizing == SIZING_TARGET_PERCENT && k->f->is_close &&
           (k->f->rule == FILL_RULE_LIMIT || is_stop(k->f));
}

/* The furthest that the price may be from where it was before costs. */
static double stated_px(const struct look *k, double base)
{
    const struct execution_cfg *cfg = &k->r->subject->combo.execution;
    const struct slippage_cfg *s = &cfg->slippage;
    bool is_exact = !is_adjusting(k) && (is_limit(k->f) || (is_stop(k->f) && cfg->stops_exact));
    bool slips = !is_exact || (is_limit(k->f) && cfg->slips_in_bar);
    double px = base;
    if (k->f->rule == FILL_RULE_BANKRUPT)
        return px;
    if (slips) {
        double volume = k->tape->volume[k->row], share = fabs(k->f->qty) / volume;
        double frac = s->percent_frac + (volume > 0.0 ? s->impact * share * share : 0.0);
        px *= 1.0 + k->side * frac;
        px += k->side * s->ticks * s->tick;
        if (cfg->slips_in_bar)
            px = k->side > 0.0 ? fmin(px, fmax(base, k->tape->high[k->row]))
                               : fmax(px, fmin(base, k->tape->low[k->row]));
    }
    double spread = cfg->spread_paid == SPREAD_ON_ENTRY ? (k->f->is_close ? 0.0 : cfg->spread_frac)
                    : is_exact                          ? 0.0
                                                        : 0.5 * cfg->spread_frac;
    return fmax(0.0, px * (1.0 + k->side * spread));
}

/* The price that a rule fills at, where it is one of the bar's; NaN where it is a level inside. */
static double rule_px(const struct look *k)
{
    const struct combo *c = &k->r->subject->combo;
    double open = k->tape->open[k->row], close = k->tape->close[k->row];
    bool at_close =
        c->execution.fill == FILL_THIS_CLOSE || c->execution.market_on == MARKET_ON_CLOSE;
    switch ((enum fill_rule)k->f->rule) {
    case FILL_RULE_STOP_GAP: /* of an entry past its stop: at the entry's price */
        return k->is_new ? NAN : open;
    case FILL_RULE_MARKET_OPEN:
    case FILL_RULE_MARGIN_CALL:
        return open;
    case FILL_RULE_MARKET_CLOSE:
    case FILL_RULE_BANKRUPT:
        return close;
    case FILL_RULE_END: /* booked with the next bar: at the close that the last bar's open stands
                           for */
        return c->execution.at_end == AT_END_CLOSE_AT_OPEN && !k->is_earlier ? open : close;
    case FILL_RULE_TIME:
    case FILL_RULE_REVERSE:
    case FILL_RULE_REENTER:
    case FILL_RULE_RISK:
        return at_close ? close : open;
    default:
        return NAN;
    }
}

static bool is_near(double a, double b)
{
    return fabs(a - b) <= HAIR * fmax(fabs(a), fabs(b));
}

static bool level_is_kept(const struct look *k, struct why *why)
{
    const struct tape *t = k->tape;
    double low = t->low[k->row], high = t->high[k->row], slack = HAIR * fmax(high, k->f->px);
    double stated = stated_px(k, k->base), apart = k->side * (stated - k->f->px);
    /* within the bar a limit slips too, as far as to its own price */
    bool may_be_better =
        is_adjusting(k) || (is_limit(k->f) && k->r->subject->combo.execution.slips_in_bar);
    if (k->base < low - slack || k->base > high + slack)
        return fails(why, "bar %u, %s: %.17g before costs is outside of %.17g … %.17g", k->f->bar,
                     fill_rule_name((enum fill_rule)k->f->rule), k->base, low, high);
    if (apart < -10.0 * slack || (apart > 10.0 * slack && !may_be_better))
        return fails(why, "bar %u, %s: %.17g before costs became %.17g, not %.17g", k->f->bar,
                     fill_rule_name((enum fill_rule)k->f->rule), k->base, k->f->px, stated);
    return true;
}

static bool fill_is_in_its_bar(const struct look *k, struct why *why)
{
    double px = rule_px(k);
    if (!(k->f->px > 0.0) && !(stated_px(k, k->base) <= 0.0))
        return fails(why, "bar %u: a price of %.17g", k->f->bar, k->f->px);
    if (isnan(px) || is_adjusting(k))
        return level_is_kept(k, why);
    double stated = stated_px(k, px);
    if (!is_near(stated, k->f->px))
        return fails(why, "bar %u, %s: filled at %.17g, not %.17g", k->f->bar,
                     fill_rule_name((enum fill_rule)k->f->rule), k->f->px, stated);
    double lost = fabs(stated - px) * fabs(k->f->qty);
    if (fabs(lost - k->f->slippage) > 1e-9 * fmax(lost, px * fabs(k->f->qty)))
        return fails(why, "bar %u, %s: slippage %.17g, not %.17g", k->f->bar,
                     fill_rule_name((enum fill_rule)k->f->rule), k->f->slippage, lost);
    return true;
}

/* Most that the account takes from the bar; what the end of a run closes is not bound. */
static bool volume_is_kept(const struct look *k, struct why *why)
{
    const struct combo *c = &k->r->subject->combo;
    double share = c->execution.slippage.volume_share;
    double room = share * k->tape->volume[k->row];
    bool takes_all = k->f->rule == FILL_RULE_END || k->f->rule == FILL_RULE_BANKRUPT;
    if (share == 0.0 || takes_all || k->traded <= room * (1.0 + 1e-9))
        return true;
    return fails(why, "bar %u, %s: %.17g units traded, room for %.17g", k->f->bar,
                 fill_rule_name((enum fill_rule)k->f->rule), k->traded, room);
}

/* Units that are traded of a symbol's bar; the end of a run meets its last bar anew. */
struct traded {
    uint32_t bar;
    bool is_end;
    double qty;
};

static double add_traded(struct traded *t, const struct event *e)
{
    if (t->bar != e->fill.bar || t->is_end != e->is_end || e->fill.rule == FILL_RULE_END)
        *t = (struct traded){.bar = e->fill.bar, .is_end = e->is_end};
    if (e->fill.rule != FILL_RULE_END)
        t->qty += fabs(e->fill.qty);
    return t->qty;
}

bool fills_are_in_their_bars(const struct record *r, struct why *why)
{
    uint32_t entry_bar[SYMBOLS_MAX] = {UINT32_MAX, UINT32_MAX, UINT32_MAX};
    struct traded traded[SYMBOLS_MAX] = {0};
    for (uint32_t i = 0; i < r->events_n; i++) {
        const struct fill *f = &r->events[i].fill;
        if (r->events[i].kind != EVENT_IS_FILL || f->qty == 0.0)
            continue;
        bool is_late = f->rule == FILL_RULE_END || f->rule == FILL_RULE_BANKRUPT;
        struct look k = {.r = r, .f = f, .tape = record_tape(r, f->symbol_idx)};
        k.traded = add_traded(&traded[f->symbol_idx], &r->events[i]);
        k.is_earlier = f->bar < r->events[i].step;
        k.is_new = f->is_close && entry_bar[f->symbol_idx] == f->bar;
        if (!f->is_close)
            entry_bar[f->symbol_idx] = f->bar;
        k.row = r->row[f->symbol_idx][f->bar];
        if (k.row < 0 && is_late) /* of a symbol without a bar there: its last one */
            k.row = record_last_row(r, f->symbol_idx, f->bar);
        k.side = f->qty > 0.0 ? 1.0 : -1.0;
        k.base = f->px - k.side * f->slippage / fabs(f->qty);
        if (k.row < 0)
            return fails(why, "a fill at step %u, where symbol %u has no bar", f->bar,
                         f->symbol_idx);
        if (!fill_is_in_its_bar(&k, why) || !volume_is_kept(&k, why))
            return false;
    }
    return true;
}
