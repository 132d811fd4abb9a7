/* SPDX-License-Identifier: MIT */
/* Every byte that processes share, declared in one place.
 *
 * Two memory files:
 *   plane  header | symbol table | series table | names | columns …   written once, then sealed
 *   slots  header | step cells | one slot per worker                   live state of a run
 * Positions are offsets from the start of the file, multiples of 64; never pointers. Both files
 * carry magic, layout version and size; the plane's header and tables carry an XXH3-64 checksum,
 * and a reader checks every offset against the size before it uses one. */
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define PLANE_MAGIC        UINT64_C(0x31454e414c504d41) /* "AMPLANE1" */
#define SLOTS_MAGIC        UINT64_C(0x3153544f4c534d41) /* "AMSLOTS1" */
#define SHM_LAYOUT_VERSION 1
#define SHM_ALIGN          64

/* ---- plane ---------------------------------------------------------------------------------- */

struct plane_header {
    uint64_t magic;
    uint32_t version;
    uint32_t symbols_n;
    uint64_t size_bytes;
    uint64_t tables_checksum; /* of everything from symbols_off up to columns_off */
    uint64_t symbols_off;     /* struct plane_symbol[symbols_n] */
    uint64_t series_off;      /* struct plane_series[series_n], sorted by (symbol_idx, key bytes) */
    uint64_t names_off;       /* NUL-terminated texts */
    uint64_t columns_off;     /* where columns start */
    uint64_t clock_off;       /* int64_t[steps_n]: the merged clock, ns UTC, ascending */
    uint32_t series_n;
    uint32_t steps_n;    /* all steps, warm-up included */
    uint32_t first_step; /* the first step of the run's range; earlier ones feed series alone */
    uint32_t pad;
    uint64_t data_hash[2];    /* XXH3-128 of what was loaded */
    uint64_t header_checksum; /* of the bytes before it; last field */
};

struct plane_symbol {
    uint64_t name_off;
    uint64_t row_of_step_off; /* int32_t[steps_n]: row, or -1 where it has no bar; 0: row == step */
    uint64_t time_off;        /* int64_t[rows_n] */
    uint64_t open_off;        /* double[rows_n], as are the next */
    uint64_t high_off;
    uint64_t low_off;
    uint64_t close_off;
    uint64_t volume_off;
    uint32_t rows_n;
    uint32_t first_row; /* the first row of the run's range */
};

struct plane_series {
    uint64_t key_off;    /* canonical expression, NUL-terminated */
    uint64_t values_off; /* double[rows_n of its symbol] */
    uint32_t symbol_idx;
    uint32_t first_defined; /* first row that is not NaN; rows_n if none */
};

static_assert(sizeof(struct plane_header) == 112, "plane header layout");
static_assert(offsetof(struct plane_header, header_checksum) == 104, "plane header layout");
static_assert(sizeof(struct plane_symbol) == 72, "plane symbol layout");
static_assert(sizeof(struct plane_series) == 24, "plane series layout");

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
