/* SPDX-License-Identifier: MIT */
/* Single values of a configuration, each checked for type and range where it is read. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/units.h"
#include "supervisor/config/loader.h"

const char *rule_text(const struct number_rule *rule, char *out, size_t out_bytes)
{
    char low[F64_BYTES], high[F64_BYTES];
    f64_format_short(rule->minimum, low);
    f64_format_short(rule->maximum, high);
    const char *whole = rule->is_whole ? "whole number, " : "";
    char or_word[32] = "";
    if (rule->word)
        snprintf(or_word, sizeof(or_word), ", or `%s`", rule->word);
    if (isinf(rule->minimum) && isinf(rule->maximum))
        snprintf(out, out_bytes, "%s%s", rule->is_whole ? "whole number" : "number", or_word);
    else if (isinf(rule->maximum))
        snprintf(out, out_bytes, "%s%s %s%s", whole, rule->is_above ? "above" : "at least", low,
                 or_word);
    else if (isinf(rule->minimum))
        snprintf(out, out_bytes, "%s%s %s%s", whole, rule->is_below ? "below" : "at most", high,
                 or_word);
    else if (rule->is_above || rule->is_below)
        snprintf(out, out_bytes, "%s%s %s, %s %s%s", whole, rule->is_above ? "above" : "at least",
                 low, rule->is_below ? "below" : "at most", high, or_word);
    else
        snprintf(out, out_bytes, "%s%s to %s%s", whole, low, high, or_word);
    return out;
}

int rule_check(const struct node *v, const char *what, const struct number_rule *rule, double value,
               struct err *err)
{
    char number[F64_BYTES], range[128];
    bool is_low = value < rule->minimum || (rule->is_above && value == rule->minimum);
    bool is_high = value > rule->maximum || (rule->is_below && value == rule->maximum);
    if (is_low || is_high)
        return node_error(v, err, "%s: %s is out of range; expected: %s", what,
                          f64_format_short(value, number), rule_text(rule, range, sizeof(range)));
    if (rule->is_whole && value != floor(value))
        return node_error(v, err, "%s: %s is not whole; expected: %s", what,
                          f64_format_short(value, number), rule_text(rule, range, sizeof(range)));
    return 0;
}

/* Why a text that looks like a number is none, and what to write instead. */
static const char *number_hint(const char *text)
{
    size_t n = strlen(text);
    if (!strpbrk(text, "0123456789"))
        return "";
    if (n && text[n - 1] == '%')
        return "; write a fraction: 0.01 for 1 %";
    if (strchr(text, ','))
        return "; write a decimal point, and no commas between digits";
    if (strchr(text, '_') || !strncmp(text, "0x", 2))
        return "; write plain decimal digits";
    if (text[0] == '.' || (n && text[n - 1] == '.'))
        return "; write a digit on both sides of the point";
    return "";
}

static int number_error(const struct node *v, const char *what, const struct number_rule *rule,
                        struct err *err)
{
    char range[128];
    rule_text(rule, range, sizeof(range));
    if (v->kind == NODE_SCALAR && !v->is_plain)
        return node_error(v, err,
                          "%s: %s is a text in quotes; a number is expected: take the "
                          "quotes off",
                          what, node_show(v).text);
    return node_error(v, err, "%s: %s is not a number%s; expected: %s", what, node_show(v).text,
                      v->kind == NODE_SCALAR ? number_hint(v->text) : "", range);
}

int value_number(const struct node *v, const char *what, const struct number_rule *rule,
                 double *ret_value, struct err *err)
{
    double value = 0;
    if (v->kind != NODE_SCALAR || !v->is_plain || node_is_null(v))
        return number_error(v, what, rule, err);
    if (rule->word && !strcmp(v->text, rule->word)) {
        *ret_value = rule->word_value;
        return 0;
    }
    int rc = f64_parse(v->text, v->n_bytes, &value);
    if (rc == -ERANGE)
        return node_error(v, err, "%s: %s is beyond what a double can hold", what,
                          node_show(v).text);
    if (rc < 0 || !isfinite(value))
        return number_error(v, what, rule, err);
    value += 0.0; /* -0 is 0 */
    rc = rule_check(v, what, rule, value, err);
    if (rc == 0)
        *ret_value = value;
    return rc;
}

int value_u64(const struct node *v, const char *what, uint64_t *ret_value, struct err *err)
{
    bool is_digits = v->kind == NODE_SCALAR && v->is_plain && v->n_bytes > 0 &&
                     strspn(v->text, "0123456789") == v->n_bytes;
    errno = 0;
    unsigned long long value = is_digits ? strtoull(v->text, NULL, 10) : 0;
    if (!is_digits || errno == ERANGE)
        return node_error(v, err, "%s: %s; expected: a whole number from 0 to 18446744073709551615",
                          what, node_show(v).text);
    *ret_value = value;
    return 0;
}

int value_bool(const struct node *v, const char *what, bool *ret_value, struct err *err)
{
    bool is_plain = v->kind == NODE_SCALAR && v->is_plain;
    if (is_plain && !strcmp(v->text, "true"))
        *ret_value = true;
    else if (is_plain && !strcmp(v->text, "false"))
        *ret_value = false;
    else
        return node_error(v, err, "%s: %s; expected: true or false", what, node_show(v).text);
    return 0;
}

int value_choice(struct loader *l, const struct node *v, const struct schema_row *row,
                 int *ret_value)
{
    const char *names[16];
    size_t n = 0;
    char known[256] = "", what[160];
    size_t used = 0;
    for (const struct choice *c = row->choices; c->name; c++) {
        if (v->kind == NODE_SCALAR && !strcmp(c->name, v->text)) {
            snprintf(what, sizeof(what), "%s: %s", row->path, c->name);
            if (c->value == CHOICE_ABSENT)
                return schema_absent(l, v, what);
            *ret_value = c->value;
            return 0;
        }
        if (c->value == CHOICE_ABSENT || c->is_spelling)
            continue;
        used +=
            (size_t)snprintf(known + used, sizeof(known) - used, "%s%s", n ? ", " : "", c->name);
        names[n++] = c->name;
    }
    const char *close = v->kind == NODE_SCALAR ? err_suggest(v->text, names, n) : NULL;
    return node_error(v, l->err, "%s: %s; %s%s%sexpected: %s", row->path, node_show(v).text,
                      close ? "did you mean \"" : "", close ? close : "", close ? "\"? " : "",
                      known);
}

int value_text(const struct node *v, const char *what, char *out, size_t out_bytes, struct err *err)
{
    if (v->kind != NODE_SCALAR || node_is_null(v) || v->n_bytes == 0)
        return node_error(v, err, "%s: %s; a text is expected", what, node_show(v).text);
    if (v->n_bytes >= out_bytes)
        return node_error(v, err, "%s: a text of %zu bytes; at most %zu", what, v->n_bytes,
                          out_bytes - 1);
    memcpy(out, v->text, v->n_bytes + 1);
    return 0;
}
