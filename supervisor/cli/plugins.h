/* SPDX-License-Identifier: MIT */
/* --plugin: libraries for one command. They are described by a worker and run in a builder. */
#pragma once

#include "shm/graph.h"
#include "shm/plane.h"
#include "supervisor/cli/cli.h"

/* Their indicators join the table. */
int cli_plugins_take(const struct cli_args *args, struct err *err) ADMF_MUST_CHECK;

/* Whether a graph calls any of them. */
bool cli_plugins_are_used(const struct graph *graph);

/* Bars of symbols, the first of which sees the others, with all clocks of a graph. */
int cli_plugins_plane(const struct bars *bars, uint32_t symbols_n, const struct graph *graph,
                      struct plane_writer **ret_plane, struct err *err) ADMF_MUST_CHECK;

/* An expression on the first symbol's own rows: doubles, or bits where it is a condition. */
struct cli_plugins_call {
    const struct plane_writer *plane;
    const char *expr;
    bool is_condition;
    uint32_t rows_n;
};
int cli_plugins_eval(const struct cli_args *args, const struct cli_plugins_call *call, void *out,
                     struct err *err) ADMF_MUST_CHECK;
