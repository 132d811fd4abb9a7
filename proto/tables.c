/* SPDX-License-Identifier: MIT */
/* Names of the shared tables: statuses, fill rules, metrics and their profiles. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "proto/metric.h"
#include "proto/status.h"
#include "proto/trade.h"

static const struct status_row {
    const char *name;
    int is_failure;
} status_rows[STATUS_N] = {
#define X(value, symbol, name_, failed, what) [value] = {name_, failed},
    STATUS_TABLE(X)
#undef X
};

const char *status_name(enum status status)
{
    return (unsigned)status < STATUS_N ? status_rows[status].name : "?";
}

int status_is_failure(enum status status)
{
    return (unsigned)status < STATUS_N && status_rows[status].is_failure;
}

static const char *const fill_rule_names[FILL_RULE_N] = {
#define X(value, symbol, name) [value] = name,
    FILL_RULES(X)
#undef X
};

const char *fill_rule_name(enum fill_rule rule)
{
    return (unsigned)rule < FILL_RULE_N ? fill_rule_names[rule] : "?";
}

#define N (1u << PROFILE_NATIVE)
#define B (1u << PROFILE_BACKTESTING_PY)
static const struct metric_row metric_rows[METRIC_N] = {
#define X(symbol, name_, unit_, profiles_, sense_, native, backtesting_py, undefined_)             \
    [METRIC_##symbol] = {name_, unit_, profiles_, sense_, {native, backtesting_py}, undefined_},
#include "proto/metric.def"
#undef X
};
#undef N
#undef B

const struct metric_row *metric_row(enum metric metric)
{
    return (unsigned)metric < METRIC_N ? &metric_rows[metric] : NULL;
}

int metric_find(const char *name)
{
    for (int i = 0; i < METRIC_N; i++) {
        if (strcmp(metric_rows[i].name, name) == 0)
            return i;
    }
    return -1;
}

static const char *const profile_names[PROFILE_N] = {
    [PROFILE_NATIVE] = "native",
    [PROFILE_BACKTESTING_PY] = "backtesting.py",
};

const char *metric_profile_name(enum metric_profile profile)
{
    return (unsigned)profile < PROFILE_N ? profile_names[profile] : "?";
}

const char *signal_name(int number, char out[static SIGNAL_NAME_BYTES])
{
    const char *name = sigabbrev_np(number);
    if (name)
        (void)snprintf(out, SIGNAL_NAME_BYTES, "SIG%s", name);
    else
        (void)snprintf(out, SIGNAL_NAME_BYTES, "signal %d", number);
    return out;
}
