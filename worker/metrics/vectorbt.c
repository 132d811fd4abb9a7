/* SPDX-License-Identifier: MIT */
/* The profile of vectorbt 0.28: what Portfolio.stats() and returns.stats() report for the same
 * value and orders. Its definitions, where they differ from the native ones:
 *  - returns are those of bars, the first one from the initial capital; there are as many a year as
 *    the bars' spacing goes into 365 days;
 *  - drawdowns rest on every bar and start from the first bar's value, not the initial capital;
 *  - durations are bars times spacing, and a drawdown's counts from the bar after its peak;
 *  - where it says infinity, the metric is undefined here. */
#include <math.h>

#include "proto/units.h"
#include "shm/exact.h"
#include "worker/metrics/stats.h"

#define YEAR_DAYS 365

/* The run by bars. */
struct bars {
    const struct metrics_input *in;
    double period_days, per_year;
    double risk_free; /* a bar */
    const double *returns;
    struct distribution r;
};

static void bar_returns(const struct metrics_input *in, double *ret_returns)
{
    double before = in->initial_capital;

    for (uint32_t i = 0; i < in->bars_n; i++) {
        ret_returns[i] = before > 0 ? in->equity[i] / before - 1 : 0;
        before = in->equity[i];
    }
}

static void ratios(const struct bars *b, double *metrics)
{
    const struct metrics_input *in = b->in;
    double excess = b->r.mean - b->risk_free;
    double downside = sqrt(b->r.under_sq_sum / b->r.n);
    double growth = in->equity[in->bars_n - 1] / in->initial_capital;
    double ann = exact_pow(growth, b->per_year / in->bars_n) - 1;
    double max_drawdown = -metrics[METRIC_MAX_DRAWDOWN_PCT] / 100;

    metrics[METRIC_RETURN_ANN_PCT] = ann * 100;
    metrics[METRIC_VOLATILITY_ANN_PCT] = b->r.std * sqrt(b->per_year) * 100;
    metrics[METRIC_SHARPE] = ratio(excess, b->r.std) * sqrt(b->per_year);
    if (b->r.n > 1)
        metrics[METRIC_SORTINO] = ratio(excess * b->per_year, downside * sqrt(b->per_year));
    metrics[METRIC_OMEGA] = ratio(b->r.over_sum, -b->r.under_sum);
    metrics[METRIC_CALMAR] = max_drawdown > 0 ? ratio(ann, max_drawdown) : NAN;
}

static void spread(const struct bars *b, double *work, double *metrics)
{
    metrics_spread(b->returns, &b->r, work, metrics);
    metrics[METRIC_COMMON_SENSE_RATIO] =
        metrics[METRIC_TAIL_RATIO] * (1 + metrics[METRIC_RETURN_ANN_PCT] / 100);
}

static void drawdowns(const struct bars *b, double *metrics)
{
    struct drawdown_spells spells = drawdown_spells(&(struct drawdown_points){
        .equity = b->in->equity,
        .time_ns = b->in->time_ns,
        .n = b->in->bars_n,
        .measure = SPELL_BARS,
    });

    if (spells.n == 0)
        return;
    metrics[METRIC_AVG_DRAWDOWN_PCT] = -spells.depth_sum / spells.n * 100;
    metrics[METRIC_MAX_DRAWDOWN_DURATION_DAYS] = spells.longest * b->period_days;
    metrics[METRIC_AVG_DRAWDOWN_DURATION_DAYS] = spells.length_sum / spells.n * b->period_days;
}

/* Of the market, whose first bar's return is 0; returns how many bars it has none. */
static uint32_t market_returns(const struct metrics_input *in, double *ret_returns)
{
    uint32_t first = 0;

    while (first < in->bars_n && isnan(in->benchmark[first]))
        first++;
    for (uint32_t i = first; i < in->bars_n; i++)
        ret_returns[i] = i > 0 && i > first ? in->benchmark[i] / in->benchmark[i - 1] - 1 : 0;
    return first;
}

static double information_ratio(const double *returns, const double *market, uint32_t n,
                                double *work)
{
    struct distribution active;

    for (uint32_t i = 0; i < n; i++)
        work[i] = returns[i] - market[i];
    active = distribution(work, n, 0);
    return ratio(active.mean, active.std);
}

static void market(const struct bars *b, double *work, double *metrics)
{
    const struct metrics_input *in = b->in;
    uint32_t first = market_returns(in, work), n = in->bars_n - first;
    struct market_fit fit = market_fit(b->returns + first, work + first, n);
    double beta = fit.n > 1 ? ratio(fit.cov, fit.var_m) : NAN;
    double alpha = (fit.mean_r - b->risk_free) - beta * (fit.mean_m - b->risk_free);

    metrics[METRIC_BUY_HOLD_RETURN_PCT] =
        (in->benchmark[in->bars_n - 1] / in->benchmark[0] - 1) * 100;
    metrics[METRIC_BETA] = beta;
    metrics[METRIC_ALPHA_PCT] = (exact_pow(1 + alpha, b->per_year) - 1) * 100;
    metrics[METRIC_INFORMATION_RATIO] =
        information_ratio(b->returns + first, work + first, n, work + in->bars_n);
}

static void count_open_sides(const struct metrics_input *in, double *metrics)
{
    for (uint32_t i = in->trades_n; i < in->trades_n + in->open_trades_n; i++)
        metrics[in->trades[i].qty > 0 ? METRIC_TRADES_LONG : METRIC_TRADES_SHORT] += 1;
}

/* A mean of nothing is 0. */
static double expectancy(const struct trade_stats *t)
{
    double gain = t->all.gains_n ? t->all.pnl_gain / t->all.gains_n : 0;
    double loss = t->all.losses_n ? -t->all.pnl_loss / t->all.losses_n : 0;

    return t->win_share * gain - (1 - t->win_share) * loss;
}

static void trade_metrics(const struct bars *b, const struct trade_stats *t, double *metrics)
{
    const struct trade_sums *all = &t->all;

    metrics_trades(t, metrics);
    count_open_sides(b->in, metrics);
    metrics[METRIC_TRADES] = (double)b->in->trades_n + b->in->open_trades_n;
    metrics[METRIC_CLOSED_TRADES] = b->in->trades_n;
    metrics[METRIC_ORDERS] = (double)b->in->facts.orders_n;
    metrics[METRIC_EXPECTANCY] = expectancy(t);
    metrics[METRIC_MAX_TRADE_DURATION_DAYS] = t->longest * b->period_days;
    metrics[METRIC_AVG_TRADE_DURATION_DAYS] = t->length_mean * b->period_days;
    metrics[METRIC_AVG_WINNING_TRADE_DURATION_DAYS] =
        ratio(all->length_gain, all->gains_n) * b->period_days;
    metrics[METRIC_AVG_LOSING_TRADE_DURATION_DAYS] =
        ratio(all->length_loss, all->losses_n) * b->period_days;
}

void metrics_vectorbt(const struct metrics_input *in, double *scratch, double *metrics)
{
    struct trade_stats trades = trade_stats(in);
    struct bars b = {.in = in, .returns = scratch};

    b.period_days = ratio((double)bar_period_ns(in), 1) / NS_PER_DAY;
    b.per_year =
        isnan(in->periods_per_year) ? ratio(YEAR_DAYS, b.period_days) : in->periods_per_year;
    b.risk_free = isnan(in->risk_free) || in->risk_free == 0 ? 0 : in->risk_free / b.per_year;
    metrics_common(in, &trades, scratch, metrics);
    bar_returns(in, scratch);
    b.r = distribution(scratch, in->bars_n, b.risk_free);
    metrics[METRIC_DURATION_DAYS] = in->bars_n * b.period_days;
    trade_metrics(&b, &trades, metrics);
    ratios(&b, metrics);
    spread(&b, scratch + in->bars_n, metrics);
    drawdowns(&b, metrics);
    market(&b, scratch + in->bars_n, metrics);
}
