/* SPDX-License-Identifier: MIT */
/* Symbols of reference: rules name them before a colon, and nothing trades them. */
#include <stdio.h>
#include <string.h>

#include "shm/expr.h"
#include "supervisor/config/loader.h"
#include "supervisor/config/strategy.h"

/* Adds a symbol that no list has. */
static int add_reference(struct loader *l, const struct config_strategy *s, const char *name)
{
    struct config *c = l->config;
    uint32_t n = c->symbols_n + c->references_n;
    if (n == SPEC_SYMBOLS_MAX)
        return err_set(l->err, ERR_CONFIG, "strategy %s: with %s there are more than %d symbols",
                       s->spec.name, name, SPEC_SYMBOLS_MAX);
    c->symbols[n] = (struct config_symbol){0};
    snprintf(c->symbols[n].name, sizeof(c->symbols[n].name), "%s", name);
    c->references_n++;
    return 0;
}

static int take_rule(struct loader *l, const struct config_strategy *s, const char *rule,
                     bool *is_named)
{
    struct config *c = l->config;
    struct expr *expr;
    struct err unread;
    const char *const *symbols;
    int rc = 0;
    if (!*rule || expr_parse(rule, &expr, &unread) < 0)
        return 0; /* refused where it was read */
    size_t n = expr_symbols(expr, &symbols);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        uint32_t k = 0;
        while (k < c->symbols_n + c->references_n && strcmp(c->symbols[k].name, symbols[i]) != 0)
            k++;
        if (k == c->symbols_n + c->references_n)
            rc = add_reference(l, s, symbols[i]);
        if (rc == 0)
            is_named[k] = true;
    }
    expr_destroy(expr);
    return rc;
}

/* data.csv names symbols that are traded or that rules name. */
static int check_csv(struct loader *l, const bool *is_named)
{
    const struct config *c = l->config;
    for (uint32_t i = c->symbols_n; i < c->symbols_n + c->references_n; i++) {
        const struct node *v = is_named[i] ? NULL
                               : l->csv    ? node_get(l->csv, c->symbols[i].name)
                                           : NULL;
        if (v)
            return node_error(v->key, l->err,
                              "data.csv: %s is not among data.symbols, and no rule names it; add "
                              "it there, or leave data.symbols out",
                              node_show(v->key).text);
    }
    return 0;
}

int references_find(struct loader *l)
{
    bool is_named[SPEC_SYMBOLS_MAX] = {false};
    int rc = 0;
    for (uint32_t s = 0; s < l->config->strategies_n; s++)
        for (unsigned i = 0; rc == 0 && i < RULES_N; i++)
            rc = take_rule(l, &l->config->strategies[s], rule_of(&l->config->strategies[s].spec, i),
                           is_named);
    return rc < 0 ? rc : check_csv(l, is_named);
}
