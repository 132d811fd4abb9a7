/* SPDX-License-Identifier: MIT */
/* The promise: while series come, go and take each other's places, a reader finds a series whole
 * and its own, or does not find it. Whoever frees a place first waits for those who had begun to
 * read by then, as the hub waits for batches.
 *
 * A plain program, since ThreadSanitizer does not run under Criterion. Half of the readers look
 * through the writer's own maps, where ThreadSanitizer sees both sides of each access; the others
 * through maps as workers have them. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "shm/plane.h"

#define READERS 2
#define SERIES  64
#define ROWS    1024
#define FIT     24 /* of the series at a time */
#define TURNS   20000

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #cond);               \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static struct shared {
    pthread_mutex_t lock; /* stands for the messages between hub and workers */
    uint64_t began[READERS], ended[READERS];
    char key[SERIES][16];
    struct plane_writer *writer;
    atomic_bool is_over;
    atomic_uint_fast64_t found_n, missed_n;
} shared = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct reader {
    uint32_t me;
    const struct plane *plane;
};

static uint32_t next(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33);
}

/* ---- readers -------------------------------------------------------------------------------- */

/* Row r of a whole series is r beyond its stamp, which tells whose it is and where it begins. */
static void check_values(const struct series_view *view, uint32_t series)
{
    const double *values = view->values;
    uint64_t stamp = (uint64_t)values[0] / ROWS;
    CHECK(stamp % SERIES == series);
    CHECK(view->first_defined == stamp % ROWS);
    for (uint32_t r = 0; r < ROWS; r++)
        CHECK(values[r] == (double)(stamp * ROWS + r));
}

static void *read_on(void *arg)
{
    const struct reader *reader = arg;
    uint64_t state = reader->me + 1;
    while (!atomic_load(&shared.is_over)) {
        (void)pthread_mutex_lock(&shared.lock);
        shared.began[reader->me]++;
        (void)pthread_mutex_unlock(&shared.lock);
        for (int i = 0; i < 8; i++) {
            struct series_view view;
            uint32_t series = next(&state) % SERIES;
            bool is_there = plane_series(reader->plane, 0, shared.key[series], &view);
            atomic_fetch_add(is_there ? &shared.found_n : &shared.missed_n, 1);
            if (!is_there)
                continue;
            check_values(&view, series);
            (void)sched_yield(); /* it stays whole for as long as this reader is at it */
            check_values(&view, series);
        }
        (void)pthread_mutex_lock(&shared.lock);
        shared.ended[reader->me]++;
        (void)pthread_mutex_unlock(&shared.lock);
    }
    return NULL;
}

/* ---- the writer ----------------------------------------------------------------------------- */

/* Until everybody who had begun by now has ended. */
static void await_readers(void)
{
    uint64_t began[READERS];
    (void)pthread_mutex_lock(&shared.lock);
    for (int i = 0; i < READERS; i++)
        began[i] = shared.began[i];
    for (int i = 0; i < READERS; i++) {
        while (shared.ended[i] < began[i]) {
            (void)pthread_mutex_unlock(&shared.lock);
            (void)sched_yield();
            (void)pthread_mutex_lock(&shared.lock);
        }
    }
    (void)pthread_mutex_unlock(&shared.lock);
}

static void write_series(uint32_t series, uint64_t turn)
{
    double *values = plane_place(shared.writer, series);
    uint64_t stamp = turn * SERIES + series;
    CHECK(values != NULL);
    for (uint32_t r = 0; r < ROWS; r++)
        values[r] = (double)(stamp * ROWS + r);
    plane_publish(shared.writer, series, stamp % ROWS);
}

static void write_on(void)
{
    uint64_t state = 99;
    uint32_t there_n = 0;
    for (uint64_t turn = 1; turn <= TURNS; turn++) {
        uint32_t series = next(&state) % SERIES;
        if (plane_is_there(shared.writer, series))
            continue;
        while (there_n == FIT) {
            uint32_t victim = next(&state) % SERIES;
            if (!plane_is_there(shared.writer, victim))
                continue;
            plane_unlink(shared.writer, victim);
            await_readers();
            plane_unplace(shared.writer, victim);
            there_n--;
        }
        write_series(series, turn);
        there_n++;
    }
}

/* ---- all of it ------------------------------------------------------------------------------ */

static void create_plane(void)
{
    static int64_t time[ROWS];
    static double column[ROWS];
    static const uint32_t first_row;
    struct plane_series_plan series[SERIES];
    struct err err;
    for (uint32_t r = 0; r < ROWS; r++)
        time[r] = r;
    const struct bars bars = {.symbol = "S",
                              .rows_n = ROWS,
                              .time_ns = time,
                              .open = column,
                              .high = column,
                              .low = column,
                              .close = column,
                              .volume = column};
    for (uint32_t i = 0; i < SERIES; i++) {
        (void)snprintf(shared.key[i], sizeof shared.key[i], "s%u", i);
        series[i] = (struct plane_series_plan){0, shared.key[i], SERIES_F64};
    }
    const struct plane_plan plan = {.symbols_n = 1,
                                    .traded_n = 1,
                                    .bars = &bars,
                                    .first_row = &first_row,
                                    .series_n = SERIES,
                                    .series = series,
                                    .series_budget_bytes = FIT * ROWS * sizeof(double)};
    CHECK(plane_create(&plan, &shared.writer, &err) == 0);
}

int main(void)
{
    pthread_t thread[READERS];
    struct reader reader[READERS];
    struct plane *opened;
    struct err err;

    create_plane();
    CHECK(plane_open(plane_writer_fds(shared.writer), &opened, &err) == 0);
    for (uint32_t i = 0; i < READERS; i++) {
        reader[i] = (struct reader){i, i % 2 ? opened : plane_writer_view(shared.writer)};
        CHECK(pthread_create(&thread[i], NULL, read_on, &reader[i]) == 0);
    }
    write_on();
    atomic_store(&shared.is_over, true);
    for (int i = 0; i < READERS; i++)
        CHECK(pthread_join(thread[i], NULL) == 0);
    CHECK(shared.found_n > 0 && shared.missed_n > 0);
    plane_close(opened);
    plane_writer_destroy(shared.writer);
    return 0;
}
