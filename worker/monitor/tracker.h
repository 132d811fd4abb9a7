/* SPDX-License-Identifier: MIT */
/* What the performance tracker has recorded: for details of one combination. */
#pragma once

#include <stdint.h>

#include "proto/trade.h"
#include "worker/market.h"

struct tracker_record {
    const struct market *market;
    uint32_t bars_n;            /* of the range */
    double *equity;             /* [bars_n] */
    double *cash;               /* [bars_n]; NULL unless details were asked for */
    double *position;           /* [bars_n][symbols_n]; NULL likewise */
    uint32_t trades_n;          /* closed ones first, then those open at the end */
    const struct trade *trades; /* bars as steps of the market, counted from first_step */
};

/* `self` of a performance_tracker, after stop. */
struct tracker_record tracker_record(const void *self);
