/* SPDX-License-Identifier: MIT */
/* From text to tokens. The text is hostile: what is found is bounded before it costs anything. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/spec.h"
#include "proto/units.h"
#include "shm/expr_parser.h"

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

bool token_is(const struct parser *p, struct token token, const char *word)
{
    return token.kind != TOKEN_END && strlen(word) == token.n &&
           memcmp(p->text + token.at, word, token.n) == 0;
}

bool at_sign(const struct parser *p, const char *sign)
{
    return p->token.kind == TOKEN_SIGN && token_is(p, p->token, sign);
}

bool at_keyword(const struct parser *p, const char *word)
{
    return p->token.kind == TOKEN_NAME && token_is(p, p->token, word);
}

const char *quoted(const struct parser *p, struct token token, char out[static 96])
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

int fail_at(struct parser *p, uint32_t at, const char *fmt, ...)
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

static int lex_name(struct parser *p)
{
    uint16_t end = p->token.at;
    while (is_name_part(p->text[end]))
        end++;
    p->token.kind = TOKEN_NAME;
    p->token.n = end - p->token.at;
    return 0;
}

static int lex_sign(struct parser *p)
{
    static const char *const signs[] = {"<=", ">=", "==", "!=", "<", ">", "+", "-",
                                        "*",  "/",  "(",  ")",  ",", ".", "@"};
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

/* ---- symbols and timeframes ----------------------------------------------------------------- */

/* What may stand in a symbol's name without quotes: no sign of arithmetic. */
static bool is_symbol_part(char c)
{
    return is_name_part(c) || c == '.' || c == '^';
}

/* End of a symbol's name that begins at `at` and has its colon; 0 if there is none. A name in
 * quotes ends behind them. */
static uint16_t symbol_end(const struct parser *p, uint16_t at)
{
    char c = p->text[at];
    uint16_t end = at;
    if (c == '"' || c == '`') {
        const char *close = strchr(p->text + at + 1, c);
        end = close ? (uint16_t)(close - p->text + 1) : at;
    } else {
        while (is_symbol_part(p->text[end]))
            end++;
    }
    return end > at && p->text[end] == ':' ? end : 0;
}

struct token symbol_name(const struct parser *p)
{
    struct token name = {.kind = TOKEN_NAME, .at = p->token.at, .n = p->token.n - 1};
    if (!is_symbol_part(p->text[name.at])) {
        name.at++;
        name.n -= 2;
    }
    return name;
}

static int lex_symbol(struct parser *p, uint16_t end)
{
    char name[SPEC_NAME_BYTES] = "", text[96];
    p->token.kind = TOKEN_SYMBOL;
    p->token.n = end + 1 - p->token.at;
    struct token inside = symbol_name(p);
    if (inside.n < sizeof(name))
        memcpy(name, p->text + inside.at, inside.n);
    name[inside.n < sizeof(name) ? inside.n : 0] = '\0';
    if (!spec_symbol_is_good(name))
        return fail_at(p, p->token.at, "%s is not the name of a symbol, such as SPX or \"BRK-B\"",
                       quoted(p, inside, text));
    return 0;
}

int take_timeframe(struct parser *p, struct timeframe *ret_timeframe)
{
    char found[SPEC_NAME_BYTES] = "", text[96];
    struct token t = {.kind = TOKEN_NAME, .at = p->token.at + 1};
    while (is_name_part(p->text[t.at + t.n]))
        t.n++;
    if (!timeframe_parse(p->text + t.at, t.n, ret_timeframe)) {
        (void)snprintf(found, sizeof(found), "%.*s", (int)t.n, p->text + t.at);
        const char *close = timeframe_suggest(found);
        return fail_at(
            p, t.at, "%s is no timeframe, which is a whole number and m, h, d, w or M%s%s%s",
            t.n ? quoted(p, t, text) : "what stands behind '@'",
            close ? ": did you mean '" : ", such as @1d", close ? close : "", close ? "'?" : "");
    }
    p->token = t;
    return next(p);
}

int next(struct parser *p)
{
    uint16_t at = p->token.at + p->token.n;
    while (p->text[at] == ' ' || p->text[at] == '\t' || p->text[at] == '\n' || p->text[at] == '\r')
        at++;
    p->token = (struct token){.kind = TOKEN_END, .at = at};
    char c = p->text[at];
    if (c == '\0')
        return 0;
    uint16_t end = symbol_end(p, at);
    if (end)
        return lex_symbol(p, end);
    if (is_digit(c) || (c == '.' && is_digit(p->text[at + 1])))
        return lex_number(p);
    return is_name_start(c) ? lex_name(p) : lex_sign(p);
}

int fail_expected(struct parser *p, const char *expected)
{
    char text[96];
    return fail_at(p, p->token.at, "found %s, expected %s", quoted(p, p->token, text), expected);
}
