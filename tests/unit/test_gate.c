/* SPDX-License-Identifier: MIT */
/* The promise: bytes are read as they were written; what is cut, too long or from a stranger does
 * not pass the gate, and a refused frame touches nothing. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "proto/body.h"
#include "proto/msg.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

/* ---- codec and buffer ----------------------------------------------------------------------- */

Test(codec, numbers_are_little_endian)
{
    static const uint8_t want[] = {1, 0x34, 0x12, 0x78, 0x56, 0x34, 0x12, 0, 0,   0,  0,
                                   0, 0,    0xf0, 0x3f, 2,    0,    0,    0, 'h', 'i'};
    struct buf b = {0};
    wr_u8(&b, 1);
    wr_u16(&b, 0x1234);
    wr_u32(&b, 0x12345678);
    wr_f64(&b, 1.0);
    wr_str(&b, "hi");
    cr_assert(b.n_bytes == sizeof want && memcmp(b.data, want, sizeof want) == 0);
    buf_fini(&b);
}

Test(codec, reading_past_the_end_gives_zero_and_stays_bad)
{
    struct reader r = rd_of("\x01\x02", 2);
    cr_assert(rd_u32(&r) == 0 && r.bad);
    cr_assert(rd_u8(&r) == 0, "nothing is read after a failure");
    cr_assert(!rd_done(&r));
}

Test(codec, strings_that_are_too_long_or_hold_nul_are_bad)
{
    char out[4] = "xyz";
    struct reader r = rd_of("\x04\0\0\0abcd", 8);
    rd_str(&r, out, sizeof out);
    cr_assert(r.bad && out[0] == '\0');
    r = rd_of("\x03\0\0\0abc", 7);
    rd_str(&r, out, sizeof out);
    cr_assert(rd_done(&r) && strcmp(out, "abc") == 0);
    r = rd_of("\x03\0\0\0a\0c", 7);
    rd_str(&r, out, sizeof out);
    cr_assert(r.bad);
}

Test(codec, counts_that_the_rest_cannot_hold_are_bad)
{
    struct reader r = rd_of("\x03\0\0\0abcdefgh", 12);
    cr_assert(rd_count(&r, 10, 4) == 0 && r.bad);
    r = rd_of("\x02\0\0\0abcdefgh", 12);
    cr_assert(rd_count(&r, 10, 4) == 2 && !r.bad);
    r = rd_of("\x02\0\0\0abcdefgh", 12);
    cr_assert(rd_count(&r, 1, 4) == 0 && r.bad);
}

Test(buf, grows_and_keeps_its_text_terminated)
{
    struct buf b = {0};
    for (int i = 0; i < 1000; i++)
        buf_printf(&b, "%d,", i);
    buf_puts(&b, "end");
    cr_assert(!b.failed && strlen(b.data) == b.n_bytes && strncmp(b.data, "0,1,2,3", 7) == 0);
    cr_assert(strcmp(b.data + b.n_bytes - 8, ",999,end") == 0);
    buf_clear(&b);
    cr_assert(b.n_bytes == 0 && b.data[0] == '\0');
    buf_fini(&b);
    cr_assert(b.data == NULL);
    buf_fini(&b);
}

Test(buf, failed_allocation_keeps_what_was_there)
{
    struct buf b = {0};
    buf_puts(&b, "kept");
    buf_append(&b, "x", SIZE_MAX / 2 + 10);
    cr_assert(b.failed && strcmp(b.data, "kept") == 0);
    buf_puts(&b, " not added");
    cr_assert(strcmp(b.data, "kept") == 0, "a gap in a message is worse than its end");
    buf_fini(&b);
}

/* ---- the gate ------------------------------------------------------------------------------- */

struct gate_case {
    const char *what;
    size_t offset;
    uint8_t value;
    enum msg_verdict verdict;
};

Test(gate, refuses_every_kind_of_wrong_frame)
{
    static const struct gate_case rows[] = {
        {"magic", 0, 'X', MSG_E_MAGIC},
        {"version", 4, MSG_VERSION + 1, MSG_E_VERSION},
        {"type of none", 6, 0, MSG_E_TYPE},
        {"type beyond the table", 6, 200, MSG_E_TYPE},
        {"type of the other side", 6, MSG_FINISH, MSG_E_SENDER},
        {"worker", 8, 6, MSG_E_WORKER},
        {"length", 12, 9, MSG_E_LENGTH},
        {"sequence", 16, 4, MSG_E_SEQUENCE},
    };
    const struct msg_expect expect = {MSG_FROM_WORKER, 5, 3};
    struct msg_head head = {.worker = 77};
    struct reader body = {.pos = 77};
    struct buf b = {0};

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        msg_begin(&b, MSG_READY, 5, 3);
        ready_encode(&b, &(struct ready){1, 2});
        msg_end(&b);
        b.data[rows[i].offset] = (char)rows[i].value;
        cr_assert(msg_gate(b.data, b.n_bytes, &expect, &head, &body) == rows[i].verdict, "%s",
                  rows[i].what);
    }
    msg_begin(&b, MSG_READY, 5, 3);
    ready_encode(&b, &(struct ready){1, 2});
    msg_end(&b);
    for (size_t n = 0; n < b.n_bytes; n++)
        cr_assert(msg_gate(b.data, n, &expect, &head, &body) ==
                  (n < MSG_HEADER_BYTES ? MSG_E_SHORT : MSG_E_LENGTH));
    cr_assert(head.worker == 77 && body.pos == 77, "outputs are touched");
    cr_assert(msg_gate(b.data, b.n_bytes, &expect, &head, &body) == MSG_E_OK);
    cr_assert(head.type == MSG_READY && head.body_bytes == 8 && head.sequence == 3);
    cr_assert(body.n_bytes == 8 && body.pos == 0);
    buf_fini(&b);
}

Test(gate, length_of_every_row_is_enforced)
{
    static const struct {
        enum msg_type type;
        enum msg_sender sender;
        uint32_t least, most;
    } rows[] = {
#define S                                        MSG_FROM_SUPERVISOR
#define W                                        MSG_FROM_WORKER
#define X(id, symbol, sender, least, most, what) {id, sender, least, most},
#include "proto/msg.def"
#undef X
#undef W
#undef S
    };
    char *block = calloc(1, 8 << 20);
    cr_assert(block != NULL);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct msg_expect expect = {rows[i].sender, 1, 1};
        struct msg_head head;
        struct reader body;
        struct buf b = {0};
        cr_assert(strcmp(msg_name(rows[i].type), "?") != 0);
        for (int beyond = -1; beyond <= 1; beyond++) {
            uint32_t n = beyond <= 0 ? rows[i].least + (uint32_t)beyond : rows[i].most + 1;
            if (n > 8 << 20)
                continue;
            msg_begin(&b, rows[i].type, 1, 1);
            buf_append(&b, block, n);
            msg_end(&b);
            cr_assert(msg_gate(b.data, b.n_bytes, &expect, &head, &body) ==
                          (beyond == 0 ? MSG_E_OK : MSG_E_LENGTH),
                      "%s with %u bytes", msg_name(rows[i].type), n);
        }
        buf_fini(&b);
    }
    free(block);
}

/* The body of a message that says as little as its encoder can. */
static void encode_least(struct buf *b, enum msg_type type)
{
    struct combo combo = {0};
    struct batch batch = {.n = type == MSG_DETAIL, .combos = &combo};
    switch (type) {
    case MSG_HELLO:
        hello_encode(b, &(struct hello){0});
        break;
    case MSG_SETUP:
        setup_encode(b, &(struct setup){0});
        break;
    case MSG_READY:
    case MSG_LANES_READY:
        ready_encode(b, &(struct ready){0});
        break;
    case MSG_REFUSE:
        refuse_encode(b, &(struct err){0});
        break;
    case MSG_BATCH:
    case MSG_DETAIL:
    case MSG_LANES:
        batch_encode(b, &batch);
        break;
    case MSG_RESULTS:
        results_encode(b, &(struct results){0});
        break;
    case MSG_DETAIL_TRADES:
        detail_trades_encode(b, &(struct detail_trades){0});
        break;
    case MSG_DETAIL_EQUITY:
        detail_equity_encode(b, &(struct detail_equity){0});
        break;
    case MSG_SIGNALS:
    case MSG_ORDERS:
        signals_encode(b, &(struct signals){0});
        break;
    case MSG_FILLS:
    case MSG_ROUTED_FILLS:
        fills_encode(b, &(struct fills){0});
        break;
    case MSG_FINISH:
        break;
    }
}

Test(gate, least_length_of_every_row_is_that_of_the_shortest_body)
{
    static const struct {
        enum msg_type type;
        uint32_t least;
    } rows[] = {
#define X(id, symbol, sender, least, most, what) {id, least},
#include "proto/msg.def"
#undef X
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf b = {0};
        encode_least(&b, rows[i].type);
        cr_assert(b.n_bytes == rows[i].least, "%s: %zu", msg_name(rows[i].type), b.n_bytes);
        buf_fini(&b);
    }
}

Test(gate, every_verdict_has_a_name)
{
    for (int v = 0; v < MSG_VERDICT_N; v++)
        cr_assert(msg_verdict_name((enum msg_verdict)v) != NULL);
    cr_assert(strcmp(msg_verdict_name(MSG_VERDICT_N), "?") == 0);
    cr_assert(strcmp(msg_name((enum msg_type)0), "?") == 0);
}
