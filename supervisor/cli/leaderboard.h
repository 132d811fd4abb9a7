/* SPDX-License-Identifier: MIT */
/* The best combinations of a stored run. Only they are kept while its results are walked, so that
 * memory does not grow with the run. */
#pragma once

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "proto/metric.h"
#include "supervisor/config/config.h"
#include "supervisor/store/store.h"

#define LEADERBOARD_TOP_DEFAULT 10
#define LEADERBOARD_TOP_MAX     100000

struct leaderboard_options {
    uint64_t top_n;    /* 0: LEADERBOARD_TOP_DEFAULT */
    const char *sort;  /* a metric; NULL: the objective */
    const char *where; /* a condition; NULL: none */
};

struct leaderboard_entry {
    uint64_t combination;
    double rank_value; /* what it is ranked by */
    double metrics[METRIC_N];
};

struct leaderboard {
    enum metric metric; /* that ranks */
    int direction;      /* +1: more is better */
    uint64_t status_n[STATUS_N];
    uint64_t invalid_first; /* where status_n[STATUS_INVALID] > 0: the first of them, and why */
    char invalid_message[256];
    uint64_t left_out_n; /* fewer trades than optimization.min_trades */
    uint64_t matched_n;  /* ranked, whether among the best or not */
    size_t n;
    struct leaderboard_entry *entries; /* [n] the best first */
};

/* A metric by name; sharpe_ratio and the like are understood too. -1 where there is none. */
int leaderboard_metric(const char *name);

/* Walks the results once. ERR_USAGE for an unknown metric, a name that is neither metric nor swept,
 * or a `where` that is no condition. */
int leaderboard_make(struct store *store, const struct config *config,
                     const struct run_record *record, const struct leaderboard_options *options,
                     struct leaderboard *ret_board, struct err *err) ADMF_MUST_CHECK;
void leaderboard_fini(struct leaderboard *board); /* accepts zeroed memory */

/* A table for people: combination, strategy, swept values, the main metrics. */
void leaderboard_write(FILE *out, const struct leaderboard *board, const struct config *config);
/* Says which combinations are invalid and why, and warns where none ran at all. Nothing where there
 * is nothing to say; with is_terse only the warning. */
void leaderboard_explain(FILE *out, const struct leaderboard *board,
                         const struct run_record *record, bool is_terse);
/* A list of {combination, strategy, parameters, metrics}. */
json_t *leaderboard_json(const struct leaderboard *board, const struct config *config);
