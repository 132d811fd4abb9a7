/* SPDX-License-Identifier: MIT */
/* Finds indicator calls in the text of a rule by their names and parentheses. */
#include "supervisor/plan/pieces.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/indicator/indicator.h"

#define WORD_BYTES 64

static bool starts_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool in_word(char c)
{
    return starts_word(c) || (c >= '0' && c <= '9');
}

static const char *skip_word(const char *p)
{
    while (in_word(*p))
        p++;
    return p;
}

static const char *skip_space(const char *p)
{
    while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')
        p++;
    return p;
}

/* Past the parenthesis that closes the one at p, and past a `.output` behind it. */
static const char *skip_call(const char *p)
{
    int depth = 0;
    do {
        depth += (*p == '(') - (*p == ')');
        p++;
    } while (depth > 0 && *p);
    const char *dot = skip_space(p);
    if (*dot == '.' && starts_word(*skip_space(dot + 1)))
        return skip_word(skip_space(dot + 1));
    return p;
}

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
        if (starts_word(*from))
            return true;
        from = in_word(*from) ? skip_word(from) : from + 1;
    }
    return false;
}

/* The n of the shift whose parenthesis opens at `open`: what stands behind its last comma. */
static int take_lag(struct pieces *pieces, const char *open)
{
    const char *comma = open, *p = open;
    int depth = 0;
    for (;; p++) {
        depth += (*p == '(') - (*p == ')');
        if (depth == 0 || !*p)
            break;
        if (*p == ',' && depth == 1)
            comma = p;
    }
    char *text = NULL;
    if (!has_word(comma + 1, p))
        return 0;
    if (asprintf(&text, "shift(close,%.*s)", (int)(p - comma - 1), comma + 1) < 0)
        text = NULL;
    return add(pieces, text);
}

/* Takes the word at *p as a piece if it is one, and moves *p past what was looked at. */
static int take_word(struct pieces *pieces, const char **p)
{
    char word[WORD_BYTES] = "";
    const char *start = *p, *end = skip_word(start);
    if ((size_t)(end - start) < sizeof word)
        memcpy(word, start, (size_t)(end - start));
    *p = end;
    const char *next = skip_space(end);
    if (*next == '(' && strcmp(word, "shift") == 0)
        return take_lag(pieces, next); /* what is inside is looked at in turn */
    if (*next != '(' || !indicator_find(word))
        return 0; /* crosses_above, …: the same */
    *p = skip_call(next);
    return add(pieces, strndup(start, (size_t)(*p - start)));
}

int pieces_find(const char *rule, struct pieces *ret_pieces)
{
    struct pieces pieces = {0};
    int rc = 0;
    for (const char *p = rule; *p && rc == 0;) {
        if (starts_word(*p))
            rc = take_word(&pieces, &p);
        else
            p = in_word(*p) ? skip_word(p) : p + 1; /* the e of 1e5 is no word */
    }
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
