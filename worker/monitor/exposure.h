/* SPDX-License-Identifier: MIT */
/* What an account holds at each close, as a fraction of its equity, summed over bars.
 *
 * One symbol: a position is the same from fill to fill, so that the bars between two fills are
 * summed at once, when the second comes. Several: bar by bar, as the largest of their sum is wanted
 * too. */
#pragma once

#include "worker/market.h"
#include "worker/metrics/stats.h"
#include "worker/portfolio/account.h"

struct exposure {
    const struct market *market;
    const struct account *account;
    const double *equity; /* [bars of the range] recorded up to now */
    uint64_t held_bars_n; /* bars that close with a position */
    struct lanes gross, net;
    double gross_max;
    /* one symbol */
    double qty;    /* held since bar `from` of the range */
    uint32_t from; /* first bar that is not summed */
    /* several: the last bar, not summed as a fill may still change it */
    bool is_pending;
    uint32_t pending_bar;
    double pending_gross, pending_net;
};

void exposure_init(struct exposure *x, const struct market *m, const struct account *a,
                   const double *equity);
/* Whether exposure_bar() is to be called at each close. */
bool exposure_wants_bars(const struct exposure *x);
/* At a close, and again after a fill at it. */
void exposure_bar(struct exposure *x, uint32_t bar);
/* After a fill changed the account: bar is the first of the range that closes with the change. */
void exposure_fill(struct exposure *x, uint32_t bar);
/* No more bars come: bars_n of them had equity. */
void exposure_end(struct exposure *x, uint32_t bars_n);
