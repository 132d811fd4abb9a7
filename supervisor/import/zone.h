/* SPDX-License-Identifier: MIT */
/* Local times of a tzdata zone to UTC. A zone is the process's TZ while it is open: one at a time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/err.h"

struct zone {
    bool is_utc;
    char *old_tz; /* what $TZ was; NULL: unset */
    int64_t day;  /* the last day whose offset does not change, and that offset */
    int64_t day_offset_s;
    bool has_day;
};

/* NULL is UTC. ERR_USAGE for a zone that tzdata does not have. */
int zone_open(const char *name, struct zone *ret_zone, struct err *err) ADMF_MUST_CHECK;
void zone_close(struct zone *zone); /* accepts zeroed memory; gives $TZ back */

/* *ns is a local time as if UTC; becomes UTC. Of a time that comes twice, the first that is after
 * after_ns. False: the zone skips it. */
bool zone_to_utc(struct zone *zone, int64_t after_ns, int64_t *ns);
