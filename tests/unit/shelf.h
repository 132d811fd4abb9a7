/* SPDX-License-Identifier: MIT */
/* For tests of evaluation: random bars of three symbols, random rules over them, and a source on
 * whose shelf any of their series may stand, computed beforehand. */
#pragma once

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "shm/plane.h"
#include "shm/source.h"

/* ---- chance --------------------------------------------------------------------------------- */

static uint64_t chance_state = 1;

static inline double chance(void)
{
    chance_state = chance_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(chance_state >> 40) / (double)(1u << 24);
}

static inline unsigned chance_of(unsigned n)
{
    return (unsigned)(chance() * n);
}

/* ---- bars ----------------------------------------------------------------------------------- */

#define MINUTE_NS INT64_C(60000000000)
#define SYMBOLS_N 3u /* the traded one; SPX, of equal bars; QQQ, of longer ones */

struct columns {
    struct bars bars;
    double *extra[1];
};

static const char *const extra_names[1] = {"ai"};

/* Bars `minutes` apart with gaps, on a coarse grid of prices, so that they tie. */
static inline void columns_init(struct columns *c, const char *symbol, uint32_t rows_n, int minutes)
{
    int64_t *time = malloc((rows_n + 1) * sizeof(*time));
    double *column[6], px = 100.0;
    int64_t at = INT64_C(1577836800000000000) / MINUTE_NS;
    at += minutes / 2; /* so that hours do not begin with the periods */
    for (int i = 0; i < 6; i++)
        column[i] = malloc((rows_n + 1) * sizeof(double));
    for (uint32_t t = 0; t < rows_n; t++) {
        at += minutes * (chance_of(9) == 0 ? 1 + (int)chance_of(40) : 1);
        time[t] = at * MINUTE_NS;
        column[0][t] = px;
        px = fmax(1.0, px + floor(chance() * 9.0 - 4.0) / 4.0);
        column[3][t] = px;
        column[1][t] = fmax(column[0][t], px) + floor(chance() * 3.0) / 4.0;
        column[2][t] = fmin(column[0][t], px) - floor(chance() * 3.0) / 4.0;
        column[4][t] = floor(chance() * 100.0);
        column[5][t] = chance_of(20) == 0 ? NAN : floor(chance() * 8.0);
    }
    c->extra[0] = column[5];
    c->bars = (struct bars){.symbol = symbol,
                            .rows_n = rows_n,
                            .time_ns = time,
                            .open = column[0],
                            .high = column[1],
                            .low = column[2],
                            .close = column[3],
                            .volume = column[4],
                            .extra_n = 1,
                            .extra_names = extra_names,
                            .extra = (const double *const *)c->extra};
}

/* Gives back what a const pointer of bars owns. */
static inline void free_column(const void *column)
{
    union {
        const void *borrowed;
        void *owned;
    } u = {column};
    free(u.owned);
}

static inline void columns_fini(struct columns *c)
{
    free_column(c->bars.time_ns);
    free_column(c->bars.open);
    free_column(c->bars.high);
    free_column(c->bars.low);
    free_column(c->bars.close);
    free_column(c->bars.volume);
    free(c->extra[0]);
}

/* ---- rules ---------------------------------------------------------------------------------- */

struct text {
    char at[4096];
    size_t n;
};

static inline void say(struct text *out, const char *part)
{
    size_t n = strlen(part);
    if (out->n + n < sizeof(out->at)) {
        memcpy(out->at + out->n, part, n + 1);
        out->n += n;
    }
}

#define SAY_ONE_OF(out, list) say(out, list[chance_of(sizeof(list) / sizeof(list[0]))])

static inline void say_number(struct text *out, int depth);

static inline void say_clock(struct text *out, const char *inner)
{
    static const char *const symbols[] = {"", "", "", "SPX:", "QQQ:"};
    static const char *const timeframes[] = {"", "", "", "@1h", "@4h", "@1d", "@1w"};
    SAY_ONE_OF(out, symbols);
    say(out, inner);
    SAY_ONE_OF(out, timeframes);
}

static inline void say_call(struct text *out, int depth)
{
    static const char *const one[] = {"sma(", "ema(", "rsi(", "stddev(", "max(", "wma(", "roc("};
    static const char *const several[] = {"macd(", "bbands("};
    static const char *const ends[] = {",3,9,4).macd",    ",3,9,4).signal",   ",3,9,4).hist",
                                       ",9,2,1.5).upper", ",9,2,1.5).middle", ",9,2,1.5).lower"};
    static const char *const periods[] = {",2)", ",5)", ",14)", ",200)"};
    static const char *const bars[] = {"atr(5)",         "typprice()",     "vwap(day)", "trange()",
                                       "stoch(5,3,3).k", "stoch(5,3,3).d", "obv()"};
    unsigned kind = chance_of(8);
    if (kind < 2) {
        say_clock(out, bars[chance_of(sizeof(bars) / sizeof(bars[0]))]);
        return;
    }
    if (kind == 2) {
        say(out, "correl(");
        say_number(out, depth - 1);
        say(out, "+close,open*");
        say_number(out, depth - 1);
        say(out, ",9)");
        return;
    }
    unsigned which = chance_of(2);
    kind < 4 ? say(out, several[which]) : SAY_ONE_OF(out, one);
    say(out, "close*");
    say_number(out, depth - 1);
    kind < 4 ? say(out, ends[3 * which + chance_of(3)]) : SAY_ONE_OF(out, periods);
}

static inline void say_number(struct text *out, int depth)
{
    static const char *const leaves[] = {"close", "open", "hl2", "2", ".5", "ai", "-3", "volume"};
    static const char *const signs[] = {"+", " - ", "*", "/ "};
    static const char *const lags[] = {",1)", ",3)", ",1025)", ",99999)"};
    unsigned kind = depth <= 0 ? 0 : chance_of(8);
    if (kind < 2) {
        unsigned i = chance_of(sizeof(leaves) / sizeof(leaves[0]));
        leaves[i][0] >= 'a' ? say_clock(out, leaves[i]) : say(out, leaves[i]);
    } else if (kind < 4) {
        say_call(out, depth);
    } else if (kind == 4) {
        say(out, "shift(");
        chance_of(2) ? say_call(out, depth - 1) : say_clock(out, "close");
        SAY_ONE_OF(out, lags);
    } else {
        say(out, "(");
        say_number(out, depth - 1);
        SAY_ONE_OF(out, signs);
        say_number(out, depth - 1);
        say(out, ")");
    }
}

static inline void say_condition(struct text *out, int depth)
{
    static const char *const signs[] = {"<", "<=", ">", ">=", "==", "!="};
    static const char *const words[] = {" and ", " or ", " and not ", " or not "};
    static const char *const crossings[] = {"crosses_above(", "crosses_below("};
    unsigned kind = depth <= 0 ? 0 : chance_of(4);
    if (kind == 0) {
        say_number(out, depth);
        SAY_ONE_OF(out, signs);
        say_number(out, depth);
    } else if (kind == 1) {
        SAY_ONE_OF(out, crossings);
        say_number(out, depth);
        say(out, ",");
        say_number(out, depth);
        say(out, ")");
    } else {
        say(out, "(");
        say_condition(out, depth - 1);
        SAY_ONE_OF(out, words);
        say_condition(out, depth - 1);
        say(out, ")");
    }
}

/* A rule that can be bound; false where it shifts what is of several clocks, or is too long. */
static inline bool bind_rule(struct graph *graph, const char *text, uint32_t *ret_node)
{
    struct expr *expr = NULL;
    struct err err = {0};
    cr_assert_eq(expr_parse(text, &expr, &err), 0, "%s: %s", text, err.text);
    int r = graph_add(graph, expr, NULL, ret_node, &err);
    cr_assert(r == 0 || strstr(err.text, "shift its parts"), "%s: %s", text, err.text);
    expr_destroy(expr);
    return r == 0;
}

/* ---- the shelf ------------------------------------------------------------------------------ */

#define SHELF_MAX 2048

struct book {
    char *symbol; /* NULL: the traded one */
    struct timeframe timeframe;
    char *key;
    struct series_view view;
    void *values;
};

struct shelf {
    struct bars_source *bars;
    bool rounds;
    uint32_t n;
    struct book book[SHELF_MAX];
};

static inline bool shelf_clock(void *ctx, const struct graph_clock *clock, struct clock_view *ret)
{
    struct graph_source bars = bars_source_of(((struct shelf *)ctx)->bars);
    return bars.clock(bars.ctx, clock, ret);
}

static inline bool shelf_series(void *ctx, const struct graph_clock *clock, const char *key,
                                struct series_view *ret_view)
{
    struct shelf *s = ctx;
    struct graph_source bars = bars_source_of(s->bars);
    for (uint32_t i = 0; i < s->n; i++) {
        const struct book *b = &s->book[i];
        bool is_symbol = b->symbol && clock->symbol ? !strcmp(b->symbol, clock->symbol)
                                                    : !b->symbol == !clock->symbol;
        if (is_symbol && timeframe_equal(b->timeframe, clock->timeframe) && !strcmp(b->key, key)) {
            *ret_view = b->view;
            return true;
        }
    }
    return bars.series(bars.ctx, clock, key, ret_view);
}

static inline struct graph_source shelf_source(struct shelf *s)
{
    return (struct graph_source){
        .ctx = s, .clock = shelf_clock, .series = shelf_series, .rounds_to_f32 = s->rounds};
}

static inline void shelf_clear(struct shelf *s)
{
    for (uint32_t i = 0; i < s->n; i++) {
        free(s->book[i].symbol);
        free(s->book[i].key);
        free(s->book[i].values);
    }
    s->n = 0;
}

/* Computes a series or a condition of the graph and puts it on the shelf. */
static inline void shelf_put(struct shelf *s, const struct graph *graph, uint32_t node)
{
    struct graph_info info;
    struct err err = {0};
    struct clock_view clock;
    const struct graph_source source = shelf_source(s);
    graph_info(graph, node, &info);
    const struct graph_clock *c = graph_clock(graph, info.clock);
    cr_assert(s->n < SHELF_MAX && source.clock(s, c, &clock));
    struct book *b = &s->book[s->n];
    *b = (struct book){.timeframe = c->timeframe};
    b->symbol = c->symbol ? strdup(c->symbol) : NULL;
    b->key = strdup(info.local_key);
    b->view.dtype = info.is_condition ? SERIES_BITS : s->rounds ? SERIES_F32 : SERIES_F64;
    b->values = malloc(series_bytes(b->view.dtype, clock.rows_n) + 8);
    b->view.values = b->values;
    int r = graph_compute(graph, &node, 1, &source, b->view.dtype, &b->values,
                          &b->view.first_defined, &err);
    cr_assert_eq(r, 0, "%s: %s", info.key, err.text);
    s->n++;
}

/* Puts what may be stored on the shelf, each with a chance. */
static inline void shelf_fill(struct shelf *s, const struct graph *graph, double share)
{
    for (uint32_t n = 0; n < graph_nodes_n(graph); n++) {
        struct graph_info info;
        graph_info(graph, n, &info);
        if ((info.is_condition || (info.is_series && !info.is_column)) && chance() < share)
            shelf_put(s, graph, n);
    }
}
