/* SPDX-License-Identifier: MIT */
/* Exponential averages, and what is made of them.
 *
 * Each is seeded as TA-Lib does, by the plain average of the first n values, also where it averages
 * another average; those that Tulip alone has, by a value of the series. */
#define LANES_STEPS "shm/indicator/exponential_steps.inc"
#include "shm/indicator/lanes.h"
#include "shm/indicator/row.h"

/* Rows after which two averages of different beginnings are the same, in multiples of n + 1. */
#define FORGETS       30u
#define FORGETS_STAGE 10u /* more for each average of an average */

static double alpha_of(double n)
{
    return 2.0 / (n + 1.0);
}

/* Stage i averages stage i - 1 from its first value on, so it begins i * (n - 1) rows later. True
 * where the last of them has a value. */
static bool seed_cascade(const struct recursive_row *row, unsigned stages_n)
{
    uint64_t n = (uint64_t)row->setup->param[0], seen = row->seen;
    double x = row->at[0][0];
    for (unsigned i = 0; i < stages_n; i++, seen -= n - 1) {
        if (seen < n)
            row->value[i] += x;
        else
            row->value[i] += row->setup->constant[0] * (x - row->value[i]);
        if (seen + 1 < n)
            return false;
        if (seen + 1 == n)
            row->value[i] /= row->setup->param[0];
        x = row->value[i];
    }
    return true;
}

static void prepare_cascade(const double *param, struct recursive_setup *setup, unsigned stages_n)
{
    uint64_t n = (uint64_t)param[0];
    setup->constant[0] = alpha_of(param[0]);
    setup->first = stages_n * (n - 1) + 1;
    setup->warm_rows = (FORGETS + FORGETS_STAGE * (stages_n - 1)) * (n + 1);
}

/* ---- ema ------------------------------------------------------------------------------------ */

static void prepare_ema(const double *param, struct recursive_setup *setup)
{
    prepare_cascade(param, setup, 1);
}

static void seed_ema(const struct recursive_row *row)
{
    if (seed_cascade(row, 1))
        row->out[0] = row->value[0];
}

static const struct recursive ema = {
    .inputs_n = 1,
    .outputs_n = 1,
    .values_n = 1,
    .constants_n = 1,
    .series_n = 1,
    .code = LANES_CODE(ema),
    .prepare = prepare_ema,
    .seed = seed_ema,
};

/* ---- averages of averages ------------------------------------------------------------------- */

static void prepare_dema(const double *param, struct recursive_setup *setup)
{
    prepare_cascade(param, setup, 2);
}

static void seed_dema(const struct recursive_row *row)
{
    if (seed_cascade(row, 2))
        row->out[0] = 2.0 * row->value[0] - row->value[1];
}

static const struct recursive dema = {
    .inputs_n = 1,
    .outputs_n = 1,
    .values_n = 2,
    .constants_n = 1,
    .series_n = 1,
    .code = LANES_CODE(dema),
    .prepare = prepare_dema,
    .seed = seed_dema,
};

static void prepare_tema(const double *param, struct recursive_setup *setup)
{
    prepare_cascade(param, setup, 3);
}

static void seed_tema(const struct recursive_row *row)
{
    const double *v = row->value;
    if (seed_cascade(row, 3))
        row->out[0] = v[2] + (3.0 * v[0] - 3.0 * v[1]);
}

static const struct recursive tema = {
    .inputs_n = 1,
    .outputs_n = 1,
    .values_n = 3,
    .constants_n = 1,
    .series_n = 1,
    .code = LANES_CODE(tema),
    .prepare = prepare_tema,
    .seed = seed_tema,
};

static void prepare_t3(const double *param, struct recursive_setup *setup)
{
    double v = param[1], v2 = v * v, v3 = v2 * v;
    prepare_cascade(param, setup, 6);
    setup->constant[1] = -v3;
    setup->constant[2] = 3.0 * (v2 + v3);
    setup->constant[3] = -6.0 * v2 - 3.0 * (v + v3);
    setup->constant[4] = 1.0 + 3.0 * v + v3 + 3.0 * v2;
}

static void seed_t3(const struct recursive_row *row)
{
    const double *v = row->value, *k = row->setup->constant;
    if (seed_cascade(row, 6))
        row->out[0] = k[1] * v[5] + k[2] * v[4] + k[3] * v[3] + k[4] * v[2];
}

static const struct recursive t3 = {
    .inputs_n = 1,
    .outputs_n = 1,
    .values_n = 6,
    .constants_n = 5,
    .series_n = 1,
    .code = LANES_CODE(t3),
    .prepare = prepare_t3,
    .seed = seed_t3,
};

static void prepare_trix(const double *param, struct recursive_setup *setup)
{
    prepare_cascade(param, setup, 3);
}

static void seed_trix(const struct recursive_row *row)
{
    (void)seed_cascade(row, 3); /* its first value only has none before it */
}

static const struct recursive trix = {
    .inputs_n = 1,
    .outputs_n = 1,
    .values_n = 3,
    .constants_n = 1,
    .series_n = 1,
    .code = LANES_CODE(trix),
    .prepare = prepare_trix,
    .seed = seed_trix,
};

/* ---- macd ----------------------------------------------------------------------------------- */

static void order_periods(const double *param, double *ret_order)
{
    ret_order[0] = param[0] < param[1] ? param[0] : param[1];
    ret_order[1] = param[0] < param[1] ? param[1] : param[0];
}

static void prepare_macd(const double *param, struct recursive_setup *setup)
{
    double order[2];
    order_periods(param, order);
    setup->constant[0] = alpha_of(order[0]);
    setup->constant[1] = alpha_of(order[1]);
    setup->constant[2] = alpha_of(param[2]);
    setup->first = (uint64_t)(order[1] + param[2]) - 1;
    setup->warm_rows =
        FORGETS * (uint64_t)(order[1] + 1.0) + FORGETS_STAGE * (uint64_t)(param[2] + 1.0);
}

/* The fast average begins so late that both have their first value in one row. */
static void seed_macd(const struct recursive_row *row)
{
    const double *k = row->setup->constant, *param = row->setup->param, x = row->at[0][0];
    double *v = row->value, order[2];
    double seen = (double)row->seen;
    order_periods(param, order);
    if (seen < order[1]) {
        v[1] += x;
        v[0] += seen >= order[1] - order[0] ? x : 0.0;
        if (seen + 1.0 < order[1])
            return;
        v[0] /= order[0];
        v[1] /= order[1];
    } else {
        v[0] += k[0] * (x - v[0]);
        v[1] += k[1] * (x - v[1]);
    }
    double line = v[0] - v[1];
    v[2] += line;
    if (row->seen + 1 < row->setup->first)
        return;
    v[2] /= param[2];
    row->out[0] = line;
    row->out[1] = v[2];
    row->out[2] = line - v[2];
}

static const struct recursive macd = {
    .inputs_n = 1,
    .outputs_n = 3,
    .values_n = 3,
    .constants_n = 3,
    .series_n = 1,
    .code = LANES_CODE(macd),
    .prepare = prepare_macd,
    .seed = seed_macd,
};

/* ---- zlema ---------------------------------------------------------------------------------- */

static uint32_t zlema_lag(const double *param)
{
    return ((uint32_t)param[0] - 1) / 2;
}

static void prepare_zlema(const double *param, struct recursive_setup *setup)
{
    uint32_t lag = zlema_lag(param);
    setup->constant[0] = alpha_of(param[0]);
    setup->first = lag > 0 ? lag : 1;
    setup->warm_rows = FORGETS * ((uint64_t)param[0] + 1);
    setup->lag[1] = lag;
}

static void seed_zlema(const struct recursive_row *row)
{
    if (row->seen + 1 == row->setup->first)
        row->out[0] = row->value[0] = row->at[0][0];
}

static const struct recursive zlema = {
    .inputs_n = 2,
    .outputs_n = 1,
    .values_n = 1,
    .constants_n = 1,
    .series_n = 1,
    .code = LANES_CODE(zlema),
    .prepare = prepare_zlema,
    .seed = seed_zlema,
};

/* ---- wilders -------------------------------------------------------------------------------- */

static void prepare_wilders(const double *param, struct recursive_setup *setup)
{
    setup->constant[0] = 1.0 / param[0];
    setup->first = (uint64_t)param[0];
    setup->warm_rows = 2 * FORGETS * (uint64_t)param[0];
}

static const struct recursive wilders = {
    .inputs_n = 1,
    .outputs_n = 1,
    .values_n = 1,
    .constants_n = 1,
    .series_n = 1,
    .code = LANES_CODE(wilders),
    .prepare = prepare_wilders,
    .seed = seed_ema,
};

/* ---- the table ------------------------------------------------------------------------------ */

RECURSIVE_KERNEL(dema)
RECURSIVE_KERNEL(ema)
RECURSIVE_KERNEL(macd)
RECURSIVE_KERNEL(t3)
RECURSIVE_KERNEL(tema)
RECURSIVE_KERNEL(trix)
RECURSIVE_KERNEL(wilders)
RECURSIVE_KERNEL_ALONE(zlema)

static uint32_t lookback_zlema(const double *param)
{
    return zlema_lag(param);
}

#define SEEDED "seeded by the plain average of its first n"
#define EDGES_AVERAGE                                                                              \
    "a constant stays what it is; what is not finite makes its row undefined, and the seeding "    \
    "begins anew behind it"

/* clang-format off */
static const struct indicator rows[] = {
    {.name = "apo", .cls = CLASS_ROLLING, .series_args_n = 1,
     .params_n = 2, .params = {PERIOD("fast", 2), PERIOD("slow", 2)},
     .outputs_n = 1, .outputs = {"apo"}, .warm_up_text = "slow - 1",
     .formula = "sma(x,fast) - sma(x,slow); periods in the wrong order are swapped",
     .edges = "0 where the series is constant", .source = TALIB ", simple averages",
     .derived = {"short", "long"}, .derive = order_periods,
     .made_of = {"sma(x,short) - sma(x,long)"}},
    {.name = "dema", .cls = CLASS_RECURSIVE, .series_args_n = 1,
     .params_n = 1, .params = {PERIOD("n", 1)}, .outputs_n = 1, .outputs = {"dema"},
     .warm_up_text = "n + n - 2",
     .formula = "2 * a - b, where a is ema(x,n) and b is ema(a,n), each " SEEDED,
     .edges = EDGES_AVERAGE, .source = "Mulloy 1994; " TALIB, RECURSIVE_ROW(dema)},
    {.name = "ema", .cls = CLASS_RECURSIVE, .series_args_n = 1,
     .params_n = 1, .params = {PERIOD("n", 1)}, .outputs_n = 1, .outputs = {"ema"},
     .warm_up_text = "n - 1",
     .formula = "before + 2/(n+1) * (x - before), seeded by the plain average of the first n",
     .edges = EDGES_AVERAGE, .source = TALIB, RECURSIVE_ROW(ema)},
    {.name = "macd", .cls = CLASS_RECURSIVE, .series_args_n = 1,
     .params_n = 3, .params = {PERIOD("fast", 2), PERIOD("slow", 2), PERIOD("signal", 1)},
     .outputs_n = 3, .outputs = {"macd", "signal", "hist"},
     .warm_up_text = "slow + signal - 2",
     .formula = "macd = ema(x,fast) - ema(x,slow), both first defined in the same row; "
                "signal = ema(macd,signal); hist = macd - signal; fast and slow in the wrong order "
                "are swapped",
     .edges = "0 where the series is constant", .source = "Appel 1979; " TALIB,
     RECURSIVE_ROW(macd)},
    {.name = "ppo", .cls = CLASS_ROLLING, .series_args_n = 1,
     .params_n = 2, .params = {PERIOD("fast", 2), PERIOD("slow", 2)},
     .outputs_n = 1, .outputs = {"ppo"}, .warm_up_text = "slow - 1",
     .formula = "(sma(x,fast) - sma(x,slow)) / sma(x,slow) * 100; periods in the wrong order are "
                "swapped",
     .edges = "0 where the series is constant; undefined or infinite where the slow average is 0",
     .source = TALIB ", simple averages",
     .derived = {"short", "long"}, .derive = order_periods,
     .made_of = {"(sma(x,short) - sma(x,long)) / sma(x,long) * 100"}},
    {.name = "t3", .cls = CLASS_RECURSIVE, .series_args_n = 1,
     .params_n = 2, .params = {PERIOD("n", 1), FRACTION("v", 0, 1)},
     .outputs_n = 1, .outputs = {"t3"}, .warm_up_text = "n + n + n + n + n + n - 6",
     .formula = "c1 e6 + c2 e5 + c3 e4 + c4 e3, where e1 is ema(x,n), e2 is ema(e1,n) … each " SEEDED
                "; c1 = -v^3, c2 = 3v^2 + 3v^3, c3 = -6v^2 - 3v - 3v^3, c4 = 1 + 3v + v^3 + 3v^2",
     .edges = EDGES_AVERAGE, .source = "Tillson 1998; " TALIB, RECURSIVE_ROW(t3)},
    {.name = "tema", .cls = CLASS_RECURSIVE, .series_args_n = 1,
     .params_n = 1, .params = {PERIOD("n", 1)}, .outputs_n = 1, .outputs = {"tema"},
     .warm_up_text = "n + n + n - 3",
     .formula = "3a - 3b + c, where a is ema(x,n), b is ema(a,n) and c is ema(b,n), each " SEEDED,
     .edges = EDGES_AVERAGE, .source = "Mulloy 1994; " TALIB, RECURSIVE_ROW(tema)},
    {.name = "trix", .cls = CLASS_RECURSIVE, .series_args_n = 1,
     .params_n = 1, .params = {PERIOD("n", 1)}, .outputs_n = 1, .outputs = {"trix"},
     .warm_up_text = "n + n + n - 2",
     .formula = "(c / c[1 bar ago] - 1) * 100, where c is ema(ema(ema(x,n),n),n), each " SEEDED,
     .edges = "0 where c was 0, and where the series is constant", .source = TALIB,
     RECURSIVE_ROW(trix)},
    {.name = "wilders", .cls = CLASS_RECURSIVE, .series_args_n = 1,
     .params_n = 1, .params = {PERIOD("n", 1)}, .outputs_n = 1, .outputs = {"wilders"},
     .warm_up_text = "n - 1",
     .formula = "before + (x - before) / n, seeded by the plain average of the first n",
     .edges = EDGES_AVERAGE, .source = "Wilder 1978; Tulip", RECURSIVE_ROW(wilders)},
    {.name = "zlema", .cls = CLASS_RECURSIVE, .series_args_n = 1,
     .params_n = 1, .params = {PERIOD("n", 1)}, .outputs_n = 1, .outputs = {"zlema"},
     .warm_up_text = "(n - 1) / 2 - 1",
     .formula = "before + 2/(n+1) * (2x - x[lag bars ago] - before) with lag = (n-1)/2 rounded "
                "down, seeded by x of row lag - 1",
     .edges = "seeded by row 0 where lag is 0; " EDGES_AVERAGE, .source = "Ehlers and Way; Tulip",
     .lookback = lookback_zlema, RECURSIVE_ROW_ALONE(zlema)},
};
/* clang-format on */

const struct indicator_family family_exponential = INDICATOR_FAMILY("exponential averages", rows);
