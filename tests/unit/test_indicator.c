/* SPDX-License-Identifier: MIT */
/* Promise: every row of the table of indicators is whole, is tested by a twin, and tells the truth
 * about its first defined row; constants and giants do what the table says. */
#include "shm/expr.h"
#include "tests/unit/indicator_fixture.h"

/* ---- the table ------------------------------------------------------------------------------ */

static void expect_params(const struct indicator *row)
{
    cr_expect_leq(row->params_n, INDICATOR_PARAMS_MAX, "%s", row->name);
    for (unsigned i = 0; i < row->params_n; i++) {
        const struct indicator_param *p = &row->params[i];
        cr_expect(p->name && p->minimum < p->maximum, "%s(%s)", row->name, p->name);
        for (int w = 0; p->choices && w <= p->maximum; w++)
            cr_expect_not_null(p->choices[w], "%s(%s)", row->name, p->name);
        cr_expect(!p->choices || !p->choices[(int)p->maximum + 1], "%s(%s)", row->name, p->name);
    }
}

Test(indicator, every_row_of_the_table_says_what_it_is)
{
    for (size_t i = 0; i < indicator_count(); i++) {
        const struct indicator *row = indicator_at(i);
        cr_expect_eq(indicator_find(row->name), row);
        cr_expect(i == 0 || strcmp(indicator_at(i - 1)->name, row->name) < 0, "sorted by name");
        cr_expect(row->formula && row->source && row->warm_up_text, "%s", row->name);
        cr_expect(row->outputs_n >= 1 && row->outputs_n <= INDICATOR_OUTPUTS_MAX, "%s", row->name);
        cr_expect_leq(indicator_inputs_n(row), INDICATOR_INPUTS_MAX, "%s", row->name);
        cr_expect_leq(row->state_bytes, INDICATOR_STATE_BYTES_MAX, "%s", row->name);
        cr_expect_str_neq(indicator_class_name(row->cls), "unknown");
        for (unsigned o = 0; o < row->outputs_n; o++)
            cr_expect_neq(row->advance != NULL, row->made_of[o] != NULL, "%s", row->name);
        expect_params(row);
    }
    cr_expect_null(indicator_find("no_such_indicator"));
}

Test(indicator, every_row_has_a_twin_and_every_twin_a_row)
{
    const struct twin_list *lists[] = {&twins_bars, &twins_rolling, &twins_recursive};
    for (size_t i = 0; i < indicator_count(); i++)
        cr_expect_not_null(twin_of(indicator_at(i)->name), "%s is not tested",
                           indicator_at(i)->name);
    for (size_t l = 0; l < 3; l++) {
        for (size_t i = 0; i < lists[l]->n; i++)
            cr_expect_not_null(indicator_find(lists[l]->twins[i].name), "%s is missing",
                               lists[l]->twins[i].name);
    }
}

/* ---- first defined rows --------------------------------------------------------------------- */

/* What the text of a row comes to for these parameters. */
static uint32_t warm_up_of(const struct indicator *row, const double *params)
{
    const char *names[INDICATOR_PARAMS_MAX + INDICATOR_DERIVED_MAX];
    double values[INDICATOR_PARAMS_MAX + INDICATOR_DERIVED_MAX];
    uint32_t n = 0;
    for (; n < row->params_n; n++) {
        names[n] = row->params[n].name;
        values[n] = params[n];
    }
    if (row->derive)
        row->derive(params, values + n);
    for (int i = 0; row->derive && i < INDICATOR_DERIVED_MAX && row->derived[i]; i++)
        names[n++] = row->derived[i];
    struct expr_env env = {n, names, values};
    struct expr *expr;
    struct err err;
    double rows_n = NAN;
    cr_assert(expr_parse(row->warm_up_text, &expr, &err) == 0, "%s: %s", row->name, err.text);
    cr_assert(expr_eval_scalar(expr, &env, &rows_n, &err) == 0, "%s: %s", row->name, err.text);
    expr_destroy(expr);
    return rows_n > 0 ? (uint32_t)rows_n : 0;
}

Test(indicator, the_first_defined_row_is_what_the_table_says)
{
    static struct bars bars;
    static double found[ROWS_MAX];
    make_input(INPUT_WALK, &bars);
    bars.volume[0] = 1;
    for (size_t i = 0; i < indicator_count(); i++) {
        const struct indicator *row = indicator_at(i);
        double params[INDICATOR_PARAMS_MAX];
        for (int set = 0; twin_of(row->name) && set < 2; set++) {
            (void)param_set(row, twin_of(row->name), set, params);
            uint32_t warm_up = warm_up_of(row, params);
            for (unsigned o = 0; o < row->outputs_n; o++) {
                evaluate(row, params, o, &bars, ROWS_MAX, found);
                cr_expect_eq(frame_first_defined(found, ROWS_MAX), warm_up, "%s: %u, not %u",
                             call_text(row, params, o), frame_first_defined(found, ROWS_MAX),
                             warm_up);
            }
        }
    }
}

/* ---- constants, giants, ties ---------------------------------------------------------------- */

Test(indicator, a_crossing_remembers_the_side_over_ties)
{
    static const double high[] = {1, 2, 2, 3, 2, 2, 1, 3, NAN, 3},
                        close[] = {2, 2, 2, 2, 2, 2, 2, 2, 2, 2};
    static const double above[] = {0, 0, 0, 1, 0, 0, 0, 1, NAN, 0},
                        below[] = {0, 0, 0, 0, 0, 0, 1, 0, NAN, 0};
    double found[10];
    struct frame f = {.rows_n = 10};
    frame_add(&f, "high", high);
    frame_add(&f, "close", close);
    (void)frame_eval(&f, "cross(high,close).above", found);
    for (uint32_t t = 0; t < 10; t++)
        cr_expect(is_same(found[t], above[t]), "above, row %u: %g", t, found[t]);
    (void)frame_eval(&f, "cross(high,close).below", found);
    for (uint32_t t = 0; t < 10; t++)
        cr_expect(is_same(found[t], below[t]), "below, row %u: %g", t, found[t]);
    frame_fini(&f);
}

Test(indicator, a_constant_has_no_deviation_at_all)
{
    static double x[ROWS_MAX], found[ROWS_MAX];
    struct frame f = {.rows_n = ROWS_MAX};
    for (uint32_t t = 0; t < ROWS_MAX; t++)
        x[t] = t < 100 || t >= 600 ? 7.0 + t : 0.1;
    frame_add(&f, "close", x);
    (void)frame_eval(&f, "stddev(close,33)", found);
    for (uint32_t t = 100 + 32; t < 600; t++)
        cr_assert_eq(found[t], 0.0, "row %u: %g", t, found[t]);
    (void)frame_eval(&f, "wma(close,33)", found);
    for (uint32_t t = 100 + 32; t < 600; t++)
        cr_assert_eq(found[t], 0.1, "row %u: %.17g", t, found[t]);
    frame_fini(&f);
}

Test(indicator, nothing_of_a_giant_is_left_once_it_has_left_the_window)
{
    static const double giants[] = {1e15, -1e300, INFINITY, NAN, 1e308};
    static const char *const texts[] = {"sum(close,20)", "sma(close,20)", "wma(close,20)",
                                        "stddev(close,20)"};
    static double x[ROWS_MAX], clean[ROWS_MAX], found[ROWS_MAX];
    for (size_t g = 0; g < sizeof(giants) / sizeof(giants[0]); g++) {
        struct frame f = {.rows_n = ROWS_MAX}, without = {.rows_n = ROWS_MAX};
        for (uint32_t t = 0; t < ROWS_MAX; t++)
            x[t] = 1.0 + random_frac() * 1e-3;
        frame_add(&without, "close", x);
        x[50] = x[60] = giants[g];
        frame_add(&f, "close", x);
        for (size_t k = 0; k < 4; k++) {
            (void)frame_eval(&without, texts[k], clean);
            (void)frame_eval(&f, texts[k], found);
            for (uint32_t t = 80; t < ROWS_MAX; t++)
                cr_assert_leq(fabs(found[t] - clean[t]), (k == 3 ? 1e-9 : 1e-12) * clean[t],
                              "%s after %g, row %u: %.17g, %.17g", texts[k], giants[g], t, found[t],
                              clean[t]);
        }
        frame_fini(&f);
        frame_fini(&without);
    }
}
