/* SPDX-License-Identifier: MIT */
/* Normal numbers by Marsaglia's polar method (1964) over Philox: +, *, /, sqrt and the exact
 * logarithm alone, so that every machine gives the same bytes. */
#include "worker/noise.h"

#include <Random123/philox.h>
#include <math.h>

#include "shm/exact.h"

#define PURPOSE_NOISE 0x6e6f6973u /* keeps this stream apart from others of one seed */

/* Even over (-1, 1), never an end of it. */
static double even(uint32_t word)
{
    return ((double)word + 0.5) * 0x1p-31 - 1.0;
}

/* Each draw gives two points; of the plane's square, pi/4 lie in the circle. */
double noise_normal(const struct noise_place *place, uint32_t row)
{
    philox4x32_key_t key = {{place->seed, PURPOSE_NOISE}};
    for (uint32_t draw = 0;; draw++) {
        philox4x32_ctr_t at = {{row, place->path, place->symbol_idx, draw}};
        philox4x32_ctr_t word = philox4x32(at, key);
        for (unsigned i = 0; i < 4; i += 2) {
            double u = even(word.v[i]), v = even(word.v[i + 1]), s = u * u + v * v;
            if (s < 1.0)
                return u * sqrt(-2.0 * exact_log(s) / s);
        }
    }
}

void noise_apply(double sigma, const struct noise_place *place, const struct noise_prices *prices)
{
    for (uint32_t row = 0; row < prices->rows_n; row++) {
        double factor = 1.0 + sigma * noise_normal(place, row);
        prices->open[row] *= factor;
        prices->high[row] *= factor;
        prices->low[row] *= factor;
        prices->close[row] *= factor;
    }
}
