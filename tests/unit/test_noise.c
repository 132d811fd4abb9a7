/* SPDX-License-Identifier: MIT */
/* Promise: noise is standard normal, the same for the same place and another for every other one,
 * and bars keep their shape under it. */
#include <criterion/criterion.h>
#include <math.h>

#include "worker/noise.h"

#define DRAWS_N 200000u

Test(noise, is_standard_normal)
{
    const struct noise_place place = {.seed = 3, .path = 1};
    double power[5] = {0};
    uint32_t beyond_two = 0;
    for (uint32_t row = 0; row < DRAWS_N; row++) {
        double z = noise_normal(&place, row);
        for (int k = 1; k <= 4; k++)
            power[k] += pow(z, k) / DRAWS_N;
        beyond_two += fabs(z) > 2.0;
    }
    cr_expect_lt(fabs(power[1]), 0.01, "mean %g", power[1]);
    cr_expect_lt(fabs(power[2] - 1.0), 0.02, "variance %g", power[2]);
    cr_expect_lt(fabs(power[3]), 0.04, "third moment %g", power[3]);
    cr_expect_lt(fabs(power[4] - 3.0), 0.12, "fourth moment %g", power[4]);
    cr_expect_lt(fabs(beyond_two / (double)DRAWS_N - 0.0455), 0.003, "tails");
}

Test(noise, depends_on_its_place_alone)
{
    const struct noise_place first = {.seed = 1, .path = 1, .symbol_idx = 0};
    const struct noise_place others[] = {{2, 1, 0}, {1, 2, 0}, {1, 1, 1}};
    cr_assert_eq(noise_normal(&first, 7), noise_normal(&first, 7));
    cr_assert_neq(noise_normal(&first, 7), noise_normal(&first, 8));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        double sum = 0.0; /* of products: they would be 1 each for equal streams */
        for (uint32_t row = 0; row < 10000; row++)
            sum += noise_normal(&first, row) * noise_normal(&others[i], row);
        cr_expect_lt(fabs(sum / 10000.0), 0.05, "stream %zu", i);
    }
}

Test(noise, bars_keep_their_shape)
{
    double open[] = {10.0, 11.0}, high[] = {12.0, 11.5}, low[] = {9.0, 10.0},
           close[] = {11.0, 10.5};
    const struct noise_prices prices = {2, open, high, low, close};
    const struct noise_place place = {.seed = 5, .path = 2};
    noise_apply(0.01, &place, &prices);
    for (int row = 0; row < 2; row++) {
        cr_expect(high[row] >= open[row] && high[row] >= close[row], "high of row %d", row);
        cr_expect(low[row] <= open[row] && low[row] <= close[row], "low of row %d", row);
    }
    cr_expect_neq(open[0], 10.0);
    cr_expect_float_eq(open[0] / 10.0, high[0] / 12.0, 1e-15);
    noise_apply(0.0, &place, &prices);
    cr_expect_float_eq(open[0] / 10.0, close[0] / 11.0, 1e-15, "no deviation, no change");
}
