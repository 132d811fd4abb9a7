/* SPDX-License-Identifier: MIT */
/* The component types that every worker has. Adding one is its file and a row in builtin.c. */
#pragma once

#include "worker/component.h"

extern const struct component_type *const builtin_types[];
extern const unsigned builtin_types_n;

extern const struct component_type type_rules; /* worker/strategy/rules.c */
extern const struct component_type type_risk_manager;
extern const struct component_type type_broker;
extern const struct component_type type_portfolio;
extern const struct component_type type_performance_tracker;
extern const struct component_type type_uplink;
extern const struct component_type type_shared_risk_manager;
extern const struct component_type type_shared_broker;

/* Named strategies: rows of worker/strategy/named.c. */
extern const struct component_type named_strategies[];
#define NAMED_STRATEGIES_N 8
