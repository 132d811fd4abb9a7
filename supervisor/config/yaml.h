/* SPDX-License-Identifier: MIT */
/* YAML as a tree of nodes that know where they stand.
 *
 *     map ── first ─► scalar (key "type") ── next ─► list (key "strategies") ── next ─► …
 *
 * A file is input from outside: duplicate keys, tags, anchors, aliases, several documents, depth,
 * size and encoding are checked here, so that what walks the tree meets none of them. Nodes and
 * texts live in one arena and go with it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"

#define YAML_BYTES_MAX (1u << 20)
#define YAML_NODES_MAX 100000u
#define YAML_DEPTH_MAX 16u

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node {
    enum node_kind kind;
    bool is_plain;         /* a scalar without quotes */
    bool is_set;           /* from --set: `source` alone says where */
    uint32_t line, column; /* from 1; columns count characters */
    const char *source;    /* file name as shown, or the text of the --set */
    char *text;            /* of a scalar, NUL-terminated, without NULs inside */
    size_t n_bytes;
    struct node *key;          /* of a map's child: its key */
    struct node *first, *last; /* children of a list or map, in order */
    struct node *next;
    uint32_t children_n;
};

struct arena_block;
struct tree {
    struct arena_block *blocks;
    uint32_t nodes_n;
    struct node *root;
};

/* Reads a whole file, or standard input for "-", of at most YAML_BYTES_MAX bytes. *ret_text is to
 * be freed. ERR_NO_INPUT where there is none. */
int yaml_read_file(const char *path, char **ret_text, size_t *ret_n_bytes,
                   struct err *err) ADMF_MUST_CHECK;

/* What is parsed and how it is named in errors. */
struct yaml_source {
    const char *text;
    size_t n_bytes;
    const char *name;
    bool is_set;
};
/* Parses one document into nodes of the tree's arena. */
int yaml_parse(struct tree *tree, const struct yaml_source *source, struct node **ret_root,
               struct err *err) ADMF_MUST_CHECK;

/* Puts the value of "dotted.path=value" into tree->root, replacing or creating. Lists take a number
 * from 0. */
int yaml_set(struct tree *tree, const char *assignment, struct err *err) ADMF_MUST_CHECK;

void tree_fini(struct tree *tree); /* accepts zeroed memory */

/* The child of a map, or NULL. */
const struct node *node_get(const struct node *map, const char *key);
/* Nothing at all: an empty or null plain scalar. */
bool node_is_null(const struct node *node);
/* "file:line:column", or the --set that it is from; cut at out_bytes. */
void node_place(const struct node *node, char *out, size_t out_bytes);
/* ERR_CONFIG with "file:line:column: " or the --set before the text. */
int node_error(const struct node *node, struct err *err, const char *fmt, ...) ADMF_PRINTF(3, 4);
/* What was found, for messages: a list, a map, nothing, or the text in quotes, escaped and cut. */
struct node_shown {
    char text[96];
};
struct node_shown node_show(const struct node *node);
