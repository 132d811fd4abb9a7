/* SPDX-License-Identifier: MIT */
/* Where the signals of a worker's lanes are gathered during a step, to leave in one message. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/trade.h"

struct uplink_queue {
    struct signal *signals;
    uint32_t n, capacity; /* capacity covers every symbol of every lane */
    bool is_overfull;     /* a strategy said more: the worker breaks off */
};
