/* SPDX-License-Identifier: MIT */
/* What the files of the hub share: pins and users (hub.c), what is asked for (queue.c), room and
 * value (room.c), jobs (jobs.c).
 *
 *   ABSENT ──asked──► WAITING ──arguments are made──► QUEUED ──► BUILDING ──whole──► THERE
 *     ▲                  └──────── none to wait for ────▲ │           │               │  ▲
 *     │ ◄──────────────── no room ────────────────────────┘           │      evicted, │  │ asked
 *     │ ◄──────────────── its builder died ─► QUEUED, or LEFT ◄───────┘      released ▼  │ again
 *     └──────────────────────────────────── the grace is over ─────────────────── UNLINKED
 *
 * LEFT is for good: workers compute it. */
#pragma once

#include <assert.h>

#include "supervisor/hub/builders.h"

#define HUB_NONE        UINT32_MAX
#define HUB_VALUES      64 /* classes of value */
#define HUB_SHELVES     (2 * HUB_VALUES)
#define HUB_JOB_BYTES   (UINT64_C(64) << 20)
#define HUB_JOB_NS      25e6 /* what a job should take: more would let others wait */
#define HUB_CRASHES_MAX 2    /* of a job of one series: it is left to workers */
#define HUB_LATES_MAX   2    /* jobs of one indicator that took too long: all of it is left */
#define HUB_KILLS_MAX   8    /* by SIGKILL from outside, which say little about the series */

enum item_state {
    ITEM_ABSENT,
    ITEM_WAITING,
    ITEM_QUEUED,
    ITEM_BUILDING,
    ITEM_THERE,
    ITEM_UNLINKED,
    ITEM_LEFT,
};

/* A series as the hub sees it. */
struct item {
    uint64_t users_n; /* combinations that are not settled */
    uint32_t next;    /* in the queue, in its class of value, or among the unlinked; by state */
    uint32_t prev;    /* HUB_NONE: none */
    uint32_t group_next, group_prev; /* QUEUED: in its group */
    uint32_t pins_n;                 /* batches that need it */
    uint32_t jobs_n;                 /* that read it */
    uint32_t needed_n;               /* series that are made from it, needed, and not there */
    uint32_t waits_n;                /* WAITING: arguments that are being made */
    uint32_t first_defined;
    uint32_t mark[2];     /* of the last list that it was put on: a pin's, a combination's */
    uint64_t unlinked_at; /* UNLINKED: batches that had begun by then */
    uint8_t state;        /* enum item_state */
    uint8_t shelf;        /* of those below, where it can be taken from; HUB_SHELVES: none */
    uint8_t crashes, kills;
    bool was_built;
    bool is_kept;    /* nobody knows when its last user is done */
    bool holds_args; /* it counts in needed_n of its arguments */
};

struct item_list {
    uint32_t first, last;
};

struct kind {
    double value_ns;  /* measured; 0: not yet */
    uint32_t lates_n; /* jobs that took too long since one was whole */
};

/* What a combination would compute and keep, had it all series of its own. */
struct hub_share {
    uint64_t values, bytes;
    uint32_t series_n;
};

struct hub_pin {
    struct hub_pin *next, *prev; /* of those that have begun, oldest first */
    uint64_t begun;              /* which it is of those; 0: it has not */
    uint32_t wanted_n;           /* the first of series[]: asked for */
    uint32_t series_n;           /* with all arguments */
    uint32_t ready_n;            /* of the wanted: settled one way or the other */
    uint32_t combos_n;
    uint64_t private_bytes;
    uint64_t evicted_n;       /* by the whole run, when it began */
    uint32_t *series;         /* [series_n] */
    uint32_t *use_off;        /* [combos_n + 1] */
    uint32_t *use;            /* [use_off[k], use_off[k + 1]): what combination k reads */
    struct hub_share share[]; /* [combos_n], and behind them the arrays above */
};

struct hub {
    struct hub_source source;
    struct item *item;        /* [series_n] */
    uint32_t *dependents_off; /* [series_n + 1] */
    uint32_t *dependents;
    struct kind *kind;       /* [kinds_n] */
    struct item_list *group; /* [groups_n] of QUEUED ones */
    struct item_list queue;
    struct item_list shelf[HUB_SHELVES]; /* by class of value: those not pinned, and the pinned */
    struct item_list unlinked;
    uint64_t unlinked_bytes;
    uint32_t queued_n, building_n;
    uint32_t mark[2];
    uint32_t *list[2];       /* [series_n] each: of a pin, of a combination */
    uint32_t *use;           /* [use_most]: of the combinations of a pin, one after another */
    struct hub_share *share; /* [share_most]: of each */
    size_t use_most, share_most;
    /* batches */
    struct hub_pin *oldest, *newest;
    uint64_t begun_n;
    uint64_t private_bytes;
    /* no room, but memory on its way */
    int64_t stalled_since_ns; /* 0: not */
    uint64_t gone_n;          /* series that had left when idle memory was looked for last */
    int64_t dropped_ns;
    /* builders */
    uint32_t builders_n;
    struct builder *builder; /* [builders_n] */
    int epoll_fd;
    uint64_t jobs_n;
    int64_t patience_ns;
    uint32_t start_failures;
    int64_t start_again_ns;
    struct hub_stats stats;
    int64_t cpu_ns;
};

static inline const struct hub_series *hub_series_of(const struct hub *hub, uint32_t i)
{
    return &hub->source.series[i];
}

/* Whether anyone will still look for it. */
static inline bool item_is_needed(const struct item *item)
{
    return item->users_n > 0 || item->needed_n > 0 || item->is_kept;
}

/* Whether it will be there, or not, only later. */
static inline bool item_is_coming(const struct item *item)
{
    return item->state == ITEM_WAITING || item->state == ITEM_QUEUED ||
           item->state == ITEM_BUILDING;
}

/* ---- hub.c: what is computed where it is used ------------------------------------------------ */

/* Counts what a worker or a builder computes by itself as it is not there, once between two
 * count_begin(). Returns the memory that it takes meanwhile. */
void count_begin(struct hub *hub);
uint64_t count_absent(struct hub *hub, uint32_t i);
uint64_t count_absent_args(struct hub *hub, uint32_t i); /* those of a series alone */

/* ---- queue.c: what is asked for ------------------------------------------------------------- */

void list_append(struct hub *hub, struct item_list *list, uint32_t i);
void list_remove(struct hub *hub, struct item_list *list, uint32_t i);
/* Asks for a series, and before it for its arguments, where it is not there or on its way. */
void queue_ask(struct hub *hub, uint32_t i);
/* It is there, or will not be: what waits for it is looked at. `state` is its new one. */
void queue_settle(struct hub *hub, uint32_t i, enum item_state state);
/* Back into the queue, at its head. */
void queue_return(struct hub *hub, uint32_t i);
/* Out of the queue. */
void queue_take(struct hub *hub, uint32_t i);

/* ---- room.c: what stays --------------------------------------------------------------------- */

enum room { ROOM_TAKEN, ROOM_NONE, ROOM_LATER };
/* Finds a place, making room where something of less value can go. ROOM_LATER: memory is on its
 * way. */
enum room room_place(struct hub *hub, uint32_t i, void **ret_out);
/* After any change of its state, users, pins or jobs: it is put where it can be evicted, or goes
 * where nobody needs it. */
void room_review(struct hub *hub, uint32_t i);
/* After a change of its pins from none or to none. */
void room_pinned(struct hub *hub, uint32_t i);
/* An unlinked one is wanted again. */
void room_relink(struct hub *hub, uint32_t i);
/* Frees what no batch can be reading any more. */
void room_reclaim(struct hub *hub);
double room_cost_ns(const struct hub *hub, uint32_t i);

/* ---- jobs.c --------------------------------------------------------------------------------- */

void jobs_turn(struct hub *hub);
void jobs_end(struct hub *hub); /* ends all builders */
