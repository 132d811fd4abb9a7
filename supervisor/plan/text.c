/* SPDX-License-Identifier: MIT */
#include "supervisor/plan/text.h"

#include <string.h>

bool text_starts_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool text_in_word(char c)
{
    return text_starts_word(c) || (c >= '0' && c <= '9');
}

const char *text_skip_word(const char *p)
{
    while (text_in_word(*p))
        p++;
    return p;
}

const char *text_skip_space(const char *p)
{
    while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')
        p++;
    return p;
}

/* Past a name in quotes, which can be that of a symbol alone. */
static const char *skip_quoted(const char *p)
{
    const char *close = strchr(p + 1, *p);
    return close ? close + 1 : p + 1;
}

const char *text_skip_group(const char *p)
{
    int depth = 0;
    do {
        depth += (*p == '(') - (*p == ')');
        p = *p == '"' || *p == '`' ? skip_quoted(p) : p + 1;
    } while (depth > 0 && *p);
    return p;
}

const char *text_skip_symbol(const char *p)
{
    const char *end = p;
    if (*p == '"' || *p == '`')
        end = skip_quoted(p);
    else
        while (text_in_word(*end) || *end == '.' || *end == '^')
            end++;
    return end > p && *end == ':' ? end + 1 : p;
}

static const char *skip_timeframe(const char *p)
{
    const char *sign = text_skip_space(p);
    return *sign == '@' ? text_skip_word(text_skip_space(sign + 1)) : p;
}

static const char *skip_output(const char *p)
{
    const char *dot = text_skip_space(p);
    if (*dot == '.' && text_starts_word(*text_skip_space(dot + 1)))
        return text_skip_word(text_skip_space(dot + 1));
    return p;
}

static bool is_keyword(const char *p, const char *end)
{
    static const char *const keywords[] = {"and", "or", "not"};
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (strlen(keywords[i]) == (size_t)(end - p) &&
            memcmp(p, keywords[i], (size_t)(end - p)) == 0)
            return true;
    return false;
}

bool text_column_at(const char *p, bool any, const char **ret_to)
{
    const char *symbol_end = text_skip_symbol(p), *name = text_skip_space(symbol_end);
    const char *end = text_starts_word(*name) ? text_skip_word(name) : name;
    const char *to = skip_timeframe(end);
    if (end == name || is_keyword(name, end) || (!any && symbol_end == p && to == end))
        return false;
    *ret_to = to;
    return true;
}

bool text_call_at(const char *p, struct text_call *ret_call)
{
    struct text_call call = {.from = p};
    const char *name = text_skip_symbol(p);
    call.symbol_n = (size_t)(name - p);
    call.name = text_skip_space(name);
    const char *end = text_starts_word(*call.name) ? text_skip_word(call.name) : call.name;
    call.name_n = (size_t)(end - call.name);
    call.open = text_skip_space(end);
    if (*call.open != '(')
        return false;
    const char *behind = text_skip_group(call.open);
    call.close = behind - 1;
    behind = skip_output(behind);
    call.to = skip_timeframe(behind);
    call.timeframe_n = (size_t)(call.to - behind);
    *ret_call = call;
    return true;
}

const char *text_skip_token(const char *p)
{
    const char *name = text_skip_symbol(p);
    if (name > p)
        return text_skip_word(text_skip_space(name));
    if (*p == '@')
        return text_skip_word(text_skip_space(p + 1));
    return text_in_word(*p) ? text_skip_word(p) : p + 1; /* the e of 1e5 is no word */
}
