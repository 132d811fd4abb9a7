/* SPDX-License-Identifier: MIT */
/* Cuts the text of a rule at its `or`, `and`, `not` and parentheses. */
#include "supervisor/plan/conditions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/plan/text.h"

#define OPERANDS_MAX 64
#define DEPTH_MAX    64

/* A part of the rule's text. */
struct piece {
    const char *from, *to;
};

struct cutting {
    condition_fits_fn fits;
    void *ctx;
    struct condition_parts *parts;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Without spaces around it and parentheses around all of it. */
static struct piece strip(struct piece t)
{
    for (;;) {
        while (t.from < t.to && is_space(*t.from))
            t.from++;
        while (t.to > t.from && is_space(t.to[-1]))
            t.to--;
        if (t.from == t.to || *t.from != '(' || text_skip_group(t.from) != t.to)
            return t;
        t.from++;
        t.to--;
    }
}

/* The operands of `word` outside of parentheses; 1 where it does not stand there. */
static size_t split(struct piece t, const char *word, struct piece operands[static OPERANDS_MAX])
{
    size_t n = 0, word_n = strlen(word);
    struct piece at = {t.from, t.to};
    for (const char *p = t.from, *end; p < t.to; p = end) {
        end = *p == '(' ? text_skip_group(p) : text_skip_token(p);
        if ((size_t)(end - p) == word_n && memcmp(p, word, word_n) == 0 && n < OPERANDS_MAX - 1) {
            operands[n++] = (struct piece){at.from, p};
            at.from = end;
        }
    }
    operands[n++] = at;
    return n;
}

static int add(struct cutting *c, struct piece t, bool is_shared)
{
    struct condition_parts *parts = c->parts;
    if (parts->n == CONDITIONS_PARTS_MAX)
        return -E2BIG;
    char *text = strndup(t.from, (size_t)(t.to - t.from));
    if (!text)
        return -ENOMEM;
    parts->part[parts->n].text = text;
    parts->part[parts->n++].is_shared = is_shared;
    return 0;
}

/* 1 where the piece is shared and was added. */
static int try_shared(struct cutting *c, struct piece t)
{
    char *text = strndup(t.from, (size_t)(t.to - t.from));
    if (!text)
        return -ENOMEM;
    bool fits = c->fits(c->ctx, text);
    free(text);
    int rc = fits ? add(c, t, true) : 0;
    return rc < 0 ? rc : fits;
}

static int cut(struct cutting *c, struct piece t, unsigned depth);

/* Operands from the left as they are grouped: the longest shared row of them, then each. */
static int cut_operands(struct cutting *c, const struct piece *operands, size_t n, unsigned depth)
{
    size_t done = 0;
    int rc = 0;
    for (size_t row = n - 1; row >= 2 && done == 0 && rc >= 0; row--) {
        rc = try_shared(c, strip((struct piece){operands[0].from, operands[row - 1].to}));
        done = rc > 0 ? row : 0;
    }
    for (; rc >= 0 && done < n; done++)
        rc = cut(c, operands[done], depth + 1);
    return rc;
}

static int cut(struct cutting *c, struct piece t, unsigned depth)
{
    struct piece operands[OPERANDS_MAX];
    t = strip(t);
    int rc = try_shared(c, t);
    if (rc != 0 || depth == DEPTH_MAX)
        return rc ? rc : add(c, t, false);
    size_t n = split(t, "or", operands);
    if (n == 1)
        n = split(t, "and", operands);
    if (n > 1)
        return cut_operands(c, operands, n, depth);
    if (split(t, "not", operands) == 2)
        return cut(c, operands[1], depth + 1);
    return add(c, t, false);
}

int conditions_cut(const char *rule, condition_fits_fn fits, void *ctx,
                   struct condition_parts *ret_parts)
{
    struct condition_parts parts = {0};
    struct cutting c = {.fits = fits, .ctx = ctx, .parts = &parts};
    struct piece whole = {rule, rule + strlen(rule)};
    int rc = cut(&c, whole, 0);
    if (rc == -E2BIG) {
        conditions_fini(&parts);
        rc = add(&c, whole, false);
    }
    if (rc < 0) {
        conditions_fini(&parts);
        return rc;
    }
    *ret_parts = parts;
    return 0;
}

void conditions_fini(struct condition_parts *parts)
{
    for (size_t i = 0; i < parts->n; i++)
        free(parts->part[i].text);
    parts->n = 0;
}
