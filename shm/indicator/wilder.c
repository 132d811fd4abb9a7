/* SPDX-License-Identifier: MIT */
/* Wilder's averages of changes and of ranges: the plain average of the first n, then
 * ((n - 1) * before + now) / n, in TA-Lib's order of operations; and crossings. */

/* TA-Lib takes what is smaller than this for nothing. */
#define WILDER_NOTHING 1e-14

#define LANES_STEPS "shm/indicator/wilder_steps.inc"
#include "shm/indicator/lanes.h"
#include "shm/indicator/row.h"

#define WILDER_FORGETS 60u /* rows, times n */

static void prepare_wilder(const double *param, struct recursive_setup *setup)
{
    uint64_t n = (uint64_t)param[0];
    setup->constant[0] = param[0];
    setup->constant[1] = param[0] - 1.0;
    setup->first = n + 1;
    setup->warm_rows = WILDER_FORGETS * n;
}

/* ---- changes -------------------------------------------------------------------------------- */

/* True with the n-th change. */
static bool seed_changes(const struct recursive_row *row)
{
    double x = row->at[0][0], *v = row->value, change = x - v[0];
    v[0] = x;
    if (row->seen == 0)
        return false;
    v[1] += change > 0.0 ? change : 0.0;
    v[2] += change < 0.0 ? -change : 0.0;
    if (row->seen + 1 < row->setup->first)
        return false;
    v[1] /= row->setup->param[0];
    v[2] /= row->setup->param[0];
    return true;
}

static void seed_rsi(const struct recursive_row *row)
{
    if (seed_changes(row))
        row->out[0] = wilder_percent_1(row->value[1], row->value[1] + row->value[2]);
}

static const struct recursive rsi = {
    .inputs_n = 1,
    .outputs_n = 1,
    .values_n = 3,
    .constants_n = 2,
    .series_n = 1,
    .code = LANES_CODE(rsi),
    .prepare = prepare_wilder,
    .seed = seed_rsi,
};

static void seed_cmo(const struct recursive_row *row)
{
    const double *v = row->value;
    if (seed_changes(row))
        row->out[0] = wilder_percent_1(v[1] - v[2], v[1] + v[2]);
}

static const struct recursive cmo = {
    .inputs_n = 1,
    .outputs_n = 1,
    .values_n = 3,
    .constants_n = 2,
    .series_n = 1,
    .code = LANES_CODE(cmo),
    .prepare = prepare_wilder,
    .seed = seed_cmo,
};

/* ---- ranges --------------------------------------------------------------------------------- */

/* True with the n-th range; the first row has none. */
static bool seed_ranges(const struct recursive_row *row)
{
    double *v = row->value;
    if (row->seen > 0)
        v[0] += true_range_1(row->at[0][0], row->at[1][0], v[1]);
    v[1] = row->at[2][0];
    if (row->seen + 1 < row->setup->first)
        return false;
    v[0] /= row->setup->param[0];
    return true;
}

static void seed_atr(const struct recursive_row *row)
{
    if (seed_ranges(row))
        row->out[0] = row->value[0];
}

static const struct recursive atr = {
    .inputs_n = 3,
    .outputs_n = 1,
    .values_n = 2,
    .constants_n = 2,
    .series_n = 3,
    .code = LANES_CODE(atr),
    .prepare = prepare_wilder,
    .seed = seed_atr,
};

static void seed_natr(const struct recursive_row *row)
{
    double close = row->at[2][0], range;
    if (!seed_ranges(row))
        return;
    range = row->value[0];
    if (row->setup->param[0] > 1.0)
        range = fabs(close) < WILDER_NOTHING ? 0.0 : range / close * 100.0;
    row->out[0] = range;
}

static const struct recursive natr = {
    .inputs_n = 3,
    .outputs_n = 1,
    .values_n = 2,
    .constants_n = 2,
    .series_n = 3,
    .code = LANES_CODE(natr),
    .prepare = prepare_wilder,
    .seed = seed_natr,
};

/* ---- crossings ------------------------------------------------------------------------------ */

/* The state is the side on which a lay of b when they last differed: 1 above, -1 below, 0 not
 * known. */
static int advance_cross(const struct indicator_span *s)
{
    const double *a = s->input[0], *b = s->input[1];
    double side = *(double *)s->state;
    for (uint32_t i = 0; i < s->rows_n; i++) {
        bool is_defined = !isnan(a[i]) && !isnan(b[i]);
        double now = (double)(a[i] > b[i]) - (double)(a[i] < b[i]);
        if (s->out[0])
            s->out[0][i] = is_defined ? (double)(now - side == 2.0) : NAN;
        if (s->out[1])
            s->out[1][i] = is_defined ? (double)(side - now == 2.0) : NAN;
        side = now != 0.0 || !is_defined ? now : side;
    }
    *(double *)s->state = side;
    return 0;
}

/* ---- the table ------------------------------------------------------------------------------ */

RECURSIVE_KERNEL(atr)
RECURSIVE_KERNEL(cmo)
RECURSIVE_KERNEL(natr)
RECURSIVE_KERNEL(rsi)

/* clang-format off */
static const struct indicator rows[] = {
    {.name = "atr", .cls = CLASS_RECURSIVE, .implied = "high low close",
     .params_n = 1, .params = {PERIOD("n", 1)}, .outputs_n = 1, .outputs = {"atr"},
     .warm_up_text = "n",
     .formula = "Wilder's average of trange(): the plain one of the first n, then "
                "((n-1) * before + now) / n",
     .edges = "0 where bars have no range and no gaps", .source = "Wilder 1978; " TALIB,
     RECURSIVE_ROW(atr)},
    {.name = "cmo", .cls = CLASS_RECURSIVE, .series_args_n = 1,
     .params_n = 1, .params = {PERIOD("n", 2)}, .outputs_n = 1, .outputs = {"cmo"},
     .warm_up_text = "n",
     .formula = "100 * (gain - loss) / (gain + loss), Wilder's averages of rises and falls",
     .edges = "0 where nothing moved", .source = "Chande 1994; " TALIB, RECURSIVE_ROW(cmo)},
    {.name = "cross", .cls = CLASS_RECURSIVE, .series_args_n = 2,
     .outputs_n = 2, .outputs = {"above", "below"}, .warm_up_text = "0",
     .formula = "above: 1 where a > b and a < b when they last differed, else 0; below: its "
                "mirror. Unlike crosses_above(), a tie in between changes nothing",
     .edges = "an undefined value of either makes its row undefined and forgets the side",
     .source = "vectorbt's crossings", .state_bytes = sizeof(double), .advance = advance_cross},
    {.name = "natr", .cls = CLASS_RECURSIVE, .implied = "high low close",
     .params_n = 1, .params = {PERIOD("n", 1)}, .outputs_n = 1, .outputs = {"natr"},
     .warm_up_text = "n", .formula = "atr(n) / close * 100; natr(1) is trange()",
     .edges = "0 where the close is 0", .source = "Forman 2006; " TALIB, RECURSIVE_ROW(natr)},
    {.name = "rsi", .cls = CLASS_RECURSIVE, .series_args_n = 1,
     .params_n = 1, .params = {PERIOD("n", 2)}, .outputs_n = 1, .outputs = {"rsi"},
     .warm_up_text = "n",
     .formula = "100 * gain / (gain + loss), Wilder's averages of rises and falls",
     .edges = "0 where nothing moved", .source = "Wilder 1978; " TALIB, RECURSIVE_ROW(rsi)},
};
/* clang-format on */

const struct indicator_family family_wilder = INDICATOR_FAMILY("Wilder's averages", rows);
