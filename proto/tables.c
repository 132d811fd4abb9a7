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

#define N(text) .formula[PROFILE_NATIVE] = text,
#define B(label_, text)                                                                            \
    .label[PROFILE_BACKTESTING_PY] = label_, .formula[PROFILE_BACKTESTING_PY] = text,
#define V(label_, text) .label[PROFILE_VECTORBT] = label_, .formula[PROFILE_VECTORBT] = text,
#define Q(label_, text) .label[PROFILE_QUANTSTATS] = label_, .formula[PROFILE_QUANTSTATS] = text,
#define O(text)         B("", text) V("", text) Q("", text)
static const struct metric_row metric_rows[METRIC_N] = {
#define X(symbol, name_, unit_, sense_, undefined_, source_, definitions)                          \
    [METRIC_##symbol] = {.name = name_,                                                            \
                         .unit = unit_,                                                            \
                         .sense = sense_,                                                          \
                         .undefined = undefined_,                                                  \
                         .source = source_,                                                        \
                         definitions},
#include "proto/metric.def"
#undef X
};
#undef N
#undef B
#undef V
#undef Q
#undef O

const struct metric_row *metric_row(enum metric metric)
{
    return (unsigned)metric < METRIC_N ? &metric_rows[metric] : NULL;
}

bool metric_is_of(enum metric metric, enum metric_profile profile)
{
    return metric_rows[metric].formula[profile] != NULL;
}

int metric_find(const char *name)
{
    for (int i = 0; i < METRIC_N; i++) {
        if (strcmp(metric_rows[i].name, name) == 0)
            return i;
    }
    return -1;
}

static const struct {
    const char *name, *source;
} profiles[PROFILE_N] = {
    [PROFILE_NATIVE] = {"native", "as written here"},
    [PROFILE_BACKTESTING_PY] = {"backtesting.py", "backtesting.py 0.6.6"},
    [PROFILE_VECTORBT] = {"vectorbt", "vectorbt 0.28.3"},
    [PROFILE_QUANTSTATS] = {"quantstats", "quantstats 0.0.84"},
};

const char *metric_profile_name(enum metric_profile profile)
{
    return (unsigned)profile < PROFILE_N ? profiles[profile].name : "?";
}

const char *metric_profile_source(enum metric_profile profile)
{
    return (unsigned)profile < PROFILE_N ? profiles[profile].source : "?";
}

static const struct metric_alias aliases[] = {
    {"total_return", METRIC_RETURN_PCT, 100, PROFILE_VECTORBT},
    {"annualized_return", METRIC_RETURN_ANN_PCT, 100, PROFILE_VECTORBT},
    {"annualized_volatility", METRIC_VOLATILITY_ANN_PCT, 100, PROFILE_VECTORBT},
    {"sharpe_ratio", METRIC_SHARPE, 1, PROFILE_VECTORBT},
    {"sortino_ratio", METRIC_SORTINO, 1, PROFILE_VECTORBT},
    {"calmar_ratio", METRIC_CALMAR, 1, PROFILE_VECTORBT},
    {"max_drawdown", METRIC_MAX_DRAWDOWN_PCT, 100, PROFILE_VECTORBT},
    {"omega_ratio", METRIC_OMEGA, 1, PROFILE_VECTORBT},
    {"final_value", METRIC_EQUITY_FINAL, 1, PROFILE_VECTORBT},
    {"total_fees", METRIC_COMMISSIONS, 1, PROFILE_VECTORBT},
    {"kelly_criterion", METRIC_KELLY, 1, -1},
};

_Static_assert(sizeof aliases / sizeof *aliases <= METRIC_ALIASES_MAX, "one array holds them all");

const struct metric_alias *metric_alias(unsigned i)
{
    return i < sizeof aliases / sizeof *aliases ? &aliases[i] : NULL;
}

const struct metric_alias *metric_alias_find(const char *name)
{
    for (unsigned i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (strcmp(aliases[i].name, name) == 0)
            return &aliases[i];
    return NULL;
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
