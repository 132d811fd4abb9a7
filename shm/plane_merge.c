/* SPDX-License-Identifier: MIT */
/* The merged clock: every time at which a traded symbol has a bar. */
#include "proto/spec.h"
#include "shm/plane_internal.h"

static_assert(SPEC_SYMBOLS_MAX <= UINT16_MAX, "symbols fit the merge's heap");

/* A walk over all symbols' times at once: a binary heap of the symbols by their next time. */
struct merge {
    const struct plane_plan *plan;
    uint32_t row[SPEC_SYMBOLS_MAX]; /* next row of each symbol */
    uint16_t heap[SPEC_SYMBOLS_MAX];
    uint32_t heap_n;
    uint16_t hit[SPEC_SYMBOLS_MAX]; /* symbols that have a bar at the step just taken */
    uint32_t hits_n;
};

static int64_t next_time(const struct merge *m, uint32_t heap_idx)
{
    uint16_t symbol = m->heap[heap_idx];
    return m->plan->bars[symbol].time_ns[m->row[symbol]];
}

static void sift_down(struct merge *m, uint32_t at)
{
    for (;;) {
        uint32_t least = at;
        for (uint32_t child = 2 * at + 1; child <= 2 * at + 2 && child < m->heap_n; child++) {
            if (next_time(m, child) < next_time(m, least))
                least = child;
        }
        if (least == at)
            return;
        uint16_t symbol = m->heap[at];
        m->heap[at] = m->heap[least];
        m->heap[least] = symbol;
        at = least;
    }
}

static void merge_init(struct merge *m, const struct plane_plan *plan)
{
    *m = (struct merge){.plan = plan};
    for (uint32_t i = 0; i < plan->traded_n; i++) {
        if (plan->bars[i].rows_n > 0)
            m->heap[m->heap_n++] = (uint16_t)i;
    }
    for (uint32_t i = m->heap_n / 2; i-- > 0;)
        sift_down(m, i);
}

/* Takes the next step; false when there is none. Rows of the symbols that it hits are row[] - 1. */
static bool merge_next(struct merge *m, int64_t *ret_time)
{
    if (m->heap_n == 0)
        return false;

    int64_t time = next_time(m, 0);
    m->hits_n = 0;
    while (m->heap_n > 0 && next_time(m, 0) == time) {
        uint16_t symbol = m->heap[0];
        m->hit[m->hits_n++] = symbol;
        if (++m->row[symbol] == m->plan->bars[symbol].rows_n)
            m->heap[0] = m->heap[--m->heap_n];
        sift_down(m, 0);
    }
    *ret_time = time;
    return true;
}

/* The earliest time of any symbol's first row of the range; INT64_MAX if no symbol has one. */
static int64_t range_start(const struct plane_plan *plan)
{
    int64_t start = INT64_MAX;
    for (uint32_t i = 0; i < plan->traded_n; i++) {
        const struct bars *bars = &plan->bars[i];
        if (plan->first_row[i] < bars->rows_n && bars->time_ns[plan->first_row[i]] < start)
            start = bars->time_ns[plan->first_row[i]];
    }
    return start;
}

void plane_merge_count(const struct plane_plan *plan, uint32_t *ret_steps_n,
                       uint32_t *ret_first_step)
{
    struct merge merge;
    int64_t time, start = range_start(plan);
    uint32_t steps_n = 0, first_step = 0;

    merge_init(&merge, plan);
    while (merge_next(&merge, &time)) {
        first_step += time < start;
        steps_n++;
    }
    *ret_steps_n = steps_n;
    *ret_first_step = first_step;
}

void plane_merge_fill(const struct plane_plan *plan, int64_t *clock, int32_t *const *row_of_step)
{
    struct merge merge;

    merge_init(&merge, plan);
    for (uint32_t step = 0; merge_next(&merge, &clock[step]); step++) {
        for (uint32_t k = 0; k < merge.hits_n; k++) {
            uint16_t symbol = merge.hit[k];
            if (row_of_step[symbol])
                row_of_step[symbol][step] = (int32_t)merge.row[symbol] - 1;
        }
    }
}
