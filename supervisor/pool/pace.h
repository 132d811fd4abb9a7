/* SPDX-License-Identifier: MIT */
/* Lockstep: every step is one bar, for all containers of a wave together. */
#pragma once

#include "supervisor/pool/pool.h"

#define PACE_LANES_MAX 64 /* containers of one worker in one wave */

/* Fills and notices of one symbol of one lane in one step at most: at the close before, of risk and
 * of signals (4); of the bar, a margin call, orders of that close (2), brackets at the open, orders
 * at the open (2), brackets in the range, orders in the range and what the rest of the bar does to
 * them (2), time, orders at the close (2); the end. */
#define PACE_STEP_FILLS_MAX 16
/* Containers of one wave over all workers: as many as have room for the fills of one step, each of
 * `symbols_n` symbols, in one frame. */
uint32_t pace_wave_lanes_max(uint32_t symbols_n);

/* Until every combination has a result or a signal stops it. 0 in both cases. The pool's last
 * worker is the service, the others host lanes. */
int pace_run(struct pool *p, struct err *err) ADMF_MUST_CHECK;
