/* SPDX-License-Identifier: MIT */
/* From text to struct expr: a lexer of one token ahead and a descent with one function a grammar
 * rule. The text is hostile: its length, depth, names and numbers are bounded before they cost
 * anything. */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/spec.h"
#include "proto/units.h"
#include "shm/expr_node.h"

#define ARGS_MAX (INDICATOR_INPUTS_MAX + INDICATOR_PARAMS_MAX)

enum token_kind { TOKEN_END, TOKEN_NUMBER, TOKEN_NAME, TOKEN_SIGN };

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
    struct token names[EXPR_NAMES_MAX];
};

static const char *const keywords[] = {"and", "or", "not"};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_name_part(char c)
{
    return is_name_start(c) || is_digit(c);
}

static bool token_is(const struct parser *p, struct token token, const char *word)
{
    return token.kind != TOKEN_END && strlen(word) == token.n &&
           memcmp(p->text + token.at, word, token.n) == 0;
}

static bool at_sign(const struct parser *p, const char *sign)
{
    return p->token.kind == TOKEN_SIGN && token_is(p, p->token, sign);
}

static bool at_keyword(const struct parser *p, const char *word)
{
    return p->token.kind == TOKEN_NAME && token_is(p, p->token, word);
}

/* A token's text in quotes, cut and made printable. */
static const char *quoted(const struct parser *p, struct token token, char out[static 96])
{
    char raw[33], safe[80];
    size_t n = token.n < sizeof(raw) - 1 ? token.n : sizeof(raw) - 1;
    if (token.kind == TOKEN_END)
        return "the end";
    memcpy(raw, p->text + token.at, n);
    raw[n] = '\0';
    (void)snprintf(out, 96, "'%s'", err_printable(raw, safe, sizeof(safe))); /* cut at worst */
    return out;
}

static ADMF_PRINTF(3, 4) int fail_at(struct parser *p, uint32_t at, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap); /* cut at worst */
    va_end(ap);
    return err_set(p->err, ERR_CONFIG, "column %u: %s", (unsigned)at + 1, text);
}

/* ---- tokens --------------------------------------------------------------------------------- */

/* What people write from other languages, and what it is here. */
static const struct {
    const char *found, *meant;
} habits[] = {
    {"&", "and"}, {"|", "or"}, {"!", "not"}, {"=", "=="}, {"**", "x * x"},
};

static int fail_sign(struct parser *p, uint16_t at)
{
    char text[96];
    struct token token = {.kind = TOKEN_SIGN, .at = at, .n = 1};
    while (at + token.n < p->text_n && ((unsigned char)p->text[at + token.n] & 0xc0) == 0x80)
        token.n++; /* the rest of a UTF-8 character */
    for (size_t i = 0; i < sizeof(habits) / sizeof(habits[0]); i++) {
        if (p->text[at] == habits[i].found[0])
            return fail_at(p, at, "found %s: did you mean '%s'?", quoted(p, token, text),
                           habits[i].meant);
    }
    return fail_at(p, at, "found %s, expected a number, a name, an operator or a parenthesis",
                   quoted(p, token, text));
}

static uint16_t skip_digits(const struct parser *p, uint16_t at)
{
    while (is_digit(p->text[at]))
        at++;
    return at;
}

/* digits[.digits][e[+-]digits], or .digits… */
static int lex_number(struct parser *p)
{
    char text[SPEC_RULE_BYTES + 1];
    struct token *t = &p->token;
    uint16_t end = skip_digits(p, t->at);
    if (p->text[end] == '.') {
        if (!is_digit(p->text[end + 1]))
            return fail_at(p, end, "found '.', expected digits behind the point of a number");
        end = skip_digits(p, end + 1);
    }
    if (p->text[end] == 'e' || p->text[end] == 'E') {
        uint16_t exponent = end + 1;
        exponent += p->text[exponent] == '+' || p->text[exponent] == '-';
        if (is_digit(p->text[exponent]))
            end = skip_digits(p, exponent);
    }
    t->kind = TOKEN_NUMBER;
    t->n = end - t->at;
    int n = snprintf(text, sizeof(text), "0%.*s", (int)t->n, p->text + t->at);
    size_t skip = p->text[t->at] == '.' ? 0 : 1;
    int r = f64_parse(text + skip, (size_t)n - skip, &t->number);
    if (r < 0)
        return fail_at(p, t->at, "the number is out of range");
    if (is_name_start(p->text[end]))
        return fail_at(p, end, "a number runs into a name: write an operator between them");
    return 0;
}

/* SPX:close and close@1d. */
static int refuse_qualified(struct parser *p)
{
    char text[96];
    uint16_t end = p->token.at + p->token.n;
    struct token whole = p->token;
    if (p->text[end] != ':' && p->text[end] != '@')
        return 0;
    while (is_name_part(p->text[end]) || p->text[end] == ':' || p->text[end] == '@')
        end++;
    whole.n = end - whole.at;
    return fail_at(p, whole.at,
                   "%s names another symbol or timeframe, which is not available: rules see the "
                   "bars of the symbol that they trade",
                   quoted(p, whole, text));
}

static int lex_name(struct parser *p)
{
    uint16_t end = p->token.at;
    while (is_name_part(p->text[end]))
        end++;
    p->token.kind = TOKEN_NAME;
    p->token.n = end - p->token.at;
    return refuse_qualified(p);
}

static int lex_sign(struct parser *p)
{
    static const char *const signs[] = {"<=", ">=", "==", "!=", "<", ">", "+",
                                        "-",  "*",  "/",  "(",  ")", ",", "."};
    const char *at = p->text + p->token.at;
    if (strncmp(at, "**", 2) == 0)
        return fail_sign(p, p->token.at);
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        size_t n = strlen(signs[i]);
        if (strncmp(at, signs[i], n) == 0) {
            p->token.kind = TOKEN_SIGN;
            p->token.n = (uint16_t)n;
            return 0;
        }
    }
    return fail_sign(p, p->token.at);
}

/* Moves to the next token. */
static int next(struct parser *p)
{
    uint16_t at = p->token.at + p->token.n;
    while (p->text[at] == ' ' || p->text[at] == '\t' || p->text[at] == '\n' || p->text[at] == '\r')
        at++;
    p->token = (struct token){.kind = TOKEN_END, .at = at};
    char c = p->text[at];
    if (c == '\0')
        return 0;
    if (is_digit(c) || (c == '.' && is_digit(p->text[at + 1])))
        return lex_number(p);
    return is_name_start(c) ? lex_name(p) : lex_sign(p);
}

static int fail_expected(struct parser *p, const char *expected)
{
    char text[96];
    return fail_at(p, p->token.at, "found %s, expected %s", quoted(p, p->token, text), expected);
}

/* ---- nodes ---------------------------------------------------------------------------------- */

static struct expr_node *node_of(struct parser *p, uint16_t idx)
{
    return &p->nodes[idx];
}

/* Appends a node; args may be NULL where it has none. Returns its number. */
static uint16_t add_node(struct parser *p, struct expr_node node, const uint16_t *args,
                         uint32_t args_n)
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

static int want_type(struct parser *p, uint16_t idx, bool condition, const char *where)
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

static int parse_or(struct parser *p, uint16_t *ret_idx);

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

/* ---- calls ---------------------------------------------------------------------------------- */

/* The functions that are no indicators. */
static const struct {
    const char *name, *signature;
    enum expr_kind kind;
} builtins[] = {
    {"shift", "shift(x, n)", EXPR_SHIFT},
    {"crosses_above", "crosses_above(a, b)", EXPR_CROSS_ABOVE},
    {"crosses_below", "crosses_below(a, b)", EXPR_CROSS_BELOW},
};
#define BUILTINS_N (sizeof(builtins) / sizeof(builtins[0]))

/* A call while it is parsed. Argument i has the nodes [first_node[i], arg[i]]. */
struct call {
    struct token name;
    struct expr_node node;
    char signature[96];
    uint32_t series_n; /* leading arguments that are series */
    uint32_t wanted_n;
    uint32_t args_n;
    uint16_t arg[ARGS_MAX];
    uint16_t first_node[ARGS_MAX];
};

static int fail_unknown_function(struct parser *p, struct token name)
{
    char text[96], found[SPEC_NAME_BYTES];
    const char *names[64];
    size_t names_n = 0;
    for (size_t i = 0; i < BUILTINS_N; i++)
        names[names_n++] = builtins[i].name;
    for (size_t i = 0; i < indicator_table_n && names_n < 64; i++)
        names[names_n++] = indicator_table[i]->name;
    for (size_t i = 0; i < EXPR_BARS_N; i++) {
        if (token_is(p, name, expr_bar_names[i]))
            return fail_at(p, name.at,
                           "%s is a column, not a function: write shift(%s, n) for its "
                           "value n bars ago",
                           quoted(p, name, text), expr_bar_names[i]);
    }
    (void)snprintf(found, sizeof(found), "%.*s", (int)name.n, p->text + name.at); /* cut at worst */
    const char *close = err_suggest(found, names, names_n);
    if (close)
        return fail_at(p, name.at, "unknown function %s: did you mean '%s'?", quoted(p, name, text),
                       close);
    return fail_at(p, name.at, "unknown function %s: admf catalog indicators lists what there is",
                   quoted(p, name, text));
}

static const struct indicator *indicator_named(const struct parser *p, struct token name)
{
    for (size_t i = 0; i < indicator_table_n; i++) {
        if (token_is(p, name, indicator_table[i]->name))
            return indicator_table[i];
    }
    return NULL;
}

static int find_function(struct parser *p, struct call *c)
{
    const struct indicator *indicator = indicator_named(p, c->name);
    if (indicator) {
        c->node.kind = EXPR_CALL;
        c->node.indicator = indicator;
        c->series_n = indicator->series_args_n;
        c->wanted_n = indicator->series_args_n + indicator->params_n;
        (void)expr_signature(indicator, c->signature, sizeof(c->signature));
        return 0;
    }
    for (size_t i = 0; i < BUILTINS_N; i++) {
        if (token_is(p, c->name, builtins[i].name)) {
            c->node.kind = (uint8_t)builtins[i].kind;
            c->node.is_condition = c->node.kind != EXPR_SHIFT;
            c->series_n = c->node.kind == EXPR_SHIFT ? 1 : 2;
            c->wanted_n = 2;
            (void)snprintf(c->signature, sizeof(c->signature), "%s", builtins[i].signature);
            return 0;
        }
    }
    return fail_unknown_function(p, c->name);
}

static int fail_args_n(struct parser *p, const struct call *c, const char *found)
{
    return fail_at(p, c->name.at, "%s takes %u argument%s, found %s", c->signature, c->wanted_n,
                   c->wanted_n == 1 ? "" : "s", found);
}

/* args := (expr ("," expr)*)?, behind the opening parenthesis and up to the closing one. */
static int parse_args(struct parser *p, struct call *c)
{
    char found[16];
    while (!at_sign(p, ")")) {
        if (c->args_n == c->wanted_n)
            return fail_args_n(p, c, "more");
        c->first_node[c->args_n] = (uint16_t)p->nodes_n;
        int r = parse_or(p, &c->arg[c->args_n]);
        if (r < 0)
            return r;
        c->args_n++;
        if (at_sign(p, ")"))
            break;
        if (!at_sign(p, ","))
            return fail_expected(p, "an operator, ',' or ')'");
        r = next(p);
        if (r < 0)
            return r;
        if (at_sign(p, ")"))
            return fail_expected(p, "an argument behind ','");
    }
    (void)snprintf(found, sizeof(found), "%u", c->args_n);
    return c->args_n == c->wanted_n ? next(p) : fail_args_n(p, c, found);
}

/* Numbers, names and arithmetic of these. */
static bool is_plain(const struct expr_node *node)
{
    return node->kind <= EXPR_DIV && node->kind != EXPR_BAR;
}

/* The value of argument i, where it holds numbers and arithmetic alone. */
static bool constant_value(const struct parser *p, const struct call *c, uint32_t i,
                           double *ret_value)
{
    double values[SPEC_RULE_BYTES], value = NAN; /* a node takes a character at least */
    uint16_t first = c->first_node[i];
    for (uint16_t idx = first; idx <= c->arg[i]; idx++) {
        const struct expr_node *node = &p->nodes[idx];
        const uint16_t *args = p->args + node->args;
        if (!is_plain(node) || node->kind == EXPR_NAME)
            return false;
        if (node->kind == EXPR_NUMBER)
            value = node->number;
        else if (node->kind == EXPR_NEG)
            value = -values[args[0] - first];
        else
            value = expr_arithmetic(node->kind, values[args[0] - first], values[args[1] - first]);
        values[idx - first] = value;
    }
    *ret_value = value;
    return true;
}

/* A constant must be one that its place takes; parameters are checked when they have values. */
static int check_value(struct parser *p, const struct call *c, uint32_t i)
{
    struct expr_argument argument = {.idx = i, .column = node_of(p, c->arg[i])->column};
    const struct indicator_param *param = &expr_shift_param;
    if (c->node.kind == EXPR_CALL)
        argument.indicator = c->node.indicator;
    else if (c->node.kind != EXPR_SHIFT || i == 0)
        return 0;
    if (!constant_value(p, c, i, &argument.value))
        return 0;
    if (i < c->series_n)
        return expr_refuse_constant(&argument, p->err);
    if (argument.indicator)
        param = &argument.indicator->params[i - c->series_n];
    return expr_param_takes(param, argument.value) ? 0
                                                   : expr_refuse_param(param, &argument, p->err);
}

/* Parameters of functions are numbers, names and arithmetic: known before any bar is read. */
static int check_constant(struct parser *p, const struct call *c, uint32_t i)
{
    char text[96];
    const struct expr_node *culprit = NULL; /* the leftmost */
    for (uint16_t idx = c->first_node[i]; idx <= c->arg[i]; idx++) {
        const struct expr_node *node = node_of(p, idx);
        if (!is_plain(node) && (!culprit || node->column < culprit->column))
            culprit = node;
    }
    if (!culprit)
        return 0;
    return fail_at(
        p, culprit->column - 1u,
        "argument %u of %s (%s) must be the same for all bars: a number, a parameter, or "
        "arithmetic of these",
        i + 1, quoted(p, c->name, text), c->signature);
}

static int check_args(struct parser *p, const struct call *c)
{
    char where[160], text[96];
    for (uint32_t i = 0; i < c->args_n; i++) {
        (void)snprintf(where, sizeof(where), "as argument %u of %s", i + 1,
                       quoted(p, c->name, text));
        int r = c->node.kind == EXPR_SHIFT && i == 0 ? 0 : want_type(p, c->arg[i], false, where);
        if (r == 0 && i >= c->series_n)
            r = check_constant(p, c, i);
        if (r == 0)
            r = check_value(p, c, i);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ".upper .middle .lower". Returns out. */
static const char *list_outputs(const struct indicator *indicator, char out[static 128])
{
    size_t n = 0;
    for (unsigned i = 0; i < indicator->outputs_n && n < 128; i++)
        n += (size_t)snprintf(out + n, 128 - n, "%s.%s", i ? " " : "", indicator->outputs[i]);
    return out;
}

static int find_output(struct parser *p, struct call *c)
{
    char text[96], found[SPEC_NAME_BYTES], all[128];
    const struct indicator *indicator = c->node.indicator;
    for (unsigned i = 0; i < indicator->outputs_n; i++) {
        if (token_is(p, p->token, indicator->outputs[i])) {
            c->node.output = (uint8_t)i;
            return next(p);
        }
    }
    (void)snprintf(found, sizeof(found), "%.*s", (int)p->token.n, p->text + p->token.at);
    const char *close = err_suggest(found, indicator->outputs, indicator->outputs_n);
    return fail_at(p, p->token.at, "%s has no output %s, but %s%s%s%s", indicator->name,
                   quoted(p, p->token, text), list_outputs(indicator, all),
                   close ? ": did you mean '" : "", close ? close : "", close ? "'?" : "");
}

/* "." output, of an indicator with several outputs alone. */
static int parse_output(struct parser *p, struct call *c)
{
    char text[96], all[128];
    bool has_several = c->node.kind == EXPR_CALL && c->node.indicator->outputs_n > 1;
    if (!at_sign(p, ".") && has_several)
        return fail_at(p, c->name.at, "%s has several outputs: say which behind it, %s",
                       c->signature, list_outputs(c->node.indicator, all));
    if (!at_sign(p, "."))
        return 0;
    if (!has_several)
        return fail_at(p, p->token.at, "%s has one output: write %s without '.'",
                       quoted(p, c->name, text), c->signature);
    int r = next(p);
    if (r < 0)
        return r;
    if (p->token.kind != TOKEN_NAME)
        return fail_expected(p, "the name of an output");
    return find_output(p, c);
}

static int parse_call(struct parser *p, struct token name, uint16_t *ret_idx)
{
    struct call c = {.name = name, .node = {.column = name.at + 1}};
    int r = find_function(p, &c);
    if (r == 0)
        r = next(p); /* the opening parenthesis */
    if (r == 0)
        r = parse_args(p, &c);
    if (r == 0)
        r = check_args(p, &c);
    if (r == 0)
        r = parse_output(p, &c);
    if (r < 0)
        return r;
    if (c.node.kind == EXPR_SHIFT)
        c.node.is_condition = node_of(p, c.arg[0])->is_condition;
    *ret_idx = add_node(p, c.node, c.arg, c.args_n);
    return 0;
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
                           : parse_atom(p, ret_idx);
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

static int parse_or(struct parser *p, uint16_t *ret_idx)
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

/* Copies what was parsed into one block of just its size. */
static struct expr *pack(const struct parser *p)
{
    size_t text_bytes = 0;
    for (uint32_t i = 0; i < p->names_n; i++)
        text_bytes += p->names[i].n + 1u;
    size_t nodes_bytes = p->nodes_n * sizeof(*p->nodes);
    size_t names_bytes = p->names_n * sizeof(char *);
    size_t args_bytes = p->args_n * sizeof(*p->args);
    char *block = malloc(sizeof(struct expr) + nodes_bytes + names_bytes + args_bytes + text_bytes);
    if (!block)
        return NULL;
    struct expr *expr = (struct expr *)block;
    char *nodes = block + sizeof(*expr);
    const char **names = (const char **)(nodes + nodes_bytes);
    uint16_t *args = (uint16_t *)((char *)names + names_bytes);
    char *text = (char *)args + args_bytes;
    memcpy(nodes, p->nodes, nodes_bytes);
    if (args_bytes)
        memcpy(args, p->args, args_bytes);
    for (uint32_t i = 0; i < p->names_n; i++) {
        names[i] = text;
        memcpy(text, p->text + p->names[i].at, p->names[i].n);
        text[p->names[i].n] = '\0';
        text += p->names[i].n + 1u;
    }
    *expr = (struct expr){.nodes_n = p->nodes_n,
                          .names_n = p->names_n,
                          .nodes = (struct expr_node *)nodes,
                          .args = args,
                          .names = names};
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
