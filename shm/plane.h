/* SPDX-License-Identifier: MIT */
/* The data plane: bars and series of a whole run in sealed memory files.
 *
 * The supervisor makes it (plane_create): a core with clocks, bars, alignments and the table of all
 * series that the run may need, and empty extents for the values of these. All files are sealed so
 * that only the maps which plane_create() made can write; processes that the supervisor forks
 * inherit these maps and may fill places, workers get read-only descriptors. A series is seen by
 * readers once it is published, and is whole then.
 *
 *              place            publish
 *     absent ─────────► placed ─────────► there
 *            ◄─────────        ◄─────────
 *             unplace           unlink
 *
 * An unlinked series is found by nobody, but a reader that found it before may still read: its
 * place may be given back once every batch that had begun by then has ended. plane_release() does
 * both at once, for one that nobody can have found. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"
#include "shm/layout.h"
#include "shm/series.h"
#include "shm/timeframe.h"

/* The extra column that accounts take as money a unit, paid at the start of its bar. */
#define COLUMN_CASH_DIVIDEND "cash_dividend"

/* Bars of one symbol as columns; borrowed views. Extra columns are series under their own names. */
struct bars {
    const char *symbol;
    uint32_t rows_n;
    const int64_t *time_ns; /* ascending, unique */
    const double *open;
    const double *high;
    const double *low;
    const double *close;
    const double *volume;
    uint32_t extra_n;
    const char *const *extra_names;
    const double *const *extra; /* [extra_n][rows_n]; NaN: undefined */
};

/* One symbol of an opened plane. */
struct plane_view {
    struct bars bars;           /* extra_n is 0: extra columns are series here */
    const int32_t *row_of_step; /* [steps_n], -1: no bar; NULL: row == step */
    uint32_t first_row;
};

/* Bars of one clock of an opened plane. */
struct plane_clock_view {
    struct bars bars; /* of the larger timeframe; extra_n is 0 */
    uint32_t symbol_idx;
    struct timeframe timeframe;
};

struct plane {
    const struct plane_header *header;
    const uint8_t *base;
    size_t size_bytes;
    int core_fd;        /* for private maps; -1: none */
    uint32_t symbols_n; /* those of reference included, which have no steps */
    uint32_t traded_n;
    uint32_t clocks_n; /* number s < symbols_n is symbol s's own */
    uint32_t steps_n;
    uint32_t first_step;
    const int64_t *clock_ns;
    struct plane_view *symbol;                /* [symbols_n], owned */
    struct plane_clock_view *clock;           /* [clocks_n], owned */
    const uint8_t *extent[PLANE_EXTENTS_MAX]; /* NULL: dropped, or none */
};

/* Descriptors of a plane: read-only, close-on-exec. */
struct plane_fds {
    int core;
    uint32_t extents_n;
    int extent[PLANE_EXTENTS_MAX]; /* -1: dropped */
};

/* ---- writing: supervisor and its builders --------------------------------------------------- */

struct plane_writer;

/* Bars of a symbol that are made of its own. */
struct plane_clock_plan {
    uint32_t symbol_idx;
    struct timeframe timeframe; /* not TIMEFRAME_OWN */
};

struct plane_series_plan {
    uint32_t clock_idx; /* < symbols_n: that symbol's own; then clocks[clock_idx - symbols_n] */
    const char *key;    /* canonical, relative to the clock; unique within it, no column's name */
    enum series_dtype dtype;
};

/* What goes in. Columns of `bars` (extra ones too) are there on every clock and need no series. */
struct plane_plan {
    uint32_t symbols_n;
    uint32_t traded_n;         /* the others, behind them, are of reference */
    const struct bars *bars;   /* [symbols_n], warm-up rows included */
    const uint32_t *first_row; /* [symbols_n]: rows before it are warm-up */
    uint32_t clocks_n;
    const struct plane_clock_plan *clocks; /* [clocks_n] */
    uint32_t series_n;
    const struct plane_series_plan *series; /* [series_n] */
    /* [traded_n]: expressions of other symbols name it, so that they need an alignment to all of
     * its clocks; NULL: none is. Symbols of reference always are. Every symbol is aligned to its
     * own larger timeframes. */
    const bool *is_named;
    bool is_rounded;              /* series of numbers are SERIES_F32, those not planned too */
    uint64_t series_budget_bytes; /* memory for series; UINT64_MAX: room for all of them */
    uint64_t data_hash[2];
};

/* Bytes of the core, without any series; UINT64_MAX where the plan cannot be. */
uint64_t plane_core_bytes(const struct plane_plan *plan);
/* Bytes of all series of a plan at once. */
uint64_t plane_series_bytes_all(const struct plane_plan *plan);

/* Makes all files, writes clocks, bars, alignments and tables, seals. The plan may go afterwards.
 */
int plane_create(const struct plane_plan *plan, struct plane_writer **ret_writer,
                 struct err *err) ADMF_MUST_CHECK;
void plane_writer_destroy(struct plane_writer *w); /* accepts NULL */
/* Reading through the writer's own maps: sees what is published. Lives as long as the writer. */
const struct plane *plane_writer_view(const struct plane_writer *w);
/* Borrowed; changes when an extent is dropped. */
const struct plane_fds *plane_writer_fds(const struct plane_writer *w);

/* Gives series i (of the plan) a place and reserves its memory, so that writing there cannot fail.
 * NULL: no room. The address holds in every process forked since plane_create(). Its bytes are
 * whatever stood there before. */
void *plane_place(struct plane_writer *w, uint32_t series_idx);
/* Values are whole: readers find them from now on. */
void plane_publish(struct plane_writer *w, uint32_t series_idx, uint32_t first_defined);
/* No reader finds it from now on; its values stay, and may be published again. */
void plane_unlink(struct plane_writer *w, uint32_t series_idx);
/* Gives a place back that is not published. Nobody may be reading. */
void plane_unplace(struct plane_writer *w, uint32_t series_idx);
void plane_release(struct plane_writer *w, uint32_t series_idx); /* unlink and unplace */
bool plane_is_there(const struct plane_writer *w, uint32_t series_idx);
/* The first row of a series' values (rows_n of its clock) that is defined. */
uint32_t plane_first_defined(enum series_dtype dtype, const void *values, uint32_t rows_n);

/* Drops extents that hold nothing, as long as the others have room for what is still to come;
 * their memory goes back once readers have called plane_sync(). */
void plane_drop_idle_extents(struct plane_writer *w, uint64_t bytes_still_to_come);
/* In a builder process: unmaps what the supervisor has dropped since the fork. */
void plane_writer_sync(struct plane_writer *w);

struct plane_writer_bytes {
    uint64_t core;
    uint64_t series_now, series_peak; /* of places taken */
    uint64_t held_now, held_peak;     /* memory of extents: pages, free places included */
};
struct plane_writer_bytes plane_writer_bytes(const struct plane_writer *w);

/* ---- reading: workers ----------------------------------------------------------------------- */

/* Maps all of it; the descriptors may be closed afterwards. Checks header, tables and every offset:
 * ERR_DATA for what is no plane. */
int plane_open(const struct plane_fds *fds, struct plane **ret_plane,
               struct err *err) ADMF_MUST_CHECK;
void plane_close(struct plane *plane); /* accepts NULL */
/* Unmaps extents that were dropped: at each batch. */
void plane_sync(struct plane *plane);

/* Values of a series, rows_n of its clock: a column of its bars by name (open high low close
 * volume, extra ones), or a series that is published. False: not there. */
bool plane_series(const struct plane *plane, uint32_t clock_idx, const char *key,
                  struct series_view *ret_view);
/* The same for columns alone. */
bool plane_column(const struct plane *plane, uint32_t clock_idx, const char *name,
                  struct series_view *ret_view);
/* The same as plane_series() for f64: NULL where there is none, or of another type. */
const double *plane_f64(const struct plane *plane, uint32_t clock_idx, const char *key,
                        uint32_t *ret_first_defined);
/* The clock of a symbol and timeframe; -1: the plane has none. */
int64_t plane_clock_find(const struct plane *plane, uint32_t symbol_idx,
                         struct timeframe timeframe);
/* [own rows of the symbol] the last finished row of a clock, -1: none yet. NULL: not planned. */
const int32_t *plane_alignment(const struct plane *plane, uint32_t symbol_idx, uint32_t clock_idx);
/* Row of a traded symbol at a step, or -1. */
static inline int32_t plane_row(const struct plane_view *view, uint32_t step)
{
    return view->row_of_step ? view->row_of_step[step] : (int32_t)step;
}
