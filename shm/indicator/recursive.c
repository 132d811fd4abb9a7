/* SPDX-License-Identifier: MIT */
/* Indicators that make each row from the one before. All seed as TA-Lib does: with the plain
 * average of the first n values. A row whose input is not finite is NaN and starts the seeding anew
 * behind it. */
#include <math.h>
#include <stdbool.h>

#include "shm/indicator/kernel.h"

/* An exponential average that is fed one value at a time. */
struct ema {
    double n;
    double alpha;
    double value; /* while seeding: the sum */
    double seen;  /* values so far */
};

static struct ema ema_start(double n)
{
    return (struct ema){.n = n, .alpha = 2.0 / (n + 1.0)};
}

/* The average with x in it, NaN while it has fewer than n values. */
static double ema_step(struct ema *e, double x)
{
    if (e->seen >= e->n)
        return e->value += e->alpha * (x - e->value);
    e->value += x;
    if (++e->seen < e->n)
        return NAN;
    return e->value /= e->n;
}

/* alpha 2 / (n + 1). */
int kernel_ema(const struct indicator_call *call)
{
    const double *x = call->input[0];
    struct ema e = ema_start(call->param[0]);
    for (uint32_t t = 0; t < call->rows_n; t++) {
        if (isfinite(x[t])) {
            call->out[t] = ema_step(&e, x[t]);
        } else {
            call->out[t] = NAN;
            e = ema_start(call->param[0]);
        }
    }
    return 0;
}

struct macd {
    struct ema fast, slow, signal;
    double
        skip; /* values that the fast average waits for, so that both have their first in one row */
};

static struct macd macd_start(const double *param)
{
    double fast = param[0] < param[1] ? param[0] : param[1];
    double slow = param[0] < param[1] ? param[1] : param[0];
    return (struct macd){
        .fast = ema_start(fast),
        .slow = ema_start(slow),
        .signal = ema_start(param[2]),
        .skip = slow - fast,
    };
}

static double macd_step(struct macd *m, double x, uint32_t output)
{
    double slow = ema_step(&m->slow, x);
    double fast = m->skip > 0.0 ? NAN : ema_step(&m->fast, x);
    if (m->skip > 0.0)
        m->skip--;
    if (isnan(slow))
        return NAN;
    double line = fast - slow;
    double signal = ema_step(&m->signal, line);
    if (isnan(signal))
        return NAN;
    return output == 0 ? line : output == 1 ? signal : line - signal;
}

/* Outputs macd, signal, hist; all three begin in one row, slow + signal - 2. Periods in the wrong
 * order are swapped, as TA-Lib does. */
int kernel_macd(const struct indicator_call *call)
{
    const double *x = call->input[0];
    struct macd m = macd_start(call->param);
    for (uint32_t t = 0; t < call->rows_n; t++) {
        if (isfinite(x[t])) {
            call->out[t] = macd_step(&m, x[t], call->output);
        } else {
            call->out[t] = NAN;
            m = macd_start(call->param);
        }
    }
    return 0;
}

/* Wilder's average: the plain one of the first n, then ((n - 1) * before + x) / n. */
struct wilder {
    double n;
    double value;
    double seen;
};

static double wilder_step(struct wilder *w, double x)
{
    if (w->seen >= w->n)
        return w->value = (w->value * (w->n - 1.0) + x) / w->n;
    w->value += x;
    if (++w->seen < w->n)
        return NAN;
    return w->value /= w->n;
}

/* TA-Lib takes what is smaller than this for no movement at all. */
#define RSI_NO_MOVEMENT 1e-14

static double rsi_of(double gain, double loss)
{
    double both = gain + loss;
    return both < RSI_NO_MOVEMENT ? 0.0 : 100.0 * (gain / both);
}

/* 100 * gains / (gains + losses), both smoothed by Wilder; 0 where nothing moved. First at row n.
 */
int kernel_rsi(const struct indicator_call *call)
{
    const double *x = call->input[0];
    struct wilder fresh = {.n = call->param[0]}, gain = fresh, loss = fresh;
    double before = NAN;
    for (uint32_t t = 0; t < call->rows_n; t++) {
        double change = x[t] - before;
        call->out[t] = NAN;
        if (isfinite(change)) {
            double mean_gain = wilder_step(&gain, change > 0.0 ? change : 0.0);
            double mean_loss = wilder_step(&loss, change < 0.0 ? -change : 0.0);
            if (!isnan(mean_gain))
                call->out[t] = rsi_of(mean_gain, mean_loss);
        } else {
            gain = loss = fresh;
        }
        before = isfinite(x[t]) ? x[t] : NAN;
    }
    return 0;
}

/* Wilder's average of the true range, first at row n: row 0 has none. */
int kernel_atr(const struct indicator_call *call)
{
    const double *high = call->input[0], *low = call->input[1], *close = call->input[2];
    struct wilder fresh = {.n = call->param[0]}, mean = fresh;
    double before = NAN;
    for (uint32_t t = 0; t < call->rows_n; t++) {
        double range = true_range(high[t], low[t], before);
        call->out[t] = NAN;
        if (isfinite(high[t] + low[t] + before))
            call->out[t] = wilder_step(&mean, range);
        else
            mean = fresh;
        before = isfinite(high[t] + low[t] + close[t]) ? close[t] : NAN;
    }
    return 0;
}

/* Outputs above and below: 1 where the first comes to lie above (below) the second, having lain
 * below (above) it when they last differed; ties change nothing. A NaN in either makes a NaN and
 * forgets the side. */
int kernel_cross(const struct indicator_call *call)
{
    const double *a = call->input[0], *b = call->input[1];
    double wanted = call->output == 0 ? 1.0 : -1.0;
    double side = 0.0; /* of a, when they last differed; 0: not known */
    for (uint32_t t = 0; t < call->rows_n; t++) {
        double now = a[t] > b[t] ? 1.0 : a[t] < b[t] ? -1.0 : 0.0;
        bool is_defined = !isnan(a[t]) && !isnan(b[t]);
        call->out[t] = is_defined ? now == wanted && side == -wanted : NAN;
        if (now != 0.0 || !is_defined)
            side = now;
    }
    return 0;
}
