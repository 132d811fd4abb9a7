/* SPDX-License-Identifier: MIT */
/* Things timed in turns, so that whatever else the machine does meets them alike. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define ENTRANTS_MAX 4

struct entrant {
    const char *name;
    int (*run)(void *ctx); /* not 0: it failed. NULL: it is not there, or has failed */
    void *ctx;
    double median, best, worst; /* ns of processor time a row */
};

/* At least runs_n turns in changing order, after one in which pages are faulted in. Where a turn
 * takes little there are three times as many, and each is run once more before it is timed, so that
 * it finds in the caches what itself left there, and not what the one before it did. */
void turns_measure(struct entrant *entrants, size_t entrants_n, uint32_t rows_n, uint32_t runs_n);

/* `, "NAME": {"median": …, "best": …, "worst": …}` of each that is there, and the end of a line of
 * JSON. The scale is 1 but where a run makes other than one value a row. */
void turns_print(const struct entrant *entrants, size_t entrants_n, double scale);
