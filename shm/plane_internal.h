/* SPDX-License-Identifier: MIT */
/* What the writer and the reader of a plane must agree on beyond its layout, and the parts of the
 * writer. */
#pragma once

#include <fcntl.h>
#include <sys/types.h>
#include <xxhash.h>

#include "shm/plane.h"

#define PLANE_SEALS      (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE)
#define PLANE_ROWS_MAX   (INT32_MAX - 1) /* rows are told apart from -1 in an int32_t */
#define PLANE_CLOCKS_MAX 4096

static inline uint64_t plane_header_checksum(const struct plane_header *h)
{
    return XXH3_64bits(h, offsetof(struct plane_header, header_checksum));
}

static inline uint64_t plane_tables_checksum(const uint8_t *base, const struct plane_header *h)
{
    return XXH3_64bits(base + h->symbols_off, h->live_off - h->symbols_off);
}

static inline const struct plane_place *plane_places(const uint8_t *base,
                                                     const struct plane_header *h)
{
    return (const struct plane_place *)(base + h->live_off + sizeof(struct plane_live));
}

/* Fills everything but maps and extents from a core that is known to be right. 0 or -ENOMEM. */
int plane_view_init(struct plane *plane, const uint8_t *base, size_t size_bytes) ADMF_MUST_CHECK;
void plane_view_fini(struct plane *plane);

/* NULL if a core is right in all that plane_view_init() and readers rely on, else what is wrong. */
const char *plane_check_core(const uint8_t *base, uint64_t size_bytes);
/* Says where a file may be believed to stay as it is; the size is checked to be size_bytes, or
 * returned where *size_bytes is 0. */
const char *plane_check_file(int fd, uint64_t *size_bytes);

/* ---- the draft: tables of a plan before they are in the core -------------------------------- */

struct plane_draft {
    const struct plane_plan *plan;
    uint32_t *clock_rows;       /* [clocks_n] */
    struct plane_header header; /* all but checksums */
    struct plane_symbol *symbol;
    struct plane_clock *clock;
    struct plane_alignment *alignment;
    struct plane_series *series; /* sorted */
    const char **key;            /* [series_n] of the sorted table, borrowed */
    uint32_t *extra_of;          /* [series_n] number of the extra column; UINT32_MAX: planned */
    uint32_t *series_of_plan;    /* [plan->series_n] where it stands in the sorted table */
};

int plane_draft_make(const struct plane_plan *plan, struct plane_draft *ret_draft,
                     struct err *err) ADMF_MUST_CHECK;
void plane_draft_fini(struct plane_draft *d);
/* Writes header, tables, clocks, bars and alignments into the core. */
int plane_draft_write(const struct plane_draft *d, uint8_t *base, struct err *err) ADMF_MUST_CHECK;

/* ---- the merged clock ----------------------------------------------------------------------- */

/* Counts steps of the traded symbols, and those before the earliest row of any one's range. */
void plane_merge_count(const struct plane_plan *plan, uint32_t *ret_steps_n,
                       uint32_t *ret_first_step);
/* Fills clock[steps_n] and each symbol's map, NULL where it needs none. */
void plane_merge_fill(const struct plane_plan *plan, int64_t *clock, int32_t *const *row_of_step);

/* ---- places --------------------------------------------------------------------------------- */

/* A stretch of an extent that no series has. */
struct plane_gap {
    struct plane_gap *next; /* at a higher offset, never adjacent */
    uint64_t off, bytes;
};

/* Makes the file hold that memory, so that this process is charged with it and nobody finds it
 * wanting later. */
int plane_reserve(int fd, uint8_t *base, uint64_t from, uint64_t bytes) ADMF_MUST_CHECK;

struct plane_extent {
    uint8_t *base; /* writable; NULL: dropped */
    int fd;        /* writable, to reserve memory */
    struct plane_gap *gaps;
    uint64_t held_bytes; /* from its start: reserved once, kept until it is dropped */
    uint32_t places_n;
};

struct plane_spot {
    enum { SPOT_ABSENT, SPOT_PLACED, SPOT_THERE } state;
    uint32_t extent;
    uint64_t off;
};

#define PAGE_BYTES UINT64_C(4096)

struct plane_writer {
    struct plane view;
    struct plane_fds fds;
    uint8_t *core;
    struct plane_live *live;
    struct plane_place *place; /* [header.series_n] */
    struct plane_extent extent[PLANE_EXTENTS_MAX];
    uint32_t extents_n;
    uint64_t extent_bytes, budget_bytes, largest_bytes;
    uint32_t series_n;        /* of the plan, as are the next */
    uint32_t *series_of_plan; /* where it stands in the table */
    struct plane_spot *spot;
    struct plane_gap *gap_pool, *gap_free;
    struct plane_writer_bytes bytes;
};

/* How much the extents of a plan hold, and how many there are. */
struct plane_room {
    uint64_t budget_bytes;  /* memory that may be held */
    uint64_t largest_bytes; /* of a single series within the budget */
    uint64_t extent_bytes;
    uint32_t extents_n;
};
/* clock_rows: [symbols_n + clocks_n]. */
struct plane_room plane_room_of(const struct plane_plan *plan, const uint32_t *clock_rows);
int plane_gaps_init(struct plane_writer *w) ADMF_MUST_CHECK; /* 0 or -ENOMEM */
