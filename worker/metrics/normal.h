/* SPDX-License-Identifier: MIT */
/* The standard normal law, of IEEE 754 operations in fixed order (see exact.h). */
#pragma once

/* P(X <= x), within 1e-15; relative 1e-12 below -3. */
double normal_cdf(double x);
/* Its mean below its 5th percentile. */
#define NORMAL_MEAN_BELOW_05 -0x1.0806f928a4723p+1
