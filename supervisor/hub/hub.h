/* SPDX-License-Identifier: MIT */
/* The hub: which series are in the plane at any moment, and who makes them.
 *
 *   batch ──need──► pin ──► asked for ──► job ──► builder ──whole──► published ──► ready ──► begun
 *   results ──settled──► one user less ──► nobody left: released
 *
 * Lazy: a series is made when a batch that needs it is prepared, in the order of asking, arguments
 * first. Counted: it goes when its last combination is settled and no series that is to be made
 * from it is left. Bounded: where there is no room, what would cost most to compute again stays;
 * the rest is absent, and workers compute it by tiles, which gives the same bytes.
 *
 * Nobody reads memory that is used again: a series that is to go is unlinked first, so that no one
 * finds it, and its place is free once every batch that had begun by then has ended.
 *
 * Builders are processes (builders.h). What they compute, and where it is put, is behind struct
 * hub_source. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/err.h"
#include "proto/spec.h"

#define HUB_JOB_SERIES_MAX 64
#define HUB_KEPT_FDS_MAX   80

/* One series of the plan. */
struct hub_series {
    uint64_t users_n; /* combinations that read it */
    bool is_estimate; /* users_n: it stays to the end */
    uint64_t bytes;
    uint64_t private_bytes; /* that a worker holds while it computes it by itself */
    uint32_t rows_n;
    uint32_t group;    /* one pass makes any of a group; below groups_n */
    uint32_t kind;     /* what it costs is measured by kind; below kinds_n */
    uint32_t args_off; /* its arguments: args[args_off, args_off of the next), all before it */
    double value_ns;   /* what one value costs, as long as it was not measured */
};

/* Where series come from and go to. All but `build` are called in the supervisor and may not block.
 */
struct hub_source {
    void *ctx;
    uint32_t series_n, groups_n, kinds_n;
    const struct hub_series *series; /* [series_n + 1]; of the last just args_off counts */
    const uint32_t *args;
    uint32_t needs_most; /* series of one combination */
    /* The series that a combination reads, each once: at most needs_most. Returns how many. */
    uint32_t (*needs)(void *ctx, const struct combo *combo, uint32_t *ret_series);
    /* Memory for its values that builders can write to; NULL: no room. */
    void *(*place)(void *ctx, uint32_t series);
    void (*unplace)(void *ctx, uint32_t series); /* of one that was not published */
    /* Whole: readers find it. */
    void (*publish)(void *ctx, uint32_t series, uint32_t first_defined);
    /* Readers do not find it any more; its values stay until it is published again or released. */
    void (*unlink)(void *ctx, uint32_t series);
    void (*release)(void *ctx, uint32_t series); /* of an unlinked one */
    /* Gives back memory that will not be needed again; may be NULL. */
    void (*drop_idle)(void *ctx, uint64_t bytes_to_come);
    uint64_t (*bytes_now)(void *ctx); /* of places taken */
    /* The most memory that was held for them, free places included; NULL: no more than taken. */
    uint64_t (*held_peak)(void *ctx);
    const char *(*key)(void *ctx, uint32_t series);
    /* Descriptors that builders need, at most HUB_KEPT_FDS_MAX; returns how many. May be NULL. */
    uint32_t (*kept_fds)(void *ctx, int *ret_fds);
    /* In a builder: computes series of one group into their places. Anything may go wrong here. */
    int (*build)(void *ctx, const uint32_t *series, void *const *out, uint32_t n,
                 uint32_t *ret_first_defined, struct err *err);
};

struct hub_options {
    struct hub_source source; /* what it points to outlives the hub */
    uint32_t builders_n;      /* at most; 0: none, all series are left to workers */
    int64_t patience_ns;      /* how long a job may take beyond what it should; 0: the default */
};

struct hub_stats {
    uint32_t series_n; /* planned */
    uint64_t built_n;  /* different ones that were made */
    uint64_t users_n;  /* times that a combination was made of one, directly or through others */
    uint64_t recomputed_n; /* made again, and times that a worker computed an absent one, at most */
    uint64_t evicted_n, released_n;
    uint64_t left_n; /* that builders cannot make */
    char left_why[256];
    uint64_t bytes_now, bytes_peak; /* in the plane */
    uint64_t held_peak;             /* memory of the plane for them, free places included */
    uint64_t private_bytes_peak;    /* in workers, of absent ones */
    uint64_t naive_bytes;           /* a copy for each combination that was settled */
    uint64_t calculations;          /* values computed, those of jobs that failed too */
    uint64_t naive_calculations;    /* values, had each combination computed its own */
    uint64_t calculations_saved;    /* the difference */
    double efficiency;              /* its share */
    double memory_saved_frac;       /* the share of naive_bytes that was never held */
    double computing_speedup;       /* naive_calculations over calculations */
    double build_s;                 /* processor time of builders */
    uint32_t builders_started_n, builder_deaths_n;
};

struct hub;
struct hub_pin; /* series that stay as long as a batch needs them */

int hub_open(const struct hub_options *options, struct hub **ret_hub,
             struct err *err) ADMF_MUST_CHECK;
void hub_limit(struct hub *hub, uint32_t builders_n); /* lowers their number; before the first */
void hub_close(struct hub *hub);                      /* ends builders; accepts NULL */

/* Pins what these combinations need and asks for what is absent. Fails without memory alone.
 * Without a hub (NULL) nothing is needed: *ret_pin is NULL, and ready. */
int hub_need(struct hub *hub, const struct combo *combos, uint32_t n, struct hub_pin **ret_pin,
             struct err *err) ADMF_MUST_CHECK;
/* The same for all series of the plan. */
int hub_need_all(struct hub *hub, struct hub_pin **ret_pin, struct err *err) ADMF_MUST_CHECK;
/* Everything is there, or cannot be. */
bool hub_is_ready(const struct hub *hub, struct hub_pin *pin);
/* Its combinations go to a worker now. */
void hub_begin(struct hub *hub, struct hub_pin *pin);
/* They have ended, or never begun. Accepts NULL. */
void hub_unpin(struct hub *hub, struct hub_pin *pin);
/* Combination k of a pin has its final result, of whatever kind. */
void hub_settled(struct hub *hub, const struct hub_pin *pin, uint32_t k);
/* The same for one that no pin is at hand of: it was settled by an earlier attempt at the run. */
void hub_settled_combo(struct hub *hub, const struct combo *combo);

int hub_poll_fd(const struct hub *hub); /* readable: hub_turn() has something to do */
/* Takes what builders made, buries the dead, gives jobs. To be called every 50 ms at least. */
void hub_turn(struct hub *hub);
/* Turns until the pin is ready, or the time is up: false. */
bool hub_wait(struct hub *hub, struct hub_pin *pin, int timeout_ms);

void hub_stats(struct hub *hub, struct hub_stats *ret_stats);
