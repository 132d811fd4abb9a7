/* SPDX-License-Identifier: MIT */
/* Averages whose speed follows the series. They hold totals over windows, which are added up anew
 * at rows that do not depend on how the rows were cut, so that rounding errors do not gather. */

/* Smaller totals of changes are none. */
#define KAMA_NO_MOVEMENT 1e-14
/* A variance that is a smaller part of the mean square may be rounding errors. */
#define VIDYA_NO_VARIANCE 1e-14

#define LANES_STEPS "shm/indicator/adaptive_steps.inc"
#include "shm/indicator/lanes.h"
#include "shm/indicator/row.h"

/* Rows between two refreshments of totals over a window of n: at least so many, and so many that
 * they cost a few additions a row at most. Not a multiple of a power of two, so that chains do not
 * compete for the same sets of the cache. */
static uint32_t fresh_rows(uint32_t n, uint32_t least)
{
    const uint32_t window = least / 4;
    return least * (1 + n / window);
}

/* ---- kama ----------------------------------------------------------------------------------- */

#define KAMA_FORGETS    4000u /* rows, unless the series hardly moves one way */
#define KAMA_FRESH_ROWS 1000u

static void prepare_kama(const double *param, struct recursive_setup *setup)
{
    uint32_t n = (uint32_t)param[0];
    setup->first = (uint64_t)n + 1;
    setup->warm_rows = KAMA_FORGETS;
    setup->lag[1] = n;
    setup->fresh_rows = fresh_rows(n, KAMA_FRESH_ROWS);
}

static void refresh_kama(const struct recursive_setup *setup, const double *at, double *value)
{
    uint32_t n = (uint32_t)setup->param[0];
    const double *x = at - n;
    value[1] = value[4] = 0.0;
    for (uint32_t i = 0; i < n; i++)
        add_exactly_1(&value[1], &value[4], fabs(x[i] - *(x + i - 1)));
}

static void seed_kama(const struct recursive_row *row)
{
    const double *at = row->at[0];
    double *v = row->value;
    if (row->seen > 0)
        add_exactly_1(&v[1], &v[4], fabs(at[0] - v[2]));
    if (row->seen + 1 == row->setup->first) {
        v[3] = *(at - row->setup->lag[1]);
        v[0] = v[2];
        kama_move_step_1(v, at[0], v[3]);
        row->out[0] = v[0];
    }
    v[2] = at[0];
}

static const struct recursive kama = {
    .inputs_n = 2,
    .outputs_n = 1,
    .values_n = 5,
    .constants_n = 0,
    .series_n = 1,
    .code = LANES_CODE(kama),
    .prepare = prepare_kama,
    .seed = seed_kama,
    .refresh = refresh_kama,
};

static uint32_t lookback_kama(const double *param)
{
    return (uint32_t)param[0] + 1;
}

/* ---- vidya ---------------------------------------------------------------------------------- */

#define VIDYA_FORGETS    60.0 /* rows, times 1 / alpha; it is as a rule slower than alpha says */
#define VIDYA_FRESH_ROWS INDICATOR_TILE_ROWS

static uint32_t lookback_vidya(const double *param)
{
    return (uint32_t)(param[0] > param[1] ? param[0] : param[1]);
}

static void prepare_vidya(const double *param, struct recursive_setup *setup)
{
    uint32_t n = lookback_vidya(param);
    double warm = VIDYA_FORGETS / param[2];
    setup->constant[0] = param[2];
    setup->constant[1] = 1.0 / param[0];
    setup->constant[2] = 1.0 / param[1];
    setup->first = n;
    setup->warm_rows = warm < PERIOD_MAX ? (uint64_t)warm + n : (uint64_t)PERIOD_MAX;
    setup->lag[1] = (uint32_t)param[0];
    setup->lag[2] = (uint32_t)param[1];
    setup->fresh_rows = fresh_rows(n, VIDYA_FRESH_ROWS);
}

static void total_window(const double *x, uint32_t n, double *ret_totals)
{
    ret_totals[0] = ret_totals[1] = 0.0;
    for (uint32_t i = 0; i < n; i++) {
        ret_totals[0] += x[i];
        ret_totals[1] += x[i] * x[i];
    }
}

/* The windows end before `at`. */
static void refresh_vidya(const struct recursive_setup *setup, const double *at, double *value)
{
    total_window(at - setup->lag[1], setup->lag[1], value + 1);
    total_window(at - setup->lag[2], setup->lag[2], value + 3);
}

static void seed_vidya(const struct recursive_row *row)
{
    double x = row->at[0][0];
    if (row->seen + 2 == row->setup->first)
        row->out[0] = row->value[0] = x;
    if (row->seen + 1 != row->setup->first)
        return;
    refresh_vidya(row->setup, row->at[0] + 1, row->value);
    vidya_move_step_1(row->value, row->setup->constant, x);
    row->out[0] = row->value[0];
}

static const struct recursive vidya = {
    .inputs_n = 3,
    .outputs_n = 1,
    .values_n = 5,
    .constants_n = 3,
    .series_n = 1,
    .code = LANES_CODE(vidya),
    .prepare = prepare_vidya,
    .seed = seed_vidya,
    .refresh = refresh_vidya,
};

/* ---- the table ------------------------------------------------------------------------------ */

RECURSIVE_KERNEL_ALONE(kama)
RECURSIVE_KERNEL_ALONE(vidya)

/* clang-format off */
static const struct indicator rows[] = {
    {.name = "kama", .cls = CLASS_RECURSIVE, .series_args_n = 1,
     .params_n = 1, .params = {PERIOD("n", 2)}, .outputs_n = 1, .outputs = {"kama"},
     .warm_up_text = "n",
     .formula = "before + c * (x - before), where c = (e * (2/3 - 2/31) + 2/31)^2 and e = "
                "|x - x[n bars ago]| / total of the last n changes of a bar; seeded by x of row "
                "n - 1",
     .edges = "e is 1 where nothing moved or all changes were rises",
     .source = "Kaufman 1995; " TALIB, .lookback = lookback_kama, RECURSIVE_ROW_ALONE(kama)},
    {.name = "vidya", .cls = CLASS_RECURSIVE, .series_args_n = 1,
     .params_n = 3,
     .params = {PERIOD("short", 1), PERIOD("long", 2), FRACTION("alpha", 0, 1)},
     .outputs_n = 1, .outputs = {"vidya"}, .warm_up_text = "long - 2",
     .formula = "before + alpha * stddev(x,short) / stddev(x,long) * (x - before), seeded by x of "
                "row long - 2",
     .edges = "stays where the long window is constant; seeded by row short - 2 where short is "
              "longer than long",
     .source = "Chande 1992; Tulip", .lookback = lookback_vidya, RECURSIVE_ROW_ALONE(vidya)},
};
/* clang-format on */

const struct indicator_family family_adaptive = INDICATOR_FAMILY("adaptive averages", rows);
