/* SPDX-License-Identifier: MIT */
/* Promise: a fill costs what docs/EXECUTION.md says, never less than nothing, never more for less,
 * and a fill never has a price that is not above zero. */
#include <math.h>

#include <criterion/criterion.h>

#include "worker/broker/cost.h"

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-12 * fmax(1.0, fmax(fabs(a), fabs(b)));
}

/* ---- commission ------------------------------------------------------------------------------ */

Test(commission, adds_its_parts_within_its_bounds)
{
    static const struct {
        const char *what;
        struct commission_cfg cfg;
        double qty, px, money;
    } rows[] = {
        {"none", {.fixed = 0}, 10, 100, 0},
        {"percent of value", {.percent_frac = 0.001}, 10, 100, 1},
        {"a sale pays as a purchase does", {.percent_frac = 0.001}, -10, 100, 1},
        {"fixed", {.fixed = 7}, 10, 100, 7},
        {"for each unit", {.per_share = 0.005}, -300, 100, 1.5},
        {"all three", {.percent_frac = 0.001, .fixed = 7, .per_share = 0.005}, 300, 100, 38.5},
        {"not less than the minimum", {.per_share = 0.005, .minimum = 1}, 100, 50, 1},
        {"more than the minimum", {.per_share = 0.005, .minimum = 1}, 300, 50, 1.5},
        {"not more than the maximum", {.percent_frac = 0.01, .maximum = 20}, 100, 50, 20},
        {"less than the maximum", {.percent_frac = 0.01, .maximum = 20}, 10, 50, 5},
        {"both bounds, below", {.percent_frac = 0.01, .minimum = 2, .maximum = 20}, 1, 50, 2},
        {"the fixed part counts towards the bounds", {.fixed = 3, .minimum = 2}, 1, 1, 3},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        cr_expect(near(cost_commission(&rows[i].cfg, rows[i].qty, rows[i].px), rows[i].money),
                  "%s: %.17g", rows[i].what,
                  cost_commission(&rows[i].cfg, rows[i].qty, rows[i].px));
}

/* A linear congruential generator of 64 bits: the same numbers everywhere. */
static double random_frac(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) * 0x1p-53;
}

Test(commission, never_falls_as_an_order_grows)
{
    uint64_t seed = 1;
    for (int i = 0; i < 20000; i++) {
        struct commission_cfg cfg = {
            .percent_frac = 0.01 * random_frac(&seed),
            .fixed = random_frac(&seed) < 0.5 ? 0 : 10 * random_frac(&seed),
            .per_share = random_frac(&seed) < 0.5 ? 0 : random_frac(&seed),
            .minimum = random_frac(&seed) < 0.5 ? 0 : 5 * random_frac(&seed),
        };
        cfg.maximum = random_frac(&seed) < 0.5 ? 0 : cfg.minimum + 50 * random_frac(&seed);
        double px = 1000 * random_frac(&seed), qty = 1000 * random_frac(&seed);
        double more = qty * (1 + random_frac(&seed));
        cr_assert_leq(cost_commission(&cfg, qty, px), cost_commission(&cfg, more, px));
        cr_assert_leq(cost_commission(&cfg, qty, px), cost_commission(&cfg, qty, px * 1.5));
        cr_assert_geq(cost_commission(&cfg, qty, px), 0);
    }
}

/* ---- price ----------------------------------------------------------------------------------- */

#define BUY  .side = 1, .px = 100
#define SELL .side = -1, .px = 100

static const struct price_row {
    const char *what;
    struct execution_cfg cfg;
    struct quote quote;
    double px;
} price_rows[] = {
    {"nothing configured", {.fill = FILL_NEXT_OPEN}, {BUY}, 100},
    {"a buyer slips up", {.slippage.percent_frac = 0.01}, {BUY}, 101},
    {"a seller slips down", {.slippage.percent_frac = 0.01}, {SELL}, 99},
    {"ticks up", {.slippage = {.ticks = 2, .tick = 0.25}}, {BUY}, 100.5},
    {"ticks down", {.slippage = {.ticks = 2, .tick = 0.25}}, {SELL}, 99.5},
    {"percent, then ticks",
     {.slippage = {.percent_frac = 0.01, .ticks = 1, .tick = 0.5}},
     {BUY},
     101.5},
    {"impact goes with the square of the share of volume",
     {.slippage.impact = 0.1},
     {BUY, .qty = 50, .volume = 100},
     102.5},
    {"impact of a sale", {.slippage.impact = 0.1}, {SELL, .qty = 100, .volume = 100}, 90},
    {"no impact without a size", {.slippage.impact = 0.1}, {BUY, .volume = 100}, 100},
    {"no impact without a volume", {.slippage.impact = 0.1}, {BUY, .qty = 1}, 100},
    {"no impact of an unknown volume",
     {.slippage.impact = 0.1},
     {BUY, .qty = 1, .volume = NAN},
     100},
    {"a limit does not slip",
     {.slippage = {.percent_frac = 0.01, .ticks = 1, .tick = 1, .impact = 1}},
     {BUY, .qty = 1, .volume = 1, .is_limit = true},
     100},
    {"a stop slips", {.slippage.percent_frac = 0.01}, {SELL, .is_stop = true}, 99},
    {"an exact stop does not",
     {.slippage.percent_frac = 0.01, .stops_exact = 1},
     {SELL, .is_stop = true},
     100},
    {"exact stops leave market orders alone",
     {.slippage.percent_frac = 0.01, .stops_exact = 1},
     {SELL},
     99},
    {"half the spread to a buyer", {.spread_frac = 0.02}, {BUY, .is_entry = true}, 101},
    {"half the spread to a seller", {.spread_frac = 0.02}, {SELL}, 99},
    {"no half spread on a limit", {.spread_frac = 0.02}, {BUY, .is_limit = true}, 100},
    {"nor on an exact stop", {.spread_frac = 0.02, .stops_exact = 1}, {SELL, .is_stop = true}, 100},
    {"the whole spread on an entry",
     {.spread_frac = 0.02, .spread_paid = SPREAD_ON_ENTRY},
     {BUY, .is_entry = true},
     102},
    {"of a limit, too",
     {.spread_frac = 0.02, .spread_paid = SPREAD_ON_ENTRY},
     {SELL, .is_entry = true, .is_limit = true},
     98},
    {"and none on an exit",
     {.spread_frac = 0.02, .spread_paid = SPREAD_ON_ENTRY},
     {SELL, .is_stop = true},
     100},
    {"slippage, then spread",
     {.slippage.percent_frac = 0.01, .spread_frac = 0.02},
     {BUY},
     101 * 1.01},
    {"slippage ends at the high",
     {.slippage.percent_frac = 0.01, .slips_in_bar = 1},
     {BUY, .high = 100.4, .low = 99.6},
     100.4},
    {"and at the low",
     {.slippage.percent_frac = 0.01, .slips_in_bar = 1},
     {SELL, .high = 100.4, .low = 99.6},
     99.6},
    {"a wide bar does not hold it",
     {.slippage.percent_frac = 0.01, .slips_in_bar = 1},
     {BUY, .high = 104, .low = 99.6},
     101},
    {"nor does a bar that is not known",
     {.slippage.percent_frac = 0.01, .slips_in_bar = 1},
     {BUY, .high = NAN, .low = NAN},
     101},
    {"there, a limit at a better price slips too",
     {.slippage.percent_frac = 0.01, .slips_in_bar = 1},
     {SELL, .high = 104, .low = 90, .is_limit = true, .limit_px = 95},
     99},
    {"to its own price at most",
     {.slippage.percent_frac = 0.01, .slips_in_bar = 1},
     {BUY, .high = 104, .low = 90, .is_limit = true, .limit_px = 100.2},
     100.2},
    {"and not at its own price",
     {.slippage.percent_frac = 0.01, .slips_in_bar = 1},
     {SELL, .high = 104, .low = 90, .is_limit = true, .limit_px = 100},
     100},
    {"elsewhere a limit never does",
     {.slippage.percent_frac = 0.01},
     {SELL, .is_limit = true, .limit_px = 95},
     100},
    {"never better than the price itself",
     {.slippage.percent_frac = 0.01, .slips_in_bar = 1},
     {BUY, .high = 98, .low = 97},
     100},
    {"never below zero", {.slippage.ticks = 300, .slippage.tick = 1}, {SELL}, 0},
    {"no price, no fill", {.fill = FILL_NEXT_OPEN}, {.side = 1, .px = NAN}, 0},
    {"no fill below zero", {.fill = FILL_NEXT_OPEN}, {.side = 1, .px = -5}, 0},
};

Test(price, slips_and_pays_the_spread)
{
    for (unsigned i = 0; i < sizeof price_rows / sizeof price_rows[0]; i++) {
        const struct price_row *row = &price_rows[i];
        double px = cost_price(&row->cfg, &row->quote);
        cr_expect(near(px, row->px), "%s: %.17g", row->what, px);
    }
}

Test(price, is_never_better_than_the_quote_and_moves_with_size)
{
    uint64_t seed = 2;
    for (int i = 0; i < 20000; i++) {
        struct execution_cfg cfg = {
            .slippage = {.percent_frac = 0.02 * random_frac(&seed),
                         .ticks = floor(3 * random_frac(&seed)),
                         .tick = 0.01,
                         .impact = random_frac(&seed)},
            .spread_frac = 0.01 * random_frac(&seed),
        };
        double side = random_frac(&seed) < 0.5 ? 1 : -1;
        struct quote q = {.px = 1 + 100 * random_frac(&seed),
                          .side = side,
                          .qty = 100 * random_frac(&seed),
                          .volume = 1000};
        double px = cost_price(&cfg, &q);
        cr_assert_geq(side * (px - q.px), 0);
        q.qty *= 2;
        cr_assert_geq(side * (cost_price(&cfg, &q) - px), 0);
    }
}
