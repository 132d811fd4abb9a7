/* SPDX-License-Identifier: MIT */
/* What trading costs: commission, slippage, spread. */
#include "worker/broker/cost.h"

#include <math.h>

double cost_commission(const struct commission_cfg *cfg, double qty, double px)
{
    double units = fabs(qty);
    double money = units * px * cfg->percent_frac;
    if (cfg->per_share > 0.0)
        money += units * cfg->per_share;
    if (cfg->fixed > 0.0)
        money += cfg->fixed;
    if (money < cfg->minimum)
        money = cfg->minimum;
    if (cfg->maximum > 0.0 && money > cfg->maximum)
        money = cfg->maximum;
    return money;
}

/* Not beyond the bar's range, where that is known. */
static double within_bar(const struct quote *q, double px)
{
    if (q->side > 0.0)
        return q->high > 0.0 && px > q->high ? fmax(q->high, q->px) : px;
    return q->low > 0.0 && px < q->low ? fmin(q->low, q->px) : px;
}

static double slipped(const struct execution_cfg *cfg, const struct quote *q)
{
    const struct slippage_cfg *s = &cfg->slippage;
    double frac = s->percent_frac;
    if (s->impact > 0.0 && q->qty > 0.0 && q->volume > 0.0) {
        double share = q->qty / q->volume;
        frac += s->impact * share * share;
    }
    double px = q->px * (1.0 + q->side * frac);
    if (s->ticks > 0.0)
        px += q->side * s->ticks * s->tick;
    return cfg->slips_in_bar ? within_bar(q, px) : px;
}

/* A limit that is known slips where slippage has bounds, and that is another one. */
static double limit_price(const struct execution_cfg *cfg, const struct quote *q)
{
    if (!cfg->slips_in_bar || !(q->limit_px > 0.0))
        return q->px;
    double px = slipped(cfg, q);
    return q->side > 0.0 ? fmin(px, q->limit_px) : fmax(px, q->limit_px);
}

/* Of the price before the spread, by how much buyer or seller are off. */
static double spread_frac(const struct execution_cfg *cfg, const struct quote *q, bool is_exact)
{
    if (cfg->spread_paid == SPREAD_ON_ENTRY)
        return q->is_entry ? cfg->spread_frac : 0.0;
    return is_exact ? 0.0 : 0.5 * cfg->spread_frac;
}

double cost_price(const struct execution_cfg *cfg, const struct quote *q)
{
    bool is_exact = q->is_limit || (q->is_stop && cfg->stops_exact);
    double px = q->is_limit ? limit_price(cfg, q) : is_exact ? q->px : slipped(cfg, q);
    if (cfg->spread_frac > 0.0)
        px *= 1.0 + q->side * spread_frac(cfg, q, is_exact);
    return px > 0.0 ? px : 0.0;
}
