/* SPDX-License-Identifier: MIT */
/* How series of a plugin are made: `admf-worker --build LIBRARY...` reads the plane and the request
 * that stands at the head of a scratch file, writes values into that file, then BUILD_DONE, and
 * leaves with status 0. Both count: user code may leave by itself. Whatever else happens to it
 * costs the request alone. */
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/spec.h"

#define BUILD_MAGIC      UINT64_C(0x31444c4955424d41) /* "AMBUILD1" */
#define BUILD_DONE       UINT64_C(0x454e4f4444455454) /* all values are whole */
#define BUILD_SERIES_MAX 64
#define BUILD_ALIGN      64

struct build_series {
    char key[SPEC_RULE_BYTES]; /* an expression, as the traded symbol would say it */
    uint64_t values_off;       /* in the scratch file, a multiple of BUILD_ALIGN */
    uint64_t values_bytes;
    uint32_t first_defined; /* written by the builder */
    uint32_t pad;
};

struct build_request {
    uint64_t magic;
    uint64_t size_bytes; /* of the whole file */
    uint32_t series_n;
    uint32_t symbol_idx; /* the traded one */
    uint32_t dtype;      /* enum series_dtype, of all */
    int32_t asker_pid;   /* whose child it is: without it, it ends */
    /* Any expressions, on the traded symbol's own rows, conditions as bits; else series of one
     * group, on the rows of their clock. */
    uint32_t is_on_own_rows;
    uint32_t pad;
    uint64_t done; /* 0, then BUILD_DONE; written by the builder */
    char why[256]; /* written by the builder where it fails */
    struct build_series series[BUILD_SERIES_MAX];
};

static_assert(sizeof(struct build_series) == SPEC_RULE_BYTES + 24, "layout of the scratch file");
static_assert(offsetof(struct build_request, series) == 48 + 256, "layout of the scratch file");
