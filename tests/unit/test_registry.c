/* SPDX-License-Identifier: MIT */
/* Promise: every component type of the table is complete and covered here; types are found by name
 * and by protocol, and take new ones beside them; every named strategy's rules parse and bind. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "shm/graph.h"
#include "worker/builtin.h"
#include "worker/registry.h"

/* ---- registry ------------------------------------------------------------------------------- */

/* name, kind, first protocol: a type that is not listed here fails a test, and so does one too
 * many. */
static const struct {
    const char *name, *kind;
    enum protocol protocol;
} covered[] = {
    {"rules", "strategy", PROTOCOL_SIGNAL_GENERATOR},
    {"sma_cross", "strategy", PROTOCOL_SIGNAL_GENERATOR},
    {"momentum", "strategy", PROTOCOL_SIGNAL_GENERATOR},
    {"mean_reversion", "strategy", PROTOCOL_SIGNAL_GENERATOR},
    {"bollinger", "strategy", PROTOCOL_SIGNAL_GENERATOR},
    {"breakout", "strategy", PROTOCOL_SIGNAL_GENERATOR},
    {"channel_breakout", "strategy", PROTOCOL_SIGNAL_GENERATOR},
    {"macd_cross", "strategy", PROTOCOL_SIGNAL_GENERATOR},
    {"buy_and_hold", "strategy", PROTOCOL_SIGNAL_GENERATOR},
    {"risk_manager", "risk", PROTOCOL_RISK_MANAGER},
    {"shared_risk_manager", "risk", PROTOCOL_RISK_MANAGER},
    {"uplink", "risk", PROTOCOL_EVENT_SUBSCRIBER},
    {"broker", "execution", PROTOCOL_EXECUTOR},
    {"shared_broker", "execution", PROTOCOL_EXECUTOR},
    {"portfolio", "portfolio", PROTOCOL_PORTFOLIO},
    {"performance_tracker", "monitor", PROTOCOL_MONITOR},
};
#define COVERED_N (sizeof covered / sizeof covered[0])

static int covered_find(const char *name)
{
    for (unsigned i = 0; i < COVERED_N; i++)
        if (strcmp(covered[i].name, name) == 0)
            return (int)i;
    return -1;
}

Test(registry, every_built_in_type_is_covered_by_this_test)
{
    for (unsigned i = 0; i < builtin_types_n; i++)
        cr_expect_geq(covered_find(builtin_types[i]->name), 0, "%s: add a row to `covered`",
                      builtin_types[i]->name);
    cr_expect_eq(builtin_types_n, COVERED_N);
}

Test(registry, every_built_in_type_is_complete)
{
    for (unsigned i = 0; i < COVERED_N; i++) {
        const struct component_type *t = registry_find(covered[i].name);
        cr_assert_not_null(t, "%s", covered[i].name);
        cr_expect_str_eq(t->kind, covered[i].kind, "%s", t->name);
        cr_expect(component_implements(t, covered[i].protocol), "%s", t->name);
        cr_expect_gt(strlen(t->what), 20, "%s", t->name);
        cr_expect_gt(t->state_bytes, 0, "%s", t->name);
        cr_expect_eq(!!(t->capabilities & 1 << CAPABILITY_RESET), !!t->resettable, "%s", t->name);
        cr_expect_eq(!!(t->capabilities & 1 << CAPABILITY_LIFECYCLE), !!t->lifecycle, "%s",
                     t->name);
        bool has_events = t->event_subscriber || t->signal_generator || t->risk_manager;
        cr_expect_eq(!!(t->capabilities & 1 << CAPABILITY_EVENTS), has_events, "%s", t->name);
        cr_expect_eq(!!(t->capabilities & 1 << CAPABILITY_MONITORING), !!t->monitor, "%s", t->name);
        cr_expect_eq(!!(t->capabilities & 1 << CAPABILITY_OPTIMIZATION), !!t->optimizable, "%s",
                     t->name);
        cr_expect_lt(t->capabilities, 1u << CAPABILITY_N, "%s", t->name);
    }
}

Test(registry, finds_by_name_and_by_protocol)
{
    const struct component_type *found[32];
    unsigned n = registry_find_by_protocol(PROTOCOL_SIGNAL_GENERATOR, found, 32);
    cr_assert_eq(n, 9);
    for (unsigned i = 0; i < n; i++)
        cr_expect_str_eq(found[i]->kind, "strategy");
    found[2] = NULL;
    cr_expect_eq(registry_find_by_protocol(PROTOCOL_SIGNAL_GENERATOR, found, 2), 9);
    cr_expect_null(found[2], "writes no more than asked for");
    cr_expect_null(registry_find("no_such_strategy"));
    cr_expect_eq(registry_find("rules"), &type_rules);
}

static const struct component_type type_a = {
    .name = "a", .kind = "monitor", .what = "Does nothing.", .state_bytes = 1};

Test(registry, takes_new_types_and_refuses_a_name_twice)
{
    unsigned n = registry_n();
    cr_expect_eq(registry_add(&type_a), 0);
    cr_expect_eq(registry_find("a"), &type_a);
    cr_expect_eq(registry_n(), n + 1);
    cr_expect_eq(registry_add(&type_a), -EEXIST);
    cr_expect_eq(registry_add(&type_rules), -EEXIST);
    cr_expect_eq(registry_n(), n + 1);
    cr_expect_eq(registry_at(n), &type_a);
}

Test(registry, stops_at_its_places)
{
    static struct component_type many[REGISTRY_MAX + 1];
    static char name[REGISTRY_MAX + 1][8];
    for (int i = 0; i <= REGISTRY_MAX; i++) {
        (void)snprintf(name[i], sizeof name[i], "t%d", i);
        many[i].name = name[i];
        cr_expect_eq(registry_add(&many[i]), i < REGISTRY_MAX ? 0 : -ENOSPC);
    }
}

Test(registry, names_protocols_and_capabilities)
{
    cr_expect_str_eq(protocol_name(PROTOCOL_SIGNAL_GENERATOR), "SignalGenerator");
    cr_expect_str_eq(protocol_name(PROTOCOL_N), "?");
    cr_expect_str_eq(capability_name(CAPABILITY_RESET), "reset");
    cr_expect_str_eq(capability_name(CAPABILITY_N), "?");
    cr_expect_not(component_implements(&type_a, PROTOCOL_N));
}

/* ---- named strategies ----------------------------------------------------------------------- */

static struct expr_env defaults_of(const struct component_type *t, const char **names,
                                   double *values)
{
    for (unsigned i = 0; i < t->params_n; i++) {
        names[i] = t->params[i].name;
        values[i] = t->params[i].default_value;
    }
    return (struct expr_env){t->params_n, names, values};
}

/* Names that are neither parameters nor columns of bars would be taken as imported columns. */
static void expect_names_known(const struct component_type *t, const struct expr *expr)
{
    const char *const *names;
    size_t n = expr_names(expr, &names);
    for (size_t i = 0; i < n; i++) {
        bool is_known = false;
        for (unsigned p = 0; p < t->params_n; p++)
            is_known |= strcmp(t->params[p].name, names[i]) == 0;
        cr_expect(is_known, "%s: `%s` is no parameter", t->name, names[i]);
    }
}

static void expect_rule(struct graph *graph, const struct component_type *t, const char *rule,
                        bool is_condition)
{
    const char *names[SPEC_PARAMS_MAX];
    double values[SPEC_PARAMS_MAX];
    const struct expr_env env = defaults_of(t, names, values);
    struct expr *expr;
    struct err err = {0};
    uint32_t node;
    if (!rule)
        return;
    cr_assert_eq(expr_parse(rule, &expr, &err), 0, "%s: %s", t->name, err.text);
    cr_expect_eq(expr_is_condition(expr), is_condition, "%s: %s", t->name, rule);
    expect_names_known(t, expr);
    cr_expect_eq(graph_add(graph, expr, &env, &node, &err), 0, "%s: %s", t->name, err.text);
    expr_destroy(expr);
}

Test(named_strategies, rules_are_conditions_and_prices_numbers_that_bind_with_default_parameters)
{
    struct graph *graph;
    cr_assert_eq(graph_create(&graph), 0);
    for (unsigned i = 0; i < NAMED_STRATEGIES_N; i++) {
        const struct component_type *t = &named_strategies[i];
        const struct strategy_rules *r = t->rules;
        cr_assert_not_null(r);
        cr_expect(r->long_entry || r->short_entry, "%s never enters", t->name);
        cr_expect(r->long_entry || (!r->long_limit && !r->long_stop), "%s", t->name);
        cr_expect(r->short_entry || (!r->short_limit && !r->short_stop), "%s", t->name);
        const char *const rules[] = {r->long_entry, r->long_exit, r->short_entry, r->short_exit,
                                     r->long_limit, r->long_stop, r->short_limit, r->short_stop};
        for (int k = 0; k < 8; k++)
            expect_rule(graph, t, rules[k], k < 4);
    }
    graph_destroy(graph);
}

Test(named_strategies, defaults_are_in_range_and_accepted)
{
    for (unsigned i = 0; i < NAMED_STRATEGIES_N; i++) {
        const struct component_type *t = &named_strategies[i];
        const char *names[SPEC_PARAMS_MAX];
        double values[SPEC_PARAMS_MAX], accepted = 0;
        const struct expr_env env = defaults_of(t, names, values);
        for (unsigned p = 0; p < t->params_n; p++) {
            const struct component_param *q = &t->params[p];
            cr_expect(q->default_value >= q->minimum && q->default_value <= q->maximum, "%s %s",
                      t->name, q->name);
            cr_expect(!q->is_whole || q->default_value == floor(q->default_value));
            cr_expect_gt(strlen(q->what), 5, "%s %s", t->name, q->name);
        }
        cr_assert_not_null(t->optimizable);
        if (!t->optimizable->accepts)
            continue;
        struct expr *expr;
        struct err err = {0};
        cr_assert_eq(expr_parse(t->optimizable->accepts, &expr, &err), 0, "%s", err.text);
        cr_expect_eq(expr_eval_scalar(expr, &env, &accepted, &err), 0, "%s", err.text);
        cr_expect_eq(accepted, 1.0, "%s: %s", t->name, t->optimizable->accepts);
        expr_destroy(expr);
    }
}
