/* SPDX-License-Identifier: MIT */
/* The list of all twins. */
#include "tests/unit/indicator_twin.h"

static const struct twin_list *const lists[] = {&twins_bars, &twins_rolling, &twins_recursive};

const struct twin *twin_of(const char *name)
{
    for (size_t l = 0; l < sizeof(lists) / sizeof(lists[0]); l++) {
        for (size_t i = 0; i < lists[l]->n; i++) {
            if (strcmp(lists[l]->twins[i].name, name) == 0)
                return &lists[l]->twins[i];
        }
    }
    return NULL;
}
