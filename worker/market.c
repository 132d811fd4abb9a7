/* SPDX-License-Identifier: MIT */
/* What one account trades, on its own clock. */
#include "worker/market.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "proto/units.h"
#include "worker/metrics/metrics.h"

/* Last step of each UTC day of the range, counted from first_step. */
static int market_days(struct market *m)
{
    uint32_t n = m->steps_n - m->first_step;
    uint32_t *day_end = malloc((n ? n : 1) * sizeof *day_end);
    if (!day_end)
        return -ENOMEM;
    const int64_t *t = m->time_ns + m->first_step;
    uint32_t days = 0;
    for (uint32_t i = 0; i < n; i++)
        if (i + 1 == n || time_day(t[i + 1]) != time_day(t[i]))
            day_end[days++] = i;
    m->owned[0] = day_end;
    m->day_end = day_end;
    m->days_n = days;
    return 0;
}

/* The first symbol's close at each step, the last known one where it has no bar. */
static int market_benchmark(struct market *m)
{
    const struct plane_view *v = m->symbol[0];
    if (m->symbols_n == 1 || !v->row_of_step) {
        m->benchmark = v->bars.close;
        return 0;
    }
    double *b = malloc((m->steps_n ? m->steps_n : 1) * sizeof *b);
    if (!b)
        return -ENOMEM;
    double last = NAN;
    for (uint32_t t = 0; t < m->steps_n; t++) {
        int32_t row = plane_row(v, t);
        if (row >= 0)
            last = v->bars.close[row];
        b[t] = last;
    }
    m->owned[1] = b;
    m->benchmark = b;
    return 0;
}

static int market_benchmark_returns(struct market *m)
{
    double *r = malloc((m->days_n ? m->days_n : 1) * sizeof *r);
    if (!r)
        return -ENOMEM;
    metrics_benchmark_returns(m->benchmark + m->first_step, m->day_end, m->days_n, r);
    m->owned[4] = r;
    m->benchmark_return = r;
    return 0;
}

static int market_extremes(struct market *m)
{
    struct extremes *e = calloc(m->symbols_n, sizeof *e);
    if (!e)
        return -ENOMEM;
    m->owned[5] = e;
    m->extremes = e;
    for (uint32_t s = 0; s < m->symbols_n; s++) {
        int r = extremes_init(&e[s], &m->symbol[s]->bars);
        if (r < 0)
            return r;
    }
    return 0;
}

/* The column of cash dividends of each symbol that has one. */
static int market_dividends(struct market *m)
{
    const double **dividend = calloc(m->symbols_n, sizeof(const double *));
    if (!dividend)
        return -ENOMEM;
    bool any = false;
    for (uint32_t s = 0; m->plane->header && s < m->symbols_n; s++) {
        dividend[s] = plane_f64(m->plane, m->symbol_idx[s], COLUMN_CASH_DIVIDEND, NULL);
        any |= dividend[s] != NULL;
    }
    m->owned[6] = dividend;
    m->dividend = any ? dividend : NULL;
    return 0;
}

static int market_symbols(struct market *m, uint32_t symbol_idx)
{
    bool all = symbol_idx == COMBO_ALL_SYMBOLS;
    m->symbols_n = all ? m->plane->traded_n : 1;
    m->symbol = calloc(m->symbols_n, sizeof(struct plane_view *));
    m->owned[2] = m->symbol;
    m->symbol_idx = calloc(m->symbols_n, sizeof *m->symbol_idx);
    m->owned[3] = m->symbol_idx;
    if (!m->symbol || !m->symbol_idx)
        return -ENOMEM;
    for (uint32_t s = 0; s < m->symbols_n; s++) {
        m->symbol_idx[s] = all ? s : symbol_idx;
        m->symbol[s] = &m->plane->symbol[m->symbol_idx[s]];
        m->bars_n += m->symbol[s]->bars.rows_n - m->symbol[s]->first_row;
    }
    return 0;
}

int market_create(const struct plane *plane, uint32_t symbol_idx, struct market **ret_market)
{
    struct market *m = calloc(1, sizeof *m);
    if (!m)
        return -ENOMEM;
    m->plane = plane;
    int r = market_symbols(m, symbol_idx);
    if (r == 0) {
        bool single = m->symbols_n == 1;
        m->steps_n = single ? m->symbol[0]->bars.rows_n : plane->steps_n;
        m->first_step = single ? m->symbol[0]->first_row : plane->first_step;
        m->time_ns = single ? m->symbol[0]->bars.time_ns : plane->clock_ns;
        r = market_days(m);
    }
    if (r == 0)
        r = market_benchmark(m);
    if (r == 0)
        r = market_benchmark_returns(m);
    if (r == 0)
        r = market_extremes(m);
    if (r == 0)
        r = market_dividends(m);
    if (r < 0) {
        market_destroy(m);
        return r;
    }
    *ret_market = m;
    return 0;
}

int32_t market_last_row(const struct market *m, uint32_t s, uint32_t step)
{
    for (uint32_t t = step + 1; t > m->first_step; t--) {
        int32_t row = market_row(m, s, t - 1);
        if (row >= 0)
            return row;
    }
    return -1;
}

uint32_t market_step_from(const struct market *m, uint32_t plane_step)
{
    if (m->time_ns == m->plane->clock_ns || plane_step >= m->plane->steps_n)
        return plane_step < m->steps_n ? plane_step : m->steps_n;
    return time_lower_bound(m->time_ns, m->steps_n, m->plane->clock_ns[plane_step]);
}

uint32_t market_plane_step(const struct market *m, uint32_t step)
{
    if (m->time_ns == m->plane->clock_ns)
        return step;
    return time_lower_bound(m->plane->clock_ns, m->plane->steps_n, m->time_ns[step]);
}

void market_destroy(struct market *m)
{
    if (!m)
        return;
    struct extremes *extremes = m->owned[5];
    for (uint32_t s = 0; extremes && s < m->symbols_n; s++)
        extremes_fini(&extremes[s]);
    for (unsigned i = 0; i < sizeof m->owned / sizeof m->owned[0]; i++)
        free(m->owned[i]);
    free(m);
}
