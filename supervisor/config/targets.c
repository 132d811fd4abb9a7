/* SPDX-License-Identifier: MIT */
/* What optimization.parameter_grids can sweep besides parameters of strategies: the rows of the
 * schema that have a name for it, and the fields of a combination that they are. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "supervisor/config/loader.h"

const struct schema_row *sweep_find(const char *name)
{
    const struct schema_row *row;
    for (size_t i = 0; (row = schema_row_at(i)); i++)
        if (row->sweep && !strcmp(row->sweep, name))
            return row;
    return NULL;
}

/* A combination is the first member of struct config_top, which offsets count from. */
static_assert(offsetof(struct config_top, combo) == 0, "offsets of rows are those of a combo too");

void field_set(struct combo *combo, const struct schema_row *row, double value)
{
    char *field = (char *)combo + row->offset;
    uint32_t whole = (uint32_t)value;
    if (row->kind == SCHEMA_WHOLE)
        memcpy(field, &whole, sizeof(whole));
    else
        memcpy(field, &value, sizeof(value));
}

double field_get(const struct combo *combo, const struct schema_row *row)
{
    const char *field = (const char *)combo + row->offset;
    uint32_t whole;
    double value;
    if (row->kind == SCHEMA_WHOLE) {
        memcpy(&whole, field, sizeof(whole));
        return whole;
    }
    memcpy(&value, field, sizeof(value));
    return value;
}

double field_shown(const struct schema_row *row, double value)
{
    return row->rule.word && value == row->rule.word_value ? NAN : value;
}

bool field_is_same(const struct schema_row *a, const struct schema_row *b)
{
    return a && b && a->place == b->place && a->offset == b->offset;
}
