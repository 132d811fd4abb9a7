/* SPDX-License-Identifier: MIT */
/* Orders that wait for the next bar, of one account. */
#include "worker/broker/order_book.h"

#include <errno.h>
#include <string.h>

int order_book_init(struct order_book *book, struct arena *arena, uint32_t symbols_n)
{
    book->n = 0;
    book->capacity = 2 * symbols_n;
    book->order = arena_take(arena, book->capacity * sizeof *book->order);
    book->live_from = arena_take_zeroed(arena, symbols_n);
    return book->order && book->live_from ? 0 : -ENOMEM;
}

void order_book_place(struct order_book *book, const struct order *order)
{
    for (uint32_t i = 0; i < book->n; i++) {
        struct order *o = &book->order[i];
        if (o->symbol_idx == order->symbol_idx && o->is_close == order->is_close) {
            *o = *order;
            return;
        }
    }
    if (book->n < book->capacity)
        book->order[book->n++] = *order;
}

void order_book_drop(struct order_book *book, uint32_t i)
{
    memmove(&book->order[i], &book->order[i + 1], (book->n - i - 1) * sizeof *book->order);
    book->n--;
}

void order_book_clear(struct order_book *book)
{
    book->n = 0;
}
