/* SPDX-License-Identifier: MIT */
/* The component types that every worker has. */
#include "worker/builtin.h"

#include <assert.h>

const struct component_type *const builtin_types[] = {
    &type_rules,
    &named_strategies[0],
    &named_strategies[1],
    &named_strategies[2],
    &named_strategies[3],
    &named_strategies[4],
    &named_strategies[5],
    &named_strategies[6],
    &named_strategies[7],
    &type_risk_manager,
    &type_shared_risk_manager,
    &type_uplink,
    &type_broker,
    &type_shared_broker,
    &type_portfolio,
    &type_performance_tracker,
};
const unsigned builtin_types_n = sizeof builtin_types / sizeof builtin_types[0];

static_assert(NAMED_STRATEGIES_N == 8, "a named strategy is missing in the table above");
