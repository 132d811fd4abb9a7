/* SPDX-License-Identifier: MIT */
/* A history of one's own: the run's market with prices altered at random.
 *
 * The columns are private copy-on-write maps of the plane's pages: what is not altered (times,
 * volumes) stays shared, and nobody else sees the change. Larger timeframes are made anew from the
 * altered bars, and stored series are hidden, so that everything a container reads follows from
 * them. */
#pragma once

#include <stdint.h>

#include "proto/err.h"
#include "proto/spec.h"
#include "shm/plane.h"

struct market;
struct altered;

/* symbol_idx: of the plane, or COMBO_ALL_SYMBOLS. All symbols are altered, those of reference too.
 * The plane must outlive it. ERR_SYSTEM without memory. */
int altered_create(const struct plane *plane, const struct noise_cfg *noise, uint32_t path,
                   uint32_t symbol_idx, struct altered **ret_altered,
                   struct err *err) ADMF_MUST_CHECK;
void altered_destroy(struct altered *altered); /* accepts NULL */

/* Whether it is that one. */
bool altered_is(const struct altered *altered, uint32_t path, uint32_t symbol_idx);
struct market *altered_market(const struct altered *altered);
