/* SPDX-License-Identifier: MIT */
/* The promise: the bits that float32 series change are counted, one condition once, and a sample
 * says that it is one. */
#include <stdlib.h>

#include "supervisor/plan/compare_dtype.h"
#include "tests/unit/plan_fixture.h"

/* 2^24 + 1 has no float32. */
static const double odd[ROWS] = {16777216, 16777217, 16777217, 16777218};

static struct dtype_comparison compare(const char *yaml, uint32_t warm_up_rows)
{
    struct config *config = config_of(yaml);
    struct range *range = calloc(1, sizeof *range);
    struct dtype_comparison c;
    cr_assert_not_null(range);
    range->symbols_n = range->all_n = 1;
    range->cut[0] = bars[0];
    range->cut[0].close = odd;
    range->warm_up_rows[0] = warm_up_rows;
    cr_assert_eq(dtype_compare(config, &describe, range, &c, &err), 0, "%s", err.text);
    free(range);
    config_destroy(config);
    return c;
}

#define RULES                                                                                      \
    "type: optimization\n" DATA "strategies:\n  - type: rules\n    parameters: {n: [1, 2]}\n"

Test(compare_dtype, bits_that_rounding_changes_are_counted)
{
    struct dtype_comparison c = compare(RULES "    long_entry: sma(close,1) > 16777216 and n > 0\n"
                                              "    long_exit: sma(close,n) > 16777215\n",
                                        0);
    cr_expect_eq(c.combinations_n, 2);
    cr_expect_not(c.is_sample);
    cr_expect_eq(c.bits_n, c.conditions_n * ROWS);
    cr_expect_eq(c.differing_n, 2 * (c.conditions_n - 2));
    cr_expect_eq(c.worst_n, 2);
    cr_expect_not_null(strstr(c.worst_key, "sma(close,1) > 16777216"), "%s", c.worst_key);
    dtype_comparison_fini(&c);
}

Test(compare_dtype, columns_are_not_rounded_and_warm_up_is_not_counted)
{
    struct dtype_comparison c = compare(
        RULES "    long_entry: close > 16777216\n    long_exit: sma(close,n) > 16777216\n", 2);
    cr_expect_eq(c.conditions_n, 3);
    cr_expect_eq(c.bits_n, 6);
    cr_expect_eq(c.differing_n, 2, "%llu", (unsigned long long)c.differing_n);
    dtype_comparison_fini(&c);
}

Test(compare_dtype, many_combinations_are_sampled)
{
    struct dtype_comparison c =
        compare("type: optimization\n" DATA "strategies:\n  - type: rules\n"
                "    parameters: {n: {from: 1, to: 3, step: 1}, m: {from: 1, to: 1e9, step: 1}}\n"
                "    long_entry: sma(close,n) > m\n",
                0);
    cr_expect(c.is_sample);
    cr_expect_gt(c.combinations_n, 1000);
    cr_expect_leq(c.bits_n, COMPARE_ROWS_MAX);
    dtype_comparison_fini(&c);
}
