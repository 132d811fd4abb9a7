/* SPDX-License-Identifier: MIT */
/* Builders: processes forked from the supervisor, which inherit its writable maps of the plane and
 * compute series into them.
 *
 *   none ──start──► idle ──give──► busy ──done──► idle
 *     ▲                │             │
 *     └──── gone ◄─────┴── died, or too late and killed
 *
 * A builder runs code of ours alone, touches no channel and no store, dies with the supervisor, and
 * gets one job at a time over a socket pair of its own. What it says is checked like any message;
 * what it computed counts when it has said that it is whole. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "supervisor/hub/hub.h"

struct builder_job {
    uint64_t id; /* counted over all builders, from 1 */
    uint32_t n;
    uint32_t series[HUB_JOB_SERIES_MAX];
    void *out[HUB_JOB_SERIES_MAX]; /* the same addresses in supervisor and builders */
};

/* How a job ended. */
struct builder_done {
    uint64_t id;
    int32_t result; /* 0, or a negative errno: nothing of it counts */
    uint32_t n;
    int64_t cpu_ns;
    uint32_t first_defined[HUB_JOB_SERIES_MAX];
    char why[200];
};

struct builder {
    pid_t pid; /* 0: none */
    int fd;    /* its socket; -1: none */
    bool is_busy;
    bool was_killed; /* by us, for being late */
    int64_t deadline_ns;
    struct builder_job job;
};

/* Forks one. 0, or -EAGAIN where resources are short for a while. */
int builder_start(struct builder *b, const struct hub_source *source) ADMF_MUST_CHECK;
/* Gives an idle one its job. False where it is gone: builder_reap() says how. */
bool builder_give(struct builder *b, const struct builder_job *job, int64_t deadline_ns);
/* What it has said: 1 and *ret_done; 0: nothing yet; -EPIPE: it is dying; -EPROTO: nonsense. */
int builder_hear(struct builder *b, struct builder_done *ret_done) ADMF_MUST_CHECK;
/* Kills it, waits for its end and returns its wait status. */
int builder_end(struct builder *b);

/* What the child does until its socket closes (builder_main.c). */
void builder_serve(int fd, const struct hub_source *source);
