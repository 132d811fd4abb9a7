/* SPDX-License-Identifier: MIT */
/* How a worker is started: its whole inheritance.
 *
 *     admf-worker --describe [LIBRARY...]          prints what it offers as JSON and leaves
 *     admf-worker --build LIBRARY...               computes series of plugins (proto/build.h)
 *     admf-worker --serve PATH WORKER SLOT         PATH: the address of its channel (no ipc://
 * before it)
 *
 * Descriptors: 0 is /dev/null, 1 is /dev/null (describe: the pipe that is read), 2 is the
 * supervisor's stderr, and those below; from START_FD_EXTENT_0 on as many as the plane's header
 * counts, read-only, /dev/null for one that was dropped. Every other one is closed before exec. */
#pragma once

/* number, symbol, what for */
#define START_FDS(X)                                                                               \
    X(3, PLANE, "the plane's core, read-only")                                                     \
    X(4, SLOTS, "the slots, read-write")                                                           \
    X(5, GATE,                                                                                     \
      "a pipe: the worker reads one byte before it does anything else; end of file means leave")   \
    X(6, EXTENT_0, "the plane's first extent")

/* A builder of plugins' series has no slots and no gate. */
#define START_FD_SCRATCH 4

enum start_fd {
#define X(number, symbol, what) START_FD_##symbol = number,
    START_FDS(X)
#undef X
};
