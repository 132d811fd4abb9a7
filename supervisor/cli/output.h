/* SPDX-License-Identifier: MIT */
/* Where -o writes: a temporary file beside the target that takes its name when all is written, so
 * that a failed command, or one that SIGHUP, SIGINT or SIGTERM ends, leaves what was there before.
 * Without -o, or with "-", standard output. */
#pragma once

#include <limits.h>
#include <stdio.h>

#include "proto/err.h"

struct output {
    FILE *file;
    char target[PATH_MAX]; /* "" where there is nothing to rename */
    char temporary[PATH_MAX];
};

/* ERR_CREATE where the file cannot be made. */
int output_open(const char *path, struct output *ret_output, struct err *err) ADMF_MUST_CHECK;
/* Ends the file and gives it its name. ERR_IO, and no file, where something could not be written.
 */
int output_commit(struct output *output, struct err *err) ADMF_MUST_CHECK;
void output_discard(
    struct output *output); /* accepts zeroed memory, and after a commit does nothing */
/* Whether writing failed already, so that there is no point in going on. */
int output_has_failed(const struct output *output);
