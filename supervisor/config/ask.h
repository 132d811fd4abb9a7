/* SPDX-License-Identifier: MIT */
/* `admf-worker --describe [LIBRARY...]`, asked from here: user code runs there alone. */
#pragma once

#include <stdint.h>

#include "proto/buf.h"
#include "proto/err.h"

#define ASK_LIBRARIES_MAX 32

/* The answer's text; the libraries' constructors run in the worker that is asked. A worker that
 * crashes, hangs or says too much is an error that says so. */
int ask_worker(const char *path, const char *const *libraries, uint32_t libraries_n,
               struct buf *out, struct err *err) ADMF_MUST_CHECK;
