/* SPDX-License-Identifier: MIT */
/* A plugin's series, computed in a process that may crash: see proto/build.h. */
#pragma once

/* The whole life of `admf-worker --build LIBRARY...`. Returns the exit status. */
int build_main(int libraries_n, char *const *library);
