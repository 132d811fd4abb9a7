/* SPDX-License-Identifier: MIT */
/* Bodies of the messages of proto/msg.def: one struct and one codec pair each.
 * Encoders append to a frame begun by channel_begin(); decoders take the reader that the gate gave,
 * read all of it, and return 0, -EBADMSG or -ENOMEM. What a decoder allocates is freed by the
 * `_fini` beside it. */
#pragma once

#include <stdint.h>

#include "proto/codec.h"
#include "proto/err.h"
#include "proto/spec.h"
#include "proto/trade.h"

#define ENGINE_VERSION ADMF_VERSION
#define FILL_BYTES     45 /* of one fill in FILLS and ROUTED_FILLS */

struct hello {
    uint32_t protocol; /* MSG_VERSION */
    uint32_t pid;
    uint32_t slot_idx;
    char engine[32]; /* ENGINE_VERSION */
};
void hello_encode(struct buf *b, const struct hello *hello);
int hello_decode(struct reader *r, struct hello *ret_hello) ADMF_MUST_CHECK;

/* What a worker is there for. SERVICE hosts shared risk and execution containers of a lockstep run.
 */
enum worker_role { ROLE_FREE = 0, ROLE_LANES = 1, ROLE_SERVICE = 2 };
struct setup {
    uint8_t role;
    struct run_spec run;
};
void setup_encode(struct buf *b, const struct setup *setup);
int setup_decode(struct reader *r, struct setup *ret_setup) ADMF_MUST_CHECK;
void setup_fini(struct setup *setup);

struct ready {
    uint32_t series_n; /* of the plane that it mapped */
    uint32_t steps_n;
};
void ready_encode(struct buf *b, const struct ready *ready);
int ready_decode(struct reader *r, struct ready *ret_ready) ADMF_MUST_CHECK;

/* REFUSE: the worker leaves after it. */
void refuse_encode(struct buf *b, const struct err *err);
int refuse_decode(struct reader *r, struct err *ret_err) ADMF_MUST_CHECK;

/* BATCH, LANES (wave: the lanes of one worker) and DETAIL (exactly one combination). `lane` numbers
 * the container in a lockstep wave over all workers; it is the target_portfolio of its signals and
 * fills. */
struct batch {
    uint64_t id;      /* echoed in RESULTS */
    uint32_t lanes_0; /* lane of the first combination; 0 in a free run */
    uint32_t n;
    struct combo *combos; /* [n] owned by the decoded batch */
    uint32_t *risk_idx;   /* LANES, and to the service: shared container of each; else zeros */
    uint32_t *execution_idx;
};
void batch_encode(struct buf *b, const struct batch *batch);
int batch_decode(struct reader *r, struct batch *ret_batch) ADMF_MUST_CHECK;
void batch_fini(struct batch *batch);

/* RESULTS. is_last: the batch is done. `bar_steps` since the message before. */
struct results {
    uint64_t batch_id;
    uint8_t is_last;
    uint64_t bar_steps;
    uint32_t n;
    struct result *results; /* [n] */
};
void results_encode(struct buf *b, const struct results *results);
int results_decode(struct reader *r, struct results *ret_results) ADMF_MUST_CHECK;
void results_fini(struct results *results);

/* DETAIL_TRADES: all trades in chunks, closed ones in order of exit, then those open at the end.
 * Bars of trades are rows of the symbol within the range. */
struct detail_trades {
    uint64_t combination;
    uint8_t is_last;
    uint32_t n;
    struct trade *trades;
};
void detail_trades_encode(struct buf *b, const struct detail_trades *t);
int detail_trades_decode(struct reader *r, struct detail_trades *ret_t) ADMF_MUST_CHECK;
void detail_trades_fini(struct detail_trades *t);

/* DETAIL_EQUITY: one row a step of the range, in chunks; after the last, RESULTS with the one
 * result. */
struct detail_equity {
    uint64_t combination;
    uint32_t first_step; /* of the chunk, within the range */
    uint32_t n;
    uint32_t symbols_n;
    double *equity;   /* [n] */
    double *cash;     /* [n] */
    double *position; /* [n][symbols_n] signed units */
};
void detail_equity_encode(struct buf *b, const struct detail_equity *e);
int detail_equity_decode(struct reader *r, struct detail_equity *ret_e) ADMF_MUST_CHECK;
void detail_equity_fini(struct detail_equity *e);

/* SIGNALS (one worker, one step) and ORDERS (all workers, in lane order). */
struct signals {
    uint32_t step;    /* clock step of the signals */
    uint8_t is_final; /* ORDERS: no step follows; close what at_end closes */
    uint32_t n;
    struct signal *signals;
};
void signals_encode(struct buf *b, const struct signals *s);
int signals_decode(struct reader *r, struct signals *ret_s) ADMF_MUST_CHECK;
void signals_fini(struct signals *s);

/* FILLS and ROUTED_FILLS, in the order in which they are to be applied. */
struct fills {
    uint32_t step;      /* clock step that they belong to */
    uint8_t is_final;   /* fills of at_end: finish and answer with RESULTS */
    uint32_t next_step; /* FILLS: the next step at which standing orders meet their bar;
                           UINT32_MAX: none unless signals come */
    uint32_t n;
    struct fill *fills;
};
void fills_encode(struct buf *b, const struct fills *f);
int fills_decode(struct reader *r, struct fills *ret_f) ADMF_MUST_CHECK;
void fills_fini(struct fills *f);
