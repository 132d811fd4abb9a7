/* SPDX-License-Identifier: MIT */
/* Every byte that processes share, declared in one place.
 *
 * Memory files:
 *   core    header | tables | names | live words | columns …   the plane's bars, clocks and tables
 *   extent  series, wherever the live words say                up to 64 of them
 *   slots   header | step cells | one slot per worker          live state of a run
 * Positions are offsets from the start of a file, multiples of 64; never pointers. Core and slots
 * carry magic, layout version and size; the core's header and tables carry an XXH3-64 checksum,
 * and a reader checks every offset against the size before it uses one.
 *
 * Core and extents are sealed against growth, shrinking and every map that could write, except
 * those that the supervisor made before. */
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define PLANE_MAGIC        UINT64_C(0x31454e414c504d41) /* "AMPLANE1" */
#define SLOTS_MAGIC        UINT64_C(0x3153544f4c534d41) /* "AMSLOTS1" */
#define SHM_LAYOUT_VERSION 2
#define SHM_ALIGN          64
#define PLANE_EXTENTS_MAX  64

/* ---- plane ---------------------------------------------------------------------------------- */

struct plane_header {
    uint64_t magic;
    uint32_t version;
    uint32_t symbols_n; /* traded ones first, then those of reference */
    uint64_t size_bytes;
    uint64_t tables_checksum; /* of everything from symbols_off up to live_off */
    uint64_t symbols_off;     /* struct plane_symbol[symbols_n] */
    uint64_t clocks_off;      /* struct plane_clock[clocks_n]; number s < symbols_n: s's own bars */
    uint64_t alignments_off;  /* struct plane_alignment[], sorted by (symbol_idx, clock_idx) */
    uint64_t series_off;      /* struct plane_series[series_n], sorted by (clock_idx, key bytes) */
    uint64_t names_off;       /* NUL-terminated texts */
    uint64_t live_off;        /* struct plane_live, then struct plane_place[series_n] */
    uint64_t columns_off;     /* where columns start */
    uint64_t merged_off;      /* int64_t[steps_n]: the merged clock, ns UTC, ascending */
    uint64_t extent_bytes;    /* of each extent */
    uint32_t traded_n;        /* symbols in the merged clock */
    uint32_t clocks_n;
    uint32_t alignments_n;
    uint32_t series_n;
    uint32_t extents_n;
    uint32_t steps_n;      /* all steps, warm-up included */
    uint32_t first_step;   /* the first step of the run's range; earlier ones feed series alone */
    uint32_t is_rounded;   /* 1: what is or would be stored of numbers is rounded to float */
    uint64_t data_hash[2]; /* XXH3-128 of what was loaded */
    uint64_t header_checksum; /* of the bytes before it; last field */
};

struct plane_symbol {
    uint64_t name_off;
    uint64_t row_of_step_off; /* int32_t[steps_n]: row, or -1 where it has no bar; 0: row == step,
                                 or a symbol of reference, which has no steps */
    uint32_t first_row;       /* the first row of the run's range */
    uint32_t pad;
};

/* Bars of one symbol, its own or those of a larger timeframe. */
struct plane_clock {
    uint64_t time_off; /* int64_t[rows_n] */
    uint64_t open_off; /* double[rows_n], as are the next */
    uint64_t high_off;
    uint64_t low_off;
    uint64_t close_off;
    uint64_t volume_off;
    uint32_t symbol_idx;
    uint32_t timeframe_unit; /* enum timeframe_unit */
    uint32_t timeframe_n;
    uint32_t rows_n;
};

/* Which row of a clock is finished at each own row of a symbol. */
struct plane_alignment {
    uint32_t symbol_idx;
    uint32_t clock_idx;
    uint64_t row_of_off; /* int32_t[own rows of the symbol], -1: none yet; never descends */
};

struct plane_series {
    uint64_t key_off;       /* canonical expression relative to its clock, NUL-terminated */
    uint64_t column_off;    /* values in the core, there from the beginning; 0: see its place */
    uint32_t clock_idx;     /* it has as many rows */
    uint32_t dtype;         /* enum series_dtype */
    uint32_t first_defined; /* of a column; rows_n if none */
    uint32_t pad;
};

/* Written by the supervisor, read by workers at each batch: one cache line. */
struct plane_live {
    _Atomic uint64_t dropped; /* bit e: extent e is gone, its memory given back */
    uint64_t pad[7];
};

/* Where a series stands now. `place` is stored with release once values and first_defined are
 * whole, and loaded with acquire. */
struct plane_place {
    _Atomic uint64_t place; /* 0: not there; else PLANE_PLACE_SET | extent << 56 | offset / 64 */
    _Atomic uint32_t first_defined;
    uint32_t pad;
};

#define PLANE_PLACE_SET          (UINT64_C(1) << 63)
#define PLANE_PLACE_EXTENT_SHIFT 56
#define PLANE_PLACE_OFFSET_MASK  ((UINT64_C(1) << PLANE_PLACE_EXTENT_SHIFT) - 1)

static_assert(sizeof(struct plane_header) == 160, "plane header layout");
static_assert(offsetof(struct plane_header, header_checksum) == 152, "plane header layout");
static_assert(sizeof(struct plane_symbol) == 24, "plane symbol layout");
static_assert(sizeof(struct plane_clock) == 64, "plane clock layout");
static_assert(sizeof(struct plane_alignment) == 16, "plane alignment layout");
static_assert(sizeof(struct plane_series) == 32, "plane series layout");
static_assert(sizeof(struct plane_live) == 64, "one line");
static_assert(sizeof(struct plane_place) == 16, "plane place layout");
static_assert(offsetof(struct plane_place, first_defined) == 8, "plane place layout");

/* ---- slots ---------------------------------------------------------------------------------- */

#define SLOTS_MAX        256 /* workers of one run */
#define LAST_WORDS_BYTES 192

/* Written by the supervisor, read by workers: one cache line. */
struct step_cell {
    _Atomic uint32_t step; /* futex: the sequence number of the published step */
    _Atomic uint32_t bar;  /* the clock step that it stands for */
    uint32_t pad[14];
};

/* Written by every worker of the barrier, read by the supervisor: one cache line. */
struct arrive_cell {
    _Atomic uint32_t pending; /* arrivals still to come; above them, bits of the step's number */
    _Atomic uint32_t done;    /* futex: becomes the step's sequence number when pending reaches 0 */
    uint32_t pad[14];
};

/* One worker. First line written by the supervisor, the others by that worker alone. */
struct slot {
    /* supervisor's line */
    _Atomic uint32_t worker;         /* number of the worker start that owns it; 0: free */
    _Atomic uint32_t fills_expected; /* ROUTED_FILLS frames sent to it up to the published step */
    uint32_t pad0[14];

    /* worker's line */
    _Atomic uint32_t state;       /* enum slot_state */
    _Atomic uint32_t phase;       /* enum slot_phase */
    _Atomic uint64_t combination; /* the one it is at */
    _Atomic uint32_t bar;         /* the step it is at */
    _Atomic uint32_t symbol_idx;
    /* Steps worked through since its start. A free run adds those of a container at its end; in
     * between, `bar` counts them. Lockstep adds one for each published step. So a worker that is at
     * work changes combination, bar or heartbeat from one bar to the next. */
    _Atomic uint64_t heartbeat;
    _Atomic int64_t started_ns;    /* CLOCK_MONOTONIC when it took up that combination */
    _Atomic uint32_t arrived_step; /* lockstep: the last step it arrived for */
    _Atomic uint32_t signals_sent; /* lockstep: SIGNALS frames sent before that arrival */
    uint64_t pad2[2];

    /* last words: written once by a dying worker (signal handler: plain stores alone) */
    _Atomic uint32_t words_signal;
    uint32_t pad1;
    char words[LAST_WORDS_BYTES - 8];
};

struct slots_header {
    uint64_t magic;
    uint32_t version;
    uint32_t slots_n;
    uint64_t size_bytes;
    uint64_t pad[5];
    struct step_cell step;
    struct arrive_cell arrive;
};

static_assert(sizeof(struct step_cell) == 64, "one line");
static_assert(sizeof(struct arrive_cell) == 64, "one line");
static_assert(sizeof(struct slot) == 64 + 64 + LAST_WORDS_BYTES, "slot layout");
static_assert(offsetof(struct slot, state) == 64, "the worker's line");
static_assert(offsetof(struct slot, words_signal) == 128, "last words");
static_assert(sizeof(struct slots_header) == 192, "slots header layout");
