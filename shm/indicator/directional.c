/* SPDX-License-Identifier: MIT */
/* Wilder's directional movement, seeded and smoothed as TA-Lib does: totals of the first n - 1
 * movements and ranges, then a total less its n-th part and what is new. */

/* TA-Lib takes what is smaller than this for nothing. */
#define DIRECTIONAL_NOTHING 1e-14

#define LANES_STEPS "shm/indicator/directional_steps.inc"
#include "shm/indicator/lanes.h"
#include "shm/indicator/row.h"

#define DIRECTIONAL_FORGETS 60u /* rows, times n */

/* ---- seeding -------------------------------------------------------------------------------- */

/* The first n rows: both_ways_step() as long as nothing is smoothed. */
static void seed_both_ways(const struct recursive_row *row)
{
    const double as_total[1] = {0.0};
    const double x[3] = {row->at[0][0], row->at[1][0], row->at[2][0]};
    if (row->seen > 0)
        both_ways_step_1(row->value, as_total, x);
    else
        next_bar_1(row->value, x);
}

static void prepare_dx(const double *param, struct recursive_setup *setup)
{
    uint64_t n = (uint64_t)param[0];
    setup->constant[0] = 1.0 / param[0];
    setup->first = n;
    setup->warm_rows = DIRECTIONAL_FORGETS * n;
}

static const struct recursive dx = {
    .inputs_n = 3,
    .outputs_n = 1,
    .values_n = 7,
    .constants_n = 1,
    .series_n = 3,
    .code = LANES_CODE(dx),
    .prepare = prepare_dx,
    .seed = seed_both_ways,
};

/* ---- adx ------------------------------------------------------------------------------------ */

static void prepare_adx(const double *param, struct recursive_setup *setup)
{
    prepare_dx(param, setup);
    setup->constant[1] = param[0] - 1.0;
    setup->first = 2 * (uint64_t)param[0];
    setup->warm_rows *= 2;
}

/* The average of the first n indices. */
static void seed_adx(const struct recursive_row *row)
{
    const double x[3] = {row->at[0][0], row->at[1][0], row->at[2][0]};
    double *v = row->value, n = row->setup->param[0];
    if ((double)row->seen < n) {
        seed_both_ways(row);
        return;
    }
    both_ways_step_1(v, row->setup->constant, x);
    if (!is_still_1(v))
        v[6] += index_of_1(v);
    if (row->seen + 1 == row->setup->first) {
        v[6] /= n;
        row->out[0] = v[6];
    }
}

static const struct recursive adx = {
    .inputs_n = 3,
    .outputs_n = 1,
    .values_n = 7,
    .constants_n = 2,
    .series_n = 3,
    .code = LANES_CODE(adx),
    .prepare = prepare_adx,
    .seed = seed_adx,
};

static void derive_adxr(const double *param, double *ret_derived)
{
    ret_derived[0] = param[0] - 1.0;
}

/* ---- one way -------------------------------------------------------------------------------- */

static void prepare_di(const double *param, struct recursive_setup *setup)
{
    prepare_dx(param, setup);
    setup->constant[1] = param[0] > 1.0 ? 100.0 : 1.0;
}

static void seed_plus_di(const struct recursive_row *row)
{
    double *v = row->value;
    double both[7] = {v[0], v[1], v[2], v[3], v[4]};
    struct recursive_row each = *row;
    each.value = both;
    seed_both_ways(&each);
    memcpy(v, both, 5 * sizeof(*v));
}

static void seed_minus_di(const struct recursive_row *row)
{
    double *v = row->value;
    double both[7] = {v[0], v[1], v[2], v[3], 0.0, v[4]};
    struct recursive_row each = *row;
    each.value = both;
    seed_both_ways(&each);
    memcpy(v, both, 4 * sizeof(*v));
    v[4] = both[5];
}

static const struct recursive plus_di = {
    .inputs_n = 3,
    .outputs_n = 1,
    .values_n = 5,
    .constants_n = 2,
    .series_n = 3,
    .code = LANES_CODE(plus_di),
    .prepare = prepare_di,
    .seed = seed_plus_di,
};

static const struct recursive minus_di = {
    .inputs_n = 3,
    .outputs_n = 1,
    .values_n = 5,
    .constants_n = 2,
    .series_n = 3,
    .code = LANES_CODE(minus_di),
    .prepare = prepare_di,
    .seed = seed_minus_di,
};

/* ---- the table ------------------------------------------------------------------------------ */

RECURSIVE_KERNEL(adx)
RECURSIVE_KERNEL(dx)
RECURSIVE_KERNEL(minus_di)
RECURSIVE_KERNEL(plus_di)

/* clang-format off */
static const struct indicator rows[] = {
    {.name = "adx", .cls = CLASS_RECURSIVE, .implied = "high low close",
     .params_n = 1, .params = {PERIOD("n", 2)}, .outputs_n = 1, .outputs = {"adx"},
     .warm_up_text = "n + n - 1",
     .formula = "Wilder's average of dx(n): the plain one of its first n, then "
                "((n-1) * before + now) / n",
     .edges = "a bar at which nothing moves, or without range since, changes nothing",
     .source = "Wilder 1978; " TALIB, RECURSIVE_ROW(adx)},
    {.name = "adxr", .cls = CLASS_RECURSIVE, .implied = "high low close",
     .params_n = 1, .params = {PERIOD("n", 2)}, .outputs_n = 1, .outputs = {"adxr"},
     .warm_up_text = "n + n + n - 2",
     .formula = "(adx(n) + adx(n) of n - 1 bars ago) / 2",
     .edges = "as adx()", .source = "Wilder 1978; " TALIB,
     .derived = {"before"}, .derive = derive_adxr,
     .made_of = {"(adx(n) + shift(adx(n), before)) / 2"}},
    {.name = "dx", .cls = CLASS_RECURSIVE, .implied = "high low close",
     .params_n = 1, .params = {PERIOD("n", 2)}, .outputs_n = 1, .outputs = {"dx"},
     .warm_up_text = "n",
     .formula = "100 * |up - down| / (up + down): movements of highs up and of lows down, the "
                "greater of each bar, smoothed as totals less their n-th part plus what is new",
     .edges = "as the bar before where nothing moves or there is no range; 0 to begin with",
     .source = "Wilder 1978; " TALIB, RECURSIVE_ROW(dx)},
    {.name = "minus_di", .cls = CLASS_RECURSIVE, .implied = "high low close",
     .params_n = 1, .params = {PERIOD("n", 1)}, .outputs_n = 1, .outputs = {"minus_di"},
     .warm_up_text = "n",
     .formula = "100 * down / range: movement of lows down and true range, smoothed as in dx(); "
                "minus_di(1) is not times 100",
     .edges = "0 where there is no range", .source = "Wilder 1978; " TALIB,
     RECURSIVE_ROW(minus_di)},
    {.name = "plus_di", .cls = CLASS_RECURSIVE, .implied = "high low close",
     .params_n = 1, .params = {PERIOD("n", 1)}, .outputs_n = 1, .outputs = {"plus_di"},
     .warm_up_text = "n",
     .formula = "100 * up / range: movement of highs up and true range, smoothed as in dx(); "
                "plus_di(1) is not times 100",
     .edges = "0 where there is no range", .source = "Wilder 1978; " TALIB,
     RECURSIVE_ROW(plus_di)},
};
/* clang-format on */

const struct indicator_family family_directional = INDICATOR_FAMILY("directional movement", rows);
