/* SPDX-License-Identifier: MIT */
/* Promise: chains and families are quicker ways to the same bytes. A chain that began by a guess is
 * believed only where it came to the state of the one before; where it did not, because the
 * indicator does not forget or a row is not finite, its rows are made again. */
#include <criterion/criterion.h>

#include <math.h>
#include <string.h>

#define LANES_STEPS "tests/unit/recursive_steps.inc"
#include "shm/indicator/lanes.h"

#define ROWS_N 20011u

static unsigned seeded_n; /* how often a seeding began */

static void prepare(const double *param, struct recursive_setup *setup)
{
    setup->constant[0] = 0.5;
    setup->first = (uint64_t)param[0];
    setup->warm_rows = 200;
}

static void seed(const struct recursive_row *row)
{
    seeded_n += row->seen == 0;
    row->value[0] += row->at[0][0];
    if (row->seen + 1 == row->setup->first)
        row->out[0] = row->value[0];
}

static const struct recursive total = {
    .inputs_n = 1,
    .outputs_n = 1,
    .values_n = 1,
    .constants_n = 0,
    .series_n = 1,
    .code = LANES_CODE(total),
    .prepare = prepare,
    .seed = seed,
};

static const struct recursive half = {
    .inputs_n = 1,
    .outputs_n = 1,
    .values_n = 1,
    .constants_n = 1,
    .series_n = 1,
    .code = LANES_CODE(half),
    .prepare = prepare,
    .seed = seed,
};

static double input[ROWS_N], whole[ROWS_N], cut[ROWS_N];

static void make_input(void)
{
    uint64_t word = 7;
    for (uint32_t t = 0; t < ROWS_N; t++) {
        word = word * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        input[t] = 100.0 + (double)(word >> 40) / (1u << 20);
    }
}

/* Spans of 50 rows are too short for chains. */
static void run(const struct recursive *kernel, uint32_t span_rows, double *out)
{
    _Alignas(64) struct recursive_state state = {0};
    const double param = 3;
    for (uint32_t t = 0; t < ROWS_N; t += span_rows) {
        struct indicator_span span = {
            .row = t,
            .rows_n = ROWS_N - t < span_rows ? ROWS_N - t : span_rows,
            .input = {input + t},
            .param = &param,
            .state = &state,
            .out = {out + t},
        };
        cr_assert_eq(recursive_advance(kernel, &span), 0);
    }
}

static void expect_same(const char *what)
{
    for (uint32_t t = 0; t < ROWS_N; t++) {
        bool is_same =
            memcmp(&whole[t], &cut[t], sizeof(cut[t])) == 0 || (isnan(whole[t]) && isnan(cut[t]));
        cr_assert(is_same, "%s: row %u is %.17g, not %.17g", what, t, whole[t], cut[t]);
    }
}

Test(recursive, what_forgets_is_made_in_chains_to_the_same_bytes)
{
    make_input();
    seeded_n = 0;
    run(&half, ROWS_N, whole);
    cr_expect_eq(seeded_n, RECURSIVE_CHAINS, "%u chains", seeded_n);
    seeded_n = 0;
    run(&half, 50, cut);
    cr_expect_eq(seeded_n, 1, "%u chains in short spans", seeded_n);
    expect_same("half");
}

Test(recursive, what_never_forgets_is_made_again_to_the_same_bytes)
{
    make_input();
    run(&total, ROWS_N, whole);
    run(&total, 50, cut);
    expect_same("total");
    double plain = 0.0;
    for (uint32_t t = 0; t < ROWS_N; t++)
        plain += input[t];
    cr_expect_eq(whole[ROWS_N - 1], plain);
}

/* In the seeding, in a warm-up, in a part, at its ends. */
Test(recursive, what_is_not_finite_seeds_anew_wherever_it_is)
{
    static const double values[] = {NAN, INFINITY, -INFINITY};
    const uint32_t part = ROWS_N / RECURSIVE_CHAINS;
    const uint32_t rows[] = {1, 3, part / 2, 2 * part - 203, 2 * part - 100, 3 * part, ROWS_N - 1};
    for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++) {
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            make_input();
            input[rows[i]] = values[v];
            run(&half, ROWS_N, whole);
            run(&half, 50, cut);
            expect_same("half");
            cr_expect(isnan(whole[rows[i]]));
            cr_expect(rows[i] + 3 >= ROWS_N ||
                      (isnan(whole[rows[i] + 2]) && whole[rows[i] + 3] == input[rows[i] + 1] +
                                                                              input[rows[i] + 2] +
                                                                              input[rows[i] + 3]));
        }
    }
}

Test(recursive, each_member_of_a_family_is_as_if_alone)
{
    enum { MEMBERS_N = 19 };
    static double out[MEMBERS_N][ROWS_N];
    static struct recursive_state states[MEMBERS_N];
    struct indicator_span spans[MEMBERS_N];
    double param[MEMBERS_N];
    make_input();
    input[5000] = NAN;
    for (unsigned i = 0; i < MEMBERS_N; i++) {
        param[i] = i == 4 ? 3 : 1 + 700 * i;
        spans[i] = (struct indicator_span){.rows_n = ROWS_N,
                                           .input = {input},
                                           .param = &param[i],
                                           .state = &states[i],
                                           .out = {i == 7 ? NULL : out[i]}};
    }
    cr_assert_eq(recursive_advance_family(&half, spans, MEMBERS_N), 0);
    run(&half, 50, cut);
    memcpy(whole, out[4], sizeof(whole));
    expect_same("the member of 3");
    cr_expect_eq(states[7].seen, (uint64_t)param[7]);
}
