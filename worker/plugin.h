/* SPDX-License-Identifier: MIT */
/* Libraries of user code, loaded where a crash does no harm: in worker and builder processes.
 *
 * What a library says of itself is input: everything is checked and copied before the rest of the
 * program sees it. */
#pragma once

#include <stddef.h>

#include "proto/err.h"
#include "proto/spec.h"
#include "shm/indicator/indicator.h"

struct plugin;

/* Loads a shared object and makes rows of its indicators. ERR_CONFIG names the file and what is
 * wrong with it. Loading runs the library's constructors. */
int plugin_load(const char *path, struct plugin **ret_plugin, struct err *err) ADMF_MUST_CHECK;
/* The rows must not be used any more. Accepts NULL. */
void plugin_unload(struct plugin *plugin);

/* Loads libraries for the rest of this process's life and adds their indicators to the table; one
 * that is in use already is passed over. */
int plugins_use(const struct library_spec *libraries, uint32_t n, struct err *err) ADMF_MUST_CHECK;

const char *plugin_name(const struct plugin *plugin);
const char *plugin_version(const struct plugin *plugin);
/* Rows of the indicator table; they live as long as the plugin. */
const struct indicator *plugin_indicators(const struct plugin *plugin, size_t *ret_n);
