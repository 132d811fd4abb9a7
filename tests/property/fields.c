/* SPDX-License-Identifier: MIT */
/* Every field of a combination's configuration: how it is varied, what leaves it without effect,
 * and what becomes of it when prices double and units halve. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "proto/buf.h"
#include "tests/property/property.h"

#define U8(f, n, ...)                                                                              \
    {                                                                                              \
#f, offsetof(struct combo, f), FIELD_U8, 0, 0, n,                                          \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define U32(f, n, ...)                                                                             \
    {                                                                                              \
#f, offsetof(struct combo, f), FIELD_U32, 0, 0, n,                                         \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define F64(f, power, neutral, n, ...)                                                             \
    {                                                                                              \
#f, offsetof(struct combo, f), FIELD_F64, power, neutral, n,                               \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

const struct field fields[] = {
    U8(execution.fill, 1, FILL_THIS_CLOSE),
    U8(execution.close_booked, 1, CLOSE_BOOKED_NEXT_BAR),
    U8(execution.market_on, 1, MARKET_ON_CLOSE),
    U8(execution.time_in_force, 3, TIF_GTC, TIF_DAY, TIF_IOC),
    U8(execution.same_bar, 3, SAME_BAR_OPTIMISTIC, SAME_BAR_NEAREST_OPEN, SAME_BAR_STOP_FIRST),
    U8(execution.at_end, 2, AT_END_CLOSE_AT_CLOSE, AT_END_CLOSE_AT_OPEN),
    U8(execution.orders_per_bar, 1, ORDERS_PER_BAR_ONE),
    U8(execution.slips_in_bar, 1, 1),
    U8(execution.stops_exact, 1, 1),
    U8(execution.spread_paid, 1, SPREAD_ON_ENTRY),
    U8(execution.volume_rest, 1, VOLUME_REST_CANCEL),
    U8(execution.reversal_fee, 1, REVERSAL_FEE_ONCE),
    U32(execution.delay, 3, 1, 2, 5),
    F64(execution.commission.percent_frac, 0, 0, 3, 0.0005, 0.01, 0.003),
    F64(execution.commission.fixed, 0, 0, 2, 1, 20),
    F64(execution.commission.per_share, 1, 0, 2, 0.005, 0.1),
    F64(execution.commission.minimum, 0, 0, 2, 1, 30),
    F64(execution.commission.maximum, 0, 0, 2, 2, 50),
    F64(execution.slippage.percent_frac, 0, 0, 3, 0.0002, 0.01, 0.05),
    F64(execution.slippage.ticks, 0, 0, 3, 1, 3, 0.5),
    F64(execution.slippage.tick, 1, 0, 2, 0.01, 0.25),
    F64(execution.slippage.volume_share, 0, 0, 3, 0.01, 0.1, 1),
    F64(execution.slippage.impact, 0, 0, 2, 0.1, 1),
    F64(execution.spread_frac, 0, 0, 2, 0.001, 0.02),
    F64(execution.borrow_fee_frac, 0, 0, 2, 0.03, 0.5),
    F64(execution.margin_interest_frac, 0, 0, 2, 0.05, 0.4),
    U8(risk.opposite_signal, 2, OPPOSITE_CLOSE, OPPOSITE_IGNORE),
    U8(risk.same_signal, 1, SAME_SIGNAL_REENTER),
    U8(risk.conflicting_signals, 1, CONFLICT_IGNORE),
    U32(risk.cooldown_bars, 3, 1, 3, 10),
    F64(risk.commission_frac, 0, NAN, 3, 0, 0.002, 0.02),
    F64(risk.max_position_size, -1, 0, 3, 10, 100, 37.5),
    F64(risk.max_exposure, 0, 0, 3, 0.25, 0.5, 1),
    F64(risk.max_leverage, 0, 0, 3, 0.5, 1, 2),
    F64(risk.max_drawdown, 0, 0, 2, 0.03, 0.2),
    F64(risk.max_daily_loss, 0, 0, 2, 0.01, 0.05),
    U8(exits.base, 2, EXIT_BASE_SIGNAL_CLOSE, EXIT_BASE_ENTRY_CLOSE),
    U8(exits.live_from, 1, LIVE_FROM_NEXT_BAR),
    U32(exits.max_bars, 3, 1, 3, 10),
    F64(exits.stop_loss, 0, 0, 4, 0.005, 0.02, 0.05, 0.2),
    F64(exits.take_profit, 0, 0, 4, 0.005, 0.02, 0.05, 0.3),
    F64(exits.trailing_stop, 0, 0, 3, 0.01, 0.03, 0.1),
    F64(exits.trailing_amount, 1, 0, 3, 0.5, 2, 10),
    U8(portfolio.direction, 2, DIRECTION_LONG, DIRECTION_SHORT),
    U8(portfolio.sizing, 6, SIZING_PERCENT_OF_CASH, SIZING_UNITS, SIZING_CASH, SIZING_RISK_FRAC,
       SIZING_TARGET_VOLATILITY, SIZING_TARGET_PERCENT),
    U8(portfolio.unaffordable, 1, UNAFFORDABLE_REDUCE),
    U8(portfolio.commission_reserve, 1, RESERVE_EACH_UNIT),
    U8(portfolio.short_margin, 1, SHORT_MARGIN_NONE),
    U8(portfolio.cash_check, 1, CASH_CHECK_SIGNAL_CLOSE_TOO),
    U8(portfolio.bankruptcy, 1, BANKRUPTCY_RUN_ON),
    U32(portfolio.sizing_lookback, 2, 2, 20),
    F64(portfolio.sizing_value, 0, 1, 3, 0.5, 0.1, 0.9999999999999998),
    F64(portfolio.initial_capital, 0, 100000, 3, 1000, 1e6, 123.45),
    F64(portfolio.leverage, 0, 1, 4, 2, 10, 30, 0.5),
    F64(portfolio.lot, -1, 1, 4, 0, 0.01, 0.1, 25),
    F64(portfolio.min_notional, 0, 0, 2, 100, 20000),
    F64(portfolio.maintenance_margin, 0, 0, 3, 0.02, 0.25, 0.6),
};
const unsigned fields_n = sizeof fields / sizeof fields[0];

/* ---- one field ------------------------------------------------------------------------------ */

double field_get(const struct combo *combo, const struct field *f)
{
    const char *at = (const char *)combo + f->offset;
    switch ((enum field_type)f->type) {
    case FIELD_U8:
        return *(const uint8_t *)at;
    case FIELD_U32: {
        uint32_t v;
        memcpy(&v, at, sizeof v);
        return v;
    }
    case FIELD_F64: {
        double v;
        memcpy(&v, at, sizeof v);
        return v;
    }
    }
    return NAN;
}

void field_set(struct combo *combo, const struct field *f, double value)
{
    char *at = (char *)combo + f->offset;
    uint32_t whole = f->type == FIELD_F64 ? 0 : (uint32_t)value;
    switch ((enum field_type)f->type) {
    case FIELD_U8:
        *(uint8_t *)at = (uint8_t)whole;
        break;
    case FIELD_U32:
        memcpy(at, &whole, sizeof whole);
        break;
    case FIELD_F64:
        memcpy(at, &value, sizeof value);
        break;
    }
}

bool field_is_neutral(const struct combo *combo, const struct field *f)
{
    double value = field_get(combo, f);
    return value == f->neutral || (isnan(value) && isnan(f->neutral));
}

/* ---- all of them ---------------------------------------------------------------------------- */

void fields_reset(struct combo *combo)
{
    for (unsigned i = 0; i < fields_n; i++)
        field_set(combo, &fields[i], fields[i].neutral);
}

/* What the sizing kinds make of a fraction. */
static double sizing_value_of(const struct subject *s, double fraction)
{
    switch ((enum sizing_kind)s->combo.portfolio.sizing) {
    case SIZING_UNITS:
        return 200.0 * fraction * 100.0 / s->level;
    case SIZING_CASH:
        return s->combo.portfolio.initial_capital * fraction;
    case SIZING_RISK_FRAC:
    case SIZING_TARGET_VOLATILITY:
        return 0.2 * fraction;
    case SIZING_PERCENT_OF_EQUITY:
    case SIZING_PERCENT_OF_CASH:
    case SIZING_TARGET_PERCENT:
        break;
    }
    return fraction;
}

/* Values that only make sense together. */
static void fields_settle(struct subject *s)
{
    struct combo *c = &s->combo;
    if (c->execution.slippage.ticks > 0.0 && c->execution.slippage.tick == 0.0)
        c->execution.slippage.tick = s->level / 1e4;
    if (c->portfolio.sizing == SIZING_RISK_FRAC && c->exits.stop_loss == 0.0 &&
        c->exits.trailing_stop == 0.0)
        c->exits.stop_loss = 0.05;
    if (c->portfolio.sizing == SIZING_TARGET_VOLATILITY && c->portfolio.sizing_lookback == 0)
        c->portfolio.sizing_lookback = 5;
    c->portfolio.sizing_value = sizing_value_of(s, c->portfolio.sizing_value);
}

/* Few at a time, so that most of a strategy's trades come about; now and then many at once. */
void fields_vary(struct subject *s, struct chance *c)
{
    static const double densities[] = {0.03, 0.08, 0.15, 0.15, 0.3, 0.5};
    double density = densities[chance_below(c, sizeof densities / sizeof densities[0])];
    fields_reset(&s->combo);
    for (unsigned i = 0; i < fields_n; i++) {
        const struct field *f = &fields[i];
        if (!chance_is(c, density))
            continue;
        double value = f->values[chance_below(c, f->values_n)];
        if (f->power && f->offset != offsetof(struct combo, portfolio.lot))
            value *= f->power > 0 ? s->level / 100.0 : 100.0 / s->level;
        field_set(&s->combo, f, value);
    }
    s->combo.portfolio.lot *= s->level > 1e5 && chance_is(c, 0.8) ? 0 : 1; /* too dear for one */
    fields_settle(s);
}

bool fields_are_complete(void)
{
    static const unsigned bytes_of[] = {[FIELD_U8] = 1, [FIELD_U32] = 4, [FIELD_F64] = 8};
    struct combo blank = {0};
    struct buf b = {0};
    /* numbers, strategy, symbol, history, number of parameters */
    size_t expected = 8 + 8 + 4 + 4 + 4 + 4;
    for (unsigned i = 0; i < fields_n; i++)
        expected += bytes_of[fields[i].type];
    combo_encode(&b, &blank);
    bool is_complete = !b.failed && b.n_bytes == expected;
    buf_fini(&b);
    return is_complete;
}
