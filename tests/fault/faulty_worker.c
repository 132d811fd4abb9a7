/* SPDX-License-Identifier: MIT */
/* A worker with one more strategy, `fault`, that misbehaves on a chosen bar of chosen combinations:
 * what the fault tests put in the place of admf-worker ($ADMF_WORKER). Until then it holds like
 * buy_and_hold. */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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
    KIND_MEMORY,   /* takes memory until there is no more, when it is initialized */
    KIND_PRICE,    /* says a signal with a wrong price */
    KIND_BAR,      /* of another bar */
    KIND_SYMBOL,   /* of a symbol that it does not trade */
    KIND_TWICE,    /* says its signal twice */
    KIND_DEAF,     /* lockstep: claims to have sent signals, and has closed its channel */
};

struct fault_state {
    const struct combo *combo;
    const struct market *market;
    const struct bus *bus;
    const struct account *account;
    struct slot *slot;
    uint32_t lane;
};

static int fault_configure(void *self, const struct combo *combo, const struct strategy_spec *spec,
                           struct err *err)
{
    ((struct fault_state *)self)->combo = combo;
    return 0;
}

#define TAKEN_BYTES ((size_t)1 << 20)

/* Touches what it takes, and gives all back in the end. */
static int take_all_memory(void)
{
    void *taken = NULL, *more;
    while ((more = malloc(TAKEN_BYTES)) != NULL) {
        memset(more, 1, TAKEN_BYTES);
        memcpy(more, &taken, sizeof taken);
        taken = more;
    }
    while (taken) {
        memcpy(&more, taken, sizeof more);
        free(taken);
        taken = more;
    }
    return -ENOMEM;
}

static int fault_initialize(void *self, struct container *c, struct err *err)
{
    struct fault_state *f = self;
    if (f->combo->params[1] == KIND_MEMORY)
        return take_all_memory();
    f->slot = c->slot;
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

static void go_deaf(const struct fault_state *f)
{
    struct stat st;
    for (int fd = 3; fd < 256; fd++)
        if (fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode))
            (void)close(fd);
    atomic_fetch_add(&f->slot->signals_sent, 1);
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
    case KIND_DEAF:
        go_deaf(f);
        return;
    default: /* memory and lies have their own places */
        return;
    }
}

static void fault_on_bar(void *self, const void *event)
{
    const struct fault_state *f = self;
    uint32_t step = ((const struct bar_event *)event)->step;
    enum kind kind = KIND_NONE;
    if (step == f->market->first_step + (uint32_t)f->combo->params[0])
        kind = (enum kind)f->combo->params[1];
    misbehave(f, kind);
    int32_t row = market_row(f->market, 0, step);
    bool is_lie = kind >= KIND_PRICE && kind <= KIND_TWICE;
    if (row < 0 || (f->account->pos[0].qty != 0.0 && !is_lie))
        return;
    const struct signal s = {
        .target_portfolio = f->lane,
        .bar = step + (kind == KIND_BAR),
        .symbol_idx = kind == KIND_SYMBOL,
        .kinds = SIGNAL_LONG_ENTRY,
        .ref_px = f->market->symbol[0]->bars.close[row] + (kind == KIND_PRICE ? 1.0 : 0.0),
    };
    bus_publish(f->bus, EVENT_SIGNAL, &s);
    if (kind == KIND_TWICE)
        bus_publish(f->bus, EVENT_SIGNAL, &s);
}

static uint32_t fault_warm_up_step(const void *self)
{
    return ((const struct fault_state *)self)->market->first_step;
}

static const struct component_param params[] = {
    {"bar", NULL, 0, 0, 1e9, 1, "bar of the range at which it misbehaves"},
    {"kind", NULL, 0, 0, KIND_DEAF, 1, "how: see enum kind"},
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
    .optimizable = &(const struct optimizable){NULL},
    .signal_generator = &(const struct signal_generator){fault_on_bar, fault_warm_up_step},
};

int main(int argc, char **argv)
{
    if (registry_add(&type_fault) < 0)
        return 70;
    return worker_main(argc, argv);
}
