/* SPDX-License-Identifier: MIT */
/* Books kept from the fills alone, beside those of the account: cash and positions are equity,
 * trades explain its change, and what is reported as paid is what left the cash. */
#include <math.h>

#include "proto/metric.h"
#include "proto/units.h"
#include "tests/property/property.h"
#include "worker/broker/cost.h"

#define TOLERANCE 1e-9 /* of the capital, or of what is at stake where that is more */

struct holding {
    double qty, entry_px, entry_commission;
};

struct ledger {
    const struct record *r;
    const struct combo *combo;
    struct holding held[SYMBOLS_MAX];
    double cash, fees, slippage;
    double realised;    /* of closing fills, net of commissions */
    double trades_pnl;  /* as the trades say it */
    double trades_fees; /* likewise */
    double borrow_cost, interest_cost, dividends;
    double at_stake; /* the most that cash and positions came to */
    uint32_t next;   /* event */
    uint32_t fills_n, trades_n, vetoes_n, resizes_n, dropped_n;
    bool is_bankrupt;
};

static struct ledger ledger_of(const struct record *r)
{
    double capital = r->subject->combo.portfolio.initial_capital;
    return (struct ledger){
        .r = r, .combo = &r->subject->combo, .cash = capital, .at_stake = capital};
}

static bool near(const struct ledger *l, double a, double b)
{
    return fabs(a - b) <= TOLERANCE * l->at_stake;
}

/* ---- what holding costs and brings ----------------------------------------------------------- */

static double row_dividend(const struct ledger *l, uint32_t s, uint32_t step)
{
    int32_t row = l->r->row[s][step];
    double dividend = row < 0 ? NAN : record_tape(l->r, s)->dividend[row];
    return isnan(dividend) ? 0.0 : dividend;
}

/* Before anything else of a step: fees and interest for the days since the last step, on what
 * things were worth then; then dividends on what is held. */
static void ledger_carry(struct ledger *l, uint32_t step)
{
    const struct execution_cfg *cfg = &l->combo->execution;
    const struct record *r = l->r;
    if (step > r->first_step) {
        const struct snapshot *last = &r->snapshot[step - 1];
        int64_t days = time_day(r->time_ns[step]) - time_day(r->time_ns[step - 1]);
        double years = (double)days / 365.0, shorts = 0.0;
        for (uint32_t s = 0; s < r->symbols_n; s++)
            shorts += fmax(0.0, -l->held[s].qty) * last->mark_px[s];
        double borrow = cfg->borrow_fee_frac * shorts * years;
        double interest = cfg->margin_interest_frac * fmax(0.0, -l->cash) * years;
        l->borrow_cost += borrow;
        l->interest_cost += interest;
        l->cash -= borrow + interest;
    }
    for (uint32_t s = 0; s < r->symbols_n; s++) {
        double dividend = l->held[s].qty * row_dividend(l, s, step);
        l->dividends += dividend;
        l->cash += dividend;
    }
}

/* ---- fills ---------------------------------------------------------------------------------- */

static void ledger_fill(struct ledger *l, const struct fill *f)
{
    struct holding *h = &l->held[f->symbol_idx];
    l->vetoes_n += (f->flags & FILL_VETOED) != 0;
    l->dropped_n += (f->flags & FILL_DROPPED) != 0;
    if (f->qty == 0.0)
        return;
    l->resizes_n += (f->flags & FILL_RESIZED) != 0;
    l->fills_n++;
    l->fees += f->commission;
    l->slippage += f->slippage;
    l->cash -= f->qty * f->px + f->commission;
    if (!f->is_close) {
        h->entry_px = (h->qty * h->entry_px + f->qty * f->px) / (h->qty + f->qty);
        h->qty += f->qty;
        h->entry_commission += f->commission;
        return;
    }
    double share = -f->qty / h->qty * h->entry_commission;
    l->realised += -f->qty * (f->px - h->entry_px) - f->commission - share;
    h->entry_commission -= share;
    h->qty += f->qty;
    if (h->qty == 0.0)
        *h = (struct holding){0};
}

static void ledger_event(struct ledger *l, const struct event *e)
{
    if (e->kind == EVENT_IS_FILL)
        ledger_fill(l, &e->fill);
    if (e->kind != EVENT_IS_TRADE)
        return;
    l->trades_n++;
    l->trades_pnl += e->trade.pnl;
    l->trades_fees += e->trade.commission;
}

/* Everything that a step did, and what the end did after the last. */
static void ledger_step(struct ledger *l, uint32_t step)
{
    const struct record *r = l->r;
    ledger_carry(l, step);
    while (l->next < r->events_n && r->events[l->next].step <= step)
        ledger_event(l, &r->events[l->next++]);
    l->is_bankrupt = r->snapshot[step].is_bankrupt;
    double at_stake = fabs(l->cash) + l->combo->portfolio.initial_capital;
    for (uint32_t s = 0; s < r->symbols_n; s++)
        at_stake += fabs(l->held[s].qty) * r->snapshot[step].mark_px[s];
    l->at_stake = fmax(l->at_stake, at_stake);
}

static uint32_t end_step(const struct record *r)
{
    return r->first_step + r->walked_n;
}

/* ---- cash and positions --------------------------------------------------------------------- */

/* The last close of each symbol at a step is its mark. */
static bool marks_are_closes(const struct record *r, uint32_t step, struct why *why)
{
    for (uint32_t s = 0; s < r->symbols_n; s++) {
        uint32_t from = r->first_step;
        int32_t row = -1;
        for (uint32_t t = step + 1; t > from && row < 0; t--)
            row = r->row[s][t - 1];
        double mark = r->snapshot[step].mark_px[s];
        double close = row < 0 ? 0.0 : record_tape(r, s)->close[row];
        if (mark != close)
            return fails(why, "step %u, symbol %u: mark %.17g, last close %.17g", step, s, mark,
                         close);
    }
    return true;
}

static bool step_balances(const struct ledger *l, uint32_t step, struct why *why)
{
    const struct record *r = l->r;
    const struct snapshot *now = &r->snapshot[step];
    uint32_t bar = step - r->first_step;
    double sum = r->cash[bar];
    for (uint32_t s = 0; s < r->symbols_n; s++) {
        double qty = r->position[bar * r->symbols_n + s];
        sum += qty * now->mark_px[s];
        if (qty != now->qty[s] || fabs(qty - l->held[s].qty) > TOLERANCE * fabs(qty))
            return fails(why, "step %u, symbol %u: recorded %.17g, held %.17g, filled %.17g", step,
                         s, qty, now->qty[s], l->held[s].qty);
    }
    if (r->equity[bar] != now->equity || r->cash[bar] != now->cash)
        return fails(why, "step %u: recorded equity %.17g and cash %.17g, held %.17g and %.17g",
                     step, r->equity[bar], r->cash[bar], now->equity, now->cash);
    if (!near(l, sum, r->equity[bar]))
        return fails(why, "step %u: cash and positions are %.17g, equity is %.17g", step, sum,
                     r->equity[bar]);
    if (l->is_bankrupt ? now->cash != 0.0 : !near(l, now->cash, l->cash))
        return fails(why, "step %u: cash is %.17g, by the fills %.17g", step, now->cash, l->cash);
    return true;
}

static bool ended_accounts_stay(const struct record *r, struct why *why)
{
    uint32_t last = r->walked_n ? r->walked_n - 1 : 0;
    for (uint32_t bar = last; bar < r->bars_n; bar++)
        if (r->walked_n < r->bars_n && (r->equity[bar] != 0.0 || r->cash[bar] != 0.0))
            return fails(why, "bar %u, after the end: equity %.17g, cash %.17g", bar,
                         r->equity[bar], r->cash[bar]);
    return true;
}

bool equity_is_cash_and_positions(const struct record *r, struct why *why)
{
    struct ledger l = ledger_of(r);
    for (uint32_t step = r->first_step; step < end_step(r); step++) {
        ledger_step(&l, step);
        if (!marks_are_closes(r, step, why) || !step_balances(&l, step, why))
            return false;
        bool may_end = l.combo->portfolio.bankruptcy == BANKRUPTCY_END;
        bool is_last = step + 1 == end_step(r);
        if (may_end && !(r->snapshot[step].equity > 0.0) && !l.is_bankrupt && !is_last)
            return fails(why, "step %u: equity %.17g and not ended", step,
                         r->snapshot[step].equity);
    }
    return ended_accounts_stay(r, why);
}

/* ---- pnl ------------------------------------------------------------------------------------ */

static double open_pnl(const struct ledger *l, uint32_t step)
{
    double pnl = 0.0;
    for (uint32_t s = 0; s < l->r->symbols_n; s++) {
        const struct holding *h = &l->held[s];
        double mark = l->r->snapshot[step].mark_px[s];
        pnl += h->qty * (mark - h->entry_px) - h->entry_commission;
    }
    return pnl;
}

bool pnl_is_the_change_in_equity(const struct record *r, struct why *why)
{
    struct ledger l = ledger_of(r);
    double capital = l.combo->portfolio.initial_capital;
    for (uint32_t step = r->first_step; step < end_step(r); step++) {
        const struct snapshot *now = &r->snapshot[step];
        ledger_step(&l, step);
        double carried = now->dividends - now->borrow_cost - now->interest_cost;
        double explained = l.trades_pnl + open_pnl(&l, step) + carried + now->debt_forgiven;
        double forgiven = l.is_bankrupt ? fmax(0.0, -l.cash) : 0.0;
        if (!near(&l, l.trades_pnl, l.realised))
            return fails(why, "step %u: trades made %.17g, fills %.17g", step, l.trades_pnl,
                         l.realised);
        if (!near(&l, explained, now->equity - capital))
            return fails(why,
                         "step %u: pnl, open pnl, carry and debt forgiven are %.17g, equity "
                         "changed by %.17g",
                         step, explained, now->equity - capital);
        if (!near(&l, now->debt_forgiven, forgiven))
            return fails(why, "step %u: %.17g forgiven, %.17g owed", step, now->debt_forgiven,
                         forgiven);
        if (l.is_bankrupt && l.cash > TOLERANCE * l.at_stake)
            return fails(why, "step %u: bankrupt with %.17g left", step, l.cash);
    }
    return true;
}

/* ---- fees ----------------------------------------------------------------------------------- */

/* Other profiles have definitions of their own. */
static bool metric_is(const struct ledger *l, enum metric metric, double value, struct why *why)
{
    double reported = l->r->result.metrics[metric];
    if (l->r->subject->profile != PROFILE_NATIVE || l->r->bars_n == 0)
        return true;
    double tolerance = TOLERANCE * fmax(1.0, fmax(fabs(value), l->at_stake * 1e-3));
    return fabs(reported - value) <= tolerance ||
           fails(why, "metric %s is %.17g, not %.17g", metric_row(metric)->name, reported, value);
}

/* Of the trades that the tracker keeps, closed and open. */
static double tracked_fees(const struct record *r)
{
    double fees = 0.0;
    for (uint32_t i = 0; i < r->trades_n; i++)
        fees += r->trades[i].commission;
    return fees;
}

/* What the configuration says that a fill costs. */
static double stated_fee(const struct commission_cfg *cfg, double qty, double px)
{
    double units = fabs(qty);
    double fee = units * px * cfg->percent_frac + units * cfg->per_share + cfg->fixed;
    fee = fmax(fee, cfg->minimum);
    return cfg->maximum > 0.0 ? fmin(fee, cfg->maximum) : fee;
}

static const struct fill *next_fill(const struct record *r, uint32_t i)
{
    for (i++; i < r->events_n; i++)
        if (r->events[i].kind == EVENT_IS_FILL && r->events[i].fill.qty != 0.0)
            return &r->events[i].fill;
    return NULL;
}

static bool is_fee(double paid, double stated)
{
    return fabs(paid - stated) <= 1e-9 * fabs(stated);
}

/* Whether f and the fill after it are a reversal that paid the commission of one order, by size. */
static bool pair_pays_once(const struct execution_cfg *cfg, const struct fill *f,
                           const struct fill *g)
{
    bool is_pair = cfg->reversal_fee == REVERSAL_FEE_ONCE && f->is_close && g && !g->is_close &&
                   g->symbol_idx == f->symbol_idx && g->bar == f->bar;
    return is_pair &&
           is_fee(f->commission + g->commission,
                  stated_fee(&cfg->commission, f->qty + g->qty, g->px)) &&
           is_fee(f->commission * g->qty, g->commission * f->qty);
}

static bool fills_pay_what_is_stated(const struct record *r, struct why *why)
{
    const struct execution_cfg *cfg = &r->subject->combo.execution;
    for (uint32_t i = 0; i < r->events_n; i++) {
        const struct fill *f = &r->events[i].fill, *g = next_fill(r, i);
        if (r->events[i].kind != EVENT_IS_FILL || f->qty == 0.0)
            continue;
        if (pair_pays_once(cfg, f, g))
            while (&r->events[i].fill != g)
                i++;
        else if (!is_fee(f->commission, stated_fee(&cfg->commission, f->qty, f->px)))
            return fails(why, "a fill of %.17g at %.17g paid %.17g", f->qty, f->px, f->commission);
    }
    return true;
}

bool fees_are_paid(const struct record *r, struct why *why)
{
    struct ledger l = ledger_of(r);
    for (uint32_t step = r->first_step; step < end_step(r); step++) {
        const struct snapshot *now = &r->snapshot[step];
        ledger_step(&l, step);
        if (!near(&l, now->borrow_cost, l.borrow_cost) ||
            !near(&l, now->interest_cost, l.interest_cost) ||
            !near(&l, now->dividends, l.dividends))
            return fails(why,
                         "step %u: borrow %.17g, interest %.17g, dividends %.17g; by the "
                         "positions %.17g, %.17g, %.17g",
                         step, now->borrow_cost, now->interest_cost, now->dividends, l.borrow_cost,
                         l.interest_cost, l.dividends);
    }
    if (!near(&l, tracked_fees(r), l.fees))
        return fails(why, "trades paid %.17g, fills %.17g", tracked_fees(r), l.fees);
    return fills_pay_what_is_stated(r, why) && metric_is(&l, METRIC_COMMISSIONS, l.fees, why) &&
           metric_is(&l, METRIC_SLIPPAGE_COST, l.slippage, why) &&
           metric_is(&l, METRIC_BORROW_COST, l.borrow_cost, why) &&
           metric_is(&l, METRIC_INTEREST_COST, l.interest_cost, why) &&
           metric_is(&l, METRIC_DIVIDENDS, l.dividends, why) &&
           metric_is(&l, METRIC_FILLS, l.fills_n, why) &&
           metric_is(&l, METRIC_RISK_VETOES, l.vetoes_n, why) &&
           metric_is(&l, METRIC_ENTRIES_DROPPED, l.dropped_n, why) &&
           metric_is(&l, METRIC_RISK_RESIZES, l.resizes_n, why);
}
