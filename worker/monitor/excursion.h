/* SPDX-License-Identifier: MIT */
/* How far a trade was under water and ahead, at worst and at best.
 *
 * The extremes are those of the prices at which the trade was surely held: its entry and exit
 * price; the whole range of each bar between; of the entry's bar, the whole range where it filled
 * at the open, else its close alone (what the bar did before or after a fill within is not known);
 * of the exit's bar, the whole range where it filled at the close, else its open alone; of a trade
 * that is open at the end, the whole last bar. Where entry and exit share a bar, its range counts
 * only for one held from open to close; else its open, where entered at it, and its close, where
 * left at it. */
#pragma once

#include "proto/spec.h"
#include "proto/trade.h"
#include "worker/market.h"

/* Fills mae and mfe of a trade whose bars are steps of the market. last_step: the last one that an
 * open trade was held. */
void excursion_measure(const struct market *m, const struct execution_cfg *cfg, uint32_t last_step,
                       struct trade *trade);
