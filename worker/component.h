/* SPDX-License-Identifier: MIT */
/* What a component is: a const table. For implementers.
 *
 * A component implements protocols, each a small vtable below, and leaves out what it does not do;
 * a container calls just what is there. The framework owns the state: state_bytes of zeroed memory,
 * made anew for every container, handed as `self` to every function. No function may keep anything
 * outside of it.
 *
 * Order of calls, all components in dependency order before the next kind of call:
 *     configure → initialize → subscribe → reset → start → (events) → stop → teardown (reverse
 * order) */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"
#include "proto/spec.h"
#include "worker/broker/execution.h"
#include "worker/bus.h"
#include "worker/portfolio/account.h"

struct container;
struct result;

/* symbol, name in the catalogue */
#define PROTOCOLS(X)                                                                               \
    X(SIGNAL_GENERATOR, "SignalGenerator")                                                         \
    X(RISK_MANAGER, "RiskManager")                                                                 \
    X(EXECUTOR, "Executor")                                                                        \
    X(PORTFOLIO, "Portfolio")                                                                      \
    X(MONITOR, "Monitor")                                                                          \
    X(EVENT_SUBSCRIBER, "EventSubscriber")                                                         \
    X(RESETTABLE, "Resettable")                                                                    \
    X(OPTIMIZABLE, "Optimizable")                                                                  \
    X(CONFIGURABLE, "Configurable")

enum protocol {
#define X(symbol, name) PROTOCOL_##symbol,
    PROTOCOLS(X)
#undef X
        PROTOCOL_N
};

/* bit, name in the catalogue */
#define CAPABILITIES(X)                                                                            \
    X(LIFECYCLE, "lifecycle")                                                                      \
    X(EVENTS, "events")                                                                            \
    X(OPTIMIZATION, "optimization")                                                                \
    X(RESET, "reset")                                                                              \
    X(MONITORING, "monitoring")

enum capability {
#define X(symbol, name) CAPABILITY_##symbol,
    CAPABILITIES(X)
#undef X
        CAPABILITY_N
};

const char *protocol_name(enum protocol protocol);
const char *capability_name(enum capability capability);

/* ---- protocols: each function may be NULL only where it says so ----------------------------- */

struct lifecycle {
    /* Once, after every component of the container is made and configured. May fail: the
     * combination is then `invalid` (ERR_CONFIG) or `out_of_memory`. May resolve other components;
     * must not publish. NULL: nothing. */
    int (*initialize)(void *self, struct container *c, struct err *err);
    void (*start)(void *self);    /* just before the first bar. NULL: nothing */
    void (*stop)(void *self);     /* just after the last bar. NULL: nothing */
    void (*teardown)(void *self); /* in reverse order; must accept a component that never started.
                                     NULL: nothing */
};

struct configurable {
    /* Before initialize: the combination that the container runs. Borrowed for the container's
     * life. */
    int (*configure)(void *self, const struct combo *combo, const struct strategy_spec *spec,
                     struct err *err);
};

struct event_subscriber {
    /* After initialize: bus_subscribe() for each event it wants. 0 or a negative errno. */
    int (*subscribe)(void *self, struct bus *bus);
};

struct resettable {
    void (*reset)(void *self); /* back to the state before the first bar */
};

/* What a generator may publish: at each BAR at most one SIGNAL for each symbol that has a bar
 * there. Its fields:
 * - target_portfolio: the container's lane.
 * - bar: the step of that BAR.
 * - ref_px: the close of the bar that made it: that of the same bar, or with execution.delay n that
 *   of the symbol's n-th bar before, as the generator itself speaks n bars late.
 * - kinds: entries and exits together where both hold; risk says which are heard. An exit while
 *   flat takes waiting entries of its side back.
 * - long_terms, short_terms: of its long and of its short entry. All zero is a market order, sized
 *   by portfolio.sizing and protected as exits says. limit_px and stop_px make it wait for a price
 *   (both: a stop that becomes a limit) as long as time_in_force says; a new entry replaces one
 *   that waits. qty > 0 are units instead of portfolio.sizing; stop_loss_px and take_profit_px are
 *   the prices of its bracket. Numbers are finite and not negative.
 *
 * A signal that a lockstep run's supervisor finds to be none of this ends the combination as
 * `protocol`. */
struct signal_generator {
    /* Called by the container for each BAR, behind all others (RANK_DECIDE). Never blocks. */
    bus_handler_fn on_bar;
    /* First step at which every series it reads is defined, over all symbols. */
    uint32_t (*warm_up_step)(const void *self);
};

struct risk_manager {
    /* Called by the container for each SIGNAL: publishes what becomes of it as ORDER events. Must
     * depend on nothing but the signal, its account and its configuration. */
    bus_handler_fn on_signal;
};

struct executor {
    void (*finish)(void *self, uint32_t last_step); /* what at_end closes */
};

struct portfolio {
    struct account *(*account)(void *self);
    void (*mark)(void *self, uint32_t step); /* again, after fills that came late */
};

struct monitor {
    /* After stop: status ok and every metric of the profile. */
    void (*measure)(void *self, struct result *ret_result);
};

/* Rules of a named strategy, over its parameters; NULL where there is none. */
struct strategy_rules {
    const char *long_entry, *long_exit, *short_entry, *short_exit; /* conditions */
    const char *long_limit, *long_stop, *short_limit, *short_stop; /* prices of the entries */
};

struct optimizable {
    const char *accepts; /* condition on parameters that a combination must meet; NULL: all */
};

struct component_param {
    const char *name, *alias; /* alias: a short name that is understood too, or NULL */
    double default_value, minimum, maximum;
    int is_whole;
    const char *what;
};

struct component_type {
    const char *name;
    const char *kind;      /* "strategy", "risk", "execution", "portfolio", "monitor" */
    const char *what;      /* for people, one or two sentences */
    unsigned capabilities; /* bits 1 << enum capability */
    size_t state_bytes;
    const struct component_param *params;
    unsigned params_n;
    const struct strategy_rules *rules; /* of strategies made of rules */

    const struct lifecycle *lifecycle;
    const struct configurable *configurable;
    const struct event_subscriber *event_subscriber;
    const struct resettable *resettable;
    const struct optimizable *optimizable;
    const struct signal_generator *signal_generator;
    const struct risk_manager *risk_manager;
    const struct executor *executor;
    const struct portfolio *portfolio;
    const struct monitor *monitor;
};

/* Whether a type implements a protocol. */
int component_implements(const struct component_type *type, enum protocol protocol);
