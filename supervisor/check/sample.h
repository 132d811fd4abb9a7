/* SPDX-License-Identifier: MIT */
/* Which combinations are looked at, and a configuration of just them. */
#pragma once

#include <stdint.h>

#include "shm/plane.h"
#include "supervisor/check/check.h"

struct sample {
    uint32_t n, refused_n;
    struct combo *combo; /* [n] ascending by number, with open positions marked at the end; owned */
    struct err refused;  /* why the first was; text "" where there is none */
};

/* All combinations where there are at most `most`, else as many by the seed. Those whose parameters
 * the strategy or an indicator refuses are counted and left out. */
int sample_make(const struct config *config, const struct describe *describe,
                const struct check_options *options, const struct bars *bars, uint32_t symbols_n,
                struct sample *ret_sample, struct err *err) ADMF_MUST_CHECK;
void sample_fini(struct sample *sample); /* accepts zeroed memory */

/* A configuration in which each of n combinations is a strategy with nothing swept: its series are
 * those of the combinations alone. Borrows from `config`; freed by sample_config_destroy. */
int sample_config(const struct config *config, const struct combo *combos, uint32_t n,
                  struct config **ret_config, struct err *err) ADMF_MUST_CHECK;
void sample_config_destroy(struct config *config); /* accepts NULL */

/* Imported columns that the rules of the sampled strategies name. */
int sample_columns(const struct config *config, const struct describe *describe,
                   const struct sample *sample, const struct bars *bars, uint32_t symbols_n,
                   struct check_report *report, struct err *err) ADMF_MUST_CHECK;
