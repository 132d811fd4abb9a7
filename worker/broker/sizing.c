/* SPDX-License-Identifier: MIT */
/* How many units an entry is for. */
#include "worker/broker/sizing.h"

#include <math.h>

#include "worker/broker/volatility.h"

#define HAIR          1e-12  /* of a budget or a number of lots, against rounding */
#define LOT_HAIR      1e-6   /* of one lot: the most that HAIR may come to */
#define LOTS_MAX      0x1p53 /* more of them a double cannot tell apart: as good as fractions */
#define LOT_STEPS_MAX 2      /* more than a closed form is off by */
#define HALVINGS      200    /* more than a double has bits */

/* ---- lots ----------------------------------------------------------------------------------- */

/* Largest whole multiple of b in a, as exact as fmod allows: floor(a / b) can round up past it. */
static double whole_multiples(double a, double b)
{
    double quotient = (a - fmod(a, b)) / b;
    double whole = floor(quotient);
    return quotient - whole > 0.5 ? whole + 1.0 : whole;
}

double sizing_round_down(double qty, double lot)
{
    if (!(lot > 0.0) || qty / lot >= LOTS_MAX)
        return qty;
    double lots = qty / lot;
    double rounded = floor(lots + fmin(HAIR * lots, LOT_HAIR)) * lot;
    bool is_exact = lot == floor(lot); /* else 3 * 0.1 is more than the 0.3 that was asked for */
    return rounded < qty || is_exact ? rounded : qty;
}

/* ---- what an entry takes -------------------------------------------------------------------- */

/* One entry at one price. */
struct entry {
    const struct sizing *s;
    const struct portfolio_cfg *cfg;
    const struct account *account;
    struct commission_cfg commission; /* that is set aside */
    double px;                        /* after costs */
    double unit_fee;                  /* under RESERVE_EACH_UNIT */
    double fixed_qty;                 /* units that were told; 0: found by money */
    double held;                      /* units on the order's side */
    double equity;
    double buying_power;
};

static double buying_power(const struct account *a, const struct portfolio_cfg *cfg)
{
    if (cfg->short_margin != SHORT_MARGIN_NONE)
        return account_available(a) * a->leverage;
    double free = a->cash;
    for (uint32_t s = 0; s < a->symbols_n; s++)
        if (a->pos[s].qty > 0.0)
            free += a->pos[s].qty * a->mark_px[s] * (1.0 - 1.0 / a->leverage);
    return free > 0.0 ? free * a->leverage : 0.0;
}

static double fixed_qty(const struct portfolio_cfg *cfg, const struct order *o)
{
    if (o->terms.qty > 0.0)
        return o->terms.qty;
    return cfg->sizing == SIZING_UNITS ? cfg->sizing_value : 0.0;
}

/* Commission for each unit of an order of the size as it is said: units, or a fraction. */
static double unit_fee(const struct entry *e)
{
    bool is_frac =
        (e->cfg->sizing == SIZING_PERCENT_OF_CASH || e->cfg->sizing == SIZING_PERCENT_OF_EQUITY) &&
        e->cfg->sizing_value < 1.0;
    double said = e->fixed_qty > 0.0 ? e->fixed_qty : is_frac ? e->cfg->sizing_value : 1.0;
    return cost_commission(&e->commission, said, e->s->quote.px) / said;
}

static struct entry entry_of(const struct sizing *s)
{
    const struct combo *combo = s->x->combo;
    double reserve_frac = combo->risk.commission_frac;
    struct quote quote = s->quote;
    quote.qty = 0.0;
    struct entry e = {
        .s = s,
        .cfg = &combo->portfolio,
        .account = s->x->account,
        .commission = combo->execution.commission,
        .px = cost_price(&combo->execution, &quote),
        .fixed_qty = fixed_qty(&combo->portfolio, s->order),
        .held = s->order->side * s->x->account->pos[s->order->symbol_idx].qty,
        .equity = account_equity(s->x->account),
    };
    if (!isnan(reserve_frac))
        e.commission = (struct commission_cfg){.percent_frac = reserve_frac};
    if (e.cfg->commission_reserve == RESERVE_EACH_UNIT)
        e.unit_fee = unit_fee(&e);
    e.buying_power = buying_power(e.account, e.cfg);
    return e;
}

static bool reserves_each_unit(const struct entry *e)
{
    return e->cfg->commission_reserve == RESERVE_EACH_UNIT;
}

/* Whether a budget pays for qty units and what is set aside for them. */
static bool pays_for(const struct entry *e, double budget, double qty)
{
    double closed = e->s->reversed_qty;
    if (reserves_each_unit(e))
        return qty * (e->px + e->unit_fee) + closed * e->unit_fee <= budget;
    double fee = cost_commission(&e->commission, closed + qty, e->px);
    return (budget - qty * e->px) - fee >= -HAIR * budget;
}

/* ---- units of a budget ---------------------------------------------------------------------- */

/* As if units could be split: (budget - fixed) / (1 + percent) / px where no bound of the
 * commission holds; where one does, the commission is that bound. */
static double split_units(const struct entry *e, double budget)
{
    struct commission_cfg c = e->commission;
    double closed = e->s->reversed_qty;
    double rest = budget - c.fixed;
    if (closed > 0.0)
        rest -= closed * (e->px * c.percent_frac + c.per_share);
    double qty = c.per_share > 0.0 ? rest / (e->px * (1.0 + c.percent_frac) + c.per_share)
                                   : rest / (1.0 + c.percent_frac) / e->px;
    if (c.minimum == 0.0 && c.maximum == 0.0)
        return qty;
    double traded = closed + (qty > 0.0 ? qty : 0.0);
    double bounded = cost_commission(&c, traded, e->px);
    c.minimum = c.maximum = 0.0;
    return bounded == cost_commission(&c, traded, e->px) ? qty : (budget - bounded) / e->px;
}

/* Most lots that a budget pays for, from a closed form that is right to rounding: it may be short
 * of a lot that is paid for to a hair. */
static double paid_lots(const struct entry *e, double budget, double qty)
{
    double lot = e->cfg->lot, lots = floor(qty / lot);
    if (lots >= LOTS_MAX)
        return qty;
    for (int i = 0; i < LOT_STEPS_MAX && pays_for(e, budget, (lots + 1.0) * lot); i++)
        lots += 1.0;
    return lots * lot;
}

/* Most units that a budget pays for. */
static double units_of(const struct entry *e, double budget)
{
    if (!(budget > 0.0) || !(e->px > 0.0))
        return 0.0;
    if (reserves_each_unit(e)) {
        double unit_cost = e->px + e->unit_fee;
        budget -= e->s->reversed_qty * e->unit_fee;
        if (!(budget > 0.0))
            return 0.0;
        return e->cfg->lot == 1.0 ? whole_multiples(budget, unit_cost)
                                  : sizing_round_down(budget / unit_cost, e->cfg->lot);
    }
    double qty = split_units(e, budget);
    if (e->cfg->lot > 0.0)
        return paid_lots(e, budget, qty > 0.0 ? qty : 0.0);
    return qty > 0.0 ? qty : 0.0;
}

/* ---- units by portfolio.sizing -------------------------------------------------------------- */

/* From px to the stop that the position will have first; 0 without one, or where it is passed. */
static double stop_distance(const struct entry *e)
{
    const struct exits_cfg *exits = &e->s->x->combo->exits;
    const struct order *o = e->s->order;
    double side = o->side;
    double base = exits->base == EXIT_BASE_SIGNAL_CLOSE ? o->ref_px : e->px;
    double stops[] = {
        o->terms.stop_loss_px != 0.0 ? o->terms.stop_loss_px
        : exits->stop_loss > 0.0     ? base * (1.0 - side * exits->stop_loss)
                                     : 0.0,
        exits->trailing_stop > 0.0 ? base * (1.0 - side * exits->trailing_stop) : 0.0,
        exits->trailing_amount > 0.0 ? base - side * exits->trailing_amount : 0.0,
    };
    double nearest = INFINITY;
    for (unsigned i = 0; i < sizeof stops / sizeof stops[0]; i++) {
        if (stops[i] > 0.0 && side * (e->px - stops[i]) < nearest)
            nearest = side * (e->px - stops[i]);
    }
    return nearest > 0.0 && !isinf(nearest) ? nearest : 0.0;
}

/* Units that lose a sum of money from here to the stop. */
static double units_at_risk(const struct entry *e, double money)
{
    double distance = stop_distance(e);
    return distance > 0.0 && money > 0.0 ? money / distance : 0.0;
}

/* Units of a value that moves by `frac` of equity a year. A symbol that does not move at all asks
 * for more than there is. */
static double units_of_volatility(const struct entry *e, double frac)
{
    const struct bars *bars = &e->s->x->market->symbol[e->s->order->symbol_idx]->bars;
    double deviation = volatility_of_days(bars, e->s->row, e->cfg->sizing_lookback);
    if (isnan(deviation) || !(e->equity > 0.0))
        return 0.0;
    return deviation > 0.0 ? e->equity * frac / deviation / e->px : INFINITY;
}

/* Units from what is held to a target: not more than buying power pays for, either way. */
static double units_to_target(const struct entry *e, double target_value)
{
    double lot = e->cfg->lot;
    double target = sizing_round_down(target_value > 0.0 ? target_value / e->px : 0.0, lot);
    double change = target - e->held;
    if (change < 0.0)
        return -sizing_round_down(-change, lot);
    return fmin(sizing_round_down(change, lot), units_of(e, e->buying_power));
}

/* Before the limits of risk; sizes that are not fixed are within buying power. */
static double units_wanted(const struct entry *e)
{
    double value = e->cfg->sizing_value, lot = e->cfg->lot;
    if (e->fixed_qty > 0.0)
        return sizing_round_down(e->fixed_qty, lot);
    switch ((enum sizing_kind)e->cfg->sizing) {
    case SIZING_PERCENT_OF_EQUITY:
        return units_of(e, fmin(e->equity * value, e->buying_power));
    case SIZING_PERCENT_OF_CASH:
        return units_of(e, e->buying_power * value);
    case SIZING_CASH:
        return units_of(e, fmin(value, e->buying_power));
    case SIZING_RISK_FRAC:
        return fmin(sizing_round_down(units_at_risk(e, e->equity * value), lot),
                    units_of(e, e->buying_power));
    case SIZING_TARGET_VOLATILITY:
        return fmin(sizing_round_down(units_of_volatility(e, value), lot),
                    units_of(e, e->buying_power));
    case SIZING_TARGET_PERCENT:
        return units_to_target(e, e->equity * value);
    case SIZING_UNITS:
        break;
    }
    return 0.0;
}

/* ---- limits --------------------------------------------------------------------------------- */

/* Most units that the limits of risk leave room for; what is held is held. */
static double units_allowed(const struct entry *e)
{
    const struct risk_cfg *risk = &e->s->x->combo->risk;
    double room = INFINITY;
    if (risk->max_position_size > 0.0)
        room = fmin(room, risk->max_position_size - e->held);
    if (risk->max_exposure > 0.0)
        room = fmin(room, risk->max_exposure * e->equity / e->px - e->held);
    if (risk->max_leverage > 0.0) {
        double value = 0.0;
        for (uint32_t s = 0; s < e->account->symbols_n; s++)
            value += fabs(e->account->pos[s].qty) * e->account->mark_px[s];
        room = fmin(room, (risk->max_leverage * e->equity - value) / e->px);
    }
    return room > 0.0 ? sizing_round_down(room, e->cfg->lot) : 0.0;
}

/* Shorts of a fixed size may be free of margin. */
static bool is_bound(const struct entry *e)
{
    return !(e->fixed_qty > 0.0 && e->s->order->side < 0 &&
             e->cfg->short_margin == SHORT_MARGIN_NONE);
}

/* Cash after qty units (of either sign) traded at px. */
static double cash_after(const struct entry *e, double cash, double qty, double px)
{
    return (cash - qty * px) - cost_commission(&e->s->x->combo->execution.commission, qty, px);
}

/* Whether the cash of the signal's close would have paid for the entry there, and for its stop and
 * its target after it as if each of them filled: to a short they are purchases. */
static bool passes_cash_check(const struct entry *e, double qty)
{
    const struct order *o = e->s->order;
    const struct exits_cfg *exits = &e->s->x->combo->exits;
    if (e->cfg->cash_check != CASH_CHECK_SIGNAL_CLOSE_TOO)
        return true;
    double side = o->side, stop_px = o->terms.stop_loss_px, target_px = o->terms.take_profit_px;
    if (stop_px == 0.0 && exits->stop_loss > 0.0)
        stop_px = o->ref_px * (1.0 - side * exits->stop_loss);
    if (target_px == 0.0 && exits->take_profit > 0.0)
        target_px = o->ref_px * (1.0 + side * exits->take_profit);
    double cash = cash_after(e, o->ref_cash * e->account->leverage, side * qty, o->ref_px);
    bool is_paid = cash >= 0.0;
    if (stop_px > 0.0)
        is_paid &= (cash = cash_after(e, cash, -side * qty, stop_px)) >= 0.0;
    if (target_px > 0.0)
        is_paid &= cash_after(e, cash, -side * qty, target_px) >= 0.0;
    return is_paid;
}

/* A sale that is not bound by buying power must bring its commission. */
static bool brings_its_fee(const struct entry *e, double qty)
{
    double traded = e->s->reversed_qty + qty;
    return traded * e->px >= cost_commission(&e->commission, traded, e->px);
}

/* What is left of qty > 0 units by buying power, the least notional and the cash of the signal. */
static double settled(const struct entry *e, double qty)
{
    if (!is_bound(e) && !brings_its_fee(e, qty))
        return 0.0;
    if (e->fixed_qty > 0.0 && is_bound(e) && !pays_for(e, e->buying_power, qty)) {
        if (e->cfg->unaffordable == UNAFFORDABLE_DROP)
            return 0.0;
        qty = fmin(qty, units_of(e, e->buying_power));
    }
    bool is_enough = qty > 0.0 && qty * e->px >= e->cfg->min_notional;
    return is_enough && passes_cash_check(e, qty) ? qty : 0.0;
}

struct sized size_entry(const struct sizing *s)
{
    struct entry e = entry_of(s);
    if (!(e.px > 0.0) || (e.held > 0.0 && e.fixed_qty > 0.0))
        return (struct sized){0};
    double wanted = units_wanted(&e);
    if (wanted < 0.0)
        return (struct sized){.qty = -wanted * e.px >= e.cfg->min_notional ? wanted : 0.0};
    if (!(wanted > 0.0))
        return (struct sized){0};
    double allowed = units_allowed(&e);
    if (wanted <= allowed)
        return (struct sized){.qty = settled(&e, wanted)};
    double qty = allowed > 0.0 ? settled(&e, allowed) : 0.0;
    return (struct sized){
        .qty = qty,
        .is_resized = qty > 0.0,
        .is_vetoed = qty == 0.0 && settled(&e, wanted) > 0.0,
    };
}

struct sized size_reversal(const struct sizing *s, double close_px)
{
    struct account *a = s->x->account;
    struct position *p = &a->pos[s->order->symbol_idx];
    const struct account account = *a;
    const struct position position = *p;
    const struct fill close = {
        .symbol_idx = s->order->symbol_idx, .is_close = 1, .qty = -position.qty, .px = close_px};
    struct trade unused;
    (void)account_apply(a, &close, &unused);
    struct sizing after = *s;
    after.reversed_qty = fabs(position.qty);
    struct sized sized = size_entry(&after);
    if (sized.qty > 0.0 && s->x->combo->execution.slippage.impact > 0.0)
        sized.qty = size_affordable(&after, sized.qty);
    *a = account;
    *p = position;
    return sized;
}

/* ---- impact, and later parts ---------------------------------------------------------------- */

/* Whether buying power pays for qty units at the price that they move the market to. */
static bool pays_for_impact(struct entry *e, double qty)
{
    struct quote quote = e->s->quote;
    quote.qty = qty;
    e->px = cost_price(&e->s->x->combo->execution, &quote);
    return pays_for(e, e->buying_power, qty);
}

/* Halves the way between what is paid for and what is not: cost rises with units, as a buyer's
 * price does; a seller's falls more slowly than its units rise, short of a price of 0. */
double size_affordable(const struct sizing *s, double qty)
{
    struct entry e = entry_of(s);
    if (!is_bound(&e) || pays_for_impact(&e, qty))
        return qty;
    if (e.fixed_qty > 0.0 && e.cfg->unaffordable == UNAFFORDABLE_DROP)
        return 0.0;
    double lot = e.cfg->lot;
    double unit = fmax(lot, qty * 0x1p-52);
    double good = 0.0, bad = ceil(qty / unit);
    for (int i = 0; i < HALVINGS && bad - good > 1.0; i++) {
        double middle = floor(good + (bad - good) / 2.0);
        if (pays_for_impact(&e, middle * unit))
            good = middle;
        else
            bad = middle;
    }
    return good * unit;
}
