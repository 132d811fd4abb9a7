/* SPDX-License-Identifier: MIT */
/* Promise: every combination is given out exactly once, whatever comes back; a worker's state
 * changes along its diagram alone; a culprit is tried again as often as it may be, and not once
 * more. */
#include <math.h>
#include <stdatomic.h>
#include <unistd.h>

#include "proto/msg.h"
#include "supervisor/pool/pace.h"
#include "tests/unit/config_fixture.h"

#define GRID                                                                                       \
    "type: optimization\n"                                                                         \
    "data: {symbols: [SPX]}\n"                                                                     \
    "strategies:\n"                                                                                \
    "  - type: sma_cross\n"                                                                        \
    "    parameters: {fast_period: {from: 2, to: 11, step: 1}, slow_period: [20, 30, 40]}\n"       \
    "    where: fast_period != 5\n"

#define GRID_N      30
#define GRID_KEPT_N 27

static struct config *config;

static void set_up(void)
{
    config = fixture_load(GRID, NULL);
    cr_assert_eq(config->combinations_n, GRID_N);
}

static void tear_down(void)
{
    config_destroy(config);
}

static void work_ready(struct work *w)
{
    struct err err;
    cr_assert_eq(work_init(w, config, &err), 0);
}

/* ---- work ----------------------------------------------------------------------------------- */

TestSuite(work, .init = set_up, .fini = tear_down);

/* Takes all there is in pieces; counts how often each number came. */
static uint32_t take_all(struct work *w, uint32_t piece, unsigned seen[static GRID_N])
{
    struct combo combos[GRID_N];
    uint64_t numbers[GRID_N];
    uint32_t all = 0, n;
    while ((n = work_take(w, piece, combos, numbers)) > 0)
        for (uint32_t i = 0; i < n; i++, all++) {
            cr_assert(numbers[i] < GRID_N);
            cr_assert_eq(combos[i].combination, numbers[i]);
            cr_assert_eq(combos[i].container_seq, 100 + numbers[i]);
            seen[numbers[i]]++;
        }
    return all;
}

Test(work, gives_each_number_that_runs_exactly_once)
{
    for (uint32_t piece = 1; piece <= GRID_N; piece++) {
        struct work w;
        unsigned seen[GRID_N] = {0};
        work_ready(&w);
        w.first_container_seq = 100;
        cr_assert_eq(w.left_n, GRID_KEPT_N);
        cr_assert_eq(take_all(&w, piece, seen), GRID_KEPT_N);
        for (uint64_t n = 0; n < GRID_N; n++) {
            struct combo combo;
            cr_assert_eq(seen[n], grid_combo(config, n, &combo) ? 1 : 0, "number %d", (int)n);
        }
        cr_assert(work_is_given_out(&w));
        cr_assert_eq(w.left_n, 0);
        work_fini(&w);
    }
}

Test(work, passes_over_what_has_a_result)
{
    struct work w;
    unsigned seen[GRID_N] = {0};
    work_ready(&w);
    w.first_container_seq = 100;
    cr_assert(work_mark_done(&w, 0));
    cr_assert(work_mark_done(&w, 29));
    cr_assert(!work_mark_done(&w, 29), "a second result is refused");
    cr_assert(!work_mark_done(&w, GRID_N), "so is one beyond the grid");
    cr_assert_eq(take_all(&w, 4, seen), GRID_KEPT_N - 2);
    cr_assert_eq(seen[0] + seen[29], 0);
    work_fini(&w);
}

Test(work, gives_again_what_came_back_in_order)
{
    struct work w;
    unsigned seen[GRID_N] = {0};
    struct combo combos[4];
    uint64_t numbers[4];
    work_ready(&w);
    w.first_container_seq = 100;
    (void)take_all(&w, 7, seen);
    const uint64_t back[] = {20, 3, 8};
    for (size_t i = 0; i < 3; i++)
        cr_assert_eq(work_give_back(&w, back[i]), 0);
    cr_assert(!work_is_given_out(&w));
    cr_assert_eq(w.left_n, 3);
    cr_assert_eq(work_take(&w, 2, combos, numbers), 2);
    cr_assert_eq(numbers[0], 3);
    cr_assert_eq(numbers[1], 8);
    cr_assert_eq(work_take(&w, 2, combos, numbers), 1);
    cr_assert_eq(numbers[0], 20);
    cr_assert(work_is_given_out(&w));
    work_fini(&w);
}

Test(work, gives_retries_in_the_order_of_their_faults)
{
    struct work w;
    struct work_retry retry;
    struct combo combo;
    work_ready(&w);
    cr_assert(!work_pop_retry(&w, &retry, &combo));
    for (uint64_t n = 0; n < 3; n++)
        cr_assert_eq(work_push_retry(&w, &(struct work_retry){.combination = n, .attempts = 1}), 0);
    for (uint64_t n = 0; n < 3; n++) {
        cr_assert(work_pop_retry(&w, &retry, &combo));
        cr_assert_eq(retry.combination, n);
        cr_assert_eq(combo.combination, n);
    }
    work_fini(&w);
}

Test(batch, finds_its_own_in_any_order_and_no_others)
{
    const uint64_t numbers[] = {2, 3, 5, 80, 81};
    struct work_batch b;
    cr_assert_eq(batch_ref_set(&b, 9, numbers, 5), 0);
    cr_assert_eq(batch_ref_find(&b, 2), 0);
    cr_assert_eq(batch_ref_find(&b, 3), 1);
    cr_assert_eq(batch_ref_find(&b, 81), 4);
    cr_assert_eq(batch_ref_find(&b, 4), -1);
    cr_assert_eq(batch_ref_find(&b, UINT64_MAX), -1);
    batch_ref_mark_done(&b, 4);
    cr_assert(batch_ref_is_done(&b, 4));
    cr_assert(!batch_ref_is_done(&b, 3));
    cr_assert_eq(b.done_n, 1);
    batch_ref_fini(&b);
}

/* ---- states --------------------------------------------------------------------------------- */

Test(worker_ref, moves_along_its_diagram_alone)
{
    static const struct {
        enum worker_state from;
        enum worker_event event;
        enum worker_state to;
    } edges[] = {
        {WORKER_ABSENT, WORKER_EV_SPAWNED, WORKER_STARTING},
        {WORKER_STARTING, WORKER_EV_HELLO, WORKER_SETTING_UP},
        {WORKER_SETTING_UP, WORKER_EV_READY, WORKER_IDLE},
        {WORKER_IDLE, WORKER_EV_GIVEN, WORKER_BUSY},
        {WORKER_BUSY, WORKER_EV_GIVEN, WORKER_BUSY},
        {WORKER_BUSY, WORKER_EV_DRAINED, WORKER_IDLE},
        {WORKER_IDLE, WORKER_EV_DISMISSED, WORKER_FINISHING},
    };
    for (int from = 0; from < WORKER_STATE_N; from++)
        for (int event = 0; event < WORKER_EVENT_N; event++) {
            int to = from; /* where it does not move */
            for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++)
                if ((int)edges[i].from == from && (int)edges[i].event == event)
                    to = (int)edges[i].to;
            bool is_there = from != WORKER_ABSENT;
            if (event == WORKER_EV_CONDEMNED && is_there && from != WORKER_CONDEMNED)
                to = WORKER_CONDEMNED;
            if (event == WORKER_EV_EXITED && is_there)
                to = WORKER_ABSENT;
            struct worker_ref w = {.state = (enum worker_state)from};
            bool moved = worker_ref_move(&w, (enum worker_event)event);
            bool should = to != from || (from == WORKER_BUSY && event == WORKER_EV_GIVEN);
            cr_assert_eq(moved, should, "%s, event %d", worker_state_name((enum worker_state)from),
                         event);
            cr_assert_eq((int)w.state, to);
        }
}

/* ---- faults --------------------------------------------------------------------------------- */

TestSuite(attempt, .init = set_up, .fini = tear_down);

struct bench {
    struct pool pool;
    struct run_record record;
    struct run_data data;
    struct slot slot;
};

static struct bench *bench_make(uint32_t retries)
{
    struct bench *b = calloc(1, sizeof *b);
    struct err err;
    cr_assert(b);
    config->retries = retries;
    b->pool.config = config;
    b->data.range.symbols_n = 1;
    b->data.first_step = 50;
    b->pool.data = &b->data;
    cr_assert_eq(work_init(&b->pool.work, config, &err), 0);
    ledger_init(&b->pool.ledger, config, &b->record);
    atomic_store(&b->slot.bar, 150);
    atomic_store(&b->slot.phase, PHASE_RUN);
    return b;
}

static void bench_free(struct bench *b)
{
    work_fini(&b->pool.work);
    ledger_fini(&b->pool.ledger);
    free(b);
}

static void fail_once(struct bench *b, const struct work_retry *past, bool is_foreign_kill)
{
    pool_attempt_failed(&b->pool,
                        &(struct attempt){.past = *past,
                                          .status = STATUS_CRASHED,
                                          .signal = is_foreign_kill ? SIGKILL : SIGSEGV,
                                          .is_foreign_kill = is_foreign_kill,
                                          .slot = &b->slot,
                                          .words = "",
                                          .reason = is_foreign_kill ? "SIGKILL" : "SIGSEGV"});
}

Test(attempt, a_culprit_is_quarantined_after_its_last_retry)
{
    for (uint32_t retries = 0; retries < 3; retries++) {
        struct bench *b = bench_make(retries);
        struct work_retry retry = {.combination = 7};
        struct combo combo;
        for (uint32_t i = 0; i < retries; i++) {
            fail_once(b, &retry, false);
            cr_assert_eq(b->pool.ledger.result_n, 0);
            cr_assert(work_pop_retry(&b->pool.work, &retry, &combo));
            cr_assert_eq(retry.attempts, i + 1);
        }
        fail_once(b, &retry, false);
        cr_assert_eq(b->pool.work.retry_n, 0);
        cr_assert_eq(b->pool.ledger.fault_n, retries + 1);
        cr_assert_eq(b->pool.ledger.result_n, 1);
        const struct result *r = &b->pool.ledger.result[0];
        cr_assert_eq(r->combination, 7);
        cr_assert_eq(r->status, STATUS_CRASHED);
        cr_assert(isnan(r->metrics[0]));
        cr_assert_str_eq(r->message, "SIGSEGV at bar 100 in run");
        cr_assert_eq(b->record.retried_n, retries > 0);
        cr_assert_eq(b->record.failed_n, 1);
        bench_free(b);
    }
}

Test(attempt, a_fault_says_where_and_which_attempt_it_was)
{
    struct bench *b = bench_make(1);
    fail_once(b, &(struct work_retry){.combination = 3}, false);
    const struct fault *f = &b->pool.ledger.fault[0];
    cr_assert_eq(f->combination, 3);
    cr_assert_eq(f->attempt, 1);
    cr_assert_eq(f->signal, SIGSEGV);
    cr_assert_eq(f->bar, 100, "bars count from the first of the range");
    cr_assert_eq(f->phase, PHASE_RUN);
    bench_free(b);
}

Test(attempt, kills_from_outside_are_borne_longer_but_not_for_ever)
{
    struct bench *b = bench_make(1);
    struct work_retry retry = {.combination = 7};
    struct combo combo;
    unsigned kills = 0;
    do {
        fail_once(b, &retry, true);
        kills++;
    } while (kills < 1000 && work_pop_retry(&b->pool.work, &retry, &combo));
    cr_assert_gt(kills, 4);
    cr_assert_lt(kills, 50);
    cr_assert_eq(b->pool.ledger.result_n, 1);
    bench_free(b);
}

Test(attempt, a_limit_that_was_met_is_in_the_fault)
{
    struct bench *b = bench_make(0);
    b->pool.enforces_time = true;
    config->time_per_combination_ns = 300000000;
    config->memory_limit_bytes = 64 << 20;
    pool_attempt_failed(&b->pool, &(struct attempt){.past = {.combination = 3},
                                                    .status = STATUS_TIMEOUT,
                                                    .slot = &b->slot,
                                                    .words = "",
                                                    .reason = "it ran longer than 300 ms"});
    pool_attempt_failed(&b->pool, &(struct attempt){.past = {.combination = 4},
                                                    .status = STATUS_OUT_OF_MEMORY,
                                                    .words = "not enough memory",
                                                    .reason = "out of memory",
                                                    .peak_bytes = 65 << 20});
    const struct fault *f = b->pool.ledger.fault;
    cr_assert_eq(f[0].limit, 300000000);
    cr_assert_str_eq(f[0].message, "it ran longer than 300 ms at bar 100 in run");
    cr_assert_eq(f[1].limit, 64 << 20);
    cr_assert_eq(f[1].peak_bytes, 65 << 20);
    cr_assert_str_eq(f[1].message, "not enough memory");
    bench_free(b);
}

/* ---- waves ---------------------------------------------------------------------------------- */

/* Whether the fills of one step of such a wave fit into one frame, at their most. */
static bool wave_fits(uint32_t lanes_n, uint32_t symbols_n)
{
    struct fills f = {.step = 1, .n = lanes_n * symbols_n * PACE_STEP_FILLS_MAX};
    struct buf b = {0};
    f.fills = calloc(f.n, sizeof *f.fills);
    cr_assert(f.fills);
    msg_begin(&b, MSG_FILLS, 1, 1);
    fills_encode(&b, &f);
    msg_end(&b);
    bool fits = !b.failed;
    fills_fini(&f);
    buf_fini(&b);
    return fits;
}

Test(pace, fills_of_the_largest_wave_fit_into_one_frame)
{
    static const uint32_t symbols[] = {2, 12, 13, 100, SPEC_SYMBOLS_MAX};
    for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++) {
        uint32_t n = pace_wave_lanes_max(symbols[i]);
        cr_assert_gt(n, 0);
        cr_assert(wave_fits(n, symbols[i]), "%u symbols, %u lanes", symbols[i], n);
        if (n < SPEC_BATCH_MAX)
            cr_assert(!wave_fits(n + 1, symbols[i]), "%u symbols: more would fit", symbols[i]);
    }
    cr_assert_eq(pace_wave_lanes_max(1), SPEC_BATCH_MAX);
}

/* ---- the best ------------------------------------------------------------------------------- */

TestSuite(ledger, .init = set_up, .fini = tear_down);

Test(ledger, ranks_by_the_objective_and_by_number_where_equal)
{
    static const struct {
        uint64_t combination;
        uint8_t status;
        double objective, trades;
    } rows[] = {
        {9, STATUS_OK, 1.0, 20},  {4, STATUS_OK, 1.0, 20},    {6, STATUS_OK, 1.0, 20},
        {1, STATUS_OK, NAN, 20},  {2, STATUS_CRASHED, 9, 20}, {3, STATUS_OK, 5.0, 4},
        {5, STATUS_OK, -1.0, 20},
    };
    static const struct {
        int direction;
        uint64_t best;
    } cases[] = {{1, 4}, {-1, 5}};
    for (size_t c = 0; c < 2; c++) {
        struct run_record record = {0};
        struct ledger l;
        config->direction = cases[c].direction;
        config->min_trades = 5;
        ledger_init(&l, config, &record);
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            struct result r = {.combination = rows[i].combination, .status = rows[i].status};
            r.metrics[METRIC_TRADES] = rows[i].trades;
            r.metrics[config->objective] = rows[i].objective;
            cr_assert_eq(ledger_add_result(&l, &r), 0);
        }
        cr_assert(l.progress.has_best);
        cr_assert_eq(l.progress.best.combination, cases[c].best);
        cr_assert_eq(l.progress.done_n, 7);
        cr_assert_eq(record.ok_n, 6);
        cr_assert_eq(record.failed_n, 1);
        ledger_fini(&l);
    }
}

/* ---- data ----------------------------------------------------------------------------------- */

/* A file of n daily bars; its name goes into `path`. */
static void write_csv(char path[static 64], int bars_n)
{
    snprintf(path, 64, "/tmp/admf-test-pool-XXXXXX");
    int fd = mkstemp(path);
    cr_assert(fd >= 0);
    FILE *f = fdopen(fd, "w");
    fprintf(f, "time,open,high,low,close,volume\n");
    for (int i = 0; i < bars_n; i++)
        fprintf(f, "2024-01-%02d,%d,%d,%d,%d,10\n", i + 1, 10 + i, 12 + i, 9 + i, 11 + i);
    fclose(f);
}

static int load_range(const char *path, const char *range, struct run_data *data, struct err *err)
{
    char text[512];
    snprintf(text, sizeof text, "data: {csv: {SPX: %s}%s}\nstrategies: [{type: sma_cross}]\n", path,
             range);
    struct config *c = fixture_load(text, NULL);
    int r = run_data_load(c, fixture_describe(), NULL, NULL, data, err);
    config_destroy(c);
    return r;
}

Test(run_data, cuts_the_range_and_keeps_the_warm_up_before_it)
{
    static const struct {
        const char *range;
        uint32_t steps_n, first_step, first_row;
    } rows[] = {
        {"", 20, 0, 0},
        {", from: 5, to: 15", 10, 0, 5},
        {", from: 5, to: 15, warm_up: 3", 10, 3, 5},
        {", from: 2, to: 15, warm_up: 10", 13, 2, 2},
        {", from: 2024-01-11", 10, 0, 10},
        {", from: 2024-01-11, to: 2024-01-12, warm_up: 1", 1, 1, 10},
    };
    char path[64];
    write_csv(path, 20);
    uint64_t before[2] = {0, 0};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct run_data data;
        struct err err = {0};
        int r = load_range(path, rows[i].range, &data, &err);
        cr_assert_eq(r, 0, "%s: %s", rows[i].range, err.text);
        cr_assert_eq(data.steps_n, rows[i].steps_n, "%s", rows[i].range);
        cr_assert_eq(data.first_step, rows[i].first_step, "%s", rows[i].range);
        cr_assert_eq(data.range.first_row[0], rows[i].first_row, "%s", rows[i].range);
        cr_assert(memcmp(before, data.range.data_hash, sizeof before) != 0,
                  "the range is in the hash");
        memcpy(before, data.range.data_hash, sizeof before);
        run_data_fini(&data);
    }
    unlink(path);
}

Test(run_data, refuses_a_range_without_bars)
{
    char path[64];
    write_csv(path, 20);
    struct run_data data = {.steps_n = 77};
    struct err err = {0};
    cr_assert_lt(load_range(path, ", from: 2030-01-01", &data, &err), 0);
    cr_assert_eq(err.kind, ERR_CONFIG);
    cr_assert(strstr(err.text, "2024-01-20"), "%s", err.text);
    cr_assert_eq(data.steps_n, 77, "untouched");
    unlink(path);
}
