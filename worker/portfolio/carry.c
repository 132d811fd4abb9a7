/* SPDX-License-Identifier: MIT */
/* What holding costs and pays from bar to bar. */
#include "worker/portfolio/carry.h"

#include <math.h>

#include "proto/units.h"

#define DAYS_A_YEAR 365.0

void carry_init(struct carry *c, const struct execution_cfg *cfg, const struct market *market)
{
    *c = (struct carry){
        .cfg = cfg,
        .market = market,
        .next_step = market->first_step,
        .is_active =
            cfg->borrow_fee_frac > 0.0 || cfg->margin_interest_frac > 0.0 || market->dividend,
    };
}

/* Value of the shorts at the last closes before `step`. */
static double short_value(const struct carry *c, const struct account *a, uint32_t step)
{
    double value = 0.0;
    for (uint32_t s = 0; s < a->symbols_n; s++) {
        if (!(a->pos[s].qty < 0.0))
            continue;
        int32_t row = market_last_row(c->market, s, step - 1);
        if (row >= 0)
            value += -a->pos[s].qty * c->market->symbol[s]->bars.close[row];
    }
    return value;
}

static void charge(const struct carry *c, struct account *a, uint32_t step, int64_t days)
{
    double years = (double)days / DAYS_A_YEAR;
    double borrowed = a->cash < 0.0 ? -a->cash : 0.0;
    double interest = borrowed * c->cfg->margin_interest_frac * years;
    double fee = 0.0;
    if (c->cfg->borrow_fee_frac > 0.0)
        fee = short_value(c, a, step) * c->cfg->borrow_fee_frac * years;
    a->cash -= fee + interest;
    a->borrow_cost += fee;
    a->interest_cost += interest;
}

static void pay_dividends(const struct carry *c, struct account *a, uint32_t step)
{
    for (uint32_t s = 0; s < a->symbols_n; s++) {
        const double *dividend = c->market->dividend[s];
        int32_t row = dividend && a->pos[s].qty != 0.0 ? market_row(c->market, s, step) : -1;
        if (row < 0 || !isfinite(dividend[row]))
            continue;
        double money = a->pos[s].qty * dividend[row];
        a->cash += money;
        a->dividends += money;
    }
}

static void carry_into(const struct carry *c, struct account *a, uint32_t step)
{
    const int64_t *t = c->market->time_ns;
    int64_t days = step > c->market->first_step ? time_day(t[step]) - time_day(t[step - 1]) : 0;
    if (days > 0)
        charge(c, a, step, days);
    if (c->market->dividend)
        pay_dividends(c, a, step);
}

void carry_to(struct carry *c, struct account *a, uint32_t step)
{
    uint32_t end = step < c->market->steps_n ? step + 1 : c->market->steps_n;
    if (!c->is_active || a->is_bankrupt)
        return;
    for (; c->next_step < end; c->next_step++) {
        if (a->open_n == 0 && a->cash >= 0.0) {
            c->next_step = end; /* nothing is held, nothing is owed */
            return;
        }
        carry_into(c, a, c->next_step);
    }
}
