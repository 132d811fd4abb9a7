/* SPDX-License-Identifier: MIT */
/* How much a symbol moves from day to day: what sizing by volatility rests on. */
#pragma once

#include <stdint.h>

#include "shm/plane.h"

/* Deviation of the last `days` daily returns of the symbol that were finished before `row`, a year:
 * the sample deviation (divided by days - 1) of close / close of the day before - 1, times
 * sqrt(252). A day is a UTC day that has rows, its close that of its last row; rows before the
 * run's range count. NaN with fewer days, or days < 2. */
double volatility_of_days(const struct bars *bars, int32_t row, uint32_t days);
