/* SPDX-License-Identifier: MIT */
/* Bytes of a file or of standard input, unpacked on the way: gzip and Zstandard by their first
 * bytes. */
#pragma once

#include <stddef.h>

#include "proto/err.h"

struct source;

/* "-" is standard input. ERR_NO_INPUT where it does not exist, is a directory or cannot be read. */
int source_open(const char *path, struct source **ret_source, struct err *err) ADMF_MUST_CHECK;
/* Up to n_bytes bytes; *ret_bytes is 0 at the end alone. A packed stream that ends early is
 * ERR_DATA. */
int source_read(struct source *source, char *out, size_t n_bytes, size_t *ret_bytes,
                struct err *err) ADMF_MUST_CHECK;
void source_close(struct source *source); /* accepts NULL */
