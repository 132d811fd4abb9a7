/* SPDX-License-Identifier: MIT */
/* What a configuration forbids does not happen: sides, sizes, lots, and entries while risk is out.
 */
#include <math.h>

#include "tests/property/property.h"

#define SLACK 1e-9

struct state {
    const struct record *r;
    const struct combo *combo;
    double held[SYMBOLS_MAX];
    int32_t exit_row[SYMBOLS_MAX];   /* of the last position that ended; -1 */
    uint32_t left_step[SYMBOLS_MAX]; /* at which an order left a side for another entry */
    double peak_equity;
    uint32_t out_step; /* at whose close max_drawdown was reached; UINT32_MAX */
};

static bool is_whole(double lots)
{
    return fabs(lots - floor(lots + 0.5)) <= 1e-6 * fmax(1.0, lots * 1e-3);
}

static bool size_is_kept(const struct state *t, const struct fill *f, struct why *why)
{
    const struct portfolio_cfg *cfg = &t->combo->portfolio;
    double held = t->held[f->symbol_idx], most = t->combo->risk.max_position_size;
    if ((cfg->direction == DIRECTION_LONG && held < 0.0) ||
        (cfg->direction == DIRECTION_SHORT && held > 0.0))
        return fails(why, "bar %u: holds %.17g, the wrong side", f->bar, held);
    if (f->is_close)
        return true;
    if (most > 0.0 && fabs(held) > most * (1.0 + SLACK))
        return fails(why, "bar %u: holds %.17g, at most %.17g is allowed", f->bar, held, most);
    if (cfg->lot > 0.0 && !is_whole(fabs(f->qty) / cfg->lot))
        return fails(why, "bar %u: %.17g units, in lots of %.17g", f->bar, f->qty, cfg->lot);
    return true;
}

static bool fill_is_allowed(struct state *t, const struct event *e, struct why *why)
{
    const struct fill *f = &e->fill;
    double *held = &t->held[f->symbol_idx], before = *held;
    *held += f->qty;
    if (fabs(*held) <= 1e-9 * fabs(f->qty))
        *held = 0.0;
    if (f->is_close && (before * f->qty >= 0.0 || before * *held < 0.0))
        return fails(why, "bar %u: closes %.17g of %.17g", f->bar, f->qty, before);
    if (!f->is_close && before * f->qty < 0.0)
        return fails(why, "bar %u: opens %.17g against %.17g", f->bar, f->qty, before);
    if (*held == 0.0)
        t->exit_row[f->symbol_idx] = record_last_row(t->r, f->symbol_idx, f->bar);
    if (!f->is_close && e->step > t->out_step)
        return fails(why, "bar %u: an entry after the drawdown of step %u", f->bar, t->out_step);
    return size_is_kept(t, f, why);
}

static bool order_is_allowed(struct state *t, const struct event *e, struct why *why)
{
    const struct order *o = &e->order;
    uint32_t cooldown = t->combo->risk.cooldown_bars;
    int32_t last = t->exit_row[o->symbol_idx], now = t->r->row[o->symbol_idx][e->step];
    bool is_in = t->held[o->symbol_idx] != 0.0 || t->left_step[o->symbol_idx] == e->step;
    if (o->rule == FILL_RULE_REVERSE || o->rule == FILL_RULE_REENTER)
        t->left_step[o->symbol_idx] = e->step;
    if (o->is_close || is_in || last < 0 || now - last >= (int32_t)cooldown)
        return true;
    return fails(why, "step %u: an entry %d bars after an exit", e->step, now - last);
}

/* With fills at this close, equity at the close that risk saw is not what was left of it. */
static void follow_drawdown(struct state *t, uint32_t step)
{
    double equity = t->r->snapshot[step].equity, most = t->combo->risk.max_drawdown;
    t->peak_equity = fmax(t->peak_equity, equity);
    if (most > 0.0 && t->combo->execution.fill == FILL_NEXT_OPEN && t->out_step == UINT32_MAX &&
        equity < (1.0 - most) * t->peak_equity)
        t->out_step = step;
}

bool bounds_are_kept(const struct record *r, struct why *why)
{
    struct state t = {.r = r,
                      .combo = &r->subject->combo,
                      .exit_row = {-1, -1, -1},
                      .left_step = {UINT32_MAX, UINT32_MAX, UINT32_MAX},
                      .peak_equity = r->subject->combo.portfolio.initial_capital,
                      .out_step = UINT32_MAX};
    uint32_t i = 0;
    for (uint32_t step = r->first_step; step < r->first_step + r->walked_n; step++) {
        for (; i < r->events_n && r->events[i].step <= step; i++) {
            const struct event *e = &r->events[i];
            if (e->kind == EVENT_IS_ORDER && !order_is_allowed(&t, e, why))
                return false;
            if (e->kind == EVENT_IS_FILL && e->fill.qty != 0.0 && !fill_is_allowed(&t, e, why))
                return false;
        }
        follow_drawdown(&t, step);
    }
    return true;
}
