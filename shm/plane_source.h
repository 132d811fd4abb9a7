/* SPDX-License-Identifier: MIT */
/* A plane as graphs see it from one of its symbols. */
#pragma once

#include "shm/graph.h"
#include "shm/plane.h"

struct plane_source {
    const struct plane *plane;
    uint32_t symbol_idx; /* whose rows expressions are for */
    bool hides_series;   /* bars alone: every series is computed */
};

/* Borrows what it is given. */
struct graph_source plane_source_of(const struct plane_source *source);

/* The clock that a graph means, seen from a symbol; -1: the plane has no such bars. */
int64_t plane_clock_of(const struct plane *plane, uint32_t symbol_idx,
                       const struct graph_clock *clock);
