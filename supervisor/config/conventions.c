/* SPDX-License-Identifier: MIT */
/* What each engine does where engines differ: one table, which sets the defaults, marks the keys in
 * the docs, and is printed there. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "supervisor/config/loader.h"

const struct choice choices_conventions[] = {{"native", CONVENTIONS_NATIVE, false},
                                             {"backtesting.py", CONVENTIONS_BACKTESTING_PY, false},
                                             {"vectorbt", CONVENTIONS_VECTORBT, false},
                                             {"backtrader", CONVENTIONS_BACKTRADER, false},
                                             {0}};

/* Columns: native (NULL: the row's default), backtesting.py, vectorbt, backtrader. */
static const struct convention table[] = {
    {"exits.base", {NULL, "signal_close", "entry_close", "signal_close"}},
    {"exits.live_from", {NULL, "fill_bar", "next_bar", "next_bar"}},
    {"execution.fill", {NULL, "next_open", "this_close", "next_open"}},
    {"execution.close_booked", {NULL, "next_bar", "this_bar", "this_bar"}},
    {"execution.same_bar", {NULL, "stop_first", "stop_first", "stop_first"}},
    {"execution.at_end", {NULL, "mark", "mark", "mark"}},
    {"execution.opposite_signal", {NULL, "reverse", "reverse", "reverse"}},
    {"execution.same_signal", {NULL, "ignore", "ignore", "ignore"}},
    {"execution.conflicting_signals", {NULL, "enter", "ignore", "enter"}},
    {"execution.first_signal", {NULL, "after_warm_up", "first_bar", "first_bar"}},
    {"execution.orders_per_bar", {NULL, "any", "one", "any"}},
    {"execution.spread_paid", {NULL, "on_entry", "half_each", "half_each"}},
    {"execution.slips_in_bar", {NULL, "false", "false", "true"}},
    {"execution.stops_exact", {NULL, "false", "true", "false"}},
    {"execution.reversal_fee", {NULL, "each_fill", "once", "each_fill"}},
    {"portfolio.initial_capital", {NULL, "10000", "100", "10000"}},
    {"portfolio.lot", {NULL, "1", "0", "0"}},
    {"portfolio.sizing",
     {NULL, "{percent_of_cash: 0.9999999999999998}", "{percent_of_cash: 1}", "{units: 1}"}},
    {"portfolio.unaffordable", {NULL, "drop", "reduce", "drop"}},
    {"portfolio.commission_reserve", {NULL, "each_unit", "whole_order", "whole_order"}},
    {"portfolio.short_margin", {NULL, "equity", "none", "none"}},
    {"portfolio.cash_check", {NULL, "at_fill", "at_fill", "signal_close_too"}},
    {"portfolio.bankruptcy", {NULL, "end", "run_on", "run_on"}},
    {"metrics.profile", {NULL, "backtesting.py", "vectorbt", "native"}},
};

const struct convention *convention_at(size_t i)
{
    return i < sizeof(table) / sizeof(table[0]) ? &table[i] : NULL;
}

const struct convention *convention_find(const char *path)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (!strcmp(table[i].path, path))
            return &table[i];
    return NULL;
}

const char *convention_value(const struct schema_row *row, enum conventions conventions)
{
    const struct convention *c = convention_find(row->path);
    return c && c->value[conventions] ? c->value[conventions] : row->dflt;
}

void convention_doc_row(const struct convention *c, struct buf *out)
{
    const struct schema_row *row = schema_at(c->path);
    buf_printf(out, "| `%s` |", c->path);
    for (int i = 0; i < CONVENTIONS_N; i++)
        buf_printf(out, " `%s` |", convention_value(row, (enum conventions)i));
}

/* ---- defaults ------------------------------------------------------------------------------- */

/* Rows of struct config that are not among the conventions. */
static void set_config(struct config *c)
{
    c->periods_per_year = NAN;
    c->objective = METRIC_SHARPE;
    c->seed = 1;
    c->barrier_timeout_ns = INT64_C(30) * 1000000000;
    c->retries = 1;
    c->plane_budget_bytes = PLANE_BUDGET_AUTO;
}

static int set_row(struct loader *l, const struct schema_row *row, enum conventions which)
{
    const char *text = convention_value(row, which);
    const struct yaml_source source = {.text = text, .n_bytes = strlen(text), .name = row->path};
    struct tree tree = {0};
    struct node *v = NULL;
    int rc = yaml_parse(&tree, &source, &v, l->err);
    if (rc == 0)
        rc = schema_read_row(l, row, v);
    tree_fini(&tree);
    return rc;
}

int defaults_set(struct loader *l, enum conventions which)
{
    const struct schema_row *row;
    int rc = 0;
    set_config(l->config);
    l->top->combo = (struct combo){.symbol_idx = COMBO_ALL_SYMBOLS};
    for (size_t i = 0; rc == 0 && (row = schema_row_at(i)); i++)
        if (row->dflt && (row->place == PLACE_TOP || convention_find(row->path)))
            rc = set_row(l, row, which);
    l->sizing = NULL; /* was not asked for */
    snprintf(l->config->conventions, sizeof(l->config->conventions), "%s",
             choice_name(choices_conventions, (int)which));
    return rc;
}

/* Read before every other key (see load_tree); the walk over the sections only passes it again. */
int read_conventions(struct loader *l, const struct schema_row *row, const struct node *v)
{
    int conventions = 0;
    return value_choice(l, v, row, &conventions);
}
