/* SPDX-License-Identifier: MIT */
/* The parts of a rule that live in the plane: its outermost indicator calls. For their clocks
 * alone, columns of other symbols and timeframes, and for its range alone each n of a shift that
 * names a parameter, as `shift(close,n)`.
 *
 * Each is a whole expression by itself, which names fewer parameters than the rule does: the series
 * of `crosses_above(sma(close,fast), sma(close,slow))` are those of `sma(close,fast)` and of
 * `sma(close,slow)`, fast + slow and not fast x slow of them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "proto/err.h"

#define PIECES_MAX 256

struct pieces {
    size_t n;
    char *text[PIECES_MAX]; /* owned */
};

/* `rule` is one that expr_parse() accepts. Equal texts come once. 0, -ENOMEM, or -E2BIG. */
int pieces_find(const char *rule, struct pieces *ret_pieces) ADMF_MUST_CHECK;
bool pieces_have(const struct pieces *pieces, const char *text);
void pieces_fini(struct pieces *pieces);
