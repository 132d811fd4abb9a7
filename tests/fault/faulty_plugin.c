/* SPDX-License-Identifier: MIT */
/* A plugin that is wrong in the way that FAULT says: in what it says of itself, or when it runs. */
#include "worker/admf_component.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum fault {
    FAULT_NONE,
    FAULT_ABI,
    FAULT_SIZES,
    FAULT_NAME,
    FAULT_TWICE,
    FAULT_NO_ADVANCE,
    FAULT_STATE,
    FAULT_PARAM,
    FAULT_WARM_UP,
    FAULT_INPUTS,
    FAULT_TAKEN,       /* the name of a built-in one */
    FAULT_RESERVED,    /* a word of expressions for a name */
    FAULT_NAN,         /* a range without an end */
    FAULT_NULL,        /* tables that are not there */
    FAULT_MANY,        /* more indicators than there are */
    FAULT_ENCODING,    /* a text that is no UTF-8 */
    FAULT_CONSTRUCTOR, /* crashes while it is loaded */
    FAULT_SLEEPY,      /* does not come back from being loaded */
    FAULT_CLOSING,     /* closes all descriptors */
    FAULT_FORKING,     /* leaves a child behind */
    FAULT_CHATTY,      /* prints while it is loaded: a line */
    FAULT_LOUD,        /* some megabytes */
    FAULT_CRASH,       /* when it computes, from row 100 on */
    FAULT_HANG,
    FAULT_FAIL,
    FAULT_SCRIBBLE, /* writes to its input, which is the plane */
};

static const struct admf_param params[] = {
    {"n", FAULT == FAULT_PARAM ? 9 : 1, FAULT == FAULT_NAN ? NAN : 8, 1, 0},
};

static int advance(const struct admf_span *span)
{
    for (uint32_t i = 0; i < span->rows_n; i++) {
        if (span->row + i >= 100) {
            if (FAULT == FAULT_CRASH)
                raise(SIGSEGV);
            while (FAULT == FAULT_HANG)
                (void)pause();
            if (FAULT == FAULT_FAIL)
                return -EIO;
            if (FAULT == FAULT_SCRIBBLE)
                *(double *)(uintptr_t)span->input[0] = 0.0;
        }
        span->out[0][i] = 2.0 * span->input[0][i] + span->param[0];
    }
    return 0;
}

#define TWICE (FAULT == FAULT_TWICE ? "faulty" : "other")

static const struct admf_indicator indicators[] = {
    {.name = FAULT == FAULT_NAME       ? "Faulty one"
             : FAULT == FAULT_TAKEN    ? "sma"
             : FAULT == FAULT_RESERVED ? "crosses_above"
                                       : "faulty",
     .cls = ADMF_STATELESS,
     .series_args_n = FAULT == FAULT_INPUTS ? 9 : 1,
     .params_n = 1,
     .outputs_n = 1,
     .params = FAULT == FAULT_NULL ? 0 : params,
     .warm_up = FAULT == FAULT_WARM_UP ? "n -" : "0",
     .formula = FAULT == FAULT_ENCODING ? "2 \xff + n" : "2 x + n",
     .state_bytes = FAULT == FAULT_STATE ? 1u << 20 : 0,
     .advance = FAULT == FAULT_NO_ADVANCE ? 0 : advance},
    {.name = TWICE,
     .cls = ADMF_STATELESS,
     .series_args_n = 1,
     .params_n = 1,
     .outputs_n = 1,
     .params = params,
     .warm_up = "0",
     .formula = "2 x + n",
     .advance = advance},
};

static __attribute__((constructor)) void load(void)
{
    if (FAULT == FAULT_CONSTRUCTOR)
        raise(SIGSEGV);
    while (FAULT == FAULT_SLEEPY)
        (void)pause();
    for (int fd = 0; FAULT == FAULT_CLOSING && fd < 256; fd++)
        (void)close(fd);
    if (FAULT == FAULT_FORKING && fork() == 0)
        for (;;)
            (void)pause();
    if (FAULT == FAULT_CHATTY)
        (void)puts("{\"engine\": \"mine\"}");
    for (int i = 0; FAULT == FAULT_LOUD && i < 200000; i++)
        (void)puts("some words, and more words, and more");
}

const struct admf_library admf_library = {
    FAULT == FAULT_ABI ? 99 : ADMF_ABI_VERSION,
    sizeof(struct admf_library) + (FAULT == FAULT_SIZES ? 8 : 0),
    sizeof(struct admf_indicator),
    sizeof(struct admf_param),
    "faulty",
    "1",
    FAULT == FAULT_MANY ? 4000000000u : sizeof indicators / sizeof indicators[0],
    0,
    indicators,
};
