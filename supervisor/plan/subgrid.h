/* SPDX-License-Identifier: MIT */
/* A part of the grid: one strategy, some of whose dims are pinned to one digit each. It is a
 * configuration of its own, so that the functions of the grid count and enumerate it like any
 * other. */
#pragma once

#include <stdint.h>

#include "supervisor/config/config.h"

struct subgrid {
    struct config config;            /* of just this strategy; shares what the whole one owns */
    struct config_strategy strategy; /* dims as they are pinned */
    const struct config_strategy *whole;
    uint64_t digit[CONFIG_DIMS_MAX]; /* of pinned dims; 0 elsewhere */
};

/* NULL without memory. */
struct subgrid *subgrid_create(const struct config *config, uint32_t strategy_idx);
void subgrid_destroy(struct subgrid *g); /* accepts NULL */
void subgrid_pin(struct subgrid *g, uint32_t dim, uint64_t digit);
/* Pins every dim that is not among dims[0..dims_n) to its first digit, and drops `where`. */
void subgrid_keep(struct subgrid *g, uint32_t dims_n, const uint32_t *dims);
/* Number in the whole grid of combination n of the part; ascending in n. */
uint64_t subgrid_number(const struct subgrid *g, uint64_t n);
/* Pins dims[0..dims_n) to the digits of `tuple`, whose last dim runs fastest. */
void subgrid_pin_tuple(struct subgrid *g, uint32_t dims_n, const uint32_t *dims, uint64_t tuple);
