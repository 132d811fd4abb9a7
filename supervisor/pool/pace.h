/* SPDX-License-Identifier: MIT */
/* Lockstep: every step is one bar, for all containers of a wave together. */
#pragma once

#include "supervisor/pool/pool.h"

#define PACE_LANES_MAX 64 /* containers of one worker in one wave */

/* Until every combination has a result or a signal stops it. 0 in both cases. The pool's last
 * worker is the service, the others host lanes. */
int pace_run(struct pool *p, struct err *err) ADMF_MUST_CHECK;
