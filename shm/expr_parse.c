/* SPDX-License-Identifier: MIT */
/* From tokens to struct expr: a descent with one function a grammar rule. The text is hostile: its
 * length, depth and names are bounded before they cost anything. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/spec.h"
#include "shm/expr_parser.h"

static const char *const keywords[] = {"and", "or", "not"};

/* ---- nodes ---------------------------------------------------------------------------------- */

struct expr_node *node_of(struct parser *p, uint16_t idx)
{
    return &p->nodes[idx];
}

uint16_t add_node(struct parser *p, struct expr_node node, const uint16_t *args, uint32_t args_n)
{
    node.args = (uint16_t)p->args_n;
    node.args_n = (uint8_t)args_n;
    for (uint32_t i = 0; i < args_n; i++)
        p->args[p->args_n++] = args[i];
    p->nodes[p->nodes_n] = node;
    return (uint16_t)p->nodes_n++;
}

/* The leftmost character of what a node stands for. */
static uint16_t first_column(const struct parser *p, uint16_t idx)
{
    const struct expr_node *node = &p->nodes[idx];
    uint16_t column = node->column;
    while (node->kind >= EXPR_ADD && node->kind <= EXPR_OR) {
        node = &p->nodes[p->args[node->args]];
        column = node->column < column ? node->column : column;
    }
    return column;
}

int want_type(struct parser *p, uint16_t idx, bool condition, const char *where)
{
    if (node_of(p, idx)->is_condition == condition)
        return 0;
    return fail_at(p, first_column(p, idx) - 1u, "found a %s, expected a %s %s",
                   condition ? "number" : "condition",
                   condition ? "condition, such as close > open," : "number", where);
}

struct binary {
    const char *sign;
    enum expr_kind kind;
};

static const struct binary compares[] = {{"<", EXPR_LT},  {"<=", EXPR_LE}, {">", EXPR_GT},
                                         {">=", EXPR_GE}, {"==", EXPR_EQ}, {"!=", EXPR_NE}};
static const struct binary sums[] = {{"+", EXPR_ADD}, {"-", EXPR_SUB}};
static const struct binary terms[] = {{"*", EXPR_MUL}, {"/", EXPR_DIV}};

static const struct binary *binary_here(const struct parser *p, const struct binary *table,
                                        size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (at_sign(p, table[i].sign))
            return &table[i];
    }
    return NULL;
}

#define BINARY_HERE(p, table) binary_here(p, table, sizeof(table) / sizeof((table)[0]))

/* Joins two nodes after checking their types. */
static int join(struct parser *p, struct expr_node node, const uint16_t side[2], uint16_t *ret_idx)
{
    bool wants_conditions = node.kind == EXPR_AND || node.kind == EXPR_OR;
    static const char *const where[] = {"beside an arithmetic operator", "beside a comparison",
                                        "beside 'and' and 'or'"};
    const char *here = wants_conditions ? where[2] : where[node.is_condition];
    for (int i = 0; i < 2; i++) {
        int r = want_type(p, side[i], wants_conditions, here);
        if (r < 0)
            return r;
    }
    *ret_idx = add_node(p, node, side, 2);
    return 0;
}

/* ---- the grammar, from loose to tight ------------------------------------------------------- */

/* Everything that nests goes through parentheses, arguments or prefixes; these count their depth.
 */
static int descend(struct parser *p)
{
    if (++p->depth <= EXPR_DEPTH_MAX)
        return 0;
    return fail_at(p, p->token.at, "nested deeper than %d: split the rule", EXPR_DEPTH_MAX);
}

/* Where the token is an operator: takes it, parses its right side, and joins both sides into
 * `node`, which stands in *ret_idx for the left side then. */
static int parse_right(struct parser *p, struct expr_node node,
                       int (*parse_side)(struct parser *, uint16_t *), uint16_t *ret_idx)
{
    uint16_t side[2] = {*ret_idx, 0};
    int r = next(p);
    if (r == 0)
        r = parse_side(p, &side[1]);
    return r == 0 ? join(p, node, side, ret_idx) : r;
}

/* One left-associative level: side (sign side)*. */
static int parse_level(struct parser *p, const struct binary *table, size_t n,
                       int (*parse_side)(struct parser *, uint16_t *), uint16_t *ret_idx)
{
    const struct binary *binary;
    int r = parse_side(p, ret_idx);
    while (r == 0 && (binary = binary_here(p, table, n))) {
        struct expr_node node = {.kind = (uint8_t)binary->kind, .column = p->token.at + 1};
        r = parse_right(p, node, parse_side, ret_idx);
    }
    return r;
}

/* Index of a name among the free ones, entered at its first use. */
static int free_name(struct parser *p, uint32_t *ret_name_idx)
{
    for (uint32_t i = 0; i < p->names_n; i++) {
        struct token other = p->names[i];
        if (other.n == p->token.n &&
            memcmp(p->text + other.at, p->text + p->token.at, other.n) == 0) {
            *ret_name_idx = i;
            return 0;
        }
    }
    if (p->names_n == EXPR_NAMES_MAX)
        return fail_at(p, p->token.at, "more than %d names in one rule", EXPR_NAMES_MAX);
    p->names[p->names_n] = p->token;
    *ret_name_idx = p->names_n++;
    return 0;
}

static int parse_name(struct parser *p, uint16_t *ret_idx)
{
    struct expr_node node = {.kind = EXPR_NAME, .column = p->token.at + 1};
    for (uint32_t i = 0; i < EXPR_BARS_N; i++) {
        if (token_is(p, p->token, expr_bar_names[i])) {
            node.kind = EXPR_BAR;
            node.bar_idx = i;
        }
    }
    if (node.kind == EXPR_NAME) {
        int r = free_name(p, &node.name_idx);
        if (r < 0)
            return r;
    }
    *ret_idx = add_node(p, node, NULL, 0);
    return next(p);
}

/* ---- atoms and the levels above them -------------------------------------------------------- */

static int parse_group(struct parser *p, uint16_t *ret_idx)
{
    int r = next(p);
    if (r == 0)
        r = parse_or(p, ret_idx);
    if (r < 0)
        return r;
    if (!at_sign(p, ")"))
        return fail_expected(p, "an operator or ')'");
    return next(p);
}

static int parse_number(struct parser *p, uint16_t *ret_idx)
{
    struct expr_node node = {
        .kind = EXPR_NUMBER, .column = p->token.at + 1, .number = p->token.number};
    *ret_idx = add_node(p, node, NULL, 0);
    return next(p);
}

static bool is_keyword(const struct parser *p)
{
    for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
        if (at_keyword(p, keywords[i]))
            return true;
    }
    return false;
}

/* What stands behind a name decides what it is. */
static char behind(const struct parser *p)
{
    const char *at = p->text + p->token.at + p->token.n;
    return at[strspn(at, " \t\r\n")];
}

static int parse_atom(struct parser *p, uint16_t *ret_idx)
{
    if (p->token.kind == TOKEN_NUMBER)
        return parse_number(p, ret_idx);
    if (at_sign(p, "("))
        return parse_group(p, ret_idx);
    if (p->token.kind != TOKEN_NAME || is_keyword(p))
        return fail_expected(p, "a number, a name, a call or '('");
    if (behind(p) != '(')
        return parse_name(p, ret_idx);
    struct token name = p->token;
    int r = next(p);
    return r < 0 ? r : parse_call(p, name, ret_idx);
}

/* ---- qualifiers ----------------------------------------------------------------------------- */

/* Index + 1 of a symbol among those that are named. */
static int enter_symbol(struct parser *p, struct token name, uint8_t *ret_symbol)
{
    for (uint32_t i = 0; i < p->symbols_n; i++) {
        struct token other = p->symbols[i];
        if (other.n == name.n && memcmp(p->text + other.at, p->text + name.at, name.n) == 0) {
            *ret_symbol = (uint8_t)(i + 1);
            return 0;
        }
    }
    if (p->symbols_n == EXPR_QUALIFIERS_MAX)
        return fail_at(p, name.at, "more than %d symbols in one rule", EXPR_QUALIFIERS_MAX);
    p->symbols[p->symbols_n++] = name;
    *ret_symbol = (uint8_t)p->symbols_n;
    return 0;
}

static int enter_timeframe(struct parser *p, struct timeframe timeframe, uint8_t *ret_timeframe)
{
    for (uint32_t i = 0; i < p->timeframes_n; i++) {
        if (timeframe_equal(p->timeframes[i], timeframe)) {
            *ret_timeframe = (uint8_t)(i + 1);
            return 0;
        }
    }
    if (p->timeframes_n == EXPR_QUALIFIERS_MAX)
        return fail_at(p, p->token.at, "more than %d timeframes in one rule", EXPR_QUALIFIERS_MAX);
    p->timeframes[p->timeframes_n++] = timeframe;
    *ret_timeframe = (uint8_t)p->timeframes_n;
    return 0;
}

/* Everything from first_node on that has no qualifier of its own gets these; 0: none. */
static void qualify(struct parser *p, uint32_t first_node, uint8_t symbol, uint8_t timeframe)
{
    for (uint32_t i = first_node; i < p->nodes_n; i++) {
        struct expr_node *node = &p->nodes[i];
        node->symbol = node->symbol ? node->symbol : symbol;
        node->timeframe = node->timeframe ? node->timeframe : timeframe;
    }
}

static int parse_timeframe(struct parser *p, uint8_t *ret_timeframe)
{
    struct timeframe timeframe;
    int r = take_timeframe(p, &timeframe);
    if (r == 0)
        r = enter_timeframe(p, timeframe, ret_timeframe);
    if (r == 0 && at_sign(p, "@"))
        r = fail_at(p, p->token.at, "found a second timeframe");
    return r;
}

/* [symbol ":"] atom ["@" timeframe] */
static int parse_qualified(struct parser *p, uint16_t *ret_idx)
{
    uint32_t first_node = p->nodes_n;
    uint8_t symbol = 0, timeframe = 0;
    int r = 0;
    if (p->token.kind == TOKEN_SYMBOL) {
        r = enter_symbol(p, symbol_name(p), &symbol);
        if (r == 0)
            r = next(p);
        if (r == 0 && p->token.kind != TOKEN_NAME && !at_sign(p, "("))
            r = fail_expected(p, "a column or a function behind the name of a symbol");
    }
    bool is_number = p->token.kind == TOKEN_NUMBER;
    if (r == 0)
        r = parse_atom(p, ret_idx);
    if (r == 0 && at_sign(p, "@"))
        r = is_number ? fail_expected(p, "an operator or the end: a number has no timeframe")
                      : parse_timeframe(p, &timeframe);
    if (r == 0 && (symbol || timeframe))
        qualify(p, first_node, symbol, timeframe);
    return r;
}

/* ---- operators ------------------------------------------------------------------------------ */

static int parse_prefix(struct parser *p, enum expr_kind kind,
                        int (*parse_side)(struct parser *, uint16_t *), uint16_t *ret_idx)
{
    struct expr_node node = {
        .kind = (uint8_t)kind, .is_condition = kind == EXPR_NOT, .column = p->token.at + 1};
    uint16_t side = 0;
    int r = descend(p);
    if (r == 0)
        r = next(p);
    if (r == 0)
        r = parse_side(p, &side);
    p->depth--;
    if (r == 0)
        r = want_type(p, side, kind == EXPR_NOT, kind == EXPR_NOT ? "behind 'not'" : "behind '-'");
    if (r < 0)
        return r;
    *ret_idx = add_node(p, node, &side, 1);
    return 0;
}

static int parse_unary(struct parser *p, uint16_t *ret_idx)
{
    return at_sign(p, "-") ? parse_prefix(p, EXPR_NEG, parse_unary, ret_idx)
                           : parse_qualified(p, ret_idx);
}

static int parse_term(struct parser *p, uint16_t *ret_idx)
{
    return parse_level(p, terms, sizeof(terms) / sizeof(terms[0]), parse_unary, ret_idx);
}

static int parse_sum(struct parser *p, uint16_t *ret_idx)
{
    return parse_level(p, sums, sizeof(sums) / sizeof(sums[0]), parse_term, ret_idx);
}

static int parse_cmp(struct parser *p, uint16_t *ret_idx)
{
    int r = parse_sum(p, ret_idx);
    const struct binary *binary = r == 0 ? BINARY_HERE(p, compares) : NULL;
    if (!binary)
        return r;
    struct expr_node node = {
        .kind = (uint8_t)binary->kind, .is_condition = true, .column = p->token.at + 1};
    r = parse_right(p, node, parse_sum, ret_idx);
    if (r == 0 && BINARY_HERE(p, compares))
        r = fail_at(p, p->token.at, "comparisons do not chain: write a < b and b < c");
    return r;
}

static int parse_not(struct parser *p, uint16_t *ret_idx)
{
    return at_keyword(p, "not") ? parse_prefix(p, EXPR_NOT, parse_not, ret_idx)
                                : parse_cmp(p, ret_idx);
}

/* side (word side)*, of conditions. */
static int parse_words(struct parser *p, enum expr_kind kind,
                       int (*parse_side)(struct parser *, uint16_t *), uint16_t *ret_idx)
{
    const char *word = kind == EXPR_AND ? "and" : "or";
    int r = parse_side(p, ret_idx);
    while (r == 0 && at_keyword(p, word)) {
        struct expr_node node = {
            .kind = (uint8_t)kind, .is_condition = true, .column = p->token.at + 1};
        r = parse_right(p, node, parse_side, ret_idx);
    }
    return r;
}

static int parse_and(struct parser *p, uint16_t *ret_idx)
{
    return parse_words(p, EXPR_AND, parse_not, ret_idx);
}

int parse_or(struct parser *p, uint16_t *ret_idx)
{
    int r = descend(p);
    if (r == 0)
        r = parse_words(p, EXPR_OR, parse_and, ret_idx);
    p->depth--;
    return r;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static int fail_behind(struct parser *p)
{
    char word[8] = "", text[96];
    if (p->token.kind == TOKEN_NAME && p->token.n < sizeof(word)) {
        for (uint16_t i = 0; i < p->token.n; i++)
            word[i] = (char)(p->text[p->token.at + i] | 0x20);
        const char *meant = strcmp(word, "and") == 0  ? "and"
                            : strcmp(word, "or") == 0 ? "or"
                                                      : NULL;
        if (meant)
            return fail_at(p, p->token.at, "found %s: did you mean '%s'?",
                           quoted(p, p->token, text), meant);
    }
    return fail_expected(p, "an operator or the end");
}

/* Copies of the names at tokens as an array of texts; returns where the next text goes. */
static char *pack_texts(const struct parser *p, const struct token *tokens, uint32_t n,
                        const char **ret_names, char *text)
{
    for (uint32_t i = 0; i < n; i++) {
        ret_names[i] = text;
        memcpy(text, p->text + tokens[i].at, tokens[i].n);
        text[tokens[i].n] = '\0';
        text += tokens[i].n + 1u;
    }
    return text;
}

static size_t texts_bytes(const struct token *tokens, uint32_t n)
{
    size_t bytes = n * sizeof(char *);
    for (uint32_t i = 0; i < n; i++)
        bytes += tokens[i].n + 1u;
    return bytes;
}

/* Copies what was parsed into one block of just its size: structures, pointers, numbers, texts. */
static struct expr *pack(const struct parser *p)
{
    size_t nodes_bytes = p->nodes_n * sizeof(*p->nodes);
    size_t timeframes_bytes = p->timeframes_n * sizeof(*p->timeframes);
    size_t args_bytes = p->args_n * sizeof(*p->args);
    char *block = malloc(sizeof(struct expr) + nodes_bytes + timeframes_bytes + args_bytes +
                         texts_bytes(p->names, p->names_n) + texts_bytes(p->symbols, p->symbols_n));
    if (!block)
        return NULL;
    struct expr *expr = (struct expr *)block;
    char *nodes = block + sizeof(*expr);
    const char **names = (const char **)(nodes + nodes_bytes);
    const char **symbols = names + p->names_n;
    struct timeframe *timeframes = (struct timeframe *)(symbols + p->symbols_n);
    uint16_t *args = (uint16_t *)((char *)timeframes + timeframes_bytes);
    char *text = (char *)args + args_bytes;
    memcpy(nodes, p->nodes, nodes_bytes);
    memcpy(timeframes, p->timeframes, timeframes_bytes);
    if (args_bytes)
        memcpy(args, p->args, args_bytes);
    text = pack_texts(p, p->names, p->names_n, names, text);
    (void)pack_texts(p, p->symbols, p->symbols_n, symbols, text);
    *expr = (struct expr){.nodes_n = p->nodes_n,
                          .names_n = p->names_n,
                          .symbols_n = p->symbols_n,
                          .timeframes_n = p->timeframes_n,
                          .nodes = (struct expr_node *)nodes,
                          .args = args,
                          .names = names,
                          .symbols = symbols,
                          .timeframes = timeframes};
    return expr;
}

static int parse_all(struct parser *p)
{
    uint16_t root;
    int r = next(p);
    if (r == 0 && p->token.kind == TOKEN_END)
        return fail_at(p, 0, "the rule is empty");
    if (r == 0)
        r = parse_or(p, &root);
    if (r == 0 && p->token.kind != TOKEN_END)
        r = fail_behind(p);
    return r;
}

int expr_parse(const char *text, struct expr **ret_expr, struct err *err)
{
    size_t n = strnlen(text, SPEC_RULE_BYTES);
    struct parser p = {.text = text, .text_n = (uint16_t)n, .err = err};
    if (n == SPEC_RULE_BYTES)
        return fail_at(&p, n, "the rule is longer than %d bytes", SPEC_RULE_BYTES - 1);
    p.nodes = calloc(n + 1, sizeof(*p.nodes));
    p.args = calloc(n + 1, sizeof(*p.args));
    int r = p.nodes && p.args ? parse_all(&p) : err_set_errno(err, ERR_SYSTEM, ENOMEM, "parsing");
    if (r == 0) {
        struct expr *expr = pack(&p);
        if (expr)
            *ret_expr = expr;
        else
            r = err_set_errno(err, ERR_SYSTEM, ENOMEM, "parsing");
    }
    free(p.nodes);
    free(p.args);
    return r;
}
