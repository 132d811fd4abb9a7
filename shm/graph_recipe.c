/* SPDX-License-Identifier: MIT */
/* What rows of the indicator table say in words: the series that are implied, and outputs that are
 * made of other indicators. Parsed once a graph. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/spec.h"
#include "shm/graph_node.h"

static const char *const series_names[] = {"x", "y", "z"};

static int no_memory(struct err *err)
{
    return err_set_errno(err, ERR_SYSTEM, ENOMEM, "reading an indicator's definition");
}

static void definition_destroy(struct definition *d)
{
    if (!d)
        return;
    expr_destroy(d->expr);
    free(d);
}

static void recipe_destroy(struct recipe *recipe)
{
    for (unsigned i = 0; i < INDICATOR_OUTPUTS_MAX; i++)
        definition_destroy(recipe->made_of[i]);
    for (unsigned i = 0; i < INDICATOR_INPUTS_MAX; i++)
        definition_destroy(recipe->implied[i]);
    free(recipe);
}

void graph_recipes_fini(struct graph *graph)
{
    for (uint32_t i = 0; i < graph->recipes_n; i++)
        recipe_destroy(graph->recipes[i]);
    free(graph->recipes);
}

/* Index of a name in a list, or -1; NULL ends the list too. */
static int index_of(const char *name, const char *const *list, unsigned n)
{
    for (unsigned i = 0; i < n && list[i]; i++) {
        if (strcmp(list[i], name) == 0)
            return (int)i;
    }
    return -1;
}

static uint8_t role_of(const struct indicator *indicator, const char *name)
{
    int i = index_of(name, series_names, indicator->series_args_n);
    if (i >= 0)
        return (uint8_t)(ROLE_SERIES + (unsigned)i);
    for (unsigned k = 0; k < indicator->params_n; k++) {
        if (strcmp(indicator->params[k].name, name) == 0)
            return (uint8_t)(ROLE_PARAM + k);
    }
    i = indicator->derive ? index_of(name, indicator->derived, INDICATOR_DERIVED_MAX) : -1;
    return (uint8_t)(i < 0 ? ROLE_COLUMN : ROLE_DERIVED + (unsigned)i);
}

static int define(const struct indicator *indicator, const char *text, bool may_name_columns,
                  struct definition **ret_definition, struct err *err)
{
    struct err inner = {0};
    const char *const *names;
    struct definition *d = calloc(1, sizeof(*d));
    if (!d)
        return no_memory(err);
    *ret_definition = d;
    int r = expr_parse(text, &d->expr, &inner);
    if (r < 0)
        return err_set(err, ERR_BUG, "the definition of %s, `%.200s`: %.200s", indicator->name,
                       text, inner.text);
    if (expr_is_condition(d->expr))
        return err_set(err, ERR_BUG, "the definition of %s, `%.200s`, is a condition",
                       indicator->name, text);
    size_t n = expr_names(d->expr, &names);
    for (size_t i = 0; i < n; i++) {
        d->role[i] = role_of(indicator, names[i]);
        if (d->role[i] == ROLE_COLUMN && !may_name_columns)
            return err_set(err, ERR_BUG, "the definition of %s, `%.200s`: what is '%.60s'?",
                           indicator->name, text, names[i]);
    }
    return 0;
}

/* Expressions parted by blanks. */
static int define_implied(struct recipe *recipe, struct err *err)
{
    char text[SPEC_RULE_BYTES];
    const char *at = recipe->indicator->implied ? recipe->indicator->implied : "";
    while (*(at += strspn(at, " "))) {
        size_t n = strcspn(at, " ");
        if (n >= sizeof(text) ||
            recipe->indicator->series_args_n + recipe->implied_n >= INDICATOR_INPUTS_MAX)
            return err_set(err, ERR_BUG, "%s implies more than %d series", recipe->indicator->name,
                           INDICATOR_INPUTS_MAX);
        memcpy(text, at, n);
        text[n] = '\0';
        int r = define(recipe->indicator, text, true, &recipe->implied[recipe->implied_n], err);
        if (r < 0)
            return r;
        recipe->implied_n++;
        at += n;
    }
    return 0;
}

static int fill(struct recipe *recipe, struct err *err)
{
    const struct indicator *indicator = recipe->indicator;
    bool has_kernel = indicator->advance || indicator->library;
    int r = define_implied(recipe, err);
    for (unsigned i = 0; i < indicator->outputs_n && r == 0; i++) {
        if (indicator->made_of[i])
            r = define(indicator, indicator->made_of[i], false, &recipe->made_of[i], err);
        else if (!has_kernel)
            r = err_set(err, ERR_BUG, "%s has neither a kernel nor a definition", indicator->name);
    }
    return r;
}

static int add_recipe(struct graph *graph, const struct indicator *indicator,
                      const struct recipe **ret_recipe, struct err *err)
{
    struct recipe **grown =
        realloc(graph->recipes, (graph->recipes_n + 1) * sizeof(struct recipe *));
    if (!grown)
        return no_memory(err);
    graph->recipes = grown;
    struct recipe *recipe = calloc(1, sizeof(*recipe));
    if (!recipe)
        return no_memory(err);
    recipe->indicator = indicator;
    int r = fill(recipe, err);
    if (r < 0) {
        recipe_destroy(recipe);
        return r;
    }
    graph->recipes[graph->recipes_n++] = recipe;
    *ret_recipe = recipe;
    return 0;
}

int graph_recipe(struct graph *graph, const struct indicator *indicator,
                 const struct recipe **ret_recipe, struct err *err)
{
    for (uint32_t i = 0; i < graph->recipes_n; i++) {
        if (graph->recipes[i]->indicator == indicator) {
            *ret_recipe = graph->recipes[i];
            return 0;
        }
    }
    return add_recipe(graph, indicator, ret_recipe, err);
}
