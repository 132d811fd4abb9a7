/* SPDX-License-Identifier: MIT */
/* A worker with one more strategy, `fault`, that misbehaves on a chosen bar of chosen combinations:
 * what the fault tests put in the place of admf-worker ($ADMF_WORKER). Until then it holds like
 * buy_and_hold. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "worker/builtin.h"
#include "worker/container.h"
#include "worker/registry.h"
#include "worker/serve.h"

enum kind {
    KIND_NONE,
    KIND_SEGV,
    KIND_ABRT,
    KIND_FPE,
    KIND_BUS,
    KIND_ILL,
    KIND_STACK, /* overflow */
    KIND_EXIT,  /* status 0, early */
    KIND_HANG,
    KIND_SCRIBBLE, /* writes into the plane */
    KIND_KILL,     /* SIGKILL: no last words */
    KIND_ONCE,     /* crashes the first time only: FAULT_ONCE names the file that remembers */
};

struct fault_state {
    const struct combo *combo;
    const struct market *market;
    const struct bus *bus;
    const struct account *account;
    uint32_t lane;
};

static int fault_configure(void *self, const struct combo *combo, const struct strategy_spec *spec,
                           struct err *err)
{
    ((struct fault_state *)self)->combo = combo;
    return 0;
}

static int fault_initialize(void *self, struct container *c, struct err *err)
{
    struct fault_state *f = self;
    const struct component *portfolio = container_find(c, PROTOCOL_PORTFOLIO);
    f->market = container_resolve(c, "market_data");
    f->lane = c->lane;
    f->bus = container_resolve(c, "event_bus");
    f->account = portfolio->type->portfolio->account(portfolio->self);
    return 0;
}

/* Never reaches its bound before the stack ends; the bound keeps the compiler quiet. */
static int overflow(volatile int *depth)
{
    volatile char page[4096];
    page[0] = (char)*depth;
    int more = *depth + 1;
    return *depth < 1 << 30 ? overflow(&more) + page[0] : 0;
}

static void once(void)
{
    const char *path = getenv("FAULT_ONCE");
    if (path && access(path, F_OK) != 0) {
        FILE *mark = fopen(path, "w");
        if (mark)
            (void)fclose(mark);
        (void)raise(SIGSEGV);
    }
}

static void misbehave(const struct fault_state *f, enum kind kind)
{
    volatile int zero = 0;
    switch (kind) {
    case KIND_NONE:
        return;
    case KIND_SEGV:
        (void)raise(SIGSEGV);
        return;
    case KIND_ABRT:
        abort();
    case KIND_FPE:
        (void)raise(SIGFPE);
        return;
    case KIND_BUS:
        (void)raise(SIGBUS);
        return;
    case KIND_ILL:
        (void)raise(SIGILL);
        return;
    case KIND_STACK:
        (void)overflow(&zero);
        return;
    case KIND_EXIT:
        _exit(0);
    case KIND_HANG:
        for (;;)
            zero++;
    case KIND_SCRIBBLE: {
        uintptr_t address = (uintptr_t)f->market->symbol[0]->bars.close;
        *(volatile double *)address = 1.0;
        return;
    }
    case KIND_KILL:
        (void)kill(getpid(), SIGKILL);
        return;
    case KIND_ONCE:
        once();
        return;
    }
}

static void fault_on_bar(void *self, uint32_t step)
{
    const struct fault_state *f = self;
    if (step == f->market->first_step + (uint32_t)f->combo->params[0])
        misbehave(f, (enum kind)f->combo->params[1]);
    int32_t row = market_row(f->market, 0, step);
    if (row < 0 || f->account->pos[0].qty != 0.0)
        return;
    const struct signal s = {
        .target_portfolio = f->lane,
        .bar = step,
        .kinds = SIGNAL_LONG_ENTRY,
        .ref_px = f->market->symbol[0]->bars.close[row],
    };
    bus_publish(f->bus, EVENT_SIGNAL, &s);
}

static void fault_on_bar_event(void *self, const void *event)
{
    fault_on_bar(self, ((const struct bar_event *)event)->step);
}

static int fault_subscribe(void *self, struct bus *bus)
{
    return bus_subscribe(bus, EVENT_BAR, RANK_DECIDE,
                         (struct bus_handler){fault_on_bar_event, self, 0});
}

static uint32_t fault_warm_up_step(const void *self)
{
    return ((const struct fault_state *)self)->market->first_step;
}

static const struct component_param params[] = {
    {"bar", NULL, 0, 0, 1e9, 1, "bar of the range at which it misbehaves"},
    {"kind", NULL, 0, 0, KIND_ONCE, 1, "how: see enum kind"},
    {"salt", NULL, 0, 0, 1e9, 1, "tells combinations apart"},
};

static const struct component_type type_fault = {
    .name = "fault",
    .kind = "strategy",
    .what = "Misbehaves on a chosen bar.",
    .capabilities = 1 << CAPABILITY_LIFECYCLE | 1 << CAPABILITY_EVENTS,
    .state_bytes = sizeof(struct fault_state),
    .params = params,
    .params_n = sizeof params / sizeof params[0],
    .lifecycle = &(const struct lifecycle){.initialize = fault_initialize},
    .configurable = &(const struct configurable){fault_configure},
    .event_subscriber = &(const struct event_subscriber){fault_subscribe},
    .optimizable = &(const struct optimizable){NULL},
    .signal_generator = &(const struct signal_generator){fault_on_bar, fault_warm_up_step},
};

int main(int argc, char **argv)
{
    if (registry_add(&type_fault) < 0)
        return 70;
    return worker_main(argc, argv);
}
