/* SPDX-License-Identifier: MIT */
/* Random bars: trends and gaps, flat stretches, prices in ticks, tiny and huge ones, no volume,
 * symbols that miss bars of each other, days and minutes. */
#include <math.h>

#include "proto/units.h"
#include "tests/property/property.h"

struct climate {
    double drift, spread;       /* of a bar's move, as fractions */
    double gap_often, gap_size; /* opens away from the last close */
    double flat_often;          /* bars of one price */
    double wick;                /* beyond open and close */
    double tick;                /* all prices are multiples; 0: none */
    double no_volume, missing, dividend_often;
    int64_t bar_ns;
    double level;
};

static double pick(struct chance *c, const double *from, unsigned n)
{
    return from[chance_below(c, n)];
}

static struct climate climate_of(struct chance *c)
{
    static const double spreads[] = {0.002, 0.01, 0.03, 0.1};
    static const double levels[] = {1e-6, 0.01, 1, 100, 100, 100, 100, 1e4, 1e7};
    static const int64_t bars[] = {NS_PER_DAY, NS_PER_DAY, 60 * NS_PER_S, 3600 * NS_PER_S};
    struct climate k = {.spread = pick(c, spreads, 4)};
    k.level = pick(c, levels, 9);
    k.drift = chance_is(c, 0.5) ? k.spread * chance_between(c, -0.3, 0.3) : 0.0;
    k.gap_often = chance_is(c, 0.4) ? chance_between(c, 0.02, 0.5) : 0.0;
    k.gap_size = k.spread * chance_between(c, 0.5, 6.0);
    k.flat_often = chance_is(c, 0.2) ? chance_between(c, 0.05, 1.0) : 0.0;
    k.wick = chance_is(c, 0.2) ? 0.0 : k.spread * chance_between(c, 0.1, 2.0);
    k.tick = chance_is(c, 0.4) ? k.level * (chance_is(c, 0.5) ? 0.01 : 0.0625) : 0.0;
    k.no_volume = chance_is(c, 0.2) ? chance_between(c, 0.05, 1.0) : 0.0;
    k.missing = chance_is(c, 0.5) ? chance_between(c, 0.02, 0.4) : 0.0;
    k.dividend_often = chance_is(c, 0.3) ? 0.05 : 0.0;
    k.bar_ns = bars[chance_below(c, 4)];
    return k;
}

static double in_ticks(const struct climate *k, double px)
{
    if (k->tick > 0.0)
        px = fmax(k->tick, floor(px / k->tick + 0.5) * k->tick);
    return fmax(px, k->level * 1e-3);
}

static void make_bar(const struct climate *k, struct tape *t, uint32_t row, struct chance *c)
{
    double last = row ? t->close[row - 1] : k->level * chance_between(c, 0.5, 2.0);
    double gap = chance_is(c, k->gap_often) ? k->gap_size * chance_between(c, -1, 1) : 0.0;
    double open = in_ticks(k, last * (1.0 + gap)), close = open;
    double high = open, low = open;
    if (!chance_is(c, k->flat_often)) {
        close = in_ticks(k, open * (1.0 + k->drift + k->spread * chance_between(c, -1, 1)));
        high = fmax(open, close) * (1.0 + k->wick * chance_uniform(c));
        low = fmin(open, close) * (1.0 - fmin(0.5, k->wick * chance_uniform(c)));
    }
    t->open[row] = open;
    t->close[row] = close;
    t->high[row] = fmax(in_ticks(k, high), fmax(open, close));
    t->low[row] = fmin(in_ticks(k, low), fmin(open, close));
    double money = 100.0 * floor(chance_between(c, 1, 5000)); /* as many units as this buys */
    t->volume[row] = chance_is(c, k->no_volume) ? 0.0 : money / k->level;
    t->dividend[row] = row && chance_is(c, k->dividend_often)
                           ? t->close[row - 1] * chance_between(c, 0.001, 0.05)
                           : NAN;
}

static uint32_t rows_of(struct chance *c)
{
    if (chance_is(c, 0.04))
        return 1 + chance_below(c, 4);
    return chance_is(c, 0.8) ? 20 + chance_below(c, 80) : 60 + chance_below(c, ROWS_MAX - 60);
}

/* A day of minutes or hours has some of them; then comes the next day. */
static int64_t next_time(const struct climate *k, int64_t t, struct chance *c)
{
    t += k->bar_ns;
    while (chance_is(c, k->missing))
        t += k->bar_ns;
    if (k->bar_ns < NS_PER_DAY && chance_is(c, 0.04))
        t = (t / NS_PER_DAY + 1 + chance_below(c, 3)) * NS_PER_DAY + 34200 * NS_PER_S;
    return t;
}

void tapes_make(struct subject *s, struct chance *c)
{
    struct climate k = climate_of(c);
    bool is_alone = chance_is(c, 0.6);
    s->level = k.level;
    s->symbols_n = is_alone ? 1 : 1 + chance_below(c, SYMBOLS_MAX);
    int64_t from = (int64_t)(20000 + chance_below(c, 2000)) * NS_PER_DAY;
    for (uint32_t i = 0; i < s->symbols_n; i++) {
        struct tape *t = &s->tape[i];
        t->rows_n = rows_of(c);
        int64_t time = from + (int64_t)(chance_is(c, 0.3) ? chance_below(c, 10) : 0) * k.bar_ns;
        for (uint32_t row = 0; row < t->rows_n; row++, time = next_time(&k, time, c)) {
            t->time_ns[row] = time;
            make_bar(&k, t, row, c);
        }
    }
    int64_t start = chance_is(c, 0.3) ? s->tape[0].time_ns[s->tape[0].rows_n / 4] : from;
    for (uint32_t i = 0; i < s->symbols_n; i++) {
        struct tape *t = &s->tape[i];
        for (t->first_row = 0; t->first_row < t->rows_n && t->time_ns[t->first_row] < start;)
            t->first_row++;
    }
}
