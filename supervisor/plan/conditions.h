/* SPDX-License-Identifier: MIT */
/* The largest parts of a condition that can be shared: those that name few enough swept values.
 *
 * `a and b and c` is cut where the parser groups it, `(a and b) and c`, so that each part is a node
 * of the whole condition's graph. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "proto/err.h"

#define CONDITIONS_PARTS_MAX 64

struct condition_parts {
    size_t n;
    struct {
        char *text; /* owned */
        bool is_shared;
    } part[CONDITIONS_PARTS_MAX];
};

/* Whether a condition is to be a series of its own. */
typedef bool (*condition_fits_fn)(void *ctx, const char *text);

/* Cuts a rule that expr_parse() accepts: shared parts, and what is left between them. Together they
 * hold every indicator of the rule. With too many parts the whole rule is one that is not shared.
 * 0 or -ENOMEM. */
int conditions_cut(const char *rule, condition_fits_fn fits, void *ctx,
                   struct condition_parts *ret_parts) ADMF_MUST_CHECK;
void conditions_fini(struct condition_parts *parts);
