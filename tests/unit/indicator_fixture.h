/* SPDX-License-Identifier: MIT */
/* For tests: hostile bars, and any row of the table computed over them. */
#pragma once

#include <float.h>
#include <math.h>
#include <stdio.h>

#include "shm/indicator/stream.h"
#include "tests/unit/frame.h"
#include "tests/unit/indicator_twin.h"

/* ---- bars ----------------------------------------------------------------------------------- */

static inline double random_frac(void)
{
    static uint32_t state = 7;
    state = state * 1664525u + 1013904223u;
    return (double)(state >> 8) / (double)(1u << 24);
}

static inline void walk(struct bars *b, double level, double step)
{
    double close = level;
    for (uint32_t t = 0; t < ROWS_MAX; t++) {
        b->open[t] = close;
        close += (random_frac() - 0.5) * step;
        b->close[t] = close;
        b->high[t] = fmax(close, b->open[t]) + random_frac() * step;
        b->low[t] = fmin(close, b->open[t]) - random_frac() * step;
        b->volume[t] = floor(random_frac() * 1e5);
        b->time_ns[t] = INT64_C(1600000000000000000) + t * INT64_C(3600000000000);
    }
}

/* Whole bars of one value. */
static inline void plant(struct bars *b, double what, uint32_t every)
{
    for (uint32_t t = every; t < ROWS_MAX; t += every)
        b->open[t] = b->close[t] = b->high[t] = b->low[t] = b->volume[t] = what;
}

static inline void lead(struct bars *b, uint32_t rows_n)
{
    for (uint32_t t = 0; t < rows_n; t++)
        b->open[t] = b->close[t] = b->high[t] = b->low[t] = b->volume[t] = NAN;
}

/* NaNs that strike each column in other rows. */
static inline void drill(struct bars *b)
{
    double *columns[] = {b->open, b->high, b->low, b->close, b->volume};
    for (uint32_t i = 0; i < 5; i++) {
        for (uint32_t t = 60 + 23 * i; t < ROWS_MAX; t += 131)
            columns[i][t] = NAN;
    }
}

/* Bars of one price in a row, with and without volume. */
static inline void rest(struct bars *b)
{
    for (uint32_t t = 300; t < 500; t++) {
        b->open[t] = b->high[t] = b->low[t] = b->close[t] = b->close[300];
        b->volume[t] = t < 400 ? b->volume[t] : 0;
    }
    for (uint32_t t = 0; t < 40; t++)
        b->volume[t] = 0;
}

enum {
    INPUT_WALK,
    INPUT_HUGE,
    INPUT_TINY,
    INPUT_CONSTANT,
    INPUT_NAN,
    INPUT_HOLES,
    INPUT_LEAD,
    INPUT_INF,
    INPUT_SPIKE,
    INPUT_REST,
    INPUT_ZERO,
    INPUTS_N
};

static const struct input {
    const char *name;
    double level, step;
} inputs[INPUTS_N] = {
    {"walk", 100, 0.5},  {"1e9", 1e9, 0.5},   {"1e-5", 1e-5, 1e-8}, {"constant", 0.1, 0},
    {"NaN", 100, 0.5},   {"holes", 100, 0.5}, {"lead", 100, 0.5},   {"infinity", 100, 0.5},
    {"spike", 100, 0.5}, {"rest", 100, 0.5},  {"zero", 0, 0},
};

static inline void make_input(int what, struct bars *b)
{
    walk(b, inputs[what].level, inputs[what].step);
    if (what == INPUT_NAN)
        plant(b, NAN, 97);
    if (what == INPUT_HOLES)
        drill(b);
    if (what == INPUT_LEAD)
        lead(b, 45);
    if (what == INPUT_INF)
        plant(b, INFINITY, 131);
    if (what == INPUT_SPIKE)
        plant(b, 1e12, 101);
    if (what == INPUT_REST)
        rest(b);
    if (what == INPUT_ZERO)
        memset(b->volume, 0, sizeof(b->volume));
}

/* ---- rows of the table ---------------------------------------------------------------------- */

static inline bool has_kernel(const struct indicator *row)
{
    return row->advance != NULL;
}

/* Sets of parameters: the least ones, the twin's, longer than the data. */
#define PARAM_SETS_N 4

/* False where there is no such set. */
static inline bool param_set(const struct indicator *row, const struct twin *twin, int set,
                             double *params)
{
    bool has_period = false;
    for (unsigned i = 0; i < row->params_n; i++) {
        const struct indicator_param *p = &row->params[i];
        bool is_period = p->is_whole && !p->choices;
        params[i] = twin->params[set == 2 ? 1 : 0][i];
        if (set == 0)
            params[i] = p->minimum > -1e30 ? p->minimum : params[i];
        if (set == 3 && is_period)
            params[i] = 1e6 + i;
        has_period = has_period || is_period;
    }
    if (set == 2)
        return row->params_n > 0 && twin->params[1][0] != 0;
    return set < 3 || has_period;
}

static inline void frame_add_bars(struct frame *f, const struct bars *b)
{
    frame_add(f, "open", b->open);
    frame_add(f, "high", b->high);
    frame_add(f, "low", b->low);
    frame_add(f, "close", b->close);
    frame_add(f, "volume", b->volume);
}

static inline const char *call_text(const struct indicator *row, const double *params,
                                    unsigned output)
{
    static char text[256];
    static const char *const series[] = {"", "close", "close,high", "close,high,low"};
    size_t n = (size_t)snprintf(text, sizeof(text), "%s(%s", row->name, series[row->series_args_n]);
    for (unsigned i = 0; i < row->params_n; i++) {
        const struct indicator_param *p = &row->params[i];
        const char *comma = i || row->series_args_n ? "," : "";
        if (p->choices)
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", comma,
                                  p->choices[(int)params[i]]);
        else
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%.17g", comma, params[i]);
    }
    n += (size_t)snprintf(text + n, sizeof(text) - n, ")");
    if (row->outputs_n > 1)
        snprintf(text + n, sizeof(text) - n, ".%s", row->outputs[output]);
    return text;
}

/* The series that a call takes, over rows_n rows; they are freed with the frame. */
static inline void find_inputs(const struct indicator *row, struct frame *f,
                               const double **ret_input)
{
    static const char *const series[] = {"close", "high", "low"};
    double *computed = malloc((f->rows_n + 1) * sizeof(*computed));
    char implied[128];
    uint32_t first;
    unsigned n = 0;
    for (; n < row->series_args_n; n++)
        ret_input[n] = frame_lookup(f, series[n], &first);
    snprintf(implied, sizeof(implied), "%s", row->implied ? row->implied : "");
    char *at, *text = strtok_r(implied, " ", &at);
    for (; text; text = strtok_r(NULL, " ", &at), n++) {
        if (!frame_lookup(f, text, &first)) {
            (void)frame_eval(f, text, computed);
            if (!frame_lookup(f, text, &first))
                frame_add(f, text, computed);
        }
        ret_input[n] = frame_lookup(f, text, &first);
    }
    free(computed);
}

/* Output of a row of the table over the first rows_n bars: from its kernel, or from what it is made
 * of. */
static inline void evaluate(const struct indicator *row, const double *params, unsigned output,
                            const struct bars *bars, uint32_t rows_n, double *out)
{
    struct frame f = {.rows_n = rows_n};
    frame_add_bars(&f, bars);
    if (has_kernel(row)) {
        const double *input[INDICATOR_INPUTS_MAX];
        double *outs[INDICATOR_OUTPUTS_MAX] = {0};
        struct indicator_stream *stream;
        find_inputs(row, &f, input);
        outs[output] = out;
        cr_assert_eq(indicator_stream_create(row, params, &stream), 0, "%s", row->name);
        cr_assert_eq(indicator_stream_run(stream, input, bars->time_ns, rows_n, outs), 0);
        indicator_stream_destroy(stream);
    } else {
        (void)frame_eval(&f, call_text(row, params, output), out);
    }
    frame_fini(&f);
}

static inline bool is_same(double a, double b)
{
    return memcmp(&a, &b, sizeof(a)) == 0 || (isnan(a) && isnan(b));
}
