/* SPDX-License-Identifier: MIT */
/* Promise: a series is made when a batch needs it and not before, is whole when it is found, goes
 * when its last user is done, and its memory is not used again while someone may read it. A builder
 * that dies, hangs or cannot be had costs no result: its job is given again, or left to workers.
 *
 * Value r of series i is i + r and the values of its arguments. */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proto/units.h"
#include "supervisor/hub/hub_parts.h"

#define ROWS       1000u
#define SERIES_MAX 128u
#define COMBOS_MAX 128u
#define USES_MAX   16u
#define BYTES      (ROWS * sizeof(double))
#define WAIT_MS    20000

/* Seen by builders too. */
struct shared {
    _Atomic int deaths_due[SERIES_MAX]; /* of builders that are given it; < 0: every one */
    _Atomic int signal;                 /* that they die of */
    _Atomic int errors_due[SERIES_MAX];
    _Atomic uint32_t built_n;
    uint32_t built[4096]; /* in order */
    double values[SERIES_MAX][ROWS];
};

static struct {
    struct hub_series series[SERIES_MAX + 1];
    uint32_t args[4 * SERIES_MAX], args_n, n;
    uint32_t use[COMBOS_MAX][USES_MAX], uses_n[COMBOS_MAX];
    uint32_t room; /* places */
    int32_t place_of[SERIES_MAX];
    bool is_taken[SERIES_MAX], is_found[SERIES_MAX];
    struct shared *shared;
    struct hub *hub;
} w;

/* ---- the source ----------------------------------------------------------------------------- */

static uint32_t fake_needs(void *ctx, const struct combo *combo, uint32_t *ret_series)
{
    uint32_t n = w.uses_n[combo->combination];
    memcpy(ret_series, w.use[combo->combination], n * sizeof *ret_series);
    return n;
}

static void *fake_place(void *ctx, uint32_t i)
{
    cr_assert_lt(w.place_of[i], 0, "series %u has a place", i);
    for (uint32_t p = 0; p < w.room; p++) {
        if (w.is_taken[p])
            continue;
        w.is_taken[p] = true;
        w.place_of[i] = (int32_t)p;
        memset(w.shared->values[p], 0xff, BYTES);
        return w.shared->values[p];
    }
    return NULL;
}

static void fake_release(void *ctx, uint32_t i)
{
    cr_assert_geq(w.place_of[i], 0, "series %u has no place", i);
    cr_assert(!w.is_found[i], "series %u can still be found", i);
    w.is_taken[w.place_of[i]] = false;
    w.place_of[i] = -1;
}

static void fake_publish(void *ctx, uint32_t i, uint32_t first_defined)
{
    cr_assert_geq(w.place_of[i], 0);
    cr_assert_eq(first_defined, i);
    w.is_found[i] = true;
}

static void fake_unlink(void *ctx, uint32_t i)
{
    cr_assert(w.is_found[i]);
    w.is_found[i] = false;
}

static uint64_t fake_bytes_now(void *ctx)
{
    uint64_t n = 0;
    for (uint32_t p = 0; p < SERIES_MAX; p++)
        n += w.is_taken[p];
    return n * BYTES;
}

static const char *fake_key(void *ctx, uint32_t i)
{
    static char key[16];
    snprintf(key, sizeof key, "s%u", i);
    return key;
}

static double value(uint32_t i, uint32_t r)
{
    double v = i + r;
    for (uint32_t a = w.series[i].args_off; a < w.series[i + 1].args_off; a++)
        v += value(w.args[a], r);
    return v;
}

static bool is_due(_Atomic int *due)
{
    int n = atomic_load(due);
    if (n > 0)
        atomic_fetch_sub(due, 1);
    return n != 0;
}

/* Series of kind 1 are dear. */
static void take_time(uint32_t i)
{
    struct timespec now, until;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &until);
    until.tv_nsec += w.series[i].kind == 1 ? 3000000 : 0;
    do
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    while (now.tv_sec == until.tv_sec && now.tv_nsec < until.tv_nsec);
}

static int fake_build(void *ctx, const uint32_t *series, void *const *out, uint32_t n,
                      uint32_t *ret_first_defined, struct err *err)
{
    for (uint32_t k = 0; k < n; k++) {
        double *values = out[k];
        for (uint32_t r = 0; r < ROWS; r++) {
            if (r == ROWS / 2 && is_due(&w.shared->deaths_due[series[k]]))
                raise(w.shared->signal);
            values[r] = value(series[k], r);
        }
        if (is_due(&w.shared->errors_due[series[k]]))
            return err_set(err, ERR_SYSTEM, "no luck");
        take_time(series[k]);
        ret_first_defined[k] = series[k];
        uint32_t at = atomic_fetch_add(&w.shared->built_n, 1);
        w.shared->built[at % 4096] = series[k];
    }
    return 0;
}

/* ---- the world ------------------------------------------------------------------------------ */

static void set_up(void)
{
    void *map =
        mmap(NULL, sizeof *w.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(map, MAP_FAILED);
    memset(&w, 0, sizeof w);
    w.shared = map;
    w.shared->signal = SIGKILL;
    w.room = SERIES_MAX;
    memset(w.place_of, 0xff, sizeof w.place_of);
}

/* Nothing is left behind: no process, and no place that is not found. */
static void tear_down(void)
{
    hub_close(w.hub);
    cr_expect_eq(waitpid(-1, NULL, WNOHANG), -1, "a builder was not buried");
    cr_expect_eq(errno, ECHILD);
    munmap(w.shared, sizeof *w.shared);
}

TestSuite(hub, .init = set_up, .fini = tear_down, .timeout = 60);

/* Adds a series of one argument (or none: HUB_NONE). */
static uint32_t add(uint32_t arg)
{
    uint32_t i = w.n++;
    w.series[i] =
        (struct hub_series){.bytes = BYTES, .rows_n = ROWS, .value_ns = 1, .args_off = w.args_n};
    if (arg != HUB_NONE)
        w.args[w.args_n++] = arg;
    w.series[w.n].args_off = w.args_n;
    return i;
}

static void uses(uint32_t combination, uint32_t i)
{
    w.use[combination][w.uses_n[combination]++] = i;
    w.series[i].users_n++;
}

static struct hub *hub_with(uint32_t builders_n)
{
    struct hub_options options = {
        .source = {.series_n = w.n,
                   .groups_n = 1,
                   .kinds_n = 2,
                   .series = w.series,
                   .args = w.args,
                   .needs_most = USES_MAX,
                   .needs = fake_needs,
                   .place = fake_place,
                   .unplace = fake_release,
                   .publish = fake_publish,
                   .unlink = fake_unlink,
                   .release = fake_release,
                   .bytes_now = fake_bytes_now,
                   .key = fake_key,
                   .build = fake_build},
        .builders_n = builders_n,
        .patience_ns = INT64_C(300000000),
    };
    struct err err;
    cr_assert_eq(hub_open(&options, &w.hub, &err), 0);
    return w.hub;
}

static struct hub_pin *need(uint32_t first, uint32_t n)
{
    struct combo combos[COMBOS_MAX] = {0};
    struct hub_pin *pin;
    struct err err;
    for (uint32_t k = 0; k < n; k++)
        combos[k].combination = first + k;
    cr_assert_eq(hub_need(w.hub, combos, n, &pin, &err), 0);
    return pin;
}

static struct hub_pin *need_and_wait(uint32_t first, uint32_t n)
{
    struct hub_pin *pin = need(first, n);
    cr_assert(hub_wait(w.hub, pin, WAIT_MS), "it never got ready");
    return pin;
}

/* Runs a batch to its end. */
static void end(struct hub_pin *pin)
{
    for (uint32_t k = 0; k < pin->combos_n; k++)
        hub_settled(w.hub, pin, k);
    hub_unpin(w.hub, pin);
}

static void run(uint32_t first, uint32_t n)
{
    struct hub_pin *pin = need_and_wait(first, n);
    hub_begin(w.hub, pin);
    end(pin);
}

static void expect_whole(uint32_t i)
{
    cr_assert(w.is_found[i], "series %u is not there", i);
    for (uint32_t r = 0; r < ROWS; r++)
        cr_assert_eq(w.shared->values[w.place_of[i]][r], value(i, r), "series %u, row %u", i, r);
}

static struct hub_stats stats(void)
{
    struct hub_stats s;
    hub_stats(w.hub, &s);
    return s;
}

static uint32_t found_n(void)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < w.n; i++)
        n += w.is_found[i];
    return n;
}

/* ---- lazy ----------------------------------------------------------------------------------- */

Test(hub, makes_what_a_batch_needs_and_nothing_else)
{
    for (uint32_t i = 0; i < 40; i++)
        uses(i, add(HUB_NONE));
    hub_with(2);
    hub_turn(w.hub);
    cr_expect_eq(w.shared->built_n, 0, "nobody has asked");
    struct hub_pin *pin = need_and_wait(7, 3);
    for (uint32_t i = 7; i < 10; i++)
        expect_whole(i);
    cr_expect_eq(found_n(), 3);
    hub_unpin(w.hub, pin);
    cr_expect_eq(stats().built_n, 3);
}

Test(hub, does_the_first_batch_first)
{
    for (uint32_t i = 0; i < 100; i++)
        uses(i, add(HUB_NONE));
    hub_with(1);
    struct hub_pin *pin[4];
    for (uint32_t b = 0; b < 4; b++)
        pin[b] = need(25 * (3 - b), 25);
    for (uint32_t b = 0; b < 4; b++) {
        cr_assert(hub_wait(w.hub, pin[b], WAIT_MS));
        for (uint32_t later = b + 1; later < 4; later++)
            cr_expect(found_n() >= 25 * (b + 1));
    }
    for (uint32_t at = 0; at < 100; at++)
        cr_expect_eq(w.shared->built[at] / 25, 3 - at / 25, "number %u made was %u", at,
                     w.shared->built[at]);
    for (uint32_t b = 0; b < 4; b++)
        hub_unpin(w.hub, pin[b]);
}

Test(hub, makes_a_series_once_however_many_batches_ask)
{
    uint32_t shared = add(HUB_NONE);
    for (uint32_t c = 0; c < 50; c++)
        uses(c, shared);
    hub_with(2);
    for (uint32_t c = 0; c < 50; c++)
        run(c, 1);
    cr_expect_eq(w.shared->built_n, 1);
    struct hub_stats s = stats();
    cr_expect_eq(s.users_n, 50);
    cr_expect_eq(s.calculations, ROWS);
    cr_expect_eq(s.calculations_saved, 49 * ROWS);
    cr_expect_float_eq(s.efficiency, 0.98, 1e-12);
    cr_expect_float_eq(s.memory_saved_frac, 0.98, 1e-12);
    cr_expect_float_eq(s.computing_speedup, 50, 1e-12);
}

Test(hub, makes_arguments_before_what_is_made_of_them)
{
    uint32_t last = HUB_NONE;
    for (uint32_t level = 0; level < 12; level++)
        last = add(last);
    uses(0, last);
    hub_with(2);
    struct hub_pin *pin = need_and_wait(0, 1);
    expect_whole(last);
    for (uint32_t at = 0; at < 12; at++)
        cr_expect_eq(w.shared->built[at], at);
    cr_expect_eq(found_n(), 12, "arguments stay as long as the batch may look for them");
    hub_unpin(w.hub, pin);
    cr_expect_eq(found_n(), 1, "then they go: nothing is left that is made of them");
}

Test(hub, waits_for_its_arguments_with_builders_to_spare)
{
    uint32_t base = add(HUB_NONE);
    w.series[base].kind = 1; /* the others would be done long before */
    for (uint32_t c = 0; c < 3; c++)
        uses(c, add(base));
    hub_with(2);
    struct hub_pin *pin = need_and_wait(0, 3);
    cr_expect_eq(w.shared->built[0], base);
    for (uint32_t i = 0; i < 4; i++)
        expect_whole(i);
    hub_unpin(w.hub, pin);
}

/* ---- counted -------------------------------------------------------------------------------- */

Test(hub, a_series_goes_when_its_last_user_is_settled)
{
    uint32_t a = add(HUB_NONE), b = add(HUB_NONE);
    for (uint32_t c = 0; c < 4; c++)
        uses(c, a);
    uses(3, b);
    hub_with(1);
    run(0, 1);
    run(1, 1);
    cr_expect(w.is_found[a]);
    struct hub_pin *pin = need_and_wait(2, 2);
    hub_begin(w.hub, pin);
    hub_settled(w.hub, pin, 0);
    hub_settled(w.hub, pin, 1);
    cr_expect(w.is_found[a], "its batch has not ended");
    hub_unpin(w.hub, pin);
    cr_expect_eq(found_n(), 0);
    cr_expect_eq(fake_bytes_now(NULL), 0);
    cr_expect_eq(stats().released_n, 2);
}

Test(hub, what_was_settled_before_the_run_holds_nothing)
{
    uint32_t a = add(HUB_NONE);
    for (uint32_t c = 0; c < 10; c++)
        uses(c, a);
    hub_with(1);
    for (uint64_t c = 0; c < 9; c++)
        hub_settled_combo(w.hub, &(struct combo){.combination = c});
    run(9, 1);
    cr_expect_eq(found_n(), 0);
}

Test(hub, an_estimate_of_users_releases_nothing)
{
    uint32_t a = add(HUB_NONE);
    uses(0, a);
    w.series[a].is_estimate = true;
    hub_with(1);
    run(0, 1);
    cr_expect(w.is_found[a]);
}

Test(hub, an_argument_stays_until_all_that_is_made_of_it_is_there)
{
    uint32_t base = add(HUB_NONE);
    for (uint32_t c = 0; c < 3; c++)
        uses(c, add(base));
    hub_with(1);
    run(0, 1);
    run(1, 1);
    cr_expect(w.is_found[base]);
    run(2, 1);
    cr_expect_eq(found_n(), 0);
    cr_expect_eq(w.shared->built_n, 4);
}

/* ---- bounded -------------------------------------------------------------------------------- */

Test(hub, without_room_everything_is_left_to_workers)
{
    for (uint32_t i = 0; i < 20; i++)
        uses(i, add(HUB_NONE));
    w.room = 0;
    hub_with(2);
    run(0, 20);
    struct hub_stats s = stats();
    cr_expect_eq(w.shared->built_n, 0);
    cr_expect_eq(s.recomputed_n, 20);
    cr_expect_eq(s.calculations, 20 * ROWS);
    cr_expect_eq(s.calculations_saved, 0);
}

Test(hub, what_costs_most_to_compute_again_stays)
{
    uint32_t cheap[4], dear[4];
    for (uint32_t k = 0; k < 4; k++) {
        cheap[k] = add(HUB_NONE);
        dear[k] = add(HUB_NONE);
        w.series[dear[k]].value_ns = 50;
        w.series[dear[k]].kind = 1;
        for (uint32_t c = 0; c < 2; c++) { /* the second use keeps them wanted */
            uses(4 * c + k, cheap[k]);
            uses(8 + 4 * c + k, dear[k]);
        }
    }
    w.room = 5;
    hub_with(1);
    run(0, 4);
    cr_expect_eq(found_n(), 4);
    run(8, 4);
    for (uint32_t k = 0; k < 4; k++)
        cr_expect(w.is_found[dear[k]], "dear series %u", k);
    cr_expect_eq(found_n(), 5, "one cheap one found room still");
    run(0, 4);
    for (uint32_t k = 0; k < 4; k++)
        cr_expect(w.is_found[dear[k]], "a cheap one drove out a dear one");
    cr_expect_eq(stats().evicted_n, 3);
}

Test(hub, memory_that_gets_short_during_a_run_ends_nothing)
{
    for (uint32_t i = 0; i < 60; i++) {
        uint32_t series = add(HUB_NONE);
        for (uint32_t c = 0; c < 60; c += 20)
            uses((i + c) % 60, series);
    }
    w.room = 40;
    hub_with(2);
    for (uint32_t first = 0; first < 60; first += 10) {
        run(first, 10);
        w.room = w.room > 10 ? w.room - 10 : 0; /* what is taken stays taken, no more is had */
    }
    struct hub_stats s = stats();
    cr_expect_eq(s.users_n, 180);
    cr_expect_gt(s.recomputed_n, 0);
    cr_expect_eq(found_n(), 0, "all users are done");
}

Test(hub, what_a_batch_needs_stays_for_others_of_its_kind)
{
    for (uint32_t c = 0; c < 8; c++) {
        uint32_t i = add(HUB_NONE);
        uses(c, i);
        uses(8 + c, i);
    }
    w.room = 4;
    hub_with(1);
    struct hub_pin *pin = need_and_wait(0, 4);
    hub_begin(w.hub, pin);
    run(4, 4);
    for (uint32_t i = 0; i < 4; i++)
        expect_whole(i);
    end(pin);
    cr_expect_eq(stats().evicted_n, 0);
}

Test(hub, what_a_batch_is_reading_is_whole_until_it_ends)
{
    for (uint32_t c = 0; c < 8; c++) {
        uint32_t i = add(HUB_NONE);
        uses(c, i);
        uses(8 + c, i);
        w.series[i].value_ns = c < 4 ? 1 : 1000;
        w.series[i].kind = c < 4 ? 0 : 1;
    }
    w.room = 4;
    hub_with(1);
    struct hub_pin *pin = need_and_wait(0, 4);
    hub_begin(w.hub, pin);
    struct hub_pin *dear = need(4, 4);
    cr_expect(!hub_wait(w.hub, dear, 20));
    for (uint32_t i = 0; i < 4; i++)
        for (uint32_t r = 0; r < ROWS; r++)
            cr_assert_eq(w.shared->values[w.place_of[i]][r], value(i, r));
    end(pin);
    cr_assert(hub_wait(w.hub, dear, WAIT_MS));
    cr_expect_eq(found_n(), 4);
    for (uint32_t i = 4; i < 8; i++)
        expect_whole(i);
    hub_unpin(w.hub, dear);
}

Test(hub, memory_is_used_again_when_no_batch_can_be_reading_it)
{
    uint32_t a = add(HUB_NONE), b = add(HUB_NONE), c = add(HUB_NONE);
    uses(0, a);
    uses(1, b);
    uses(2, c);
    w.room = 2;
    hub_with(1);
    struct hub_pin *reading = need_and_wait(1, 1);
    hub_begin(w.hub, reading);
    run(0, 1); /* a goes, but who began before might have found it */
    cr_expect(!w.is_found[a]);
    cr_expect_geq(w.place_of[a], 0, "its values must stay");
    for (uint32_t r = 0; r < ROWS; r++)
        cr_assert_eq(w.shared->values[w.place_of[a]][r], value(a, r));
    struct hub_pin *later = need(2, 1);
    cr_expect(!hub_wait(w.hub, later, 20), "there is no room yet, but there will be");
    end(reading);
    cr_expect_lt(w.place_of[a], 0);
    cr_assert(hub_wait(w.hub, later, WAIT_MS));
    expect_whole(c);
    hub_unpin(w.hub, later);
}

Test(hub, a_batch_that_never_ends_does_not_hold_up_others)
{
    for (uint32_t k = 0; k < 3; k++)
        uses(k, add(HUB_NONE));
    w.room = 2;
    hub_with(1);
    struct hub_pin *reading = need_and_wait(1, 1);
    hub_begin(w.hub, reading);
    run(0, 1);
    struct hub_pin *later = need(2, 1);
    cr_expect(hub_wait(w.hub, later, WAIT_MS), "its worker can compute it");
    cr_expect(!w.is_found[2]);
    hub_unpin(w.hub, later);
    end(reading);
}

Test(hub, an_unlinked_series_comes_back_for_nothing)
{
    uint32_t a = add(HUB_NONE), b = add(HUB_NONE);
    uses(0, a);
    uses(1, b);
    hub_with(1);
    struct hub_pin *reading = need_and_wait(1, 1);
    hub_begin(w.hub, reading);
    run(0, 1);
    cr_expect(!w.is_found[a]);
    struct hub_pin *again = need_and_wait(0, 1); /* a worker died before its result was kept */
    expect_whole(a);
    cr_expect_eq(w.shared->built_n, 2);
    hub_unpin(w.hub, again);
    end(reading);
}

/* ---- builders that die ---------------------------------------------------------------------- */

static void thirty_series(void)
{
    for (uint32_t i = 0; i < 30; i++)
        uses(i, add(HUB_NONE));
}

Test(hub, a_builder_that_crashes_once_costs_nothing)
{
    thirty_series();
    w.shared->signal = SIGSEGV;
    w.shared->deaths_due[13] = 1;
    hub_with(2);
    struct hub_pin *pin = need_and_wait(0, 30);
    for (uint32_t i = 0; i < 30; i++)
        expect_whole(i);
    struct hub_stats s = stats();
    cr_expect_eq(s.builder_deaths_n, 1);
    cr_expect_eq(s.left_n, 0);
    hub_unpin(w.hub, pin);
}

Test(hub, a_series_that_kills_two_builders_is_left_to_workers)
{
    thirty_series();
    w.shared->signal = SIGSEGV;
    w.shared->deaths_due[13] = -1;
    hub_with(2);
    struct hub_pin *pin = need_and_wait(0, 30);
    for (uint32_t i = 0; i < 30; i++)
        if (i != 13)
            expect_whole(i);
    cr_expect(!w.is_found[13]);
    cr_expect_lt(w.place_of[13], 0, "its place is free");
    hub_begin(w.hub, pin);
    struct hub_stats s = stats();
    cr_expect_eq(s.builder_deaths_n, 2);
    cr_expect_eq(s.left_n, 1);
    cr_expect_eq(s.recomputed_n, 1);
    cr_expect(strstr(s.left_why, "s13") && strstr(s.left_why, "SIGSEGV"), "%s", s.left_why);
    hub_unpin(w.hub, pin);
    hub_unpin(w.hub, need_and_wait(13, 1));
    cr_expect_eq(stats().builder_deaths_n, 2, "it is not tried a third time");
}

Test(hub, kills_from_outside_are_survived)
{
    thirty_series();
    w.shared->deaths_due[3] = 4;
    hub_with(2);
    struct hub_pin *pin = need_and_wait(0, 30);
    for (uint32_t i = 0; i < 30; i++)
        expect_whole(i);
    cr_expect_eq(stats().builder_deaths_n, 4);
    hub_unpin(w.hub, pin);
}

Test(hub, what_is_made_of_a_series_that_cannot_be_is_made)
{
    uint32_t base = add(HUB_NONE), top = add(base);
    uses(0, top);
    w.shared->signal = SIGABRT;
    w.shared->deaths_due[base] = -1;
    hub_with(1);
    struct hub_pin *pin = need_and_wait(0, 1);
    expect_whole(top);
    cr_expect(!w.is_found[base]);
    hub_unpin(w.hub, pin);
}

Test(hub, a_stopped_builder_is_replaced_in_time)
{
    thirty_series();
    w.shared->signal = SIGSTOP;
    w.shared->deaths_due[20] = 1;
    hub_with(2);
    struct hub_pin *pin = need_and_wait(0, 30);
    for (uint32_t i = 0; i < 30; i++)
        expect_whole(i);
    cr_expect_eq(stats().builder_deaths_n, 1);
    hub_unpin(w.hub, pin);
}

Test(hub, a_job_that_fails_twice_is_left_to_workers)
{
    thirty_series();
    w.shared->errors_due[5] = 1;
    w.shared->errors_due[6] = -1;
    hub_with(2);
    struct hub_pin *pin = need_and_wait(0, 30);
    for (uint32_t i = 0; i < 30; i++)
        if (i != 6)
            expect_whole(i);
    cr_expect(!w.is_found[6]);
    cr_expect(strstr(stats().left_why, "no luck"), "%s", stats().left_why);
    cr_expect_eq(stats().builder_deaths_n, 0);
    hub_unpin(w.hub, pin);
}

Test(hub, all_builders_dead_at_once_are_replaced)
{
    for (uint32_t i = 0; i < 100; i++)
        uses(i, add(HUB_NONE));
    hub_with(3);
    for (uint32_t first = 0; first < 100; first += 5) {
        struct hub_pin *pin = need(first, 5);
        for (uint32_t b = 0; b < w.hub->builders_n; b++)
            if (w.hub->builder[b].pid > 0)
                kill(w.hub->builder[b].pid, SIGKILL);
        cr_assert(hub_wait(w.hub, pin, WAIT_MS));
        for (uint32_t i = first; i < first + 5; i++)
            expect_whole(i);
        hub_unpin(w.hub, pin);
    }
    cr_expect_geq(stats().builder_deaths_n, 20);
    cr_expect_eq(stats().left_n, 0);
}

Test(hub, without_processes_everything_is_left_to_workers)
{
    thirty_series();
    hub_with(2);
    struct rlimit before, none;
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){3, before.rlim_max};
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0); /* a builder takes two */
    struct hub_pin *pin = need_and_wait(0, 30);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    cr_expect_eq(found_n(), 0);
    hub_begin(w.hub, pin);
    cr_expect_eq(stats().recomputed_n, 30);
    end(pin);
}

Test(hub, has_no_more_builders_than_it_may)
{
    for (uint32_t i = 0; i < 100; i++)
        uses(i, add(HUB_NONE));
    hub_with(3);
    struct hub_pin *pin = need_and_wait(0, 100);
    cr_expect_leq(stats().builders_started_n, 3);
    hub_unpin(w.hub, pin);
}

/* ---- what it saves -------------------------------------------------------------------------- */

Test(hub, a_hundred_strategies_on_ten_indicators_save_what_the_design_claims)
{
    for (uint32_t i = 0; i < 10; i++) {
        uint32_t series = add(HUB_NONE);
        for (uint32_t c = 0; c < 100; c++)
            uses(c, series);
    }
    hub_with(2);
    for (uint32_t first = 0; first < 100; first += 20)
        run(first, 20);
    struct hub_stats s = stats();
    cr_expect_eq(s.built_n, 10);
    cr_expect_eq(s.users_n, 1000);
    cr_expect_geq(s.memory_saved_frac, 0.987);
    cr_expect_geq(s.computing_speedup, 100);
    cr_expect_eq(s.bytes_now, 0);
    cr_expect_eq(s.bytes_peak, 10 * BYTES);
}
