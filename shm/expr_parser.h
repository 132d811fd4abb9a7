/* SPDX-License-Identifier: MIT */
/* The inside of the parser, for expr_lex.c, expr_parse.c and expr_call.c alone. */
#pragma once

#include "shm/expr_node.h"

#define ARGS_MAX (INDICATOR_INPUTS_MAX + INDICATOR_PARAMS_MAX)

enum token_kind {
    TOKEN_END,
    TOKEN_NUMBER,
    TOKEN_NAME,
    TOKEN_SYMBOL, /* SPX: or "BRK-B": with its colon */
    TOKEN_SIGN,
};

struct token {
    enum token_kind kind;
    uint16_t at; /* offset in the text */
    uint16_t n;  /* bytes */
    double number;
};

/* Nodes and arguments of a text of n bytes are at most n each: every node has a character of its
 * own. */
struct parser {
    const char *text;
    uint16_t text_n;
    uint16_t depth;
    struct token token;
    struct err *err;
    struct expr_node *nodes;
    uint16_t *args;
    uint32_t nodes_n;
    uint32_t args_n;
    uint32_t names_n;
    uint32_t symbols_n;
    uint32_t timeframes_n;
    struct token names[EXPR_NAMES_MAX];
    struct token symbols[EXPR_QUALIFIERS_MAX]; /* the names alone */
    struct timeframe timeframes[EXPR_QUALIFIERS_MAX];
};

/* ---- tokens: expr_lex.c --------------------------------------------------------------------- */

bool token_is(const struct parser *p, struct token token, const char *word);
bool at_sign(const struct parser *p, const char *sign);
bool at_keyword(const struct parser *p, const char *word);
/* A token's text in quotes, cut and made printable. */
const char *quoted(const struct parser *p, struct token token, char out[static 96]);
/* `at` counts from 0. */
int fail_at(struct parser *p, uint32_t at, const char *fmt, ...) ADMF_PRINTF(3, 4);
int fail_expected(struct parser *p, const char *expected);
/* Moves to the next token. */
int next(struct parser *p);
/* The timeframe behind '@', at which the parser stands; moves behind it. */
int take_timeframe(struct parser *p, struct timeframe *ret_timeframe);
/* The name within a TOKEN_SYMBOL. */
struct token symbol_name(const struct parser *p);

/* ---- nodes and grammar: expr_parse.c -------------------------------------------------------- */

struct expr_node *node_of(struct parser *p, uint16_t idx);
/* Appends a node; args may be NULL where it has none. Returns its number. */
uint16_t add_node(struct parser *p, struct expr_node node, const uint16_t *args, uint32_t args_n);
int want_type(struct parser *p, uint16_t idx, bool condition, const char *where);
int parse_or(struct parser *p, uint16_t *ret_idx);

/* ---- calls: expr_call.c --------------------------------------------------------------------- */

/* The parser stands behind the name, at the opening parenthesis. */
int parse_call(struct parser *p, struct token name, uint16_t *ret_idx);
