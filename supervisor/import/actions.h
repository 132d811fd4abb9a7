/* SPDX-License-Identifier: MIT */
/* Corporate actions: splits and cash dividends from a CSV file, applied to bars at their import.
 *
 * Splits always adjust: what lies before the ex-date is divided by the ratio, its volume
 * multiplied. Dividends either adjust too, by 1 - D / close of the last bar before the ex-date, or
 * leave prices as they were paid and become a column `cash_dividend`, of which whoever holds at the
 * start of that bar is credited. Bars from the last ex-date on stay as they are: theirs is the
 * scale of today. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"
#include "shm/plane.h"

#define ACTIONS_MAX 1000000 /* of one symbol */

enum dividends { DIVIDENDS_ADJUST, DIVIDENDS_CASH, DIVIDENDS_N };

const char *dividends_name(enum dividends how);
/* ERR_USAGE with a suggestion. */
int dividends_parse(const char *text, enum dividends *ret_how, struct err *err) ADMF_MUST_CHECK;

/* One row that says something; one row can say both. */
struct action {
    int64_t ex_ns;
    double split;    /* new shares for each old one; 1: none */
    double dividend; /* money a share of that date; 0: none */
    uint64_t line_n;
    uint32_t row; /* first bar at or after ex_ns: known once it is applied */
};

struct actions {
    size_t n;
    struct action *action; /* [n] by ex_ns, of one date splits first; owned */
    uint64_t other_n;      /* rows of other symbols */
    uint64_t silent_n;     /* rows of the symbol that say neither split nor dividend */
    char like[64];         /* another symbol in the file that differs by case alone; "" */
    char path[256];        /* printable */
};

struct actions_options {
    const char *path; /* "-" is standard input */
    const char *symbol;
    const char *tz; /* zone whose midnight begins a date; NULL: UTC */
};

struct actions_report {
    uint32_t splits_n, dividends_n; /* that changed the bars */
    uint64_t outside_n;             /* without a bar before, or at or after their date */
    uint64_t no_jump_n;             /* splits at which the prices do not jump as they should */
    uint64_t no_jump_line;          /* of the first */
};

/* A header with date, symbol, and split or dividend or both, in any order; then rows in any order.
 * Each bad row is an error with file:line:column. */
int actions_read(const struct actions_options *options, struct actions *ret_actions,
                 struct err *err) ADMF_MUST_CHECK;
void actions_fini(struct actions *actions); /* accepts zeroed memory */
/* Changes heap bars (of csv_read or store_get_bars) in place. On an error they are of no use any
 * more. Under DIVIDENDS_CASH they get the column, even where all of it is 0. */
int actions_apply(struct actions *actions, enum dividends how, struct bars *bars,
                  struct actions_report *ret_report, struct err *err) ADMF_MUST_CHECK;
