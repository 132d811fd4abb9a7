/* SPDX-License-Identifier: MIT */
/* Twins of what looks at a window. */
#include "tests/unit/indicator_twin.h"

static void window_of_close(const struct twin_call *c, window_fn of, real *out)
{
    real x[ROWS_MAX];
    widen(c->bars->close, c->rows_n, x);
    each_window(x, c->rows_n, c->param[0], of, out);
}

static void twin_sum(const struct twin_call *c, real *out)
{
    window_of_close(c, sum_of, out);
}

static void twin_sma(const struct twin_call *c, real *out)
{
    window_of_close(c, mean_of, out);
}

static void twin_wma(const struct twin_call *c, real *out)
{
    window_of_close(c, weighted_of, out);
}

static void twin_stddev(const struct twin_call *c, real *out)
{
    window_of_close(c, deviation_of, out);
}

static void twin_var(const struct twin_call *c, real *out)
{
    window_of_close(c, variance_of, out);
}

static void twin_max(const struct twin_call *c, real *out)
{
    window_of_close(c, max_of, out);
}

static void twin_min(const struct twin_call *c, real *out)
{
    window_of_close(c, min_of, out);
}

static real middle_of(const real *x, uint32_t n)
{
    return (max_of(x, n) + min_of(x, n)) / 2;
}

static void twin_midpoint(const struct twin_call *c, real *out)
{
    window_of_close(c, middle_of, out);
}

static real last_zscore_of(const real *x, uint32_t n)
{
    real deviation = deviation_of(x, n);
    return deviation > 0 ? (x[n - 1] - mean_of(x, n)) / deviation : (real)NAN;
}

static void twin_zscore(const struct twin_call *c, real *out)
{
    window_of_close(c, last_zscore_of, out);
}

static void twin_bbands(const struct twin_call *c, real *out)
{
    real middle[ROWS_MAX];
    twin_sma(c, middle);
    twin_stddev(c, out);
    for (uint32_t t = 0; t < c->rows_n; t++) {
        real distance = c->output == 0 ? c->param[1] : c->output == 2 ? -c->param[2] : 0;
        out[t] = middle[t] + distance * out[t];
    }
}

/* Greatest high and least low of the last n bars. */
static void extremes(const struct twin_call *c, double n, real *high, real *low)
{
    real x[ROWS_MAX];
    widen(c->bars->high, c->rows_n, x);
    each_window(x, c->rows_n, n, max_of, high);
    widen(c->bars->low, c->rows_n, x);
    each_window(x, c->rows_n, n, min_of, low);
}

static void twin_donchian(const struct twin_call *c, real *out)
{
    real high[ROWS_MAX], low[ROWS_MAX];
    extremes(c, c->param[0], high, low);
    memcpy(out, c->output == 0 ? high : low, c->rows_n * sizeof(*out));
}

static void twin_midprice(const struct twin_call *c, real *out)
{
    real high[ROWS_MAX], low[ROWS_MAX];
    extremes(c, c->param[0], high, low);
    for (uint32_t t = 0; t < c->rows_n; t++)
        out[t] = (high[t] + low[t]) / 2;
}

/* The definition is one of double arithmetic: which bits a difference of totals leaves. */
static void twin_rolling_mean(const struct twin_call *c, real *out)
{
    double total[ROWS_MAX + 1] = {0};
    for (uint32_t t = 0; t < c->rows_n; t++) {
        uint32_t n = c->param[0] <= t + 1.0 ? (uint32_t)c->param[0] : 0;
        bool is_whole = n > 0;
        total[t + 1] = total[t] + (isfinite(c->bars->close[t]) ? c->bars->close[t] : 0.0);
        for (uint32_t i = 0; i < n; i++)
            is_whole = is_whole && isfinite(c->bars->close[t - i]);
        out[t] = is_whole ? (total[t + 1] - total[t + 1 - n]) / n : NAN;
    }
}

/* ---- averages of averages ------------------------------------------------------------------- */

static void twin_trima(const struct twin_call *c, real *out)
{
    real x[ROWS_MAX], once[ROWS_MAX];
    double n = c->param[0], inner = floor((n + 1) / 2), outer = n + 1 - inner;
    widen(c->bars->close, c->rows_n, x);
    each_window(x, c->rows_n, inner, mean_of, once);
    each_window(once, c->rows_n, outer, mean_of, out);
}

static void twin_hma(const struct twin_call *c, real *out)
{
    real x[ROWS_MAX], half[ROWS_MAX], whole[ROWS_MAX];
    double n = c->param[0];
    widen(c->bars->close, c->rows_n, x);
    each_window(x, c->rows_n, floor(n / 2), weighted_of, half);
    each_window(x, c->rows_n, n, weighted_of, whole);
    for (uint32_t t = 0; t < c->rows_n; t++)
        half[t] = 2 * half[t] - whole[t];
    each_window(half, c->rows_n, floor(sqrt(n)), weighted_of, out);
}

static void apo_of(const struct twin_call *c, real *fast, real *slow)
{
    real x[ROWS_MAX];
    widen(c->bars->close, c->rows_n, x);
    each_window(x, c->rows_n, fmin(c->param[0], c->param[1]), mean_of, fast);
    each_window(x, c->rows_n, fmax(c->param[0], c->param[1]), mean_of, slow);
}

static void twin_apo(const struct twin_call *c, real *out)
{
    real slow[ROWS_MAX];
    apo_of(c, out, slow);
    for (uint32_t t = 0; t < c->rows_n; t++)
        out[t] -= slow[t];
}

static void twin_ppo(const struct twin_call *c, real *out)
{
    real slow[ROWS_MAX];
    apo_of(c, out, slow);
    for (uint32_t t = 0; t < c->rows_n; t++)
        out[t] = slow[t] == 0 ? (real)NAN : (out[t] - slow[t]) / slow[t] * 100;
}

/* ---- oscillators ---------------------------------------------------------------------------- */

/* 100 * (close - least low) / (greatest high - least low); 0 where there is no range. */
static void fast_k(const struct twin_call *c, double n, real *out)
{
    real high[ROWS_MAX], low[ROWS_MAX];
    extremes(c, n, high, low);
    for (uint32_t t = 0; t < c->rows_n; t++) {
        out[t] = 100 * (c->bars->close[t] - low[t]) / (high[t] - low[t]);
        if (high[t] == low[t])
            out[t] = isfinite(c->bars->close[t]) ? 0 : NAN;
        if (!isfinite(out[t]))
            out[t] = NAN;
    }
}

/* The one of two that is wanted, where both are defined. */
static void pick(const struct twin_call *c, const real *k, const real *d, real *out)
{
    for (uint32_t t = 0; t < c->rows_n; t++)
        out[t] = isnan(d[t]) ? d[t] : c->output == 0 ? k[t] : d[t];
}

static void twin_stochf(const struct twin_call *c, real *out)
{
    real k[ROWS_MAX], d[ROWS_MAX];
    fast_k(c, c->param[0], k);
    each_window(k, c->rows_n, c->param[1], mean_of, d);
    pick(c, k, d, out);
}

static void twin_stoch(const struct twin_call *c, real *out)
{
    real fast[ROWS_MAX], k[ROWS_MAX], d[ROWS_MAX];
    fast_k(c, c->param[0], fast);
    each_window(fast, c->rows_n, c->param[1], mean_of, k);
    each_window(k, c->rows_n, c->param[2], mean_of, d);
    pick(c, k, d, out);
}

static void twin_willr(const struct twin_call *c, real *out)
{
    real high[ROWS_MAX], low[ROWS_MAX];
    extremes(c, c->param[0], high, low);
    for (uint32_t t = 0; t < c->rows_n; t++) {
        out[t] = -100 * (high[t] - c->bars->close[t]) / (high[t] - low[t]);
        if (high[t] == low[t] && isfinite(c->bars->close[t]))
            out[t] = 0;
        if (!isfinite(out[t]))
            out[t] = NAN;
    }
}

static real cci_of(const real *x, uint32_t n)
{
    real mean = mean_of(x, n), distance = 0;
    for (uint32_t i = 0; i < n; i++)
        distance += fabsl(x[i] - mean);
    bool is_flat = max_of(x, n) == min_of(x, n);
    return is_flat || distance == 0 ? 0 : (x[n - 1] - mean) / (0.015L * (distance / n));
}

static void twin_cci(const struct twin_call *c, real *out)
{
    real price[ROWS_MAX];
    typical(c, price);
    each_window(price, c->rows_n, c->param[0], cci_of, out);
}

/* 100 where the last of the n + 1 values is the extreme, 0 where the first is; the latest counts.
 */
static real since_max_of(const real *x, uint32_t n)
{
    uint32_t at = 0;
    for (uint32_t i = 1; i < n; i++)
        at = x[i] >= x[at] ? i : at;
    return 100 * (real)at / (n - 1);
}

static real since_min_of(const real *x, uint32_t n)
{
    uint32_t at = 0;
    for (uint32_t i = 1; i < n; i++)
        at = x[i] <= x[at] ? i : at;
    return 100 * (real)at / (n - 1);
}

static void aroon_of(const struct twin_call *c, real *down, real *up)
{
    real x[ROWS_MAX];
    widen(c->bars->low, c->rows_n, x);
    each_window(x, c->rows_n, c->param[0] + 1, since_min_of, down);
    widen(c->bars->high, c->rows_n, x);
    each_window(x, c->rows_n, c->param[0] + 1, since_max_of, up);
    for (uint32_t t = 0; t < c->rows_n; t++) {
        if (isnan(down[t]) || isnan(up[t]))
            down[t] = up[t] = NAN;
    }
}

static void twin_aroon(const struct twin_call *c, real *out)
{
    real down[ROWS_MAX], up[ROWS_MAX];
    aroon_of(c, down, up);
    memcpy(out, c->output == 0 ? down : up, c->rows_n * sizeof(*out));
}

static void twin_aroonosc(const struct twin_call *c, real *out)
{
    real down[ROWS_MAX], up[ROWS_MAX];
    aroon_of(c, down, up);
    for (uint32_t t = 0; t < c->rows_n; t++)
        out[t] = up[t] - down[t];
}

static void twin_ultosc(const struct twin_call *c, real *out)
{
    real pressure[ROWS_MAX], range[ROWS_MAX], p[ROWS_MAX], r[ROWS_MAX];
    double a = fmin(c->param[0], fmin(c->param[1], c->param[2]));
    double z = fmax(c->param[0], fmax(c->param[1], c->param[2]));
    double periods[] = {a, c->param[0] + c->param[1] + c->param[2] - a - z, z};
    for (uint32_t t = 0; t < c->rows_n; t++) {
        real high = c->bars->high[t], low = c->bars->low[t], close = c->bars->close[t];
        real before = t ? c->bars->close[t - 1] : NAN;
        pressure[t] = close - fminl(low, before) + 0 * (high + low + before);
        range[t] = fmaxl(high, before) - fminl(low, before) + 0 * pressure[t];
    }
    fill(out, c->rows_n, 0);
    for (int k = 0; k < 3; k++) {
        each_window(pressure, c->rows_n, periods[k], sum_of, p);
        each_window(range, c->rows_n, periods[k], sum_of, r);
        for (uint32_t t = 0; t < c->rows_n; t++)
            out[t] += (4 >> k) * (r[t] < 1e-14L ? 0 : 100 * p[t] / r[t] / 7);
    }
}

/* ---- regressions ---------------------------------------------------------------------------- */

/* Least squares over places 0 .. n-1. */
static real slope_of(const real *y, uint32_t n)
{
    real mean = mean_of(y, n), centre = (n - 1) / 2.0L, xy = 0, xx = 0;
    for (uint32_t i = 0; i < n; i++) {
        xy += (i - centre) * (y[i] - mean);
        xx += (i - centre) * (i - centre);
    }
    return xy / xx;
}

static real line_at(const real *y, uint32_t n, real place)
{
    return mean_of(y, n) + slope_of(y, n) * (place - (n - 1) / 2.0L);
}

static real line_end_of(const real *y, uint32_t n)
{
    return line_at(y, n, n - 1);
}

static real line_start_of(const real *y, uint32_t n)
{
    return line_at(y, n, 0);
}

static real line_next_of(const real *y, uint32_t n)
{
    return line_at(y, n, n);
}

static void twin_linearreg(const struct twin_call *c, real *out)
{
    window_of_close(c, line_end_of, out);
}

static void twin_linearreg_slope(const struct twin_call *c, real *out)
{
    window_of_close(c, slope_of, out);
}

static void twin_linearreg_intercept(const struct twin_call *c, real *out)
{
    window_of_close(c, line_start_of, out);
}

static void twin_tsf(const struct twin_call *c, real *out)
{
    window_of_close(c, line_next_of, out);
}

static real covariance_of(const real *x, const real *y, uint32_t n)
{
    real x_mean = mean_of(x, n), y_mean = mean_of(y, n), total = 0;
    for (uint32_t i = 0; i < n; i++)
        total += (x[i] - x_mean) * (y[i] - y_mean);
    return total / n;
}

static void twin_correl(const struct twin_call *c, real *out)
{
    real x[ROWS_MAX], y[ROWS_MAX];
    widen(c->bars->close, c->rows_n, x);
    widen(c->bars->high, c->rows_n, y);
    for (uint32_t t = 0; t < c->rows_n; t++) {
        uint32_t n = c->param[0] <= t + 1.0 ? (uint32_t)c->param[0] : 0, from = t + 1 - n;
        out[t] = NAN;
        if (n == 0 || !is_all_finite(x + from, n) || !is_all_finite(y + from, n))
            continue;
        real both = variance_of(x + from, n) * variance_of(y + from, n);
        out[t] = both * n * n < 1e-14L ? 0 : covariance_of(x + from, y + from, n) / sqrtl(both);
    }
}

/* Changes as shares of what they start from; 0 where that is 0. */
static void returns_of(const double *x, uint32_t rows_n, real *out)
{
    for (uint32_t t = 0; t < rows_n; t++) {
        real before = t ? x[t - 1] : NAN;
        out[t] = before == 0 ? 0 * (real)x[t] : (x[t] - before) / before;
    }
}

static void twin_beta(const struct twin_call *c, real *out)
{
    real x[ROWS_MAX], y[ROWS_MAX];
    returns_of(c->bars->close, c->rows_n, x);
    returns_of(c->bars->high, c->rows_n, y);
    for (uint32_t t = 0; t < c->rows_n; t++) {
        uint32_t n = c->param[0] <= t + 1.0 ? (uint32_t)c->param[0] : 0, from = t + 1 - n;
        out[t] = NAN;
        if (n == 0 || !is_all_finite(x + from, n) || !is_all_finite(y + from, n))
            continue;
        real variance = variance_of(x + from, n);
        out[t] = variance * n * n < 1e-14L ? 0 : covariance_of(x + from, y + from, n) / variance;
    }
}

static void twin_volatility(const struct twin_call *c, real *out)
{
    real x[ROWS_MAX];
    for (uint32_t t = 0; t < c->rows_n; t++)
        x[t] = t ? (real)c->bars->close[t] / c->bars->close[t - 1] - 1 : (real)NAN;
    each_window(x, c->rows_n, c->param[0], deviation_of, out);
    for (uint32_t t = 0; t < c->rows_n; t++)
        out[t] *= sqrtl(252);
}

static void twin_realized_variance(const struct twin_call *c, real *out)
{
    real x[ROWS_MAX];
    for (uint32_t t = 0; t < c->rows_n; t++) {
        x[t] = t ? logl((real)c->bars->close[t] / c->bars->close[t - 1]) : (real)NAN;
        x[t] *= x[t];
    }
    each_window(x, c->rows_n, c->param[0], sum_of, out);
}

static const struct twin rows[] = {
    {"apo", twin_apo, SCALE_PRICE, {{12, 26}, {26, 12}}},
    {"aroon", twin_aroon, SCALE_PRICE, {{14}, {25}}},
    {"aroonosc", twin_aroonosc, SCALE_PRICE, {{14}, {25}}},
    {"bbands", twin_bbands, SCALE_DEVIATION, {{20, 1.5, 2.5}}},
    {"beta", twin_beta, SCALE_RATIO, {{5}, {30}}},
    {"cci", twin_cci, SCALE_RATIO, {{14}, {20}}},
    {"correl", twin_correl, SCALE_RATIO, {{10}, {30}}},
    {"donchian", twin_donchian, SCALE_PRICE, {{20}, {55}}},
    {"hma", twin_hma, SCALE_PRICE, {{9}, {16}}},
    {"linearreg", twin_linearreg, SCALE_PRICE, {{14}}},
    {"linearreg_intercept", twin_linearreg_intercept, SCALE_PRICE, {{14}}},
    {"linearreg_slope", twin_linearreg_slope, SCALE_PRICE, {{14}}},
    {"max", twin_max, SCALE_PRICE, {{30}, {7}}},
    {"midpoint", twin_midpoint, SCALE_PRICE, {{14}}},
    {"midprice", twin_midprice, SCALE_PRICE, {{14}}},
    {"min", twin_min, SCALE_PRICE, {{30}, {7}}},
    {"ppo", twin_ppo, SCALE_RATIO, {{12, 26}, {26, 12}}},
    {"realized_variance", twin_realized_variance, SCALE_RATIO, {{10}, {30}}},
    {"rolling_mean", twin_rolling_mean, SCALE_PRICE, {{37}}},
    {"sma", twin_sma, SCALE_PRICE, {{37}, {5}}},
    {"stddev", twin_stddev, SCALE_DEVIATION, {{20}, {5}}},
    {"stoch", twin_stoch, SCALE_RATIO, {{14, 3, 3}, {5, 3, 2}}},
    {"stochf", twin_stochf, SCALE_RATIO, {{5, 3}}},
    {"sum", twin_sum, SCALE_PRICE, {{10}}},
    {"trima", twin_trima, SCALE_PRICE, {{20}, {5}}},
    {"tsf", twin_tsf, SCALE_PRICE, {{14}}},
    {"ultosc", twin_ultosc, SCALE_RATIO, {{7, 14, 28}, {16, 4, 8}}},
    {"var", twin_var, SCALE_VARIANCE, {{20}, {5}}},
    {"volatility", twin_volatility, SCALE_RATIO, {{10}, {30}}},
    {"willr", twin_willr, SCALE_RATIO, {{14}}},
    {"wma", twin_wma, SCALE_PRICE, {{30}}},
    {"zscore", twin_zscore, SCALE_RATIO, {{20}}},
};
const struct twin_list twins_rolling = {rows, sizeof(rows) / sizeof(rows[0])};
