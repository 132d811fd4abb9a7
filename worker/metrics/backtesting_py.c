/* SPDX-License-Identifier: MIT */
/* The profile of backtesting.py 0.6.6: what its `run()` reports for the same equity and trades,
 * with a risk-free rate of 0. Its definitions, where they differ from the native ones:
 *  - returns are those of calendar periods of UTC: days, or weeks to Sunday, months, years when the
 *    bars are 7, 31, 365 days apart. There are 252 (365 with weekends), 52, 12, 1 of them a year;
 *  - return and volatility compound the geometric mean return of a period, the first one counting
 * as 0, which is also what Sharpe, Sortino and Calmar divide;
 *  - beta, drawdowns and exposure rest on every bar; profit factor and expectancy on trade returns;
 *  - durations are rounded up to the unit of the bar. */
#include <math.h>
#include <string.h>

#include "proto/units.h"
#include "shm/exact.h"
#include "worker/metrics/stats.h"

#define WEEKEND_SHARE (2.0 / 7 * 0.6) /* above it, the market trades at weekends */

/* The largest of day, hour, minute, second … that divides the period. */
static double round_unit_ns(int64_t period_ns)
{
    static const int64_t units[] = {NS_PER_DAY, 3600 * NS_PER_S, 60 * NS_PER_S,
                                    NS_PER_S,   NS_PER_S / 1000, NS_PER_S / 1000000};

    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (period_ns % units[i] == 0)
            return (double)units[i];
    return 1;
}

static double days_rounded_up(double duration_ns, double unit_ns)
{
    return ceil(floor(duration_ns) / unit_ns) * unit_ns / NS_PER_DAY;
}

/* How the bars group into periods of returns. */
struct calendar {
    enum { BY_DAY, BY_WEEK, BY_MONTH, BY_YEAR } by;
    double per_year;
    double unit_ns;
};

static bool has_weekends(const struct metrics_input *in)
{
    uint64_t weekend_bars_n = 0;
    uint32_t bar = 0;

    for (uint32_t day = 0; day < in->days_n; day++) {
        int64_t weekday = (time_day(in->time_ns[in->day_end[day]]) % 7 + 10) % 7; /* Monday is 0 */
        uint32_t next = in->day_end[day] + 1;

        weekend_bars_n += weekday >= 5 ? next - bar : 0;
        bar = next;
    }
    return (double)weekend_bars_n / in->bars_n > WEEKEND_SHARE;
}

static struct calendar calendar_guess(const struct metrics_input *in)
{
    int64_t period_ns = bar_period_ns(in);
    struct calendar calendar = {.by = BY_DAY, .unit_ns = round_unit_ns(period_ns)};

    switch (period_ns / NS_PER_DAY) {
    case 7:
        calendar.by = BY_WEEK;
        calendar.per_year = 52;
        break;
    case 31:
        calendar.by = BY_MONTH;
        calendar.per_year = 12;
        break;
    case 365:
        calendar.by = BY_YEAR;
        calendar.per_year = 1;
        break;
    default:
        calendar.per_year = has_weekends(in) ? 365 : 252;
    }
    if (!isnan(in->periods_per_year))
        calendar.per_year = in->periods_per_year;
    return calendar;
}

/* A number that days of one period share and no others. */
static int64_t calendar_period(const struct calendar *calendar, int64_t day)
{
    int64_t year;
    unsigned month;
    unsigned day_of_month;

    if (calendar->by == BY_DAY)
        return day;
    if (calendar->by == BY_WEEK) /* day 0 is a Thursday */
        return (day + 3 - (((day + 3) % 7 + 7) % 7)) / 7;
    civil_from_days(day, &year, &month, &day_of_month);
    return calendar->by == BY_MONTH ? year * 12 + month : year;
}

/* Fills ret_last with the last equity of each period and returns how many there are. */
static uint32_t period_equity(const struct metrics_input *in, const struct calendar *calendar,
                              double *ret_last)
{
    uint32_t n = 0;
    int64_t period_before = 0;

    for (uint32_t day = 0; day < in->days_n; day++) {
        uint32_t bar = in->day_end[day];
        int64_t period = calendar_period(calendar, time_day(in->time_ns[bar]));

        if (n == 0 || period != period_before)
            n++;
        ret_last[n - 1] = in->equity[bar];
        period_before = period;
    }
    return n;
}

/* Equity of periods becomes returns, in place and closed up: a period after one that ended with
 * nothing has no return unless it earns. */
static uint32_t period_returns(double *last, uint32_t n)
{
    uint32_t returns_n = 0;
    double before = n > 0 ? last[0] : 0;

    for (uint32_t i = 1; i < n; i++) {
        double now = last[i];
        double return_frac = now / before - 1;

        if (!isnan(return_frac))
            last[returns_n++] = return_frac;
        before = now;
    }
    return returns_n;
}

/* Geometric mean over periods_n, of which those without a return count as 0; 0 if all was lost, NaN
 * over no period. */
static double geometric_mean(const double *returns, uint32_t n, uint32_t periods_n)
{
    double log_sum = 0;

    for (uint32_t i = 0; i < n; i++) {
        if (1 + returns[i] <= 0)
            return 0;
        log_sum += exact_log(1 + returns[i]);
    }
    return periods_n > 0 ? exact_exp(log_sum / periods_n) - 1 : NAN;
}

static void ratios(const struct metrics_input *in, const struct calendar *calendar, double *scratch,
                   double *metrics)
{
    double per_year = calendar->per_year;
    uint32_t periods_n = period_equity(in, calendar, scratch);
    uint32_t n = period_returns(scratch, periods_n);
    double growth = 1 + geometric_mean(scratch, n, periods_n - 1);
    double ann = exact_pow(growth, per_year) - 1;
    double mean = ratio(lanes_sum(scratch, n), n);
    double var = n > 1 ? lanes_sum_sq(scratch, n, mean) / (n - 1.0) : NAN;
    double volatility =
        sqrt(exact_pow(var + growth * growth, per_year) - exact_pow(growth, 2 * per_year));
    double downside = sqrt(ratio(lanes_sum_down_sq(scratch, n, 0), n)) * sqrt(per_year);

    metrics[METRIC_RETURN_ANN_PCT] = ann * 100;
    metrics[METRIC_VOLATILITY_ANN_PCT] = volatility * 100;
    metrics[METRIC_SHARPE] = ratio(ann, volatility);
    metrics[METRIC_SORTINO] = ratio(ann, downside);
}

static inline double log_return(const double *x, uint32_t i)
{
    return exact_log(x[i + 1] / x[i]);
}

/* Over every bar; undefined when either has no logarithm at some bar. Both log returns are kept in
 * scratch, one column each: a logarithm is what costs here. */
static double beta(const struct metrics_input *in, double *scratch)
{
    double *of_equity = scratch, *of_market = scratch + in->bars_n;
    struct lanes sum_em = {{0}};
    uint32_t n = in->bars_n - 1;
    double mean_e;
    double mean_m;

    if (n < 2)
        return NAN;
    for (uint32_t i = 0; i < n; i++) {
        of_equity[i] = log_return(in->equity, i);
        of_market[i] = log_return(in->benchmark, i);
    }
    mean_e = lanes_sum(of_equity, n) / n;
    mean_m = lanes_sum(of_market, n) / n;
    for (uint32_t i = 0; i < n; i++)
        sum_em.lane[i % LANES_N] += (of_equity[i] - mean_e) * (of_market[i] - mean_m);
    return ratio(lanes_total(&sum_em), lanes_sum_sq(of_market, n, mean_m));
}

static void market(const struct metrics_input *in, double *scratch, double *metrics)
{
    uint32_t warm_up_bar = in->warm_up_bar < in->bars_n ? in->warm_up_bar : in->bars_n - 1;
    double held_pct = (in->benchmark[in->bars_n - 1] / in->benchmark[warm_up_bar] - 1) * 100;

    metrics[METRIC_BUY_HOLD_RETURN_PCT] = held_pct;
    metrics[METRIC_BETA] = beta(in, scratch);
    metrics[METRIC_ALPHA_PCT] = metrics[METRIC_RETURN_PCT] - metrics[METRIC_BETA] * held_pct;
}

static void drawdowns(const struct metrics_input *in, double unit_ns, double *metrics)
{
    struct drawdown_spells spells = drawdown_spells(&(struct drawdown_points){
        .equity = in->equity,
        .time_ns = in->time_ns,
        .n = in->bars_n,
        .skips_one_bar_at_end = true,
    });
    double max = -metrics[METRIC_MAX_DRAWDOWN_PCT];

    metrics[METRIC_CALMAR] = max > 0 ? ratio(metrics[METRIC_RETURN_ANN_PCT], max) : NAN;
    if (spells.n == 0)
        return;
    metrics[METRIC_AVG_DRAWDOWN_PCT] = -spells.depth_sum / spells.n * 100;
    metrics[METRIC_MAX_DRAWDOWN_DURATION_DAYS] = days_rounded_up(spells.longest, unit_ns);
    metrics[METRIC_AVG_DRAWDOWN_DURATION_DAYS] =
        days_rounded_up(spells.length_sum / spells.n, unit_ns);
}

/* Share of the bars that lie within a closed trade, each counted once. */
static double exposure_pct(const struct metrics_input *in, double *scratch)
{
    unsigned char *is_within = (unsigned char *)scratch;
    uint64_t within_n = 0;

    memset(is_within, 0, in->bars_n);
    for (uint32_t i = 0; i < in->trades_n; i++)
        memset(is_within + in->trades[i].entry_bar, 1,
               in->trades[i].exit_bar - in->trades[i].entry_bar + 1);
    for (uint32_t bar = 0; bar < in->bars_n; bar++)
        within_n += is_within[bar];
    return (double)within_n / in->bars_n * 100;
}

void metrics_backtesting_py(const struct metrics_input *in, double *scratch, double *metrics)
{
    struct calendar calendar = calendar_guess(in);
    struct trade_stats trades = trade_stats(in);
    bool loses_all = trades.return_log_mean == -INFINITY;

    metrics_common(in, &trades, scratch, metrics);
    ratios(in, &calendar, scratch, metrics);
    market(in, scratch, metrics);
    drawdowns(in, calendar.unit_ns, metrics);
    metrics[METRIC_EXPOSURE_PCT] = exposure_pct(in, scratch);
    metrics[METRIC_AVG_TRADE_PCT] = loses_all ? 0 : (exact_exp(trades.return_log_mean) - 1) * 100;
    metrics[METRIC_MAX_TRADE_DURATION_DAYS] = days_rounded_up(trades.longest, calendar.unit_ns);
    metrics[METRIC_AVG_TRADE_DURATION_DAYS] = days_rounded_up(trades.length_mean, calendar.unit_ns);
    metrics[METRIC_PROFIT_FACTOR] = ratio(trades.return_gain_sum, -trades.return_loss_sum);
    metrics[METRIC_COMMISSIONS] = trades.commission_sum;
}
