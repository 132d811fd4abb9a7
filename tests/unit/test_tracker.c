/* SPDX-License-Identifier: MIT */
/* Promise: exposure, counts and excursions are those that a look at every bar of the trades gives.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/desk.h"

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fmax(1e-3, fmax(fabs(a), fabs(b)));
}

/* ---- excursions ----------------------------------------------------------------------------- */

struct reach {
    double low, high;
};

static void reach_to(struct reach *r, double px)
{
    r->low = fmin(r->low, px);
    r->high = fmax(r->high, px);
}

static bool is_at_close(const struct combo *combo, uint8_t rule)
{
    if (rule == FILL_RULE_END)
        return combo->execution.at_end == AT_END_CLOSE_AT_CLOSE;
    return rule == FILL_RULE_MARKET_CLOSE ||
           (rule == FILL_RULE_REVERSE && (combo->execution.fill == FILL_THIS_CLOSE ||
                                          combo->execution.market_on == MARKET_ON_CLOSE));
}

static bool is_within(uint8_t rule)
{
    return rule == FILL_RULE_STOP || rule == FILL_RULE_TARGET;
}

/* Trades' bars are steps from the range's first; every symbol has a bar at every one of them. */
static struct reach reach_of(const struct column_set *c, const struct combo *combo,
                             const struct trade *t)
{
    struct reach r = {t->entry_px, t->entry_px};
    bool is_open = t->exit_bar == TRADE_OPEN,
         to_close = is_open || is_at_close(combo, t->exit_rule);
    bool from_open = !is_within(t->entry_rule) && !is_at_close(combo, t->entry_rule);
    uint32_t last = is_open ? c->rows_n - 1 : t->exit_bar;

    for (uint32_t bar = t->entry_bar; bar <= last; bar++) {
        bool has_open = bar > t->entry_bar || from_open, has_close = bar < last || to_close;

        if (has_open && has_close) {
            reach_to(&r, c->high[bar]);
            reach_to(&r, c->low[bar]);
        }
        if (has_open)
            reach_to(&r, c->open[bar]);
        if (has_close)
            reach_to(&r, c->close[bar]);
    }
    if (!is_open)
        reach_to(&r, t->exit_px);
    return r;
}

static void expect_excursions(const struct column_set *const *columns, const struct combo *combo,
                              const struct outcome *o)
{
    double worst = NAN;

    for (uint32_t i = 0; i < o->trades_n; i++) {
        const struct trade *t = &o->trades[i];
        struct reach r = reach_of(columns[t->symbol_idx], combo, t);
        double down = r.low / t->entry_px - 1, up = r.high / t->entry_px - 1;

        cr_assert(near(t->mae, t->qty > 0 ? down : -up), "trade %u: %g", i, t->mae);
        cr_assert(near(t->mfe, t->qty > 0 ? up : -down), "trade %u: %g", i, t->mfe);
        if (t->exit_bar != TRADE_OPEN)
            worst = fmin(worst, t->mae);
    }
    cr_expect(near(o->result.metrics[METRIC_WORST_MAE_PCT], worst * 100));
}

/* ---- exposure and counts -------------------------------------------------------------------- */

/* Units of a trade at the close of a bar. */
static double held_at(const struct trade *t, uint32_t bar)
{
    bool is_left = t->exit_bar != TRADE_OPEN && bar >= t->exit_bar;

    return bar >= t->entry_bar && !is_left ? t->qty : 0;
}

static void expect_exposure(const struct column_set *const *columns, const struct outcome *o)
{
    const double *m = o->result.metrics;
    double gross_sum = 0, net_sum = 0, most = 0, held_n = 0;

    for (uint32_t bar = 0; bar < o->bars_n; bar++) {
        double gross = 0, net = 0;

        for (uint32_t i = 0; i < o->trades_n; i++) {
            const struct trade *t = &o->trades[i];
            double value = held_at(t, bar) * columns[t->symbol_idx]->close[bar];

            gross += fabs(value) / o->equity[bar];
            net += value / o->equity[bar];
        }
        gross_sum += gross;
        net_sum += net;
        held_n += gross > 0;
        most = fmax(most, gross);
    }
    cr_expect(near(m[METRIC_EXPOSURE_GROSS_PCT], gross_sum / o->bars_n * 100));
    cr_expect(near(m[METRIC_EXPOSURE_NET_PCT], net_sum / o->bars_n * 100));
    cr_expect(near(m[METRIC_EXPOSURE_GROSS_MAX_PCT], most * 100));
    cr_expect(near(m[METRIC_EXPOSURE_PCT], held_n / o->bars_n * 100));
}

/* Whether another fill of the same bar, symbol and side comes before; fill i is the entry of trade
 * i / 2, or its exit. */
static bool is_same_order(const struct trade *trades, uint32_t i)
{
    const struct trade *t = &trades[i / 2];
    uint32_t bar = i % 2 ? t->exit_bar : t->entry_bar;
    bool is_buy = (t->qty > 0) != (i % 2 != 0);

    for (uint32_t k = 0; k < i; k++) {
        const struct trade *u = &trades[k / 2];

        if ((k % 2 ? u->exit_bar : u->entry_bar) == bar && u->symbol_idx == t->symbol_idx &&
            ((u->qty > 0) != (k % 2 != 0)) == is_buy)
            return true;
    }
    return false;
}

static void expect_orders(const struct outcome *o)
{
    uint32_t orders_n = 0;

    for (uint32_t i = 0; i < 2 * o->trades_n; i++)
        orders_n +=
            !(i % 2 && o->trades[i / 2].exit_bar == TRADE_OPEN) && !is_same_order(o->trades, i);
    cr_expect_lt(orders_n, o->result.metrics[METRIC_FILLS], "there are reversals");
    cr_expect_eq(o->result.metrics[METRIC_ORDERS], orders_n);
}

static void expect_counts(const struct outcome *o)
{
    const double *m = o->result.metrics;
    uint32_t closed_n = (uint32_t)m[METRIC_TRADES];
    double traded = 0, mean = 0;

    for (uint32_t i = 0; i < o->trades_n; i++) {
        const struct trade *t = &o->trades[i];

        traded += fabs(t->qty) * (t->entry_px + (t->exit_bar == TRADE_OPEN ? 0 : t->exit_px));
    }
    for (uint32_t bar = 0; bar < o->bars_n; bar++)
        mean += o->equity[bar] / o->bars_n;
    cr_expect_eq(m[METRIC_FILLS], closed_n + o->trades_n);
    cr_expect(near(m[METRIC_TURNOVER], traded / mean), "bars are days here");
}

/* ---- extremes ------------------------------------------------------------------------------- */

Test(tracker, ranges_of_bars_are_those_of_a_look_at_each)
{
    static struct column_set c;
    struct extremes extremes;
    uint64_t state = 5;

    desk_walk(&c, 1000, 3, 0);
    const struct bars bars = {.rows_n = c.rows_n, .high = c.high, .low = c.low};
    cr_assert_eq(extremes_init(&extremes, &bars), 0);
    for (int i = 0; i < 3000; i++) {
        uint32_t from = (uint32_t)(random_next(&state) % 1000);
        uint32_t to = from + (uint32_t)(random_next(&state) % (1001 - from));
        struct price_range range = {100, 100};
        struct reach reach = {100, 100};

        extremes_widen(&extremes, from, to, &range);
        for (uint32_t row = from; row < to; row++) {
            reach_to(&reach, c.low[row]);
            reach_to(&reach, c.high[row]);
        }
        cr_assert(range.low == reach.low && range.high == reach.high, "rows %u to %u", from, to);
    }
    extremes_fini(&extremes);
}

/* ---- runs ----------------------------------------------------------------------------------- */

/* Sells short below the average, buys above it. */
static void expect_tracked(uint32_t symbols_n, void (*change)(struct combo *),
                           uint32_t trades_least)
{
    static struct column_set columns[SYMBOLS_MAX];
    struct combo combo = desk_new_combo(0);
    struct desk d = {.symbols_n = symbols_n,
                     .specs = desk_new_specs(1),
                     .specs_n = 1,
                     .combos = &combo,
                     .combos_n = 1};

    for (uint32_t s = 0; s < symbols_n; s++) {
        desk_walk(&columns[s], 700, 21 + s, 0);
        d.columns[s] = &columns[s];
    }
    desk_set_strategy(&d.specs[0], "rules");
    desk_set_rule(d.specs[0].long_entry, "close > sma(close, 10)");
    desk_set_rule(d.specs[0].short_entry, "close < sma(close, 10) * 0.99");
    combo.portfolio.sizing_value = symbols_n > 1 ? 0.3 : 0.9;
    change(&combo);
    desk_open(&d);
    struct outcome *o = desk_run(&d, &combo);
    cr_assert_eq(o->result.status, STATUS_OK, "%s", o->result.message);
    cr_assert_geq(o->trades_n, trades_least);
    expect_excursions(d.columns, &combo, o);
    expect_exposure(d.columns, o);
    expect_counts(o);
    free(o);
    d.session.run.profile = PROFILE_VECTORBT;
    o = desk_run(&d, &combo);
    expect_orders(o);
    free(o);
    desk_close(&d);
}

static void as_it_is(struct combo *combo)
{
}

static void with_exits(struct combo *combo)
{
    combo->exits.stop_loss = 0.02;
    combo->exits.take_profit = 0.03;
}

static void at_the_close(struct combo *combo)
{
    with_exits(combo);
    combo->execution.fill = FILL_THIS_CLOSE;
}

static void on_the_next_close(struct combo *combo)
{
    combo->execution.market_on = MARKET_ON_CLOSE;
}

static void closed_at_the_end(struct combo *combo)
{
    combo->execution.at_end = AT_END_CLOSE_AT_CLOSE;
}

Test(tracker, market_orders_at_the_open)
{
    expect_tracked(1, as_it_is, 30);
}

Test(tracker, stops_and_targets_within_bars)
{
    expect_tracked(1, with_exits, 30);
}

Test(tracker, market_orders_at_the_close)
{
    expect_tracked(1, at_the_close, 30);
}

Test(tracker, market_orders_at_the_next_close)
{
    expect_tracked(1, on_the_next_close, 30);
}

Test(tracker, an_end_that_closes)
{
    expect_tracked(1, closed_at_the_end, 30);
}

Test(tracker, two_symbols_in_one_account)
{
    expect_tracked(2, with_exits, 60);
    expect_tracked(2, at_the_close, 60);
}
