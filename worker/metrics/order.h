/* SPDX-License-Identifier: MIT */
/* Order statistics by selection. Which value has a rank depends on the values alone. */
#pragma once

#include <stddef.h>

/* Reorders x so that x[k] is what sorting would put there, none before it larger, none behind it
 * smaller. k < n; no NaN. */
void order_select(double *x, size_t n, size_t k);
/* The value at a rank between two whole ones, linear between these neighbours; reorders x, so that
 * both stand at their ranks. 0 <= at <= n - 1; NaN where n is 0. */
double order_at(double *x, size_t n, double at);
