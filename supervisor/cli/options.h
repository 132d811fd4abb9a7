/* SPDX-License-Identifier: MIT */
/* The option table, and what reading a command line gives. */
#pragma once

#include <stddef.h>

#include "supervisor/cli/cli.h"

enum cli_value_kind {
    VALUE_FLAG,  /* bool */
    VALUE_TEXT,  /* const char * */
    VALUE_COUNT, /* uint64_t */
    VALUE_LIST,  /* appended to sets[] */
    VALUE_HELP,  /* struct cli_parsed's own flags */
    VALUE_VERSION,
};

struct cli_option {
    const char *name;  /* without dashes */
    char letter;       /* 0: none */
    const char *value; /* what stands for its value in help; NULL for flags */
    enum cli_value_kind kind;
    size_t value_off;     /* in struct cli_args */
    size_t given_off;     /* bool in struct cli_args; 0: none */
    const char *commands; /* names with commas between them; "*": every command */
    const char *what;
};

extern const struct cli_option cli_options[];
extern const unsigned cli_options_n;

struct cli_parsed {
    struct cli_args args; /* positional: without the words of the command */
    bool wants_help, wants_version;
    const struct cli_command *command; /* NULL: none was named */
    const char *noun;                  /* "data" of `admf data --help`; NULL: none */
};

/* Reads a whole command line. Nothing is opened. On ERR_USAGE ret->command is set if it was
 * understood. */
int cli_parse(int argc, const char *const *argv, struct cli_parsed *ret,
              struct err *err) ADMF_MUST_CHECK;
bool cli_option_is_for(const struct cli_option *option, const struct cli_command *command);
const struct cli_command *cli_command_find(const char *name); /* NULL where there is none */

void cli_print_help(FILE *out);
/* The verbs of a noun such as data, one a line. */
void cli_print_noun_help(FILE *out, const char *noun);
void cli_print_command_help(FILE *out, const struct cli_command *command);
