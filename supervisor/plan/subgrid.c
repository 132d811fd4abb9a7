/* SPDX-License-Identifier: MIT */
/* One strategy of a configuration with pinned dims. */
#include "supervisor/plan/subgrid.h"

#include <stdbool.h>
#include <stdlib.h>

struct subgrid *subgrid_create(const struct config *config, uint32_t strategy_idx)
{
    struct subgrid *g = calloc(1, sizeof *g);
    if (!g)
        return NULL;
    g->whole = &config->strategies[strategy_idx];
    g->config = *config;
    g->strategy = *g->whole;
    g->strategy.first = 0;
    g->config.strategies = &g->strategy;
    g->config.strategies_n = 1;
    g->config.combinations_n = g->strategy.combinations_n;
    return g;
}

void subgrid_destroy(struct subgrid *g)
{
    free(g);
}

void subgrid_pin(struct subgrid *g, uint32_t dim, uint64_t digit)
{
    const struct dim *from = &g->whole->dims[dim];
    struct dim *to = &g->strategy.dims[dim];
    g->strategy.combinations_n = g->strategy.combinations_n / to->n;
    g->config.combinations_n = g->strategy.combinations_n;
    g->digit[dim] = digit;
    to->n = 1;
    if (from->is_range)
        to->from = from->from + (double)digit * from->step;
    else
        to->values = from->values + digit;
}

void subgrid_keep(struct subgrid *g, uint32_t dims_n, const uint32_t *dims)
{
    g->strategy.where[0] = '\0';
    g->strategy.where_plan = NULL;
    for (uint32_t d = 0; d < g->strategy.dims_n; d++) {
        bool keep = false;
        for (uint32_t i = 0; i < dims_n; i++)
            keep |= dims[i] == d;
        if (!keep)
            subgrid_pin(g, d, 0);
    }
}

uint64_t subgrid_number(const struct subgrid *g, uint64_t n)
{
    uint64_t number = 0, weight = 1;
    for (uint32_t d = g->strategy.dims_n; d-- > 0;) {
        uint64_t size = g->strategy.dims[d].n;
        number += (n % size + g->digit[d]) * weight;
        n /= size;
        weight *= g->whole->dims[d].n;
    }
    return g->whole->first + number;
}

void subgrid_pin_tuple(struct subgrid *g, uint32_t dims_n, const uint32_t *dims, uint64_t tuple)
{
    for (uint32_t i = dims_n; i-- > 0;) {
        uint64_t size = g->whole->dims[dims[i]].n;
        subgrid_pin(g, dims[i], tuple % size);
        tuple /= size;
    }
}
