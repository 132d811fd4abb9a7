/* SPDX-License-Identifier: MIT */
/* The bars of a run: whole symbols, and the rows of them that the configured range takes.
 *
 * Behind the symbols that are traded stand those of reference, which rules name. They have all
 * their bars up to the last one of the traded symbols, and those before the range feed their
 * series: no warm-up need be asked for. */
#pragma once

#include <stdint.h>

#include "proto/err.h"
#include "shm/plane.h"
#include "supervisor/config/config.h"
#include "supervisor/store/store.h"

struct range {
    uint32_t symbols_n;                      /* that are traded */
    uint32_t all_n;                          /* those of reference too, behind them */
    struct bars *bars[SPEC_SYMBOLS_MAX];     /* whole symbols; owned */
    struct bars cut[SPEC_SYMBOLS_MAX];       /* views into them: the range with its warm-up */
    uint32_t warm_up_rows[SPEC_SYMBOLS_MAX]; /* of the view; the range begins behind them */
    uint32_t first_row[SPEC_SYMBOLS_MAX];    /* of the whole symbol: the first in the range */
    uint64_t symbol_hash[SPEC_SYMBOLS_MAX][2];
    uint64_t data_hash[2]; /* over names, hashes and the rows taken */
    const double **extra;  /* columns of the views; owned */
};

/* Bars come from the file that data.csv names, else from the store by name. `hashes`, where given,
 * are the bars that an older run used: by hash from the store, else the file, which must still be
 * the same. Without them, ERR_CONFIG where a key needs volumes and a symbol has none. `store` may
 * be NULL where data.csv names every symbol. */
int range_load(const struct config *config, struct store *store, const uint64_t (*hashes)[2],
               struct range *ret_range, struct err *err) ADMF_MUST_CHECK;
void range_fini(struct range *range); /* accepts zeroed memory */

/* Rows of all symbols without their warm-up. */
uint64_t range_rows_n(const struct range *range);
/* Steps of the merged clock: distinct times within the range. 0, or ERR_SYSTEM without memory. */
int range_steps_n(const struct range *range, uint64_t *ret_steps_n,
                  struct err *err) ADMF_MUST_CHECK;
