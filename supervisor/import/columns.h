/* SPDX-License-Identifier: MIT */
/* What the columns of a CSV file are, from its header and its first row. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"
#include "proto/spec.h"
#include "supervisor/import/csv.h"
#include "supervisor/store/bars_heap.h"

#define CSV_COLUMNS_MAX 1024

/* One field of a line; quotes are off, doubled quotes inside are as they stand. */
struct csv_field {
    const char *at;
    size_t n_bytes;
    uint32_t column; /* byte column of its beginning in the line, from 1 */
};

enum csv_role {
    ROLE_TIME,
    ROLE_OPEN,
    ROLE_HIGH,
    ROLE_LOW,
    ROLE_CLOSE,
    ROLE_VOLUME,
    ROLE_EXTRA,   /* extra_idx says which */
    ROLE_IGNORED, /* holds no numbers */
};
#define ROLES_KNOWN 6

struct csv_columns {
    uint32_t n;
    enum csv_role role[CSV_COLUMNS_MAX];
    uint32_t extra_idx[CSV_COLUMNS_MAX];
    int32_t of_role[ROLES_KNOWN];                /* column of it; -1: none */
    char name[CSV_COLUMNS_MAX][SPEC_NAME_BYTES]; /* of extra columns: an identifier */
    uint32_t extra_n;
    const char *extra_names[CSV_COLUMNS_MAX];
};

/* Splits a line into at most CSV_COLUMNS_MAX fields. The number of fields, or -1 where a quote is
 * not closed or text follows one; *ret_bad is then where. */
int csv_split(const char *line, size_t n_bytes, char separator, struct csv_field *fields,
              struct csv_field *ret_bad);
char csv_separator(const char *header, size_t n_bytes);

/* `where` is "file:line". Notes of renamed columns go to the report. */
int csv_columns_read(const struct csv_field *fields, int fields_n, const char *where,
                     struct csv_columns *ret_columns, struct csv_report *report,
                     struct err *err) ADMF_MUST_CHECK;
/* Decides by the first row which further columns hold numbers; notes those that do not. */
void csv_columns_decide(struct csv_columns *columns, const struct csv_field *row,
                        struct csv_report *report);
/* An empty field or "nan": undefined, in columns that are no prices. */
bool csv_field_is_undefined(const struct csv_field *field);
/* Where the first of these names stands that any field has, in any case; NULL ends them early. -1:
 * nowhere; -2: twice, then at *ret_again. */
int csv_field_find(const struct csv_field *fields, int fields_n, const char *const *names,
                   unsigned names_n, int *ret_again);
/* 20240131: the beginning of that day, as if UTC. */
bool csv_compact_date(const struct csv_field *field, int64_t *ret_ns);
void csv_note(struct csv_report *report, const char *fmt, ...) ADMF_PRINTF(2, 3);
