/* SPDX-License-Identifier: MIT */
/* How two series go together. */
#pragma once

#include "shm/indicator/indicator.h"

#define CORRELATION_STATE_BYTES 64u

/* out[0] = Pearson's correlation of the last n of inputs 0 and 1; n is the first parameter. 0 where
 * all n of one are equal. A window with what is not finite, or is beyond 1e70, gives NaN. Always 0.
 */
int correlation_advance(const struct indicator_span *span);
