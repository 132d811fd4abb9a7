/* SPDX-License-Identifier: MIT */
#include "turns.h"

#include <assert.h>
#include <stdbool.h>

#include "bars.h"

#define SHORT_TURN_NS 4e7

static void keep_times(struct entrant *e, double *ns, uint32_t n)
{
    bench_sort(ns, n);
    e->median = ns[n / 2];
    e->best = ns[0];
    e->worst = ns[n - 1];
}

/* Processor time of a run. */
static double run_one(struct entrant *e)
{
    double start = bench_now_ns();
    if (e->run && e->run(e->ctx) != 0)
        e->run = NULL;
    return bench_now_ns() - start;
}

/* A new order of the entrants for each turn: who comes behind a long run finds the caches emptied
 * by whatever else ran meanwhile. */
static void shuffle(size_t *order, size_t n, uint64_t *state)
{
    for (size_t i = n - 1; i > 0; i--) {
        size_t other = (size_t)(bench_uniform(state) * (double)(i + 1)), kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
}

void turns_measure(struct entrant *entrants, size_t entrants_n, uint32_t rows_n, uint32_t runs_n)
{
    size_t order[ENTRANTS_MAX];
    uint64_t state = 1;
    double first_ns = 0.0;
    assert(entrants_n > 0 && entrants_n <= ENTRANTS_MAX);
    for (size_t i = 0; i < entrants_n; i++) {
        order[i] = i;
        first_ns += run_one(&entrants[i]);
    }
    bool is_short = first_ns < SHORT_TURN_NS;
    uint32_t n = is_short ? 3 * runs_n : runs_n;
    double *ns = bench_alloc(entrants_n * n, sizeof(*ns));
    for (uint32_t k = 0; k < n; k++) {
        shuffle(order, entrants_n, &state);
        for (size_t i = 0; i < entrants_n; i++) {
            if (is_short)
                (void)run_one(&entrants[order[i]]);
            ns[order[i] * n + k] = run_one(&entrants[order[i]]) / rows_n;
        }
    }
    for (size_t i = 0; i < entrants_n; i++)
        keep_times(&entrants[i], ns + i * n, n);
    free(ns);
}

void turns_print(const struct entrant *entrants, size_t entrants_n, double scale)
{
    for (size_t i = 0; i < entrants_n; i++)
        if (entrants[i].run)
            (void)printf(", \"%s\": {\"median\": %.3f, \"best\": %.3f, \"worst\": %.3f}",
                         entrants[i].name, scale * entrants[i].median, scale * entrants[i].best,
                         scale * entrants[i].worst);
    (void)printf("}\n");
    (void)fflush(stdout);
}
