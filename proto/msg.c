/* SPDX-License-Identifier: MIT */
/* The frame's header, and the one gate that every received frame passes. */
#include "proto/msg.h"

#include <stddef.h>
#include <string.h>

#define LENGTH_AT 12 /* of "body bytes" in the header */

static const struct msg_row {
    const char *name;
    enum msg_sender sender;
    uint32_t least_bytes;
    uint32_t most_bytes;
} rows[] = {
#define S                                         MSG_FROM_SUPERVISOR
#define W                                         MSG_FROM_WORKER
#define X(id, symbol, sender_, least, most, what) [id] = {#symbol, sender_, least, most},
#include "proto/msg.def"
#undef X
#undef W
#undef S
};

static const struct msg_row *row_of(unsigned type)
{
    return type < sizeof rows / sizeof rows[0] && rows[type].name ? &rows[type] : NULL;
}

const char *msg_name(enum msg_type type)
{
    const struct msg_row *row = row_of((unsigned)type);
    return row ? row->name : "?";
}

const char *msg_verdict_name(enum msg_verdict verdict)
{
    static const char *const names[MSG_VERDICT_N] = {
        [MSG_E_OK] = "ok",
        [MSG_E_SHORT] = "shorter than a header",
        [MSG_E_MAGIC] = "not one of our frames",
        [MSG_E_VERSION] = "of another protocol version",
        [MSG_E_TYPE] = "of an unknown type",
        [MSG_E_SENDER] = "of a type that this sender may not send",
        [MSG_E_LENGTH] = "of a wrong length",
        [MSG_E_WORKER] = "of another worker start",
        [MSG_E_SEQUENCE] = "out of sequence",
    };
    return (unsigned)verdict < MSG_VERDICT_N ? names[verdict] : "?";
}

void msg_begin(struct buf *b, enum msg_type type, uint32_t worker, uint64_t sequence)
{
    buf_clear(b);
    wr_u32(b, MSG_MAGIC);
    wr_u16(b, MSG_VERSION);
    wr_u16(b, (uint16_t)type);
    wr_u32(b, worker);
    wr_u32(b, 0);
    wr_u64(b, sequence);
}

void msg_end(struct buf *b)
{
    if (b->failed || b->n_bytes < MSG_HEADER_BYTES || b->n_bytes > MSG_FRAME_MAX) {
        b->failed = true;
        return;
    }
    uint32_t n = (uint32_t)(b->n_bytes - MSG_HEADER_BYTES);
    for (int i = 0; i < 4; i++)
        b->data[LENGTH_AT + i] = (char)(n >> (8 * i) & 0xff);
}

enum msg_verdict msg_gate(const void *frame, size_t frame_bytes, const struct msg_expect *expect,
                          struct msg_head *ret_head, struct reader *ret_body)
{
    if (frame_bytes < MSG_HEADER_BYTES)
        return MSG_E_SHORT;

    struct reader r = rd_of(frame, frame_bytes);
    uint32_t magic = rd_u32(&r);
    uint16_t version = rd_u16(&r);
    uint16_t type = rd_u16(&r);
    uint32_t worker = rd_u32(&r);
    uint32_t body_bytes = rd_u32(&r);
    uint64_t sequence = rd_u64(&r);
    const struct msg_row *row = row_of(type);

    if (magic != MSG_MAGIC)
        return MSG_E_MAGIC;
    if (version != MSG_VERSION)
        return MSG_E_VERSION;
    if (!row)
        return MSG_E_TYPE;
    if (row->sender != expect->sender)
        return MSG_E_SENDER;
    if (body_bytes != frame_bytes - MSG_HEADER_BYTES || body_bytes < row->least_bytes ||
        body_bytes > row->most_bytes)
        return MSG_E_LENGTH;
    if (worker != expect->worker)
        return MSG_E_WORKER;
    if (sequence != expect->sequence)
        return MSG_E_SEQUENCE;

    *ret_head = (struct msg_head){type, worker, body_bytes, sequence};
    *ret_body = rd_of((const uint8_t *)frame + MSG_HEADER_BYTES, body_bytes);
    return MSG_E_OK;
}
