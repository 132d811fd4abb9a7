/* SPDX-License-Identifier: MIT */
/* Promise: windows far into a million bars are as good as the first ones, at any level of prices;
 * what is flat has no deviation and no slope at all, whatever was there before. */
#include <criterion/criterion.h>

#include <math.h>
#include <stdlib.h>

#include "shm/indicator/indicator.h"

#define LONG_ROWS 1000000u
#define SAMPLED   1999u /* every so many rows are compared */

static double random_frac(void)
{
    static uint32_t state = 7;
    state = state * 1664525u + 1013904223u;
    return (double)(state >> 8) / (double)(1u << 24);
}

/* A walk in ticks around a level; it stands still now and then. */
static double *walk_create(double level)
{
    double *x = malloc(LONG_ROWS * sizeof(*x));
    double ticks = 0.0;
    cr_assert_not_null(x);
    for (uint32_t t = 0; t < LONG_ROWS; t++) {
        if (t % 4000 > 900)
            ticks += floor(random_frac() * 7.0) - 3.0;
        ticks -= ticks > 4000.0 || ticks < -4000.0 ? ticks / 2.0 : 0.0;
        x[t] = level * (1.0 + 1e-4 * ticks);
    }
    return x;
}

static void compute(const char *name, double n, const double *x, uint32_t rows_n, double *out)
{
    static _Alignas(64) char state[INDICATOR_STATE_BYTES_MAX];
    const struct indicator *indicator = indicator_find(name);
    struct indicator_span span = {
        .rows_n = rows_n, .input = {x, x, x}, .param = &n, .state = state, .out = {out}};
    cr_assert_not_null(indicator, "%s", name);
    for (size_t i = 0; i < sizeof(state); i++)
        state[i] = 0;
    cr_assert_eq(indicator->advance(&span), 0);
}

/* ---- definitions, in more digits ------------------------------------------------------------- */

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

static long double variance_of(const double *x, uint32_t n)
{
    long double mean = mean_of(x, n), squares = 0;
    for (uint32_t i = 0; i < n; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    return squares / n;
}

static long double deviation_of(const double *x, uint32_t n)
{
    return sqrtl(variance_of(x, n));
}

static long double weighted_of(const double *x, uint32_t n)
{
    long double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += (long double)x[i] * (i + 1);
    return sum / (n * (n + 1.0L) / 2);
}

static long double slope_of(const double *x, uint32_t n)
{
    long double middle = (n - 1.0L) / 2, mean = mean_of(x, n), moment = 0, places = 0;
    for (uint32_t i = 0; i < n; i++) {
        moment += (i - middle) * (x[i] - mean);
        places += (i - middle) * (i - middle);
    }
    return moment / places;
}

static long double line_of(const double *x, uint32_t n)
{
    return mean_of(x, n) + slope_of(x, n) * (n - 1.0L) / 2;
}

/* Errors allowed: shares of the level, times n where `is_total`. */
static const struct {
    const char *name;
    long double (*of)(const double *x, uint32_t n);
    bool is_total;
    double share;
} exact[] = {
    {"sum", sum_of, true, 1e-12},           {"sma", mean_of, false, 1e-12},
    {"wma", weighted_of, false, 1e-12},     {"linearreg", line_of, false, 1e-12},
    {"stddev", deviation_of, false, 1e-13}, {"linearreg_slope", slope_of, false, 1e-12},
};

static void compare(const double *x, double level, uint32_t n, double *found)
{
    for (size_t k = 0; k < sizeof(exact) / sizeof(exact[0]); k++) {
        compute(exact[k].name, n, x, LONG_ROWS, found);
        for (uint32_t t = n - 1; t < LONG_ROWS; t += SAMPLED) {
            long double wanted = exact[k].of(x + t + 1 - n, n);
            double error = exact[k].share * level * (exact[k].is_total ? n : 1.0);
            cr_assert_leq(fabsl(found[t] - wanted), error,
                          "%s of %u near %g, row %u: %.17g, not %.17Lg", exact[k].name, n, level, t,
                          found[t], wanted);
        }
    }
}

Test(rolling, a_million_bars_stay_accurate)
{
    static const double levels[] = {1e3, 1e-5};
    static const uint32_t periods[] = {2, 3, 20, 200, 5000};
    double *found = malloc(LONG_ROWS * sizeof(*found));
    cr_assert_not_null(found);
    for (int l = 0; l < 2; l++) {
        double *x = walk_create(levels[l]);
        for (size_t p = 0; p < sizeof(periods) / sizeof(periods[0]); p++)
            compare(x, levels[l], periods[p], found);
        free(x);
    }
    free(found);
}

/* ---- what is flat ---------------------------------------------------------------------------- */

enum { ROWS = 900, FLAT_FROM = 200, FLAT_TO = 700 };

static void make_flat(double *x, double level)
{
    for (uint32_t t = 0; t < ROWS; t++)
        x[t] = t < FLAT_FROM || t >= FLAT_TO ? level * (0.5 + random_frac()) : level;
}

Test(rolling, what_is_flat_is_so_exactly)
{
    static const struct {
        const char *name;
        double share; /* of the level: what is wanted */
    } wanted[] = {
        {"stddev", 0}, {"var", 0}, {"linearreg_slope", 0},     {"cci", 0}, {"linearreg", 1},
        {"tsf", 1},    {"wma", 1}, {"linearreg_intercept", 1}, {"max", 1}, {"min", 1}};
    static const double levels[] = {0.1, 1e9, 1e-5, 1.0 / 3.0};
    static double x[ROWS], found[ROWS];
    for (size_t k = 0; k < sizeof(wanted) / sizeof(wanted[0]); k++) {
        for (int l = 0; l < 4; l++) {
            make_flat(x, levels[l]);
            for (uint32_t n = 2; n < 120; n += 1 + n / 5) {
                compute(wanted[k].name, n, x, ROWS, found);
                for (uint32_t t = FLAT_FROM + n - 1; t < FLAT_TO; t++)
                    cr_assert_eq(found[t], wanted[k].share * levels[l],
                                 "%s of %u near %g, row %u: %.17g", wanted[k].name, n, levels[l], t,
                                 found[t]);
            }
        }
    }
}

/* ---- places ---------------------------------------------------------------------------------- */

Test(rolling, of_equal_extremes_the_latest_counts)
{
    static const double high[] = {5, 7, 7, 6, 5, 4, 4, 4}, low[] = {1, 2, 1, 3, 3, 3, 2, 2};
    static const double up[] = {NAN, NAN, NAN, NAN, 50, 25, 0, 0},
                        down[] = {NAN, NAN, NAN, NAN, 50, 25, 0, 100};
    double found[2][8], n = 4;
    struct indicator_span span = {
        .rows_n = 8, .input = {high, low}, .param = &n, .out = {found[0], found[1]}};
    cr_assert_eq(indicator_find("aroon")->advance(&span), 0);
    for (uint32_t t = 4; t < 8; t++) {
        cr_expect_eq(found[0][t], down[t], "down, row %u: %g", t, found[0][t]);
        cr_expect_eq(found[1][t], up[t], "up, row %u: %g", t, found[1][t]);
    }
}

Test(rolling, a_total_forgets_what_has_left_it)
{
    static const double giants[] = {1e15, -1e250, INFINITY, NAN, 1e308};
    static const char *const names[] = {"sum", "sma", "wma", "stddev", "linearreg"};
    static double x[ROWS], clean[ROWS], found[ROWS];
    for (size_t g = 0; g < sizeof(giants) / sizeof(giants[0]); g++) {
        for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
            for (uint32_t t = 0; t < ROWS; t++)
                x[t] = 1.0 + random_frac() * 1e-3;
            compute(names[k], 20, x, ROWS, clean);
            x[50] = x[60] = giants[g];
            compute(names[k], 20, x, ROWS, found);
            for (uint32_t t = 80; t < ROWS; t++)
                cr_assert_leq(fabs(found[t] - clean[t]), 1e-12 * 20, "%s after %g, row %u",
                              names[k], giants[g], t);
        }
    }
}
