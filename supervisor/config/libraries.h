/* SPDX-License-Identifier: MIT */
/* Libraries of user code, known here by what a worker says of them.
 *
 * Their indicators join the table of indicators, so that expressions can name them; how their rows
 * are made stays with the builder processes that load the library. A library is described once a
 * process and never forgotten: rows of the table stay where they are. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"
#include "proto/spec.h"

/* One entry of `plugins`. */
struct library_ref {
    char path[SPEC_PATH_BYTES]; /* absolute */
    uint64_t hash[2];           /* XXH3-128 of the file */
};

/* Reads the file at ref->path for its hash, and has it described where that was not done before.
 * ERR_NO_INPUT where it cannot be read; ERR_CONFIG where it is none, or a name of it is taken. */
int library_take(struct library_ref *ref, const char *worker_path, struct err *err) ADMF_MUST_CHECK;

/* What was said of itself; NULL where it was not taken. */
struct library_info {
    const char *name, *version;
    size_t indicators_n;
    const struct indicator *indicators;
};
const struct library_info *library_find(const char *path);
