/* SPDX-License-Identifier: MIT */
/* Gross and net exposure over the bars of a run. */
#include "worker/monitor/exposure.h"

#include <math.h>

void exposure_init(struct exposure *x, const struct market *m, const struct account *a,
                   const double *equity)
{
    *x = (struct exposure){.market = m, .account = a, .equity = equity};
}

bool exposure_wants_bars(const struct exposure *x)
{
    return x->account->symbols_n > 1;
}

/* ---- one symbol ----------------------------------------------------------------------------- */

static inline double px_by_equity(double px, double equity)
{
    return equity > 0 ? px / equity : 0;
}

/* Sums price / equity over the bars from .. to - 1, lane by bar; returns the largest. */
static double sum_bars(const double *close, const double *equity, uint32_t from, uint32_t to,
                       struct lanes *sum)
{
    struct lanes most = {{0}};
    uint32_t i = from;

    for (; i < to && i % LANES_N; i++) {
        double value = px_by_equity(close[i], equity[i]);
        sum->lane[i % LANES_N] += value;
        most.lane[0] = fmax(most.lane[0], value);
    }
    for (; i + LANES_N <= to; i += LANES_N)
        for (uint32_t j = 0; j < LANES_N; j++) {
            double value = px_by_equity(close[i + j], equity[i + j]);
            sum->lane[j] += value;
            most.lane[j] = value > most.lane[j] ? value : most.lane[j];
        }
    for (uint32_t j = 0; i + j < to; j++) {
        double value = px_by_equity(close[i + j], equity[i + j]);
        sum->lane[j] += value;
        most.lane[0] = fmax(most.lane[0], value);
    }
    for (uint32_t j = 1; j < LANES_N; j++)
        most.lane[0] = fmax(most.lane[0], most.lane[j]);
    return most.lane[0];
}

static void sum_until(struct exposure *x, uint32_t bar)
{
    if (bar <= x->from)
        return;
    if (x->qty != 0.0) {
        const double *close = x->market->symbol[0]->bars.close + x->market->first_step;
        double size = fabs(x->qty);
        struct lanes sum = {{0}};
        double most = sum_bars(close, x->equity, x->from, bar, &sum);
        for (uint32_t j = 0; j < LANES_N; j++) {
            x->gross.lane[j] += size * sum.lane[j];
            x->net.lane[j] += x->qty * sum.lane[j];
        }
        x->gross_max = fmax(x->gross_max, size * most);
        x->held_bars_n += bar - x->from;
    }
    x->from = bar;
}

/* ---- several symbols ------------------------------------------------------------------------ */

static void settle(struct exposure *x)
{
    if (!x->is_pending)
        return;
    x->gross.lane[x->pending_bar % LANES_N] += x->pending_gross;
    x->net.lane[x->pending_bar % LANES_N] += x->pending_net;
    x->gross_max = fmax(x->gross_max, x->pending_gross);
    x->held_bars_n++;
    x->is_pending = false;
}

void exposure_bar(struct exposure *x, uint32_t bar)
{
    const struct account *a = x->account;
    double gross = 0.0, net = 0.0;
    if (bar != x->pending_bar)
        settle(x);
    x->is_pending = a->open_n > 0;
    x->pending_bar = bar;
    if (!x->is_pending)
        return;
    for (uint32_t s = 0; s < a->symbols_n; s++) {
        double value = a->pos[s].qty * a->mark_px[s];
        gross += fabs(value);
        net += value;
    }
    x->pending_gross = px_by_equity(gross, a->equity);
    x->pending_net = px_by_equity(net, a->equity);
}

/* ---- both ----------------------------------------------------------------------------------- */

void exposure_fill(struct exposure *x, uint32_t bar)
{
    if (exposure_wants_bars(x))
        return;
    sum_until(x, bar);
    x->qty = x->account->pos[0].qty;
}

void exposure_end(struct exposure *x, uint32_t bars_n)
{
    if (exposure_wants_bars(x))
        settle(x);
    else
        sum_until(x, bars_n);
}
