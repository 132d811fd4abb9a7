/* SPDX-License-Identifier: MIT */
#include "shm/resample.h"

/* The first row behind the period that `row` lies in. */
static uint32_t period_end(const struct bars *bars, struct timeframe timeframe, uint32_t row)
{
    int64_t period = timeframe_period(timeframe, bars->time_ns[row]);
    do
        row++;
    while (row < bars->rows_n && timeframe_period(timeframe, bars->time_ns[row]) == period);
    return row;
}

uint32_t resample_rows(const struct bars *bars, struct timeframe timeframe)
{
    uint32_t n = 0;
    for (uint32_t row = 0; row < bars->rows_n; n++)
        row = period_end(bars, timeframe, row);
    return n;
}

static void gather(const struct bars *bars, uint32_t first, uint32_t end,
                   const struct resampled *out, uint32_t to)
{
    double high = bars->high[first], low = bars->low[first], volume = 0.0;
    for (uint32_t row = first; row < end; row++) {
        high = bars->high[row] > high ? bars->high[row] : high;
        low = bars->low[row] < low ? bars->low[row] : low;
        volume += bars->volume[row];
    }
    out->time_ns[to] = bars->time_ns[first];
    out->open[to] = bars->open[first];
    out->high[to] = high;
    out->low[to] = low;
    out->close[to] = bars->close[end - 1];
    out->volume[to] = volume;
    for (uint32_t i = 0; i < bars->extra_n; i++)
        out->extra[i][to] = bars->extra[i][end - 1];
}

void resample(const struct bars *bars, struct timeframe timeframe, const struct resampled *out)
{
    for (uint32_t row = 0, to = 0; row < bars->rows_n; to++) {
        uint32_t end = period_end(bars, timeframe, row);
        gather(bars, row, end, out, to);
        row = end;
    }
}

/* ---- alignment ------------------------------------------------------------------------------ */

#define DISTANCES_N 8 /* of bars, from which the length of the last is told */

/* How long bars are, as far as one can know at a row. */
struct lengths {
    int64_t own_ns;   /* of those that look; 0: not known yet */
    int64_t other_ns; /* of the last one that has begun; INT64_MAX: not known yet */
    uint32_t begun;   /* bars of the other */
};

static int64_t shortest_distance(const int64_t *time_ns, uint32_t begun)
{
    int64_t least = INT64_MAX;
    for (uint32_t i = begun; i-- > 1 && begun - i <= DISTANCES_N;)
        least = time_ns[i] - time_ns[i - 1] < least ? time_ns[i] - time_ns[i - 1] : least;
    return least;
}

static void measure(struct lengths *l, const struct align_to *to, const int64_t *own_time_ns,
                    uint32_t t)
{
    uint32_t before = l->begun;
    if (t > 0) {
        int64_t distance = own_time_ns[t] - own_time_ns[t - 1];
        l->own_ns = l->own_ns == 0 || distance < l->own_ns ? distance : l->own_ns;
    }
    while (l->begun < to->bars_n && to->bars_time_ns[l->begun] <= own_time_ns[t])
        l->begun++;
    if (l->begun != before)
        l->other_ns = shortest_distance(to->bars_time_ns, l->begun);
}

static bool may_be_longer(const struct lengths *l)
{
    return l->own_ns == 0 || l->other_ns == INT64_MAX || l->other_ns - l->own_ns > l->own_ns / 2;
}

void align_rows(const int64_t *own_time_ns, uint32_t own_rows_n, const struct align_to *to,
                int32_t *ret_row_of)
{
    bool is_own = to->timeframe.unit == TIMEFRAME_OWN;
    struct lengths lengths = {.other_ns = INT64_MAX};
    uint32_t begun = 0, ended = 0; /* rows of `to` that have begun, and whose periods are over */
    for (uint32_t t = 0; t < own_rows_n; t++) {
        int64_t period = timeframe_period(to->timeframe, own_time_ns[t]);
        if (to->bars_time_ns)
            measure(&lengths, to, own_time_ns, t);
        while (begun < to->rows_n && to->time_ns[begun] <= own_time_ns[t])
            begun++;
        while (!is_own && ended < begun &&
               timeframe_period(to->timeframe, to->time_ns[ended]) < period)
            ended++;
        bool waits = to->bars_time_ns && may_be_longer(&lengths);
        int32_t finished = (int32_t)begun - 1 - (waits ? 1 : 0);
        if (!is_own && (int32_t)ended - 1 < finished)
            finished = (int32_t)ended - 1;
        ret_row_of[t] = finished < -1 ? -1 : finished;
    }
}
