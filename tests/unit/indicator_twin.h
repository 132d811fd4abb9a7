/* SPDX-License-Identifier: MIT */
/* For tests: plain twins of the indicators. Each follows its definition literally, in long double,
 * with no thought for speed. */
#pragma once

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "shm/indicator/indicator.h"

#define ROWS_MAX 700u

typedef long double real;

struct bars {
    double open[ROWS_MAX], high[ROWS_MAX], low[ROWS_MAX], close[ROWS_MAX], volume[ROWS_MAX];
    int64_t time_ns[ROWS_MAX];
};

/* Series that the user chooses are close, high, low, in this order. */
struct twin_call {
    const struct bars *bars;
    uint32_t rows_n;
    const double *param;
    unsigned output;
};

/* By what measure a double may be off. */
enum twin_scale {
    SCALE_PRICE,     /* parts of the price level */
    SCALE_ROUGH,     /* as a price, but a giant leaves its rounding errors behind */
    SCALE_TOTALS,    /* 1e-7 of the level: a share of two running totals; rough */
    SCALE_RATIO,     /* of 100, times how much larger prices are than their moves */
    SCALE_DEVIATION, /* 1e-9 of the value, and parts of the level */
    SCALE_VARIANCE,  /* its square */
    SCALE_VOLUME,    /* parts of the total volume */
    SCALE_PERIOD,    /* bars: as a ratio, but through arctangents and clips */
};

struct twin {
    const char *name;
    void (*compute)(const struct twin_call *call, real *out);
    enum twin_scale scale;
    double params[2][INDICATOR_PARAMS_MAX]; /* usual ones, and others; zeros: none */
};

struct twin_list {
    const struct twin *twins;
    size_t n;
};
extern const struct twin_list twins_bars, twins_rolling, twins_recursive;

/* NULL if there is none. */
const struct twin *twin_of(const char *name);

/* ---- series --------------------------------------------------------------------------------- */

static inline void fill(real *out, uint32_t rows_n, real value)
{
    for (uint32_t t = 0; t < rows_n; t++)
        out[t] = value;
}

static inline void widen(const double *x, uint32_t rows_n, real *out)
{
    for (uint32_t t = 0; t < rows_n; t++)
        out[t] = x[t];
}

static inline void typical(const struct twin_call *c, real *out)
{
    for (uint32_t t = 0; t < c->rows_n; t++)
        out[t] = ((real)c->bars->high[t] + c->bars->low[t] + c->bars->close[t]) / 3;
}

/* x[t - n], NaN before there is one. */
static inline real ago(const real *x, uint32_t t, double n)
{
    return t >= n ? x[t - (uint32_t)n] : (real)NAN;
}

/* ---- windows -------------------------------------------------------------------------------- */

/* Of the n values of a window, all finite. */
typedef real (*window_fn)(const real *x, uint32_t n);

static inline bool is_all_finite(const real *x, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (!isfinite(x[i]))
            return false;
    }
    return true;
}

/* NaN where there is no full window of finite values. Not in place. */
static inline void each_window(const real *x, uint32_t rows_n, double period, window_fn of,
                               real *out)
{
    for (uint32_t t = 0; t < rows_n; t++) {
        uint32_t n = period <= t + 1.0 ? (uint32_t)period : 0;
        const real *from = x + t + 1 - n;
        out[t] = n && is_all_finite(from, n) ? of(from, n) : (real)NAN;
    }
}

static inline real sum_of(const real *x, uint32_t n)
{
    real sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += x[i];
    return sum;
}

static inline real mean_of(const real *x, uint32_t n)
{
    return sum_of(x, n) / n;
}

static inline real weighted_of(const real *x, uint32_t n)
{
    real sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += x[i] * (i + 1);
    return sum / (n * (n + 1.0L) / 2);
}

static inline real variance_of(const real *x, uint32_t n)
{
    real mean = mean_of(x, n), squares = 0;
    for (uint32_t i = 0; i < n; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    return squares / n;
}

static inline real deviation_of(const real *x, uint32_t n)
{
    return sqrtl(variance_of(x, n));
}

static inline real max_of(const real *x, uint32_t n)
{
    real best = x[0];
    for (uint32_t i = 1; i < n; i++)
        best = fmaxl(best, x[i]);
    return best;
}

static inline real min_of(const real *x, uint32_t n)
{
    real best = x[0];
    for (uint32_t i = 1; i < n; i++)
        best = fminl(best, x[i]);
    return best;
}

/* ---- recursions ----------------------------------------------------------------------------- */

/* Of a run of n finite values; out[0 .. n) holds NaNs. */
typedef void (*run_fn)(const real *x, uint32_t n, double period, real *out);

/* Each run of finite values by itself; NaN elsewhere. Not in place. */
static inline void each_run(const real *x, uint32_t rows_n, double period, run_fn of, real *out)
{
    fill(out, rows_n, NAN);
    for (uint32_t t = 0, from; t < rows_n; t++) {
        for (from = t; t < rows_n && isfinite(x[t]);)
            t++;
        if (t > from)
            of(x + from, t - from, period, out + from);
    }
}

/* 2 / (n + 1) of what is new, seeded by the mean of the first n. */
static inline void ema_run(const real *x, uint32_t n, double period, real *out)
{
    real seed = 0;
    for (uint32_t t = 0; t < n; t++) {
        if (t < period)
            seed += x[t];
        if (t == period - 1)
            out[t] = seed / (real)period;
        else if (t >= period)
            out[t] = out[t - 1] + 2.0L / ((real)period + 1) * (x[t] - out[t - 1]);
    }
}

/* Wilder's: 1 / n of what is new. */
static inline void wilder_run(const real *x, uint32_t n, double period, real *out)
{
    real seed = 0;
    for (uint32_t t = 0; t < n; t++) {
        if (t < period)
            seed += x[t];
        if (t == period - 1)
            out[t] = seed / (real)period;
        else if (t >= period)
            out[t] = (out[t - 1] * ((real)period - 1) + x[t]) / (real)period;
    }
}
