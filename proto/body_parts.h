/* SPDX-License-Identifier: MIT */
/* What the codecs of message bodies have in common. */
#pragma once

#include <errno.h>
#include <stdlib.h>

#include "proto/codec.h"

/* An array of n elements, never NULL for want of elements. */
static inline void *array_of(uint32_t n, size_t each_bytes)
{
    return calloc(n > 0 ? n : 1, each_bytes);
}

static inline int whole(const struct reader *r)
{
    return rd_done(r) ? 0 : -EBADMSG;
}
