/* SPDX-License-Identifier: MIT */
/* The promise: a plane has the larger bars of each symbol beside its own and says which of them is
 * finished at each row; symbols of reference are read but take no step of the clock; a graph sees
 * all of it through the plane as it would from the bars themselves. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "shm/plane_source.h"
#include "shm/source.h"
#include "tests/unit/plane_fixture.h"

static const struct timeframe own = {TIMEFRAME_OWN, 0}, day = {TIMEFRAME_DAY, 1},
                              hours_4 = {TIMEFRAME_HOUR, 4};

/* A and B as in the fixture, R of reference: a bar each three hours, an hour before the others. */
struct many {
    struct sample s;
    int64_t r_time[ROWS];
    struct bars bars[3];
    uint32_t first_row[3];
    struct plane_clock_plan clocks[3];
    struct plane_series_plan series[3];
    bool is_named[2];
    struct plane_plan plan;
};

static struct many m;

static struct plane_writer *create_many(void)
{
    fill_sample(&m.s);
    for (int i = 0; i < ROWS; i++)
        m.r_time[i] = (3 * i - 1) * HOUR_NS;
    m.bars[0] = m.s.bars[0];
    m.bars[1] = m.s.bars[1];
    m.bars[2] = m.s.bars[1];
    m.bars[2].symbol = "R";
    m.bars[2].time_ns = m.r_time;
    m.bars[2].extra_n = 0;
    m.clocks[0] = (struct plane_clock_plan){1, day};
    m.clocks[1] = (struct plane_clock_plan){0, hours_4};
    m.clocks[2] = (struct plane_clock_plan){2, day};
    m.series[0] = (struct plane_series_plan){3, "sma(close,2)", SERIES_F64};
    m.series[1] = (struct plane_series_plan){2, "sma(close,2)", SERIES_F64};
    m.series[2] = (struct plane_series_plan){1, "sma(close,2)", SERIES_F64};
    m.plan = (struct plane_plan){.symbols_n = 3,
                                 .traded_n = 2,
                                 .bars = m.bars,
                                 .first_row = m.first_row,
                                 .clocks_n = 3,
                                 .clocks = m.clocks,
                                 .series_n = 3,
                                 .series = m.series,
                                 .is_named = m.is_named,
                                 .series_budget_bytes = UINT64_MAX};
    return create(&m.plan);
}

Test(plane_clocks, symbol_of_reference_takes_no_step)
{
    struct plane_writer *w = create_many();
    struct plane *plane = open_plane(w);

    cr_assert(plane->symbols_n == 3 && plane->traded_n == 2 && plane->clocks_n == 6);
    cr_assert(plane->steps_n == 60 + 33, "%u", plane->steps_n);
    cr_assert(plane->clock_ns[0] == 0, "not the first bar of R");
    const struct bars *r = &plane->symbol[2].bars;
    cr_assert(strcmp(r->symbol, "R") == 0 && r->rows_n == ROWS && r->time_ns[1] == 2 * HOUR_NS);
    plane_close(plane);
    plane_writer_destroy(w);
}

Test(plane_clocks, larger_bars_are_those_of_the_symbol)
{
    struct plane_writer *w = create_many();
    struct plane *plane = open_plane(w);
    struct series_view view;

    /* B: every second hour from 6 on, so 9 bars of the first day, then 12 of each. */
    cr_assert(plane_clock_find(plane, 1, day) == 3 && plane_clock_find(plane, 0, day) == -1);
    cr_assert(plane_clock_find(plane, 0, hours_4) == 4 && plane_clock_find(plane, 2, own) == 2);
    cr_assert(plane_clock_find(plane, 3, own) == -1);
    const struct plane_clock_view *c = &plane->clock[3];
    cr_assert(c->symbol_idx == 1 && timeframe_equal(c->timeframe, day));
    cr_assert(c->bars.rows_n == 6 && strcmp(c->bars.symbol, "B") == 0, "%u", c->bars.rows_n);
    cr_assert(c->bars.time_ns[0] == 6 * HOUR_NS && c->bars.time_ns[1] == 24 * HOUR_NS);
    cr_assert(c->bars.open[1] == m.s.column[1][0][9] && c->bars.close[1] == m.s.column[1][3][20]);
    cr_assert(c->bars.high[0] == m.s.column[1][1][8] && c->bars.low[0] == m.s.column[1][2][0]);
    cr_assert(plane_series(plane, 3, "close", &view) && view.values == c->bars.close);
    cr_assert(plane_series(plane, 3, "forecast", &view) && view.first_defined == 0);
    cr_assert(((const double *)view.values)[0] == m.s.extra[8], "an extra column: its last value");
    cr_assert(!plane_series(plane, 4, "forecast", &view) &&
              !plane_series(plane, 6, "close", &view));
    plane_close(plane);
    plane_writer_destroy(w);
}

Test(plane_clocks, alignment_shows_the_last_finished_bar)
{
    struct plane_writer *w = create_many();
    struct plane *plane = open_plane(w);

    const int32_t *row_of = plane_alignment(plane, 1, 3); /* B's days at B's rows */
    cr_assert(row_of != NULL);
    for (uint32_t t = 0; t < ROWS; t++)
        cr_assert(row_of[t] == (int32_t)((6 + 2 * t) / 24) - 1, "%u: %d", t, row_of[t]);
    row_of = plane_alignment(plane, 0, 2); /* R's bars, which are longer, at A's */
    cr_assert(row_of != NULL);
    for (uint32_t t = 0; t < ROWS; t++)
        cr_assert(row_of[t] == (int32_t)(t + 1) / 3 - 1, "%u: %d", t, row_of[t]);
    cr_assert(plane_alignment(plane, 0, 5) && plane_alignment(plane, 2, 5), "R's days");
    cr_assert(!plane_alignment(plane, 0, 1) && !plane_alignment(plane, 0, 3), "B is not named");
    cr_assert(!plane_alignment(plane, 0, 0) && !plane_alignment(plane, 9, 2));
    plane_close(plane);
    plane_writer_destroy(w);

    m.is_named[1] = true;
    w = create_many();
    plane = open_plane(w);
    cr_assert(plane_alignment(plane, 0, 1) && plane_alignment(plane, 0, 3));
    cr_assert(!plane_alignment(plane, 1, 0), "A is not");
    plane_close(plane);
    plane_writer_destroy(w);
}

Test(plane_clocks, clocks_that_cannot_be_are_refused)
{
    struct plane_writer *w = create_many(), *none = NULL;
    struct err err = {0};
    plane_writer_destroy(w);
    m.clocks[2] = m.clocks[0];
    cr_assert(plane_create(&m.plan, &none, &err) < 0 && err.kind == ERR_BUG, "twice the same");
    m.clocks[2] = (struct plane_clock_plan){2, own};
    cr_assert(plane_create(&m.plan, &none, &err) < 0 && err.kind == ERR_BUG);
    m.clocks[2] = (struct plane_clock_plan){3, day};
    cr_assert(plane_create(&m.plan, &none, &err) < 0 && err.kind == ERR_BUG);
    m.clocks[2] = (struct plane_clock_plan){2, day};
    m.series[0].clock_idx = 6;
    cr_assert(plane_create(&m.plan, &none, &err) < 0 && err.kind == ERR_BUG && !none);
}

/* ---- through the eyes of a graph ------------------------------------------------------------ */

static void eval(const char *text, const struct graph_source *source, double *out)
{
    const struct expr_env env = {0, NULL, NULL};
    struct graph *graph;
    struct expr *expr;
    struct err err = {0};
    uint32_t node;
    cr_assert(graph_create(&graph) == 0 && expr_parse(text, &expr, &err) == 0, "%s", err.text);
    cr_assert(graph_add(graph, expr, &env, &node, &err) == 0, "%s: %s", text, err.text);
    cr_assert(graph_eval(graph, node, source, out, NULL, &err) == 0, "%s: %s", text, err.text);
    expr_destroy(expr);
    graph_destroy(graph);
}

static void publish_all(struct plane_writer *w)
{
    for (uint32_t i = 0; i < 3; i++) {
        const struct bars *bars = &plane_writer_view(w)->clock[m.series[i].clock_idx].bars;
        double values[ROWS];
        for (uint32_t t = 0; t < bars->rows_n; t++)
            values[t] = t == 0 ? NAN : (bars->close[t - 1] + bars->close[t]) / 2;
        publish(w, i, values, bars->rows_n);
    }
}

Test(plane_clocks, graphs_see_the_plane_as_they_see_the_bars)
{
    static const char *const texts[] = {
        "close + close@1d",     "sma(close,2)",           "sma(close,2)@1d + forecast",
        "R:close - R:close@1d", "R:sma(close,2) + close", "rsi(R:close@1d,2) / open@1d",
        "forecast@1d"};
    struct plane_writer *w = create_many();
    struct plane *plane = open_plane(w);
    struct bars_source *plain;
    cr_assert(bars_source_create(m.bars, 3, 1, &plain) == 0);
    const struct graph_source expected = bars_source_of(plain);

    for (int is_published = 0; is_published <= 1; is_published++) {
        for (int hides = 0; hides <= 1; hides++) {
            const struct plane_source ps = {.plane = plane, .symbol_idx = 1, .hides_series = hides};
            const struct graph_source seen = plane_source_of(&ps);
            for (size_t i = 0; i < COUNT_OF(texts); i++) {
                double a[ROWS], b[ROWS];
                eval(texts[i], &expected, a);
                eval(texts[i], &seen, b);
                cr_assert(memcmp(a, b, sizeof a) == 0, "%s", texts[i]);
            }
        }
        if (!is_published)
            publish_all(w);
    }
    bars_source_destroy(plain);
    plane_close(plane);
    plane_writer_destroy(w);
}

/* A published series is used, not computed again. */
Test(plane_clocks, graphs_read_what_is_published)
{
    struct plane_writer *w = create_many();
    struct plane *plane = open_plane(w);
    const struct plane_source ps = {.plane = plane, .symbol_idx = 1};
    const struct graph_source seen = plane_source_of(&ps);
    double *days = plane_place(w, 0), out[ROWS];

    for (uint32_t t = 0; t < 6; t++)
        days[t] = 1000 * t;
    plane_publish(w, 0, 0);
    eval("sma(close,2)@1d", &seen, out);
    for (uint32_t t = 0; t < ROWS; t++) {
        int32_t row = (int32_t)((6 + 2 * t) / 24) - 1;
        cr_assert(row < 0 ? isnan(out[t]) : out[t] == 1000 * row, "%u", t);
    }
    const struct graph_clock clocks[] = {{NULL, own}, {NULL, day}, {"R", own},    {"R", day},
                                         {"B", own},  {"X", own},  {"R", hours_4}};
    static const int64_t idx[] = {1, 3, 2, 5, 1, -1, -1};
    for (size_t i = 0; i < COUNT_OF(idx); i++)
        cr_assert(plane_clock_of(plane, 1, &clocks[i]) == idx[i], "%zu", i);
    plane_close(plane);
    plane_writer_destroy(w);
}
