/* SPDX-License-Identifier: MIT */
/* A strategy of its own, as a program that is made of the worker may add one: at random bars it
 * asks for random entries and exits, and says prices, sizes, stops and how long an order waits.
 * What it says depends on the bar alone. */
#include <math.h>

#include "tests/property/property.h"
#include "worker/container.h"
#include "worker/market.h"
#include "worker/registry.h"

/* Bits of the parameter `variety`: what orders say beyond their side. */
enum variety {
    HAS_LIMIT = 1,
    HAS_STOP = 2,
    HAS_QTY = 4,
    HAS_EXITS = 8,
    HAS_TIF = 16,
    IS_OFTEN = 32
};

struct noise_state {
    const struct combo *combo;
    const struct market *market;
    const struct bus *bus;
    uint32_t lane;
};

static int noise_configure(void *self, const struct combo *combo, const struct strategy_spec *spec,
                           struct err *err)
{
    (void)spec;
    (void)err;
    ((struct noise_state *)self)->combo = combo;
    return 0;
}

static int noise_initialize(void *self, struct container *c, struct err *err)
{
    struct noise_state *n = self;
    (void)err;
    n->market = c->market;
    n->bus = &c->bus;
    n->lane = c->lane;
    return 0;
}

static struct order_terms terms_at(const struct noise_state *n, struct chance *c, double close,
                                   int side)
{
    unsigned variety = (unsigned)n->combo->params[NOISE_VARIETY];
    double often = variety & IS_OFTEN ? 1.0 : 0.4;
    struct order_terms t = {0};
    if (variety & HAS_LIMIT && chance_is(c, often))
        t.limit_px = close * chance_between(c, 0.97, 1.03);
    if (variety & HAS_STOP && chance_is(c, often))
        t.stop_px = close * chance_between(c, 0.97, 1.03);
    if (variety & HAS_QTY && chance_is(c, often))
        t.qty = n->combo->params[NOISE_QTY] * (1 + chance_below(c, 4));
    if (variety & HAS_EXITS && chance_is(c, often)) {
        t.stop_loss_px = close * (1.0 - side * chance_between(c, -0.005, 0.06));
        t.take_profit_px = close * (1.0 + side * chance_between(c, -0.005, 0.06));
    }
    if (variety & HAS_TIF)
        t.time_in_force = (uint8_t)chance_below(c, TIF_IOC + 1);
    return t;
}

static void noise_at(const struct noise_state *n, uint32_t step, uint32_t s, int32_t row)
{
    const struct bars *bars = &n->market->symbol[s]->bars;
    uint64_t salt = (uint64_t)n->combo->params[NOISE_SALT] << 8 | n->market->symbol_idx[s];
    struct chance c = {salt ^ (uint64_t)bars->time_ns[row]};
    double close = bars->close[row];
    if (!chance_is(&c, n->combo->params[NOISE_DENSITY]))
        return;
    struct signal signal = {
        .target_portfolio = n->lane,
        .bar = step,
        .symbol_idx = (uint16_t)s,
        .kinds = (uint16_t)(1u << chance_below(&c, 4)),
        .ref_px = close,
    };
    if (chance_is(&c, 0.1))
        signal.kinds |= (uint16_t)(1u << chance_below(&c, 4));
    signal.long_terms = terms_at(n, &c, close, 1);
    signal.short_terms = terms_at(n, &c, close, -1);
    bus_publish(n->bus, EVENT_SIGNAL, &signal);
}

static void noise_on_bar(void *self, const void *event)
{
    const struct noise_state *n = self;
    uint32_t step = ((const struct bar_event *)event)->step, delay = n->combo->execution.delay;
    for (uint32_t s = 0; s < n->market->symbols_n; s++) {
        int32_t row = market_row(n->market, s, step);
        if (row >= (int32_t)delay)
            noise_at(n, step, s, row - (int32_t)delay);
    }
}

static uint32_t noise_warm_up_step(const void *self)
{
    return ((const struct noise_state *)self)->market->first_step;
}

static const struct component_param noise_params[NOISE_PARAMS_N] = {
    [NOISE_SALT] = {"salt", NULL, 0, 0, 1e9, 1, "which noise"},
    [NOISE_DENSITY] = {"density", NULL, 0.1, 0, 1, 0, "share of bars with a signal"},
    [NOISE_VARIETY] = {"variety", NULL, 0, 0, 63, 1, "what orders say"},
    [NOISE_QTY] = {"qty", NULL, 100, 0, 1e12, 0, "units"},
};

static const struct component_type type_noise = {
    .name = "noise",
    .kind = "strategy",
    .what = "Random orders of every kind.",
    .state_bytes = sizeof(struct noise_state),
    .params = noise_params,
    .params_n = NOISE_PARAMS_N,
    .lifecycle = &(const struct lifecycle){.initialize = noise_initialize},
    .configurable = &(const struct configurable){noise_configure},
    .signal_generator = &(const struct signal_generator){noise_on_bar, noise_warm_up_step},
};

void noise_register(void)
{
    if (registry_add(&type_noise) < 0)
        __builtin_trap();
}
