/* SPDX-License-Identifier: MIT */
/* Free-running: every worker gets batches and runs them by itself. */
#pragma once

#include "supervisor/pool/pool.h"

/* Until every combination has a result or a signal stops it. 0 in both cases. */
int free_run(struct pool *p, struct err *err) ADMF_MUST_CHECK;
