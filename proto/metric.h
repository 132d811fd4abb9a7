/* SPDX-License-Identifier: MIT */
/* The table of metrics (proto/metric.def) as an enum and as rows. */
#pragma once

#include <stdbool.h>

enum metric {
#define X(symbol, ...) METRIC_##symbol,
#include "proto/metric.def"
#undef X
    METRIC_N
};

/* Sent and stored: never renumbered. */
enum metric_profile {
    PROFILE_NATIVE = 0,
    PROFILE_BACKTESTING_PY = 1,
    PROFILE_VECTORBT = 2,
    PROFILE_QUANTSTATS = 3,
    PROFILE_N
};

struct metric_row {
    const char *name;
    const char *unit;
    int sense;
    const char *undefined;          /* when */
    const char *source;             /* of the idea; "": none named */
    const char *formula[PROFILE_N]; /* NULL: the profile does not have it */
    const char *label[PROFILE_N]; /* its name in the engine that the profile follows; NULL or "" */
};

const struct metric_row *metric_row(enum metric metric);
bool metric_is_of(enum metric metric, enum metric_profile profile);
/* Row number of a name, or -1. */
int metric_find(const char *name);
const char *metric_profile_name(enum metric_profile profile); /* "native", "backtesting.py" … */
/* Whose definitions the profile follows: "backtesting.py 0.6.6" … */
const char *metric_profile_source(enum metric_profile profile);

/* Another name of a metric, which the users of an engine know: its value is metric / divisor. */
struct metric_alias {
    const char *name;
    enum metric metric;
    double divisor;
    int profile; /* exports of this one have a column of it; -1: only understood where one is named
                  */
};
#define METRIC_ALIASES_MAX 16
/* Number i of all, NULL beyond the last. */
const struct metric_alias *metric_alias(unsigned i);
const struct metric_alias *metric_alias_find(const char *name); /* NULL: no such alias */
