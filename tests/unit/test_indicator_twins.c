/* SPDX-License-Identifier: MIT */
/* Promise: every indicator agrees with a plain twin in long double that follows the definition
 * literally, on hostile input too: NaN, infinities, constants, giants, zero ranges and volumes, one
 * row, the least parameters, periods longer than the data, prices of 1e9 and of 1e-5. */
#include "tests/unit/indicator_fixture.h"

/* ---- how far a double may be off ------------------------------------------------------------ */

/* Of the last 600 rows: the greatest price, and total volume from the beginning on. */
static void levels_at(const struct bars *b, uint32_t t, double *ret_price, double *ret_volume)
{
    double price = 0, volume = 0;
    for (uint32_t i = 0; i <= t; i++) {
        if (i + 600 > t && isfinite(b->high[i]))
            price = fmax(price, fmax(fabs(b->close[i]), fabs(b->high[i])));
        volume += isfinite(b->volume[i]) ? b->volume[i] : 0;
    }
    *ret_price = price;
    *ret_volume = volume;
}

static real allowed(const struct bars *b, uint32_t t, int what, const struct twin *twin,
                    const double *params, real value)
{
    double price, volume, step = inputs[what].step;
    levels_at(b, t, &price, &volume);
    double noise = 64 * DBL_EPSILON * price; /* of a price */
    double ratio = step > 0 ? noise / step : 0;
    bool is_price = strcmp(twin->name, "ht_dcperiod") != 0;
    if (what == INPUT_SPIKE && twin->scale == SCALE_TOTALS)
        return INFINITY;
    switch (twin->scale) {
    case SCALE_ROUGH:
    case SCALE_PRICE: /* a sum has n times the level */
        return 1e-12L * fabsl(value) + noise * (strcmp(twin->name, "sum") == 0 ? params[0] : 1);
    case SCALE_TOTALS:
        return 1e-7L * price;
    case SCALE_RATIO: /* by moves, which can be far smaller than their usual step */
        if (what == INPUT_REST && strcmp(twin->name, "stochrsi") == 0)
            return INFINITY; /* what should not move does so by rounding errors, in the twin too */
        if (strcmp(twin->name, "correl") == 0)
            return 2e-6L +
                   1e4L * ratio; /* TA-Lib's order of additions, and so its rounding errors */
        return 1e-11L * (fabsl(value) + 100) +
               (strcmp(twin->name, "cci") == 0 ? 1e4L / 0.015L : 1e4L) * ratio;
    case SCALE_DEVIATION:
        return 1e-9L * fabsl(value) + noise;
    case SCALE_VARIANCE:
        return 1e-9L * value + noise * noise + 2 * noise * sqrtl(fabsl(value));
    case SCALE_VOLUME:
        return 1e-12L * volume;
    default: /* where nothing moves, a phase is one of rounding errors, in the twin as well */
        if (what == INPUT_CONSTANT || what == INPUT_REST)
            return INFINITY;
        return 1e-9L * fabsl(value) + 100 * ratio * (is_price ? price : 1);
    }
}

static bool agrees(double found, real wanted, real error)
{
    if (isnan(wanted))
        return isnan(found);
    if (isinf(wanted))
        return !isfinite(found);
    return fabsl(found - wanted) <= error;
}

/* ---- tests ---------------------------------------------------------------------------------- */

/* The first row that disagrees; rows_n if none. */
static uint32_t first_disagreement(const struct indicator *row, const double *params,
                                   unsigned output, int what, uint32_t rows_n, double *found,
                                   real *wanted)
{
    static struct bars bars;
    const struct twin *twin = twin_of(row->name);
    struct twin_call c = {&bars, rows_n, params, output};
    make_input(what, &bars);
    twin->compute(&c, wanted);
    evaluate(row, params, output, &bars, rows_n, found);
    for (uint32_t t = 0; t < rows_n; t++) {
        if (!agrees(found[t], wanted[t], 1e-12L * fabsl(wanted[t])) &&
            !agrees(found[t], wanted[t], allowed(&bars, t, what, twin, params, wanted[t])))
            return t;
    }
    return rows_n;
}

static void compare_with_twin(const struct indicator *row, const double *params, int what)
{
    static const uint32_t sizes[] = {0, 1, 2, 3, 37, 75, ROWS_MAX};
    static double found[ROWS_MAX];
    static real wanted[ROWS_MAX];
    for (unsigned o = 0; o < row->outputs_n; o++) {
        for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
            uint32_t t = first_disagreement(row, params, o, what, sizes[s], found, wanted);
            cr_expect_eq(t, sizes[s], "%s on %s, %u rows, row %u: wanted %.17Lg found %.17g",
                         call_text(row, params, o), inputs[what].name, sizes[s], t, wanted[t],
                         found[t]);
            if (t != sizes[s])
                return;
        }
    }
}

Test(indicator_twins, kernels_agree_with_their_twins_on_hostile_input)
{
    for (size_t i = 0; i < indicator_count(); i++) {
        const struct indicator *row = indicator_at(i);
        const struct twin *twin = twin_of(row->name);
        double params[INDICATOR_PARAMS_MAX];
        cr_expect_not_null(twin, "%s is not tested", row->name);
        for (int set = 0; twin && set < PARAM_SETS_N; set++) {
            for (int what = 0; what < INPUTS_N && param_set(row, twin, set, params); what++)
                compare_with_twin(row, params, what);
        }
    }
}

Test(indicator_twins, no_later_row_has_a_part_in_a_value)
{
    static struct bars bars;
    static double whole[ROWS_MAX], part[ROWS_MAX];
    double params[INDICATOR_PARAMS_MAX];
    for (size_t i = 0; i < indicator_count(); i++) {
        const struct indicator *row = indicator_at(i);
        for (int k = 0; twin_of(row->name) && k < 2 * INPUTS_N; k++) {
            unsigned output = (unsigned)k % row->outputs_n;
            make_input(k / 2, &bars);
            (void)param_set(row, twin_of(row->name), k % 2, params);
            evaluate(row, params, output, &bars, ROWS_MAX, whole);
            for (uint32_t rows_n = 1; rows_n < ROWS_MAX; rows_n += 3 + rows_n / 4) {
                evaluate(row, params, output, &bars, rows_n, part);
                for (uint32_t t = 0; t < rows_n; t++)
                    cr_assert(is_same(part[t], whole[t]), "%s on %s, row %u of %u: %.17g not %.17g",
                              call_text(row, params, output), inputs[k / 2].name, t, rows_n,
                              part[t], whole[t]);
            }
        }
    }
}
