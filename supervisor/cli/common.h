/* SPDX-License-Identifier: MIT */
/* What several commands do alike. */
#pragma once

#include <jansson.h>

#include "supervisor/cli/cli.h"
#include "supervisor/config/config.h"
#include "supervisor/store/store.h"

/* Prints one object and a newline on stdout; takes over the reference. NULL: there was no memory.
 */
int cli_print_json(json_t *json, struct err *err) ADMF_MUST_CHECK;
/* Whole numbers as integers, others exactly; undefined and infinite ones as null. */
json_t *cli_json_number(double v);
json_t *cli_json_count(uint64_t n);
json_t *cli_json_text(const char *text);       /* bytes that are not UTF-8 are escaped */
json_t *cli_json_hash(const uint64_t hash[2]); /* 32 hex digits */
json_t *cli_json_time(int64_t ns);             /* ISO 8601; null for 0 */
/* The swept values of a combination by name; undefined ones are left out. */
json_t *cli_json_parameters(const struct config *config, uint64_t combination);

/* The store of --store, opened. */
int cli_store_open(const struct cli_args *args, enum store_mode mode, struct store **ret_store,
                   struct err *err) ADMF_MUST_CHECK;
/* Keys of the configuration that have no effect, on stderr. */
void cli_print_notes(const struct config *config);
/* What the worker program offers. */
int cli_describe(struct describe **ret_describe, struct err *err) ADMF_MUST_CHECK;

/* A stored run with all that is needed to read it. The worker is asked before the store is opened.
 */
struct cli_run {
    struct describe *describe;
    struct store *store;
    struct run_record record;
    struct config *config;
};
int cli_run_open(const struct cli_args *args, const char *id, struct cli_run *ret_run,
                 struct err *err) ADMF_MUST_CHECK;
void cli_run_close(struct cli_run *run); /* accepts zeroed memory */

const char *cli_run_state_name(uint8_t state);
/* A record says `running` until its supervisor ends it. Where that one was killed (nobody owns the
 * store) the state becomes `interrupted`; in both cases the counts come from the stored results. */
int cli_run_settle(struct store *store, struct run_record *record, struct err *err) ADMF_MUST_CHECK;

/* "2026-01-02 15:04:05" UTC. For people. */
const char *cli_time_text(int64_t ns, char out[static 40]);
/* "s" behind a noun, but for one of them. */
const char *cli_s(uint64_t n);
/* Processors that this process may run on: the default number of workers. */
uint32_t cli_processors_n(void);
/* Columns of the terminal behind a descriptor; 0: it is none, or does not say. */
unsigned cli_columns_n(int fd);
