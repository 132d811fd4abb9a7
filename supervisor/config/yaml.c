/* SPDX-License-Identifier: MIT */
/* From libyaml's events to a checked tree of nodes. */
#include "supervisor/config/yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* ---- arena ---------------------------------------------------------------------------------- */

#define ARENA_BLOCK_BYTES (64u << 10)

struct arena_block {
    struct arena_block *next;
    size_t used, capacity;
    _Alignas(16) unsigned char bytes[];
};

static void *arena_alloc(struct tree *tree, size_t n_bytes)
{
    size_t need = (n_bytes + 15) & ~(size_t)15;
    struct arena_block *b = tree->blocks;
    if (!b || b->capacity - b->used < need) {
        size_t capacity = need > ARENA_BLOCK_BYTES ? need : ARENA_BLOCK_BYTES;
        b = malloc(sizeof(*b) + capacity);
        if (!b)
            return NULL;
        *b = (struct arena_block){.next = tree->blocks, .capacity = capacity};
        tree->blocks = b;
    }
    void *p = b->bytes + b->used;
    b->used += need;
    return memset(p, 0, need);
}

static char *arena_text(struct tree *tree, const char *text, size_t n_bytes)
{
    char *copy = arena_alloc(tree, n_bytes + 1);
    return copy ? memcpy(copy, text, n_bytes) : NULL;
}

void tree_fini(struct tree *tree)
{
    for (struct arena_block *b = tree->blocks; b;) {
        struct arena_block *next = b->next;
        free(b);
        b = next;
    }
    *tree = (struct tree){0};
}

/* ---- nodes ---------------------------------------------------------------------------------- */

const struct node *node_get(const struct node *map, const char *key)
{
    if (!map || map->kind != NODE_MAP)
        return NULL;
    for (const struct node *c = map->first; c; c = c->next)
        if (!strcmp(c->key->text, key))
            return c;
    return NULL;
}

bool node_is_null(const struct node *node)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};
    if (node->kind != NODE_SCALAR || !node->is_plain)
        return false;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (!strcmp(node->text, words[i]))
            return true;
    return false;
}

struct node_shown node_show(const struct node *node)
{
    struct node_shown shown;
    if (node->kind == NODE_LIST) {
        snprintf(shown.text, sizeof(shown.text), "a list");
    } else if (node->kind == NODE_MAP) {
        snprintf(shown.text, sizeof(shown.text), "a map");
    } else if (node_is_null(node)) {
        snprintf(shown.text, sizeof(shown.text), "nothing");
    } else {
        char cut[64], safe[80];
        snprintf(cut, sizeof(cut), "%s", node->text);
        err_printable(cut, safe, sizeof(safe));
        snprintf(shown.text, sizeof(shown.text), "\"%s\"%s", safe,
                 node->n_bytes >= sizeof(cut) ? "…" : "");
    }
    return shown;
}

void node_place(const struct node *node, char *out, size_t out_bytes)
{
    char name[512];
    err_printable(node->source, name, sizeof(name));
    if (node->is_set)
        snprintf(out, out_bytes, "%s", name);
    else
        snprintf(out, out_bytes, "%s:%u:%u", name, node->line, node->column);
}

int node_error(const struct node *node, struct err *err, const char *fmt, ...)
{
    char text[sizeof(err->text)], place[544];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    node_place(node, place, sizeof(place));
    return err_set(err, ERR_CONFIG, "%s: %s", place, text);
}

/* ---- bytes, before libyaml sees them -------------------------------------------------------- */

struct place {
    uint32_t line, column;
};

/* Place of the byte at `offset`; every byte before it is sound UTF-8. */
static struct place place_of(const struct yaml_source *s, size_t offset)
{
    struct place at = {1, 1};
    for (size_t i = 0; i < offset && i < s->n_bytes; i++) {
        unsigned char c = (unsigned char)s->text[i];
        if (c == '\n')
            at = (struct place){at.line + 1, 1};
        else if ((c & 0xC0) != 0x80)
            at.column++;
    }
    return at;
}

static int source_error(const struct yaml_source *s, struct place at, struct err *err,
                        const char *text)
{
    const struct node n = {
        .is_set = s->is_set, .source = s->name, .line = at.line, .column = at.column};
    return node_error(&n, err, "%s", text);
}

/* Bytes of the UTF-8 sequence at `p`; 0: none (overlong, surrogate, cut off, too large). */
static size_t utf8_step(const unsigned char *p, size_t left)
{
    if (p[0] < 0x80)
        return 1;
    size_t n = p[0] >= 0xC2 && p[0] <= 0xDF   ? 2
               : (p[0] & 0xF0) == 0xE0        ? 3
               : p[0] >= 0xF0 && p[0] <= 0xF4 ? 4
                                              : 0;
    if (!n || n > left)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) ||
        (p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F))
        return 0;
    return n;
}

static int check_bom(const struct yaml_source *s, struct err *err)
{
    const char *text = NULL;
    if (s->n_bytes >= 3 && !memcmp(s->text, "\xEF\xBB\xBF", 3))
        text = "a byte order mark stands before the text; save the file as UTF-8 without BOM";
    else if (s->n_bytes >= 2 &&
             (!memcmp(s->text, "\xFF\xFE", 2) || !memcmp(s->text, "\xFE\xFF", 2)))
        text = "this is UTF-16; save the file as UTF-8 without BOM";
    return text ? source_error(s, (struct place){1, 1}, err, text) : 0;
}

static int check_bytes(const struct yaml_source *s, struct err *err)
{
    if (s->n_bytes > YAML_BYTES_MAX)
        return source_error(
            s, (struct place){1, 1}, err,
            "larger than 1 MiB; a configuration is a page of text: write long lists "
            "of values as {from: , to: , step: }");
    int rc = check_bom(s, err);
    for (size_t i = 0; rc == 0 && i < s->n_bytes;) {
        const unsigned char *p = (const unsigned char *)s->text + i;
        size_t step = utf8_step(p, s->n_bytes - i);
        char text[128];
        if (!step) {
            snprintf(text, sizeof(text), "byte 0x%02X is not UTF-8; save the file as UTF-8", p[0]);
            return source_error(s, place_of(s, i), err, text);
        }
        if (p[0] == 0x7F || (p[0] < 0x20 && p[0] != '\t' && p[0] != '\n' && p[0] != '\r')) {
            snprintf(text, sizeof(text),
                     "control character 0x%02X; this is not a text file, or remove it", p[0]);
            return source_error(s, place_of(s, i), err, text);
        }
        if (p[0] == '%' && (i == 0 || p[-1] == '\n'))
            return source_error(
                s, place_of(s, i), err,
                "a directive (%); YAML's directives are not taken: take the line out, "
                "or put a text that begins with % in quotes");
        i += step;
    }
    return rc;
}

/* ---- libyaml's errors, reworded ------------------------------------------------------------- */

static const struct {
    const char *problem, *text;
} problems[] = {
    {"mapping values are not allowed",
     "a colon where no key can stand; put quotes around text that holds \": \", or check the "
     "indentation of this line and the one before"},
    {"violates indentation", "a tab in the indentation; YAML indents with spaces: replace the tab"},
    {"found a tab character", "a tab where spaces are expected; replace the tab by spaces"},
    {"could not find expected ':'",
     "a key without its colon; write `key: value`, and check the quotes and brackets before it"},
    {"did not find expected key",
     "a key is expected; check the indentation of this line, and brackets and quotes before it"},
    {"did not find expected '-'",
     "a list item is expected; begin it with \"- \" in the column of the items before"},
    {"did not find expected ',' or ']'", "the list is not closed; a comma or ] is expected"},
    {"did not find expected ',' or '}'", "the map is not closed; a comma or } is expected"},
    {"unexpected end of stream", "the quotes that open here or before are never closed"},
    {"unexpected document indicator", "the quotes that open before this are never closed"},
    {"did not find expected <document start>",
     "text outside of the document; check the indentation of this line"},
    {"unknown escape character",
     "an unknown escape; inside double quotes write \\\\ for a backslash"},
    {"block sequence entries are not allowed",
     "a list item where none can stand; begin it on a line of its own, under its key"},
    {"did not find expected node content", "a value is expected here"},
};

static int yaml_error(const struct yaml_source *s, const yaml_parser_t *p, struct err *err)
{
    if (p->error == YAML_MEMORY_ERROR)
        return err_set(err, ERR_SYSTEM, "no memory to read the configuration");
    const char *problem = p->problem ? p->problem : "unreadable";
    if (p->error == YAML_READER_ERROR)
        return source_error(s, place_of(s, p->problem_offset), err,
                            "a character that YAML does not allow; remove it or write it as \\u…");
    struct place at = {(uint32_t)p->problem_mark.line + 1, (uint32_t)p->problem_mark.column + 1};
    size_t index =
        p->problem_mark.index; /* characters, which are bytes in what is compared below */
    if (strstr(problem, "cannot start any token")) {
        bool is_tab = false;
        size_t characters = 0;
        for (size_t i = 0; i < s->n_bytes && characters <= index; i++)
            if (((unsigned char)s->text[i] & 0xC0) != 0x80 && characters++ == index)
                is_tab = s->text[i] == '\t';
        return source_error(s, at, err,
                            is_tab ? "a tab; YAML indents with spaces: replace the tab by spaces"
                                   : "a value cannot start with this character; put it in quotes");
    }
    for (size_t i = 0; i < sizeof(problems) / sizeof(problems[0]); i++)
        if (strstr(problem, problems[i].problem))
            return source_error(s, at, err, problems[i].text);
    char text[256];
    snprintf(text, sizeof(text), "not YAML: %s; check indentation, quotes and brackets", problem);
    return source_error(s, at, err, text);
}

/* ---- building ------------------------------------------------------------------------------- */

struct builder {
    struct tree *tree;
    const struct yaml_source *source;
    struct node *stack[YAML_DEPTH_MAX];
    struct node *pending_key[YAML_DEPTH_MAX];
    uint32_t depth;
    uint32_t documents_n;
    struct node *root;
    char *name; /* of the source, in the arena */
    struct err *err;
};

static struct node *new_node(struct tree *tree, enum node_kind kind, struct err *err)
{
    if (tree->nodes_n >= YAML_NODES_MAX) {
        err_set(err, ERR_CONFIG,
                "more than %u values; write long lists of values as {from: , to: , step: }",
                YAML_NODES_MAX);
        return NULL;
    }
    struct node *n = arena_alloc(tree, sizeof(*n));
    if (!n) {
        err_set(err, ERR_SYSTEM, "no memory to read the configuration");
        return NULL;
    }
    n->kind = kind;
    tree->nodes_n++;
    return n;
}

static void append_child(struct node *parent, struct node *child)
{
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    parent->children_n++;
}

/* Gives a finished or just opened node its place: root, list item, key or value. */
static int place_node(struct builder *b, struct node *n)
{
    if (b->depth == 0) {
        b->root = n;
        return 0;
    }
    struct node *parent = b->stack[b->depth - 1];
    struct node **key = &b->pending_key[b->depth - 1];
    if (parent->kind == NODE_LIST) {
        append_child(parent, n);
    } else if (*key) {
        n->key = *key;
        append_child(parent, n);
        *key = NULL;
    } else if (n->kind != NODE_SCALAR) {
        return node_error(n, b->err, "%s as a key; a key is a name", node_show(n).text);
    } else {
        *key = n;
    }
    return 0;
}

/* A node for an event, after the checks that all kinds share. */
static struct node *begin_node(struct builder *b, enum node_kind kind, const yaml_event_t *e)
{
    const yaml_char_t *tag = kind == NODE_SCALAR ? e->data.scalar.tag
                             : kind == NODE_LIST ? e->data.sequence_start.tag
                                                 : e->data.mapping_start.tag;
    const yaml_char_t *anchor = kind == NODE_SCALAR ? e->data.scalar.anchor
                                : kind == NODE_LIST ? e->data.sequence_start.anchor
                                                    : e->data.mapping_start.anchor;
    struct place at = {(uint32_t)e->start_mark.line + 1, (uint32_t)e->start_mark.column + 1};
    const char *refusal = NULL;
    if (anchor)
        refusal =
            "an anchor (&); anchors and aliases are not taken, a small file could grow without "
            "bound through them: write the values out";
    else if (tag)
        refusal = "a tag (!); tags are not taken: write the plain value, or put it in quotes";
    if (refusal) {
        source_error(b->source, at, b->err, refusal);
        return NULL;
    }
    struct node *n = new_node(b->tree, kind, b->err);
    if (!n && b->err->kind == ERR_CONFIG) {
        char text[160];
        snprintf(text, sizeof(text), "%.150s", b->err->text);
        source_error(b->source, at, b->err, text);
    }
    if (!n)
        return NULL;
    n->line = at.line;
    n->column = at.column;
    n->source = b->name;
    n->is_set = b->source->is_set;
    return n;
}

static int on_scalar(struct builder *b, const yaml_event_t *e)
{
    struct node *n = begin_node(b, NODE_SCALAR, e);
    if (!n)
        return -EDOM;
    const char *text = (const char *)e->data.scalar.value;
    if (memchr(text, 0, e->data.scalar.length))
        return node_error(n, b->err, "a NUL character (\\0) in a text; remove it");
    n->n_bytes = e->data.scalar.length;
    n->text = arena_text(b->tree, text, n->n_bytes);
    if (!n->text)
        return err_set(b->err, ERR_SYSTEM, "no memory to read the configuration");
    n->is_plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return place_node(b, n);
}

static int on_open(struct builder *b, const yaml_event_t *e)
{
    bool is_list = e->type == YAML_SEQUENCE_START_EVENT;
    struct node *n = begin_node(b, is_list ? NODE_LIST : NODE_MAP, e);
    if (!n)
        return -EDOM;
    if (b->depth == YAML_DEPTH_MAX)
        return node_error(n, b->err, "nested deeper than %u levels; no key needs that",
                          YAML_DEPTH_MAX);
    int rc = place_node(b, n);
    if (rc < 0)
        return rc;
    b->pending_key[b->depth] = NULL;
    b->stack[b->depth++] = n;
    return 0;
}

static int compare_keys(const void *a, const void *b)
{
    const struct node *x = *(const struct node *const *)a, *y = *(const struct node *const *)b;
    int order = strcmp(x->text, y->text);
    if (order)
        return order;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    return (x->column > y->column) - (x->column < y->column);
}

/* Sorted, so that a map of 50,000 keys costs no more than reading it. */
static int check_duplicates(struct builder *b, const struct node *map)
{
    if (map->children_n < 2)
        return 0;
    const struct node **keys = calloc(map->children_n, sizeof(*keys));
    if (!keys)
        return err_set(b->err, ERR_SYSTEM, "no memory to read the configuration");
    uint32_t n = 0;
    for (const struct node *c = map->first; c; c = c->next)
        keys[n++] = c->key;
    qsort(keys, n, sizeof(*keys), compare_keys);
    int rc = 0;
    for (uint32_t i = 1; i < n && rc == 0; i++)
        if (!strcmp(keys[i - 1]->text, keys[i]->text))
            rc = node_error(keys[i], b->err,
                            "the key %s stands here a second time, first on line %u; keep one",
                            node_show(keys[i]).text, keys[i - 1]->line);
    free(keys);
    return rc;
}

static int on_close(struct builder *b)
{
    const struct node *n = b->stack[--b->depth];
    return n->kind == NODE_MAP ? check_duplicates(b, n) : 0;
}

static int on_event(struct builder *b, const yaml_event_t *e)
{
    struct place at = {(uint32_t)e->start_mark.line + 1, (uint32_t)e->start_mark.column + 1};
    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (b->documents_n++)
            return source_error(b->source, at, b->err,
                                "a second document (---); a configuration is one: keep one");
        return 0;
    case YAML_ALIAS_EVENT:
        return source_error(b->source, at, b->err,
                            "an alias (*); anchors and aliases are not taken, a small file could "
                            "grow without bound through them: write the values out, or put a text "
                            "that begins with * in quotes");
    case YAML_SCALAR_EVENT:
        return on_scalar(b, e);
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        return on_open(b, e);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return on_close(b);
    default:
        return 0;
    }
}

static int run_parser(struct builder *b, yaml_parser_t *p)
{
    for (bool is_done = false; !is_done;) {
        yaml_event_t e;
        if (!yaml_parser_parse(p, &e))
            return yaml_error(b->source, p, b->err);
        is_done = e.type == YAML_STREAM_END_EVENT;
        int rc = on_event(b, &e);
        yaml_event_delete(&e);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int yaml_parse(struct tree *tree, const struct yaml_source *source, struct node **ret_root,
               struct err *err)
{
    int rc = check_bytes(source, err);
    if (rc < 0)
        return rc;
    struct builder b = {.tree = tree, .source = source, .err = err};
    b.name = arena_text(tree, source->name, strlen(source->name));
    yaml_parser_t p;
    if (!b.name || !yaml_parser_initialize(&p))
        return err_set(err, ERR_SYSTEM, "no memory to read the configuration");
    yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&p, (const unsigned char *)source->text, source->n_bytes);
    rc = run_parser(&b, &p);
    yaml_parser_delete(&p);
    if (rc < 0)
        return rc;
    if (!b.root || node_is_null(b.root))
        return source_error(source, (struct place){1, 1}, err,
                            source->is_set ? "no value behind the =; write '' for an empty text"
                                           : "empty; a configuration needs at least `data` and "
                                             "`strategies`");
    *ret_root = b.root;
    return 0;
}

/* ---- --set ---------------------------------------------------------------------------------- */

/* Where a part of the path leads. */
struct step {
    struct tree *tree;
    struct node at; /* for errors: its source is "--set KEY=VALUE", in the arena */
    struct err *err;
};

static struct node_shown show_text(const char *text)
{
    char copy[64];
    snprintf(copy, sizeof(copy), "%s", text);
    const struct node n = {.kind = NODE_SCALAR, .text = copy, .n_bytes = strlen(text)};
    return node_show(&n);
}

static struct node *set_node(const struct step *s, enum node_kind kind, const char *text)
{
    struct node *n = new_node(s->tree, kind, s->err);
    if (!n)
        return NULL;
    n->source = s->at.source;
    n->is_set = true;
    if (text) {
        n->n_bytes = strlen(text);
        n->text = arena_text(s->tree, text, n->n_bytes);
        if (!n->text) {
            err_set(s->err, ERR_SYSTEM, "no memory to read the configuration");
            return NULL;
        }
    }
    return n;
}

/* The link (first or next pointer) at which list item `part` hangs. */
static int list_link(const struct step *s, struct node *list, const char *part,
                     struct node ***ret_link)
{
    size_t digits = strspn(part, "0123456789");
    if (!digits || part[digits] || digits > 6)
        return node_error(&s->at, s->err, "%s is no place in a list of %u; places count from 0",
                          show_text(part).text, list->children_n);
    unsigned long at = strtoul(part, NULL, 10);
    if (at >= list->children_n)
        return node_error(&s->at, s->err,
                          "there is no item %lu in a list of %u; places count from 0", at,
                          list->children_n);
    struct node **link = &list->first;
    while (at--)
        link = &(*link)->next;
    *ret_link = link;
    return 0;
}

/* The link of a map's key; a key that is not there is appended with an empty value. */
static int map_link(const struct step *s, struct node *map, const char *part,
                    struct node ***ret_link)
{
    struct node **link = &map->first;
    while (*link && strcmp((*link)->key->text, part))
        link = &(*link)->next;
    if (!*link) {
        struct node *key = set_node(s, NODE_SCALAR, part);
        struct node *value = key ? set_node(s, NODE_SCALAR, "") : NULL;
        if (!value)
            return -EDOM;
        value->is_plain = true;
        value->key = key;
        append_child(map, value);
        link = &map->first;
        while (strcmp((*link)->key->text, part))
            link = &(*link)->next;
    }
    *ret_link = link;
    return 0;
}

/* Puts `value` where `*link` points, keeping key and neighbours. */
static void replace_node(struct node *parent, struct node **link, struct node *value)
{
    struct node *old = *link;
    value->key = old->key;
    value->next = old->next;
    *link = value;
    if (parent->last == old)
        parent->last = value;
}

static int walk_path(const struct step *s, char *path, struct node *value)
{
    struct node *at = s->tree->root;
    char *rest = NULL;
    uint32_t depth = 0;
    for (char *part = strtok_r(path, ".", &rest), *next; part; part = next) {
        next = strtok_r(NULL, ".", &rest);
        struct node **link = NULL;
        int rc;
        if (++depth >= YAML_DEPTH_MAX)
            return node_error(&s->at, s->err, "the path is too deep at %s; at most %u parts",
                              show_text(part).text, YAML_DEPTH_MAX - 1);
        if (at->kind == NODE_SCALAR)
            return node_error(&s->at, s->err, "what should hold %s is %s, not a map or a list",
                              show_text(part).text, node_show(at).text);
        rc = at->kind == NODE_LIST ? list_link(s, at, part, &link) : map_link(s, at, part, &link);
        if (rc < 0)
            return rc;
        if (next && node_is_null(*link)) {
            struct node *map = set_node(s, NODE_MAP, NULL);
            if (!map)
                return -EDOM;
            replace_node(at, link, map);
        }
        if (!next)
            replace_node(at, link, value);
        at = *link;
    }
    return 0;
}

static uint32_t node_depth(const struct node *n)
{
    uint32_t deepest = 0;
    for (const struct node *c = n->first; c; c = c->next) {
        uint32_t d = node_depth(c);
        deepest = d > deepest ? d : deepest;
    }
    return deepest + 1;
}

int yaml_set(struct tree *tree, const char *assignment, struct err *err)
{
    char name[160], safe[128];
    err_printable(assignment, safe, sizeof(safe));
    snprintf(name, sizeof(name), "--set %s", safe);
    char *source_name = arena_text(tree, name, strlen(name));
    const char *equals = strchr(assignment, '=');
    size_t path_n = equals ? (size_t)(equals - assignment) : 0;
    char *path = arena_text(tree, assignment, path_n);
    if (!source_name || !path)
        return err_set(err, ERR_SYSTEM, "no memory to read the configuration");
    struct step s = {.tree = tree, .at = {.is_set = true, .source = source_name}, .err = err};
    if (!path_n || path[0] == '.' || path[path_n - 1] == '.' || strstr(path, ".."))
        return node_error(&s.at, err,
                          "key=value is expected, as in portfolio.lot=0 or "
                          "strategies.0.parameters.fast=10");
    struct yaml_source source = {
        .text = equals + 1, .n_bytes = strlen(equals + 1), .name = source_name, .is_set = true};
    struct node *value = NULL;
    int rc = yaml_parse(tree, &source, &value, err);
    if (rc < 0)
        return rc;
    if (node_depth(value) + 1 >= YAML_DEPTH_MAX)
        return node_error(&s.at, err, "the value is nested too deep");
    return walk_path(&s, path, value);
}
