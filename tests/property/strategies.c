/* SPDX-License-Identifier: MIT */
/* Random strategies: rules from a grammar, with entries at the market, by limit and by stop; named
 * ones; and `noise`, which says its own prices and sizes. Conditions compare like with like, so
 * that none knows in what unit prices are. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/property/property.h"
#include "worker/registry.h"

struct text {
    char *at;
    size_t left;
};

static void __attribute__((format(printf, 2, 3))) put(struct text *t, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(t->at, t->left, fmt, args);
    va_end(args);
    if (n > 0 && (size_t)n < t->left) {
        t->at += n;
        t->left -= (size_t)n;
    }
}

/* ---- the grammar ---------------------------------------------------------------------------- */

static const char *column(struct chance *c)
{
    static const char *const columns[] = {"close", "close", "open", "high", "low", "hl2", "hlc3"};
    return columns[chance_below(c, 7)];
}

/* A period: a number or a parameter. */
static void put_period(struct text *t, struct chance *c)
{
    if (chance_is(c, 0.5))
        put(t, "%u", 2 + chance_below(c, 12));
    else
        put(t, "p%u", chance_below(c, 3));
}

/* Something in units of price. */
static void put_price(struct text *t, struct chance *c, int depth)
{
    static const char *const averages[] = {"sma", "ema", "wma", "max", "min"};
    const char *of = column(c); /* arguments of a call are evaluated in no order */
    switch (chance_below(c, depth > 0 ? 7 : 3)) {
    case 0:
        put(t, "%s", of);
        break;
    case 1:
    case 2:
        put(t, "%s(%s, ", averages[chance_below(c, 5)], of);
        put_period(t, c);
        put(t, ")");
        break;
    case 3:
        put(t, "shift(");
        put_price(t, c, depth - 1);
        put(t, ", %u)", chance_below(c, 4));
        break;
    case 4:
        put(t, "(");
        put_price(t, c, depth - 1);
        put(t, " * %.3f)", chance_between(c, 0.95, 1.05));
        break;
    case 5:
        put(t, "(");
        put_price(t, c, depth - 1);
        put(t, " + ");
        put_price(t, c, depth - 1);
        put(t, ") / 2");
        break;
    default:
        put(t, "bbands(close, 8, 2, 2).%s", chance_is(c, 0.5) ? "upper" : "lower");
        break;
    }
}

static void put_comparison(struct text *t, struct chance *c)
{
    const char *sign = chance_is(c, 0.5) ? "<" : ">";
    switch (chance_below(c, 8)) {
    case 0:
        put(t, "rsi(close, ");
        put_period(t, c);
        put(t, ") %s %u", sign, 20 + chance_below(c, 60));
        break;
    case 1:
        put(t, "roc(close, ");
        put_period(t, c);
        put(t, ") %s %.2f", sign, chance_between(c, -2, 2));
        break;
    case 2:
        put(t, "volume %s sma(volume, 5)", sign);
        break;
    case 3:
        put(t, "crosses_%s(", chance_is(c, 0.5) ? "above" : "below");
        put_price(t, c, 1);
        put(t, ", ");
        put_price(t, c, 1);
        put(t, ")");
        break;
    default:
        put_price(t, c, 2);
        put(t, " %s ", sign);
        put_price(t, c, 2);
        break;
    }
}

static void put_condition(struct text *t, struct chance *c, int depth)
{
    unsigned way = depth > 0 ? chance_below(c, 6) : 5;
    if (way == 2) {
        put(t, "not (");
        put_condition(t, c, depth - 1);
        put(t, ")");
    } else if (way < 2) {
        put(t, "(");
        put_condition(t, c, depth - 1);
        put(t, way ? ") and (" : ") or (");
        put_condition(t, c, depth - 1);
        put(t, ")");
    } else {
        put_comparison(t, c);
    }
}

/* ---- strategies of rules -------------------------------------------------------------------- */

static void write_condition(char *rule, struct chance *c, double probability)
{
    struct text t = {rule, SPEC_RULE_BYTES};
    if (chance_is(c, probability))
        put_condition(&t, c, 2);
}

/* Near the close, so that some are reached and some are not. */
static void write_price(char *rule, struct chance *c, double probability)
{
    struct text t = {rule, SPEC_RULE_BYTES};
    if (!chance_is(c, probability))
        return;
    const char *of = column(c);
    if (chance_is(c, 0.6))
        put(&t, "%s * %.4f", of, chance_between(c, 0.97, 1.03));
    else
        put_price(&t, c, 1);
}

static void make_rules(struct subject *s, struct chance *c)
{
    struct strategy_spec *spec = &s->spec;
    double waiting = chance_is(c, 0.4) ? 0.6 : 0.0;
    (void)snprintf(spec->type, sizeof spec->type, "rules");
    spec->params_n = 3;
    for (unsigned i = 0; i < 3; i++) {
        (void)snprintf(spec->param_names[i], SPEC_NAME_BYTES, "p%u", i);
        s->combo.params[i] = 2 + chance_below(c, 20);
    }
    bool both = chance_is(c, 0.7), is_long = chance_is(c, 0.5);
    write_condition(spec->long_entry, c, both || is_long ? 1.0 : 0.0);
    write_condition(spec->short_entry, c, both || !is_long ? 1.0 : 0.0);
    write_condition(spec->long_exit, c, 0.6);
    write_condition(spec->short_exit, c, 0.6);
    if (*spec->long_entry) {
        write_price(spec->long_limit, c, waiting);
        write_price(spec->long_stop, c, waiting);
    }
    if (*spec->short_entry) {
        write_price(spec->short_limit, c, waiting);
        write_price(spec->short_stop, c, waiting);
    }
}

/* ---- others --------------------------------------------------------------------------------- */

static void name_params(struct subject *s)
{
    const struct component_type *type = registry_find(s->spec.type);
    s->spec.params_n = type->params_n;
    for (unsigned i = 0; i < type->params_n; i++) {
        (void)snprintf(s->spec.param_names[i], SPEC_NAME_BYTES, "%s", type->params[i].name);
        s->combo.params[i] = type->params[i].default_value;
    }
}

static void make_named(struct subject *s, struct chance *c)
{
    static const char *const names[] = {"sma_cross", "momentum", "breakout", "bollinger"};
    unsigned which = chance_below(c, 4);
    (void)snprintf(s->spec.type, sizeof s->spec.type, "%s", names[which]);
    name_params(s);
    s->combo.params[0] = 2 + chance_below(c, 6);
    s->combo.params[1] = which == 0   ? 8 + chance_below(c, 10)
                         : which == 1 ? 0.005
                         : which == 2 ? 2 + chance_below(c, 5)
                                      : 1.0;
}

static void make_noise(struct subject *s, struct chance *c)
{
    (void)snprintf(s->spec.type, sizeof s->spec.type, "noise");
    name_params(s);
    s->combo.params[NOISE_SALT] = chance_below(c, 1u << 20);
    s->combo.params[NOISE_DENSITY] = chance_between(c, 0.05, 0.8);
    s->combo.params[NOISE_VARIETY] = chance_below(c, 64);
    s->combo.params[NOISE_QTY] = (1 + chance_below(c, 300)) * 100.0 / s->level;
    s->param_power[NOISE_QTY] = -1;
}

void strategy_make(struct subject *s, struct chance *c)
{
    unsigned way = chance_below(c, 10);
    if (way == 0)
        make_named(s, c);
    else if (way < 4)
        make_noise(s, c);
    else
        make_rules(s, c);
    (void)snprintf(s->spec.name, sizeof s->spec.name, "%s", s->spec.type);
    s->spec.first_signal = chance_is(c, 0.2) ? FIRST_SIGNAL_AFTER_WARM_UP : FIRST_SIGNAL_FIRST_BAR;
    s->combo.params_n = s->spec.params_n;
}
