/* SPDX-License-Identifier: MIT */
/* What a worker process holds for a whole run, and how it makes containers. */
#include "worker/session.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/units.h"
#include "worker/altered.h"
#include "worker/builtin.h"
#include "worker/plugin.h"

static int session_programs(struct session *s, struct err *err)
{
    s->program = calloc(s->run.strategies_n + 1, sizeof *s->program);
    if (!s->program || graph_create(&s->graph) < 0)
        return -ENOMEM;
    for (uint32_t i = 0; i < s->run.strategies_n; i++) {
        int r = strategy_program_init(&s->program[i], &s->run.strategies[i], s->graph, err);
        if (r < 0)
            return r;
    }
    return 0;
}

int session_init(struct session *s, struct run_spec *run, const struct plane_fds *plane,
                 struct slot *slot, struct err *err)
{
    *s = (struct session){.run = *run, .slot = slot};
    *run = (struct run_spec){0};
    int r = plane_open(plane, &s->plane, err);
    if (r == 0) /* before any rule is read: rules may name what they bring */
        r = plugins_use(s->run.libraries, s->run.libraries_n, err);
    if (r == 0)
        r = session_programs(s, err);
    if (r == 0)
        r = market_create(s->plane, COMBO_ALL_SYMBOLS, &s->market_all);
    if (r == 0) {
        s->market_one = calloc(s->plane->symbols_n, sizeof(struct market *));
        r = s->market_one ? 0 : -ENOMEM;
    }
    if (r == -ENOMEM)
        r = err_set(err, ERR_SYSTEM, "not enough memory to start a worker");
    if (r < 0)
        session_fini(s);
    return r;
}

void session_fini(struct session *s)
{
    for (uint32_t i = 0; s->market_one && i < s->plane->symbols_n; i++)
        market_destroy(s->market_one[i]);
    free(s->market_one);
    altered_destroy(s->altered);
    market_destroy(s->market_all);
    for (uint32_t i = 0; s->program && i < s->run.strategies_n; i++)
        strategy_program_fini(&s->program[i]);
    free(s->program);
    graph_destroy(s->graph);
    plane_close(s->plane);
    run_spec_fini(&s->run);
    *s = (struct session){0};
}

/* One at a time: the combinations of a path follow each other. */
static int altered_market_of(struct session *s, const struct combo *combo,
                             struct market **ret_market, struct err *err)
{
    if (s->altered && !altered_is(s->altered, combo->noise_path, combo->symbol_idx)) {
        altered_destroy(s->altered);
        s->altered = NULL;
    }
    int r = s->altered ? 0
                       : altered_create(s->plane, &s->run.noise, combo->noise_path,
                                        combo->symbol_idx, &s->altered, err);
    if (r == 0)
        *ret_market = altered_market(s->altered);
    return r;
}

int session_market(struct session *s, const struct combo *combo, struct market **ret_market,
                   struct err *err)
{
    if (combo->strategy_idx >= s->run.strategies_n)
        return err_set(err, ERR_CONFIG, "strategy %u of %u", combo->strategy_idx,
                       s->run.strategies_n);
    if (combo->params_n != s->run.strategies[combo->strategy_idx].params_n)
        return err_set(err, ERR_CONFIG, "%u parameters, the strategy has %u", combo->params_n,
                       s->run.strategies[combo->strategy_idx].params_n);
    bool is_all = combo->symbol_idx == COMBO_ALL_SYMBOLS;
    if (!is_all && combo->symbol_idx >= s->plane->traded_n)
        return err_set(err, ERR_CONFIG, "symbol %u of %u", combo->symbol_idx, s->plane->traded_n);
    if (combo->noise_path > 0)
        return altered_market_of(s, combo, ret_market, err);
    if (is_all) {
        *ret_market = s->market_all;
        return 0;
    }
    struct market **one = &s->market_one[combo->symbol_idx];
    int r = *one ? 0 : market_create(s->plane, combo->symbol_idx, one);
    if (r == 0)
        *ret_market = *one;
    return r;
}

/* ---- shapes --------------------------------------------------------------------------------- */

struct shape_row {
    const char *name;
    const struct component_type *type; /* NULL: the strategy's */
    const char *dependencies[COMPONENT_DEPENDENCIES_MAX];
};

#define SHAPE_ROWS_MAX 6

static const struct shape_row shapes[][SHAPE_ROWS_MAX] = {
    [SHAPE_FULL] =
        {
            {"strategy", NULL, {"portfolio", "risk_manager"}},
            {"risk_manager", &type_risk_manager, {"portfolio", "broker"}},
            {"broker", &type_broker, {"portfolio"}},
            {"portfolio", &type_portfolio, {NULL}},
            {"performance_tracker", &type_performance_tracker, {"portfolio", "strategy"}},
        },
    [SHAPE_MINIMAL] =
        {
            {"strategy", NULL, {NULL}},
        },
    [SHAPE_LANE] =
        {
            {"strategy", NULL, {"portfolio", "uplink"}},
            {"uplink", &type_uplink, {NULL}},
            {"portfolio", &type_portfolio, {NULL}},
            {"performance_tracker", &type_performance_tracker, {"portfolio", "strategy"}},
        },
};

static int add_components(struct container *c, const struct strategy_program *program,
                          enum container_shape shape, struct err *err)
{
    int r = 0;
    for (unsigned i = 0; r == 0 && i < SHAPE_ROWS_MAX && shapes[shape][i].name; i++) {
        const struct shape_row *row = &shapes[shape][i];
        r = container_add(c, row->name, row->type ? row->type : program->type, row->dependencies,
                          err);
    }
    return r;
}

static int register_services(struct session *s, struct container *c,
                             const struct container_request *q, const struct market *market)
{
    const struct {
        const char *name;
        const void *service;
    } rows[] = {
        {"config", &s->run},
        {"market_data", market},
        {"strategy_program", &s->program[q->combo->strategy_idx]},
        {"details", q->details},
        {"uplink_queue", q->uplink},
    };
    int r = 0;
    for (unsigned i = 0; r == 0 && i < sizeof rows / sizeof rows[0]; i++)
        r = container_register_service(c, rows[i].name, rows[i].service);
    return r;
}

int session_container(struct session *s, const struct container_request *q,
                      struct container **ret_container, struct err *err)
{
    struct market *market;
    int r = session_market(s, q->combo, &market, err);
    if (r < 0)
        return r;
    char id[CONTAINER_ID_BYTES];
    (void)snprintf(id, sizeof id, "%s_%" PRIu64 "_%s", s->run.container_prefix,
                   q->combo->container_seq, s->run.container_suffix);
    struct container *c = container_create(q->arena, id, s->slot);
    if (!c)
        return -ENOMEM;
    c->lane = q->lane;
    c->market = market;
    const struct strategy_program *program = &s->program[q->combo->strategy_idx];
    r = register_services(s, c, q, market);
    if (r == 0)
        r = add_components(c, program, q->shape, err);
    if (r == 0)
        r = container_initialize(c, &(const struct container_subject){q->combo, program->spec},
                                 err);
    if (r < 0) {
        container_teardown(c);
        return r;
    }
    *ret_container = c;
    return 0;
}

/* ---- results -------------------------------------------------------------------------------- */

static void result_blank(const struct combo *combo, struct result *ret_result)
{
    *ret_result = (struct result){.combination = combo->combination};
    for (int i = 0; i < METRIC_N; i++)
        ret_result->metrics[i] = NAN;
}

void session_refused(const struct combo *combo, int error, const struct err *err,
                     struct result *ret_result)
{
    result_blank(combo, ret_result);
    bool is_memory = error == -ENOMEM || err->kind == ERR_SYSTEM;
    bool is_refusal = err->kind == ERR_CONFIG; /* what else there is is a bug of ours: it fails */
    ret_result->status = is_memory    ? STATUS_OUT_OF_MEMORY
                         : is_refusal ? STATUS_INVALID
                                      : STATUS_PROTOCOL;
    (void)snprintf(ret_result->message, sizeof ret_result->message, "%.250s",
                   is_memory ? "not enough memory" : err->text);
}

void session_finish(struct container *c, const struct combo *combo, struct result *ret_result)
{
    result_blank(combo, ret_result);
    container_stop(c);
    const struct component *monitor = container_find(c, PROTOCOL_MONITOR);
    ret_result->status = STATUS_OK; /* a monitor may think otherwise */
    if (monitor)
        monitor->type->monitor->measure(monitor->self, ret_result);
    container_teardown(c);
}

void session_tell(struct session *s, const struct combo *combo)
{
    /* The start is cleared before the combination changes and set after: whoever reads a start that
     * is not 0 (acquire, in the pool's check of time limits) reads a combination at least as new.
     */
    struct slot *slot = s->slot;
    atomic_store_explicit(&slot->started_ns, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->combination, combo->combination, memory_order_release);
    atomic_store_explicit(&slot->bar, UINT32_MAX, memory_order_relaxed);
    atomic_store_explicit(&slot->symbol_idx, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->phase, PHASE_CREATE, memory_order_relaxed);
    atomic_store_explicit(&slot->started_ns, mono_now_ns(), memory_order_release);
    atomic_store_explicit(&slot->state, SLOT_RUNNING, memory_order_release);
}

void session_tell_idle(struct session *s)
{
    atomic_store_explicit(&s->slot->state, SLOT_IDLE, memory_order_relaxed);
}
