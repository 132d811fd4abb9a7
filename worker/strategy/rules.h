/* SPDX-License-Identifier: MIT */
/* What strategies made of rules have in common; for rows of named.c. */
#pragma once

#include "worker/component.h"

#define RULES_STATE_BYTES ((size_t)256)

extern const struct lifecycle rules_lifecycle;
extern const struct configurable rules_configurable;
extern const struct signal_generator rules_generator;

/* Fields of a component_type whose behaviour is that of rules. */
#define RULES_STRATEGY_FIELDS                                                                      \
    .capabilities =                                                                                \
        1 << CAPABILITY_LIFECYCLE | 1 << CAPABILITY_EVENTS | 1 << CAPABILITY_OPTIMIZATION,         \
    .state_bytes = RULES_STATE_BYTES, .lifecycle = &rules_lifecycle,                               \
    .configurable = &rules_configurable, .signal_generator = &rules_generator
