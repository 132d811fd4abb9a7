/* SPDX-License-Identifier: MIT */
/* Corporate actions applied to bars, from the last one back: what an action changes lies before it.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "proto/units.h"
#include "supervisor/import/actions.h"
#include "supervisor/import/csv.h"
#include "supervisor/store/bars_heap.h"

#define PRICES_N 4 /* open high low close; volume is behind them */

struct adjusting {
    struct actions *actions;
    struct bars_heap *heap;
    uint32_t rows_n;
    struct actions_report *report;
};

/* Whether it has a bar before it, and one at or after it. */
static bool is_inside(const struct adjusting *a, const struct action *action)
{
    return action->row > 0 && action->row < a->rows_n;
}

static void find_rows(struct adjusting *a)
{
    uint32_t row = 0;
    for (size_t i = 0; i < a->actions->n; i++) {
        struct action *action = &a->actions->action[i];
        while (row < a->rows_n && a->heap->time_ns[row] < action->ex_ns)
            row++;
        action->row = row;
        bool is_used = is_inside(a, action);
        a->report->outside_n += !is_used;
        a->report->splits_n += is_used && action->split != 1;
        a->report->dividends_n += is_used && action->dividend != 0;
    }
}

/* ---- splits --------------------------------------------------------------------------------- */

/* A split of some size shows in the prices around it, unless they were adjusted before. */
static void look_for_jump(struct adjusting *a, const struct action *action)
{
    double close = a->heap->column[3][action->row - 1], open = a->heap->column[0][action->row];
    double found = close / open, apart = found / action->split;
    double from_none = found > 1 ? found : 1 / found, from_split = apart > 1 ? apart : 1 / apart;
    bool is_large = action->split >= 1.25 || action->split <= 0.8;
    if (is_large && from_none < from_split && a->report->no_jump_n++ == 0)
        a->report->no_jump_line = action->line_n;
}

static void scale_splits(struct adjusting *a, uint32_t from, uint32_t to, double ratio)
{
    for (uint32_t row = from; ratio != 1 && row < to; row++) {
        for (unsigned c = 0; c < PRICES_N; c++)
            a->heap->column[c][row] /= ratio;
        a->heap->column[PRICES_N][row] *= ratio;
    }
}

/* Also brings each dividend to a share of today's scale: on one day the split comes first. */
static void apply_splits(struct adjusting *a)
{
    uint32_t end = a->rows_n;
    double ratio = 1;
    for (size_t i = a->actions->n; i-- > 0;) {
        struct action *action = &a->actions->action[i];
        if (!is_inside(a, action))
            continue;
        action->dividend /= ratio;
        if (action->split == 1)
            continue;
        if (action->row < end) /* both bars are as they were imported */
            look_for_jump(a, action);
        scale_splits(a, action->row, end, ratio);
        end = action->row;
        ratio *= action->split;
    }
    scale_splits(a, 0, end, ratio);
}

/* ---- dividends ------------------------------------------------------------------------------ */

static int check_dividend(const struct adjusting *a, const struct action *action, struct err *err)
{
    double close = a->heap->column[3][action->row - 1];
    char paid[F64_BYTES], at[F64_BYTES];
    if (action->dividend < close)
        return 0;
    return err_set(err, ERR_DATA,
                   "%s:%" PRIu64
                   ": a dividend of %s a share of today is not below the close before "
                   "it, %s: is it money a share of its date, and are the splits there?",
                   a->actions->path, action->line_n, f64_format_short(action->dividend, paid),
                   f64_format_short(close, at));
}

static void scale_dividends(struct adjusting *a, uint32_t from, uint32_t to, double factor)
{
    for (uint32_t row = from; factor != 1 && row < to; row++)
        for (unsigned c = 0; c < PRICES_N; c++)
            a->heap->column[c][row] *= factor;
}

/* The close in each factor knows of no dividend: it is scaled after it was used. */
static int adjust_dividends(struct adjusting *a, struct err *err)
{
    uint32_t end = a->rows_n;
    double factor = 1;
    for (size_t i = a->actions->n; i-- > 0;) {
        const struct action *action = &a->actions->action[i];
        if (!is_inside(a, action) || action->dividend == 0)
            continue;
        int rc = check_dividend(a, action, err);
        if (rc != 0)
            return rc;
        double close = a->heap->column[3][action->row - 1];
        scale_dividends(a, action->row, end, factor);
        end = action->row;
        factor *= 1 - action->dividend / close;
    }
    scale_dividends(a, 0, end, factor);
    return 0;
}

static int pay_dividends(struct adjusting *a, struct err *err)
{
    double *column;
    for (uint32_t i = 0; i < a->heap->extra_n; i++)
        if (strcmp(a->heap->extra_names[i], COLUMN_CASH_DIVIDEND) == 0)
            return err_set(err, ERR_DATA,
                           "the bars of %s have a column " COLUMN_CASH_DIVIDEND
                           " already: take it away, "
                           "or import without --dividends cash",
                           a->heap->symbol);
    if (bars_heap_add_extra(a->heap, COLUMN_CASH_DIVIDEND, &column) != 0)
        return err_set(err, ERR_SYSTEM, "out of memory for the dividends of %s", a->heap->symbol);
    memset(column, 0, a->rows_n * sizeof *column);
    for (size_t i = 0; i < a->actions->n; i++) {
        const struct action *action = &a->actions->action[i];
        if (!is_inside(a, action) || action->dividend == 0)
            continue;
        int rc = check_dividend(a, action, err);
        if (rc != 0)
            return rc;
        column[action->row] += action->dividend;
    }
    bars_heap_view(a->heap, a->rows_n);
    return 0;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static int refuse_scale(const struct adjusting *a, uint32_t row, const char *what, double value,
                        struct err *err)
{
    char time[TIME_ISO_BYTES], found[F64_BYTES];
    return err_set(err, ERR_DATA,
                   "%s: with its actions the %s of %s at %s is %s, expected prices between 1e-15 "
                   "and 1e15 and volumes up to 1e20: is a split written the wrong way round?",
                   a->actions->path, what, a->heap->symbol,
                   time_format_iso(a->heap->time_ns[row], time), f64_format_short(value, found));
}

/* Prices keep their order when they are scaled: high and low tell for all. */
static int check_scale(const struct adjusting *a, struct err *err)
{
    for (uint32_t row = 0; row < a->rows_n; row++) {
        double high = a->heap->column[1][row], low = a->heap->column[2][row];
        double volume = a->heap->column[PRICES_N][row];
        if (!(low >= CSV_PRICE_LEAST))
            return refuse_scale(a, row, "low", low, err);
        if (!(high <= CSV_PRICE_MOST))
            return refuse_scale(a, row, "high", high, err);
        if (!(volume <= CSV_VOLUME_MOST))
            return refuse_scale(a, row, "volume", volume, err);
    }
    return 0;
}

int actions_apply(struct actions *actions, enum dividends how, struct bars *bars,
                  struct actions_report *ret_report, struct err *err)
{
    struct actions_report report = {0};
    struct adjusting a = {.actions = actions,
                          .heap = (struct bars_heap *)bars, /* its first member */
                          .rows_n = bars->rows_n,
                          .report = &report};
    find_rows(&a);
    apply_splits(&a);
    int rc = how == DIVIDENDS_CASH ? pay_dividends(&a, err) : adjust_dividends(&a, err);
    if (rc == 0)
        rc = check_scale(&a, err);
    if (rc == 0)
        *ret_report = report;
    return rc;
}
