/* SPDX-License-Identifier: MIT */
/* The profile of quantstats 0.0.84: what its full report says of the daily returns of the same
 * equity (one fewer than days, compounded, 252 a year unless given). All but what the run did rests
 * on days; wins and losses are those of days. Value at risk and expected shortfall are those of the
 * normal law with the returns' mean and deviation. Where it says infinity, or 0 for want of data,
 * the metric is undefined here. */
#include <math.h>

#include "shm/exact.h"
#include "worker/metrics/normal.h"
#include "worker/metrics/stats.h"

#define PERIODS_PER_YEAR 252

/* Of the standard normal law: its 5th and 1st percentile, and its mean below the latter. */
#define P05      -0x1.a515209676abdp+0
#define P01      -0x1.29c5c4630ff0fp+1
#define BELOW_05 NORMAL_MEAN_BELOW_05
#define BELOW_01 -0x1.5525bd549c14ap+1

/* The run by days. */
struct days {
    const struct metrics_input *in;
    double per_year;
    double risk_free; /* a year */
    double growth;    /* last daily equity by the first */
    const double *returns;
    struct distribution r;
    uint32_t gains_n, losses_n;
    double win_share, payoff;
};

static void count_sides(struct days *d)
{
    for (uint32_t i = 0; i < d->r.n; i++) {
        d->gains_n += d->returns[i] > 0;
        d->losses_n += d->returns[i] < 0;
    }
    d->win_share = ratio(d->gains_n, (double)d->gains_n + d->losses_n);
    d->payoff = ratio((d->r.sum - d->r.loss_sum) / d->gains_n, -d->r.loss_sum / d->losses_n);
}

static uint32_t longest_run(const struct days *d, double sign)
{
    uint32_t run = 0, longest = 0;

    for (uint32_t i = 0; i < d->r.n; i++) {
        run = d->returns[i] * sign > 0 ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    return longest;
}

static void wins(const struct days *d, double *metrics)
{
    double profit_factor = ratio(d->r.sum - d->r.loss_sum, -d->r.loss_sum);
    double active = ratio((double)d->gains_n + d->losses_n, d->r.n);

    metrics[METRIC_EXPOSURE_PCT] = ceil(active * 100);
    metrics[METRIC_WIN_RATE_PCT] = d->win_share * 100;
    metrics[METRIC_PROFIT_FACTOR] = profit_factor;
    metrics[METRIC_PAYOFF_RATIO] = d->payoff;
    metrics[METRIC_KELLY] = ratio(d->payoff * d->win_share - (1 - d->win_share), d->payoff);
    metrics[METRIC_GAIN_TO_PAIN] = ratio(d->r.sum, -d->r.loss_sum);
    metrics[METRIC_CPC_INDEX] = profit_factor * d->win_share * d->payoff;
    metrics[METRIC_RISK_OF_RUIN] = exact_pow((1 - d->win_share) / (1 + d->win_share), d->r.n);
    metrics[METRIC_MAX_WIN_STREAK] = longest_run(d, 1);
    metrics[METRIC_MAX_LOSS_STREAK] = longest_run(d, -1);
    metrics[METRIC_BEST_DAY_PCT] = d->r.most * 100;
    metrics[METRIC_WORST_DAY_PCT] = d->r.least * 100;
}

/* What autocorrelation takes off a ratio: the square root of 1 + 2 sum over lags i of (n - i) / n
 * |c|^i. */
static double autocorrelation_penalty(const struct days *d)
{
    struct market_fit fit =
        d->r.n > 1 ? market_fit(d->returns + 1, d->returns, d->r.n - 1) : (struct market_fit){0};
    double c = fabs(ratio(fit.cov, sqrt(fit.var_r) * sqrt(fit.var_m)));
    double power = 1, sum = 0;

    if (isnan(c))
        return 1;
    for (uint32_t i = 1; i < d->r.n && power > 0; i++) {
        power *= c;
        sum += ((double)d->r.n - i) / d->r.n * power;
    }
    return sqrt(1 + 2 * sum);
}

static void ratios(const struct days *d, double *metrics)
{
    double risk_free = exact_pow(1 + d->risk_free, 1 / d->per_year) - 1;
    double excess = d->r.mean - risk_free;
    double sharpe = ratio(excess, d->r.std);
    double sortino = ratio(excess, sqrt(d->r.under_sq_sum / d->r.n)) * sqrt(d->per_year);
    double penalty = autocorrelation_penalty(d);

    metrics[METRIC_SHARPE] = sharpe * sqrt(d->per_year);
    metrics[METRIC_SORTINO] = sortino;
    metrics[METRIC_ADJUSTED_SORTINO] = sortino / sqrt(2);
    metrics[METRIC_SMART_SHARPE] = metrics[METRIC_SHARPE] / penalty;
    metrics[METRIC_SMART_SORTINO] = sortino / penalty;
    metrics[METRIC_VOLATILITY_ANN_PCT] = d->r.std * sqrt(d->per_year) * 100;
    metrics[METRIC_OMEGA] = ratio(d->r.over_sum, -d->r.under_sum);
    metrics[METRIC_PSR] = psr(&d->r, sharpe);
}

static void spread(const struct days *d, double *work, double *metrics)
{
    struct tails t = tails(d->returns, &d->r, work);
    uint32_t not_losses_n = d->r.n - d->losses_n;

    metrics[METRIC_SKEW] = d->r.skew;
    metrics[METRIC_KURTOSIS] = d->r.kurtosis;
    metrics[METRIC_VALUE_AT_RISK_95_PCT] = (d->r.mean + P05 * d->r.std) * 100;
    metrics[METRIC_VALUE_AT_RISK_99_PCT] = (d->r.mean + P01 * d->r.std) * 100;
    metrics[METRIC_EXPECTED_SHORTFALL_95_PCT] = (d->r.mean + BELOW_05 * d->r.std) * 100;
    metrics[METRIC_EXPECTED_SHORTFALL_99_PCT] = (d->r.mean + BELOW_01 * d->r.std) * 100;
    metrics[METRIC_TAIL_RATIO] = fabs(ratio(t.p95, t.p05));
    metrics[METRIC_COMMON_SENSE_RATIO] = metrics[METRIC_PROFIT_FACTOR] * metrics[METRIC_TAIL_RATIO];
    metrics[METRIC_OUTLIER_WIN_RATIO] = ratio(t.p99, (d->r.sum - d->r.loss_sum) / not_losses_n);
    metrics[METRIC_OUTLIER_LOSS_RATIO] = ratio(t.p01, d->r.loss_sum / d->losses_n);
}

static void market(const struct days *d, double *work, double *metrics)
{
    const struct metrics_input *in = d->in;
    struct market_fit fit = market_fit(d->returns, in->benchmark_return, d->r.n);
    uint32_t first = d->r.n - fit.n;
    double beta = fit.n > 1 ? ratio(fit.cov, fit.var_m) : NAN;
    struct distribution active;

    metrics[METRIC_BUY_HOLD_RETURN_PCT] =
        (in->benchmark[in->bars_n - 1] / in->benchmark[0] - 1) * 100;
    metrics[METRIC_BETA] = beta;
    metrics[METRIC_ALPHA_PCT] = (fit.mean_r - beta * fit.mean_m) * d->per_year * 100;
    metrics[METRIC_MARKET_R2] = ratio(fit.cov * fit.cov, fit.var_r * fit.var_m);
    metrics[METRIC_TREYNOR] = ratio(d->growth - 1 - d->risk_free, beta);
    for (uint32_t i = 0; i < fit.n; i++)
        work[i] = d->returns[first + i] - in->benchmark_return[first + i];
    active = distribution(work, fit.n, 0);
    metrics[METRIC_INFORMATION_RATIO] = ratio(active.mean, active.std);
}

/* Growth, drawdowns and what is made of both, from the equity of days. */
static void drawdowns(const struct days *d, const double *equity, double *work, double *metrics)
{
    const struct metrics_input *in = d->in;
    struct equity_extremes extremes = equity_extremes(equity, in->days_n, equity[0]);
    struct under_water under = under_water(equity, in->days_n, equity[0]);
    struct drawdown_spells spells = drawdown_spells(&(struct drawdown_points){
        .equity = equity,
        .time_ns = in->time_ns,
        .pick = in->day_end,
        .n = in->days_n,
        .measure = SPELL_DAYS,
    });
    double ulcer = sqrt(ratio(under.sq_sum, d->r.n - 1.0));
    double deepest = -extremes.max_drawdown, peak = equity[0];
    struct distribution falls;

    metrics[METRIC_MAX_DRAWDOWN_PCT] = extremes.max_drawdown * 100;
    metrics[METRIC_TIME_UNDER_WATER_PCT] = (double)under.points_n / in->days_n * 100;
    metrics[METRIC_ULCER_INDEX_PCT] = ulcer * 100;
    metrics[METRIC_ULCER_PERFORMANCE] = ratio(d->growth - 1 - d->risk_free, ulcer);
    metrics[METRIC_CALMAR] = ratio(metrics[METRIC_CAGR_PCT] / 100, deepest);
    metrics[METRIC_RECOVERY_FACTOR] = fabs(ratio(d->r.sum, deepest));
    for (uint32_t i = 1; i < in->days_n; i++) {
        peak = fmax(peak, equity[i]);
        work[i - 1] = equity[i] / peak - 1;
    }
    falls = distribution(work, d->r.n, 0);
    metrics[METRIC_SERENITY_INDEX] =
        ratio(d->r.sum - d->risk_free, ulcer * -(falls.mean + BELOW_05 * falls.std) / d->r.std);
    if (spells.n == 0)
        return;
    metrics[METRIC_AVG_DRAWDOWN_PCT] = -spells.depth_sum / spells.n * 100;
    metrics[METRIC_MAX_DRAWDOWN_DURATION_DAYS] = spells.longest;
    metrics[METRIC_AVG_DRAWDOWN_DURATION_DAYS] = spells.length_sum / spells.n;
}

/* The first day has no return: the month that has only that one is none. */
static void calendars(const struct days *d, const double *equity, double *metrics)
{
    struct calendar_stats calendar;

    if (d->r.n == 0)
        return;
    calendar = calendar_stats(d->in, equity, equity[0], 1, d->r.n);
    metrics_calendar(&calendar, d->growth, d->r.n, metrics);
}

static void growth(const struct days *d, double *metrics)
{
    metrics[METRIC_RETURN_PCT] = (d->growth - 1) * 100;
    metrics[METRIC_CAGR_PCT] =
        d->r.n ? (exact_pow(d->growth, d->per_year / d->r.n) - 1) * 100 : NAN;
    metrics[METRIC_RETURN_ANN_PCT] = metrics[METRIC_CAGR_PCT];
}

void metrics_quantstats(const struct metrics_input *in, double *scratch, double *metrics)
{
    struct trade_stats trades = trade_stats(in);
    double *equity = scratch + in->bars_n, *work = scratch + 2 * (size_t)in->bars_n;
    struct days d = {
        .in = in,
        .per_year = isnan(in->periods_per_year) ? PERIODS_PER_YEAR : in->periods_per_year,
        .risk_free = isnan(in->risk_free) ? 0 : in->risk_free,
        .returns = scratch,
    };
    uint32_t n;

    metrics_common(in, &trades, equity, metrics);
    n = day_returns(equity, in->days_n, scratch);
    d.growth = equity[in->days_n - 1] / equity[0];
    d.r = distribution(scratch, n, exact_pow(1 + d.risk_free, 1 / d.per_year) - 1);
    count_sides(&d);
    growth(&d, metrics);
    wins(&d, metrics);
    ratios(&d, metrics);
    market(&d, work, metrics);
    drawdowns(&d, equity, work, metrics);
    calendars(&d, equity, metrics);
    spread(&d, equity, metrics); /* in place of equity, which is done with */
}
