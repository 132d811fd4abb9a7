/* SPDX-License-Identifier: MIT */
/* Parts of the catalogue with a file of their own. */
#pragma once

#include "proto/buf.h"
#include "shm/indicator/indicator.h"
#include "supervisor/cli/common.h"

/* admf catalog indicators: text, JSON, or docs/INDICATORS.md where --format is md. */
int catalog_indicators(const struct cli_args *args, struct err *err) ADMF_MUST_CHECK;
/* The whole of docs/INDICATORS.md. */
void catalog_indicators_doc(struct buf *out);
