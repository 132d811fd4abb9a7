/* SPDX-License-Identifier: MIT */
/* One run, from configuration to stored results. What `admf run` and tests call. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/err.h"
#include "proto/spec.h"
#include "supervisor/config/config.h"
#include "supervisor/hub/hub.h"
#include "supervisor/plan/range.h"
#include "supervisor/store/store.h"

/* What a run works on: bars in the order of the configuration's symbols, and the plane. */
struct run_data {
    struct range range;
    struct series_plan *series;
    struct plane_writer *plane;
    struct series_source *source;
    struct hub *hub;     /* makes series as they are needed */
    struct hub_pin *all; /* of run_data_make_all() */
    uint32_t steps_n;    /* of the range */
    uint32_t first_step; /* steps of warm-up before it */
};

/* Loads the range (see range_load), plans the series, makes a plane with the bars. Configuration
 * and describe outlive the data. */
int run_data_load(const struct config *config, const struct describe *describe, struct store *store,
                  const uint64_t (*hashes)[2], struct run_data *ret_data,
                  struct err *err) ADMF_MUST_CHECK;
/* The same from a range that is loaded already, and taken over in any case. */
int run_data_build(const struct config *config, const struct describe *describe,
                   struct range *range, struct run_data *ret_data, struct err *err) ADMF_MUST_CHECK;
void run_data_fini(struct run_data *data);
/* Makes all series that there is room for, and keeps them. */
int run_data_make_all(struct run_data *data, struct err *err) ADMF_MUST_CHECK;
/* Bars, and the most that series held. */
uint64_t run_data_plane_bytes(const struct run_data *data);
/* That this process may use. */
uint32_t processors_n(void);

struct run_best {
    uint64_t combination;
    double objective;
};

struct run_progress {
    uint64_t done_n, total_n, failed_n;
    double per_second, seconds_left;
    bool has_best;
    struct run_best best;
};

struct run_options {
    uint32_t workers;   /* 0: as configured, else one a processor */
    const char *resume; /* run id, or NULL */
    void (*progress)(void *ctx,
                     const struct run_progress *p); /* at most ten times a second; may be NULL */
    void *progress_ctx;
};

struct run_summary {
    struct run_record record;
    char digest[33];
    char limit_backend[16];
    uint64_t not_run_n;
    bool has_best;
    struct run_best best;
    int interrupted_by; /* signal, or 0 */
    uint64_t plane_bytes;
    struct hub_stats series;
    uint64_t messages_refused_n;
};

/* Runs every combination that has no result yet, free or in lockstep as configured. Results are
 * committed as they come. 0 also when combinations failed or a signal ended it: the summary tells.
 */
int run_execute(const struct config *config, const struct describe *describe, struct store *store,
                const struct run_options *options, struct run_summary *ret_summary,
                struct err *err) ADMF_MUST_CHECK;
void run_summary_fini(struct run_summary *summary);

/* Recomputes combinations of a stored run with every trade and bar, one after another in one
 * worker, and checks each result against the stored one. */
struct run_detail {
    struct combo combo;
    struct result result;
    uint32_t trades_n;
    const struct trade *trades;
    uint32_t steps_n, symbols_n;
    const int64_t *time_ns;                 /* [steps_n] */
    const double *equity, *cash, *position; /* [steps_n], [steps_n], [steps_n][symbols_n] */
    /* times of rows, to print trades: row r of symbol s within the range */
    const int64_t *row_time_ns[SPEC_SYMBOLS_MAX];
    uint32_t rows_n[SPEC_SYMBOLS_MAX];
};
struct run_stored {
    const struct config *config; /* that of the record */
    const struct describe *describe;
    struct store *store;
    const struct run_record *record;
};
struct run_detailer;
#define RUN_E_NO_DETAIL 1 /* it has no result that is ok: err says why, as ERR_NO_INPUT */

/* What `run` points to outlives the session. */
int run_detailer_open(const struct run_stored *run, struct run_detailer **ret_detailer,
                      struct err *err) ADMF_MUST_CHECK;
/* 0 and a detail that lives until the next call; RUN_E_NO_DETAIL; else ERR_DATA if a single bit
 * differs from what is stored, ERR_INTERRUPTED, ERR_SYSTEM where it cannot be computed again. */
int run_detailer_next(struct run_detailer *x, uint64_t combination,
                      const struct run_detail **ret_detail, struct err *err) ADMF_MUST_CHECK;
/* The signal that ended it; 0: none. Accepts NULL. */
int run_detailer_stop_signal(const struct run_detailer *x);
void run_detailer_close(struct run_detailer *x); /* accepts NULL */
