/* SPDX-License-Identifier: MIT */
/* The reference driver: every bar of the range, one BAR event each. What it gives is what every
 * other driver must give, to the bit. */
#pragma once

#include "worker/container.h"
#include "worker/market.h"

/* Runs a started container from its first bar to its last, or to bankruptcy, and lets the executor
 * finish. Returns the number of steps walked. */
uint64_t driver_reference_run(struct container *c);
