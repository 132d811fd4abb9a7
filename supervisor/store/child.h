/* SPDX-License-Identifier: MIT */
/* Work that a damaged store may kill, done in a forked child. */
#pragma once

#include <stdio.h>

#include "proto/buf.h"
#include "proto/err.h"

/* What the child does: prints lines to out; 0, or a negative errno with err filled. */
typedef int (*child_fn)(void *ctx, FILE *out, struct err *err);

/* How it went. */
struct child_end {
    struct buf text; /* the lines; freed by buf_fini */
    int exit_status; /* of waitpid */
    enum { CHILD_OK, CHILD_ERR, CHILD_DIED } how;
    int rc; /* CHILD_ERR: negative errno of its error */
};

/* 0, or a negative errno where no child could be had. CHILD_ERR: err is what the child filled. */
int store_child(child_fn fn, void *ctx, struct child_end *ret_end, struct err *err) ADMF_MUST_CHECK;
