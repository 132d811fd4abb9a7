/* SPDX-License-Identifier: MIT */
/* Finds indicator calls in the text of a rule by their names and parentheses. */
#include "supervisor/plan/pieces.h"

#include <errno.h>
#include <stdbool.h>
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

static int add(struct pieces *pieces, const char *from, const char *to)
{
    size_t n_bytes = (size_t)(to - from);
    for (size_t i = 0; i < pieces->n; i++)
        if (strlen(pieces->text[i]) == n_bytes && memcmp(pieces->text[i], from, n_bytes) == 0)
            return 0;
    if (pieces->n == PIECES_MAX)
        return -E2BIG;
    pieces->text[pieces->n] = strndup(from, n_bytes);
    return pieces->text[pieces->n] ? (pieces->n++, 0) : -ENOMEM;
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
    if (*next != '(' || !indicator_find(word))
        return 0; /* shift, crosses_above, …: what is inside is looked at in turn */
    *p = skip_call(next);
    return add(pieces, start, *p);
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
