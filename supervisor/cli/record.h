/* SPDX-License-Identifier: MIT */
/* A run's record as JSON, for `runs` and `show`. */
#pragma once

#include <jansson.h>

#include "supervisor/store/store.h"

json_t *cli_record_json(const struct run_record *run);
