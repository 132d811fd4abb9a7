/* SPDX-License-Identifier: MIT */
/* For the files that hold rows of the schema (config/schema_*.c): how a row is written down. */
#pragma once

#include "supervisor/config/loader.h"

/* A field of struct config, or of struct config_top. */
#define CONFIG(member)                                                                             \
    .place = PLACE_CONFIG, .offset = offsetof(struct config, member),                              \
    .width = sizeof(((struct config *)0)->member)
#define TOP(member)                                                                                \
    .place = PLACE_TOP, .offset = offsetof(struct config_top, member),                             \
    .width = sizeof(((struct config_top *)0)->member)
/* A key of the contract that this version does not have. */
#define ABSENT(key, text)                                                                          \
    {                                                                                              \
        .path = key, .kind = SCHEMA_ABSENT, .doc = text, .example = "1"                            \
    }
#define ROWS_N(rows) (sizeof(rows) / sizeof((rows)[0]))

/* What numbers may be. */
#define AT_LEAST_0(most)                                                                           \
    {                                                                                              \
        .minimum = 0, .maximum = (most)                                                            \
    }
#define ABOVE_0(most)                                                                              \
    {                                                                                              \
        .minimum = 0, .maximum = (most), .is_above = true                                          \
    }
/* A limit or a distance, of which 0 in the field is none. */
#define ABOVE_0_OR_NONE(most)                                                                      \
    {                                                                                              \
        .minimum = 0, .maximum = (most), .is_above = true, .word = "none", .word_value = 0         \
    }
/* A limit of which 0 as it is written is none too. */
#define AT_LEAST_0_OR_NONE(most)                                                                   \
    {                                                                                              \
        .minimum = 0, .maximum = (most), .word = "none", .word_value = 0                           \
    }
#define INSIDE_0_1_OR_NONE                                                                         \
    {                                                                                              \
        .minimum = 0, .maximum = 1, .is_above = true, .is_below = true, .word = "none",            \
        .word_value = 0                                                                            \
    }
