/* SPDX-License-Identifier: MIT */
/* Twins of what makes each row from the one before. */
#include "tests/unit/indicator_twin.h"

/* Value 1 where the bar is whole, NaN where something of it is not finite: a series to find runs
 * of bars by. */
static void whole_bars(const struct twin_call *c, real *out)
{
    for (uint32_t t = 0; t < c->rows_n; t++)
        out[t] = isfinite(c->bars->high[t] + c->bars->low[t] + c->bars->close[t]) ? 1 : NAN;
}

/* Calls `of` for each run of whole bars (or of finite closes), all other rows being NaN. */
typedef void (*bars_fn)(const struct twin_call *c, uint32_t from, uint32_t n, real *out);

static void each_run_of(const struct twin_call *c, const real *good, bars_fn of, real *out)
{
    fill(out, c->rows_n, NAN);
    for (uint32_t t = 0, from; t < c->rows_n; t++) {
        for (from = t; t < c->rows_n && isfinite(good[t]);)
            t++;
        if (t > from)
            of(c, from, t - from, out + from);
    }
}

static void each_run_of_bars(const struct twin_call *c, bool is_close_alone, bars_fn of, real *out)
{
    real good[ROWS_MAX];
    if (is_close_alone)
        widen(c->bars->close, c->rows_n, good);
    else
        whole_bars(c, good);
    each_run_of(c, good, of, out);
}

/* ---- exponential averages ------------------------------------------------------------------- */

/* ema of ema ... `times` deep. */
static void emas(const struct twin_call *c, int times, real (*out)[ROWS_MAX])
{
    real x[ROWS_MAX];
    widen(c->bars->close, c->rows_n, x);
    for (int k = 0; k < times; k++)
        each_run(k ? out[k - 1] : x, c->rows_n, c->param[0], ema_run, out[k]);
}

static void twin_ema(const struct twin_call *c, real *out)
{
    real e[1][ROWS_MAX];
    emas(c, 1, e);
    memcpy(out, e[0], c->rows_n * sizeof(*out));
}

static void twin_dema(const struct twin_call *c, real *out)
{
    real e[2][ROWS_MAX];
    emas(c, 2, e);
    for (uint32_t t = 0; t < c->rows_n; t++)
        out[t] = 2 * e[0][t] - e[1][t];
}

static void twin_tema(const struct twin_call *c, real *out)
{
    real e[3][ROWS_MAX];
    emas(c, 3, e);
    for (uint32_t t = 0; t < c->rows_n; t++)
        out[t] = 3 * e[0][t] - 3 * e[1][t] + e[2][t];
}

static void twin_trix(const struct twin_call *c, real *out)
{
    real e[3][ROWS_MAX];
    emas(c, 3, e);
    for (uint32_t t = 0; t < c->rows_n; t++) {
        real before = ago(e[2], t, 1);
        out[t] = before == 0 && !isnan(e[2][t]) ? 0 : (e[2][t] / before - 1) * 100;
    }
}

static void twin_t3(const struct twin_call *c, real *out)
{
    real e[6][ROWS_MAX], v = c->param[1];
    emas(c, 6, e);
    for (uint32_t t = 0; t < c->rows_n; t++)
        out[t] = (1 + 3 * v + 3 * v * v + v * v * v) * e[2][t] -
                 (3 * v + 6 * v * v + 3 * v * v * v) * e[3][t] +
                 (3 * v * v + 3 * v * v * v) * e[4][t] - v * v * v * e[5][t];
}

static void macd_run(const struct twin_call *c, uint32_t from, uint32_t n, real *out)
{
    real x[ROWS_MAX], fast[ROWS_MAX], slow[ROWS_MAX], signal[ROWS_MAX];
    double short_n = fmin(c->param[0], c->param[1]), long_n = fmax(c->param[0], c->param[1]);
    if (long_n + c->param[2] - 1 > n)
        return;
    uint32_t late = (uint32_t)(long_n - short_n), first = (uint32_t)long_n - 1;
    widen(c->bars->close + from, n, x);
    fill(fast, n, NAN);
    fill(slow, n, NAN);
    fill(signal, n, NAN);
    ema_run(x + late, n - late, short_n, fast + late);
    ema_run(x, n, long_n, slow);
    for (uint32_t t = first; t < n; t++)
        x[t] = fast[t] - slow[t];
    ema_run(x + first, n - first, c->param[2], signal + first);
    for (uint32_t t = first; t < n; t++) {
        out[t] = c->output == 0 ? x[t] : c->output == 1 ? signal[t] : x[t] - signal[t];
        out[t] = isnan(signal[t]) ? signal[t] : out[t];
    }
}

static void twin_macd(const struct twin_call *c, real *out)
{
    each_run_of_bars(c, true, macd_run, out);
}

static void twin_wilders(const struct twin_call *c, real *out)
{
    real x[ROWS_MAX];
    widen(c->bars->close, c->rows_n, x);
    each_run(x, c->rows_n, c->param[0], wilder_run, out);
}

/* ---- adaptive averages ---------------------------------------------------------------------- */

/* Tulip's: de-lagged by (n - 1) / 2 bars, seeded by the value before the first that has a lag. */
static void zlema_run(const struct twin_call *c, uint32_t from, uint32_t n, real *out)
{
    const double *x = c->bars->close + from;
    double lag = floor((c->param[0] - 1) / 2);
    for (uint32_t t = 0; t < n; t++) {
        if (lag > 0 ? t == lag - 1 : t == 0)
            out[t] = x[t];
        else if (t >= lag)
            out[t] = out[t - 1] + 2 / ((real)c->param[0] + 1) *
                                      (2 * (real)x[t] - x[t - (uint32_t)lag] - out[t - 1]);
    }
}

static void twin_zlema(const struct twin_call *c, real *out)
{
    each_run_of_bars(c, true, zlema_run, out);
}

/* Tulip's: seeded by the value of row long - 2. */
static void vidya_run(const struct twin_call *c, uint32_t from, uint32_t n, real *out)
{
    real x[ROWS_MAX];
    double longer = c->param[1];
    widen(c->bars->close + from, n, x);
    for (uint32_t t = 0; t < n; t++) {
        if (t == longer - 2)
            out[t] = x[t];
        if (t < longer - 1)
            continue;
        uint32_t a = (uint32_t)c->param[0], b = (uint32_t)longer;
        real whole = deviation_of(x + t + 1 - b, b);
        real k = whole > 0 ? deviation_of(x + t + 1 - a, a) / whole * c->param[2] : 0;
        out[t] = out[t - 1] + k * (x[t] - out[t - 1]);
    }
}

static void twin_vidya(const struct twin_call *c, real *out)
{
    each_run_of_bars(c, true, vidya_run, out);
}

static void kama_run(const struct twin_call *c, uint32_t from, uint32_t n, real *out)
{
    const double *x = c->bars->close + from;
    real value = 0, fast = 2.0L / 3, slow = 2.0L / 31;
    for (uint32_t t = 0; t < n; t++) {
        if (t == c->param[0] - 1)
            value = x[t];
        if (t < c->param[0])
            continue;
        real path = 0, way = (real)x[t] - x[t - (uint32_t)c->param[0]];
        for (uint32_t i = 0; i < c->param[0]; i++)
            path += fabsl((real)x[t - i] - x[t - i - 1]);
        real efficiency = path <= way || path < 1e-14L ? 1 : fabsl(way) / path;
        real share = efficiency * (fast - slow) + slow;
        value += share * share * (x[t] - value);
        out[t] = value;
    }
}

static void twin_kama(const struct twin_call *c, real *out)
{
    each_run_of_bars(c, true, kama_run, out);
}

/* ---- Wilder's indices ----------------------------------------------------------------------- */

/* Wilder's averages of rises and falls over a run. */
static void rises_and_falls(const struct twin_call *c, uint32_t from, uint32_t n, real *up,
                            real *down)
{
    real rise[ROWS_MAX], fall[ROWS_MAX];
    for (uint32_t t = 1; t < n; t++) {
        real change = (real)c->bars->close[from + t] - c->bars->close[from + t - 1];
        rise[t] = fmaxl(change, 0);
        fall[t] = fmaxl(-change, 0);
    }
    fill(up, n, NAN);
    fill(down, n, NAN);
    wilder_run(rise + 1, n - 1, c->param[0], up + 1);
    wilder_run(fall + 1, n - 1, c->param[0], down + 1);
}

static void rsi_run(const struct twin_call *c, uint32_t from, uint32_t n, real *out)
{
    real up[ROWS_MAX], down[ROWS_MAX];
    rises_and_falls(c, from, n, up, down);
    for (uint32_t t = 0; t < n; t++)
        out[t] = up[t] + down[t] < 1e-14L ? 0 : 100 * up[t] / (up[t] + down[t]);
}

static void twin_rsi(const struct twin_call *c, real *out)
{
    each_run_of_bars(c, true, rsi_run, out);
}

static void cmo_run(const struct twin_call *c, uint32_t from, uint32_t n, real *out)
{
    real up[ROWS_MAX], down[ROWS_MAX];
    rises_and_falls(c, from, n, up, down);
    for (uint32_t t = 0; t < n; t++)
        out[t] = up[t] + down[t] < 1e-14L ? 0 : 100 * (up[t] - down[t]) / (up[t] + down[t]);
}

static void twin_cmo(const struct twin_call *c, real *out)
{
    each_run_of_bars(c, true, cmo_run, out);
}

static void twin_stochrsi(const struct twin_call *c, real *out)
{
    real rsi[ROWS_MAX], high[ROWS_MAX], low[ROWS_MAX], k[ROWS_MAX], d[ROWS_MAX];
    twin_rsi(c, rsi);
    each_window(rsi, c->rows_n, c->param[1], max_of, high);
    each_window(rsi, c->rows_n, c->param[1], min_of, low);
    for (uint32_t t = 0; t < c->rows_n; t++)
        k[t] = high[t] == low[t] ? 0 : 100 * (rsi[t] - low[t]) / (high[t] - low[t]);
    each_window(k, c->rows_n, c->param[2], mean_of, d);
    for (uint32_t t = 0; t < c->rows_n; t++)
        out[t] = isnan(d[t]) ? d[t] : c->output == 0 ? k[t] : d[t];
}

static real range_at(const struct bars *b, uint32_t t)
{
    real high = b->high[t], low = b->low[t], before = b->close[t - 1];
    return fmaxl(high - low, fmaxl(fabsl(high - before), fabsl(low - before)));
}

static void atr_run(const struct twin_call *c, uint32_t from, uint32_t n, real *out)
{
    real range[ROWS_MAX];
    for (uint32_t t = 1; t < n; t++)
        range[t] = range_at(c->bars, from + t);
    wilder_run(range + 1, n - 1, c->param[0], out + 1);
}

static void twin_atr(const struct twin_call *c, real *out)
{
    each_run_of_bars(c, false, atr_run, out);
}

static void twin_natr(const struct twin_call *c, real *out)
{
    twin_atr(c, out);
    for (uint32_t t = 0; t < c->rows_n && c->param[0] > 1; t++) /* TA-Lib's: natr(1) is trange() */
        out[t] = c->bars->close[t] == 0 ? 0 * out[t] : 100 * out[t] / c->bars->close[t];
}

/* Directional movement, up and down, and true range of a run, summed as Wilder did: of n - 1 rows,
 * then less 1 / n and plus the new one; defined from row n on. */
struct movement {
    real up[ROWS_MAX], down[ROWS_MAX], range[ROWS_MAX];
};

static void movement_of(const struct twin_call *c, uint32_t from, uint32_t n, struct movement *m)
{
    const struct bars *b = c->bars;
    real up = 0, down = 0, range = 0, period = c->param[0];
    for (uint32_t t = 1; t < n; t++) {
        real risen = (real)b->high[from + t] - b->high[from + t - 1];
        real fallen = (real)b->low[from + t - 1] - b->low[from + t];
        real keep = t >= period ? 1 - 1 / period : 1;
        up = up * keep + (risen > 0 && risen > fallen ? risen : 0);
        down = down * keep + (fallen > 0 && fallen > risen ? fallen : 0);
        range = range * keep + range_at(b, from + t);
        m->up[t] = up;
        m->down[t] = down;
        m->range[t] = range;
    }
}

/* TA-Lib's: a share where n is 1, else a percentage. */
static real di_scale(const struct twin_call *c)
{
    return c->param[0] > 1 ? 100 : 1;
}

static void plus_di_run(const struct twin_call *c, uint32_t from, uint32_t n, real *out)
{
    struct movement m;
    movement_of(c, from, n, &m);
    for (uint32_t t = 1; t < n; t++) {
        if (t >= c->param[0])
            out[t] = m.range[t] < 1e-14L ? 0 : di_scale(c) * m.up[t] / m.range[t];
    }
}

static void minus_di_run(const struct twin_call *c, uint32_t from, uint32_t n, real *out)
{
    struct movement m;
    movement_of(c, from, n, &m);
    for (uint32_t t = 1; t < n; t++) {
        if (t >= c->param[0])
            out[t] = m.range[t] < 1e-14L ? 0 : di_scale(c) * m.down[t] / m.range[t];
    }
}

static void twin_plus_di(const struct twin_call *c, real *out)
{
    each_run_of_bars(c, false, plus_di_run, out);
}

static void twin_minus_di(const struct twin_call *c, real *out)
{
    each_run_of_bars(c, false, minus_di_run, out);
}

/* Where nothing moves, the last one; NaN before row n. */
static real dx_at(const struct movement *m, uint32_t t)
{
    real both = m->up[t] + m->down[t];
    if (m->range[t] < 1e-14L || 100 * both / m->range[t] < 1e-14L)
        return NAN;
    return 100 * fabsl(m->up[t] - m->down[t]) / both;
}

static void dx_run(const struct twin_call *c, uint32_t from, uint32_t n, real *out)
{
    struct movement m;
    real last = 0;
    movement_of(c, from, n, &m);
    for (uint32_t t = 1; t < n; t++) {
        if (t < c->param[0])
            continue;
        last = isnan(dx_at(&m, t)) ? last : dx_at(&m, t);
        out[t] = last;
    }
}

static void twin_dx(const struct twin_call *c, real *out)
{
    each_run_of_bars(c, false, dx_run, out);
}

/* Rows without movement add nothing to the first mean, and leave the later ones as they are. */
static void adx_run(const struct twin_call *c, uint32_t from, uint32_t n, real *out)
{
    struct movement m;
    real value = 0, period = c->param[0];
    movement_of(c, from, n, &m);
    for (uint32_t t = 1; t < n; t++) {
        if (t < period)
            continue;
        real now = dx_at(&m, t);
        if (t < 2 * period)
            value += isnan(now) ? 0 : now / period;
        else if (!isnan(now))
            value = (value * (period - 1) + now) / period;
        if (t >= 2 * period - 1)
            out[t] = value;
    }
}

static void twin_adx(const struct twin_call *c, real *out)
{
    each_run_of_bars(c, false, adx_run, out);
}

static void twin_adxr(const struct twin_call *c, real *out)
{
    real adx[ROWS_MAX];
    twin_adx(c, adx);
    for (uint32_t t = 0; t < c->rows_n; t++)
        out[t] = (adx[t] + ago(adx, t, c->param[0] - 1)) / 2;
}

/* ---- parabolic stop ------------------------------------------------------------------------- */

/* A stop at s for a trend of sign d, which prices on the other side of it end. */
struct parabola {
    real d, stop, extreme, pace;
};

/* The stop on its own side of the last two bars' prices. */
static real keep_off(const struct parabola *p, real stop, real before, real now)
{
    return p->d > 0 ? fminl(stop, fminl(before, now)) : fmaxl(stop, fmaxl(before, now));
}

static void sar_run(const struct twin_call *c, uint32_t from, uint32_t n, real *out)
{
    const double *high = c->bars->high + from, *low = c->bars->low + from;
    real step = fmin(c->param[0], c->param[1]), fastest = c->param[1];
    struct parabola p = {.pace = step};
    for (uint32_t t = 1; t < n; t++) {
        if (t == 1) {
            real risen = (real)high[1] - high[0], fallen = (real)low[0] - low[1];
            p.d = fallen > 0 && fallen > risen ? -1 : 1;
            p.stop = p.d > 0 ? low[0] : high[0];
            p.extreme = p.d > 0 ? high[1] : low[1];
        }
        uint32_t before = t > 1 ? t - 1 : 1;
        bool is_hit = p.d > 0 ? low[t] <= p.stop : high[t] >= p.stop;
        if (is_hit) {
            p.d = -p.d;
            const double *side = p.d > 0 ? low : high;
            out[t] = keep_off(&p, p.extreme, side[before], side[t]);
            p.extreme = p.d > 0 ? high[t] : low[t];
            p.pace = step;
            p.stop = out[t];
        } else {
            real reach = p.d > 0 ? high[t] : low[t];
            out[t] = p.stop;
            if ((reach - p.extreme) * p.d > 0) {
                p.extreme = reach;
                p.pace = fminl(p.pace + step, fastest);
            }
        }
        const double *side = p.d > 0 ? low : high;
        p.stop = keep_off(&p, p.stop + p.pace * (p.extreme - p.stop), side[before], side[t]);
    }
}

static void twin_sar(const struct twin_call *c, real *out)
{
    real good[ROWS_MAX];
    for (uint32_t t = 0; t < c->rows_n; t++)
        good[t] = (real)c->bars->high[t] + c->bars->low[t];
    each_run_of(c, good, sar_run, out);
}

/* ---- cycles --------------------------------------------------------------------------------- */

struct cycle {
    real smooth[ROWS_MAX], detrended[ROWS_MAX], quadrature[ROWS_MAX], in_phase[ROWS_MAX];
    real period[ROWS_MAX];
};

static real at(const real *v, uint32_t t, uint32_t lag)
{
    return t >= lag ? v[t - lag] : 0;
}

static real hilbert(const real *v, uint32_t t, real period)
{
    return (0.0962L * at(v, t, 0) + 0.5769L * at(v, t, 2) - 0.5769L * at(v, t, 4) -
            0.0962L * at(v, t, 6)) *
           (0.075L * period + 0.54L);
}

/* Cycles of a run; rows before `start` are still. */
static void cycle_of(const double *x, uint32_t n, uint32_t start, struct cycle *c)
{
    const real degrees = 180 / 3.14159265358979323846264338327950288L;
    real i2 = 0, q2 = 0, re = 0, im = 0, period = 0;
    memset(c, 0, sizeof(*c));
    for (uint32_t t = start; t < n; t++) {
        c->smooth[t] = (4 * (real)x[t] + 3 * (real)x[t - 1] + 2 * (real)x[t - 2] + x[t - 3]) / 10;
        c->detrended[t] = hilbert(c->smooth, t, period);
        c->quadrature[t] = hilbert(c->detrended, t, period);
        c->in_phase[t] = at(c->detrended, t, 3);
        real i1 = c->in_phase[t] - hilbert(c->quadrature, t, period);
        real q1 = c->quadrature[t] + hilbert(c->in_phase, t, period);
        real i_before = i2, q_before = q2, before = period;
        i2 = 0.2L * i1 + 0.8L * i2;
        q2 = 0.2L * q1 + 0.8L * q2;
        re = 0.2L * (i2 * i_before + q2 * q_before) + 0.8L * re;
        im = 0.2L * (i2 * q_before - q2 * i_before) + 0.8L * im;
        if (re != 0 && im != 0)
            period = 360 / (atanl(im / re) * degrees);
        period = fmaxl(fminl(period, 1.5L * before), 0.67L * before);
        period = 0.2L * fminl(fmaxl(period, 6), 50) + 0.8L * before;
        c->period[t] = period;
    }
}

static void dcperiod_run(const struct twin_call *c, uint32_t from, uint32_t n, real *out)
{
    static struct cycle cycle;
    real period = 0;
    cycle_of(c->bars->close + from, n, 12, &cycle);
    for (uint32_t t = 12; t < n; t++) {
        period = 0.33L * cycle.period[t] + 0.67L * period;
        out[t] = t >= 32 ? period : (real)NAN;
    }
}

static void twin_ht_dcperiod(const struct twin_call *c, real *out)
{
    each_run_of_bars(c, true, dcperiod_run, out);
}

static void trendline_run(const struct twin_call *c, uint32_t from, uint32_t n, real *out)
{
    static struct cycle cycle;
    real x[ROWS_MAX], mean[ROWS_MAX] = {0}, period = 0;
    widen(c->bars->close + from, n, x);
    cycle_of(c->bars->close + from, n, 37, &cycle);
    for (uint32_t t = 37; t < n; t++) {
        period = 0.33L * cycle.period[t] + 0.67L * period;
        uint32_t bars_n = (uint32_t)(period + 0.5L);
        mean[t] = bars_n ? mean_of(x + t + 1 - bars_n, bars_n) : 0;
        if (t >= 63)
            out[t] = (4 * mean[t] + 3 * mean[t - 1] + 2 * mean[t - 2] + mean[t - 3]) / 10;
    }
}

static void twin_ht_trendline(const struct twin_call *c, real *out)
{
    each_run_of_bars(c, true, trendline_run, out);
}

static void mama_run(const struct twin_call *c, uint32_t from, uint32_t n, real *out)
{
    static struct cycle cycle;
    const real degrees = 180 / 3.14159265358979323846264338327950288L;
    real phase = 0, mama = 0, fama = 0;
    cycle_of(c->bars->close + from, n, 12, &cycle);
    for (uint32_t t = 12; t < n; t++) {
        real before = phase;
        phase =
            cycle.in_phase[t] == 0 ? 0 : atanl(cycle.quadrature[t] / cycle.in_phase[t]) * degrees;
        real share = c->param[0] / fmaxl(before - phase, 1);
        share = before - phase > 1 ? fmaxl(share, c->param[1]) : c->param[0];
        mama += share * (c->bars->close[from + t] - mama);
        fama += share / 2 * (mama - fama);
        if (t >= 32)
            out[t] = c->output == 0 ? mama : fama;
    }
}

static void twin_mama(const struct twin_call *c, real *out)
{
    each_run_of_bars(c, true, mama_run, out);
}

/* ---- crossings ------------------------------------------------------------------------------ */

static int side_of(const struct twin_call *c, uint32_t t)
{
    const struct bars *b = c->bars;
    return (b->close[t] > b->high[t]) - (b->close[t] < b->high[t]);
}

static bool is_undefined(const struct twin_call *c, uint32_t t)
{
    return isnan(c->bars->high[t]) || isnan(c->bars->close[t]);
}

/* Of close and high: goes back to the last row on which they differed. */
static void twin_cross(const struct twin_call *c, real *out)
{
    int wanted = c->output ? -1 : 1;
    for (uint32_t t = 0; t < c->rows_n; t++) {
        uint32_t i = t;
        out[t] = is_undefined(c, t) ? NAN : 0;
        while (i > 0 && !is_undefined(c, i - 1) && !side_of(c, i - 1))
            i--;
        if (!isnan(out[t]) && i > 0 && side_of(c, t) == wanted)
            out[t] = side_of(c, i - 1) == -wanted;
    }
}

static const struct twin rows[] = {
    {"adx", twin_adx, SCALE_RATIO, {{14}, {5}}},
    {"adxr", twin_adxr, SCALE_RATIO, {{14}, {5}}},
    {"atr", twin_atr, SCALE_PRICE, {{14}, {30}}},
    {"cmo", twin_cmo, SCALE_RATIO, {{14}, {30}}},
    {"cross", twin_cross, SCALE_PRICE, {{0}}},
    {"dema", twin_dema, SCALE_PRICE, {{20}, {5}}},
    {"dx", twin_dx, SCALE_RATIO, {{14}}},
    {"ema", twin_ema, SCALE_PRICE, {{12}, {50}}},
    {"ht_dcperiod", twin_ht_dcperiod, SCALE_PERIOD, {{0}}},
    {"ht_trendline", twin_ht_trendline, SCALE_PERIOD, {{0}}},
    {"kama", twin_kama, SCALE_ROUGH, {{10}, {30}}},
    {"macd", twin_macd, SCALE_PRICE, {{12, 26, 9}, {26, 12, 9}}},
    {"mama", twin_mama, SCALE_PERIOD, {{0.5, 0.05}, {0.3, 0.02}}},
    {"minus_di", twin_minus_di, SCALE_RATIO, {{14}}},
    {"natr", twin_natr, SCALE_RATIO, {{14}}},
    {"plus_di", twin_plus_di, SCALE_RATIO, {{14}}},
    {"rsi", twin_rsi, SCALE_RATIO, {{14}, {2}}},
    {"sar", twin_sar, SCALE_PRICE, {{0.02, 0.2}, {0.05, 0.5}}},
    {"stochrsi", twin_stochrsi, SCALE_RATIO, {{14, 14, 3}, {14, 5, 3}}},
    {"t3", twin_t3, SCALE_PRICE, {{5, 0.7}, {10, 0.5}}},
    {"tema", twin_tema, SCALE_PRICE, {{20}, {5}}},
    {"trix", twin_trix, SCALE_RATIO, {{18}, {5}}},
    {"vidya", twin_vidya, SCALE_TOTALS, {{2, 5, 0.2}, {12, 50, 0.2}}},
    {"wilders", twin_wilders, SCALE_PRICE, {{14}}},
    {"zlema", twin_zlema, SCALE_PRICE, {{10}, {21}}},
};
const struct twin_list twins_recursive = {rows, sizeof(rows) / sizeof(rows[0])};
