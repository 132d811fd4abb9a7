/* SPDX-License-Identifier: MIT */
/* Structured log lines on stderr: one line an event, `level=… event=… key=value …`, values quoted
 * where they need it, control characters escaped. Programs log; libraries do not. */
#pragma once

#include "proto/err.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

/* Lines below `level` are dropped. The start value is LOG_WARNING; $ADMF_LOG (debug, info, warning,
 * error) sets it in log_init(). `who` ("admf", "worker 3") opens every line. */
void log_init(const char *who);
/* fmt is a printf text of key=%s pairs; log_quote() makes a value safe. */
void log_event(enum log_level level, const char *event, const char *fmt, ...) ADMF_PRINTF(3, 4);
/* A value as a logfmt word, in a small ring of static buffers (8 deep, 256 bytes each). */
const char *log_quote(const char *value);
