/* SPDX-License-Identifier: MIT */
/* Promise: every row of indicator_table agrees with TA-Lib's vectors, and with a plain twin in long
 * double that follows the definition literally, on hostile input too: NaN, infinities, constants,
 * one row, period 1, periods longer than the data, prices of 1e9 and of 1e-5. */
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "shm/expr.h"
#include "shm/indicator/indicator.h"
#include "tests/unit/frame.h"

#define ROWS_MAX 700u

/* ---- plain twins ---------------------------------------------------------------------------- */

struct twin_call {
    uint32_t rows_n;
    const double *x, *high, *low, *close;
    const double *param;
    uint32_t output;
    long double *out;
};

static void twin_medprice(const struct twin_call *c)
{
    for (uint32_t t = 0; t < c->rows_n; t++)
        c->out[t] = ((long double)c->high[t] + c->low[t]) / 2;
}

static void twin_typprice(const struct twin_call *c)
{
    for (uint32_t t = 0; t < c->rows_n; t++)
        c->out[t] = ((long double)c->high[t] + c->low[t] + c->close[t]) / 3;
}

static long double range_of(const struct twin_call *c, uint32_t t)
{
    long double high = c->high[t], low = c->low[t], before = t ? c->close[t - 1] : NAN;
    if (isnan(high + low + before))
        return isinf(before) && !isnan(high) && !isnan(low) ? INFINITY : NAN;
    return fmaxl(high - low, fmaxl(fabsl(high - before), fabsl(low - before)));
}

static void twin_trange(const struct twin_call *c)
{
    for (uint32_t t = 0; t < c->rows_n; t++)
        c->out[t] = range_of(c, t);
}

static long double ago(const struct twin_call *c, uint32_t t)
{
    return t >= c->param[0] ? c->x[t - (uint32_t)c->param[0]] : NAN;
}

static void twin_mom(const struct twin_call *c)
{
    for (uint32_t t = 0; t < c->rows_n; t++)
        c->out[t] = c->x[t] - ago(c, t);
}

static void twin_roc(const struct twin_call *c)
{
    for (uint32_t t = 0; t < c->rows_n; t++) {
        c->out[t] = (c->x[t] / ago(c, t) - 1) * 100;
        if (ago(c, t) == 0 && !isnan(c->x[t]))
            c->out[t] = 0;
    }
}

/* Applies `of` to each full window. */
static void each_window(const struct twin_call *c, long double (*of)(const double *x, uint32_t n))
{
    for (uint32_t t = 0; t < c->rows_n; t++) {
        uint32_t n = c->param[0] <= t + 1.0 ? (uint32_t)c->param[0] : 0;
        c->out[t] = n ? of(c->x + t + 1 - n, n) : NAN;
    }
}

static long double sum_of(const double *x, uint32_t n)
{
    long double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += x[i];
    return sum;
}

static long double mean_of(const double *x, uint32_t n)
{
    return sum_of(x, n) / n;
}

static long double weighted_of(const double *x, uint32_t n)
{
    long double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += (long double)x[i] * (i + 1);
    return sum / (n * (n + 1.0L) / 2);
}

static long double deviation_of(const double *x, uint32_t n)
{
    long double mean = mean_of(x, n), squares = 0;
    for (uint32_t i = 0; i < n; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    return sqrtl(squares / n);
}

static long double max_of(const double *x, uint32_t n)
{
    long double best = -INFINITY;
    for (uint32_t i = 0; i < n; i++)
        best = isnan(x[i]) || isnan(best) ? (long double)NAN : fmaxl(best, x[i]);
    return best;
}

static long double min_of(const double *x, uint32_t n)
{
    long double best = INFINITY;
    for (uint32_t i = 0; i < n; i++)
        best = isnan(x[i]) || isnan(best) ? (long double)NAN : fminl(best, x[i]);
    return best;
}

static void twin_sum(const struct twin_call *c)
{
    each_window(c, sum_of);
}

static void twin_sma(const struct twin_call *c)
{
    each_window(c, mean_of);
}

static void twin_wma(const struct twin_call *c)
{
    each_window(c, weighted_of);
}

static void twin_stddev(const struct twin_call *c)
{
    each_window(c, deviation_of);
}

static void twin_max(const struct twin_call *c)
{
    each_window(c, max_of);
}

static void twin_min(const struct twin_call *c)
{
    each_window(c, min_of);
}

static void twin_bbands(const struct twin_call *c)
{
    long double middle[ROWS_MAX];
    struct twin_call part = *c;
    each_window(c, mean_of);
    if (c->output == 1)
        return;
    memcpy(middle, c->out, c->rows_n * sizeof(*middle));
    twin_stddev(&part);
    for (uint32_t t = 0; t < c->rows_n; t++)
        c->out[t] =
            middle[t] + (c->output == 0 ? c->param[1] * c->out[t] : -c->param[2] * c->out[t]);
}

/* Runs of finite input: [from, from + n) for each call of `of`. Rows outside are NaN. */
static void each_run(const struct twin_call *c, bool (*is_good)(const struct twin_call *, uint32_t),
                     void (*of)(const struct twin_call *, uint32_t from, uint32_t n))
{
    for (uint32_t t = 0; t < c->rows_n; t++)
        c->out[t] = NAN;
    for (uint32_t t = 0, from; t < c->rows_n; t++) {
        for (from = t; t < c->rows_n && is_good(c, t);)
            t++;
        if (t > from)
            of(c, from, t - from);
    }
}

static bool finite_x(const struct twin_call *c, uint32_t t)
{
    return isfinite(c->x[t]);
}

static bool finite_bar(const struct twin_call *c, uint32_t t)
{
    return isfinite(c->high[t]) && isfinite(c->low[t]) && isfinite(c->close[t]);
}

/* EMA of x[skip .. n), seeded at skip + period - 1. */
static void ema_of(const long double *x, uint32_t n, uint32_t skip, uint32_t period,
                   long double *out)
{
    long double seed = 0;
    for (uint32_t t = 0; t < n; t++) {
        out[t] = NAN;
        if (t >= skip && t < skip + period)
            seed += x[t];
        if (t == skip + period - 1)
            out[t] = seed / period;
        else if (t >= skip + period)
            out[t] = out[t - 1] + 2.0L / (period + 1) * (x[t] - out[t - 1]);
    }
}

static void ema_run(const struct twin_call *c, uint32_t from, uint32_t n)
{
    long double x[ROWS_MAX] = {0};
    for (uint32_t t = 0; t < n; t++)
        x[t] = c->x[from + t];
    if (c->param[0] <= n)
        ema_of(x, n, 0, (uint32_t)c->param[0], c->out + from);
}

static void twin_ema(const struct twin_call *c)
{
    each_run(c, finite_x, ema_run);
}

static void macd_run(const struct twin_call *c, uint32_t from, uint32_t n)
{
    long double x[ROWS_MAX] = {0}, fast[ROWS_MAX], slow[ROWS_MAX], signal[ROWS_MAX];
    double short_n = fmin(c->param[0], c->param[1]), long_n = fmax(c->param[0], c->param[1]);
    if (long_n + c->param[2] - 1 > n)
        return;
    for (uint32_t t = 0; t < n; t++)
        x[t] = c->x[from + t];
    ema_of(x, n, (uint32_t)(long_n - short_n), (uint32_t)short_n, fast);
    ema_of(x, n, 0, (uint32_t)long_n, slow);
    for (uint32_t t = 0; t < n; t++)
        x[t] = fast[t] - slow[t];
    ema_of(x, n, (uint32_t)long_n - 1, (uint32_t)c->param[2], signal);
    for (uint32_t t = (uint32_t)(long_n + c->param[2]) - 2; t < n; t++)
        c->out[from + t] = c->output == 0 ? x[t] : c->output == 1 ? signal[t] : x[t] - signal[t];
}

static void twin_macd(const struct twin_call *c)
{
    each_run(c, finite_x, macd_run);
}

/* Wilder's average of x[1 .. n), first at row `period`. */
static void wilder_of(const long double *x, uint32_t n, double period, long double *out)
{
    long double seed = 0;
    for (uint32_t t = 0; t < n; t++) {
        out[t] = NAN;
        if (t >= 1 && t <= period)
            seed += x[t];
        if (t == period)
            out[t] = seed / period;
        else if (t > period)
            out[t] = (out[t - 1] * (period - 1) + x[t]) / period;
    }
}

static void rsi_run(const struct twin_call *c, uint32_t from, uint32_t n)
{
    long double gain[ROWS_MAX] = {0}, loss[ROWS_MAX] = {0}, up[ROWS_MAX], down[ROWS_MAX];
    for (uint32_t t = 1; t < n; t++) {
        long double change = (long double)c->x[from + t] - c->x[from + t - 1];
        gain[t] = fmaxl(change, 0);
        loss[t] = fmaxl(-change, 0);
    }
    wilder_of(gain, n, c->param[0], up);
    wilder_of(loss, n, c->param[0], down);
    for (uint32_t t = 0; t < n; t++) {
        long double both = up[t] + down[t];
        c->out[from + t] = both < 1e-14L ? 0 : 100 * up[t] / both;
    }
}

static void twin_rsi(const struct twin_call *c)
{
    each_run(c, finite_x, rsi_run);
}

static void atr_run(const struct twin_call *c, uint32_t from, uint32_t n)
{
    long double range[ROWS_MAX];
    for (uint32_t t = 0; t < n; t++)
        range[t] = range_of(c, from + t);
    wilder_of(range, n, c->param[0], c->out + from);
}

static void twin_atr(const struct twin_call *c)
{
    each_run(c, finite_bar, atr_run);
}

/* The definition is one of double arithmetic: which bits a difference of totals leaves. */
static void twin_rolling_mean(const struct twin_call *c)
{
    double total[ROWS_MAX + 1] = {0};
    for (uint32_t t = 0; t < c->rows_n; t++) {
        uint32_t n = c->param[0] <= t + 1.0 ? (uint32_t)c->param[0] : 0;
        bool is_whole = n > 0;
        total[t + 1] = total[t] + (isfinite(c->x[t]) ? c->x[t] : 0.0);
        for (uint32_t i = 0; i < n; i++)
            is_whole = is_whole && isfinite(c->x[t - i]);
        c->out[t] = is_whole ? (total[t + 1] - total[t + 1 - n]) / n : NAN;
    }
}

static int side_of(const struct twin_call *c, uint32_t t)
{
    return (c->high[t] > c->close[t]) - (c->high[t] < c->close[t]);
}

/* Of high and close: goes back to the last row on which they differed. */
static void twin_cross(const struct twin_call *c)
{
    int wanted = c->output ? -1 : 1;
    for (uint32_t t = 0; t < c->rows_n; t++) {
        uint32_t i = t;
        c->out[t] = isnan(c->high[t]) || isnan(c->close[t]) ? NAN : 0;
        while (i > 0 && !isnan(c->high[i - 1]) && !isnan(c->close[i - 1]) && !side_of(c, i - 1))
            i--;
        if (!isnan(c->out[t]) && i > 0 && side_of(c, t) == wanted)
            c->out[t] = side_of(c, i - 1) == -wanted;
    }
}

static const struct twin {
    const char *name;
    void (*compute)(const struct twin_call *call);
    double params[3][INDICATOR_PARAMS_MAX]; /* least ones, usual ones, longer than the data */
} twins[] = {
    {"atr", twin_atr, {{1}, {14}, {1e6}}},
    {"bbands", twin_bbands, {{1, 2, 2}, {20, 1.5, 2.5}, {1e6, 2, 2}}},
    {"cross", twin_cross, {{0}, {0}, {0}}},
    {"ema", twin_ema, {{1}, {12}, {1e6}}},
    {"macd", twin_macd, {{2, 2, 1}, {26, 12, 9}, {12, 1e6, 9}}},
    {"max", twin_max, {{1}, {30}, {1e6}}},
    {"medprice", twin_medprice, {{0}, {0}, {0}}},
    {"min", twin_min, {{1}, {30}, {1e6}}},
    {"mom", twin_mom, {{1}, {10}, {1e6}}},
    {"roc", twin_roc, {{1}, {10}, {1e6}}},
    {"rolling_mean", twin_rolling_mean, {{1}, {37}, {1e6}}},
    {"rsi", twin_rsi, {{2}, {14}, {1e6}}},
    {"sma", twin_sma, {{1}, {37}, {1e6}}},
    {"stddev", twin_stddev, {{1}, {20}, {1e6}}},
    {"sum", twin_sum, {{1}, {10}, {1e6}}},
    {"trange", twin_trange, {{0}, {0}, {0}}},
    {"typprice", twin_typprice, {{0}, {0}, {0}}},
    {"wma", twin_wma, {{1}, {30}, {1e6}}},
};
#define TWINS_N (sizeof(twins) / sizeof(twins[0]))

static const struct twin *twin_of(const char *name)
{
    for (size_t i = 0; i < TWINS_N; i++) {
        if (strcmp(twins[i].name, name) == 0)
            return &twins[i];
    }
    return NULL;
}

Test(indicator, every_row_of_the_table_has_a_twin_and_says_what_it_is)
{
    for (size_t i = 0; i < indicator_table_n; i++) {
        const struct indicator *row = indicator_table[i];
        cr_expect_not_null(twin_of(row->name), "%s is not tested", row->name);
        cr_expect_eq(indicator_find(row->name), row);
        cr_expect(i == 0 || strcmp(indicator_table[i - 1]->name, row->name) < 0, "sorted by name");
        cr_expect(row->formula && row->source && row->warm_up_text, "%s", row->name);
        cr_expect(row->outputs_n >= 1 && row->outputs_n <= INDICATOR_OUTPUTS_MAX);
        cr_expect_str_neq(indicator_class_name(row->cls), "unknown");
    }
    cr_expect_eq(TWINS_N, indicator_table_n);
    cr_expect_null(indicator_find("dema"));
}

/* ---- hostile input -------------------------------------------------------------------------- */

static uint32_t random_state = 7;

static double random_frac(void)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (double)(random_state >> 8) / (double)(1u << 24);
}

struct bars_of {
    double high[ROWS_MAX], low[ROWS_MAX], close[ROWS_MAX];
};

static void walk(struct bars_of *b, double level, double step)
{
    double close = level;
    for (uint32_t t = 0; t < ROWS_MAX; t++) {
        close += (random_frac() - 0.5) * step;
        b->close[t] = close;
        b->high[t] = close + random_frac() * step;
        b->low[t] = close - random_frac() * step;
    }
}

static void plant(struct bars_of *b, double what, uint32_t every)
{
    for (uint32_t t = every; t < ROWS_MAX; t += every)
        b->close[t] = b->high[t] = b->low[t] = what;
}

static void lead(struct bars_of *b, uint32_t rows)
{
    for (uint32_t t = 0; t < rows; t++)
        b->close[t] = b->high[t] = b->low[t] = NAN;
}

enum {
    INPUT_WALK,
    INPUT_HUGE,
    INPUT_TINY,
    INPUT_CONSTANT,
    INPUT_NAN,
    INPUT_LEAD,
    INPUT_INF,
    INPUT_SPIKE,
    INPUT_ZERO,
    INPUTS_N
};

static void make_input(int what, struct bars_of *b)
{
    walk(b,
         what == INPUT_HUGE   ? 1e9
         : what == INPUT_TINY ? 1e-5
                              : 100,
         what == INPUT_TINY ? 1e-8 : 0.5);
    if (what == INPUT_CONSTANT || what == INPUT_ZERO)
        walk(b, what == INPUT_ZERO ? 0 : 0.1, 0);
    if (what == INPUT_NAN)
        plant(b, NAN, 97);
    if (what == INPUT_LEAD)
        lead(b, 45);
    if (what == INPUT_INF)
        plant(b, INFINITY, 131);
    if (what == INPUT_SPIKE)
        plant(b, 1e12, 101);
}

static const char *input_name(int what)
{
    static const char *const names[] = {"walk", "1e9", "1e-5",  "constant", "NaN",
                                        "lead", "inf", "spike", "zero"};
    return names[what];
}

/* Allowed error: a share of the value, and of the level of what it is the difference of. */
static long double allowed(const struct bars_of *b, uint32_t t, const struct indicator *row,
                           long double value)
{
    bool is_deviation = strcmp(row->name, "stddev") == 0 || strcmp(row->name, "bbands") == 0;
    long double level =
        strcmp(row->name, "roc") == 0 ? 100 : 0; /* roc is a difference of percents */
    for (uint32_t i = t > 600 ? t - 600 : 0; i <= t; i++) {
        if (isfinite(b->close[i]))
            level = fmaxl(level, fabs(b->close[i]));
    }
    return (is_deviation ? 1e-9 : 1e-12) * fabsl(value) + 64 * DBL_EPSILON * level;
}

static bool agrees(double found, long double wanted, long double error)
{
    if (isnan(wanted))
        return isnan(found);
    if (isinf(wanted))
        return !isfinite(found);
    return fabsl(found - wanted) <= error;
}

static char *call_text(const struct indicator *row, const double *params, unsigned output,
                       char *out, size_t out_bytes)
{
    const char *series = row->series_args_n == 2   ? "high,close"
                         : row->series_args_n == 1 ? "close"
                                                   : "";
    size_t at = (size_t)snprintf(out, out_bytes, "%s(%s", row->name, series);
    for (unsigned i = 0; i < row->params_n; i++)
        at += (size_t)snprintf(out + at, out_bytes - at, "%s%.17g",
                               i || row->series_args_n ? "," : "", params[i]);
    at += (size_t)snprintf(out + at, out_bytes - at, ")");
    if (row->outputs_n > 1)
        snprintf(out + at, out_bytes - at, ".%s", row->outputs[output]);
    return out;
}

static void compare_with_twin(const struct indicator *row, const double *params, int what,
                              uint32_t rows_n)
{
    static struct bars_of bars;
    static double found[ROWS_MAX];
    static long double wanted[ROWS_MAX];
    char text[128];
    double scale = strcmp(row->name, "sum") == 0 ? params[0] : 1; /* a sum has n times the level */
    struct frame f = {.rows_n = rows_n};
    random_state = 7;
    make_input(what, &bars);
    frame_add(&f, "high", bars.high);
    frame_add(&f, "low", bars.low);
    frame_add(&f, "close", bars.close);
    for (unsigned o = 0; o < row->outputs_n; o++) {
        struct twin_call c = {rows_n,     bars.close, bars.high, bars.low,
                              bars.close, params,     o,         wanted};
        twin_of(row->name)->compute(&c);
        (void)frame_eval(&f, call_text(row, params, o, text, sizeof(text)), found);
        for (uint32_t t = 0; t < rows_n; t++) {
            cr_assert(agrees(found[t], wanted[t], allowed(&bars, t, row, wanted[t]) * scale),
                      "%s on %s, %u rows, row %u: wanted %.17Lg found %.17g", text,
                      input_name(what), rows_n, t, wanted[t], found[t]);
        }
    }
    frame_fini(&f);
}

Test(indicator, kernels_agree_with_their_twins_on_hostile_input)
{
    static const uint32_t sizes[] = {0, 1, 2, 3, 36, 37, 38, 74, 75, ROWS_MAX};
    for (size_t i = 0; i < indicator_table_n; i++) {
        const struct twin *twin = twin_of(indicator_table[i]->name);
        for (int p = 0; p < 3; p++) {
            for (int what = 0; what < INPUTS_N; what++) {
                for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
                    compare_with_twin(indicator_table[i], twin->params[p], what, sizes[s]);
            }
        }
    }
}

static void eval_rows(const struct bars_of *bars, const char *text, uint32_t rows_n, double *out)
{
    struct frame f = {.rows_n = rows_n};
    frame_add(&f, "high", bars->high);
    frame_add(&f, "low", bars->low);
    frame_add(&f, "close", bars->close);
    (void)frame_eval(&f, text, out);
    frame_fini(&f);
}

Test(indicator, no_later_row_has_a_part_in_a_value)
{
    static struct bars_of bars;
    static double whole[ROWS_MAX], part[ROWS_MAX];
    char text[128];
    for (size_t i = 0; i < indicator_table_n; i++) {
        const struct indicator *row = indicator_table[i];
        for (int k = 0; k < 3 * INPUTS_N; k++) {
            unsigned output = (unsigned)k % row->outputs_n;
            make_input(k / 3, &bars);
            call_text(row, twin_of(row->name)->params[k % 3], output, text, sizeof text);
            eval_rows(&bars, text, ROWS_MAX, whole);
            for (uint32_t rows_n = 1; rows_n < ROWS_MAX; rows_n += 1 + rows_n / 8) {
                eval_rows(&bars, text, rows_n, part);
                for (uint32_t t = 0; t < rows_n; t++)
                    cr_assert(memcmp(&part[t], &whole[t], sizeof *part) == 0 ||
                                  (isnan(part[t]) && isnan(whole[t])),
                              "%s on %s, row %u of %u: %.17g instead of %.17g", text,
                              input_name(k / 3), t, rows_n, part[t], whole[t]);
            }
        }
    }
}

/* What the text of a row comes to for these parameters. MACD's slow one is the longer of two. */
static uint32_t warm_up_of(const struct indicator *row, const double *params)
{
    const char *names[INDICATOR_PARAMS_MAX];
    for (unsigned i = 0; i < row->params_n; i++)
        names[i] = row->params[i].name;
    if (strcmp(row->name, "macd") == 0 && params[0] > params[1]) {
        names[0] = "slow";
        names[1] = "fast";
    }
    struct expr_env env = {row->params_n, names, params};
    struct expr *expr;
    struct err err;
    double rows = NAN;
    cr_assert(expr_parse(row->warm_up_text, &expr, &err) == 0, "%s: %s", row->name, err.text);
    cr_assert(expr_eval_scalar(expr, &env, &rows, &err) == 0, "%s: %s", row->name, err.text);
    expr_destroy(expr);
    return (uint32_t)rows;
}

Test(indicator, the_first_defined_row_is_what_the_table_says)
{
    static struct bars_of bars;
    static double found[ROWS_MAX];
    char text[128];
    make_input(INPUT_WALK, &bars);
    for (size_t i = 0; i < indicator_table_n; i++) {
        const struct indicator *row = indicator_table[i];
        const double *params = twin_of(row->name)->params[1];
        uint32_t warm_up = warm_up_of(row, params);
        struct frame f = {.rows_n = ROWS_MAX};
        frame_add(&f, "high", bars.high);
        frame_add(&f, "low", bars.low);
        frame_add(&f, "close", bars.close);
        for (unsigned o = 0; o < row->outputs_n; o++) {
            uint32_t first = frame_eval(&f, call_text(row, params, o, text, sizeof(text)), found);
            cr_expect_eq(first, warm_up, "%s: %u", text, first);
            cr_expect_eq(frame_first_defined(found, ROWS_MAX), warm_up, "%s", text);
        }
        frame_fini(&f);
    }
}

Test(indicator, a_crossing_remembers_the_side_over_ties)
{
    static const double high[] = {1, 2, 2, 3, 2, 2, 1, 3, NAN, 3},
                        close[] = {2, 2, 2, 2, 2, 2, 2, 2, 2, 2};
    static const double above[] = {0, 0, 0, 1, 0, 0, 0, 1, NAN, 0},
                        below[] = {0, 0, 0, 0, 0, 0, 1, 0, NAN, 0};
    double found[10];
    struct frame f = {.rows_n = 10};
    frame_add(&f, "high", high);
    frame_add(&f, "close", close);
    (void)frame_eval(&f, "cross(high,close).above", found);
    for (uint32_t t = 0; t < 10; t++)
        cr_expect(agrees(found[t], above[t], 0), "above, row %u: %g", t, found[t]);
    (void)frame_eval(&f, "cross(high,close).below", found);
    for (uint32_t t = 0; t < 10; t++)
        cr_expect(agrees(found[t], below[t], 0), "below, row %u: %g", t, found[t]);
    frame_fini(&f);
}

Test(indicator, a_constant_has_no_deviation_at_all)
{
    static double x[ROWS_MAX], found[ROWS_MAX];
    struct frame f = {.rows_n = ROWS_MAX};
    for (uint32_t t = 0; t < ROWS_MAX; t++)
        x[t] = t < 100 || t >= 600 ? 7.0 + t : 0.1;
    frame_add(&f, "close", x);
    (void)frame_eval(&f, "stddev(close,33)", found);
    for (uint32_t t = 100 + 32; t < 600; t++)
        cr_assert_eq(found[t], 0.0, "row %u: %g", t, found[t]);
    (void)frame_eval(&f, "wma(close,33)", found);
    for (uint32_t t = 100 + 32; t < 600; t++)
        cr_assert_eq(found[t], 0.1, "row %u: %.17g", t, found[t]);
    frame_fini(&f);
}

Test(indicator, nothing_of_a_giant_is_left_once_it_has_left_the_window)
{
    static const double giants[] = {1e15, -1e300, INFINITY, NAN, 1e308};
    static const char *const texts[] = {"sum(close,20)", "sma(close,20)", "wma(close,20)",
                                        "stddev(close,20)"};
    static double x[ROWS_MAX], clean[ROWS_MAX], found[ROWS_MAX];
    for (size_t g = 0; g < sizeof(giants) / sizeof(giants[0]); g++) {
        struct frame f = {.rows_n = ROWS_MAX}, without = {.rows_n = ROWS_MAX};
        for (uint32_t t = 0; t < ROWS_MAX; t++)
            x[t] = 1.0 + random_frac() * 1e-3;
        frame_add(&without, "close", x);
        x[50] = x[60] = giants[g];
        frame_add(&f, "close", x);
        for (size_t k = 0; k < 4; k++) {
            (void)frame_eval(&without, texts[k], clean);
            (void)frame_eval(&f, texts[k], found);
            for (uint32_t t = 80; t < ROWS_MAX; t++)
                cr_assert_leq(fabs(found[t] - clean[t]), (k == 3 ? 1e-9 : 1e-12) * clean[t],
                              "%s after %g, row %u: %.17g, %.17g", texts[k], giants[g], t, found[t],
                              clean[t]);
        }
        frame_fini(&f);
        frame_fini(&without);
    }
}

/* Windows far into a long series are as good as the first ones. */
Test(indicator, a_long_series_stays_accurate)
{
    enum { LONG = 1000000 };
    static const uint32_t periods[] = {2, 200, 5000};
    double *x = malloc(LONG * sizeof(*x)), *found = malloc(LONG * sizeof(*found));
    struct frame f = {.rows_n = LONG};
    char text[64];
    cr_assert(x && found);
    for (uint32_t t = 0; t < LONG; t++)
        x[t] = (t ? x[t - 1] : 1e6) + (random_frac() - 0.5);
    frame_add(&f, "close", x);
    for (size_t p = 0; p < sizeof(periods) / sizeof(periods[0]); p++) {
        uint32_t n = periods[p];
        static const char *const names[] = {"sma", "sum", "wma", "stddev"};
        static long double (*const of[])(const double *, uint32_t) = {mean_of, sum_of, weighted_of,
                                                                      deviation_of};
        for (int k = 0; k < 4; k++) {
            snprintf(text, sizeof(text), "%s(close,%u)", names[k], n);
            (void)frame_eval(&f, text, found);
            for (uint32_t t = n - 1; t < LONG; t += 4999) {
                long double wanted = of[k](x + t + 1 - n, n);
                cr_assert_leq(fabsl(found[t] - wanted), (k == 3 ? 1e-11L : 1e-12L) * fabsl(wanted),
                              "%s row %u: wanted %.17Lg found %.17g", text, t, wanted, found[t]);
            }
        }
    }
    free(x);
    free(found);
    frame_fini(&f);
}

/* ---- TA-Lib's vectors ----------------------------------------------------------------------- */

/* A CSV of numbers with a header line; column c of row t is cell[t * columns_n + c]. */
struct table {
    uint32_t rows_n, columns_n;
    char *text;
    char *header[32];
    double *cell;
};

static bool table_read(struct table *t, const char *path)
{
    FILE *file = fopen(path, "r");
    size_t n = 0, capacity = 4u << 20;
    *t = (struct table){0};
    if (!file)
        return false;
    t->text = malloc(capacity + 1);
    cr_assert_not_null(t->text);
    n = fread(t->text, 1, capacity, file);
    t->text[n] = '\0';
    fclose(file);
    char *line_end, *line = strtok_r(t->text, "\n", &line_end), *at;
    for (char *name = strtok_r(line, ",", &at); name; name = strtok_r(NULL, ",", &at))
        t->header[t->columns_n++] = name;
    t->cell = malloc(20000 * t->columns_n * sizeof(double));
    cr_assert_not_null(t->cell);
    while ((line = strtok_r(NULL, "\n", &line_end)) && t->rows_n < 20000) {
        double *row = t->cell + t->rows_n++ * t->columns_n;
        uint32_t c = 0;
        for (char *cell = strtok_r(line, ",", &at); cell; cell = strtok_r(NULL, ",", &at))
            row[c++] = strtod(cell, NULL);
    }
    return true;
}

static void table_fini(struct table *t)
{
    free(t->text);
    free(t->cell);
}

static void table_column(const struct table *t, uint32_t c, double *out)
{
    for (uint32_t i = 0; i < t->rows_n; i++)
        out[i] = t->cell[i * t->columns_n + c];
}

/* The indicator that a case is for; NULL where there is none, or where it asks for a kind of
 * average that the contract's function does not have. */
static const struct indicator *case_indicator(json_t *c)
{
    char name[32] = "";
    const char *function = json_string_value(json_object_get(c, "function"));
    for (size_t i = 0; function[i] && i + 1 < sizeof(name); i++)
        name[i] =
            (char)(function[i] >= 'A' && function[i] <= 'Z' ? function[i] | 0x20 : function[i]);
    const struct indicator *row = indicator_find(name);
    json_t *params = json_object_get(c, "params");
    if (row && strcmp(name, "bbands") == 0 && json_number_value(json_array_get(params, 3)) != 0)
        return NULL;
    return row;
}

static void case_text(json_t *c, const struct indicator *row, unsigned output, char *out,
                      size_t out_bytes)
{
    json_t *inputs = json_object_get(c, "inputs"), *params = json_object_get(c, "params");
    size_t at = (size_t)snprintf(out, out_bytes, "%s(", row->name);
    for (unsigned i = 0; i < row->series_args_n; i++)
        at += (size_t)snprintf(out + at, out_bytes - at, "%s%s", i ? "," : "",
                               json_string_value(json_array_get(inputs, i)));
    for (unsigned i = 0; i < row->params_n; i++)
        at += (size_t)snprintf(out + at, out_bytes - at, "%s%.17g",
                               i || row->series_args_n ? "," : "",
                               json_number_value(json_array_get(params, i)));
    at += (size_t)snprintf(out + at, out_bytes - at, ")");
    if (row->outputs_n > 1)
        at += (size_t)snprintf(out + at, out_bytes - at, ".%s", row->outputs[output]);
    if (strcmp(row->name, "stddev") == 0) /* TA-Lib multiplies by its second parameter */
        snprintf(out + at, out_bytes - at, "*%.17g", json_number_value(json_array_get(params, 1)));
}

/* Deviations of the vectors come from E[x^2] - E[x]^2, so their squares are noisy by some parts in
 * 1e15 of the squared price: where that is more than 1e-7 of a deviation, it is what is allowed. */
static void compare_case(struct frame *f, json_t *c, const struct indicator *row,
                         const struct table *vectors)
{
    static double found[20000], wanted[20000];
    char text[160];
    uint32_t unused;
    const double *close = frame_lookup(f, "close", &unused);
    /* ticks make averages tie, and then a crossing hangs on the last bit */
    bool is_exact = strcmp(row->name, "sma") == 0 || strcmp(row->name, "sum") == 0;
    bool is_noisy = strcmp(row->name, "stddev") == 0 || strcmp(row->name, "bbands") == 0;
    const char *file = json_string_value(json_object_get(c, "file"));
    cr_assert_eq(vectors->rows_n, f->rows_n, "%s", file);
    cr_assert_eq(vectors->columns_n, row->outputs_n + 1, "%s", file);
    for (unsigned o = 0; o < row->outputs_n; o++) {
        case_text(c, row, o, text, sizeof(text));
        uint32_t first = frame_eval(f, text, found);
        table_column(vectors, o + 1, wanted);
        cr_assert_eq(first, json_integer_value(json_object_get(c, "first_valid_bar")), "%s: %u",
                     text, first);
        for (uint32_t t = 0; t < f->rows_n; t++) {
            double error = (is_noisy ? 1e-7 : 1e-9) * fabs(wanted[t]);
            if (strcmp(row->name, "stddev") == 0 && wanted[t] > 0.0)
                error = fmax(error, 1e-14 * close[t] * close[t] / (2.0 * wanted[t]));
            cr_assert(agrees(found[t], wanted[t], is_exact ? 0.0 : fmax(error, 1e-13)),
                      "%s row %u: wanted %.17g found %.17g", file, t, wanted[t], found[t]);
        }
    }
}

static bool frame_load(struct frame *f, const char *folder, const char *dataset)
{
    char path[1024];
    struct table t;
    snprintf(path, sizeof(path), "%s/%s/input.csv", folder, dataset);
    if (!table_read(&t, path))
        return false;
    double *column = malloc((t.rows_n + 1) * sizeof(*column));
    *f = (struct frame){.rows_n = t.rows_n};
    for (uint32_t c = 2; c < t.columns_n; c++) {
        table_column(&t, c, column);
        frame_add(f, t.header[c], column);
    }
    free(column);
    table_fini(&t);
    return true;
}

/* Compares all cases of one data set; returns how many. */
static unsigned compare_dataset(json_t *cases, const char *folder, const char *dataset)
{
    struct frame f;
    unsigned compared_n = 0;
    size_t i;
    json_t *c;
    cr_assert(frame_load(&f, folder, dataset), "%s", dataset);
    json_array_foreach(cases, i, c)
    {
        char path[1024];
        struct table vectors;
        const char *file = json_string_value(json_object_get(c, "file"));
        const struct indicator *row = case_indicator(c);
        bool is_ours = strncmp(file, dataset, strlen(dataset)) == 0 &&
                       strcmp(json_string_value(json_object_get(c, "lib")), "talib") == 0;
        if (!row || !is_ours)
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, file);
        cr_assert(table_read(&vectors, path), "%s", path);
        compare_case(&f, c, row, &vectors);
        table_fini(&vectors);
        compared_n++;
    }
    frame_fini(&f);
    return compared_n;
}

Test(indicator, values_are_those_of_ta_lib)
{
    const char *shared = getenv("ADMF_SHARED"), *dataset;
    char folder[512], path[1024];
    json_error_t error;
    json_t *unused;
    snprintf(folder, sizeof(folder), "%s/golden/indicators", shared ? shared : "../shared");
    snprintf(path, sizeof(path), "%s/manifest.json", folder);
    json_t *manifest = json_load_file(path, 0, &error);
    if (!manifest)
        cr_skip("no golden indicators at %s (set ADMF_SHARED)", path);
    unsigned compared_n = 0;
    json_object_foreach(json_object_get(manifest, "datasets"), dataset, unused)
    {
        compared_n += compare_dataset(json_object_get(manifest, "cases"), folder, dataset);
    }
    fprintf(stderr, "golden indicators: %u cases compared\n", compared_n);
    cr_assert_gt(compared_n, 0);
    json_decref(manifest);
}
