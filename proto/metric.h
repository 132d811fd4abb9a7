/* SPDX-License-Identifier: MIT */
/* The table of metrics (proto/metric.def) as an enum and as rows. */
#pragma once

enum metric {
#define X(symbol, ...) METRIC_##symbol,
#include "proto/metric.def"
#undef X
    METRIC_N
};

/* Sent and stored: never renumbered. */
enum metric_profile { PROFILE_NATIVE = 0, PROFILE_BACKTESTING_PY = 1, PROFILE_N };

struct metric_row {
    const char *name;
    const char *unit;
    unsigned profiles; /* bit 1 << enum metric_profile */
    int sense;
    const char *formula[PROFILE_N];
    const char *undefined;
};

const struct metric_row *metric_row(enum metric metric);
/* Row number of a name, or -1. */
int metric_find(const char *name);
const char *metric_profile_name(enum metric_profile profile); /* "native", "backtesting.py" */
