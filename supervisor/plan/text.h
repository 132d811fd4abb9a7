/* SPDX-License-Identifier: MIT */
/* Walking the text of a rule that expr_parse() accepts: words, parentheses, qualifiers. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

bool text_starts_word(char c);
bool text_in_word(char c);
const char *text_skip_word(const char *p);
const char *text_skip_space(const char *p);
/* Past the parenthesis that closes the one at p; names of symbols in quotes may hold none. */
const char *text_skip_group(const char *p);
/* Past a symbol's name and its colon; p itself where there is none. */
const char *text_skip_symbol(const char *p);
/* Past what stands at p: a qualified name, a word, a number, or one character. */
const char *text_skip_token(const char *p);

/* [symbol ":"] [name] "(" … ")" ["." output] ["@" timeframe] */
struct text_call {
    const char *from, *to;
    const char *name; /* name_n is 0: a group */
    size_t name_n;
    const char *open, *close; /* the parentheses */
    size_t symbol_n;          /* bytes from `from` on, with the colon */
    size_t timeframe_n;       /* bytes before `to`, with the sign */
};

/* [symbol ":"] name ["@" timeframe], past which *ret_to is; false where none of both qualifies it,
 * unless `any` is set, and for and, or, not. */
bool text_column_at(const char *p, bool any, const char **ret_to);
/* Whether one begins at p. */
bool text_call_at(const char *p, struct text_call *ret_call);
