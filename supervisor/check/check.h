/* SPDX-License-Identifier: MIT */
/* The look-ahead test: does the future change the past?
 *
 * Combinations of a configuration are computed over the whole range, and again at each of several
 * cuts: once without the bars from the cut on, once with other prices there (mirrored at the open
 * of the cut, which stays). Up to the cut every series, position, trade and every bar's cash and
 * equity must be the same bits; with other prices, so must what fills at the open of the cut, since
 * that was decided before it. Positions stay open at the end (execution.at_end: mark) in all of
 * them. Nothing is stored. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/err.h"
#include "proto/spec.h"
#include "supervisor/config/config.h"
#include "supervisor/store/store.h"

#define CHECK_COMBINATIONS_MAX 10000
#define CHECK_CUTS_MAX         1000
#define CHECK_ALL              UINT64_MAX /* as a combination: of no single one */
#define CHECK_NONE             UINT32_MAX /* as a cut or symbol */

/* How the future differs from that of the whole range. */
enum check_future {
    CHECK_MISSING, /* the range ends before the cut */
    CHECK_ALTERED, /* other prices from the cut on */
    CHECK_AGAIN,   /* it does not: the same computed twice */
    CHECK_FUTURE_N
};
const char *check_future_name(enum check_future future);

struct check_cut {
    uint32_t step; /* the first of the future, counted on the clock of the range */
    int64_t time_ns;
};

/* The first bar at which a combination, or a series, is not what it was. */
struct check_difference {
    uint64_t combination; /* CHECK_ALL: a series */
    uint32_t cut_idx;     /* CHECK_NONE for CHECK_AGAIN */
    uint8_t future;       /* enum check_future */
    uint32_t symbol_idx;  /* CHECK_NONE: of the account */
    uint32_t bar;         /* of the combination's clock; of a series: of the symbol in the range */
    int64_t time_ns;
    char what[160];    /* "position", "equity", "series sma(close,10)" */
    double whole, cut; /* NaN: undefined, or not there */
};

/* A combination that did not come to its end somewhere. */
struct check_failure {
    uint64_t combination;
    uint32_t cut_idx; /* CHECK_NONE: over the whole range */
    uint8_t future;
    uint8_t status;
    char why[256];
};

struct check_options {
    uint32_t combinations_n, cuts_n; /* at most */
    uint64_t seed;                   /* of the sample and of the cuts */
    void (*progress)(void *ctx, uint64_t done_n, uint64_t total_n); /* may be NULL */
    void *progress_ctx;
};

struct check_report {
    uint64_t data_hash[2];
    uint32_t steps_n;
    uint64_t grid_n;     /* combinations of the configuration */
    uint32_t sampled_n;  /* taken of them */
    uint32_t compared_n; /* of those: to the end at every cut, differing or not */
    uint32_t refused_n;  /* their strategy or an indicator refuses the parameters */
    uint32_t cuts_n;
    struct check_cut *cut; /* ascending; owned, as all below */
    uint64_t values_n;     /* compared */
    uint32_t differences_n, failures_n;
    struct check_difference *difference; /* one for each combination and series, the earliest */
    struct check_failure *failure;
    uint32_t columns_n;
    char (*column)[SPEC_NAME_BYTES]; /* imported ones that rules name: taken as they are */
    int stop_signal;
};

/* 0 also where there are differences or failures. ERR_CONFIG where the range has no room for a cut,
 * or nothing could be compared; ERR_INTERRUPTED with ret_report->stop_signal set. `store` may be
 * NULL where data.csv names every symbol. */
int check_run(const struct config *config, const struct describe *describe, struct store *store,
              const struct check_options *options, struct check_report *ret_report,
              struct err *err) ADMF_MUST_CHECK;
void check_report_fini(struct check_report *report); /* accepts zeroed memory */
