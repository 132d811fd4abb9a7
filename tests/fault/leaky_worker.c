/* SPDX-License-Identifier: MIT */
/* A worker with one more strategy, `leaky`, that can look ahead: what the tests of the look-ahead
 * test put in the place of admf-worker ($ADMF_WORKER). It is long while the close rises. */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "worker/builtin.h"
#include "worker/container.h"
#include "worker/registry.h"
#include "worker/serve.h"

enum kind {
    KIND_CLOSE,    /* looks at the close `ahead` bars on: 0 is honest */
    KIND_LENGTH,   /* leaves `ahead` bars before the last one, which it should not know of */
    KIND_UNSTABLE, /* does not do the same twice */
    KIND_CRASH,    /* on bar `ahead` of ranges that end before the bar 2000 */
    KIND_VOLUME,   /* looks at the volume `ahead` bars on */
};

struct leaky_state {
    const struct combo *combo;
    const struct market *market;
    const struct bus *bus;
    const struct account *account;
};

static int leaky_configure(void *self, const struct combo *combo, const struct strategy_spec *spec,
                           struct err *err)
{
    ((struct leaky_state *)self)->combo = combo;
    return 0;
}

static int leaky_initialize(void *self, struct container *c, struct err *err)
{
    struct leaky_state *l = self;
    const struct component *portfolio = container_find(c, PROTOCOL_PORTFOLIO);
    l->market = container_resolve(c, "market_data");
    l->bus = container_resolve(c, "event_bus");
    l->account = portfolio->type->portfolio->account(portfolio->self);
    return 0;
}

/* Whether it rises `ahead` bars on, as far as there are bars. */
static bool rises(const double *values, uint32_t rows_n, uint32_t row, uint32_t ahead)
{
    uint32_t at = row + ahead < rows_n ? row + ahead : row;
    return at > 0 && values[at] > values[at - 1];
}

static bool wants_long(const struct leaky_state *l, const struct bars *bars, uint32_t row)
{
    static unsigned calls_n;
    uint32_t ahead = (uint32_t)l->combo->params[0];
    switch ((enum kind)l->combo->params[1]) {
    case KIND_LENGTH:
        return rises(bars->close, bars->rows_n, row, 0) && row + ahead + 1 < bars->rows_n;
    case KIND_UNSTABLE:
        return ++calls_n % 7 < 4;
    case KIND_CRASH:
        if (row == ahead && bars->rows_n < 2000)
            (void)raise(SIGSEGV);
        return rises(bars->close, bars->rows_n, row, 0);
    case KIND_VOLUME:
        return rises(bars->volume, bars->rows_n, row, ahead);
    default:
        return rises(bars->close, bars->rows_n, row, ahead);
    }
}

static void leaky_on_bar(void *self, const void *event)
{
    const struct leaky_state *l = self;
    uint32_t step = ((const struct bar_event *)event)->step;
    for (uint32_t s = 0; s < l->market->symbols_n; s++) {
        const struct bars *bars = &l->market->symbol[s]->bars;
        int32_t row = market_row(l->market, s, step);
        if (row < 0)
            continue;
        bool is_long = l->account->pos[s].qty > 0, wants = wants_long(l, bars, (uint32_t)row);
        if (is_long == wants)
            continue;
        const struct signal signal = {
            .bar = step,
            .symbol_idx = (uint16_t)s,
            .kinds = wants ? SIGNAL_LONG_ENTRY : SIGNAL_LONG_EXIT,
            .ref_px = bars->close[row],
        };
        bus_publish(l->bus, EVENT_SIGNAL, &signal);
    }
}

static uint32_t leaky_warm_up_step(const void *self)
{
    return ((const struct leaky_state *)self)->market->first_step;
}

static const struct component_param params[] = {
    {"ahead", NULL, 0, 0, 1e9, 1, "how many bars it looks ahead"},
    {"kind", NULL, 0, 0, KIND_VOLUME, 1, "at what: see enum kind"},
};

static const struct component_type type_leaky = {
    .name = "leaky",
    .kind = "strategy",
    .what = "Looks ahead.",
    .capabilities = 1 << CAPABILITY_LIFECYCLE | 1 << CAPABILITY_EVENTS,
    .state_bytes = sizeof(struct leaky_state),
    .params = params,
    .params_n = sizeof params / sizeof params[0],
    .lifecycle = &(const struct lifecycle){.initialize = leaky_initialize},
    .configurable = &(const struct configurable){leaky_configure},
    .optimizable = &(const struct optimizable){NULL},
    .signal_generator = &(const struct signal_generator){leaky_on_bar, leaky_warm_up_step},
};

int main(int argc, char **argv)
{
    if (registry_add(&type_leaky) < 0)
        return 70;
    return worker_main(argc, argv);
}
