/* SPDX-License-Identifier: MIT */
/* Windows over two inputs, doubled as rolling.h says: their means, squared distances from them and
 * products of these. */
#pragma once

#include "shm/indicator/indicator.h"

/* Slope of the returns of input 1 over those of input 0, the last n, its first parameter. 0 or
 * -ENOMEM. */
int comoments_beta(const struct indicator_span *span);
