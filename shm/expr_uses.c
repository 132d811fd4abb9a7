/* SPDX-License-Identifier: MIT */
/* Whose bars an expression looks at. */
#include <string.h>

#include "shm/expr_node.h"

size_t expr_symbols(const struct expr *expr, const char *const **ret_symbols)
{
    *ret_symbols = expr->symbols;
    return expr->symbols_n;
}

size_t expr_uses(const struct expr *expr, struct expr_use *ret_uses, size_t most)
{
    size_t n = 0;
    for (uint32_t i = 0; i < expr->nodes_n; i++) {
        const struct expr_node *node = &expr->nodes[i];
        if (node->kind != EXPR_NAME)
            continue;
        struct expr_use use = {node->symbol ? expr->symbols[node->symbol - 1] : NULL,
                               expr->names[node->name_idx]};
        size_t k = 0;
        while (k < n && k < most &&
               (ret_uses[k].symbol != use.symbol || ret_uses[k].name != use.name))
            k++;
        if (k < n && k < most)
            continue;
        if (n < most)
            ret_uses[n] = use;
        n++;
    }
    return n;
}
