/* SPDX-License-Identifier: MIT */
/* The promise: a series has its place for itself from the moment it gets it until it gives it back,
 * its memory is there before anybody writes, what is held stays within the budget, what fits is
 * given, and what a process forked since writes is what readers find once it is published. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/plane_fixture.h"

#define LONG_ROWS   102400 /* whole pages */
#define LONG_BYTES  (LONG_ROWS * UINT64_C(8))
#define LONG_SERIES 60 /* 49 MB: three extents */

/* One symbol with many rows. */
struct tape {
    int64_t time[LONG_ROWS];
    double column[LONG_ROWS];
    struct bars bars;
    uint32_t first_row;
    char key[LONG_SERIES][16];
    struct plane_series_plan series[LONG_SERIES];
    struct plane_plan plan;
};

static struct tape tape;

static const struct plane_plan *tape_plan(uint64_t budget_bytes)
{
    struct tape *t = &tape;
    for (uint32_t i = 0; i < LONG_ROWS; i++)
        t->time[i] = i * HOUR_NS;
    t->bars = (struct bars){"LONG",    LONG_ROWS, t->time, t->column, t->column, t->column,
                            t->column, t->column, 0,       NULL,      NULL};
    for (uint32_t i = 0; i < LONG_SERIES; i++) {
        (void)snprintf(t->key[i], sizeof t->key[i], "s%u", i);
        t->series[i] = (struct plane_series_plan){0, t->key[i], SERIES_F64};
    }
    t->plan = (struct plane_plan){.symbols_n = 1,
                                  .traded_n = 1,
                                  .bars = &t->bars,
                                  .first_row = &t->first_row,
                                  .series_n = LONG_SERIES,
                                  .series = t->series,
                                  .series_budget_bytes = budget_bytes};
    return &t->plan;
}

static uint64_t bytes_of_file(int fd)
{
    struct stat st;
    cr_assert(fstat(fd, &st) == 0);
    return (uint64_t)st.st_blocks * 512;
}

static uint64_t bytes_of_extents(const struct plane_writer *w)
{
    const struct plane_fds *fds = plane_writer_fds(w);
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < fds->extents_n; i++)
        bytes += fds->extent[i] >= 0 ? bytes_of_file(fds->extent[i]) : 0;
    return bytes;
}

static void fill(double *values, double x)
{
    for (uint32_t row = 0; row < LONG_ROWS; row++)
        values[row] = x + row;
}

/* ---- one series ----------------------------------------------------------------------------- */

Test(places, series_is_found_when_it_is_published_and_not_before)
{
    static struct sample s;
    fill_sample(&s);
    struct plane_writer *w = create(&s.plan);
    struct plane *plane = open_plane(w); /* before there is anything */
    struct series_view view;

    double *values = plane_place(w, 1);
    cr_assert(values && !plane_is_there(w, 1));
    cr_assert(!plane_series(plane, 0, "sma(close,3)", &view), "it has no values yet");
    for (uint32_t row = 0; row < ROWS; row++)
        values[row] = row < 7 ? NAN : row;
    plane_publish(w, 1, 7);
    cr_assert(plane_is_there(w, 1) && !plane_is_there(w, 0) && !plane_is_there(w, 99));
    cr_assert(plane_series(plane, 0, "sma(close,3)", &view));
    cr_assert(view.first_defined == 7 && ((const double *)view.values)[9] == 9);
    cr_assert(!plane_series(plane, 1, "sma(close,3)", &view), "that of the other symbol");

    plane_unlink(w, 1);
    cr_assert(!plane_series(plane, 0, "sma(close,3)", &view) && !plane_is_there(w, 1));
    cr_assert(values[9] == 9, "values of an unlinked series stay");
    plane_publish(w, 1, 8);
    cr_assert(plane_series(plane, 0, "sma(close,3)", &view) && view.first_defined == 8);
    plane_release(w, 1);
    cr_assert(!plane_series(plane_writer_view(w), 0, "sma(close,3)", &view));
    cr_assert(plane_writer_bytes(w).series_now == 0 && plane_writer_bytes(w).series_peak == 512);
    plane_close(plane);
    plane_writer_destroy(w);
}

Test(places, types_take_what_they_need)
{
    static struct sample s;
    fill_sample(&s);
    s.series[0].dtype = SERIES_BITS;
    s.series[1].dtype = SERIES_F32;
    struct plane_writer *w = create(&s.plan);
    struct plane *plane = open_plane(w);
    struct series_view view;

    uint64_t *bits = plane_place(w, 0);
    bits[0] = UINT64_C(5);
    plane_publish(w, 0, plane_first_defined(SERIES_BITS, bits, ROWS));
    float *floats = plane_place(w, 1);
    for (int row = 0; row < ROWS; row++)
        floats[row] = row < 4 ? NAN : 0.5F;
    plane_publish(w, 1, plane_first_defined(SERIES_F32, floats, ROWS));
    cr_assert(plane_writer_bytes(w).series_now == 64 + 256);
    cr_assert(plane_series(plane, 1, "sma(close,3)", &view));
    cr_assert(view.dtype == SERIES_BITS && ((const uint64_t *)view.values)[0] == 5);
    cr_assert(view.first_defined == 0 && plane_f64(plane, 1, "sma(close,3)", NULL) == NULL);
    cr_assert(plane_series(plane, 0, "sma(close,3)", &view));
    cr_assert(view.dtype == SERIES_F32 && ((const float *)view.values)[4] == 0.5F);
    cr_assert(view.first_defined == 4);
    plane_close(plane);
    plane_writer_destroy(w);
}

Test(places, what_a_forked_builder_writes_is_what_readers_find)
{
    struct plane_writer *w = create(tape_plan(UINT64_MAX));
    struct plane *plane = open_plane(w);
    int jobs[2], answers[2];
    cr_assert(pipe(jobs) == 0 && pipe(answers) == 0);

    /* It is forked before it is known what goes where. */
    pid_t pid = fork();
    cr_assert(pid >= 0);
    if (pid == 0) {
        void *at;
        for (uint32_t i = 0; read(jobs[0], &at, sizeof at) == (ssize_t)sizeof at; i++) {
            fill(at, 1000.0 * i);
            if (write(answers[1], "x", 1) != 1)
                break;
            if (i + 1 == LONG_SERIES)
                break;
        }
        _exit(0);
    }
    char answer;
    for (uint32_t i = 0; i < LONG_SERIES; i++) {
        void *at = plane_place(w, i);
        cr_assert(at && write(jobs[1], &at, sizeof at) == (ssize_t)sizeof at);
        cr_assert(read(answers[0], &answer, 1) == 1);
        plane_publish(w, i, 0);
    }
    cr_assert(waitpid(pid, NULL, 0) == pid);
    for (uint32_t i = 0; i < LONG_SERIES; i++) {
        const double *values = plane_f64(plane, 0, tape.key[i], NULL);
        cr_assert(values && values[0] == 1000.0 * i && values[777] == 1000.0 * i + 777);
    }
    plane_close(plane);
    plane_writer_destroy(w);
}

/* ---- memory --------------------------------------------------------------------------------- */

Test(places, memory_is_there_before_anybody_writes)
{
    struct plane_writer *w = create(tape_plan(UINT64_MAX));
    cr_assert(plane_writer_fds(w)->extents_n == 3);
    cr_assert(bytes_of_extents(w) == 0, "extents are empty at first");
    cr_assert(bytes_of_file(plane_writer_fds(w)->core) >= plane_writer_bytes(w).core);

    struct plane *plane = open_plane(w);
    cr_assert(bytes_of_extents(w) == 0, "opening takes none");
    cr_assert(plane_place(w, 0) && plane_place(w, 1));
    uint64_t held = bytes_of_extents(w);
    cr_assert(held >= 2 * LONG_BYTES && plane_writer_bytes(w).held_now == 2 * LONG_BYTES);
    plane_unplace(w, 0);
    cr_assert(plane_place(w, 2) && bytes_of_extents(w) == held, "a free place is used again");
    plane_close(plane);
    plane_writer_destroy(w);
}

Test(places, all_of_a_plan_fit_where_there_is_room_for_all)
{
    struct plane_writer *w = create(tape_plan(plane_series_bytes_all(tape_plan(UINT64_MAX))));
    for (uint32_t i = 0; i < LONG_SERIES; i++) {
        cr_assert(plane_place(w, i) != NULL, "%u", i);
        plane_publish(w, i, 0);
    }
    struct plane_writer_bytes bytes = plane_writer_bytes(w);
    cr_assert(bytes.series_now == LONG_SERIES * LONG_BYTES && bytes.held_now == bytes.series_now);
    plane_writer_destroy(w);
}

Test(places, budget_bounds_what_is_held)
{
    static const struct {
        uint64_t budget_bytes;
        uint32_t fit;
    } rows[] = {{0, 0},
                {LONG_BYTES - 1, 0},
                {LONG_BYTES, 1},
                {10 * LONG_BYTES + 63, 10},
                {45 * LONG_BYTES, 45}};
    for (size_t k = 0; k < COUNT_OF(rows); k++) {
        struct plane_writer *w = create(tape_plan(rows[k].budget_bytes));
        uint32_t fit = 0;
        for (uint32_t i = 0; i < LONG_SERIES; i++)
            fit += plane_place(w, i) != NULL;
        cr_assert(fit == rows[k].fit, "%zu: %u", k, fit);
        cr_assert(plane_writer_bytes(w).held_peak <= rows[k].budget_bytes);
        struct plane *plane = open_plane(w); /* with no extent as well */
        plane_close(plane);
        plane_writer_destroy(w);
    }
}

/* Of series of three sizes, coming and going at random, none ever writes over another. */
Test(places, none_overlaps_another)
{
    enum { N = LONG_SERIES, TURNS = 20000 };
    const struct plane_plan *plan = tape_plan(20 * LONG_BYTES);
    for (uint32_t i = 0; i < N; i++)
        tape.series[i].dtype = (enum series_dtype)(i % 3);
    struct plane_writer *w = create(plan);
    uint8_t *at[N] = {NULL};
    uint64_t state = 11, refused = 0;

    for (int turn = 0; turn < TURNS; turn++) {
        state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
        uint32_t i = (uint32_t)(state >> 33) % N;
        uint64_t bytes = series_bytes(tape.series[i].dtype, LONG_ROWS);
        if (at[i]) {
            cr_assert(at[i][0] == i && at[i][bytes - 1] == i, "%u was written over", i);
            plane_unplace(w, i);
            at[i] = NULL;
            continue;
        }
        at[i] = plane_place(w, i);
        refused += !at[i];
        if (at[i]) {
            cr_assert((uintptr_t)at[i] % SHM_ALIGN == 0);
            at[i][0] = at[i][bytes - 1] = (uint8_t)i;
        }
        for (uint32_t k = 0; k < N && at[i]; k++) {
            uint64_t other = series_bytes(tape.series[k].dtype, LONG_ROWS);
            cr_assert(k == i || !at[k] || at[k] + other <= at[i] || at[i] + bytes <= at[k]);
        }
        cr_assert(plane_writer_bytes(w).held_now <= 20 * LONG_BYTES);
    }
    cr_assert(refused > 0, "the budget was never reached");
    for (uint32_t i = 0; i < N; i++)
        if (at[i])
            plane_unplace(w, i);
    cr_assert(plane_writer_bytes(w).series_now == 0);
    for (uint32_t i = 0; i < 20; i++) /* what is free has grown together again */
        cr_assert(tape.series[i].dtype != SERIES_F64 || plane_place(w, i) != NULL);
    plane_writer_destroy(w);
}

/* ---- memory given back ---------------------------------------------------------------------- */

Test(places, idle_extents_are_dropped_and_readers_let_them_go)
{
    struct plane_writer *w = create(tape_plan(UINT64_MAX));
    struct plane *plane = open_plane(w);
    struct series_view view;
    for (uint32_t i = 0; i < LONG_SERIES; i++) {
        fill(plane_place(w, i), i);
        plane_publish(w, i, 0);
    }
    uint64_t held = plane_writer_bytes(w).held_now;
    plane_drop_idle_extents(w, 0);
    cr_assert(plane_writer_bytes(w).held_now == held, "nothing is idle");

    for (uint32_t i = 1; i < LONG_SERIES; i++)
        plane_release(w, i);
    plane_drop_idle_extents(w, LONG_SERIES * LONG_BYTES);
    cr_assert(plane_writer_bytes(w).held_now == held, "all of it is still to come");
    plane_drop_idle_extents(w, 10 * LONG_BYTES);
    cr_assert(plane_writer_bytes(w).held_now < held);
    const struct plane_fds *fds = plane_writer_fds(w);
    cr_assert(fds->extent[2] >= 0 && fds->extent[1] == -1 && fds->extent[0] == -1);
    cr_assert(bytes_of_extents(w) < held);

    cr_assert(plane->extent[1] && plane->extent[0]);
    plane_sync(plane);
    cr_assert(plane->extent[2] && !plane->extent[1] && !plane->extent[0]);
    struct plane *late = open_plane(w); /* of a worker that starts now */
    for (uint32_t i = 1; i <= 10; i++) {
        cr_assert(plane_place(w, i) != NULL, "%u", i);
        plane_publish(w, i, 0);
        cr_assert(plane_series(late, 0, tape.key[i], &view));
    }
    cr_assert(plane_f64(late, 0, "s0", NULL)[5] == 5 && plane_f64(plane, 0, "s0", NULL)[5] == 5);
    plane_close(late);
    plane_close(plane);
    plane_writer_destroy(w);
}

/* Every second series is a condition, and outlives the one that it was made of. */
Test(places, conditions_that_stay_keep_no_memory_of_series_that_went)
{
    const struct plane_plan *plan = tape_plan(UINT64_MAX);
    for (uint32_t i = 0; i < LONG_SERIES; i++)
        tape.series[i].dtype = i % 2 ? SERIES_BITS : SERIES_F64;
    struct plane_writer *w = create(plan);
    for (uint32_t i = 0; i < LONG_SERIES; i++) {
        cr_assert(plane_place(w, i) != NULL);
        plane_publish(w, i, 0);
    }
    cr_assert(plane_writer_fds(w)->extents_n > 1);
    uint64_t held = bytes_of_extents(w);
    for (uint32_t i = 0; i < LONG_SERIES; i += 2)
        plane_release(w, i);
    plane_drop_idle_extents(w, 0);
    cr_assert(bytes_of_extents(w) < held / 2, "%" PRIu64 " of %" PRIu64, bytes_of_extents(w), held);
    plane_writer_destroy(w);
}

Test(places, builder_lets_go_of_dropped_extents)
{
    struct plane_writer *w = create(tape_plan(UINT64_MAX));
    int go[2];
    cr_assert(pipe(go) == 0);
    pid_t pid = fork();
    cr_assert(pid >= 0);
    if (pid == 0) {
        char c;
        bool had = plane_writer_view(w)->extent[2] != NULL;
        if (read(go[0], &c, 1) != 1)
            _exit(2);
        plane_writer_sync(w);
        _exit(had && !plane_writer_view(w)->extent[2] ? 0 : 1);
    }
    plane_drop_idle_extents(w, 0);
    cr_assert(write(go[1], "g", 1) == 1);
    int status;
    cr_assert(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    cr_assert(plane_place(w, 0) == NULL, "all of them are gone");
    plane_writer_destroy(w);
}
