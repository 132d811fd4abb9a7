/* SPDX-License-Identifier: MIT */
/* Component types by name and by protocol. Built-in types are there from the start; a program that
 * is made of this worker may register more before it serves. */
#pragma once

#include "worker/component.h"

#define REGISTRY_MAX 128

/* 0; -EEXIST for a name that is taken; -ENOSPC. */
int registry_add(const struct component_type *type) __attribute__((warn_unused_result));
unsigned registry_n(void);
const struct component_type *registry_at(unsigned i);
const struct component_type *registry_find(const char *name); /* NULL where there is none */
/* Types that implement a protocol, at most `most`; how many there are. */
unsigned registry_find_by_protocol(enum protocol protocol, const struct component_type **ret_types,
                                   unsigned most);
