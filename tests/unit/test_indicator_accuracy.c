/* SPDX-License-Identifier: MIT */
/* Promise: a million bars into the data values are as good as in the first ones: sums, averages and
 * totals to 1e-12, deviations to 1e-9 of the level of prices, near 1e3 and near 1e-5. */
#include "tests/unit/indicator_fixture.h"

#define LONG 1000000u

static double *column_near(double level, double step)
{
    double *x = malloc(LONG * sizeof(*x));
    double away = 0;
    cr_assert(x);
    for (uint32_t t = 0; t < LONG; t++) {
        away = 0.999 * away + (random_frac() - 0.5) * step;
        x[t] = level + away;
    }
    return x;
}

static const double levels[] = {1e3, 1e-5};

/* ---- windows -------------------------------------------------------------------------------- */

static const struct windowed {
    const char *name;
    window_fn of;
    double error;    /* a share of the value */
    double of_level; /* a share of the level of prices */
} windowed[] = {
    {"sum", sum_of, 1e-12, 0},
    {"sma", mean_of, 1e-12, 0},
    {"wma", weighted_of, 1e-12, 0},
    {"max", max_of, 0, 0},
    {"min", min_of, 0, 0},
    {"stddev", deviation_of, 1e-9, 1e-13},
    {"rolling_mean", mean_of, 1e-9, 0},
};

static void compare_windows(const struct windowed *w, const double *x, double level, uint32_t n,
                            const double *found)
{
    static real window[5000];
    for (uint32_t t = n - 1; t < LONG; t += 4999) {
        widen(x + t + 1 - n, n, window);
        real wanted = w->of(window, n);
        cr_assert_leq(fabsl(found[t] - wanted), w->error * fabsl(wanted) + w->of_level * level,
                      "%s(%u) near %g, row %u: wanted %.17Lg found %.17g", w->name, n, level, t,
                      wanted, found[t]);
    }
}

Test(indicator_accuracy, windows_do_not_drift_over_a_million_bars)
{
    static const uint32_t periods[] = {2, 200, 5000};
    double *found = malloc(LONG * sizeof(*found));
    char text[64];
    for (size_t l = 0; l < 2; l++) {
        struct frame f = {.rows_n = LONG};
        double *x = column_near(levels[l], levels[l] * 1e-3);
        frame_add(&f, "close", x);
        for (size_t i = 0; i < 3 * sizeof(windowed) / sizeof(windowed[0]); i++) {
            const struct windowed *w = &windowed[i / 3];
            snprintf(text, sizeof(text), "%s(close,%u)", w->name, periods[i % 3]);
            (void)frame_eval(&f, text, found);
            compare_windows(w, x, levels[l], periods[i % 3], found);
        }
        frame_fini(&f);
        free(x);
    }
    free(found);
}

/* ---- totals --------------------------------------------------------------------------------- */

struct long_bars {
    double *high, *low, *close, *volume;
    int64_t *time_ns;
};

static struct long_bars make_long_bars(double level)
{
    struct long_bars b = {malloc(LONG * sizeof(double)), malloc(LONG * sizeof(double)),
                          column_near(level, level * 1e-3), malloc(LONG * sizeof(double)),
                          malloc(LONG * sizeof(int64_t))};
    for (uint32_t t = 0; t < LONG; t++) {
        b.high[t] = b.close[t] + random_frac() * level * 1e-3;
        b.low[t] = b.close[t] - random_frac() * level * 1e-3;
        b.volume[t] = random_frac() * 1e4;
        b.time_ns[t] = t * INT64_C(60000000000);
    }
    return b;
}

static void free_long_bars(struct long_bars *b)
{
    free(b->high);
    free(b->low);
    free(b->close);
    free(b->volume);
    free(b->time_ns);
}

/* Kernel `name` over its inputs, from the first bar to the last. */
static void run_totals(const char *name, double param, const double *const *input,
                       const struct long_bars *b, double *out)
{
    struct indicator_stream *stream;
    cr_assert_eq(indicator_stream_create(indicator_find(name), &param, &stream), 0);
    cr_assert_eq(indicator_stream_run(stream, input, b->time_ns, LONG, &out), 0);
    indicator_stream_destroy(stream);
}

/* Exact totals of one bar after another. */
struct totals {
    real volume, balance, flow, money;
};

static void add_bar(struct totals *s, const struct long_bars *b, uint32_t t)
{
    real high = b->high[t], low = b->low[t], close = b->close[t], volume = b->volume[t];
    s->volume += volume;
    s->money += (high + low + close) / 3 * volume;
    s->flow += ((close - low) - (high - close)) / (high - low) * volume;
    if (t == 0 || close > b->close[t - 1])
        s->balance += volume;
    else if (close < b->close[t - 1])
        s->balance -= volume;
}

static void compare_total(const char *name, uint32_t t, double found, real wanted, real scale)
{
    cr_assert_leq(fabsl(found - wanted), 1e-12L * scale, "%s, row %u: wanted %.17Lg found %.17g",
                  name, t, wanted, found);
}

Test(indicator_accuracy, totals_do_not_drift_over_a_million_bars)
{
    double *out[4];
    for (int k = 0; k < 4; k++)
        out[k] = malloc(LONG * sizeof(double));
    for (size_t l = 0; l < 2; l++) {
        struct long_bars b = make_long_bars(levels[l]);
        struct totals exact = {0};
        run_totals("cum_volume", 0, (const double *[]){b.volume}, &b, out[0]);
        run_totals("obv", 0, (const double *[]){b.close, b.volume}, &b, out[1]);
        run_totals("ad", 0, (const double *[]){b.high, b.low, b.close, b.volume}, &b, out[2]);
        run_totals("vwap", 2, (const double *[]){b.high, b.low, b.close, b.volume}, &b, out[3]);
        for (uint32_t t = 0; t < LONG; t++) {
            add_bar(&exact, &b, t);
            if (t % 997)
                continue;
            compare_total("cum_volume", t, out[0][t], exact.volume, exact.volume);
            compare_total("obv", t, out[1][t], exact.balance, exact.volume * 1e-3L);
            compare_total("ad", t, out[2][t], exact.flow, exact.volume * 1e-3L);
            real price = exact.money / exact.volume;
            compare_total("vwap", t, out[3][t], price, price);
        }
        free_long_bars(&b);
    }
    for (int k = 0; k < 4; k++)
        free(out[k]);
}
