/* SPDX-License-Identifier: MIT */
/* The hub's source of a run: the series of a plan, computed by its graph into a plane. */
#pragma once

#include "proto/err.h"
#include "shm/plane.h"
#include "supervisor/hub/hub.h"
#include "supervisor/plan/series.h"

struct series_source;

struct series_source_options {
    const struct series_plan *plan;
    struct plane_writer *plane;  /* made from the plan: series i of one is series i of the other */
    const struct config *config; /* whose plugins series may be of */
};

/* All of it outlives the source. */
int series_source_create(const struct series_source_options *options,
                         struct series_source **ret_source, struct err *err) ADMF_MUST_CHECK;
void series_source_destroy(struct series_source *source); /* accepts NULL */
/* For hub_open(). */
struct hub_source series_source_of(struct series_source *source);
