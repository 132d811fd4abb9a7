/* SPDX-License-Identifier: MIT */
/* Messages between supervisor and worker: the table, the header, and the gate.
 *
 * A frame is a 24-byte header and a body:
 *     u32 magic  u16 version  u16 type  u32 worker  u32 body bytes  u64 sequence
 * `worker` is the number of the worker's start, unique in a run; `sequence` counts from 1 in each
 * direction of one channel. A frame that does not pass msg_gate() is never decoded further. */
#pragma once

#include <stdint.h>

#include "proto/buf.h"
#include "proto/codec.h"

#define MSG_MAGIC        UINT32_C(0x464d4441) /* "ADMF" */
#define MSG_VERSION      1
#define MSG_HEADER_BYTES 24
#define MSG_FRAME_MAX    ((size_t)(8 << 20) + MSG_HEADER_BYTES)

enum msg_type {
#define X(id, symbol, ...) MSG_##symbol = id,
#include "proto/msg.def"
#undef X
};

enum msg_sender { MSG_FROM_SUPERVISOR, MSG_FROM_WORKER };

struct msg_head {
    enum msg_type type;
    uint32_t worker;
    uint32_t body_bytes;
    uint64_t sequence;
};

/* Why a frame is refused. */
enum msg_verdict {
    MSG_E_OK = 0,
    MSG_E_SHORT,
    MSG_E_MAGIC,
    MSG_E_VERSION,
    MSG_E_TYPE,
    MSG_E_SENDER,
    MSG_E_LENGTH,
    MSG_E_WORKER,
    MSG_E_SEQUENCE,
    MSG_VERDICT_N
};

/* Who the other end must be and what must come next. */
struct msg_expect {
    enum msg_sender sender;
    uint32_t worker;
    uint64_t sequence;
};

const char *msg_name(enum msg_type type);
const char *msg_verdict_name(enum msg_verdict verdict);

/* Starts a frame in an empty buffer; msg_end() writes the body's length into its header. */
void msg_begin(struct buf *b, enum msg_type type, uint32_t worker, uint64_t sequence);
void msg_end(struct buf *b);

/* The gate: *ret_head and *ret_body are written only on MSG_E_OK. */
enum msg_verdict msg_gate(const void *frame, size_t frame_bytes, const struct msg_expect *expect,
                          struct msg_head *ret_head, struct reader *ret_body);
