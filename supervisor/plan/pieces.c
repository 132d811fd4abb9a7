/* SPDX-License-Identifier: MIT */
/* Finds indicator calls in the text of a rule by their names and parentheses. */
#include "supervisor/plan/pieces.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/indicator/indicator.h"
#include "supervisor/plan/text.h"

#define WORD_BYTES 64
#define DEPTH_MAX  256 /* of parentheses; the parser takes fewer */

/* Part of the rule, whose pieces go to `pieces` with `depth` parentheses around it. */
struct scan {
    struct pieces *pieces;
    const char *from, *to;
    unsigned depth;
    bool is_qualified; /* a symbol or a timeframe stands around it: columns are pieces */
};

bool pieces_have(const struct pieces *pieces, const char *text)
{
    for (size_t i = 0; i < pieces->n; i++)
        if (strcmp(pieces->text[i], text) == 0)
            return true;
    return false;
}

/* Takes over `text`; NULL is a lack of memory. */
static int add(struct pieces *pieces, char *text)
{
    int rc = !text ? -ENOMEM : pieces->n == PIECES_MAX ? -E2BIG : 0;
    if (rc == 0 && !pieces_have(pieces, text))
        pieces->text[pieces->n++] = text;
    else
        free(text);
    return rc;
}

/* Whether [from, to) names anything: the e of 1e5 does not. */
static bool has_word(const char *from, const char *to)
{
    while (from < to) {
        if (text_starts_word(*from))
            return true;
        from = text_in_word(*from) ? text_skip_word(from) : from + 1;
    }
    return false;
}

/* The n of the shift whose parentheses these are: what stands behind its last comma. */
static int take_lag(struct pieces *pieces, const char *open, const char *close)
{
    const char *comma = open;
    char *text = NULL;
    for (const char *p = open + 1; p < close; p++) {
        if (*p == '(')
            p = text_skip_group(p) - 1;
        else if (*p == ',')
            comma = p;
    }
    if (!has_word(comma + 1, close))
        return 0;
    if (asprintf(&text, "shift(close,%.*s)", (int)(close - comma - 1), comma + 1) < 0)
        text = NULL;
    return add(pieces, text);
}

static int scan(const struct scan *s);

/* Pieces of what stands in parentheses; each with the symbol before them, [from, open), and the
 * timeframe behind them, [close, to). */
static int take_inside(const struct scan *s, const struct text_call *call)
{
    struct pieces inside = {0};
    bool is_qualified = s->is_qualified || call->symbol_n || call->timeframe_n;
    struct scan in = {&inside, call->open + 1, call->close, s->depth + 1, is_qualified};
    int rc = s->depth < DEPTH_MAX ? scan(&in) : -E2BIG;
    for (size_t i = 0; rc == 0 && i < inside.n; i++) {
        char *text = NULL;
        if (call->symbol_n == 0 && call->timeframe_n == 0)
            text = strdup(inside.text[i]);
        else if (asprintf(&text, "%.*s(%s)%.*s", (int)call->symbol_n, call->from, inside.text[i],
                          (int)call->timeframe_n, call->to - call->timeframe_n) < 0)
            text = NULL;
        rc = add(s->pieces, text);
    }
    pieces_fini(&inside);
    return rc;
}

/* A call or a group in parentheses, with what stands around it. */
static int take_call(const struct scan *s, const struct text_call *call)
{
    char word[WORD_BYTES] = "";
    if (call->name_n < sizeof word)
        memcpy(word, call->name, call->name_n);
    if (call->name_n > 0 && indicator_find(word))
        return add(s->pieces, strndup(call->from, (size_t)(call->to - call->from)));
    int rc = strcmp(word, "shift") == 0 ? take_lag(s->pieces, call->open, call->close) : 0;
    return rc < 0 ? rc : take_inside(s, call);
}

static int scan(const struct scan *s)
{
    struct text_call call;
    const char *to;
    int rc = 0;
    for (const char *p = text_skip_space(s->from); p < s->to && rc == 0; p = text_skip_space(p)) {
        if (text_call_at(p, &call)) {
            rc = take_call(s, &call);
            p = call.to;
        } else if (text_column_at(p, s->is_qualified, &to)) {
            rc = add(s->pieces, strndup(p, (size_t)(to - p)));
            p = to;
        } else {
            p = text_skip_token(p);
        }
    }
    return rc;
}

int pieces_find(const char *rule, struct pieces *ret_pieces)
{
    struct pieces pieces = {0};
    int rc = scan(&(struct scan){&pieces, rule, rule + strlen(rule), 0, false});
    if (rc < 0) {
        pieces_fini(&pieces);
        return rc;
    }
    *ret_pieces = pieces;
    return 0;
}

void pieces_fini(struct pieces *pieces)
{
    for (size_t i = 0; i < pieces->n; i++)
        free(pieces->text[i]);
    pieces->n = 0;
}
