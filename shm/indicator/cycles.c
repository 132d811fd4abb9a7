/* SPDX-License-Identifier: MIT */
/* Ehlers' cycle indicators: a discriminator of the dominant cycle's phase and period, and what is
 * made of it.
 *
 * Per row: price, smoothed over four bars, goes through a Hilbert transformer (a filter of every
 * second value, scaled by the period found so far), which gives the detrended price; that, three
 * bars late, is the in-phase part I1; the transformer again gives the quadrature Q1 and turns both
 * by another quarter. A pair of phasors, smoothed, tells by how much the phase moved in a bar, and
 * so the period, which may change by half and stays within 6 to 50 bars.
 *
 *   smooth  s = (4 x + 3 x' + 2 x'' + x''') / 10
 *   filter  H(v) = a v + b v[2] - b v[4] - a v[6], times 0.075 period + 0.54
 *   phasor  I2 = I1 - H(Q1), Q2 = Q1 + H(I1); 1/5 new, 4/5 old, as all smoothing here
 *   period  2 pi / atan(Im / Re), Re = I2 I2' + Q2 Q2', Im = I2 Q2' - Q2 I2' */
#include <assert.h>
#include <string.h>

#define FILTER_A    0.0962
#define FILTER_B    0.5769
#define NEW         0.2 /* share of what is new in a smoothed value */
#define OLD         0.8
#define PERIOD_LOW  6.0 /* bars */
#define PERIOD_HIGH 50.0
#define PERIOD_GRID 0x1.8p+16         /* added and taken off, it rounds to multiples of 2^-36 */
#define DEGREES     57.29577951308232 /* in a radian */
#define QUARTER_PI  0x1.921fb54442d18p-1
#define TAN_EIGHTH  0.41421356237309503 /* of pi */

/* Values of a step: those of earlier rows, the last one first, and what is carried. */
enum {
    AT_PRICE = 0,
    AT_SMOOTH = 3,
    AT_DETRENDED = 9,
    AT_QUADRATURE = 18,
    AT_I2 = 24,
    AT_Q2,
    AT_RE,
    AT_IM,
    AT_PERIOD,
    PHASOR_VALUES,
    AT_DCPERIOD = PHASOR_VALUES,
    DCPERIOD_VALUES,
    AT_PHASE = PHASOR_VALUES,
    AT_MAMA,
    AT_FAMA,
    MAMA_VALUES,
};

#define LANES_STEPS "shm/indicator/cycles_steps.inc"
#include "shm/indicator/lanes.h"
#include "shm/indicator/row.h"

static_assert((int)MAMA_VALUES <= RECURSIVE_VALUES_MAX, "values fit");

#define CYCLE_START   12   /* rows before the discriminator starts, from filters of zeros */
#define CYCLE_FIRST   32   /* first defined row */
#define CYCLE_FORGETS 1000 /* rows */
#define SMOOTH_ROWS   3u   /* that a smooth price looks back */

/* A row before the discriminator starts: only its price is kept. */
static void keep_price(const struct recursive_row *row)
{
    delay_1(row->value + AT_PRICE, 3, row->at[0][0]);
}

/* ---- dominant cycle period ------------------------------------------------------------------ */

static void prepare_ht_dcperiod(const double *param, struct recursive_setup *setup)
{
    (void)param;
    setup->first = CYCLE_FIRST;
    setup->warm_rows = CYCLE_FORGETS;
}

static void seed_ht_dcperiod(const struct recursive_row *row)
{
    double unused;
    if (row->seen < CYCLE_START)
        keep_price(row);
    else
        dcperiod_step_1(row->value, NULL, row->at[0], &unused);
}

static const struct recursive ht_dcperiod = {
    .inputs_n = 1,
    .outputs_n = 1,
    .values_n = DCPERIOD_VALUES,
    .series_n = 1,
    .code = LANES_CODE(dcperiod),
    .prepare = prepare_ht_dcperiod,
    .seed = seed_ht_dcperiod,
};
RECURSIVE_KERNEL_ALONE(ht_dcperiod)

/* ---- trend line ----------------------------------------------------------------------------- */

#define TREND_START 37u /* rows before its discriminator starts */
#define TREND_FIRST 63u /* first defined row */
#define TREND_ROWS  53u /* that total_back() reads at most */

static void prepare_trend_period(const double *param, struct recursive_setup *setup)
{
    (void)param;
    setup->first = TREND_START;
    setup->warm_rows = CYCLE_FORGETS;
}

/* Periods as ht_dcperiod(), started later and defined from the start on. */
static const struct recursive trend_period = {
    .inputs_n = 1,
    .outputs_n = 1,
    .values_n = DCPERIOD_VALUES,
    .series_n = 1,
    .code = LANES_CODE(dcperiod),
    .prepare = prepare_trend_period,
    .seed = keep_price,
};

struct trendline {
    struct recursive_state cycle;
    double mean[3];   /* of the rows before, the last one first */
    uint32_t means_n; /* rows since the discriminator started, TREND_FIRST at most */
};

/* Total of the n values that end at x, in four parts; up to three more are read and dropped. */
static inline double total_back(const double *x, uint32_t n)
{
    double part[4] = {0};
    uint32_t i = 0;
    for (; i + 4 <= n; i += 4) {
        for (int k = 0; k < 4; k++)
            part[k] += *(x - i - k);
    }
    for (uint32_t k = 0; k < 3; k++) {
        double value = *(x - i - k);
        part[k] += i + k < n ? value : 0.0;
    }
    return (part[0] + part[1]) + (part[2] + part[3]);
}

/* A row: the mean over as many bars as the cycle has, smoothed over four. */
static inline double trend_step(struct trendline *l, const double *x, double period)
{
    uint32_t n = (uint32_t)(period + 0.5);
    double mean = n > 0 ? total_back(x, n) / n : 0.0;
    double trend = (4.0 * mean + 3.0 * l->mean[0] + 2.0 * l->mean[1] + l->mean[2]) / 10.0;
    l->mean[2] = l->mean[1];
    l->mean[1] = l->mean[0];
    l->mean[0] = mean;
    l->means_n += l->means_n < TREND_FIRST ? 1 : 0;
    return l->means_n > TREND_FIRST - TREND_START ? trend : NAN;
}

/* Periods first, in the place of the output. */
static int advance_ht_trendline(const struct indicator_span *s)
{
    struct trendline *l = s->state;
    struct indicator_span periods = *s;
    double *out = s->out[0];
    periods.state = &l->cycle;
    int r = recursive_advance(&trend_period, &periods);
    for (uint32_t i = 0; i < s->rows_n && r == 0; i++) {
        if (out[i] == out[i]) {
            out[i] = trend_step(l, s->input[0] + i, out[i]);
        } else {
            memset(l->mean, 0, sizeof(l->mean));
            l->means_n = 0;
        }
    }
    return r;
}

/* ---- adaptive averages ---------------------------------------------------------------------- */

#define MAMA_FORGETS 120.0 /* rows, times the least share of what is new */

static void prepare_mama(const double *param, struct recursive_setup *setup)
{
    setup->constant[0] = param[0];
    setup->constant[1] = param[1];
    setup->first = CYCLE_FIRST;
    setup->warm_rows = CYCLE_FORGETS + (uint64_t)(MAMA_FORGETS / param[1]);
}

static void seed_mama(const struct recursive_row *row)
{
    double unused[2];
    if (row->seen < CYCLE_START)
        keep_price(row);
    else
        mama_step_1(row->value, row->setup->constant, row->at[0], unused);
}

static const struct recursive mama = {
    .inputs_n = 1,
    .outputs_n = 2,
    .values_n = MAMA_VALUES,
    .constants_n = 2,
    .series_n = 1,
    .code = LANES_CODE(mama),
    .prepare = prepare_mama,
    .seed = seed_mama,
};
RECURSIVE_KERNEL(mama)

/* ---- table ---------------------------------------------------------------------------------- */

static uint32_t lookback_smooth(const double *param)
{
    (void)param;
    return SMOOTH_ROWS;
}

static uint32_t lookback_trend(const double *param)
{
    (void)param;
    return TREND_ROWS;
}

/* clang-format off */
static const struct indicator rows[] = {
    {.name = "ht_dcperiod", .cls = CLASS_RECURSIVE, .series_args_n = 1,
     .outputs_n = 1, .outputs = {"ht_dcperiod"}, .warm_up_text = "32",
     .formula = "dominant cycle period in bars, 6 to 50, by Hilbert transform",
     .edges = "where prices rest it is decided by rounding errors", .source = "Ehlers 2001; " TALIB,
     .lookback = lookback_smooth, RECURSIVE_ROW_ALONE(ht_dcperiod)},
    {.name = "ht_trendline", .cls = CLASS_RECURSIVE, .series_args_n = 1,
     .outputs_n = 1, .outputs = {"ht_trendline"}, .warm_up_text = "63",
     .formula = "mean over the dominant cycle's period, then (4, 3, 2, 1) / 10 of the last four",
     .source = "Ehlers 2001; " TALIB,
     .lookback = lookback_trend, .state_bytes = sizeof(struct trendline),
     .advance = advance_ht_trendline},
    {.name = "mama", .cls = CLASS_RECURSIVE, .series_args_n = 1,
     .params_n = 2, .params = {FRACTION("fast", 0.01, 0.99), FRACTION("slow", 0.01, 0.99)},
     .outputs_n = 2, .outputs = {"mama", "fama"}, .warm_up_text = "32",
     .formula = "MESA adaptive average: before + alpha * (x - before), alpha = fast by the degrees "
                "that the cycle's phase fell in the bar, slow at least; fama follows mama by "
                "alpha / 2",
     .edges = "alpha is fast where the phase did not fall", .source = "Ehlers 2001; " TALIB,
     .lookback = lookback_smooth, RECURSIVE_ROW(mama)},
};
/* clang-format on */

const struct indicator_family family_cycles = INDICATOR_FAMILY("cycles", rows);
