/* SPDX-License-Identifier: MIT */
/* Components of your own, in C: what a shared object gives to ADMF-Trader.
 *
 *     #include <admf_component.h>
 *     static int range_advance(const struct admf_span *s) { … }
 *     static const struct admf_indicator indicators[] = {{.name = "range_share", …}};
 *     ADMF_LIBRARY("mine", "1.0", indicators);
 *
 * Built as `cc -shared -fPIC -o mine.so mine.c`, named under `plugins` in a configuration. The
 * library is loaded in worker and builder processes alone, which may crash without harm to the
 * rest. Everything here is constant and is read once, when the library is loaded; texts and tables
 * must live as long as it does.
 *
 * The ABI is the layout of these structs. A host refuses another version; it reads no further into
 * a struct than the sizes here say, so that later versions can add fields at the ends. */
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ADMF_ABI_VERSION 1u

/* How an indicator's rows are made, and with that what the host may do.
 *   STATELESS   from this row and the `lookback` rows before it; no state; any rows in any order
 *   ROLLING     likewise, but with a state that saves work: it is zeroed at rows that are multiples
 *               of ADMF_TILE_ROWS, and must be made anew there from the lookback
 *   CUMULATIVE  the state is carried from row 0 on
 *   RECURSIVE   likewise, where each row comes from the one before */
enum admf_class { ADMF_STATELESS, ADMF_ROLLING, ADMF_CUMULATIVE, ADMF_RECURSIVE };
#define ADMF_TILE_ROWS       32768u
#define ADMF_STATE_BYTES_MAX 4096u

/* A parameter, with the values that it takes: the host refuses others before it calls. */
struct admf_param {
    const char *name;
    double minimum, maximum;
    uint32_t is_whole;
    uint32_t reserved;
};

/* Rows to be made: [row, row + rows_n). Spans come in order, and however they are cut, the bytes
 * written must be the same. */
struct admf_span {
    uint32_t size_bytes; /* of this struct, as the host knows it */
    uint32_t row;        /* number of the first one, from 0 at the beginning of the data */
    uint32_t rows_n;     /* at least 1 */
    uint32_t inputs_n;
    uint32_t outputs_n;
    uint32_t params_n;
    /* [inputs_n] the series of the call, then the implied ones, each at `row`. The min(row,
     * lookback) rows before can be read too. Values may be NaN: undefined. */
    const double *const *input;
    const int64_t *time_ns; /* of the rows, ns since 1970 UTC */
    const double *param;    /* [params_n] */
    void *state;            /* [state_bytes], zeroed before row 0; NULL where state_bytes is 0 */
    double *const *out;     /* [outputs_n] arrays of rows_n, or NULL where one is not wanted */
};

struct admf_indicator {
    const char *name;       /* as expressions call it: a-z, 0-9 and _, the first a letter */
    uint32_t cls;           /* enum admf_class */
    uint32_t series_args_n; /* leading arguments that are series, chosen by the user: 0 to 3 */
    const char *implied;    /* series that are implied, e.g. "high low close"; NULL for none */
    uint32_t params_n;      /* at most 4 */
    uint32_t outputs_n;     /* 1 to 6; where there are several, a call names one */
    const struct admf_param *params;
    const char *const *outputs; /* [outputs_n] names; may be NULL where there is one */
    const char *warm_up;        /* first defined row, from parameters and numbers: "n - 1" */
    const char *formula;        /* for people */
    const char *source;         /* for people: author, year; may be NULL */
    uint32_t state_bytes;       /* at most ADMF_STATE_BYTES_MAX */
    uint32_t reserved;
    /* Rows that a row looks back, from parameters alone; NULL: 0. Called at any time. */
    uint32_t (*lookback)(const double *param);
    /* Makes rows. 0, or a negative errno: the indicator has failed. Called from one thread; it may
     * take its time, allocate and fail, but keeps nothing that is not in `state`, and must not
     * touch the rest of the process. */
    int (*advance)(const struct admf_span *span);
};

struct admf_library {
    uint32_t abi_version;
    uint32_t size_bytes;           /* sizeof(struct admf_library) */
    uint32_t indicator_size_bytes; /* sizeof(struct admf_indicator) */
    uint32_t param_size_bytes;     /* sizeof(struct admf_param) */
    const char *name;
    const char *version;
    uint32_t indicators_n;
    uint32_t reserved;
    const struct admf_indicator *indicators;
};

/* What the host looks for. */
#define ADMF_LIBRARY_SYMBOL "admf_library"
extern __attribute__((visibility("default"))) const struct admf_library admf_library;

/* The one definition that a library needs. */
#define ADMF_LIBRARY(name_, version_, indicators_)                                                 \
    const struct admf_library admf_library = {                                                     \
        ADMF_ABI_VERSION,                                                                          \
        sizeof(struct admf_library),                                                               \
        sizeof(struct admf_indicator),                                                             \
        sizeof(struct admf_param),                                                                 \
        name_,                                                                                     \
        version_,                                                                                  \
        sizeof(indicators_) / sizeof((indicators_)[0]),                                            \
        0,                                                                                         \
        indicators_,                                                                               \
    }

#ifdef __cplusplus
}
#endif
