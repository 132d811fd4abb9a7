/* SPDX-License-Identifier: MIT */
/* Wilder's stop and reverse. */
#define LANES_STEPS "shm/indicator/sar_steps.inc"
#include "shm/indicator/lanes.h"
#include "shm/indicator/row.h"

/* Rows after which two stops of different beginnings have, as a rule, turned together. */
#define SAR_FORGETS 800u

static void prepare_sar(const double *param, struct recursive_setup *setup)
{
    setup->constant[0] = param[0] < param[1] ? param[0] : param[1];
    setup->constant[1] = param[1];
    setup->first = 2;
    setup->warm_rows = SAR_FORGETS;
}

/* The first bar is only where the stop of the second comes from: its low, or, if the second bar
 * goes further down than up, short from its high. */
static void seed_sar(const struct recursive_row *row)
{
    const double x[2] = {row->at[0][0], row->at[1][0]};
    double *v = row->value;
    if (row->seen > 0) {
        double rise = x[0] - v[4], fall = v[5] - x[1];
        bool is_short = fall > 0.0 && fall > rise;
        v[0] = is_short ? -1.0 : 1.0;
        v[1] = is_short ? v[4] : v[5];
        v[2] = is_short ? x[1] : x[0];
        v[3] = row->setup->constant[0];
    }
    v[4] = x[0];
    v[5] = x[1];
    if (row->seen > 0)
        sar_step_1(v, row->setup->constant, x, row->out);
}

static const struct recursive sar = {
    .inputs_n = 2,
    .outputs_n = 1,
    .values_n = 7,
    .constants_n = 2,
    .series_n = 2,
    .code = LANES_CODE(sar),
    .prepare = prepare_sar,
    .seed = seed_sar,
};

RECURSIVE_KERNEL(sar)

/* clang-format off */
static const struct indicator rows[] = {
    {.name = "sar", .cls = CLASS_RECURSIVE, .implied = "high low",
     .params_n = 2, .params = {FRACTION("acceleration", 0, 3e37), FRACTION("maximum", 0, 3e37)},
     .outputs_n = 1, .outputs = {"sar"}, .warm_up_text = "1",
     .formula = "a stop that moves by f * (extreme - stop) a bar, within the last two bars' lows "
                "(short: highs), and turns where it is touched; f grows by the acceleration up to "
                "the maximum with each new extreme; at first short only if row 1 goes further "
                "down than up",
     .edges = "an acceleration above the maximum is the maximum; a bar without range that touches "
              "the stop turns it", .source = "Wilder 1978; " TALIB, RECURSIVE_ROW(sar)},
};
/* clang-format on */

const struct indicator_family family_sar = INDICATOR_FAMILY("stop and reverse", rows);
