/* SPDX-License-Identifier: MIT */
/* A strategy of a run, made ready once per worker. */
#include "worker/strategy/program.h"

#include <errno.h>
#include <string.h>

#include "worker/registry.h"

static const char *const rule_names[RULE_N] = {"long_entry",  "long_exit",  "short_entry",
                                               "short_exit",  "long_limit", "long_stop",
                                               "short_limit", "short_stop"};

static const char *rule_text(const struct strategy_program *p, enum rule rule)
{
    static const struct strategy_rules none;
    const struct strategy_rules *t = p->type->rules ? p->type->rules : &none;
    const struct strategy_spec *s = p->spec;
    const char *const of_type[RULE_N] = {t->long_entry,  t->long_exit,  t->short_entry,
                                         t->short_exit,  t->long_limit, t->long_stop,
                                         t->short_limit, t->short_stop};
    const char *const of_spec[RULE_N] = {s->long_entry,  s->long_exit,  s->short_entry,
                                         s->short_exit,  s->long_limit, s->long_stop,
                                         s->short_limit, s->short_stop};
    const char *text = p->type->rules ? of_type[rule] : of_spec[rule];
    return text && *text ? text : NULL;
}

static int check_kind(const struct strategy_program *p, enum rule rule, struct err *err)
{
    bool is_condition = expr_is_condition(p->rule[rule]);
    if (rule < RULE_CONDITION_N && !is_condition)
        return err_set(err, ERR_CONFIG, "a rule must be a condition, such as `close > open`");
    if (rule >= RULE_CONDITION_N && is_condition)
        return err_set(err, ERR_CONFIG, "a price must be a number, such as `max(high, 20)`");
    return 0;
}

static int program_rules(struct strategy_program *p, struct err *err)
{
    for (int i = 0; i < RULE_N; i++) {
        const char *text = rule_text(p, (enum rule)i);
        if (!text)
            continue;
        int r = expr_parse(text, &p->rule[i], err);
        if (r == 0)
            r = check_kind(p, (enum rule)i, err);
        if (r < 0) {
            err_prefix(err, "strategy %s, %s", p->spec->name, rule_names[i]);
            return r;
        }
        p->has_prices |= i >= RULE_CONDITION_N;
    }
    return 0;
}

static int unknown_type(const char *name, struct err *err)
{
    const struct component_type *types[REGISTRY_MAX];
    const char *names[REGISTRY_MAX];
    unsigned n = registry_find_by_protocol(PROTOCOL_SIGNAL_GENERATOR, types, REGISTRY_MAX);
    for (unsigned i = 0; i < n; i++)
        names[i] = types[i]->name;
    const char *close = err_suggest(name, names, n);
    return err_set(err, ERR_CONFIG, "no strategy of this worker is called `%s`%s%s%s", name,
                   close ? "; did you mean `" : "", close ? close : "", close ? "`?" : "");
}

int strategy_program_init(struct strategy_program *program, const struct strategy_spec *spec,
                          struct graph *graph, struct err *err)
{
    struct strategy_program p = {.spec = spec, .graph = graph};
    p.type = registry_find(spec->type);
    if (!p.type || !p.type->signal_generator)
        return unknown_type(spec->type, err);
    for (uint32_t i = 0; i < spec->params_n; i++)
        p.param_name[i] = spec->param_names[i];
    int r = program_rules(&p, err);
    if (r == 0 && p.type->optimizable && p.type->optimizable->accepts)
        r = expr_parse(p.type->optimizable->accepts, &p.accepts, err);
    if (r < 0) {
        strategy_program_fini(&p);
        return r;
    }
    *program = p;
    return 0;
}

void strategy_program_fini(struct strategy_program *program)
{
    for (int i = 0; i < RULE_N; i++)
        expr_destroy(program->rule[i]);
    expr_destroy(program->accepts);
    memset(program, 0, sizeof *program);
}

int strategy_program_accepts(const struct strategy_program *program, const struct combo *combo,
                             struct err *err)
{
    if (!program->accepts)
        return 0;
    const struct expr_env env = {combo->params_n, program->param_name, combo->params};
    double accepted = 0.0;
    int r = expr_eval_scalar(program->accepts, &env, &accepted, err);
    if (r == 0 && accepted == 0.0)
        r = err_set(err, ERR_CONFIG, "%s needs %s", program->spec->type,
                    program->type->optimizable->accepts);
    return r;
}
