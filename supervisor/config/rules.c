/* SPDX-License-Identifier: MIT */
/* Rules of strategies: parsed when the file is read, so that a slip is named with its line. */
#include <ctype.h>
#include <stddef.h>
#include <string.h>

#include "shm/indicator/indicator.h"
#include "supervisor/config/strategy.h"

const char *const rule_keys[RULES_N] = {"long_entry", "long_exit", "short_entry", "short_exit",
                                        "long_limit", "long_stop", "short_limit", "short_stop"};

static const size_t rule_offsets[RULES_N] = {
    offsetof(struct strategy_spec, long_entry),  offsetof(struct strategy_spec, long_exit),
    offsetof(struct strategy_spec, short_entry), offsetof(struct strategy_spec, short_exit),
    offsetof(struct strategy_spec, long_limit),  offsetof(struct strategy_spec, long_stop),
    offsetof(struct strategy_spec, short_limit), offsetof(struct strategy_spec, short_stop),
};

const char *rule_of(const struct strategy_spec *spec, unsigned i)
{
    return (const char *)spec + rule_offsets[i];
}

static char *rule_field(struct strategy_spec *spec, unsigned i)
{
    return (char *)spec + rule_offsets[i];
}

/* ---- names ---------------------------------------------------------------------------------- */

static bool is_identifier(const char *name)
{
    if (!isalpha((unsigned char)name[0]) && name[0] != '_')
        return false;
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && *name != '_')
            return false;
    return true;
}

/* What a name means already, or NULL. */
static const char *meaning_of(const char *name)
{
    static const struct {
        const char *name, *meaning;
    } words[] = {
        {"open", "a bar column"},          {"high", "a bar column"},
        {"low", "a bar column"},           {"close", "a bar column"},
        {"volume", "a bar column"},        {"hl2", "a bar column"},
        {"hlc3", "a bar column"},          {"ohlc4", "a bar column"},
        {"and", "a word of rules"},        {"or", "a word of rules"},
        {"not", "a word of rules"},        {"nan", "a word of rules"},
        {"shift", "a function"},           {"crosses_above", "a function"},
        {"crosses_below", "a function"},   {"symbol", "a column of exports"},
        {"status", "a column of exports"}, {"combination", "a column of exports"},
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (!strcmp(words[i].name, name))
            return words[i].meaning;
    if (indicator_find(name))
        return "an indicator";
    if (metric_find(name) >= 0)
        return "a metric";
    return NULL;
}

int rules_check_param(const struct reading *r, const struct node *key)
{
    if (!is_identifier(key->text) || key->n_bytes >= SPEC_NAME_BYTES)
        return node_error(key, r->l->err,
                          "%s cannot be a parameter; a name of letters, digits and _ that does not "
                          "begin with a digit is expected, of at most %d characters",
                          node_show(key).text, SPEC_NAME_BYTES - 1);
    const char *meaning = meaning_of(key->text);
    if (!meaning && sweep_find(key->text) && r->l->grids && node_get(r->l->grids, key->text))
        meaning = "a name of parameter_grids, which sweeps it";
    if (meaning)
        return node_error(key, r->l->err, "%s cannot be a parameter: it is %s; choose another name",
                          node_show(key).text, meaning);
    return 0;
}

static bool expr_names_it(const struct expr *expr, const char *name)
{
    const char *const *names = NULL;
    size_t n = expr ? expr_names(expr, &names) : 0;
    for (size_t k = 0; k < n; k++)
        if (!strcmp(names[k], name))
            return true;
    return false;
}

/* Rules that name what is gone stay unread: whatever they may use, they use. */
static bool is_unread(const struct reading *r)
{
    return r->l->config->plugin_trouble[0] != '\0';
}

bool rules_use(const struct reading *r, const char *name)
{
    if (is_unread(r))
        return true;
    for (unsigned i = 0; i < RULES_N; i++)
        if (expr_names_it(r->rules[i], name))
            return true;
    return false;
}

/* What `where` says; NULL where there is none, or none that can be read: that is found later. */
static struct expr *parse_where(const struct reading *r)
{
    const struct node *v = node_get(r->node, "where");
    struct expr *expr = NULL;
    struct err unread = {0};
    if (!v || v->kind != NODE_SCALAR || expr_parse(v->text, &expr, &unread) < 0)
        return NULL;
    return expr;
}

/* A name in the rules that is like this one and no parameter, or NULL. */
static const char *suggest_used(const struct reading *r, const char *unused)
{
    const char *known[RULES_N * EXPR_NAMES_MAX];
    size_t known_n = 0;
    for (unsigned i = 0; i < RULES_N; i++) {
        const char *const *names = NULL;
        size_t n = r->rules[i] ? expr_names(r->rules[i], &names) : 0;
        for (size_t k = 0; k < n; k++)
            if (reading_param(r, names[k]) < 0)
                known[known_n++] = names[k];
    }
    return err_suggest(unused, known, known_n);
}

int rules_check_used(const struct reading *r)
{
    const struct strategy_spec *spec = &r->s->spec;
    struct expr *where = r->component ? NULL : parse_where(r);
    uint32_t i = r->component ? spec->params_n : 0;
    while (i < spec->params_n &&
           (rules_use(r, spec->param_names[i]) || expr_names_it(where, spec->param_names[i])))
        i++;
    expr_destroy(where);
    if (i == spec->params_n)
        return 0;
    const char *close = suggest_used(r, spec->param_names[i]);
    return node_error(r->param_node[i]->key, r->l->err,
                      "parameters: no rule names \"%s\", nor does where; %s%s%s",
                      spec->param_names[i], close ? "did you mean \"" : "take it out",
                      close ? close : "", close ? "\"?" : "");
}

/* ---- rules ---------------------------------------------------------------------------------- */

int rules_error(const struct node *v, const char *what, const struct err *inner, struct err *err)
{
    if (inner->kind == ERR_SYSTEM)
        return err_set(err, ERR_SYSTEM, "%s: %s", what, inner->text);
    return node_error(v, err, "%s: %s", what, inner->text);
}

static int read_rule(struct reading *r, unsigned i, const struct node *v)
{
    struct err *err = r->l->err, inner = {0};
    char *text = rule_field(&r->s->spec, i);
    int rc = value_text(v, rule_keys[i], text, SPEC_RULE_BYTES, err);
    if (rc < 0)
        return rc;
    node_place(v, r->s->rule_at[i].text, sizeof(r->s->rule_at[i].text));
    if (expr_parse(text, &r->rules[i], &inner) < 0)
        return is_unread(r) ? 0 : rules_error(v, rule_keys[i], &inner, err);
    bool wants_condition = i < RULE_CONDITIONS_N;
    if (expr_is_condition(r->rules[i]) == wants_condition)
        return 0;
    return node_error(v, err, "%s: %s is a %s", rule_keys[i], node_show(v).text,
                      wants_condition
                          ? "number, not a condition; compare it with something, as in close > "
                            "sma(close, 20)"
                          : "condition, not a price; write a number, as in close * 0.99");
}

/* A price without the entry that is to be made at it. */
static int check_prices(const struct reading *r)
{
    static const int entry_of[RULES_N] = {[RULE_LONG_LIMIT] = RULE_LONG_ENTRY,
                                          [RULE_LONG_STOP] = RULE_LONG_ENTRY,
                                          [RULE_SHORT_LIMIT] = RULE_SHORT_ENTRY,
                                          [RULE_SHORT_STOP] = RULE_SHORT_ENTRY};
    for (unsigned i = RULE_CONDITIONS_N; i < RULES_N; i++)
        if (r->rules[i] && !r->rules[entry_of[i]])
            return node_error(node_get(r->node, rule_keys[i])->key, r->l->err,
                              "%s is the price of an entry, and there is no %s; add it, or take "
                              "the price out",
                              rule_keys[i], rule_keys[entry_of[i]]);
    return 0;
}

static int read_rules(struct reading *r)
{
    for (unsigned i = 0; i < RULES_N; i++) {
        const struct node *v = node_get(r->node, rule_keys[i]);
        int rc = v ? read_rule(r, i, v) : 0;
        if (rc < 0)
            return rc;
    }
    if (is_unread(r))
        return 0;
    if (!r->rules[RULE_LONG_ENTRY] && !r->rules[RULE_SHORT_ENTRY])
        return node_error(r->node, r->l->err,
                          "a strategy of type rules needs `long_entry` or `short_entry`, as in "
                          "long_entry: crosses_above(close, sma(close, 20))");
    return check_prices(r);
}

int rules_read(struct reading *r)
{
    if (!r->component)
        return read_rules(r);
    for (unsigned i = 0; i < RULES_N; i++) {
        const struct node *v = node_get(r->node, rule_keys[i]);
        if (v)
            return node_error(v->key, r->l->err,
                              "`%s` is for strategies of type rules; %s brings rules of its own",
                              rule_keys[i], r->s->spec.type);
        memcpy(rule_field(&r->s->spec, i), r->component->rules[i], SPEC_RULE_BYTES);
    }
    return 0;
}
