/* SPDX-License-Identifier: MIT */
/* Starting one worker process: fork and exec with a listed set of descriptors (proto/start.h).
 *
 * The child dies with the supervisor (PR_SET_PDEATHSIG), leads a process group of its own, so that
 * Ctrl-C reaches the supervisor alone, has default signal actions, an empty mask and no core files.
 * It waits at its gate until the supervisor knows its pid and has told the channel whom to expect.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "proto/err.h"
#include "shm/plane.h"

struct spawn_request {
    const char *worker_path;
    const char *address; /* path of its channel */
    uint32_t worker;     /* number of this start */
    uint32_t slot_idx;
    const struct plane_fds *plane;
    int slots_fd;
    uint64_t memory_limit_bytes; /* 0: none */
};

struct spawn_child {
    pid_t pid;
    int pidfd;   /* readable once it is dead; -1 where the kernel has none */
    int gate_fd; /* its gate: closed by spawn_open_gate() */
};

/* 0; -EAGAIN where resources are short for a while (processes, memory, descriptors); another
 * negative errno where it can never work. err is filled in both cases. */
int spawn_worker(const struct spawn_request *request, struct spawn_child *ret_child,
                 struct err *err) ADMF_MUST_CHECK;
/* Lets the child go. */
void spawn_open_gate(struct spawn_child *child);
