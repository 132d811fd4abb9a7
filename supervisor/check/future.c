/* SPDX-License-Identifier: MIT */
#include "supervisor/check/future.h"

#include <stdlib.h>
#include <string.h>

#include "proto/units.h"

/* ---- random numbers ------------------------------------------------------------------------- */

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t check_random_below(uint64_t *state, uint64_t n)
{
    uint64_t most = UINT64_MAX - UINT64_MAX % n,
             drawn; /* a multiple of n: no number comes oftener */
    do
        drawn = next_random(state);
    while (drawn >= most);
    return drawn % n;
}

/* ---- ranges --------------------------------------------------------------------------------- */

static double mirrored(double value, double pivot)
{
    return pivot > 0 && value > 0 ? pivot * (pivot / value) : value;
}

/* Prices from row `from` on are mirrored at its open, on a scale of ratios: rises become falls of
 * the same ratio, highs lows. Volumes are mirrored at that of the row before. */
static void mirror(struct bars *bars, uint32_t from, bool keeps_cut_volume, double *out)
{
    size_t n = bars->rows_n;
    double pivot = bars->open[from], busy = from > 0 ? bars->volume[from - 1] : 0;
    const double *columns[] = {bars->open, bars->high, bars->low, bars->close, bars->volume};
    double *open = out, *high = out + n, *low = out + 2 * n, *close = out + 3 * n,
           *volume = out + 4 * n;
    for (unsigned i = 0; i < 5; i++)
        memcpy(out + i * n, columns[i], n * sizeof *out);
    for (size_t row = from; row < n; row++) {
        open[row] = mirrored(bars->open[row], pivot);
        high[row] = mirrored(bars->low[row], pivot);
        low[row] = mirrored(bars->high[row], pivot);
        close[row] = mirrored(bars->close[row], pivot);
        if (row > from || !keeps_cut_volume)
            volume[row] = mirrored(bars->volume[row], busy);
    }
    bars->open = open;
    bars->high = high;
    bars->low = low;
    bars->close = close;
    bars->volume = volume;
}

int future_make(const struct future_plan *plan, struct future *ret_future, struct err *err)
{
    struct future f = {.range = *plan->of};
    bool is_altered = plan->kind == CHECK_ALTERED;
    size_t rows_n = 0;
    memset(f.range.bars, 0, sizeof f.range.bars); /* they stay with `of`, and the columns too */
    f.range.extra = NULL;
    for (uint32_t s = 0; s < f.range.all_n; s++)
        rows_n += f.range.cut[s].rows_n;
    if (is_altered)
        f.prices = calloc(5 * rows_n + 1, sizeof *f.prices);
    if (is_altered && !f.prices)
        return err_set(err, ERR_SYSTEM, "out of memory for bars");
    double *at = f.prices;
    for (uint32_t s = 0; s < f.range.all_n; s++) {
        struct bars *bars = &f.range.cut[s];
        uint32_t from = time_lower_bound(bars->time_ns, bars->rows_n, plan->time_ns);
        if (plan->kind == CHECK_MISSING)
            bars->rows_n = from;
        if (is_altered && from < bars->rows_n)
            mirror(bars, from, plan->keeps_cut_volume, at);
        at += is_altered ? 5 * (size_t)bars->rows_n : 0;
    }
    *ret_future = f;
    return 0;
}

void future_fini(struct future *future)
{
    free(future->prices);
    *future = (struct future){0};
}

/* ---- cuts ----------------------------------------------------------------------------------- */

/* Steps first to steps_n - 1 can be cut at; a bit each says whether one is. */
struct chooser {
    const struct cut_plan *plan;
    uint32_t first, room_n;
    uint64_t random;
    uint8_t *is_taken; /* [steps_n] */
};

static uint32_t step_of(const struct cut_plan *plan, int64_t time_ns)
{
    return time_lower_bound(plan->clock_ns, plan->steps_n, time_ns);
}

/* The bar after the last first bar of any symbol. */
static uint32_t first_cut(const struct cut_plan *plan)
{
    uint32_t first = 1;
    for (uint32_t s = 0; s < plan->range->symbols_n; s++) {
        uint32_t row = plan->range->warm_up_rows[s];
        uint32_t step = step_of(plan, plan->range->cut[s].time_ns[row]) + 1;
        first = step > first ? step : first;
    }
    return first;
}

static uint32_t wish(struct chooser *c, uint32_t i)
{
    const struct cut_plan *plan = c->plan;
    uint32_t thirds_n = (plan->cuts_n + 2) / 3;
    if (i % 3 == 0)
        return c->first + (uint32_t)((uint64_t)c->room_n * (i / 3 + 1) / (thirds_n + 1));
    if (i % 3 == 1 && plan->fills_n > 0) {
        int64_t time_ns = plan->fill_ns[check_random_below(&c->random, plan->fills_n)];
        return step_of(plan, time_ns) + (uint32_t)check_random_below(&c->random, 2);
    }
    return c->first + (uint32_t)check_random_below(&c->random, c->room_n);
}

/* The nearest free step from the one that is wished, going round. */
static void take(struct chooser *c, uint32_t step)
{
    if (step < c->first || step >= c->plan->steps_n)
        step = c->first;
    while (c->is_taken[step])
        step = step + 1 < c->plan->steps_n ? step + 1 : c->first;
    c->is_taken[step] = 1;
}

int cuts_choose(const struct cut_plan *plan, struct check_cut *ret_cuts, uint32_t *ret_n,
                struct err *err)
{
    struct chooser c = {.plan = plan, .first = first_cut(plan), .random = plan->seed};
    if (c.first >= plan->steps_n)
        return err_set(err, ERR_CONFIG,
                       "the range has no room for a cut: it has %u bar%s, and a cut needs a bar of "
                       "every symbol before it and one behind",
                       plan->steps_n, plan->steps_n == 1 ? "" : "s");
    c.room_n = plan->steps_n - c.first;
    c.is_taken = calloc(plan->steps_n, 1);
    if (!c.is_taken)
        return err_set(err, ERR_SYSTEM, "out of memory for cuts");
    uint32_t n = plan->cuts_n < c.room_n ? plan->cuts_n : c.room_n, at = 0;
    for (uint32_t i = 0; i < n; i++)
        take(&c, wish(&c, i));
    for (uint32_t step = c.first; step < plan->steps_n; step++)
        if (c.is_taken[step])
            ret_cuts[at++] = (struct check_cut){step, plan->clock_ns[step]};
    free(c.is_taken);
    *ret_n = n;
    return 0;
}
