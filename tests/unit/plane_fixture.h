/* SPDX-License-Identifier: MIT */
/* A small plane for tests: two symbols, three series. */
#pragma once

#include <criterion/criterion.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>

#include "proto/units.h"
#include "shm/plane.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])
#define HOUR_NS         (NS_PER_DAY / 24)
#define ROWS            60
#define ALL_SEALS       (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE)

/* Two symbols: A has a bar every hour from 0; B every second hour from hour 6 on. */
struct sample {
    int64_t time[2][ROWS];
    double column[2][5][ROWS];
    double extra[ROWS];
    const double *extras[1];
    const char *extra_names[1];
    struct bars bars[2];
    uint32_t first_row[2];
    struct plane_series_plan series[3];
    struct plane_plan plan;
};

static inline void fill_sample(struct sample *s)
{
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < ROWS; i++) {
            s->time[k][i] = (k == 0 ? i : 6 + 2 * i) * HOUR_NS;
            for (int c = 0; c < 5; c++)
                s->column[k][c][i] = 1000 * k + 100 * c + i;
            s->extra[i] = i < 3 ? NAN : i * 0.25;
        }
        s->bars[k] = (struct bars){
            .symbol = k == 0 ? "A" : "B",
            .rows_n = ROWS,
            .time_ns = s->time[k],
            .open = s->column[k][0],
            .high = s->column[k][1],
            .low = s->column[k][2],
            .close = s->column[k][3],
            .volume = s->column[k][4],
        };
    }
    s->extras[0] = s->extra;
    s->extra_names[0] = "forecast";
    s->bars[1].extra_n = 1;
    s->bars[1].extra = s->extras;
    s->bars[1].extra_names = s->extra_names;
    s->first_row[0] = 10;
    s->first_row[1] = 4; /* hour 14 */
    s->series[0] = (struct plane_series_plan){1, "sma(close,3)", SERIES_F64};
    s->series[1] = (struct plane_series_plan){0, "sma(close,3)", SERIES_F64};
    s->series[2] = (struct plane_series_plan){0, "rsi(close,14)", SERIES_F64};
    s->plan = (struct plane_plan){
        .symbols_n = 2,
        .traded_n = 2,
        .bars = s->bars,
        .first_row = s->first_row,
        .series_n = 3,
        .series = s->series,
        .series_budget_bytes = UINT64_MAX,
        .data_hash = {0x1234, 0x5678},
    };
}

static inline struct plane_writer *create(const struct plane_plan *plan)
{
    struct plane_writer *w = NULL;
    struct err err = {0};
    cr_assert(plane_create(plan, &w, &err) == 0, "%s", err.text);
    return w;
}

static inline void publish(struct plane_writer *w, uint32_t i, const double *values,
                           uint32_t rows_n)
{
    double *place = plane_place(w, i);
    cr_assert(place != NULL);
    memcpy(place, values, rows_n * sizeof(double));
    plane_publish(w, i, plane_first_defined(SERIES_F64, place, rows_n));
}

/* Series i is NaN before row 2 + i, then 10 i + row; the last one is never defined. */
static inline struct plane_writer *build_sample(struct sample *s)
{
    fill_sample(s);
    struct plane_writer *w = create(&s->plan);
    for (uint32_t i = 0; i < 3; i++) {
        double values[ROWS];
        for (uint32_t row = 0; row < ROWS; row++)
            values[row] = i == 2 || row < 2 + i ? NAN : 10 * i + row;
        publish(w, i, values, ROWS);
    }
    return w;
}

static inline struct plane *open_plane(const struct plane_writer *w)
{
    struct plane *plane = NULL;
    struct err err = {0};
    cr_assert(plane_open(plane_writer_fds(w), &plane, &err) == 0, "%s", err.text);
    return plane;
}
