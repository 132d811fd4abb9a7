/* SPDX-License-Identifier: MIT */
/* Series of plugins, made by a process of their own: user code runs neither in the supervisor nor
 * in the builders that it forks, and never with the plane open for writing. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/err.h"
#include "shm/plane.h"

struct foreign_job {
    const char *worker_path;
    uint32_t libraries_n;
    const char *const *libraries; /* files, all of the run's */
    const struct plane_fds *plane;
    uint32_t symbol_idx; /* traded, as whose expressions the keys are read */
    enum series_dtype dtype;
    uint32_t series_n; /* at most BUILD_SERIES_MAX, of one group */
    const char *const *key;
    uint64_t values_bytes; /* of each */
    bool is_on_own_rows;   /* any expressions, as they are seen on the symbol's own rows */
    int64_t patience_ns;   /* how long the process may take; 0: whoever waits for this one minds */
};

/* Runs in a builder: starts the process, waits for its end, and copies what it made into
 * out[series_n]. ERR_CONFIG with what the process said or how it ended; nothing counts then. */
int foreign_build(const struct foreign_job *job, void *const *out, uint32_t *ret_first_defined,
                  struct err *err) ADMF_MUST_CHECK;
