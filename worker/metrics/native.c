/* SPDX-License-Identifier: MIT */
/* The native profile. Returns and all that is made of them, drawdowns but the deepest, ulcer index
 * and durations rest on daily equity, the last of each UTC day; maximum drawdown, peak, exposure
 * and excursions rest on every bar. Sharpe and Sortino are arithmetic; deviations divide by n - 1.
 *
 * The return of a day is that from the day before, so there is one fewer than days. */
#include <math.h>

#include "proto/units.h"
#include "shm/exact.h"
#include "worker/metrics/normal.h"
#include "worker/metrics/stats.h"

#define PERIODS_PER_YEAR 252

/* The run by days. */
struct days {
    const struct metrics_input *in;
    double per_year, risk_free; /* the latter a year */
    double growth;              /* last equity by initial capital */
    struct distribution r;
    struct in_a_row in_a_row;
};

/* What autocorrelation takes off a ratio: the square root of 1 + 2 sum over lags i of (n - i) / n
 * |c|^i, whose sum is c / (1 - c) (1 - (1 - c^n) / (n (1 - c))) for c = |c|. */
static double autocorrelation_penalty(const struct days *d)
{
    double c = fabs(d->in_a_row.correlation), n = d->r.n;

    if (!(c < 1))
        return 1;
    return sqrt(1 + 2 * c / (1 - c) * (1 - (1 - exact_pow(c, n)) / (n * (1 - c))));
}

static void ratios(const struct days *d, double *metrics)
{
    const struct metrics_input *in = d->in;
    double excess = d->r.mean - d->risk_free / d->per_year;
    double downside = sqrt(ratio(d->r.under_sq_sum, d->r.n));
    double sharpe = ratio(excess, d->r.std), penalty = autocorrelation_penalty(d);

    if (in->days_n > 1)
        metrics[METRIC_RETURN_ANN_PCT] =
            (exact_pow(d->growth, d->per_year / (in->days_n - 1.0)) - 1) * 100;
    metrics[METRIC_VOLATILITY_ANN_PCT] = d->r.std * sqrt(d->per_year) * 100;
    metrics[METRIC_SHARPE] = sharpe * sqrt(d->per_year);
    metrics[METRIC_SORTINO] = ratio(excess * d->per_year, downside * sqrt(d->per_year));
    metrics[METRIC_ADJUSTED_SORTINO] = metrics[METRIC_SORTINO] / sqrt(2);
    metrics[METRIC_SMART_SHARPE] = metrics[METRIC_SHARPE] / penalty;
    metrics[METRIC_SMART_SORTINO] = metrics[METRIC_SORTINO] / penalty;
    metrics[METRIC_OMEGA] = ratio(d->r.over_sum, -d->r.under_sum);
    metrics[METRIC_GAIN_TO_PAIN] = ratio(d->r.sum, -d->r.loss_sum);
    metrics[METRIC_PSR] = psr(&d->r, sharpe);
    metrics[METRIC_MIN_TRACK_RECORD] = min_track_record(&d->r, sharpe);
}

static void spread(const struct days *d, const double *returns, double *work, double *metrics)
{
    struct tails t = metrics_spread(returns, &d->r, work, metrics);
    uint32_t losses_n = d->in_a_row.losses_n;

    metrics[METRIC_COMMON_SENSE_RATIO] =
        ratio(d->r.sum - d->r.loss_sum, -d->r.loss_sum) * metrics[METRIC_TAIL_RATIO];
    metrics[METRIC_BEST_DAY_PCT] = d->r.most * 100;
    metrics[METRIC_WORST_DAY_PCT] = d->r.least * 100;
    metrics[METRIC_OUTLIER_WIN_RATIO] =
        ratio(t.p99, (d->r.sum - d->r.loss_sum) / (d->r.n - losses_n));
    metrics[METRIC_OUTLIER_LOSS_RATIO] = ratio(t.p01, d->r.loss_sum / losses_n);
}

static void market(const struct days *d, const double *returns, double *metrics)
{
    const struct metrics_input *in = d->in;
    struct market_fit fit = market_fit(returns, in->benchmark_return, d->r.n);
    double held = in->benchmark[in->bars_n - 1] / in->benchmark[0] - 1;
    double made = metrics[METRIC_RETURN_PCT] / 100;

    metrics[METRIC_BUY_HOLD_RETURN_PCT] = held * 100;
    metrics[METRIC_BETA] = fit.n > 1 ? ratio(fit.cov, fit.var_m) : NAN;
    metrics[METRIC_ALPHA_PCT] =
        (made - d->risk_free - metrics[METRIC_BETA] * (held - d->risk_free)) * 100;
    metrics[METRIC_MARKET_R2] = ratio(fit.cov * fit.cov, fit.var_r * fit.var_m);
    metrics[METRIC_TREYNOR] = ratio(d->r.mean * d->per_year - d->risk_free, metrics[METRIC_BETA]);
    if (fit.n > 1)
        metrics[METRIC_INFORMATION_RATIO] =
            ratio(fit.mean_r - fit.mean_m, sqrt(fit.var_active / (fit.n - 1.0))) *
            sqrt(d->per_year);
}

static void drawdowns(const struct days *d, const double *equity, double *metrics)
{
    const struct metrics_input *in = d->in;
    struct drawdown_spells spells = drawdown_spells(&(struct drawdown_points){
        .equity = equity,
        .time_ns = in->time_ns,
        .pick = in->day_end,
        .n = in->days_n,
    });
    struct under_water under = under_water(equity, in->days_n, in->initial_capital);
    double max_pct = -metrics[METRIC_MAX_DRAWDOWN_PCT];
    double ulcer = sqrt(under.sq_sum / in->days_n);
    double mean = under.sum / in->days_n;
    double deviation = sqrt((under.sq_sum - under.sum * mean) / (in->days_n - 1.0));
    double shortfall = mean + NORMAL_MEAN_BELOW_05 * deviation;

    metrics[METRIC_TIME_UNDER_WATER_PCT] = (double)under.points_n / in->days_n * 100;
    metrics[METRIC_ULCER_INDEX_PCT] = ulcer * 100;
    metrics[METRIC_ULCER_PERFORMANCE] = ratio(metrics[METRIC_CAGR_PCT] / 100 - d->risk_free, ulcer);
    metrics[METRIC_CALMAR] = max_pct > 0 ? ratio(metrics[METRIC_CAGR_PCT], max_pct) : NAN;
    metrics[METRIC_RECOVERY_FACTOR] =
        max_pct > 0 ? ratio(metrics[METRIC_RETURN_PCT], max_pct) : NAN;
    metrics[METRIC_SERENITY_INDEX] = ratio(d->r.sum - d->risk_free, ulcer * -shortfall / d->r.std);
    if (spells.n == 0)
        return;
    metrics[METRIC_AVG_DRAWDOWN_PCT] = -spells.depth_sum / spells.n * 100;
    metrics[METRIC_MAX_DRAWDOWN_DURATION_DAYS] = spells.longest / NS_PER_DAY;
    metrics[METRIC_AVG_DRAWDOWN_DURATION_DAYS] = spells.length_sum / spells.n / NS_PER_DAY;
}

static void trade_metrics(const struct trade_stats *t, double *metrics)
{
    metrics_trades(t, metrics);
    metrics[METRIC_MAX_TRADE_DURATION_DAYS] = t->longest / NS_PER_DAY;
    metrics[METRIC_AVG_TRADE_DURATION_DAYS] = t->length_mean / NS_PER_DAY;
    metrics[METRIC_AVG_WINNING_TRADE_DURATION_DAYS] =
        ratio(t->all.length_gain, t->all.gains_n) / NS_PER_DAY;
    metrics[METRIC_AVG_LOSING_TRADE_DURATION_DAYS] =
        ratio(t->all.length_loss, t->all.losses_n) / NS_PER_DAY;
    metrics[METRIC_EXPECTANCY] = t->pnl_mean;
    metrics[METRIC_PAYOFF_RATIO] = t->payoff;
    metrics[METRIC_RISK_OF_RUIN] = exact_pow((1 - t->win_share) / (1 + t->win_share), t->all.n);
    metrics[METRIC_CPC_INDEX] = metrics[METRIC_PROFIT_FACTOR] * t->win_share * t->payoff;
    metrics[METRIC_CLOSED_TRADES] = t->all.n;
}

/* From the initial capital, so that the months together are the whole return. */
static void calendar(const struct days *d, const double *equity, double *metrics)
{
    struct calendar_stats stats;

    if (d->r.n == 0)
        return;
    stats = calendar_stats(d->in, equity, d->in->initial_capital, 0, d->r.n);
    metrics_calendar(&stats, d->growth, d->r.n, metrics);
}

void metrics_native(const struct metrics_input *in, double *scratch, double *metrics)
{
    struct days d = {
        .in = in,
        .per_year = isnan(in->periods_per_year) ? PERIODS_PER_YEAR : in->periods_per_year,
        .risk_free = isnan(in->risk_free) ? 0 : in->risk_free,
        .growth = in->equity[in->bars_n - 1] / in->initial_capital,
    };
    struct trade_stats trades = trade_stats(in);
    double *equity = scratch, *returns = scratch + 2 * (size_t)in->bars_n;
    uint32_t returns_n;

    metrics_common(in, &trades, equity, metrics);
    trade_metrics(&trades, metrics);
    metrics[METRIC_ORDERS] = (double)in->facts.orders_n;
    metrics[METRIC_EQUITY_R2] = straightness(equity, in->days_n);
    metrics[METRIC_TURNOVER_ANN] = metrics[METRIC_TURNOVER] * ratio(d.per_year, in->days_n - 1.0);
    returns_n = day_returns(equity, in->days_n, returns);
    d.r = distribution(returns, returns_n, d.risk_free / d.per_year);
    d.in_a_row = in_a_row(returns, &d.r);
    ratios(&d, metrics);
    drawdowns(&d, equity, metrics);
    market(&d, returns, metrics);
    calendar(&d, equity, metrics);
    spread(&d, returns, scratch, metrics); /* in place of equity, which is done with */
}
