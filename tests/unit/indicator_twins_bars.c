/* SPDX-License-Identifier: MIT */
/* Twins of what is made of single bars, and of their volume from the beginning on. */
#include "tests/unit/indicator_twin.h"

static void twin_avgprice(const struct twin_call *c, real *out)
{
    const struct bars *b = c->bars;
    for (uint32_t t = 0; t < c->rows_n; t++)
        out[t] = ((real)b->open[t] + b->high[t] + b->low[t] + b->close[t]) / 4;
}

static void twin_medprice(const struct twin_call *c, real *out)
{
    for (uint32_t t = 0; t < c->rows_n; t++)
        out[t] = ((real)c->bars->high[t] + c->bars->low[t]) / 2;
}

static void twin_typprice(const struct twin_call *c, real *out)
{
    typical(c, out);
}

static void twin_wclprice(const struct twin_call *c, real *out)
{
    for (uint32_t t = 0; t < c->rows_n; t++)
        out[t] = ((real)c->bars->high[t] + c->bars->low[t] + 2 * (real)c->bars->close[t]) / 4;
}

static void twin_pivot(const struct twin_call *c, real *out)
{
    typical(c, out);
    for (uint32_t t = 0; t < c->rows_n && c->output > 0; t++)
        out[t] = 2 * out[t] - (c->output == 1 ? c->bars->low[t] : c->bars->high[t]);
}

static void twin_bop(const struct twin_call *c, real *out)
{
    for (uint32_t t = 0; t < c->rows_n; t++) {
        real body = (real)c->bars->close[t] - c->bars->open[t];
        double range = c->bars->high[t] - c->bars->low[t];
        out[t] = range >= 1e-14 || isnan(body + range) ? body / range : 0;
    }
}

static void twin_trange(const struct twin_call *c, real *out)
{
    for (uint32_t t = 0; t < c->rows_n; t++) {
        real high = c->bars->high[t], low = c->bars->low[t];
        real before = t ? c->bars->close[t - 1] : NAN;
        out[t] = fmaxl(high - low, fmaxl(fabsl(high - before), fabsl(low - before)));
        if (isnan(high) || isnan(low) || isnan(before))
            out[t] = NAN;
    }
}

static void twin_mom(const struct twin_call *c, real *out)
{
    real x[ROWS_MAX];
    widen(c->bars->close, c->rows_n, x);
    for (uint32_t t = 0; t < c->rows_n; t++)
        out[t] = x[t] - ago(x, t, c->param[0]);
}

static void twin_roc(const struct twin_call *c, real *out)
{
    real x[ROWS_MAX];
    widen(c->bars->close, c->rows_n, x);
    for (uint32_t t = 0; t < c->rows_n; t++) {
        out[t] = (x[t] / ago(x, t, c->param[0]) - 1) * 100;
        if (ago(x, t, c->param[0]) == 0 && !isnan(x[t]))
            out[t] = 0;
    }
}

static void twin_log_return(const struct twin_call *c, real *out)
{
    for (uint32_t t = 0; t < c->rows_n; t++) {
        out[t] = t ? logl((real)c->bars->close[t] / c->bars->close[t - 1]) : (real)NAN;
        out[t] = isfinite(out[t]) ? out[t] : (real)NAN;
    }
}

static void twin_defined_with(const struct twin_call *c, real *out)
{
    for (uint32_t t = 0; t < c->rows_n; t++)
        out[t] = isnan(c->bars->high[t]) ? NAN : c->bars->close[t];
}

static void twin_percent_of_range(const struct twin_call *c, real *out)
{
    const struct bars *b = c->bars;
    for (uint32_t t = 0; t < c->rows_n; t++) {
        out[t] = 100 * ((real)b->close[t] - b->high[t]) / ((real)b->low[t] - b->high[t]);
        if (b->high[t] == b->low[t] && !isinf(b->high[t]) && !isnan(b->close[t]))
            out[t] = 0;
    }
}

/* ---- volume --------------------------------------------------------------------------------- */

static void twin_cum_volume(const struct twin_call *c, real *out)
{
    real total = 0;
    for (uint32_t t = 0; t < c->rows_n; t++) {
        bool is_good = isfinite(c->bars->volume[t]);
        total += is_good ? c->bars->volume[t] : 0;
        out[t] = is_good ? total : (real)NAN;
    }
}

static void twin_trade_count(const struct twin_call *c, real *out)
{
    uint32_t count = 0;
    for (uint32_t t = 0; t < c->rows_n; t++) {
        if (isfinite(c->bars->volume[t]))
            out[t] = count += c->bars->volume[t] > 0;
        else
            out[t] = NAN;
    }
}

static void twin_obv(const struct twin_call *c, real *out)
{
    const double *close = c->bars->close, *volume = c->bars->volume;
    int64_t last = -1; /* good row before */
    real total = 0;
    for (uint32_t t = 0; t < c->rows_n; t++) {
        out[t] = NAN;
        if (!isfinite(close[t]) || !isfinite(volume[t]))
            continue;
        if (last < 0 || close[t] > close[last])
            total += volume[t];
        else if (close[t] < close[last])
            total -= volume[t];
        out[t] = total;
        last = t;
    }
}

/* NaN where something is not finite. */
static real flow_at(const struct bars *b, uint32_t t)
{
    real high = b->high[t], low = b->low[t], close = b->close[t];
    if (!isfinite(high + low + close + b->volume[t]))
        return NAN;
    return high > low ? ((close - low) - (high - close)) / (high - low) * b->volume[t] : 0;
}

static void twin_ad(const struct twin_call *c, real *out)
{
    real total = 0;
    for (uint32_t t = 0; t < c->rows_n; t++) {
        real flow = flow_at(c->bars, t);
        total += isnan(flow) ? 0 : flow;
        out[t] = isnan(flow) ? flow : total;
    }
}

static void twin_adosc(const struct twin_call *c, real *out)
{
    real total = 0, fast = 0, slow = 0;
    uint32_t seen = 0;
    for (uint32_t t = 0; t < c->rows_n; t++) {
        real flow = flow_at(c->bars, t);
        out[t] = NAN;
        seen = isnan(flow) ? 0 : seen + 1;
        total = isnan(flow) ? 0 : total + flow;
        if (seen <= 1)
            fast = slow = total;
        fast += 2 / ((real)c->param[0] + 1) * (total - fast);
        slow += 2 / ((real)c->param[1] + 1) * (total - slow);
        if (seen >= fmax(c->param[0], c->param[1]))
            out[t] = fast - slow;
    }
}

/* Number of the day or week (from a Monday on) of a time. */
static int64_t period_of(int64_t time_ns, double reset)
{
    int64_t days = time_ns / INT64_C(86400000000000);
    return reset == 0 ? days : reset == 1 ? (days + 3) / 7 : 0;
}

static void twin_vwap(const struct twin_call *c, real *out)
{
    const struct bars *b = c->bars;
    for (uint32_t t = 0; t < c->rows_n; t++) {
        real money = 0, volume = 0;
        for (uint32_t i = 0; i <= t; i++) {
            real value = ((real)b->high[i] + b->low[i] + b->close[i]) / 3 * b->volume[i];
            bool is_now =
                period_of(b->time_ns[i], c->param[0]) == period_of(b->time_ns[t], c->param[0]);
            money += is_now && isfinite(value) ? value : 0;
            volume += is_now && isfinite(value) ? b->volume[i] : 0;
        }
        bool is_good = isfinite(b->high[t] + b->low[t] + b->close[t] + b->volume[t]);
        out[t] = is_good && volume > 0 ? money / volume : (real)NAN;
    }
}

static void twin_mfi(const struct twin_call *c, real *out)
{
    real price[ROWS_MAX];
    double n = c->param[0];
    typical(c, price);
    for (uint32_t t = 0; t < c->rows_n; t++) {
        real up = 0, down = 0;
        out[t] = NAN;
        if (t < n)
            continue;
        for (uint32_t i = t + 1 - (uint32_t)n; i <= t; i++) {
            real money = price[i] * c->bars->volume[i];
            double turn = (double)(price[i] - price[i - 1]);
            up += turn > 0 ? money : 0;
            down += turn < 0 ? money : 0;
            up = isfinite(money) && isfinite(turn) ? up : (real)NAN;
        }
        out[t] = up + down < 1 ? 0 : 100 * up / (up + down);
        if (!isfinite(up + down))
            out[t] = NAN;
    }
}

static void twin_vwma(const struct twin_call *c, real *out)
{
    real money[ROWS_MAX], volume[ROWS_MAX], total[ROWS_MAX];
    widen(c->bars->volume, c->rows_n, volume);
    for (uint32_t t = 0; t < c->rows_n; t++)
        money[t] = c->bars->close[t] * volume[t];
    each_window(money, c->rows_n, c->param[0], sum_of, out);
    each_window(volume, c->rows_n, c->param[0], sum_of, total);
    for (uint32_t t = 0; t < c->rows_n; t++)
        out[t] = total[t] > 0 ? out[t] / total[t] : (real)NAN;
}

static const struct twin rows[] = {
    {"ad", twin_ad, SCALE_VOLUME, {{0}}},
    {"adosc", twin_adosc, SCALE_VOLUME, {{3, 10}, {10, 3}}},
    {"avgprice", twin_avgprice, SCALE_PRICE, {{0}}},
    {"bop", twin_bop, SCALE_RATIO, {{0}}},
    {"cum_volume", twin_cum_volume, SCALE_VOLUME, {{0}}},
    {"defined_with", twin_defined_with, SCALE_PRICE, {{0}}},
    {"log_return", twin_log_return, SCALE_RATIO, {{0}}},
    {"medprice", twin_medprice, SCALE_PRICE, {{0}}},
    {"mfi", twin_mfi, SCALE_RATIO, {{14}, {3}}},
    {"mom", twin_mom, SCALE_PRICE, {{10}}},
    {"obv", twin_obv, SCALE_VOLUME, {{0}}},
    {"percent_of_range", twin_percent_of_range, SCALE_RATIO, {{0}}},
    {"pivot", twin_pivot, SCALE_PRICE, {{0}}},
    {"roc", twin_roc, SCALE_RATIO, {{10}}},
    {"trade_count", twin_trade_count, SCALE_VOLUME, {{0}}},
    {"trange", twin_trange, SCALE_PRICE, {{0}}},
    {"typprice", twin_typprice, SCALE_PRICE, {{0}}},
    {"vwap", twin_vwap, SCALE_PRICE, {{1}, {2}}},
    {"vwma", twin_vwma, SCALE_PRICE, {{10}, {30}}},
    {"wclprice", twin_wclprice, SCALE_PRICE, {{0}}},
};
const struct twin_list twins_bars = {rows, sizeof(rows) / sizeof(rows[0])};
