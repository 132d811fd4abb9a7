/* SPDX-License-Identifier: MIT */
/* What has come of a run so far: results waiting for their commit, tallies, the best, progress.
 * Results are committed in one transaction for many: at most LEDGER_COMMIT_NS after the first of
 * them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"
#include "supervisor/pool/run.h"

#define LEDGER_COMMIT_NS   INT64_C(100000000)
#define LEDGER_PENDING_MAX 1024 /* results that wait at most */

struct ledger {
    struct store *store; /* NULL: nothing is stored (details) */
    const struct config *config;
    struct run_record *record;
    struct result *result;
    size_t result_n, result_capacity;
    struct fault *fault;
    size_t fault_n, fault_capacity;
    int64_t oldest_ns; /* when the first that waits came */
    /* progress */
    struct run_progress progress;
    int64_t started_ns, shown_ns;
    double wall_before_s; /* of earlier attempts at this run */
    uint64_t started_done_n;
    void (*show)(void *ctx, const struct run_progress *p);
    void *show_ctx;
};

void ledger_init(struct ledger *l, const struct config *config, struct run_record *record);
void ledger_fini(struct ledger *l); /* accepts zeroed memory */
/* Counts a result that is stored already (resume). */
void ledger_count(struct ledger *l, const struct result *result);
/* 0 or -ENOMEM. */
int ledger_add_result(struct ledger *l, const struct result *result) ADMF_MUST_CHECK;
int ledger_add_fault(struct ledger *l, const struct fault *fault) ADMF_MUST_CHECK;
bool ledger_is_due(const struct ledger *l, int64_t now_ns);
int ledger_commit(struct ledger *l, struct err *err) ADMF_MUST_CHECK;
/* Tells the observer, ten times a second at most, or at once where `is_last`. */
void ledger_show(struct ledger *l, int64_t now_ns, bool is_last);
